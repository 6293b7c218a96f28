"""The waist as every command passes it: the document and the settings redacted together, once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from detector.model.redact import redacted
from detector.settings import Settings, secrets_of


def redacted_with(document: Mapping[str, Any], settings: Settings) -> tuple[dict[str, Any], Settings]:
    """Return both, redacted, so that a name that stands in both is still the same name."""
    texts = {name: value for name, value in settings.values.items() if isinstance(value, str)}
    # Without the names of sections and settings: a secret may be an ordinary word.
    shown = redacted([list(document.values()), list(texts.values())], secrets_of(settings))
    values = {**settings.values, **dict(zip(texts, shown[1], strict=True))}
    return dict(zip(document, shown[0], strict=True)), replace(settings, values=values)
