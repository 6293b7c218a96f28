"""Where a document departs from its JSON Schema: the path, the problem, and what was probably meant.

Beside the schema's own keywords, `x-reads-as` is checked: the schema allows a value that the program takes as
not seen, and a person who writes a snapshot wants to know of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from detector.domain.coercion import ValueReader
from detector.domain.vendor_keys import IB_KEYS
from detector.formats.similar_names import ANY, find_nearest_name, normalize_key
from detector.formats.strict_json import describe_kind, redact_excerpt
from detector.readers.broker.row_columns import COLUMNS

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

_KINDS = {"object": "an object", "array": "an array", "string": "text", "null": "null"}
_FAR_FUTURE: Final = datetime(9999, 12, 31, tzinfo=UTC)  # no time lies ahead of it: ages are not checked here


class Departure(Struct, frozen=True):
    """One departure: the path of the value, what is wrong with it, and the key that was probably meant."""

    path: str
    problem: str
    meant: str | None = None

    def __str__(self) -> str:
        meant = f"; was {self.meant} meant?" if self.meant else ""
        return f"{self.path or 'the document'}: {self.problem}{meant}"


def find_departures(schema: Mapping[str, Any], document: Any) -> list[Departure]:
    """Return every departure, ordered by path; keys that look misspelt are among them."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import ValidationError
    from jsonschema.validators import extend

    def check_kind(_: Any, kind: str, value: Any, spec: Mapping[str, Any]) -> Iterator[ValidationError]:
        problem = _explain_unreadable(kind, value)
        if problem:
            example = f" (such as {spec['examples'][0]!r})" if spec.get("examples") else ""
            yield ValidationError(f"{problem}{example}; it is not seen")

    def check_keys(
        _: Any, known: Mapping[str, Any], value: Any, spec: Mapping[str, Any]
    ) -> Iterator[ValidationError]:
        yield from Draft202012Validator.VALIDATORS["properties"](_, known, value, spec)
        if isinstance(value, dict) and spec.get("additionalProperties", True) is not False:
            is_broker = spec.get("x-names") == "broker"
            for key in value.keys() - known.keys():
                meant = find_nearest_name(key, known.keys() - value.keys())
                if meant and not (is_broker and normalize_key(key) in _list_broker_names()):
                    yield ValidationError(meant, validator="misspelt", path=[key])

    checks = {"x-reads-as": check_kind, "properties": check_keys}
    validator = extend(Draft202012Validator, checks)(schema)  # type: ignore[no-untyped-call]  # untyped
    departures = [
        departure for error in validator.iter_errors(document) for departure in _describe_error(error)
    ]
    return sorted(set(departures), key=lambda departure: departure.path)


@cache
def _list_broker_names() -> frozenset[str]:
    """Return the names of IBKR's own that a row of the broker may have, without case and punctuation."""
    names = (name for columns in COLUMNS.values() for others in columns.values() for name in others)
    return IB_KEYS.union(names)


def _explain_unreadable(kind: str, value: Any) -> str | None:
    """Return why the value cannot be read as that kind, None where it can or is null."""
    if value is None:
        return None
    if kind == "rows":
        return None if isinstance(value, list) else f"is {describe_kind(value)}, not an array of rows"
    reader = ValueReader(_FAR_FUTURE, 0.0)
    reader.read_value(kind, "", value)
    return reader.invalid[0].problem if reader.invalid else None


def _describe_error(error: ValidationError) -> Iterator[Departure]:
    path = _format_path(error.absolute_path)
    spec: dict[str, Any] = error.schema if isinstance(error.schema, dict) else {}
    expected: Any = error.validator_value
    if error.validator == "misspelt":
        yield Departure(path, "nothing reads this key", error.message)
    elif error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = spec.get("properties", {})
        for key in sorted(error.instance.keys() - known.keys()):
            yield Departure(_join(path, key), "is not known here", find_nearest_name(key, known, ANY))
    elif error.validator == "type":
        kinds = [expected] if isinstance(expected, str) else expected
        wanted = " or ".join(_KINDS.get(kind, f"a {kind}") for kind in kinds if kind != "null")
        yield Departure(path, f"is {describe_kind(error.instance)}, not {wanted}")
    elif error.validator == "pattern":
        description = spec.get("description", "another form")
        yield Departure(path, f"{redact_excerpt(str(error.instance))!r} is not {description}")
    else:
        yield Departure(path, redact_excerpt(error.message))


def _format_path(parts: Any) -> str:
    path = ""
    for part in parts:
        path = f"{path}[{part}]" if isinstance(part, int) else _join(path, str(part))
    return path


def _join(path: str, key: str) -> str:
    key = redact_excerpt(key)
    return f"{path}.{key}" if path else key
