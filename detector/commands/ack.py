"""`ack`: acknowledges one condition, for the next run; by the state folder or by a dispatch."""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from pathlib import Path

import click

from detector.app.acknowledgements import EVENT_TYPE
from detector.app.context import AppContext, ExitCode, get_clock, print_json, print_lines
from detector.app.github_access import build_github_client, find_repository, get_token
from detector.app.input_documents import build_expected_memory
from detector.commands import env_file_option, now_option
from detector.domain.acknowledgement import LONGEST, AckDocument
from detector.formats.errors import ExternalError, InputError
from detector.formats.patterns import build_pattern
from detector.formats.serialize import to_json
from detector.formats.similar_names import ANY, find_nearest_name
from detector.formats.strict_json import redact_excerpt
from detector.formats.times import format_utc
from detector.settings import RUNTIME, Settings
from detector.storage.state_dir import StateDir, write_ack

_TIMEOUT_SEC = 40.0
_DURATION = build_pattern(r"([0-9]{1,5})(s|m|h)", re.ASCII)
_UNITS = {"s": 1, "m": 60, "h": 3600}
_LONGEST_NAME = 60


@click.command(
    epilog='Example: echo \'{"status_v3": {"stuck_exits": 1}}\' | python -m detector run --snapshot -'
    " --stdout --state memory && python -m detector ack stuck_exits:aegis-pt-core --by ann --state memory"
)
@click.argument("signature")
@click.option(
    "--for", "duration", metavar="TIME", default="2h", help="How long, such as 30m or 2h; at most 24h."
)
@click.option("--by", metavar="NAME", required=True, help="Who takes care of it.")
@click.option("--state", metavar="DIR", help="The folder of `run --state`, whose next run reads it.")
@click.option("--repo", metavar="OWNER/NAME", help="Where the workflow is; the next run is started by it.")
@click.option("--dry-run", is_flag=True, help="Print what would be written or sent, and do neither.")
@now_option
@env_file_option
@click.pass_obj
def command(
    app: AppContext,
    /,
    signature: str,
    duration: str,
    by: str,
    state: str | None,
    repo: str | None,
    dry_run: bool,
    now: str | None,
    env_file: str | None,
) -> int:
    """Acknowledge a condition: you have it, no reminders for a while.

    Nor is a later rung alerted; what worsens, escalates or returns is sent. With --state the next
    run there reads it. Otherwise it is a dispatch to the workflow (GH_TOKEN with Contents read and write),
    which counts where AEGIS_PT_ACK_FROM names the token's account. Exit 3: neither worked.
    """
    settings = app.load_settings(env_file)
    at = get_clock(app, now)()
    document = AckDocument(
        signature=signature,
        runtime=settings[RUNTIME],
        by=_parse_name(by),
        at=at,
        until=at + _parse_duration(duration),
        id=str(uuid.uuid4()),
    )
    if state is not None:
        return _write_file(app, Path(state), document, dry_run)
    return _send_dispatch(app, settings, repo, document, dry_run)


def _parse_name(text: str) -> str:
    name = " ".join(text.split())
    if not name or len(name) > _LONGEST_NAME or not name.isprintable():
        raise InputError(f"--by: a name of 1 to {_LONGEST_NAME} characters")
    return name


def _parse_duration(text: str) -> timedelta:
    match = _DURATION.fullmatch(text.strip())
    length = timedelta(seconds=int(match[1]) * _UNITS[match[2]]) if match else timedelta()
    if not timedelta() < length <= LONGEST:
        raise InputError(f"--for: {redact_excerpt(text)!r} is not a time such as 30m or 2h, at most 24h")
    return length


def _write_file(app: AppContext, folder: Path, document: AckDocument, dry_run: bool) -> int:
    _check_signature(folder, document)
    if dry_run:
        return print_json(app, to_json(document))
    try:
        write_ack(folder, document)
    except OSError as error:
        app.print_stderr(f"ack: not written: {error.strerror or type(error).__name__}")
        return ExitCode.UNDELIVERED
    return print_lines(app, [_describe(document, "the next run reads it")])


def _check_signature(folder: Path, document: AckDocument) -> None:
    """Raise InputError where no open condition of the folder's memory has this signature."""
    memory = StateDir(folder).find(build_expected_memory(document.runtime, document.at)).memory
    names = sorted(key for key, condition in memory.conditions.items() if condition.phase != "ended")
    if document.signature in names:
        return
    if not names:
        what = f"remembers no open condition of {document.runtime}" if folder.is_dir() else "is no folder"
        raise InputError(f"--state: {folder} {what}; name the folder of `run --state`")
    nearest = find_nearest_name(document.signature, names, ANY)
    raise InputError(
        f"no open condition is {redact_excerpt(document.signature)!r}; the nearest is {nearest!r}"
        f" (open: {', '.join(names[:10])})"
    )


def _send_dispatch(
    app: AppContext, settings: Settings, repo: str | None, document: AckDocument, dry_run: bool
) -> int:
    repository = find_repository(
        app, repo, "name the folder of `run --state` (--state DIR), or the repository (--repo OWNER/NAME)"
    )
    payload = {**to_json(document), "source": "ack"}  # the run's title names its source
    if dry_run:
        body = {"event_type": EVENT_TYPE, "client_payload": payload}
        return print_json(app, {"post": f"/repos/{repository}/dispatches", "body": body})
    if not get_token(app):
        raise InputError(
            "set GH_TOKEN to a fine-grained token with Contents: read and write, or name --state"
        )
    try:
        build_github_client(app, settings, repository, _TIMEOUT_SEC).dispatch(EVENT_TYPE, payload)
    except ExternalError as error:
        app.print_stderr(f"ack: not sent: GitHub could not be asked: {error}")
        return ExitCode.UNDELIVERED
    return print_lines(app, [_describe(document, f"dispatched to {repository}")])


def _describe(document: AckDocument, how: str) -> str:
    until = format_utc(document.until)
    return f"{document.signature}: acknowledged by {document.by} until {until} ({how})"
