"""What can happen to a memory between two runs, on the text of an artifact."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from detector.formats.serialize import compute_checksum
from detector.formats.times import format_time

_DAY = timedelta(days=1)


def _rewrite(text: str | None, **changes: Any) -> str | None:
    if text is None:
        return None
    body = {**json.loads(text), **changes}
    return json.dumps({**body, "checksum": compute_checksum(body)})


def _move_ahead(text: str | None) -> str | None:
    if text is None:
        return None
    ahead = datetime.fromisoformat(json.loads(text)["taken_at"]).astimezone(UTC) + _DAY
    return _rewrite(text, taken_at=format_time(ahead))


ACCIDENTS: Mapping[str, Callable[[str | None], str | None]] = {
    "kept": lambda text: text,
    "none": lambda text: None,
    "truncated": lambda text: text and text[: len(text) // 2],
    "corrupted": lambda text: text and text.replace('"conditions"', '"c0nditions"'),
    "from the future": _move_ahead,
    "of a newer version": lambda text: _rewrite(text, schema_version=99),
    "of another runtime": lambda text: _rewrite(text, runtime="another"),
}
