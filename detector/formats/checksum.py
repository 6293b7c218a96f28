"""The checksum that an artifact carries of itself."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from detector.formats.strict_json import format_canonical


def compute_checksum(body: Mapping[str, Any]) -> str:
    """Return the checksum of an artifact's body, `sha256:` and 64 hex digits, itself left out."""
    bare = {key: value for key, value in body.items() if key != "checksum"}
    return "sha256:" + sha256(format_canonical(bare).encode()).hexdigest()
