"""`settings`: every setting with its value in force and the origin of that value."""

from __future__ import annotations

import click

from detector.app.context import AppContext
from detector.app.print_output import print_json, print_lines
from detector.render.settings import build_settings_document, render_env_example, render_settings


@click.command(epilog="Example: python -m detector settings --json")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON, with the help of each.")
@click.option(
    "--example", is_flag=True, help="Print a file of all settings at their defaults (.env.example)."
)
@click.option("--env-file", metavar="FILE", help="A file of settings; the environment wins over it.")
@click.pass_obj
def command(app: AppContext, /, as_json: bool, example: bool, env_file: str | None) -> int:
    """Show every setting: the value in force, its unit, its default and where the value came from.

    Secrets are masked. Whatever cannot be used is refused: all faults at once, exit 2.
    """
    if example:
        return print_lines(app, render_env_example())
    settings = app.load_settings(env_file)
    if as_json:
        return print_json(app, build_settings_document(settings))
    return print_lines(app, render_settings(settings))
