"""`settings`: every setting with its value in force and the origin of that value."""

from __future__ import annotations

import click

from detector.app.context import AppContext, print_json, print_lines
from detector.channels.channel import ChannelEnvironment, build_configured_channels
from detector.commands import env_file_option
from detector.formats.errors import InputError
from detector.formats.similar_names import find_nearest_name
from detector.formats.strict_json import redact_excerpt
from detector.render.settings import (
    build_settings_document,
    explain_settings,
    render_env_example,
    render_rungs,
    render_settings,
)
from detector.settings import DECLARED

_PREFIX = "AEGIS_PT_"


@click.command(epilog="Example: python -m detector settings AEGIS_PT_HEARTBEAT_STALE_SEC")
@click.argument("names", metavar="[NAME]...", nargs=-1)
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON, with the help of each.")
@click.option(
    "--example", is_flag=True, help="Print a file of all settings at their defaults (.env.example)."
)
@env_file_option
@click.pass_obj
def command(
    app: AppContext, /, names: tuple[str, ...], as_json: bool, example: bool, env_file: str | None
) -> int:
    """Show every setting, or explain the named ones.

    The value in force, its unit, its default and where the value came from. Secrets are masked. Whatever
    cannot be used is refused: all faults at once, exit 2.
    """
    if example:
        return print_lines(app, render_env_example())
    settings = app.load_settings(env_file)
    chosen = [_find_setting(name) for name in names]
    for doubt in settings.doubts:
        app.print_stderr(doubt)
    if as_json:
        document = build_settings_document(settings)
        return print_json(app, [row for row in document if not chosen or row["name"] in chosen])
    if chosen:
        return print_lines(app, explain_settings(settings, chosen))
    channels = build_configured_channels(settings, ChannelEnvironment(app.environ, app.clock))
    rungs = list(render_rungs((channel.name, channel.rung) for channel in channels))
    return print_lines(app, [*render_settings(settings), *(["", *rungs] if rungs else [])])


def _find_setting(text: str) -> str:
    """Return the whole name of a setting; case and AEGIS_PT_ may be left out; raises InputError."""
    name = text.upper().replace("-", "_")
    name = name if name.startswith(_PREFIX) else f"{_PREFIX}{name}"
    if name in DECLARED:
        return name
    words = name.removeprefix(_PREFIX)
    holding = [known for known in DECLARED if words and words in known.removeprefix(_PREFIX)]
    nearest = find_nearest_name(words, [known.removeprefix(_PREFIX) for known in DECLARED])
    meant = ", ".join(holding) or (f"{_PREFIX}{nearest}" if nearest else "")
    hint = f"; did you mean {meant}?" if meant else "; `settings` lists them"
    raise InputError(f"no setting is named {redact_excerpt(text)!r}{hint}")
