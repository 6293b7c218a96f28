"""Dataclasses and JSON: values to JSON and back, JSON to text, and the checksum of an artifact."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from functools import cache
from hashlib import sha256
from typing import Any

from detector.formats.times import format_time


def to_json(value: Any) -> Any:
    """Return the value as JSON knows it: times as RFC 3339, dataclasses as objects, tuples as arrays."""
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, Mapping):
        return {str(key): to_json(item) for key, item in value.items()}
    if is_dataclass(value):
        return {spec.name: to_json(getattr(value, spec.name)) for spec in fields(value)}
    return [to_json(item) for item in (sorted(value) if isinstance(value, frozenset | set) else value)]


def to_json_without_defaults(value: Any) -> dict[str, Any]:
    """Return a dataclass as a plain object without the fields that still have their defaults."""
    defaults = _get_defaults(value.__class__)
    return {
        name: _convert_part(part)
        for name, default in defaults.items()
        if (part := getattr(value, name)) != default
    }


def _convert_part(part: Any) -> Any:
    if isinstance(part, dict):
        return {
            key: to_json_without_defaults(item) if is_dataclass(item) else to_json(item)
            for key, item in part.items()
        }
    return to_json(part)


@cache
def _get_defaults(kind: Any) -> dict[str, Any]:
    return {
        spec.name: spec.default_factory() if spec.default_factory is not MISSING else spec.default
        for spec in fields(kind)
    }


def from_json(kind: Any, value: Any) -> Any:
    """Return the plain value as that type; raises ValueError where it does not fit."""
    return _build_adapter(kind).validate_python(value)


@cache
def _build_adapter(kind: Any) -> Any:
    from pydantic import TypeAdapter  # noqa: PLC0415 - only a run with a memory pays for it

    return TypeAdapter(kind)


def compute_checksum(body: Mapping[str, Any]) -> str:
    """Return the checksum of an artifact's body, `sha256:` and 64 hex digits, itself left out."""
    bare = {key: value for key, value in body.items() if key != "checksum"}
    return "sha256:" + sha256(format_canonical(bare).encode()).hexdigest()


def format_document(value: Any) -> str:
    """Return the document for stdout: two spaces, keys in their order, one newline at the end."""
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def format_canonical(value: Any) -> str:
    """Return the one text of a value, independent of key order: the input of a checksum."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
