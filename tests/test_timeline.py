"""The shipped timelines, each at its own gap, at the run gaps that it names, and along real run times."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from detector.formats.merge_patch import apply_patch
from detector.timeline import Runner, Script, ScriptError, parse_script
from tests.support.snapshots import ROOT, evaluated, healthy, healthy_at, later, remembered, settings_of
from tests.support.timelines import load_timelines

RUN_TIMES: dict[str, list[str]] = json.loads(
    (ROOT / "tests" / "fixtures" / "run_times" / "github_schedule.json").read_text()
)


SCRIPTS = load_timelines()
by_script = pytest.mark.parametrize("name", SCRIPTS)


def no_base(name: str) -> dict[str, Any]:
    return {}


def faults(script: Script, times: list[datetime] | None = None) -> list[str]:
    settings = settings_of({key.removeprefix("AEGIS_PT_"): text for key, text in script.settings.items()})
    ran = Runner(script, settings).run(times)
    return [f"step {one.step.number} at {one.at}: {fault}" for one in ran for fault in one.faults]


@by_script
def test_a_timeline_tells_exactly_what_it_says(name):
    assert faults(SCRIPTS[name]) == []


@pytest.mark.parametrize(
    ("name", "gap"), [(name, gap) for name, script in SCRIPTS.items() for gap in script.gaps]
)
def test_it_does_at_other_run_gaps(name, gap):
    from dataclasses import replace

    assert faults(replace(SCRIPTS[name], gap=timedelta(minutes=gap))) == []


# A script whose steps set their own distances says nothing about other run times.
ANY_TIMES = [
    name
    for name, script in SCRIPTS.items()
    if 220 in script.gaps and all(step.after_min is None for step in script.steps)
]


@pytest.mark.parametrize("series", RUN_TIMES)
@pytest.mark.parametrize("name", ANY_TIMES)
def test_it_does_along_the_real_run_times_of_a_github_schedule(name, series):
    script = SCRIPTS[name]
    moments = [datetime.fromisoformat(text) for text in RUN_TIMES[series]]
    steps = sum(step.repeat for step in script.steps)
    for first in range(0, max(1, len(moments) - steps), 7):
        times = [script.start + (moment - moments[first]) for moment in moments[first:]]
        assert faults(script, times) == [], moments[first]


def test_the_scenarios_of_a_week_of_outages_are_all_there():
    assert {name[:2] for name in SCRIPTS if name[:2].isdigit()} >= {
        "01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12", "13", "15"
    }  # fmt: skip


def test_a_timeline_that_tells_something_else_is_red():
    document = {
        "start": "2026-06-06T05:00:00Z",
        "step": [{"patch": {"status_v3": {"stuck_exits": 1}}, "told": []}],
    }
    assert faults(parse_script(document, no_base)) == [
        "step 1 at 2026-06-06 05:00:00+00:00: told: expected [], got [new stuck_exits]"
    ]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"start": "2026-06-06T05:00:00Z"}, "no \\[\\[step\\]\\]"),
        ({"start": "today", "step": [{}]}, "start is not an RFC 3339 time"),
        ({"start": "2026-06-06T05:00:00Z", "stop": 1, "step": [{}]}, "the script: unknown key 'stop'"),
        ({"start": "2026-06-06T05:00:00Z", "step": [{"tell": []}]}, "step 1: unknown key 'tell'"),
        ({"start": "2026-06-06T05:00:00Z", "step": [{"memory": "wiped"}]}, "step 1: memory is 'wiped'"),
        ({"start": "2026-06-06T05:00:00Z", "step": [{"killed": "often"}]}, "step 1: killed is 'often'"),
        ({"start": "2026-06-06T05:00:00Z", "gap_min": "5", "step": [{}]}, "gap_min is not a number"),
    ],
)
def test_a_script_that_cannot_be_run_says_where(document, message):
    with pytest.raises(ScriptError, match=message):
        parse_script(document, no_base)


def test_the_second_message_after_a_kill_bears_the_id_of_the_first():
    fires = apply_patch(healthy(), {"status_v3": {"pending_orders": 2}})
    memory = remembered(evaluated(healthy_at("2026-06-02T14:50:00Z")))
    killed = evaluated(fires, memory).owed["stdout"]
    again = evaluated(later(fires, 600), memory).owed["stdout"]
    assert [notice.delivery_id for notice in killed] != []
    assert {n.condition.signature for n in killed} == {n.condition.signature for n in again}
