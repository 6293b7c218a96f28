"""One rule of time: a section that is older than the limit, or from the future, is fresh on none of its
routes.
"""

from __future__ import annotations

import json
import os
from datetime import timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from tests.support.loopback import says, serving
from tests.support.program import answer
from tests.support.snapshots import NOW, evaluated, healthy, later, named, remembered, settings_of

STATUS = healthy()["status_v3"]
BROKER = {"connected": True, "positions": [], "open_orders": []}
OBJECTS = {
    "status_v3": {key: value for key, value in STATUS.items() if key != "heartbeat_at"},
    "bot_status": {"pending_orders": 0, "stuck_exits": 0},
    "ecs": healthy()["ecs"],
    "broker": BROKER,
    "stores": {"position_state": [], "trades": []},
    "gateway": {"port": 4002, "listening": True},
    "power": {"status": "OL"},
    "logs": {"events": [], "from": "2026-06-02T14:00:00Z"},
}
SECTIONS = {
    **OBJECTS,
    "containers": healthy()["containers"],
    "processes": [{"name": "engine", "running": True}],
}


def stamp(seconds: float) -> str:
    """Return the time so many seconds from now."""
    return (NOW + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


# --- the routes: each gives a section that was true so many seconds from now, and returns the report --------


def with_own_time(name, seconds, tmp_path, key="as_of"):
    document = {"taken_at": stamp(0), name: {**SECTIONS[name], key: stamp(seconds)}}
    return answer("detect", "--offline", "--report", stdin=document).document


def with_generated_at(name, seconds, tmp_path):
    return with_own_time(name, seconds, tmp_path, "generated_at")


def with_time_of_source(name, seconds, tmp_path):
    entry = {"state": "ok", "as_of": stamp(seconds)}
    document = {"taken_at": stamp(0), name: SECTIONS[name], "sources": {name: entry}}
    return answer("detect", "--offline", "--report", stdin=document).document


def with_time_of_snapshot(name, seconds, tmp_path):
    return run_snapshot({"taken_at": stamp(seconds), name: SECTIONS[name]}, tmp_path, "-")


def with_time_of_snapshot_file(name, seconds, tmp_path):
    return run_snapshot({"taken_at": stamp(seconds), name: SECTIONS[name]}, tmp_path, "file")


def with_time_of_file(name, seconds, tmp_path):
    return run_snapshot({name: SECTIONS[name]}, tmp_path, "file", seconds)


def run_snapshot(document, tmp_path, place, written=0.0):
    source = "-" if place == "-" else str(write(tmp_path / "s.json", document, written))
    artifact = tmp_path / "a.json"
    # At a pretended time the file's own would say nothing.
    pretended = ("--now", stamp(0)) if "taken_at" in document else ()
    words = (*pretended, "--stdout", "--artifact", str(artifact), "--snapshot", source)
    answer("run", "--state", str(tmp_path / "memory"), *words, stdin=document)
    return json.loads(artifact.read_text())


def write(path, document, seconds):
    path.write_text(json.dumps(document))
    os.utime(path, (NOW.timestamp() + seconds,) * 2)
    return path


def collected(name, location):
    environ = {"AEGIS_PT_SECTIONS": f"{name}={location}"}
    return answer("detect", "--report", environ=environ).document


def from_file(name, seconds, tmp_path):
    return collected(name, write(tmp_path / "section.json", SECTIONS[name], seconds))


def from_file_with_own_time(name, seconds, tmp_path):
    return collected(name, write(tmp_path / "section.json", {**SECTIONS[name], "as_of": stamp(seconds)}, 0))


def from_snapshot_in_file(name, seconds, tmp_path):
    document = {"taken_at": stamp(seconds), "sources": {}, name: SECTIONS[name]}
    return collected(name, write(tmp_path / "section.json", document, 0))


def from_url(name, seconds, tmp_path, **headers):
    headers = headers or {"last_modified": format_datetime(NOW + timedelta(seconds=seconds), usegmt=True)}
    named_so = {key.replace("_", "-"): value for key, value in headers.items()}
    with serving(says(SECTIONS[name], headers=named_so)) as server:
        return collected(name, f"{server.url}/section.json")


def from_cache(name, seconds, tmp_path):
    return from_url(name, seconds, tmp_path, age=str(int(-seconds)))


OWN = (with_own_time, with_generated_at, from_file_with_own_time)
ANY = (with_time_of_source, with_time_of_snapshot, with_time_of_snapshot_file, with_time_of_file)
COLLECTED = (from_file, from_snapshot_in_file, from_url)
AHEAD = 7200.0
ROUTES = [
    *((route, name) for route in OWN for name in OBJECTS),
    *((route, name) for route in ANY for name in SECTIONS),
    *(
        (route, name)
        for route in COLLECTED
        for name in ("status_v3", "broker", "containers", "stores", "power")
    ),
]


def facts_of(report: dict[str, Any], name: str) -> list[str]:
    return next((entry["facts"] for entry in report["reading"] if entry["section"] == name), [])


def types_of(report: dict[str, Any]) -> set[str]:
    return {event["type"] for event in report["events"]}


@pytest.mark.parametrize(("route", "name"), ROUTES, ids=lambda value: getattr(value, "__name__", value))
def test_a_section_that_was_moved_in_time_is_never_fresh(route, name, tmp_path):
    assert facts_of(route(name, -30, tmp_path), name), "a fresh one is read"
    old = route(name, -AHEAD, tmp_path)
    assert (facts_of(old, name), "source_stale" in types_of(old)) == ([], True)
    if route is not from_url:  # no server's clock moves its content ahead: the older of its two times counts
        ahead = route(name, AHEAD, tmp_path)
        assert (facts_of(ahead, name), "clock_skew" in types_of(ahead)) == ([], True)


def test_what_a_cache_kept_is_as_old_as_the_cache_says(tmp_path):
    assert facts_of(from_cache("broker", -30, tmp_path), "broker")
    assert "source_stale" in types_of(from_cache("broker", -AHEAD, tmp_path))


def test_a_plugin_holds_its_snapshot_against_the_clock():
    document = later(healthy(), -AHEAD)
    assert answer("detect", "--offline", stdin=document).types == []
    done = answer("detect", "--offline", "--nagios", stdin=document)
    assert done.code != 0
    assert b"is 2 h old" in done.out


def test_a_snapshot_that_is_handed_over_again_and_again_is_stale_and_told_once(tmp_path):
    file = write(tmp_path / "s.json", healthy(), 0)
    words = ("--stdout", "--state", str(tmp_path / "m"), "--snapshot", str(file))
    told = []
    for seconds in range(0, 3600, 600):
        done = answer("run", "--now", stamp(seconds), *words)
        told.append([e["subject"] for e in done.document["new_events"] if e["type"] == "source_stale"])
        assert (done.code, b"source_stale" in done.out) == ((0, False) if seconds == 0 else (3, True))
    assert sorted(told[1]) == ["containers", "ecs", "logs", "status_v3"]
    assert [set(names) - {"status_v3"} for names in told[2:]] == [set()] * 4  # the heartbeat's worsens once


def test_a_snapshot_of_now_lets_what_it_lacks_be_collected_and_an_old_one_too(tmp_path):
    broker = write(tmp_path / "broker.json", BROKER, 0)
    file = write(tmp_path / "s.json", {"taken_at": stamp(-AHEAD), "power": {"status": "OL"}}, 0)
    words = ("--stdout", "--artifact", str(tmp_path / "a.json"), "--state", str(tmp_path / "m"))
    environ = {"AEGIS_PT_SECTIONS": f"broker={broker}"}
    answer("run", "--now", stamp(0), *words, "--snapshot", str(file), environ=environ)
    report = json.loads((tmp_path / "a.json").read_text())
    assert (bool(facts_of(report, "broker")), facts_of(report, "power")) == (True, [])


# --- a payload without a time -------------------------------------------------------------------------------


def payload(pending=0, **more):
    return {
        "status_v3": {"pending_orders": pending, "stuck_exits": 0},
        "sources": {"status_v3": {"state": "ok"}},
        **more,
    }


def run_days(*steps, settings=None):
    """Return the events of runs: each a time of 2 June 2026 (or a full one) and a document."""
    memory, events = None, []
    for at, document in steps:
        full = at if "T" in at else f"2026-06-02T{at}:00Z"
        report = evaluated({**document, "taken_at": full}, memory, settings_of(settings or {}))
        events.append([name for name in named(report) if "source_stale" in name])
        memory = remembered(report)
    return events


STALE = ["warning source_stale:status_v3"]


def test_a_payload_without_a_time_that_does_not_change_in_the_session_is_stale():
    assert run_days(("15:00", payload()), ("15:05", payload()), ("15:06", payload()))[:2] == [[], []]
    first, second, third = run_days(("15:00", payload()), ("15:10", payload()), ("15:20", payload(1)))
    assert (first, bool(second), third) == ([], True, [])


def test_outside_the_session_a_payload_may_stay_the_same():
    night = [(f"2026-06-0{day}T{hour:02}:00:00Z", payload()) for day in (2, 3) for hour in (1, 5, 9, 13)]
    assert run_days(*night[:4]) == [[]] * 4
    weekend = [(f"2026-06-{day}T15:00:00Z", payload()) for day in ("06", "07")]
    assert run_days(*weekend) == [[], []]


def test_only_a_payload_from_a_url_that_names_no_time_is_held_to_change():
    dated = payload(sources={"status_v3": {"state": "ok", "as_of": "2026-06-02T15:09:50Z"}})
    assert run_days(("15:00", payload()), ("15:10", dated)) == [[], []]
    typed = {"status_v3": {"pending_orders": 0}}
    assert run_days(("15:00", typed), ("15:10", typed)) == [[], []]
    assert run_days(
        ("15:00", {"ecs": healthy()["ecs"], "sources": {"ecs": {"state": "ok"}}}),
        ("15:10", {"ecs": healthy()["ecs"], "sources": {"ecs": {"state": "ok"}}}),
    ) == [[], []]


def test_a_source_that_failed_in_between_makes_an_old_payload_no_younger():
    failed = {"sources": {"status_v3": {"state": "failed", "reason": "timeout"}}}
    first, _, third = run_days(("15:00", payload()), ("15:10", failed), ("15:20", payload()))
    assert (first, bool(third)) == ([], True)


def test_a_run_by_hand_between_scheduled_ones_knows_how_long_a_payload_has_been_the_same():
    memory, stale = None, []
    for at, lane, pending in (("00", "cron", 0), ("10", "cron", 0), ("12", "hand", 0), ("14", "hand 2", 1)):
        document = {**payload(pending), "taken_at": f"2026-06-02T15:{at}:00Z"}
        report = evaluated(document, memory, settings_of({"RUN_LANE": lane}))
        stale.append("warning source_stale:status_v3" in named(report))
        memory = remembered(report)
    assert stale == [False, True, True, False]


def test_the_sentence_says_that_it_does_not_change():
    memory = remembered(evaluated({**payload(), "taken_at": "2026-06-02T15:00:00Z"}))
    report = evaluated({**payload(), "taken_at": "2026-06-02T15:10:00Z"}, memory)
    (event,) = [event for event in report.events if event.type == "source_stale"]
    assert "names no time and has not changed for 10 min" in event.summary


def types_at(*moments, **status):
    """Return the events of runs that are given the same payload at each of these times of 2 June 2026."""
    memory, types = None, []
    document = {"status_v3": status, "sources": {"status_v3": {"state": "ok"}}}
    for at in moments:
        report = evaluated({**document, "taken_at": f"2026-06-02T{at}:00Z"}, memory)
        types.append({event.type for event in report.events if not event.held})
        memory = remembered(report)
    return types


def test_a_payload_whose_heartbeat_stands_still_is_a_dead_runtime_and_no_old_answer():
    first, *later_runs = types_at("15:00", "15:10", "15:20", "15:40", heartbeat_at="2026-06-02T14:59:50Z")
    assert "heartbeat_stale" not in first
    assert all("heartbeat_stale" in types and "source_stale" not in types for types in later_runs)


def test_a_payload_that_keeps_saying_the_same_young_age_is_an_old_answer():
    first, second = types_at("15:00", "15:10", heartbeat_age_sec=5)
    assert ("source_stale" in first, "source_stale" in second) == (False, True)
