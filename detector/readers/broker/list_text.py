"""A broker's list as text: JSON, objects of ib_async or Python, CSV as pandas and spreadsheets write it.

An object is `Option(conId=756733, symbol='SPY', …)`, as `json.dumps(…, default=str)` leaves it. It is parsed
as a Python expression and never evaluated: names, calls with constants, lists and tuples. Any other text is
described by what it is like, so that its owner knows how to export it.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from detector.formats.errors import InputError
from detector.formats.numbers import GROUPED_NUMBER
from detector.formats.patterns import build_pattern
from detector.formats.similar_names import normalize_key
from detector.formats.strict_json import parse_value
from detector.readers.broker.layouts import CLASSES

_OBJECT = build_pattern(r"[A-Z][A-Za-z]{2,39}\(", re.ASCII)
_LONGEST_LIST = 2_000_000
_LONGEST = 20_000  # an order with every field that it can have takes under 6,000
_NOTHING = ("nan", "NaN", "NaT", "inf", "None")
_MOST_TIME_PARTS = 7
_DELIMITERS = (",", ";", "\t", "|")
FEWEST_COLUMNS = 2  # that are known: a sentence has a comma too
# Numbers that only a European, and only an American, writes so; and those that are then read.
_EUROPEAN = build_pattern(r"[+-]?(?:\d{1,3}(?:\.\d{3})+,\d+|\d+,(?:\d\d?|\d{4,}))", re.ASCII)
_AMERICAN = build_pattern(r"[+-]?\d{1,3}(?:(?:,\d{3})+\.\d+|(?:,\d{3}){2,})", re.ASCII)
_POINTED = build_pattern(r"[+-]?(?:\d{1,3}(?:\.\d{3})+|\d+)(?:,\d+)?", re.ASCII)
_THOUSAND = build_pattern(r"[+-]?[1-9]\d{0,2}\.\d{3}", re.ASCII)  # 1.234 may be 1234
_DECIMAL = build_pattern(r"[+-]?(?:[\d,]*\d\.(?:\d\d?|\d{4,})|0\.\d+)", re.ASCII)
_QUANTITIES = (
    "quantity",
    "position",
    "pos",
    "qty",
    "shares",
    "size",
    "totalquantity",
    "totalsize",
    "remaining",
)
# What other texts are like, and what to write instead.
_KINDS = (
    (build_pattern(r"<\w[^>]* object at 0x"), "the address of an object in memory", "util.tree() of it"),
    (
        build_pattern(r"\s*<(?:!doctype|html|table)", re.IGNORECASE),
        "a page of HTML",
        "to_json(orient='records')",
    ),
    (build_pattern(r"(?:gA[SN]V?|\x80)[\w+/=\s]+\Z"), "a pickle in base64", "JSON"),
    (build_pattern(r"(?s).*\n\s*\|?\s*:?-{3,}"), "a table of Markdown", "to_json(orient='records')"),
    (
        build_pattern(r"(?s)[^\n]*\S {2,}\S[^\n]*\n.*\S {2,}\S"),
        "print() of a data frame",
        "to_json(orient='records')",
    ),
)


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
    value = _parse_literal(text) if _OBJECT.match(text) and len(text) <= _LONGEST else None
    return value if isinstance(value, dict) else None


def _parse_literal(text: str) -> Any:
    """Return a list or an object as Python writes it, objects under their classes; None for code."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _convert(ast.parse(text[:_LONGEST_LIST], mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _convert(node: ast.expr) -> Any:
    """Return the value of an expression; raises ValueError for anything but data."""
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
    return datetime(*parts, tzinfo=zone).isoformat()  # type: ignore[misc]  # all parts are int


def _find_zone(node: ast.expr) -> tzinfo:
    match node:
        case ast.Attribute(attr="utc" | "UTC"):
            return UTC
        case ast.Call(keywords=[ast.keyword(value=ast.Constant(value=str() as name))]):
            try:
                return ZoneInfo(name)
            except (ZoneInfoNotFoundError, OSError):
                raise ValueError("no zone") from None
    raise ValueError("no zone")


def parse_list_text(text: str, has_column: Callable[[Iterable[str]], bool]) -> Any:
    """Return the rows that a text holds; None where it is in no known form.

    `has_column` returns whether one of some names is a column of such rows.
    """
    stripped = text.strip("\ufeff \r\n")
    if stripped[:1] in ("[", "{"):
        value = _parse_json(stripped)
        return _parse_literal(stripped) if value is None else value
    return _parse_table(stripped, has_column)


def describe_text(text: str) -> str:
    """Return what a text that was not read is like, and what to write instead; else nothing."""
    for pattern, kind, remedy in _KINDS:
        if pattern.match(text):
            return f"; this looks like {kind}: write {remedy} instead"
    return ""


def normalize_numbers(rows: list[Any], *, has_points: bool = False) -> list[Any]:
    """Return the rows with numbers that are written as text with separators, where their list shows whose.

    `1,234` alone may be either: it stays, and the reader refuses it, as it does a quantity of `1.234` in a
    list that is text alone.
    """
    cells = {cell for row in rows for cell in _iter_texts(row)}
    texts = {cell for cell in cells if "," in cell}
    is_european, is_american = (any(map(form.fullmatch, texts)) for form in (_EUROPEAN, _AMERICAN))
    has_points = has_points or any(map(_DECIMAL.fullmatch, cells)) or any(map(_has_number, rows))
    if not is_european and not has_points:
        return [_mark_ambiguous(row) for row in rows]
    if is_european is is_american:
        return rows
    group, point = (".", ",") if is_european else (",", ".")
    number = _POINTED if is_european else GROUPED_NUMBER
    return [_replace_numbers(row, number, group, point) for row in rows]


def _has_number(item: Any) -> bool:
    if isinstance(item, dict):
        return any(map(_has_number, item.values()))
    return isinstance(item, int | float)


def _mark_ambiguous(item: Any) -> Any:
    """Return a row with each quantity that may be of thousands as a text that is no number."""
    if not isinstance(item, dict):
        return item
    marked = dict(item)
    for key, cell in item.items():
        text = cell.strip() if isinstance(cell, str) else ""
        if normalize_key(key) in _QUANTITIES and _THOUSAND.fullmatch(text):
            marked[key] = f"{text} or {text.replace('.', '')}"
    return marked


def _iter_texts(item: Any) -> Iterator[str]:
    if isinstance(item, str):
        yield item
    elif isinstance(item, dict):
        for value in item.values():
            yield from _iter_texts(value)


def _replace_numbers(item: Any, number: re.Pattern[str], group: str, point: str) -> Any:
    if isinstance(item, dict):
        return {key: _replace_numbers(value, number, group, point) for key, value in item.items()}
    if isinstance(item, str) and number.fullmatch(item.strip()):
        return item.strip().replace(group, "").replace(point, ".")
    return item


def _parse_json(text: str) -> Any:
    try:
        return parse_value(text.encode())
    except InputError:
        pass
    try:  # a row a line
        return [parse_value(line.encode()) for line in text.splitlines() if line.strip()]
    except InputError:
        return None


def _parse_table(text: str, has_column: Callable[[Iterable[str]], bool]) -> list[dict[str, str]] | None:
    import csv  # noqa: PLC0415 - only such an export pays for it

    lines = text.splitlines()
    first = lines[0] if lines else ""
    delimiter = max(_DELIMITERS, key=first.count)
    try:
        header, *rows = csv.reader(lines, strict=True, delimiter=delimiter)
    except (csv.Error, ValueError):
        return None
    names = [name.strip() for name in header]
    if sum(has_column([name]) for name in names) < FEWEST_COLUMNS or "" in names[1:]:
        return None
    if any(row and len(row) != len(names) for row in rows):
        return None
    return [dict(zip(names, row, strict=True)) for row in rows if row]
