"""Merge patches (RFC 7396) on snapshots, and snapshots moved in time."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from detector.formats.errors import InputError
from detector.formats.times import format_time, parse_rfc3339


def apply_patch(document: Any, patch: Any) -> Any:
    """Return the document with the patch applied: objects merge, null removes, all else replaces."""
    if not isinstance(patch, Mapping):
        return copy.deepcopy(patch)
    merged = dict(document) if isinstance(document, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = apply_patch(merged.get(key), value)
    return merged


def apply_time_shift(value: Any, by: timedelta) -> Any:
    """Return the JSON value with every RFC 3339 time in it moved."""
    if isinstance(value, Mapping):
        return {key: apply_time_shift(item, by) for key, item in value.items()}
    if isinstance(value, list):
        return [apply_time_shift(item, by) for item in value]
    if not isinstance(value, str) or not value[:4].isdigit():
        return value
    try:
        return format_time(parse_rfc3339(value) + by)
    except InputError:
        return value
