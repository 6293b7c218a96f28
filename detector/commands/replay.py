"""`replay`: a history of snapshots through the same code; what would have been reported, and when."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from detector.app.context import AppContext, print_stream
from detector.app.input_documents import parse_snapshot
from detector.commands import env_file_option
from detector.domain.snapshot import Snapshot
from detector.engine.snapshot_replay import Replay, ReplayedChange, ReplaySummary, compare_changes
from detector.formats.errors import InputError
from detector.formats.serialize import to_json
from detector.formats.times import format_duration, format_utc
from detector.settings import DECLARED, Settings
from detector.storage.artifact_file import read_recordings

_PROGRESS_EVERY = 200
_HEADER = f"{'time':<23}  {'alert':<17} {'severity':<8}  {'state':<9}  condition: summary"


@click.command(
    epilog='Example: echo \'{"taken_at": "2026-06-02T15:00:00Z", "status_v3": {"stuck_exits": 1}}\''
    " > day.json && python -m detector replay day.json"
)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="A setting for this replay.")
@click.option(
    "--compare", is_flag=True, help="Replay under the settings in force and under --set, side by side."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line, the summary last.")
@env_file_option
@click.pass_obj
def command(app: AppContext, /, **options: Any) -> int:
    """Replay past snapshots: what was reported, and when.

    A folder, NDJSON, artifacts or single snapshots, in the order given (a folder's by name).
    """
    settings = app.load_settings(options["env_file"])
    changed = app.load_settings(options["env_file"], _parse_changes(options["changes"]))
    if not options["paths"]:
        raise InputError("name a folder, an NDJSON file or snapshots to replay")
    if options["compare"] and not options["changes"]:
        raise InputError("--compare needs at least one --set NAME=VALUE to compare with")
    if options["compare"]:
        lines = _iter_comparison(app, options["paths"], settings, changed)
        return print_stream(app, _add_header(lines, f"{'under':<11}  {_HEADER}"))
    replayed = _iter_replay(app, options["paths"], changed, options["as_json"])
    return print_stream(app, replayed if options["as_json"] else _add_header(replayed, _HEADER))


def _add_header(lines: Iterator[str], header: str) -> Iterator[str]:
    """Yield the names of the columns before the first change; nothing where none comes."""
    for number, line in enumerate(lines):
        if number == 0 and line:
            yield header
        yield line


def _parse_changes(assignments: tuple[str, ...]) -> dict[str, str]:
    changes: dict[str, str] = {}
    for assignment in assignments:
        name, equals, value = assignment.partition("=")
        if not equals or name not in DECLARED:
            raise InputError(
                f"--set {assignment}: expected NAME=value with a name that `detector settings` lists"
            )
        changes[name] = value
    return changes


def _load_snapshots(app: AppContext, paths: tuple[Path, ...], settings: Settings) -> Iterator[Snapshot]:
    count = 0
    for count, (location, document) in enumerate(read_recordings(paths), 1):
        if document.get("taken_at") is None:
            raise InputError(f"{location}: a snapshot without taken_at cannot be replayed")
        document.pop("previous", None)
        try:
            yield parse_snapshot(document, app.clock(), settings).snapshot
        except InputError as error:
            raise InputError(f"{location}: {error}") from None
        if count % _PROGRESS_EVERY == 0:
            app.print_progress(f"{count} snapshots, {document['taken_at']}")
    app.print_progress()
    if count == 0:
        raise InputError(f"{', '.join(map(str, paths))}: there is no snapshot to replay")


def _iter_replay(
    app: AppContext, paths: tuple[Path, ...], settings: Settings, as_json: bool
) -> Iterator[str]:
    replay = Replay(settings)
    for snapshot in _load_snapshots(app, paths, settings):
        for change in replay.advance(snapshot):
            yield json.dumps(to_json(change)) if as_json else _format_change(change)
    if as_json:
        yield json.dumps(to_json(replay.summary))
    else:
        yield from ("", *_render_summaries([("summary", replay.summary)]))


def _iter_comparison(
    app: AppContext, paths: tuple[Path, ...], settings: Settings, changed: Settings
) -> Iterator[str]:
    first, second = Replay(settings), Replay(changed)
    for snapshot in _load_snapshots(app, paths, settings):
        for side, change in compare_changes(first.advance(snapshot), second.advance(snapshot)):
            yield f"only {'now' if side == 'first' else 'then':<6}  {_format_change(change)}"
    yield ""
    yield from _render_summaries([("now", first.summary), ("then (--set)", second.summary)])


def _format_change(change: ReplayedChange) -> str:
    """Return one transition as a line: time, reason of the notice, severity, new phase, sentence."""
    reason = change.reason or "-"
    return (
        f"{format_utc(change.at)}  {reason:<17} {change.severity:<8}  {change.to:<9}  "
        f"{change.signature}: {change.summary}"
    )


def _render_summaries(summaries: list[tuple[str, ReplaySummary]]) -> Iterator[str]:
    """Yield the summaries of one or two replays as a table, a column each."""
    labels = (
        "", "snapshots", "conditions", "alerts", "longest", "", "blind time in the session", "out of order"
    )  # fmt: skip
    columns = [
        (
            name,
            str(summary.snapshots),
            str(summary.conditions),
            str(summary.notified),
            format_duration(summary.longest_sec) if summary.longest else "none",
            summary.longest or "",
            format_duration(summary.blind_sec),
            str(summary.out_of_order),
        )
        for name, summary in summaries
    ]
    width = max(len(cell) for column in columns for cell in column) + 2
    for label, *cells in zip(labels, *columns, strict=True):
        line = f"{label:<26}" + "".join(f"{cell:<{width}}" for cell in cells)
        if line.strip():
            yield line.rstrip()
