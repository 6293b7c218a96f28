"""The lowest severity of a channel: nothing below it is due, and a notified condition also gets its end."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import get_args

import pytest
from msgspec.structs import replace

from detector import ledger
from detector.domain.condition import STDOUT
from detector.domain.report import Report
from detector.domain.rule import CRITICAL as CRITICAL_SEVERITY
from detector.domain.rule import WARNING
from detector.domain.run_memory import FIRST_RUN
from detector.ledger.run_context import RunContext
from detector.render.settings import render_rungs
from detector.settings import Rung
from detector.settings.delivery_settings import Floor
from tests.support.snapshots import DEFAULTS, NOW, evaluated, healthy_at, remembered

LEVELS = {"-": 0, "w": 2, "c": 3}
CRITICAL = {"slack": Rung("critical")}


def told(history: str, floors: Mapping[str, Rung] | tuple[str, ...] = CRITICAL, deaf: str = "") -> list[str]:
    """Return the notices to `slack` in a history of `-` good, `w` warning, `c` critical, one letter a run.

    An `x` in `deaf` is a run in which the channel refuses.
    """
    memory = FIRST_RUN
    said: list[str] = []
    for number, letter in enumerate(history):
        at = f"2026-06-06T{5 + number // 6:02}:{number % 6 * 10:02}:00Z"
        patch = {"status_v3": {"pending_orders": LEVELS[letter], "orders": []}}
        report = evaluated(healthy_at(at, patch), memory, channels=floors)
        if number >= len(deaf) or deaf[number] != "x":
            said += [one.reason for one in report.owed["slack"]]
            report = _taken(report)
        memory = remembered(report, printed=False)
    return said


def _taken(report: Report) -> Report:
    held = ledger.add_receipts(report.conditions, report.owed["slack"], "slack", report.taken_at)
    return replace(report, conditions=held)


@pytest.mark.parametrize(
    ("history", "deaf", "wanted"),
    [
        ("ww--", "", []),
        ("cc--", "", ["new", "escalated", "resolved"]),
        ("wc--", "", ["new", "resolved"]),
        ("cw--", "", ["new", "resolved"]),
        ("cwcw--", "", ["new", "escalated", "resolved"]),
        ("c--w" + "-" * 14, "", ["new", "resolved"]),
        ("c--c" + "-" * 14, "", ["new", "resolved", "again", "resolved"]),
        ("c--c", "", ["new", "resolved", "again"]),
        ("c--wc", "", ["new", "resolved", "escalated"]),
        ("w--c", "", ["new"]),
        ("cww", "x", ["owed"]),
        ("cw--", "xxxx", []),
        ("cw---", "xxxx", ["missed"]),
        ("ww---", "xxxx", []),
        ("wwwww--", "", ["new", "resolved"]),
    ],
    ids=[
        "never above the floor: silent to its end",
        "above the floor",
        "worse: new to this channel",
        "better is quiet, its end is told",
        "up and down again is told once, and its escalation",
        "a return below the floor is not told, nor its end",
        "a return above the floor is told, and its end",
        "a return above the floor",
        "a return that escalates",
        "an episode that ended below the floor and returns above",
        "a debt stays one when it gets better",
        "nothing gets through",
        "a blip above the floor is missed",
        "a blip below the floor is nobody's debt",
        "a warning that escalates",
    ],
)
def test_a_channel_from_critical_on_is_told_what_is_critical(history, deaf, wanted):
    assert told(history, deaf=deaf) == wanted


ESCALATED = {"slack": Rung("escalated")}


@pytest.mark.parametrize(
    ("history", "deaf", "wanted"),
    [
        ("ww--", "", []),
        ("c---", "", []),
        ("cc--", "", ["new", "resolved"]),
        ("ccw--", "", ["new", "resolved"]),
        ("wwwww--", "", ["new", "resolved"]),
        ("ccw", ".xx", []),
        ("ccwww", ".xx", ["owed"]),
        ("cc---", ".xxxx", []),
        ("cc---", ".xxx.", ["missed"]),
        ("cc--w" + "-" * 14, "", ["new", "resolved"]),
        ("cc--cc" + "-" * 14, "", ["new", "resolved", "again", "resolved"]),
    ],
    ids=[
        "a warning",
        "critical, and over before it escalates",
        "escalates: new to this channel",
        "better is quiet, its end is told",
        "a buildup of half an hour",
        "nothing gets through",
        "a debt stays one when it no longer escalates",
        "nothing gets through to the end",
        "an escalation that is missed",
        "a return that does not escalate is not told, nor its end",
        "a return that escalates is told, and its end",
    ],
)
def test_a_channel_for_what_escalates(history, deaf, wanted):
    assert told(history, ESCALATED, deaf) == wanted


@pytest.mark.parametrize("floor", get_args(Floor))
def test_the_table_of_rungs_says_what_the_ledger_does(floor):
    run = RunContext(NOW, DEFAULTS, rungs={"slack": Rung(floor)})
    kinds = [(WARNING, False), (CRITICAL_SEVERITY, False), (CRITICAL_SEVERITY, True)]
    below = [run.is_below("slack", severity, False, money) for severity, money in kinds]
    (row,) = [line for line in render_rungs([("slack", Rung(floor))]) if line.startswith("slack")]
    cells = re.findall("at once|once it escalates", row)
    assert cells == ["once it escalates" if is_below else "at once" for is_below in below] + ["at once"]
    assert not any(run.is_below("slack", severity, True, money) for severity, money in kinds)


def test_from_warning_on_is_no_floor_at_all():
    assert (
        told("wc--", {"slack": Rung("warning")})
        == told("wc--", ("slack",))
        == ["new", "escalated", "resolved"]
    )


def test_a_channel_without_a_floor_beside_one_that_has_it():
    report = evaluated(
        healthy_at("2026-06-06T05:00:00Z", {"status_v3": {"pending_orders": 2, "orders": []}}),
        channels={"slack": Rung("critical"), STDOUT: Rung("warning")},
    )
    assert {name: len(owed) for name, owed in report.owed.items()} == {"slack": 0, STDOUT: 1}


def test_the_receipt_of_an_older_memory_tells_no_floor_channel_of_an_end_that_it_never_heard_of():
    event = {
        "type": "pending_orders_high",
        "severity": "warning",
        "signature": "pending_orders_high:aegis-pt-core",
    }
    memory = None
    said: list[str] = []
    for minute in ("00", "10"):
        document = healthy_at(f"2026-06-06T05:{minute}:00Z")
        if memory is None:
            document["previous"] = {"events": [event], "new_events": []}
        report = evaluated(document, memory, channels=CRITICAL)
        said += [one.reason for one in report.owed["slack"]]
        memory = remembered(report, printed=False)
    assert said == []
