"""An object of ib_async as text (`json.dumps(…, default=str)`): `Option(conId=756733, symbol='SPY', …)`.

The text is parsed as a Python expression and never evaluated: names, calls with constants, lists and tuples.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from detector.formats.patterns import build_pattern
from detector.readers.broker.layouts import CLASSES

if TYPE_CHECKING:
    import ast

_OBJECT = build_pattern(r"[A-Z][A-Za-z]{2,39}\(", re.ASCII)
_LONGEST_LIST = 2_000_000
_LONGEST = 20_000  # an order with every field that it can have takes under 6,000
_NOTHING = ("nan", "NaN", "NaT", "inf", "None")
_MOST_TIME_PARTS = 7


def is_object_text(value: object) -> bool:
    """Whether a value is an object as text: of a known class, or the address of one in memory."""
    if not isinstance(value, str):
        return False
    match = _OBJECT.match(value)
    return (match is not None and match[0][:-1] in CLASSES) or (
        value.startswith("<") and " object at " in value
    )


@lru_cache(maxsize=512)  # one contract stands in many rows; what is returned is only read
def parse_object(text: str) -> dict[str, Any] | None:
    """Return the object under its class's name, as `util.tree` writes it; None where it cannot be read."""
    import ast  # noqa: PLC0415 - only such an export pays for it
    import warnings  # noqa: PLC0415 - as `ast`

    if not _OBJECT.match(text) or len(text) > _LONGEST:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = _convert(ast.parse(text, mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return value if isinstance(value, dict) else None


def parse_literal(text: str) -> Any:
    """Return a list or an object as Python writes it, objects under their classes; None for code."""
    import ast  # noqa: PLC0415 - as above
    import warnings  # noqa: PLC0415 - as above

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _convert(ast.parse(text[:_LONGEST_LIST], mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _convert(node: ast.expr) -> Any:
    """Return the value of an expression; raises ValueError for anything but data."""
    import ast  # noqa: PLC0415 - only such an export pays for it

    match node:
        case ast.Constant(value=str() | int() | float() | None):
            return node.value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
        case ast.List(elts=items) | ast.Tuple(elts=items):
            return [_convert(item) for item in items]
        case ast.Dict(keys=keys, values=values) if None not in keys:
            return {
                str(_convert(key)): _convert(value) for key, value in zip(keys, values, strict=True) if key
            }
        case ast.Name(id=name) if name in _NOTHING:
            return None
        case ast.Call():
            return _convert_call(node)
    raise ValueError("no data")


def _convert_call(node: ast.Call) -> Any:
    import ast  # noqa: PLC0415 - as above

    match node:
        case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords):
            return _build_object(name, [_convert(part) for part in args], keywords)
        case ast.Call(func=ast.Attribute(attr="datetime"), args=args, keywords=keywords):
            return _build_time(args, keywords)
    raise ValueError("no data")


def _build_object(name: str, parts: list[Any], keywords: list[ast.keyword]) -> Any:
    if name not in CLASSES:
        if len(parts) == 1 and isinstance(parts[0], str | int | float):  # Decimal('39')
            return parts[0]
        raise ValueError("no class of the broker's")
    fields = {keyword.arg: _convert(keyword.value) for keyword in keywords if keyword.arg}
    if name == "Forex" and len(parts) == 1 and isinstance(parts[0], str):
        fields |= {"symbol": parts[0][:3], "currency": parts[0][3:]}
    elif parts:
        raise ValueError("a field without a name")
    return {name: fields}


def _build_time(args: list[ast.expr], keywords: list[ast.keyword]) -> str:
    """Return the time as RFC 3339, naive where it is."""
    parts = [_convert(part) for part in args]
    if len(parts) > _MOST_TIME_PARTS or not all(isinstance(part, int) for part in parts):
        raise ValueError("no time")
    zone = next((_find_zone(keyword.value) for keyword in keywords if keyword.arg == "tzinfo"), None)
    return datetime(*parts, tzinfo=zone).isoformat()  # type: ignore[misc]


def _find_zone(node: ast.expr) -> tzinfo:
    import ast  # noqa: PLC0415 - only such an export pays for it

    match node:
        case ast.Attribute(attr="utc" | "UTC"):
            return UTC
        case ast.Call(keywords=[ast.keyword(value=ast.Constant(value=str() as name))]):
            try:
                return ZoneInfo(name)
            except (ZoneInfoNotFoundError, OSError):
                raise ValueError("no zone") from None
    raise ValueError("no zone")
