"""`dispatch`: create the event that begins a run, from any scheduler outside GitHub."""

from __future__ import annotations

import platform
import re
import uuid
from typing import Final

import click

from detector.app.context import Door, Refused
from detector.app.github import MENDS, github_of, repository_of, token_of
from detector.app.output import show_json, show_lines
from detector.formats.edge_error import (
    DENIED,
    MISSING,
    RESET,
    TIMEOUT,
    UNREADABLE,
    EdgeError,
)
from detector.formats.strict_json import clipped

EVENT_TYPE: Final = "aws_ibkr_pt_health"
_UNDELIVERED = 3
_SECONDS = 40.0
# No space, comma, star or bar: no name can end a title as a lane does, or begin one as the Worker does.
_SOURCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,99}", re.ASCII)
_ADVICE: Final = {
    **MENDS,
    DENIED: "GH_TOKEN may not do this: a fine-grained token needs Contents: read and write on this repository, and "
    "an organisation may have to approve it.",
    MISSING: "There is no such repository, or GH_TOKEN cannot see it: is --repo right, and does the token cover it?",
    UNREADABLE: "GitHub refused the event itself: is the token's account blocked from sending so many?",
}
_TWICE: Final = (
    "An attempt that broke off may have been taken all the same. If it was, one check more runs, after the other: "
    "they queue, and what was told once is not told again."
)


@click.command(epilog="Example: python -m detector dispatch --repo OWNER/NAME --source my-host --dry-run")
@click.option(
    "--repo",
    metavar="OWNER/NAME",
    help="Where the workflow is; default: GITHUB_REPOSITORY, else what the Worker triggers.",
)
@click.option(
    "--source",
    metavar="NAME",
    help="Who dispatches, as the run's title tells it: letters, digits and . _ : / @ + -; default: cli:HOST.",
)
@click.option("--dry-run", is_flag=True, help="Print what would be sent, and send nothing.")
@click.option("--env-file", metavar="FILE", help="A file of settings; the environment wins over it.")
@click.pass_obj
def command(door: Door, /, repo: str | None, source: str | None, dry_run: bool, env_file: str | None) -> int:
    """Dispatch one run of the health check: a repository_dispatch event of type aws_ibkr_pt_health.

    It needs GH_TOKEN (or GITHUB_TOKEN): fine-grained, Contents read and write on that repository and nothing
    else. It is never printed. Exit 0: GitHub took it. 2: usage. 3: it did not, and stderr says what to mend.
    """
    settings = door.settings(env_file)
    repository = repository_of(door, repo)
    named = _named(source)
    payload = {"source": named, "correlation_id": str(uuid.uuid4())}
    if dry_run:
        body = {"event_type": EVENT_TYPE, "client_payload": payload}
        return show_json(door, {"post": f"/repos/{repository}/dispatches", "body": body})
    if not token_of(door):
        raise Refused("set GH_TOKEN to a fine-grained token with Contents: read and write on that repository")
    github = github_of(door, settings, repository, _SECONDS)
    try:
        github.dispatch(EVENT_TYPE, payload)
    except EdgeError as error:
        return _failed(door, error)
    return show_lines(
        door,
        [f"dispatched {EVENT_TYPE} to {repository} as {named}, correlation id {payload['correlation_id']}"],
    )


def _named(source: str | None) -> str:
    from detector.schedule import WORKER_SOURCE

    named = source or f"cli:{_host()}"
    if named.lower().startswith(WORKER_SOURCE):
        raise Refused(
            f"--source: {clipped(named)!r} is the Worker's: what begins with {WORKER_SOURCE} proves a deployment"
        )
    if not _SOURCE.fullmatch(named):
        raise Refused(
            f"--source: {clipped(named)!r} is not a name (letters, digits and . _ : / @ + -, at most 100)"
        )
    return named


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9.-]", "-", platform.node())[:60] or "unknown"


def _failed(door: Door, error: EdgeError) -> int:
    door.say(f"dispatch: not dispatched: GitHub could not be told: {error}")
    if error.reason in _ADVICE:
        door.say(f"dispatch: {_ADVICE[error.reason]}")
    if error.reason in {TIMEOUT, RESET}:
        door.say(f"dispatch: {_TWICE}")
    return _UNDELIVERED
