"""The strict parser of JSON documents: a document with a fault is refused whole, with one line about it."""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from detector.formats.errors import InputError
from detector.formats.patterns import build_pattern
from detector.formats.redaction import redact_text

_FILLERS = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0"  # letters and marks that show nothing

MAX_BYTES = 16 * 1024 * 1024
MAX_DEPTH = 64
_DOUBLE_DIGITS = 300  # fewer digits than this always fit a double (largest: 1.797e308)
_DIGITS = bytes.maketrans(b"012345689", b"7" * 9)
_ROUNDED_UNSET = "1.797693135e+308"  # IBKR's "not set", the largest double, as pandas' to_json rounds it
_SURROGATE = build_pattern(r"\\u[dD][89a-fA-F]")
# A string, or a literal outside of strings: what a number that cannot be used is looked for among.
_TOKEN = build_pattern(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[-+.\w]++', re.DOTALL)
_PATH_LIMIT = 80
_LITERAL_LIMIT = 24


class _DuplicateKeys(dict[str, Any]):
    """An object in which `key` stood twice."""

    key: str


def parse_document(data: bytes, *, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """Read one JSON object of at most `max_bytes` bytes.

    Raises InputError for anything that RFC 8259 or the contract does not allow: not UTF-8, not one
    JSON object, trailing text, duplicate keys, numbers outside a double, nesting over 64 deep (the
    root is depth 1). A byte-order mark is accepted; a lone surrogate becomes U+FFFD.
    """
    value = parse_value(data, max_bytes=max_bytes)
    if not isinstance(value, dict):
        raise InputError(f"the document is {describe_kind(value)}, not an object")
    return value


def parse_value(data: bytes, *, max_bytes: int = MAX_BYTES) -> Any:
    """Read one JSON value as `parse_document` does; its root may be of any kind; raises InputError."""
    if len(data) > max_bytes:
        raise InputError(f"the document is over {max_bytes // (1024 * 1024)} MiB")
    value = _load_plain(data)
    if value is not None:
        return value
    text = _decode(data)
    if not text.strip(" \t\r\n"):
        raise InputError("the document is empty; an object such as {} was expected")
    value = _load(text)
    return _replace_in_value(value) if "\\u" in text and _SURROGATE.search(text) else value


def _load_plain(data: bytes) -> Any:
    """Return the value of a document whose text it gives again, blanks aside; else None.

    Then no key stands twice, and no number lost a digit. Up to 64 objects and lists are not nested too deep.
    """
    is_long = b"7" * _DOUBLE_DIGITS in data.translate(_DIGITS)
    if is_long or data.count(b"{") + data.count(b"[") > MAX_DEPTH:
        return None
    try:
        value = msgspec.json.decode(data)
        return (
            value
            if msgspec.json.encode(value).replace(b" ", b"") == data.replace(b" ", b"").strip()
            else None
        )
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None


def _decode(data: bytes) -> str:
    if data[:2] == b"\x1f\x8b":
        raise InputError("the document is compressed (gzip)")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\x00" in data[:4]:
        raise InputError("the document is not UTF-8 (it looks like UTF-16 or UTF-32)")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"the document is not UTF-8 (byte {error.start})") from None


def _load(text: str) -> Any:
    duplicates: list[_DuplicateKeys] = []

    def build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) != len(pairs):
            members = _DuplicateKeys(members)
            members.key = _find_duplicate_key(key for key, _ in pairs)
            duplicates.append(members)
        return members

    try:
        value = json.loads(
            text,
            object_pairs_hook=build_object,
            parse_constant=_raise_not_finite,
            parse_float=_parse_float,
            parse_int=_parse_int,
        )
        if is_nested_over(value, MAX_DEPTH):
            raise RecursionError
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        raise InputError(f"{where}: {_format_message(error.msg)}; this is not JSON") from None
    except _NumberError as error:
        line, column = _find_position(text, str(error))
        literal = str(error) if len(str(error)) <= _LITERAL_LIMIT else f"a number of {len(str(error))} digits"
        raise InputError(f"line {line} column {column}: {literal} is not a finite number") from None
    except RecursionError:
        raise InputError(f"the document is nested over {MAX_DEPTH} deep") from None
    if duplicates:
        raise InputError(_describe_duplicate(value, duplicates[0]))
    return value


def _find_duplicate_key(keys: Iterable[str]) -> str:
    seen: set[str] = set()
    for key in keys:
        if key in seen:
            return key
        seen.add(key)
    return ""


class _NumberError(Exception):
    """A number literal that is not a finite double."""


def _raise_not_finite(literal: str) -> float:
    raise _NumberError(literal)


def _parse_float(literal: str) -> float:
    value = float(literal)
    if literal == _ROUNDED_UNSET:
        return sys.float_info.max
    if math.isinf(value):
        raise _NumberError(literal)
    return value


def _parse_int(literal: str) -> int:
    if len(literal) > _DOUBLE_DIGITS and math.isinf(float(literal)):
        raise _NumberError(literal)
    return int(literal)


def _format_message(message: str) -> str:
    if message == "Extra data":
        return "text after the end of the document"
    return message[:1].lower() + message[1:]


def _find_position(text: str, literal: str) -> tuple[int, int]:
    spans = (match.span() for match in _TOKEN.finditer(text))
    size = len(literal)
    start = next((a for a, b in spans if b - a == size and text.startswith(literal, a)), 0)
    before = text[:start]
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def is_nested_over(value: Any, most: int) -> bool:
    """Return whether arrays and objects stand in one another more than so many deep."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(most):
        level = [
            item
            for holder in level
            for item in (holder.values() if isinstance(holder, dict) else holder)
            if isinstance(item, dict | list)
        ]
        if not level:
            return False
    return True


def _describe_duplicate(value: Any, duplicate: _DuplicateKeys) -> str:
    path = next((path for path, item in _iter_values(value, "") if item is duplicate), None)
    location = (
        f"in {redact_excerpt(path)}"
        if path
        else "at the top level"
        if value is duplicate
        else "in the document"
    )
    return f"the key {redact_excerpt(duplicate.key)!r} stands twice {location}"


def _iter_values(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        yield path, value
        for key, item in value.items():
            yield from _iter_values(item, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _iter_values(item, f"{path}[{index}]")


def _replace_in_value(value: Any) -> Any:
    if isinstance(value, str):
        return replace_surrogates(value)
    if isinstance(value, list):
        return [_replace_in_value(item) for item in value]
    if isinstance(value, dict):
        cleaned = {replace_surrogates(key): _replace_in_value(item) for key, item in value.items()}
        if len(cleaned) != len(value):
            raise InputError("two keys differ only in characters that are not valid Unicode")
        return cleaned
    return value


def replace_surrogates(text: str) -> str:
    """Return the text with every lone surrogate replaced by U+FFFD, so that it can be encoded."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def redact_excerpt(text: str) -> str:
    """Return the text redacted, as one line, then cut to a length that fits in a message."""
    text = to_one_line(redact_text(text))
    return text if len(text) <= _PATH_LIMIT else text[: _PATH_LIMIT - 1] + "…"


def to_one_line(text: str) -> str:
    """Return the text as one line without hidden characters: each is a space.

    Hidden are control characters, line ends, what changes the direction of writing, and what has no width.
    """
    return text if _is_visible(text) else "".join(char if _is_visible(char) else " " for char in text)


def replace_hidden(text: str) -> str:
    """Return the text with its line ends and tabs, and every other hidden character as a space."""
    if _is_visible(text.replace("\n", "").replace("\t", "")):
        return text
    lines = text.split("\n")
    return "\n".join("\t".join(map(to_one_line, line.split("\t"))) for line in lines)


def escape_hidden(document: str) -> str:
    """Return a JSON document of the same value in which every hidden character is an escape."""
    if _is_visible(document.replace("\n", "")):
        return document
    return "".join(char if char == "\n" or _is_visible(char) else json.dumps(char)[1:-1] for char in document)


def _is_visible(text: str) -> bool:
    return text.isprintable() and (text.isascii() or not any(filler in text for filler in _FILLERS))


def describe_kind(value: object) -> str:
    """Name the JSON kind of a value for a message: `an array`, `text`, `true or false`, …."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "text"
    return "an array" if isinstance(value, list) else "an object"
