"""Mutes: known conditions are not told until an end, and nothing is lost over one."""

from __future__ import annotations

import pytest

from detector.domain.mute import MuteError, parse_mutes
from detector.domain.run_memory import FIRST_RUN
from tests.support.snapshots import evaluated, healthy_at, named, owed, remembered, settings_of

MUTED = """
[[mute]]
signature = "pending_orders_high:*"
until = 2026-06-06T06:00:00Z
reason = "the owner tries a new entry"
by = "ryo"
"""
HIGH = {"status_v3": {"pending_orders": 2}}
WORSE = {"status_v3": {"pending_orders": 3}}
GOOD: dict[str, object] = {}


def told(steps, mutes=MUTED):
    """Run (clock, patch) steps on a Saturday and return what each told."""
    settings, memory, seen = settings_of(mutes=mutes), FIRST_RUN, []
    for clock, patch in steps:
        report = evaluated(healthy_at(f"2026-06-06T{clock}:00Z", patch), memory, settings)
        memory = remembered(report)
        seen.append(owed(report))
    return seen


NEW, RESOLVED = ["new pending_orders_high"], ["resolved pending_orders_high"]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        pytest.param(
            [("05:59", HIGH), ("06:00", HIGH), ("06:10", HIGH)], [[], NEW, []], id="still firing at the end"
        ),
        pytest.param(
            [("05:30", HIGH), ("05:40", GOOD), ("05:50", GOOD), ("06:00", GOOD)],
            [[], [], [], []],
            id="all inside",
        ),
        pytest.param([("05:50", HIGH), ("05:55", WORSE), ("06:00", WORSE)], [[], [], NEW], id="worse inside"),
    ],
)
def test_a_condition_that_begins_inside(steps, expected):
    assert told(steps) == expected


def before_the_mute(steps):
    """Tell it first without the mute, then go on with it."""
    memory = remembered(evaluated(healthy_at("2026-06-06T05:00:00Z", HIGH)))
    settings, seen = settings_of({"PENDING_ORDER_PERSIST_SEC": "99999", "GAP_SEC": "99999"}, mutes=MUTED), []
    for clock, patch in steps:
        report = evaluated(healthy_at(f"2026-06-06T{clock}:00Z", patch), memory, settings)
        memory = remembered(report)
        seen.append(owed(report))
    return seen


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        pytest.param([("05:30", HIGH), ("06:10", HIGH)], [[], []], id="unchanged at the end"),
        pytest.param(
            [("05:30", GOOD), ("05:40", GOOD), ("06:10", GOOD), ("06:20", GOOD)],
            [[], [], RESOLVED, []],
            id="recovers inside",
        ),
        pytest.param(
            [("05:30", WORSE), ("06:10", WORSE)],
            [[], ["escalated pending_orders_high"]],
            id="escalates inside",
        ),
    ],
)
def test_a_condition_that_was_told_before(steps, expected):
    assert before_the_mute(steps) == expected


def test_a_muted_condition_is_evaluated_listed_and_counted():
    report = evaluated(healthy_at("2026-06-06T05:30:00Z", HIGH), settings=settings_of(mutes=MUTED))
    assert named(report) == ["warning pending_orders_high"]
    assert report.muted == ("pending_orders_high:aegis-pt-core",)
    assert report.decision.action == "notify"


def test_a_mute_that_covers_money_says_so():
    anything = MUTED.replace("pending_orders_high:*", "stuck_exits:*") + "even_money = true\n"
    stuck = {"status_v3": {"stuck_exits": 1, "pending_exits": 1}}
    assert told([("05:30", stuck)], anything) == [["new pending_exits"]]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"until": None}, "until is missing; a mute needs an end"),
        ({"until": "2026-06-06T06:00:00"}, "until names no offset"),
        ({"reason": ""}, "reason is missing or empty"),
        ({"by": None}, "by is missing or empty"),
        ({"signature": None}, "signature is missing or empty"),
        ({"signature": "stuck_exits:*"}, "would mute stuck_exits, which is about money"),
        ({"signature": "*"}, "which is about money"),
        ({"even_money": "yes"}, "even_money is not true or false"),
        ({"for": "ever"}, "unknown key 'for'"),
    ],
)
def test_a_mute_that_cannot_be_used_is_an_error(table, message):
    whole = {
        "signature": "pending_orders_high:*",
        "until": "2026-06-06T06:00:00Z",
        "reason": "r",
        "by": "b",
        **table,
    }
    document = {"mute": [{key: value for key, value in whole.items() if value is not None}]}
    with pytest.raises(MuteError, match=message):
        parse_mutes(document, ["stuck_exits"])


def test_a_single_bracket_is_an_error():
    with pytest.raises(MuteError, match="two brackets"):
        parse_mutes({"mute": {"signature": "x"}}, [])
