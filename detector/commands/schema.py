"""`schema`: the JSON Schema of standard input, of standard output or of the artifact."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import click

from detector.app.context import AppContext
from detector.app.print_output import print_json, print_lines
from detector.engine.catalog import load_readers
from detector.engine.coverage import SignalCoverage
from detector.engine.evaluate import Decision
from detector.render.schemas import build_artifact_schema, build_output_schema, build_snapshot_schema

READ_BY_APP = ("sources", "previous")
SCHEMAS: Mapping[str, Callable[[], dict[str, Any]]] = {
    "snapshot": lambda: build_snapshot_schema({*load_readers(), *READ_BY_APP}),
    "output": build_output_schema,
    "artifact": lambda: build_artifact_schema({"decision": Decision, "coverage": SignalCoverage}),
}


@click.command(epilog="Example: python -m detector schema output")
@click.argument("name", required=False, type=click.Choice(list(SCHEMAS)))
@click.pass_obj
def command(app: AppContext, /, name: str | None) -> int:
    """
    Print a JSON Schema (2020-12): of the snapshot, the output or the artifact; without a name, the names.
    """
    return print_lines(app, SCHEMAS) if name is None else print_json(app, SCHEMAS[name]())
