"""The timelines and the incidents as histories that `replay` reads: a snapshot a line, the result beside it.

`python -m tests.support.histories` writes `tests/fixtures/histories/` anew. A history holds the snapshots
alone: what happens to a memory, a channel, a rule or a run stays with the timeline runner, which gives the
expected result of a history without these accidents.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from detector.domain.acknowledgement import Mute
from detector.domain.condition import STDOUT
from detector.formats.times import format_time
from detector.settings import MUTES
from tests.support.snapshots import ROOT
from tests.support.timeline_runner import TimelineRunner
from tests.support.timeline_script import Timeline
from tests.support.timelines import load_timelines, resolve_timeline_settings
from tools.incidents import Incident, Lane, documented_times, incident, incidents, looked, told

FOLDER = ROOT / "tests" / "fixtures" / "histories"


class HistoryRun(Struct, frozen=True):
    """One run of a history: its snapshot, and the result that is expected of it."""

    at: datetime
    snapshot: Mapping[str, Any]
    notified: Sequence[str]
    decision: str


class History(Struct, frozen=True):
    """A history under the settings and mutes that it is replayed with."""

    name: str
    settings: Mapping[str, str]
    mutes: tuple[Mute, ...]
    runs: Sequence[HistoryRun]


def list_histories() -> Iterator[History]:
    """Yield a history for every timeline, and for every lane of every incident at its documented moments."""
    for name, timeline in load_timelines().items():
        yield _build_timeline_history(name, timeline)
    for name in incidents():
        event = incident(name)
        for lane in event.lanes:
            yield _build_incident_history(event, lane)


def remove_accidents(timeline: Timeline) -> Timeline:
    """Return the timeline with its snapshots alone: stdout takes all, memories are kept, no rule raises."""
    steps = tuple(
        replace(
            step, refuse=(), memory="kept", killed=None, broken=(), notified=None, events=None, decision=None
        )
        for step in timeline.steps
    )
    return replace(timeline, steps=steps, channels=(STDOUT,), ignore=())


def _build_timeline_history(name: str, timeline: Timeline) -> History:
    runner = TimelineRunner(remove_accidents(timeline), resolve_timeline_settings(timeline))
    runs = []
    for result in runner.run():
        snapshot = _remove_previous(runner.build_document(result.step, result.at))
        runs.append(HistoryRun(result.at, snapshot, result.notified, result.decision))
    return History(name, timeline.settings, timeline.mutes, runs)


def _build_incident_history(event: Incident, lane: Lane) -> History:
    runs = [
        HistoryRun(run.at, run.snapshot, told(run), run.report.decision.action)
        for run in looked(event, lane, documented_times(event))
    ]
    return History(f"{event.name}-{lane.name.replace(' ', '-')}", event.environ, (), runs)


def _remove_previous(document: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in document.items() if key != "previous"}


@cache
def build_files() -> Mapping[str, str]:
    """Return the text of every exported file by its path in the folder."""
    files: dict[str, str] = {}
    for history in list_histories():
        environ = dict(history.settings)
        if history.mutes:
            path = f"mutes/{history.name}.toml"
            environ[MUTES.name] = (FOLDER / path).relative_to(ROOT).as_posix()
            files[path] = "\n".join(map(_build_mute, history.mutes))
        files[f"{history.name}.ndjson"] = "".join(
            json.dumps(run.snapshot, separators=(",", ":")) + "\n" for run in history.runs
        )
        files[f"expected/{history.name}.json"] = _build_expected(environ, history.runs)
    return files


def _build_mute(mute: Mute) -> str:
    """Return the TOML of a mute; its basic strings are written as JSON writes them."""
    lines = ["[[mute]]", f"signature = {json.dumps(mute.pattern)}", f"until = {format_time(mute.until)}"]
    lines += ['reason = "as in the timeline"', 'by = "ann"']
    return "\n".join([*lines, "even_money = true"] if mute.even_money else lines) + "\n"


def _build_expected(environ: Mapping[str, str], runs: Sequence[HistoryRun]) -> str:
    """Return the expected result as JSON, a run a line, so that a change of it is read easily."""
    lines = [
        json.dumps({"at": format_time(run.at), "told": sorted(run.notified), "decision": run.decision})
        for run in runs
    ]
    listed = ",\n    ".join(lines)
    return f'{{\n  "settings": {json.dumps(environ)},\n  "runs": [\n    {listed}\n  ]\n}}\n'


def list_differing(folder: Path) -> list[str]:
    """Return the paths of that folder that are not as exported: changed, missing, or no longer exported."""
    files = build_files()
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    differing = {path for path in present & files.keys() if (folder / path).read_text("utf-8") != files[path]}
    return sorted(differing | (present ^ files.keys()) - {"README.md"})


def write_files(folder: Path) -> None:
    """Write every exported file anew, and remove what is no longer exported."""
    files = build_files()
    for path in list_differing(folder):
        if path not in files:
            (folder / path).unlink()
            continue
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(files[path], encoding="utf-8")


if __name__ == "__main__":
    write_files(FOLDER)
