"""`schema`: the JSON Schema of a snapshot, the output, the artifact, the gate or a webhook's body."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import click
from msgspec.structs import replace

from detector.app.context import AppContext, ExitCode, print_json, print_lines
from detector.app.input_documents import gather_document_facts, parse_source, read_source
from detector.domain.coercion import ValueReader
from detector.domain.vendor_keys import IB_KEYS
from detector.formats.errors import InputError
from detector.formats.similar_names import ANY, find_nearest_name, normalize_key
from detector.formats.strict_json import describe_kind, redact_excerpt
from detector.render.schemas import (
    build_artifact_schema,
    build_gate_schema,
    build_output_schema,
    build_report_schema,
    build_snapshot_schema,
    build_webhook_schema,
)

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

SCHEMAS: Mapping[str, Callable[[], dict[str, Any]]] = {
    "snapshot": build_snapshot_schema,
    "output": build_output_schema,
    "gate": build_gate_schema,
    "report": build_report_schema,
    "artifact": build_artifact_schema,
    "webhook": build_webhook_schema,
}
_KINDS = {"object": "an object", "array": "an array", "string": "text", "null": "null"}
_EXPORTS = ("broker", "power", "stores")  # their programs write numbers as text, as their readers know
_FAR_FUTURE: Final = datetime(9999, 12, 31, tzinfo=UTC)  # no time lies ahead of it: ages are not checked here


@click.command(
    epilog='Example: echo \'{"status_v3": {"stuck_exit": 1}}\' | python -m detector schema snapshot --check -'
)
@click.argument("name", required=False, type=click.Choice(list(SCHEMAS)))
@click.option(
    "--check", metavar="FILE", help="Print where this document (- is stdin) departs from the schema."
)
@click.pass_obj
def command(app: AppContext, /, name: str | None, check: str | None) -> int:
    """Print a JSON Schema, or check a document against it.

    JSON Schema 2020-12; without a name, the names of what there is. With --check a line for each departure:
    its path, the problem, and the key that was probably meant. Exit 0 where there is none, 1 where there is
    one.
    """
    if check is not None:
        if name is None:
            raise InputError(f"--check needs the name of a schema: {', '.join(SCHEMAS)}")
        return _check_document(app, name, check)
    return print_lines(app, SCHEMAS) if name is None else print_json(app, SCHEMAS[name]())


def _check_document(app: AppContext, name: str, source: str) -> int:
    document = parse_source(read_source(app, source).data, source)
    departures = _find_departures(SCHEMAS[name](), document)
    if name == "snapshot" and not departures:
        departures += _list_faults(app, document)
    printed = print_lines(app, departures)
    if printed:
        return printed
    return ExitCode.FINDING if departures else ExitCode.OK


def _list_faults(app: AppContext, document: Mapping[str, Any]) -> list[str]:
    """Return why `detect` refuses a document in which the schema finds nothing, or what it cannot read there.

    The settings are the defaults, so that the answer is of the document alone.
    """
    settings = replace(app, environ={}).load_settings(None)
    try:
        facts = gather_document_facts(document, app.clock(), settings)
    except InputError as error:
        return list(error.lines)
    return [f"{fault.path}: {fault.problem}" for fault in facts.invalid]


def _find_departures(schema: Mapping[str, Any], document: Any) -> list[str]:
    """Return every departure, ordered by path; keys that look misspelt are among them.

    Beside the schema's own keywords, `x-reads-as` is checked: the schema allows a value that the program
    takes as not seen, and a person who writes a snapshot wants to know of it.
    """
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
    errors = (error for error in validator.iter_errors(document) if not _is_read_from_export(error))
    departures = {departure for error in errors for departure in _describe_error(error)}
    return [f"{path or 'the document'}: {problem}" for path, problem in sorted(departures)]


@cache
def _list_broker_names() -> frozenset[str]:
    """Return the names of IBKR's own that a row of the broker may have, without case and punctuation."""
    from detector.readers.broker.row_columns import COLUMNS

    names = (name for columns in COLUMNS.values() for others in columns.values() for name in others)
    return IB_KEYS.union(names)


def _is_read_from_export(error: ValidationError) -> bool:
    """Whether a value that is no JSON of its kind is read in its section, as text or as a flag of SQLite."""
    section = next(iter(error.absolute_path), "")
    if error.validator != "x-reads-as" or section not in _EXPORTS:
        return False
    return _explain_unreadable(str(error.validator_value), error.instance, str(section)) is None


def _explain_unreadable(kind: str, value: Any, section: str = "") -> str | None:
    """Return why the value cannot be read as that kind, None where it can or is null."""
    if value is None:
        return None
    if kind == "rows":
        return None if isinstance(value, list) else f"is {describe_kind(value)}, not an array of rows"
    reader = ValueReader(_FAR_FUTURE, 0.0)
    reader.is_export, reader.has_integer_flags = section in _EXPORTS, section == "stores"
    reader.read_value(kind, "", value)
    return reader.invalid[0].problem if reader.invalid else None


def _describe_error(error: ValidationError) -> Iterator[tuple[str, str]]:
    """Yield the path of each departure, what is wrong there, and the key that was probably meant."""
    path = _format_path(error.absolute_path)
    spec: dict[str, Any] = error.schema if isinstance(error.schema, dict) else {}
    expected: Any = error.validator_value
    if error.validator == "misspelt":
        yield path, f"nothing reads this key; was {error.message} meant?"
    elif error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = spec.get("properties", {})
        for key in sorted(error.instance.keys() - known.keys()):
            nearest = find_nearest_name(key, known, ANY)
            yield _join(path, key), "is not known here" + (f"; was {nearest} meant?" if nearest else "")
    elif error.validator == "type":
        kinds = [expected] if isinstance(expected, str) else expected
        wanted = " or ".join(_KINDS.get(kind, f"a {kind}") for kind in kinds if kind != "null")
        yield path, f"is {describe_kind(error.instance)}, not {wanted}"
    elif error.validator == "pattern":
        description = spec.get("description", "another form")
        yield path, f"{redact_excerpt(str(error.instance))!r} is not {description}"
    else:
        yield path, redact_excerpt(error.message)


def _format_path(parts: Any) -> str:
    path = ""
    for part in parts:
        path = f"{path}[{part}]" if isinstance(part, int) else _join(path, str(part))
    return path


def _join(path: str, key: str) -> str:
    key = redact_excerpt(key)
    return f"{path}.{key}" if path else key
