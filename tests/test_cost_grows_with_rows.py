"""Four times as many rows take about four times as many calls: a bad day grows no faster than its rows.

Calls are counted, not timed, so that neither the machine nor its load decides a result.
"""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Callable
from cProfile import Profile
from decimal import Decimal
from functools import _lru_cache_wrapper
from typing import Any

import pytest
from msgspec.structs import replace

from detector.commands.can_close import _decide
from detector.commands.plan import _build_plan
from detector.domain.broker_rows import Execution
from detector.domain.condition import MessageRef
from detector.domain.instrument import Instrument, normalize
from detector.domain.run_memory import Memory
from detector.formats.redaction import _SEARCHED, _SUSPECTS
from detector.ledger import add_receipts
from detector.reconciliation.close_check.close_order import CloseOrder
from detector.reconciliation.fill_matching import find_unmatched
from detector.reconciliation.fills import Fill
from detector.reconciliation.instrument_index import InstrumentIndex
from detector.reconciliation.position_pairs import Lot
from detector.render.document import build_artifact_document
from detector.render.message_build import build_message
from detector.render.message_item import MessageContext
from detector.render.plan import build_plan_document
from tests.support.many_rows import KINDS, at_time, document, shares
from tests.support.real_account_answers import read_state
from tests.support.snapshots import DEFAULTS, evaluated, healthy_at, remembered, settings_of

FEW, MANY = 20, 80
GROWTH = 4.3  # what is linear gives 79/19, 4.16; a loop over the rows for each row up to 16


def count_calls(work: Callable[[], object]) -> int:
    """Return the number of calls, and of steps of generators, in this thread, where nothing is cached."""
    empty_caches()
    counter = Profile(subcalls=False)
    counter.runcall(work)
    return sum(entry.callcount for entry in counter.getstats())


def prepare(snapshot: dict[str, Any], memory: Memory | None = None, mutes: str = "") -> Callable[[], object]:
    settings = settings_of(mutes=mutes) if mutes else DEFAULTS
    given = copy.deepcopy(snapshot)
    return lambda: build_artifact_document(evaluated(given, memory, settings))


def empty_caches() -> None:
    """Forget what was cached: of rows that were seen before, the costly part would not be counted."""
    for name, module in tuple(sys.modules.items()):
        for thing in tuple(vars(module).values()) if name.startswith("detector") else ():
            if isinstance(thing, _lru_cache_wrapper) and thing.cache_parameters()["maxsize"]:
                thing.cache_clear()
    _SEARCHED.clear()
    _SUSPECTS.clear()


def assert_linear(prepare_size: Callable[[int], Callable[[], object]]) -> None:
    prepare_size(2)()  # what is loaded once
    fixed, few, many = (count_calls(prepare_size(n)) for n in (1, FEW, MANY))
    ratio = (many - fixed) / (few - fixed)
    assert ratio <= GROWTH, f"{ratio:.2f} times the calls for 4 times the rows"


def answer_close(snapshot: dict[str, Any]) -> None:
    """Ask whether one share may be closed, and what the last row at the broker is of."""
    parts = {"symbol": "SPY", "sec_type": "STK"}
    rows = [*snapshot["broker"]["open_orders"], *snapshot["broker"]["positions"]]
    own = {key: rows[-1][key] for key in Instrument.__struct_fields__ if rows and key in rows[-1]} or parts
    own |= {key: str(own[key]) for key in ("con_id",) if key in own}
    state = read_state(snapshot)
    for named in (parts, own):
        _decide(CloseOrder(Instrument(**named), Decimal(1)), state)


def prepare_plan(snapshot: dict[str, Any]) -> Callable[[], object]:
    """Plan by what was read before: reading grows as in `can-close`, which does little else."""
    state = read_state(snapshot)
    return lambda: build_plan_document(_build_plan(state))


COMMANDS: dict[str, Callable[[dict[str, Any]], Callable[[], object]]] = {
    "detect": lambda snapshot: lambda: build_artifact_document(evaluated(snapshot)),
    "plan": prepare_plan,
    "can-close": lambda snapshot: lambda: answer_close(snapshot),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("kind", KINDS)
def test_calls_grow_with_the_rows(kind, command):
    assert_linear(lambda n: COMMANDS[command](KINDS[kind](n)))


@pytest.mark.parametrize("command", ["detect", "plan"])
@pytest.mark.parametrize(
    "kind", ["names that nobody reads", "codes beside names", "ids beside names", "options without an expiry"]
)
def test_the_answer_grows_with_the_rows_where_each_may_be_any_other(kind, command):
    sizes = [len(json.dumps(COMMANDS[command](KINDS[kind](n))(), default=str)) for n in (1, FEW, MANY)]
    assert sizes[2] - sizes[0] <= GROWTH * (sizes[1] - sizes[0])


def test_calls_of_a_lookup_do_not_grow_with_the_bonds_of_its_kind_of_name():
    def prepare_size(n: int) -> Callable[[], object]:
        rows = [
            normalize(Instrument(f"IBCID{i}", sec_type="BOND", expiry=f"{2100 + i}0615")) for i in range(n)
        ]
        index = InstrumentIndex((row, row) for row in rows)
        return lambda: [index.find(row) for row in rows]

    assert_linear(prepare_size)


def test_calls_grow_with_the_accounts_that_hold_one_share():
    share = normalize(Instrument("SPY", sec_type="STK"))

    def prepare_size(n: int) -> Callable[[], object]:
        lots = [Lot(share, Decimal(1), f"DU{1_000_000 + i}") for i in range(n)]
        one = Execution("SPY", sec_type="STK", side="BOT", quantity=Decimal(1))
        rows = [replace(one, exec_id=f"e{i}") for i in range(n)]
        fills = [Fill((row,)) for row in rows]

        def match() -> None:
            assert find_unmatched(fills, [], lots) == []

        return match

    assert_linear(prepare_size)


@pytest.mark.parametrize("stays", [pytest.param(True, id="that stay"), pytest.param(False, id="that end")])
def test_calls_grow_with_the_conditions(stays):
    def prepare_size(n: int) -> Callable[[], object]:
        memory = remembered(evaluated(document([], shares(n))))
        later = at_time(document([], shares(n)), "15:10")
        return prepare(later if stays else healthy_at(later["taken_at"]), memory)

    assert_linear(prepare_size)


MUTE = """
[[mute]]
signature = "{}"
until = 2026-06-06T06:00:00Z
reason = "known"
by = "ryo"
even_money = true
"""


@pytest.mark.parametrize(
    "pattern", ["open_positions_drift:*:A{}x", "pending_*:Z{}", "open_positions_drift:aegis:B{}"]
)
def test_calls_grow_with_the_mutes_and_the_conditions(pattern):
    def prepare_size(n: int) -> Callable[[], object]:
        mutes = "".join(MUTE.format(pattern.format(i)) for i in range(n))
        return prepare(document([], shares(n)), mutes=mutes)

    assert_linear(prepare_size)


@pytest.mark.parametrize("ends", [pytest.param(False, id="that begin"), pytest.param(True, id="that end")])
def test_calls_grow_with_the_conditions_of_a_message(ends):
    def prepare_size(n: int) -> Callable[[], object]:
        report = evaluated(document([], shares(n)), channels=["slack"])
        if ends:
            conditions = report.conditions
            for notice in report.owed["slack"]:  # each in a message of its own
                place = MessageRef("C1", notice.condition.signature)
                conditions = add_receipts(conditions, [notice], "slack", report.taken_at, place)
            memory = remembered(replace(report, conditions=conditions), printed=False)
            good = evaluated(at_time(document([], []), "15:10"), memory, channels=["slack"])
            report = evaluated(
                at_time(document([], []), "15:20"), remembered(good, printed=False), channels=["slack"]
            )
        assert len(report.owed["slack"]) >= n
        context = MessageContext(report, ("UTC",))
        return lambda: build_message(context, "slack", report.owed["slack"])

    assert_linear(prepare_size)
