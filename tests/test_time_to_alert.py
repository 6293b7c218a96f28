"""The table of when an operator would have been told.

Its figures are those of the code, and say what they claim.
"""

from __future__ import annotations

import json
from itertools import islice

import pytest

from tools.incidents import incident, incidents, looked
from tools.run_lanes import SHIFTS, WAYS
from tools.time_to_told import FIGURES, measured, percentile, short_table, table

STORED = json.loads(FIGURES.read_text(encoding="utf-8"))
OUTAGE = "2026-05-06-power-outage"


@pytest.mark.parametrize("name", incidents())
@pytest.mark.parametrize("shift", [0, 23])
def test_the_figures_are_what_the_code_gives(name, shift):
    """Two shifts of every lane, replayed; `python -m tools.time_to_told --check` replays them all."""
    for event, ways in measured([shift], name)[name].items():
        for way, (minutes,) in ways.items():
            stored = STORED[name][event][way]
            at = 0 if way not in WAYS else shift
            assert (stored[at] if at < len(stored) else None) == minutes, (event, way)


@pytest.mark.parametrize("name", [name for name in incidents() if incident(name).began])
def test_every_event_has_a_figure_for_every_shift_of_every_lane(name):
    one = incident(name)
    assert STORED[name].keys() == one.began.keys()
    for ways in STORED[name].values():
        assert {key: len(ways[key]) for key in WAYS} == dict.fromkeys(WAYS, SHIFTS)


def test_a_run_at_every_documented_minute_tells_everything_at_once():
    for name in incidents():
        for event, ways in STORED[name].items() if incident(name).began else ():
            assert ways["documented"] == [0.0], (name, event)


@pytest.mark.parametrize("way", ["github", "external", "both"])
@pytest.mark.parametrize("shift", [1, 12, 33])
def test_the_dark_with_a_position_open_is_told_within_two_runs(way, shift):
    one = incident(OUTAGE)
    dark, light = one.dark[0]
    times = [at for at in WAYS[way].times(shift, one.moments[0].at, light) if at < light]
    runs = looked(one, one.lane("remote"), times)
    in_the_dark = [run for run in runs if run.at >= dark]
    told = [any(event.type == "exposure_unwatched" for event in run.report.new_events) for run in in_the_dark]
    assert any(told[:2]), told[:4]


def test_an_external_trigger_is_never_later_than_its_distance_and_its_start():
    for events in (STORED["2025-09-15-connection-outage"], {"e": STORED[OUTAGE]["exposure_unwatched"]}):
        for ways in events.values():
            assert max(ways["external"]) <= 11
            assert max(ways["both"]) <= max(ways["external"])


def test_the_quiet_session_is_told_of_nothing_but_what_the_runbook_itself_notifies():
    """The link that was down with positions open, the service between two tasks, and the watch's own gaps."""
    notified = {"broker_disconnected", "ecs_service_count_mismatch", "watch_gap"}
    assert STORED["2026-06-01-recovery-baseline"].keys() <= notified


def test_no_lane_depends_on_anything_but_its_shift():
    one = incident(OUTAGE)
    for way in WAYS.values():
        first, again = (list(islice(way.times(3, one.moments[0].at, one.ends), 50)) for _ in range(2))
        assert first == again == sorted(first)
        assert all(one.moments[0].at <= at < one.ends for at in first)


@pytest.mark.parametrize(
    ("minutes", "share", "wanted"),
    [
        ([3.0, 1.0, 2.0, 4.0], 0.5, 2.0),
        ([3.0, 1.0, 2.0, 4.0], 0.9, 4.0),
        ([3.0, 1.0, 2.0, 4.0], 1.0, 4.0),
        ([1.0, None], 0.5, 1.0),
        ([1.0, None], 0.9, None),
        ([None], 0.5, None),
        ([7.0], 0.9, 7.0),
    ],
)
def test_what_was_never_told_is_later_than_everything(minutes, share, wanted):
    assert percentile(minutes, share) == wanted


def test_the_table_has_a_row_for_every_event_and_names_every_lane():
    lines = list(table())
    assert all(way.title in lines[0] for way in WAYS.values())
    for name in incidents():
        for event in STORED[name]:
            assert sum(f"| {name} | `{event}` |" in line for line in lines) == 1
    assert {line.count("|") for line in lines[: lines.index("")]} == {lines[0].count("|")}


def test_the_short_table_is_a_part_of_the_whole_one():
    whole = "\n".join(table())
    rows = [line.strip("| ").split(" | ") for line in short_table()][2:]
    assert rows
    for incident_name, event, *cells in rows:
        row = next(line for line in whole.splitlines() if line.startswith(f"| {incident_name} | {event} |"))
        assert [cell for cell in cells if f"| {cell} |" not in row] == []
