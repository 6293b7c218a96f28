"""The shipped timelines, each at its own gap, at the run gaps that it names, and along real run times."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.support.merge_patch import apply_patch
from tests.support.snapshots import ROOT, evaluated, healthy, healthy_at, later, remembered
from tests.support.timeline_runner import TimelineRunner
from tests.support.timeline_script import Timeline, TimelineError, parse_timeline
from tests.support.timelines import FOLDER, load_timelines, main, resolve_timeline_settings

RUN_TIMES: dict[str, list[str]] = json.loads(
    (ROOT / "tests" / "fixtures" / "run_times" / "github_schedule.json").read_text()
)


TIMELINES = load_timelines()
by_timeline = pytest.mark.parametrize("name", TIMELINES)


def no_base(name: str) -> dict[str, Any]:
    return {}


def faults(timeline: Timeline, times: list[datetime] | None = None) -> list[str]:
    results = TimelineRunner(timeline, resolve_timeline_settings(timeline)).run(times)
    return [f"step {ran.step.number} at {ran.at}: {fault}" for ran in results for fault in ran.faults]


@by_timeline
def test_a_timeline_tells_exactly_what_it_says(name):
    assert faults(TIMELINES[name]) == []


@pytest.mark.parametrize(
    ("name", "gap"), [(name, gap) for name, timeline in TIMELINES.items() for gap in timeline.gaps]
)
def test_it_does_at_other_run_gaps(name, gap):
    from msgspec.structs import replace

    assert faults(replace(TIMELINES[name], gap=timedelta(minutes=gap))) == []


# A timeline whose steps set their own distances says nothing about other run times.
ANY_TIMES = [
    name
    for name, timeline in TIMELINES.items()
    if 220 in timeline.gaps and all(step.after_min is None for step in timeline.steps)
]


@pytest.mark.parametrize("series", RUN_TIMES)
@pytest.mark.parametrize("name", ANY_TIMES)
def test_it_does_along_the_real_run_times_of_a_github_schedule(name, series):
    timeline = TIMELINES[name]
    moments = [datetime.fromisoformat(text) for text in RUN_TIMES[series]]
    steps = sum(step.repeat for step in timeline.steps)
    for first in range(0, max(1, len(moments) - steps), 7):
        times = [timeline.start + (moment - moments[first]) for moment in moments[first:]]
        assert faults(timeline, times) == [], moments[first]


def test_the_scenarios_of_a_week_of_outages_are_all_there():
    assert {name[:2] for name in TIMELINES if name[:2].isdigit()} >= {
        "01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12", "13", "15"
    }  # fmt: skip


def test_a_timeline_that_tells_something_else_is_red():
    document = {
        "start": "2026-06-06T05:00:00Z",
        "step": [{"patch": {"status_v3": {"stuck_exits": 1}}, "told": []}],
    }
    assert faults(parse_timeline(document, no_base)) == [
        "step 1 at 2026-06-06 05:00:00+00:00: told: expected [], got [new stuck_exits]"
    ]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"start": "2026-06-06T05:00:00Z"}, "no \\[\\[step\\]\\]"),
        ({"start": "today", "step": [{}]}, "start is not an RFC 3339 time"),
        ({"start": "2026-06-06T05:00:00Z", "stop": 1, "step": [{}]}, "the timeline: unknown key 'stop'"),
        ({"start": "2026-06-06T05:00:00Z", "step": [{"tell": []}]}, "step 1: unknown key 'tell'"),
        ({"start": "2026-06-06T05:00:00Z", "step": [{"memory": "wiped"}]}, "step 1: memory is 'wiped'"),
        ({"start": "2026-06-06T05:00:00Z", "step": [{"killed": "often"}]}, "step 1: killed is 'often'"),
        ({"start": "2026-06-06T05:00:00Z", "gap_min": "5", "step": [{}]}, "gap_min is not a number"),
    ],
)
def test_a_timeline_that_cannot_be_run_says_where(document, message):
    with pytest.raises(TimelineError, match=message):
        parse_timeline(document, no_base)


def test_the_second_message_after_a_kill_bears_the_id_of_the_first():
    fires = apply_patch(healthy(), {"status_v3": {"pending_orders": 2}})
    memory = remembered(evaluated(healthy_at("2026-06-02T14:50:00Z")))
    killed = evaluated(fires, memory).owed["stdout"]
    again = evaluated(later(fires, 600), memory).owed["stdout"]
    assert [notice.delivery_id for notice in killed] != []
    assert {n.condition.signature for n in killed} == {n.condition.signature for n in again}


# --- the program -----------------------------------------------------------------------------------------

TIMELINE = FOLDER / "08-warning-critical-warning-ok.toml"


def run_program(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, list[str], str]:
    code = main([*map(str, words)])
    out, err = capsys.readouterr()
    return code, out.splitlines(), err


def test_a_timeline_runs_as_written(capsys):
    code, lines, _ = run_program(capsys, TIMELINE)
    assert code == 0
    assert lines == [
        "ok    step   1  2026-06-06T05:00:00Z  notify    told: new pending_orders_high",
        "ok    step   2  2026-06-06T05:10:00Z  notify    told: worse pending_orders_high",
        "ok    step   3  2026-06-06T05:20:00Z  notify    told: nothing",
        "ok    step   4  2026-06-06T05:30:00Z  notify    told: nothing",
        "ok    step   5  2026-06-06T05:40:00Z  observe   told: nothing",
        "ok    step   6  2026-06-06T05:50:00Z  observe   told: resolved pending_orders_high",
        "Warning, critical, warning, ok: told, told, quiet, resolved once.  as written",
    ]


def test_a_timeline_runs_at_another_gap(capsys):
    code, lines, _ = run_program(capsys, TIMELINE, "--gap", "220")
    assert code == 0
    assert lines[1].split()[3] == "2026-06-06T08:40:00Z"


def test_a_timeline_that_differs_exits_1_and_says_how(capsys, tmp_path):
    path = tmp_path / "own.toml"
    path.write_text("start = 2026-06-06T05:00:00Z\n[[step]]\npatch.status_v3.stuck_exits = 1\ntold = []\n")
    code, lines, _ = run_program(capsys, path)
    assert code == 1
    assert lines[0].startswith("FAIL  step   1")
    assert lines[1].strip() == "told: expected [], got [new stuck_exits]"
    assert lines[-1] == "1 faults"


def test_a_timeline_runs_with_its_own_settings(capsys, tmp_path):
    path = tmp_path / "own.toml"
    path.write_text(
        "start = 2026-06-06T05:00:00Z\n[settings]\nAEGIS_PT_PENDING_ORDER_WARN = 1\n"
        '[[step]]\npatch.status_v3.pending_orders = 1\ntold = ["new pending_orders_high"]\n'
    )
    assert run_program(capsys, path)[0] == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("start = ", ""),
        ("start = 2026-06-06T05:00:00Z\n", "the timeline has no [[step]]"),
        ('base = "none.json"\nstart = 2026-06-06T05:00:00Z\n[[step]]\n', "base none.json: No such file"),
        ("start = 2026-06-06T05:00:00Z\n[[step]]\npatch.ecz = {}\n", "step 1: unknown section 'ecz'"),
    ],
    ids=["not TOML", "no step", "no base", "unknown section"],
)
def test_a_timeline_that_cannot_be_run_is_refused(capsys, tmp_path, text, message):
    path = tmp_path / "own.toml"
    path.write_text(text)
    code, _, err = run_program(capsys, path)
    assert (code, err.startswith(f"own.toml: {message}")) == (2, True), err
