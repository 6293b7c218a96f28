"""`rules`: every rule, when it fires, and its limits in force."""

from __future__ import annotations

import click

from detector.app.context import AppContext, print_json, print_lines
from detector.commands import env_file_option
from detector.engine.evaluate import list_rules
from detector.render.rules import build_rules_document, render_rules


@click.command(epilog="Example: python -m detector rules --json")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON, with the facts that each sees.")
@env_file_option
@click.pass_obj
def command(app: AppContext, /, as_json: bool, env_file: str | None) -> int:
    """List every rule: when it fires, when it escalates.

    With its kind, its severity and its limits in force.
    """
    settings = app.load_settings(env_file)
    if as_json:
        return print_json(app, build_rules_document(list_rules(settings), settings))
    return print_lines(app, render_rules(list_rules(settings), settings))
