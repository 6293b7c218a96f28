"""Four times as many rows take about four times as many calls: a bad day grows no faster than its rows.

Calls are counted, not timed, so that neither the machine nor its load decides a result.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from msgspec.structs import replace

from detector.commands.plan import _build_plan
from detector.domain.condition import MessageRef
from detector.domain.run_memory import Memory
from detector.ledger import add_receipts
from detector.render.document import build_artifact_document
from detector.render.message_build import build_message
from detector.render.message_item import MessageContext
from tests.support.real_account_answers import read_state
from tests.support.snapshots import DEFAULTS, evaluated, healthy, healthy_at, remembered, settings_of

FEW, MANY = 40, 160
GROWTH = 4.3  # a loop over the rows for each row gives up to 16
Rows = list[dict[str, Any]]


def shares(n: int, first: int = 0, quantity: int = 1) -> Rows:
    return [{"symbol": f"A{first + i}", "sec_type": "STK", "quantity": quantity} for i in range(n)]


def mere_ids(n: int, quantity: int = 1) -> Rows:
    return [{"con_id": i + 1, "sec_type": "STK", "quantity": quantity} for i in range(n)]


def options(n: int, **more: Any) -> Rows:
    base = {"symbol": "SPX", "sec_type": "OPT", "expiry": "20260619", "right": "C", "quantity": 1}
    return [{**base, "strike": 1000 + i, **more} for i in range(n)]


def vague_options(n: int) -> Rows:
    return [{"symbol": "SPX", "strike": 1000 + i, "quantity": 1} for i in range(n)]


def bonds(n: int) -> Rows:
    return [{"symbol": f"IBCID{i}", "sec_type": "BOND", "quantity": 1} for i in range(n)]


def bonds_by_cusip(n: int) -> Rows:
    return [{**row, "symbol": f"9128{i:04}7"} for i, row in enumerate(bonds(n))]


def shares_by_code(n: int) -> Rows:
    return [{**row, "symbol": f"US{i:09}0"} for i, row in enumerate(shares(n))]


def in_vendors_words(n: int) -> Rows:
    return [{**row, "symbol": f"F:US:A{i}"} for i, row in enumerate(shares(n))]


def in_years(rows: Rows) -> Rows:
    return [{**row, "expiry": f"{2027 + i}0615"} for i, row in enumerate(rows)]


def lots(n: int, **more: Any) -> Rows:
    return [{"symbol": "SPY", "sec_type": "STK", "quantity": 1, **more} for _ in range(n)]


def in_own_accounts(rows: Rows) -> Rows:
    return [{**row, "account": f"DU{1_000_000 + i}"} for i, row in enumerate(rows)]


def in_models(rows: Rows) -> Rows:
    return [{**row, "account": "DU1000000", "model": f"M{i}"} for i, row in enumerate(rows)]


def futures(n: int) -> Rows:
    base = {"symbol": "ES", "sec_type": "FUT", "quantity": 1}
    return [{**base, "con_id": i + 1, "expiry": f"{2027 + i // 12}{1 + i % 12:02}"} for i in range(n)]


def executions(rows: Rows) -> Rows:
    more = {"side": "BOT", "price": 1, "at": "2026-06-02T14:00:00Z"}
    return [{**row, **more, "exec_id": f"e{i}", "order_id": f"f{i}"} for i, row in enumerate(rows)]


def exits(rows: Rows, first: int = 0) -> Rows:
    more = {"side": "SELL", "status": "Submitted", "kind": "exit"}
    return [
        {**row, **more, "order_id": str(first + i), "perm_id": str(90_000 + first + i)}
        for i, row in enumerate(rows)
    ]


def document(held: Rows, at_broker: Rows, **more: Rows) -> dict[str, Any]:
    snapshot = healthy()
    trades = [{**row, "trade_id": str(i), "opened_at": "2026-06-02T14:00:10Z"} for i, row in enumerate(held)]
    snapshot["stores"] = {"position_state": [{**row, "is_open": 1} for row in held], "trades": trades}
    snapshot["broker"] = {
        "connected": True,
        "positions": at_broker,
        "open_orders": more.get("working", []),
        "executions": more.get("executions", []),
    }
    snapshot["status_v3"]["orders"] = more.get("orders", [])
    return snapshot


def everything(held: Rows, at_broker: Rows) -> dict[str, Any]:
    """The rows as positions and trades on one side, and as positions, orders and fills on the other."""
    return document(held, at_broker, working=exits(at_broker), executions=executions(at_broker))


def count_calls(work: Callable[[], object]) -> int:
    """Return the number of calls, and of steps of generators, in this thread."""
    counts = {"call": 0, "c_call": 0}

    def count(_: FrameType, kind: str, __: object) -> None:
        if kind in counts:
            counts[kind] += 1

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return sum(counts.values())


def prepare(snapshot: dict[str, Any], memory: Memory | None = None, mutes: str = "") -> Callable[[], object]:
    settings = settings_of(mutes=mutes) if mutes else DEFAULTS
    given = copy.deepcopy(snapshot)
    return lambda: build_artifact_document(evaluated(given, memory, settings))


def assert_linear(prepare_size: Callable[[int], Callable[[], object]]) -> None:
    prepare_size(MANY)()  # what is loaded and cached once
    fixed, few, many = (count_calls(prepare_size(n)) for n in (1, FEW, MANY))
    ratio = (many - fixed) / (few - fixed)
    assert ratio <= GROWTH, f"{ratio:.2f} times the calls for 4 times the rows"


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(lambda n: everything(shares(n), shares(n)), id="the same names"),
        pytest.param(lambda n: everything(shares(n), mere_ids(n)), id="names beside ids"),
        pytest.param(lambda n: everything(mere_ids(n), mere_ids(n)), id="ids"),
        pytest.param(lambda n: everything(mere_ids(n), shares(n)), id="ids beside names"),
        pytest.param(lambda n: everything(shares_by_code(n), shares(n)), id="codes beside names"),
        pytest.param(lambda n: everything(shares_by_code(n), shares_by_code(n)), id="codes"),
        pytest.param(lambda n: everything(in_vendors_words(n), shares(n)), id="names that nobody reads"),
        pytest.param(lambda n: everything(options(n), options(n)), id="options of one symbol"),
        pytest.param(lambda n: everything(vague_options(n), options(n)), id="options without an expiry"),
        pytest.param(
            lambda n: everything(options(n), options(n, tradingClass="SPXW")), id="options of a class"
        ),
        pytest.param(lambda n: everything(lots(n), lots(n)), id="one share in many lots"),
        pytest.param(lambda n: everything(futures(n), futures(n)), id="futures of one symbol"),
        pytest.param(lambda n: everything(bonds(n), bonds_by_cusip(n)), id="bonds by other codes"),
        pytest.param(
            lambda n: everything(in_years(bonds(n)), bonds_by_cusip(n)), id="bonds without a maturity"
        ),
        pytest.param(
            lambda n: everything(in_own_accounts(lots(n)), in_own_accounts(lots(n))), id="many accounts"
        ),
        pytest.param(
            lambda n: everything(lots(n), in_own_accounts(lots(n))),
            id="one share, many accounts at the broker",
        ),
        pytest.param(
            lambda n: everything(shares(n), in_own_accounts(shares(n))),
            id="shares, many accounts at the broker",
        ),
        pytest.param(lambda n: everything(lots(n), in_models(lots(n))), id="many models"),
        pytest.param(lambda n: document(shares(n), []), id="positions that the broker lacks"),
        pytest.param(lambda n: document([], shares(n)), id="positions that nothing manages"),
        pytest.param(lambda n: everything(shares(n), shares(n, n)), id="positions of other names"),
        pytest.param(lambda n: document(shares(n), shares(n, quantity=2)), id="other quantities"),
        pytest.param(lambda n: document(mere_ids(n), mere_ids(n, quantity=-1)), id="other sides"),
        pytest.param(lambda n: document(options(n), options(n, right="P")), id="calls beside puts"),
        pytest.param(
            lambda n: document(shares(n), shares(n), orders=exits(shares(n)), working=exits(shares(n))),
            id="the same orders on both sides",
        ),
        pytest.param(
            lambda n: document([], [], orders=exits(shares(n)), working=exits(shares(n), n)),
            id="exits of nothing, other ones on each side",
        ),
        pytest.param(
            lambda n: document([], [], executions=executions(shares(n))), id="executions without a trade"
        ),
    ],
)
def test_calls_grow_with_the_rows(build):
    assert_linear(lambda n: prepare(build(n)))


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(lambda n: everything(shares(n), shares(n)), id="the same names"),
        pytest.param(lambda n: everything(mere_ids(n), mere_ids(n)), id="ids"),
        pytest.param(lambda n: everything(shares(n), mere_ids(n)), id="names beside ids"),
        pytest.param(lambda n: everything(mere_ids(n), shares(n)), id="ids beside names"),
        pytest.param(lambda n: everything(shares_by_code(n), shares(n)), id="codes beside names"),
        pytest.param(lambda n: everything(in_vendors_words(n), shares(n)), id="names that nobody reads"),
        pytest.param(lambda n: everything(bonds(n), bonds_by_cusip(n)), id="bonds by other codes"),
        pytest.param(lambda n: everything(lots(n), lots(n)), id="one share in many lots"),
        pytest.param(lambda n: everything(vague_options(n), options(n)), id="options without an expiry"),
        pytest.param(lambda n: everything(futures(n), futures(n)), id="futures of one symbol"),
        pytest.param(lambda n: everything(shares(n), in_own_accounts(shares(n))), id="many accounts"),
        pytest.param(lambda n: document(shares(n), []), id="positions that the broker lacks"),
        pytest.param(lambda n: document([], shares(n)), id="positions that nothing manages"),
        pytest.param(lambda n: document(shares(n), shares(n, quantity=2)), id="other quantities"),
    ],
)
def test_calls_of_a_plan_grow_with_the_rows(build):
    def prepare_size(n: int) -> Callable[[], object]:
        state = read_state(build(n))
        return lambda: _build_plan(state)

    assert_linear(prepare_size)


@pytest.mark.parametrize("stays", [pytest.param(True, id="that stay"), pytest.param(False, id="that end")])
def test_calls_grow_with_the_conditions(stays):
    def prepare_size(n: int) -> Callable[[], object]:
        memory = remembered(evaluated(document([], shares(n))))
        later = {**document([], shares(n)), "taken_at": "2026-06-02T15:10:00Z"}
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
    def at(clock: str) -> dict[str, Any]:
        return {**document([], []), "taken_at": f"2026-06-02T{clock}:00Z"}

    def prepare_size(n: int) -> Callable[[], object]:
        report = evaluated(document([], shares(n)), channels=["slack"])
        if ends:
            conditions = report.conditions
            for notice in report.owed["slack"]:  # each in a message of its own
                place = MessageRef("C1", notice.condition.signature)
                conditions = add_receipts(conditions, [notice], "slack", report.taken_at, place)
            memory = remembered(replace(report, conditions=conditions), printed=False)
            good = evaluated(at("15:10"), memory, channels=["slack"])
            report = evaluated(at("15:20"), remembered(good, printed=False), channels=["slack"])
        assert len(report.owed["slack"]) >= n
        context = MessageContext(report, ("UTC",))
        return lambda: build_message(context, "slack", report.owed["slack"])

    assert_linear(prepare_size)
