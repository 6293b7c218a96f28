"""`replay`: a history of snapshots through the same code; what would have been told, and when."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click

from detector.app.context import Door, Refused
from detector.app.output import show, show_lines
from detector.domain.snapshot import Snapshot, build_snapshot
from detector.formats.redaction import redacted
from detector.formats.strict_json import DocumentError, parse
from detector.render import replayed
from detector.replay import Replay, difference
from detector.settings import DECLARED, RUNTIME, Settings
from detector.storage.recordings import recorded
from detector.timeline import Runner, ScriptError, parse_script

_PROGRESS_EVERY = 200
FAILED = 1


@click.command(
    epilog="Example: python -m detector replay tests/fixtures/snapshots/regular-session.json  ·  "
    "python -m detector replay --set AEGIS_PT_PENDING_ORDER_WARN=3 --compare history.ndjson"
)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option("--set", "changes", multiple=True, metavar="NAME=VALUE", help="A setting for this replay.")
@click.option(
    "--compare", is_flag=True, help="Replay under the settings in force and under --set, side by side."
)
@click.option("--script", type=click.Path(path_type=Path, exists=True), help="Run a timeline instead.")
@click.option("--gap", type=float, metavar="MINUTES", help="The distance of a timeline's runs.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line, the summary last.")
@click.option("--env-file", metavar="FILE", help="A file of settings; the environment wins over it.")
@click.pass_obj
def command(door: Door, /, **options: Any) -> int:
    """Replay a folder, NDJSON, artifacts or single snapshots, in the order given (a folder's by name)."""
    settings = door.settings(options["env_file"])
    changed = door.settings(options["env_file"], _changes(options["changes"]))
    if options["script"] is not None:
        return _run_script(door, options["script"], options["gap"], changed)
    if not options["paths"]:
        raise Refused("name a folder, an NDJSON file or snapshots to replay, or a timeline with --script")
    if options["compare"] and not options["changes"]:
        raise Refused("--compare needs at least one --set NAME=VALUE to compare with")
    try:
        if options["compare"]:
            return _compare(door, options["paths"], settings, changed)
        return _replay(door, options["paths"], changed, options["as_json"])
    except DocumentError as error:
        raise Refused(str(error)) from None
    except OSError as error:
        raise Refused(f"{error.filename}: {error.strerror}") from None


def _changes(words: tuple[str, ...]) -> dict[str, str]:
    found: dict[str, str] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or name not in DECLARED:
            raise Refused(f"--set {word}: expected NAME=value with a name that `detector settings` lists")
        found[name] = value
    return found


def _snapshots(door: Door, paths: tuple[Path, ...], settings: Settings) -> Iterator[Snapshot]:
    shows = door.stderr.isatty()
    for count, (place, document) in enumerate(recorded(paths), 1):
        if document.get("taken_at") is None:
            raise DocumentError(f"{place}: a snapshot without taken_at cannot be replayed")
        bare = {key: value for key, value in document.items() if key != "previous"}
        try:
            yield build_snapshot(redacted(bare), now=door.clock(), runtime=settings[RUNTIME])
        except DocumentError as error:
            raise DocumentError(f"{place}: {error}") from None
        if shows and count % _PROGRESS_EVERY == 0:
            door.stderr.write(f"\r{count} snapshots, {document['taken_at']} ")
            door.stderr.flush()
    if shows:
        door.stderr.write("\r" + " " * 60 + "\r")


def _replay(door: Door, paths: tuple[Path, ...], settings: Settings, as_json: bool) -> int:
    replay = Replay(settings)
    for snapshot in _snapshots(door, paths, settings):
        for change in replay.step(snapshot):
            line = json.dumps(replayed.build_change_document(change)) if as_json else replayed.format_change(change)
            show_lines(door, [line])
    if as_json:
        show_lines(door, [json.dumps(replayed.build_summary_document(replay.summary))])
    else:
        show(door, "\n")
        show_lines(door, replayed.render_summaries([("summary", replay.summary)]))
    return 0


def _compare(door: Door, paths: tuple[Path, ...], settings: Settings, changed: Settings) -> int:
    first, second = Replay(settings), Replay(changed)
    for snapshot in _snapshots(door, paths, settings):
        for side, change in difference(first.step(snapshot), second.step(snapshot)):
            show_lines(door, [replayed.format_difference("now" if side == "first" else "then", change)])
    show(door, "\n")
    return show_lines(
        door, replayed.render_summaries([("now", first.summary), ("then (--set)", second.summary)])
    )


def _run_script(door: Door, path: Path, gap: float | None, settings: Settings) -> int:
    try:
        script = parse_script(tomllib.loads(path.read_text(encoding="utf-8")), _base(path))
        own = door.settings(None, script.settings) if script.settings else settings
        faults = 0
        for ran in Runner(script, own).run(_times(script.start, gap, sum(s.repeat for s in script.steps))):
            faults += len(ran.faults)
            show_lines(door, [replayed.format_step(ran)])
    except (ScriptError, DocumentError, tomllib.TOMLDecodeError) as error:
        raise Refused(f"{path.name}: {error}") from None
    show_lines(door, [f"{script.about}  {'as written' if not faults else f'{faults} faults'}".strip()])
    return FAILED if faults else 0


def _base(path: Path) -> Callable[[str], Any]:
    def load(name: str) -> Any:
        try:
            return parse((path.parent / name).read_bytes())
        except OSError as error:
            raise ScriptError(f"base {name}: {error.strerror}") from None

    return load


def _times(start: datetime, gap: float | None, count: int) -> list[datetime] | None:
    if gap is None:
        return None
    return [start + timedelta(minutes=gap * number) for number in range(count)]
