"""Records and JSON: values to JSON and back, JSON to text, and the checksum of an artifact."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from msgspec import NODEFAULT, Struct, convert
from msgspec.json import format as format_json
from msgspec.structs import fields

from detector.formats.strict_json import escape_hidden
from detector.formats.times import format_time

_PLAIN = (str, int, float)


def to_json(value: Any) -> Any:
    """Return the value as JSON knows it: times as RFC 3339, records as objects, tuples as arrays."""
    if value is None or isinstance(value, _PLAIN):
        return value
    if isinstance(value, list | tuple):
        return [to_json(item) for item in value]
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, Struct):
        keys = zip(value.__struct_encode_fields__, value.__struct_fields__, strict=True)
        return {key: to_json(getattr(value, name)) for key, name in keys}
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    return [to_json(item) for item in (sorted(value) if isinstance(value, frozenset | set) else value)]


def to_json_without_defaults(value: Any) -> dict[str, Any]:
    """Return a record as a plain object without the fields that still have their defaults."""
    return {
        key: _convert_part(part)
        for key, name, default in _list_defaults(value.__class__)
        if (part := getattr(value, name)) != default
    }


def _convert_part(part: Any) -> Any:
    if isinstance(part, dict):
        return {
            key: to_json_without_defaults(item) if isinstance(item, Struct) else to_json(item)
            for key, item in part.items()
        }
    return to_json(part)


@cache
def _list_defaults(kind: type[Struct]) -> tuple[tuple[str, str, Any], ...]:
    """Return each field's key in JSON, its name and its default; NODEFAULT equals no value."""
    return tuple(
        (
            spec.encode_name,
            spec.name,
            spec.default if spec.default_factory is NODEFAULT else spec.default_factory(),
        )
        for spec in fields(kind)
    )


def from_json(kind: Any, value: Any) -> Any:
    """Return the plain value as that type; raises ValueError where it does not fit."""
    return convert(value, kind)


def compute_checksum(body: Mapping[str, Any]) -> str:
    """Return the checksum of an artifact's body, `sha256:` and 64 hex digits, itself left out."""
    bare = {key: value for key, value in body.items() if key != "checksum"}
    return "sha256:" + compute_digest(format_canonical(bare))


def compute_digest(text: str) -> str:
    """Return the SHA-256 of a text as 64 hex digits."""
    from hashlib import sha256  # noqa: PLC0415 - OpenSSL, which a run in which nothing is wrong does not need

    return sha256(text.encode()).hexdigest()


def format_document(value: Any) -> str:
    """Return the document for stdout: two spaces, keys in their order, one newline at the end.

    Hidden characters are escaped, so that a terminal shows what the data has.
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)  # in C, as it is not where it indents
    indented = format_json(text.encode("utf-8", "surrogatepass"), indent=2).decode("utf-8", "surrogatepass")
    return escape_hidden(indented) + "\n"


def format_canonical(value: Any) -> str:
    """Return the one text of a value, independent of key order: the input of a checksum."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
