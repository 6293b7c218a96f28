"""Converts a JSON log record into the plain line that the same logger would write as text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_TEXT_KEYS: Final = (
    "message", "msg", "log", "text", "event", "errorMsg", "errorString", "error_string", "error_msg",
    "error_message",
)  # fmt: skip
_LEVEL_KEYS: Final = ("level", "levelname", "severity", "lvl", "log.level")
_TIME_KEYS: Final = ("timestamp", "@timestamp", "time", "ts", "asctime", "datetime")
_CODE_KEYS: Final = ("errorCode", "error_code", "errCode", "err_code", "ib_code", "tws_code", "code")
_REQUEST_KEYS: Final = ("reqId", "req_id", "requestId", "request_id", "tickerId", "id")
_INNER_KEYS: Final = ("error", "data", "record")
# Source: pino, documentation of its level numbers.
_PINO_LEVELS: Final = {"60": "FATAL", "50": "ERROR", "40": "WARN", "30": "INFO", "20": "DEBUG", "10": "TRACE"}
_LONGEST: Final = 8192
_SHORT: Final = 60


@dataclass(frozen=True, slots=True)
class JsonRecord:
    """A structured record as one plain line, with the values of its level and time fields."""

    line: str
    level: str | None
    time: str | float | None


def parse_record(line: str) -> JsonRecord | None:
    """Return the JSON record in a line, or None for plain text."""
    if not line.lstrip().startswith("{"):
        return None
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict):
        return None
    level = next((str(fields[key]).upper() for key in _LEVEL_KEYS if fields.get(key)), None)
    time = next((fields[key] for key in _TIME_KEYS if isinstance(fields.get(key), str | int | float)), None)
    return JsonRecord(_format_record(fields), _PINO_LEVELS.get(level or "", level), time)


def _format_record(fields: Mapping[str, Any]) -> str:
    """Return the record as a line: its code as ib_async writes it, its text, and its short fields."""
    inner: Mapping[str, Any] = next(
        (fields[key] for key in _INNER_KEYS if isinstance(fields.get(key), dict)), {}
    )
    merged = {**inner, **fields}
    text = next((merged[key] for key in _TEXT_KEYS if isinstance(merged.get(key), str)), "")
    code = next((merged[key] for key in _CODE_KEYS if _is_code(merged.get(key))), None)
    request = next((merged[key] for key in _REQUEST_KEYS if isinstance(merged.get(key), int)), None)
    head = ""
    if code is not None:
        head = f"error {code}, reqId {request}: " if request is not None else f"ib code {code}: "
    skipped = {*_LEVEL_KEYS, *_TIME_KEYS, *_CODE_KEYS}
    plain = (f"{k}={v}" for k, v in merged.items() if k not in skipped and v != text and _is_plain(v))
    return f"{head}{text} ; {' '.join(plain)}"[:_LONGEST]


def _is_code(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_plain(value: object) -> bool:
    """Whether a field is a short value; a longer text is separate content, such as a traceback."""
    return isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= _SHORT)
