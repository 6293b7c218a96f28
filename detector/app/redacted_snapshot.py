"""The waist as every command passes it: the document and the settings redacted together, once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from detector.app.context import Refused
from detector.domain.snapshot import Snapshot, build_snapshot
from detector.formats.redaction import redacted
from detector.formats.strict_json import DocumentError
from detector.settings import RUNTIME, Settings, list_secrets


def redacted_with(document: Mapping[str, Any], settings: Settings) -> tuple[dict[str, Any], Settings]:
    """Return both, redacted, so that a name that stands in both is still the same name."""
    texts = {name: value for name, value in settings.values.items() if isinstance(value, str)}
    # Without the names of sections and settings: a secret may be an ordinary word.
    shown = redacted([list(document.values()), list(texts.values())], list_secrets(settings))
    values = {**settings.values, **dict(zip(texts, shown[1], strict=True))}
    return dict(zip(document, shown[0], strict=True)), replace(settings, values=values)


def snapshot_of(document: Mapping[str, Any], now: datetime, settings: Settings) -> tuple[Snapshot, Settings]:
    """Return the snapshot without its `previous`, redacted before anything is compared; raises Refused.

    What settings say is redacted with it, so that a name in both is still the same name.
    """
    shown, settings = redacted_with({k: v for k, v in document.items() if k != "previous"}, settings)
    try:
        return build_snapshot(shown, now=now, runtime=settings[RUNTIME]), settings
    except DocumentError as error:
        raise Refused(str(error)) from None
