"""The waist as every command passes it: the document and the settings redacted together, once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from detector.app.context import InputError
from detector.domain.snapshot import Snapshot, build_snapshot
from detector.formats.redaction import redact
from detector.formats.strict_json import DocumentError
from detector.settings import RUNTIME, Settings, list_secrets


def redact_document(document: Mapping[str, Any], settings: Settings) -> tuple[dict[str, Any], Settings]:
    """Return both, redacted, so that a name that stands in both is still the same name."""
    texts = {name: value for name, value in settings.values.items() if isinstance(value, str)}
    # Without the names of sections and settings: a secret may be an ordinary word.
    redacted_lists = redact([list(document.values()), list(texts.values())], list_secrets(settings))
    values = {**settings.values, **dict(zip(texts, redacted_lists[1], strict=True))}
    return dict(zip(document, redacted_lists[0], strict=True)), replace(settings, values=values)


def parse_snapshot(
    document: Mapping[str, Any], now: datetime, settings: Settings
) -> tuple[Snapshot, Settings]:
    """Return the snapshot without its `previous`, redacted before anything is compared; raises Refused.

    What settings say is redacted with it, so that a name in both is still the same name.
    """
    redacted_document, settings = redact_document(
        {k: v for k, v in document.items() if k != "previous"}, settings
    )
    try:
        return build_snapshot(redacted_document, now=now, runtime=settings[RUNTIME]), settings
    except DocumentError as error:
        raise InputError(str(error)) from None
