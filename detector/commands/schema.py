"""`schema`: the JSON Schema of a snapshot, the output, the artifact, the gate or a webhook's body."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from detector.app.context import AppContext, ExitCode, print_json, print_lines
from detector.app.input_documents import parse_source, read_source
from detector.domain.report import Decision, SignalCoverage
from detector.domain.snapshot import build_snapshot
from detector.formats.errors import InputError
from detector.render.schemas import (
    build_artifact_schema,
    build_gate_schema,
    build_output_schema,
    build_report_schema,
    build_snapshot_schema,
    build_webhook_schema,
)

SCHEMAS: Mapping[str, Callable[[], dict[str, Any]]] = {
    "snapshot": build_snapshot_schema,
    "output": build_output_schema,
    "gate": build_gate_schema,
    "report": build_report_schema,
    "artifact": lambda: build_artifact_schema({"decision": Decision, "coverage": SignalCoverage}),
    "webhook": build_webhook_schema,
}


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
    from detector.app.schema_check import find_departures

    document = parse_source(read_source(app, source).data, source)
    departures: list[object] = list(find_departures(SCHEMAS[name](), document))
    if name == "snapshot" and not departures:
        departures += _list_refusals(app, document)
    printed = print_lines(app, (f"{departure}" for departure in departures))
    if printed:
        return printed
    return ExitCode.FINDING if departures else ExitCode.OK


def _list_refusals(app: AppContext, document: Mapping[str, Any]) -> list[str]:
    """Return why `detect` refuses a document in which the schema finds nothing."""
    try:
        build_snapshot(document, now=app.clock(), runtime="")
    except InputError as error:
        return list(error.lines)
    return []
