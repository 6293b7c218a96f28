"""`dispatch`: create the event that starts a run, from any scheduler outside of GitHub."""

from __future__ import annotations

import platform
import re
import uuid
from typing import Final

import click

from detector.app.context import AppContext, ExitCode, print_json, print_lines
from detector.app.github_access import RUNS_ADVICE, build_github_client, find_repository, get_token
from detector.commands import env_file_option
from detector.formats.errors import DENIED, MISSING, RESET, TIMEOUT, UNREADABLE, ExternalError, InputError
from detector.formats.patterns import build_pattern
from detector.formats.strict_json import redact_excerpt

EVENT_TYPE: Final = "aws_ibkr_pt_health"
_TIMEOUT_SEC = 40.0
# No space, comma, star or bar: no name can end a title as a lane does, or begin it as the Worker does.
_SOURCE = build_pattern(r"[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,99}", re.ASCII)
_ADVICE: Final = {
    **RUNS_ADVICE,
    DENIED: "GH_TOKEN may not do this: a fine-grained token needs Contents: read and write on"
    " this repository, and an organisation may have to approve it.",
    MISSING: "There is no such repository, or GH_TOKEN cannot see it:"
    " is --repo right, and does the token cover it?",
    UNREADABLE: "GitHub refused the event itself: is the token's account blocked from sending so many?",
}
_TWICE: Final = (
    "An attempt that broke off may still have been accepted. If it was, one more check runs,"
    " after the other: runs queue, and what was delivered is not sent again."
)


@click.command(epilog="Example: python -m detector dispatch --repo OWNER/NAME --source my-host --dry-run")
@click.option(
    "--repo",
    metavar="OWNER/NAME",
    help="Where the workflow is; default: GITHUB_REPOSITORY, else the git remote origin.",
)
@click.option(
    "--source",
    metavar="NAME",
    help="Who dispatches, as the run's title shows it: letters, digits and . _ : / @ + -; default: cli:HOST.",
)
@click.option("--dry-run", is_flag=True, help="Print what would be sent, and send nothing.")
@env_file_option
@click.pass_obj
def command(
    app: AppContext, /, repo: str | None, source: str | None, dry_run: bool, env_file: str | None
) -> int:
    """Start one run of the health check on GitHub.

    It sends a repository_dispatch event of the type aws_ibkr_pt_health, and needs GH_TOKEN (or GITHUB_TOKEN):
    fine-grained, Contents read and write on that repository and nothing else. It is never printed. Exit 0:
    GitHub took it. 2: usage. 3: it did not, and stderr says what to fix.
    """
    settings = app.load_settings(env_file)
    repository = find_repository(app, repo)
    source_name = _resolve_source(source)
    payload = {"source": source_name, "correlation_id": str(uuid.uuid4())}
    if dry_run:
        body = {"event_type": EVENT_TYPE, "client_payload": payload}
        return print_json(app, {"post": f"/repos/{repository}/dispatches", "body": body})
    if not get_token(app):
        raise InputError(
            "set GH_TOKEN to a fine-grained token with Contents: read and write on that repository"
        )
    github = build_github_client(app, settings, repository, _TIMEOUT_SEC)
    try:
        github.dispatch(EVENT_TYPE, payload)
    except ExternalError as error:
        return _print_failure(app, error)
    line = f"dispatched {EVENT_TYPE} to {repository} as {source_name}"
    return print_lines(app, [f"{line}, correlation id {payload['correlation_id']}"])


def _resolve_source(source: str | None) -> str:
    from detector.schedule.schedule_files import WORKER_SOURCE

    name = source or f"cli:{re.sub(r'[^A-Za-z0-9.-]', '-', platform.node())[:60] or 'unknown'}"
    if name.lower().startswith(WORKER_SOURCE):
        raise InputError(
            f"--source: {redact_excerpt(name)!r} is the Worker's:"
            f" what begins with {WORKER_SOURCE} proves a deployment"
        )
    if not _SOURCE.fullmatch(name):
        raise InputError(
            f"--source: {redact_excerpt(name)!r} is not a name"
            " (letters, digits and . _ : / @ + -, at most 100)"
        )
    return name


def _print_failure(app: AppContext, error: ExternalError) -> int:
    app.print_stderr(f"dispatch: not dispatched: {error}")
    if error.reason in _ADVICE:
        app.print_stderr(f"dispatch: {_ADVICE[error.reason]}")
    if error.reason in {TIMEOUT, RESET}:
        app.print_stderr(f"dispatch: {_TWICE}")
    return ExitCode.UNDELIVERED
