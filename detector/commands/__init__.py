"""The commands: one verb a file, wiring only; each module's `command` is found by its name.

Options that several commands have stand here.
"""

from __future__ import annotations

import click

env_file_option = click.option(
    "--env-file", metavar="FILE", help="A file of settings; the environment wins over it."
)
now_option = click.option(
    "--now", metavar="TIME", help="Pretend it is this time, RFC 3339 (for tests and replays)."
)
collect_option = click.option(
    "--collect",
    flag_value="always",
    default="if_empty",
    help="Ask the sources even where something is piped in.",
)
