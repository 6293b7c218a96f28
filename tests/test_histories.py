"""The exported histories are those of the timelines and the incidents, and `replay` gives their results."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from detector.cli import main
from detector.domain.condition import STDOUT
from detector.domain.snapshot import build_snapshot
from detector.engine.evaluate import RunStep, decide
from detector.engine.snapshot_replay import Replay, ReplayedChange
from detector.formats.redaction import redact
from detector.formats.times import format_time
from detector.settings import RUNTIME
from detector.storage.artifact_file import read_recordings
from tests.support.deliveries import door_of
from tests.support.histories import FOLDER, build_files, list_differing, write_files
from tests.support.snapshots import NOW, ROOT
from tests.support.timeline_script import Timeline
from tests.support.timelines import load_timelines
from tools.incidents import incident, incidents

TIMELINES = load_timelines()
NAMES = sorted(path.stem for path in FOLDER.glob("*.ndjson"))
by_history = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch):
    """A file of mutes is named relative to the repository's root."""
    monkeypatch.chdir(ROOT)


def load_expected(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / "expected" / f"{name}.json").read_text())


class ReportingReplay(Replay):
    """A replay that also records the decision of every run."""

    decisions: list[str] = msgspec.field(default_factory=list)

    def _count(self, step: RunStep, changes: list[ReplayedChange], keeps: bool) -> None:
        self.decisions.append(decide(step.conditions.values()).action)
        super()._count(step, changes, keeps)


def format_notified(reason: str, signature: str) -> str:
    """Return `reason type[:subject]` of a signature `type:runtime[:subject]`."""
    kind, _, *subject = signature.split(":", 2)
    return f"{reason} {':'.join([kind, *subject])}"


# --- the files -----------------------------------------------------------------------------------------


def test_the_committed_files_are_what_is_exported():
    assert list_differing(FOLDER) == [], "run `python -m tests.support.histories`"


def test_every_timeline_and_every_lane_of_every_incident_has_a_history():
    lanes = [(name, lane.name) for name in incidents() for lane in incident(name).lanes]
    assert set(NAMES) == {
        *TIMELINES,
        *(f"{name}-{lane.replace(' ', '-')}" for name, lane in lanes),
    }
    assert len(NAMES) == len(TIMELINES) + len(lanes)


def test_writing_repairs_what_differs_and_removes_what_is_no_longer_exported(tmp_path):
    write_files(tmp_path)
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.*")} == set(build_files())
    (tmp_path / "occurrences.ndjson").write_text("")
    (tmp_path / "expected" / "no-such-timeline.json").write_text("{}")
    (tmp_path / "13-cause-and-symptoms.ndjson").unlink()
    assert list_differing(tmp_path) == [
        "13-cause-and-symptoms.ndjson", "expected/no-such-timeline.json", "occurrences.ndjson",
    ]  # fmt: skip
    write_files(tmp_path)
    assert list_differing(tmp_path) == []


# --- the results ---------------------------------------------------------------------------------------


@by_history
def test_replay_prints_what_is_expected_to_be_told(name, capsys):
    expected = load_expected(name)
    assert main(["replay", "--json", str(FOLDER / f"{name}.ndjson")], expected["settings"], lambda: NOW) == 0
    *changes, summary = map(json.loads, capsys.readouterr().out.splitlines())
    told = [(c["at"], format_notified(c["told"], c["signature"])) for c in changes if c["told"]]
    assert sorted(told) == sorted((run["at"], item) for run in expected["runs"] for item in run["told"])
    assert (summary["snapshots"], summary["told"]) == (len(expected["runs"]), len(told))


@by_history
def test_every_run_of_a_replay_decides_as_expected(name):
    expected = load_expected(name)
    settings = door_of(expected["settings"]).load_settings()
    replay = ReportingReplay(settings)
    runs = []
    for _, document in read_recordings([FOLDER / f"{name}.ndjson"]):
        snapshot = build_snapshot(redact(document), now=NOW, runtime=settings[RUNTIME])
        told = [format_notified(c.reason, c.signature) for c in replay.advance(snapshot) if c.reason]
        runs.append({
            "at": format_time(snapshot.taken_at), "told": sorted(told), "decision": replay.decisions[-1],
        })  # fmt: skip
    assert runs == expected["runs"]


def has_accidents(timeline: Timeline) -> bool:
    return timeline.channels != (STDOUT,) or any(
        step.refuse or step.killed or step.broken or step.memory != "kept" for step in timeline.steps
    )


@pytest.mark.parametrize(
    "name", [name for name, timeline in TIMELINES.items() if not has_accidents(timeline)]
)
def test_a_timeline_without_accidents_states_the_result_of_its_history(name):
    timeline = TIMELINES[name]
    steps = [step for step in timeline.steps for _ in range(step.repeat)]
    for step, run in zip(steps, load_expected(name)["runs"], strict=True):
        told = [item for item in run["told"] if not any(ignored in item for ignored in timeline.ignore)]
        assert step.notified is None or sorted(step.notified) == told
        assert step.decision in (None, run["decision"])
