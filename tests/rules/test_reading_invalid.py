"""What was there and was not understood: how urgently, in which words, and when it is understood again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from msgspec.structs import replace

from detector.domain.judgement import RuleOutcome
from detector.domain.previous_run import NO_PREVIOUS_RUN
from detector.domain.provenance import Fault, Provenance
from detector.domain.rule import CRITICAL, WARNING
from detector.domain.shape import Key, Shape
from detector.domain.snapshot import build_snapshot
from detector.engine.catalog import load_rules
from detector.engine.evaluate import gather
from detector.engine.run_rules import run_rules
from tests.support.snapshots import DEFAULTS, healthy_at

NOON = "2026-06-02T15:00:00Z"
FLAT = {"status_v3": {"open_positions": [], "open_position_count": 0}}
HELD = {"status_v3": {"open_positions": [{"symbol": "SPY", "quantity": 1}], "open_position_count": 1}}
ROW = Shape({"quantity": Key("quantity"), "symbol": Key("text")}, named_by=("symbol",))
SPELLINGS = ("positions", "account_values", "accountValues")
SHAPES = {"broker": Shape({name: Key("list", inner=ROW) for name in SPELLINGS})}


def judged(*faults: Fault, patch: dict[str, Any] | None = None, **changes: Any) -> RuleOutcome:
    document = healthy_at(NOON, HELD if patch is None else patch)
    snapshot = build_snapshot(document, now=datetime.fromisoformat(NOON), runtime="aegis-pt-core")
    seen = replace(gather(snapshot, DEFAULTS, NO_PREVIOUS_RUN), invalid=faults, **changes)
    return run_rules(load_rules(), seen, DEFAULTS).outcomes["reading_invalid"]


def summaries(outcome: RuleOutcome) -> list[str]:
    return [signed.finding.summary for signed in outcome.findings.values()]


def test_one_path_names_its_problem_and_the_profile_s_line():
    faults = [
        Fault("bot_status.mode", "is no mode"),
        Fault("bot_status.pnl", "is no number", line="status.pnl"),
    ]
    assert summaries(judged(*faults)) == [
        "bot_status.mode is no mode, so it is not seen.",
        "bot_status.pnl is no number, so it is not seen (profile: status.pnl).",
    ]


def test_six_paths_of_a_section_are_one_event_that_names_three_of_them():
    faults = [Fault(f"ecs.key{number}", "is no text") for number in range(6)]
    assert summaries(judged(*faults)) == [
        "6 parts of ecs were not understood and are not seen (key0, key1, key2, …)."
    ]
    assert len(judged(*faults[:5]).findings) == 5


@pytest.mark.parametrize(
    ("hidden", "patch", "severity"),
    [
        pytest.param({"ecs.key3"}, HELD, CRITICAL, id="one of six hides money, with positions"),
        pytest.param({"ecs.key3"}, FLAT, WARNING, id="flat"),
        pytest.param(set(), HELD, WARNING, id="none hides money"),
    ],
)
def test_what_hides_money_is_critical_with_positions_open(hidden, patch, severity):
    faults = [Fault(f"ecs.key{number}", "is no text") for number in range(6)]
    (signed,) = judged(*faults, patch=patch, hidden_money=frozenset(hidden)).findings.values()
    assert signed.finding.severity == severity


@pytest.mark.parametrize(("before", "severity"), [(None, WARNING), (2, CRITICAL)])
def test_without_a_count_of_positions_an_earlier_run_s_counts(before, severity):
    dark = {
        "status_v3": {"open_positions": None, "open_position_count": None},
        "bot_status": None,
        "stores": None,
    }
    fault = Fault("status_v3.open_positions", "is no array")
    earlier = replace(NO_PREVIOUS_RUN, open_positions=before)
    (signed,) = judged(
        fault, patch=dark, hidden_money=frozenset({fault.path}), before=earlier, broker_positions=None
    ).findings.values()
    assert signed.finding.severity == severity


@pytest.mark.parametrize(
    ("subject", "read", "understood"),
    [
        pytest.param("broker.positions.quantity", {"broker.positions.quantity"}, True, id="a value that was read"),
        pytest.param("broker.positions.quantity", {"broker.positions"}, True, id="of a list that was read"),
        pytest.param("broker.positions.quantity", set(), False, id="a value that was not read"),
        pytest.param("broker.positions.quantitty", {"broker.positions.quantity"}, True, id="a key that became known"),
        pytest.param("broker.account_value", {"broker.accountValues"}, True, id="a key that became one of two known ones"),
        pytest.param("broker.positions.quantitty", set(), False, id="a misspelt key, and neither now"),
        pytest.param("broker.positions.colour", set(), True, id="a key that nobody knows and that is gone"),
        pytest.param("broker", set(), True, id="a section of known shape"),
        pytest.param("weather.wind", {"weather.wind"}, True, id="a section without a shape, read"),
        pytest.param("weather.wind", set(), False, id="a section without a shape, not read"),
        pytest.param("broker.none.quantity", {"broker.none.quantity"}, True, id="below an unknown key, read"),
        pytest.param("broker.none.quantity", set(), False, id="below an unknown key, not read"),
        pytest.param("ecs.tasks", {"ecs.tasks"}, False, id="a path that is at fault"),
        pytest.param("logs.lines", {"logs.lines"}, False, id="a path of a section that is at fault"),
        pytest.param(None, set(), False, id="no subject"),
    ],
)  # fmt: skip
def test_a_path_is_good_once_it_is_understood(subject, read, understood):
    faults = (Fault("ecs.tasks", "is no array"), Fault("logs", "holds nothing that is recognised"))
    provenance = Provenance(read=frozenset(read), shapes=SHAPES)
    (healthy,) = judged(*faults, provenance=provenance).healthy
    assert healthy.covers(subject) is understood
