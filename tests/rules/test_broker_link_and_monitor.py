"""The broker link, market data, and the monitor itself."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.merge_patch import apply_patch
from tests.support.snapshots import (
    Fixture,
    evaluated,
    given,
    healthy,
    healthy_at,
    named,
    owed,
    remembered,
    settings_of,
)


def status(**facts: Any) -> dict[str, Any]:
    return {"status_v3": facts}


LINK = "broker_disconnected"


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param({"broker_connected": False}, [f"warning {LINK}"], id="down and flat"),
        pytest.param(
            {"connection_error": "API connection failed: TimeoutError()"}, [f"warning {LINK}"], id="an error"
        ),
        pytest.param(
            {"broker_connected": False, "open_positions": None, "open_position_count": 2},
            [f"critical {LINK}"],
            id="down with positions",
        ),
        pytest.param(
            {"broker_connected": False, "open_positions": None, "open_position_count": None},
            [f"critical {LINK}"],
            id="down, positions unknown",
        ),
        pytest.param({"broker_connected": None, "connection_error": None}, [], id="not seen"),
    ],
)
def test_the_broker_link_is_down_when_a_payload_says_so(facts, expected):
    assert given(status(**facts)) == expected


@pytest.mark.parametrize(
    ("moment", "fires"),
    [
        pytest.param("2026-06-02T03:29:59Z", True, id="23:29:59 ET"),
        pytest.param("2026-06-02T03:30:00Z", False, id="23:30 ET, the window begins"),
        pytest.param("2026-06-02T06:09:59Z", False, id="02:09:59 ET"),
        pytest.param("2026-06-02T06:10:00Z", True, id="02:10 ET, the window is over"),
        pytest.param("2026-06-02T12:30:00Z", True, id="60 minutes before the open"),
    ],
)
def test_the_broker_link_in_the_quiet_window(moment, fires):
    found = given({"taken_at": moment, **status(broker_connected=False, heartbeat_at=moment)})
    assert (found == [f"warning {LINK}"]) is fires


def test_a_link_that_is_down_with_positions_escalates_at_once():
    facts = status(broker_connected=False, open_positions=None, open_position_count=1)
    assert evaluated(apply_patch(healthy(), facts)).decision.action == "escalate"
    assert evaluated(apply_patch(healthy(), status(broker_connected=False))).decision.action == "notify"


def link_actions(moments: list[str], last_good: str) -> list[str]:
    """The decisions of runs that see the link down with a position open, after one that saw all well."""
    facts = {"open_positions": None, "open_position_count": 1}
    memory = remembered(evaluated(healthy_at(f"2026-06-02T{last_good}Z", status(**facts))))
    actions: list[str] = []
    for moment in moments:
        down = status(broker_connected=False, **facts)
        report = evaluated(healthy_at(f"2026-06-02T{moment}Z", down), memory)
        memory, actions = remembered(report), [*actions, report.decision.action]
    return actions


@pytest.mark.parametrize(
    ("last_good", "moments", "actions"),
    [
        pytest.param("15:00:00", ["15:05:01"], ["escalate"], id="the run before is 301 s ago"),
        pytest.param("15:00:00", ["15:05:00"], ["notify"], id="the run before is 300 s ago"),
        pytest.param(
            "15:00:00",
            ["15:01:00", "15:02:00", "15:03:59", "15:04:00"],
            ["notify", "notify", "notify", "escalate"],
            id="every minute: once it lasted 180 s",
        ),
        pytest.param(
            "15:00:00", ["15:05:00", "15:10:00"], ["notify", "escalate"], id="the second observation"
        ),
        pytest.param(
            "11:00:00",
            ["11:10:00", "11:40:00"],
            ["notify", "escalate"],
            id="off hours: the second observation",
        ),
    ],
)
def test_a_fast_lane_waits_three_minutes_before_it_wakes_somebody(last_good, moments, actions):
    assert link_actions(moments, last_good) == actions


DATA = ["warning market_data_10197"]


@pytest.mark.parametrize(
    ("moment", "count", "more", "expected"),
    [
        pytest.param("15:00:00", 9, {}, [], id="nine"),
        pytest.param("15:00:00", 10, {}, DATA, id="ten"),
        pytest.param("13:34:59", 10, {}, [], id="ten at 09:34:59 ET"),
        pytest.param("13:35:00", 10, {}, DATA, id="ten at 09:35:00 ET"),
        pytest.param("20:00:00", 10, {}, [], id="ten at the close"),
        pytest.param(
            "15:00:00",
            1,
            {"pending_orders": 2},
            [*DATA, "warning pending_orders_high"],
            id="one with a buildup",
        ),
        pytest.param(
            "13:31:00",
            1,
            {"pending_orders": 2},
            [*DATA, "warning pending_orders_high"],
            id="within the grace",
        ),
        pytest.param(
            "15:00:00", 0, {"pending_orders": 2}, ["warning pending_orders_high"], id="none with harm"
        ),
        pytest.param(
            "15:00:00",
            1,
            {"broker_reconcile_pending": True},
            ["critical reconcile_pending:broker_reconcile_pending", *DATA],
            id="one with a reconcile flag",
        ),
    ],
)
def test_10197_is_sustained_from_its_limit_on_and_critical_with_harm(moment, count, more, expected):
    clock = f"2026-06-02T{moment}Z"
    facts = {"heartbeat_at": clock, "market_data_10197_recent": count, **more}
    assert sorted(given({"taken_at": clock, **status(**facts)})) == sorted(expected)


def test_10197_with_a_stale_heartbeat_names_the_harm():
    facts = status(heartbeat_at="2026-06-02T14:50:00Z", market_data_10197_recent=1)
    report = evaluated(apply_patch(healthy(), facts))
    summary = next(event.summary for event in report.events if event.type == "market_data_10197")
    assert summary.startswith("Another session has the market data: error 10197 came 1 time lately, together")
    assert summary.endswith("together with heartbeat_stale.")


def degraded(minutes: list[int], moment: str = "14:") -> list[list[str]]:
    memory, seen = None, []
    for minute in minutes:
        clock = f"2026-06-02T{moment}{minute:02}:00Z"
        facts = {"heartbeat_at": clock, "market_data_status": "degraded"}
        report = evaluated(apply_patch(healthy(), {"taken_at": clock, **status(**facts)}), memory)
        memory = remembered(report)
        seen.append(named(report))
    return seen


def test_degraded_market_data_is_listed_once_it_lasted_900_seconds():
    assert degraded([0, 14, 15]) == [[], [], ["warning market_data_degraded"]]


@pytest.mark.parametrize(
    ("positions", "minute", "expected"),
    [
        pytest.param(1, 59, "warning", id="3540 s"),
        pytest.param(1, 60, "critical", id="3600 s"),
        pytest.param(0, 60, "warning", id="flat"),
        pytest.param(None, 60, "warning", id="positions unknown"),
    ],
)
def test_degraded_market_data_is_critical_with_positions_once_it_lasted_an_hour(positions, minute, expected):
    memory, named_last = None, []
    for at in (0, 20, 40, minute):
        facts = {"market_data_status": "delayed", "open_positions": None, "open_position_count": positions}
        report = evaluated(
            healthy_at(f"2026-06-02T{14 + at // 60}:{at % 60:02}:00Z", status(**facts)), memory
        )
        memory, named_last = remembered(report), named(report)
    assert [name for name in named_last if "degraded" in name] == [f"{expected} market_data_degraded"]


def test_degraded_market_data_before_the_grace_does_not_count():
    assert degraded([30, 34], "13:") == [[], []]


def test_a_broken_rule_is_not_good_again_before_it_ran_again():
    """Its facts vanish: it does not raise, for it is not asked, and that proves nothing."""
    memory = remembered(Fixture("", {}, [], broken="stuck_exits").run())
    for clock in ("15:05", "15:10", "15:15"):
        report = evaluated(healthy_at(f"2026-06-02T{clock}:00Z", status(stuck_exits=None)), memory)
        memory = remembered(report)
        assert named(report) == ["critical detector_error:stuck_exits", "warning signal_lost:exit_safety"]
        assert report.events[0].held


def test_a_failed_source_warns_and_says_whose_failure_it_is():
    failed = {
        "sources": {"ecs": {"state": "failed", "reason": "profile", "detail": "no AWS profile teriyaki"}}
    }
    report = evaluated(apply_patch(healthy(), {**failed, "ecs": None}))
    assert named(report) == ["warning source_unavailable:ecs"]
    assert report.events[0].summary == (
        "Source ecs could not be read: the monitor's environment (no AWS profile teriyaki), not AWS."
    )


DARK = {
    "sources": {"status_v3": {"state": "failed", "reason": "timeout", "detail": "no answer within 10 s"}},
    "status_v3": None,
}


def test_the_only_source_of_the_heartbeat_is_critical_at_the_second_observation():
    first = evaluated(apply_patch(healthy(), DARK))
    second = evaluated(
        apply_patch(healthy(), {"taken_at": "2026-06-02T15:05:00Z", **DARK}), remembered(first)
    )
    assert "warning source_unavailable:status_v3" in named(first)
    assert "critical source_unavailable:status_v3" in named(second)


def test_it_stays_a_warning_after_the_close():
    memory = None
    report = evaluated(healthy())
    for clock in ("20:30", "20:40"):
        report = evaluated(apply_patch(healthy(), {"taken_at": f"2026-06-02T{clock}:00Z", **DARK}), memory)
        memory = remembered(report)
    assert named(report) == ["warning source_unavailable:status_v3"]


def test_it_stays_a_warning_while_the_other_payload_carries_the_facts():
    other = {"bot_status": healthy()["status_v3"]}
    first = evaluated(apply_patch(healthy(), {**DARK, **other}))
    moved = {**other["bot_status"], "heartbeat_at": "2026-06-02T15:05:00Z"}
    second = evaluated(
        apply_patch(healthy(), {"taken_at": "2026-06-02T15:05:00Z", **DARK, "bot_status": moved}),
        remembered(first),
    )
    assert named(second) == ["warning source_unavailable:status_v3"]


def test_a_source_that_is_switched_off_is_retired_and_told_once():
    failed = {"sources": {"bot_status": {"state": "failed"}}}
    off = {"sources": {"bot_status": {"state": "off"}}}
    memory = remembered(evaluated(apply_patch(healthy(), failed)))
    first = evaluated(healthy_at("2026-06-02T15:05:00Z", off), memory)
    second = evaluated(healthy_at("2026-06-02T15:10:00Z", off), remembered(first))
    assert (named(first), owed(first), owed(second)) == ([], ["retired source_unavailable:bot_status"], [])


OLD, AHEAD = "2026-06-02T14:50:00Z", "2026-06-02T15:10:00Z"


@pytest.mark.parametrize(
    ("patch", "event"),
    [
        pytest.param({"sources": {"broker": {"state": "failed"}}}, "source_unavailable:broker", id="failed"),
        pytest.param({"broker": {"as_of": OLD, "connected": True}}, "source_stale:broker", id="stale"),
        pytest.param({"broker": {"as_of": AHEAD, "connected": True}}, "clock_skew:broker.as_of", id="ahead"),
        pytest.param(
            {"power": {"status": "OL", "foo": [{}]}}, "reading_invalid:power.foo", id="not understood"
        ),
    ],
)
def test_what_is_wrong_with_a_section_retires_where_two_runs_neither_have_nor_expect_it(patch, event):
    def run_after(patch: dict[str, Any], *lanes: str) -> list[list[str]]:
        memory, steps = None, []
        for minute, (step, lane) in enumerate(zip((patch, {}, {}), lanes, strict=True)):
            document = healthy_at(f"2026-06-02T15:{5 * minute:02}:00Z", step)
            report = evaluated(document, memory, settings_of({"RUN_LANE": lane} if lane else {}))
            memory = remembered(report)
            steps.append([name for name in (*named(report), *owed(report)) if event in name])
        return steps

    first, *rest = run_after(patch, "", "", "")
    assert len(first) == 2
    assert rest == [[first[0]], [f"retired {event}"]]
    assert run_after(patch, "a", "b", "b")[2] == [first[0]], "another lane may still read it"


@pytest.mark.parametrize(
    ("as_of", "expected"),
    [
        pytest.param("2026-06-02T14:55:00Z", [], id="300 s"),
        pytest.param("2026-06-02T14:54:59Z", ["warning source_stale:bot_status"], id="301 s"),
    ],
)
def test_a_stale_section_is_not_seen_even_when_it_looks_fresh(as_of, expected):
    stuck = {"stuck_exits": 4, "pending_exits": 4}
    patch = {"bot_status": stuck, "sources": {"bot_status": {"state": "ok", "as_of": as_of}}}
    found = given(patch)
    assert ("warning source_stale:bot_status" in found) is bool(expected)
    assert ("critical stuck_exits" in found) is not bool(expected)


@pytest.mark.parametrize(
    ("seconds", "events"),
    [
        pytest.param("00", [], id="now"),
        pytest.param("01:59", [], id="119 s ahead counts as now"),
        pytest.param("02:00", [], id="120 s ahead counts as now"),
        pytest.param("02:01", ["warning clock_skew:status_v3.heartbeat_at"], id="121 s ahead is not seen"),
    ],
)
def test_a_time_up_to_120_s_ahead_is_now(seconds, events):
    clock = f"15:{seconds}" if ":" in seconds else f"15:00:{seconds}"
    assert given(status(heartbeat_at=f"2026-06-02T{clock}Z")) == events


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param({"status_v3": {}}, [], id="typed by hand"),
        pytest.param(
            {"status_v3": {}, "sources": {"status_v3": {"state": "ok"}}},
            ["critical exposure_unwatched", "critical reading_missing:heartbeat_at"],
            id="collected, in the session",
        ),
        pytest.param(
            {"taken_at": "2026-06-02T23:00:00Z", "status_v3": {}, "sources": {"status_v3": {"state": "ok"}}},
            ["warning reading_missing:heartbeat_at"],
            id="collected, after the close",
        ),
        pytest.param({"sources": {"status_v3": {"state": "failed"}}}, None, id="failed"),
    ],
)
def test_a_missing_heartbeat_is_told_where_a_payload_was_read(document, expected):
    found = named(evaluated({"taken_at": "2026-06-02T15:00:00Z", **document}))
    assert (
        found == expected if expected is not None else "reading_missing:heartbeat_at" not in " ".join(found)
    )


def test_a_fact_that_the_owner_requires_is_missed_wherever_it_comes_from():
    assert given({"status_v3": {"mode": None}}, {"REQUIRED": "mode"}) == ["warning reading_missing:mode"]


GAP = ["warning watch_gap"]


@pytest.mark.parametrize(
    ("before", "now", "positions", "expected"),
    [
        pytest.param("14:35:00", "15:00:00", 0, [], id="1500 s"),
        pytest.param("14:34:59", "15:00:00", 0, GAP, id="1501 s"),
        pytest.param("14:34:59", "15:00:00", 2, ["critical watch_gap"], id="1501 s with positions"),
        pytest.param("10:00:00", "13:55:00", 0, [], id="hours, 1500 s of them in the session"),
        pytest.param("10:00:00", "13:55:01", 0, GAP, id="hours, 1501 s of them in the session"),
        pytest.param("20:30:00", "23:00:00", 0, [], id="hours, none of them in the session"),
    ],
)
def test_a_gap_in_the_watch_is_told_from_its_limit_in_the_session(before, now, positions, expected):
    def snapshot(clock: str) -> dict[str, Any]:
        facts = {
            "heartbeat_at": f"2026-06-02T{clock}Z",
            "open_positions": None,
            "open_position_count": positions,
        }
        return apply_patch(healthy(), {"taken_at": f"2026-06-02T{clock}Z", **status(**facts)})

    assert named(evaluated(snapshot(now), remembered(evaluated(snapshot(before))))) == expected


def test_a_gap_of_twice_the_length_is_told_again_within_the_hour():
    memory, told = None, []
    for clock in ("13:40", "14:06", "15:00"):
        report = evaluated(seen_at(clock, 0), memory)
        told.append([one for one in owed(report) if "watch_gap" in one])
        memory = remembered(report)
    assert told == [[], ["new watch_gap"], ["again watch_gap"]]


def test_a_lost_memory_tells_everything_active_again_at_once():
    document = apply_patch(healthy(), status(pending_orders=2, stuck_exits=1, pending_exits=1))
    report = evaluated({**document, "previous": {"schema_version": 99, "events": []}})
    assert owed(report) == [
        "new stuck_exits",
        "new memory_lost",
        "new pending_exits",
        "new pending_orders_high",
    ]
    assert "schema version 99" in next(e.summary for e in report.events if e.type == "memory_lost")


def dark_at(clock: str) -> dict[str, Any]:
    return apply_patch(healthy(), {"taken_at": f"2026-06-02T{clock}:00Z", "status_v3": None})


def seen_at(clock: str, positions: int | None) -> dict[str, Any]:
    facts = {
        "heartbeat_at": f"2026-06-02T{clock}:00Z",
        "open_positions": None,
        "open_position_count": positions,
    }
    return apply_patch(healthy(), {"taken_at": f"2026-06-02T{clock}:00Z", **status(**facts)})


@pytest.mark.parametrize(
    ("positions", "fires"),
    [
        pytest.param(2, "critical", id="two positions open"),
        pytest.param(0, None, id="flat when last seen"),
        pytest.param(None, "warning", id="never known"),
    ],
)
def test_dark_with_money_at_risk_fires_at_the_second_run(positions, fires):
    """What else the payload carried is lost with it, which is an event beside it."""
    memory = remembered(evaluated(seen_at("14:50", positions)))
    first = evaluated(dark_at("15:00"), memory)
    second = evaluated(dark_at("15:10"), remembered(first))
    lost = f"{fires or 'warning'} signal_lost:status_v3"
    found = ["critical exposure_unwatched", lost] if fires else [lost]
    assert (named(first), named(second)) == (found, found)
    assert [first.decision.action, second.decision.action] == (
        ["notify", "escalate"] if fires else ["notify"] * 2
    )


@pytest.mark.parametrize(
    ("last_known", "fires"),
    [
        pytest.param("13:29", True, id="a minute before the open"),
        pytest.param("13:30", False, id="at the open"),
    ],
)
def test_flat_before_the_open_is_no_proof_after_it(last_known, fires):
    """A runtime that was flat in the morning may have traded since; over any number of dark runs."""
    memory = remembered(evaluated(seen_at(last_known, 0)))
    for moment in ("13:40", "13:50"):
        report = evaluated(dark_at(moment), memory)
        memory = remembered(report)
        summaries = [event.summary for event in report.events if event.type == "exposure_unwatched"]
        assert len(summaries) == fires
        assert all(text.endswith("and no position was open before the session's open.") for text in summaries)


def test_dark_is_told_once_and_ends_when_it_is_seen_again():
    memory, told = remembered(evaluated(seen_at("14:40", 2))), []
    for document in (
        dark_at("14:50"),
        dark_at("15:00"),
        dark_at("15:10"),
        seen_at("15:20", 2),
        seen_at("15:30", 2),
    ):
        report = evaluated(document, memory)
        memory = remembered(report)
        told.append(owed(report))
    assert told == [
        ["new exposure_unwatched"],
        ["escalated exposure_unwatched", "new signal_lost:status_v3"],
        [],
        [],
        ["resolved exposure_unwatched", "resolved signal_lost:status_v3"],
    ]


def test_dark_ends_when_the_positions_are_seen_to_be_none():
    memory, told = remembered(evaluated(seen_at("14:40", 2))), []
    flat = {"heartbeat_at": None, "open_positions": None, "open_position_count": 0}
    documents = [
        dark_at("14:50"),
        *(healthy_at(f"2026-06-02T15:{m}:00Z", status(**flat)) for m in ("00", "10")),
    ]
    for document in documents:
        report = evaluated(document, memory)
        memory = remembered(report)
        told.append(owed(report))
    assert [[text for text in texts if "exposure" in text] for texts in told] == [
        ["new exposure_unwatched"],
        [],
        ["resolved exposure_unwatched"],
    ]


@pytest.mark.parametrize(
    ("positions", "words"),
    [
        (2, "and 2 positions were open when last seen."),
        (1, "and 1 position was open when last seen."),
        (None, "and whether positions are open was never known."),
    ],
)
def test_what_is_dark_says_what_was_last_known(positions, words):
    report = evaluated(dark_at("15:00"), remembered(evaluated(seen_at("14:50", positions))))
    said = report.events[0].summary
    assert said.startswith("Dark while the market is open: the heartbeat")
    assert said.endswith(words)


def test_nothing_is_dark_after_the_close():
    memory = remembered(evaluated(seen_at("19:50", 2)))
    assert named(evaluated(dark_at("20:00"), memory)) == []


def watch_twice(first: dict[str, Any], then: dict[str, Any]) -> list[list[str]]:
    """What is told of the dark in the first run and in two further ones."""
    memory, told = None, []
    for minute, patch in enumerate((first, then, then)):
        document = {"taken_at": f"2026-06-02T15:{minute}0:00Z", **patch}
        report = evaluated(document, memory)
        told.append([one for one in owed(report) if "exposure_unwatched" in one])
        memory = remembered(report)
    return told


def test_dark_ends_when_all_that_is_watched_is_seen_again():
    """No source of the heartbeat is configured, so that nobody waits for it."""
    failed = {"sources": {"broker": {"state": "failed"}}}
    at_broker = {"connected": True, "positions": [{"symbol": "SPY", "sec_type": "STK", "quantity": 1}]}
    read = {"sources": {"broker": {"state": "ok"}}, "broker": at_broker}
    assert watch_twice(failed, read) == [
        ["new exposure_unwatched"], [], ["resolved exposure_unwatched"],
    ]  # fmt: skip


def test_dark_does_not_end_because_its_source_is_not_configured_any_more():
    assert watch_twice({"sources": {"status_v3": {"state": "failed"}}}, {}) == [
        ["new exposure_unwatched"], [], [],
    ]  # fmt: skip
