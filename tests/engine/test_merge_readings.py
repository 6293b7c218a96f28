"""Where two payloads carry a fact, the worse one counts, each fact in its own direction."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import fields

from detector.domain.columns import UNITED, get_columns
from detector.domain.facts import STATUS_FACTS
from detector.domain.runtime_rows import Order, Position, Tick
from detector.domain.section_reading import Reading
from detector.domain.trade_rows import Trade
from detector.engine.merge_readings import merge_readings, merge_rows
from detector.formats.times import NEVER

NOW = datetime(2026, 6, 2, 15, 0, tzinfo=UTC)
OLD, OLDER = NOW - timedelta(seconds=10), NOW - timedelta(seconds=400)

# Every fact of DESIGN §3 with two values, the worse one first; a list is united, `mode` is the first one's.
WORSE: dict[str, tuple[Any, Any]] = {
    "heartbeat_at": (OLDER, OLD),
    "pending_orders": (3, 2),
    "pending_exits": (1, 0),
    "stuck_exits": (1, 0),
    "broker_reconcile_pending": (True, False),
    "position_reconcile_pending": (True, False),
    "entry_blocking_reconcile_pending": (True, False),
    "broker_confirmation_required": (True, False),
    "send_outcome_unknown": (2, 1),
    "unknown_fills": (1, 0),
    "market_data_status": ("degraded", "ok"),
    "market_data_10197_recent": (10, 9),
    "max_exit_attempt_count": (20, 19),
    "broker_connected": (False, True),
    "connection_error": ("API connection failed: TimeoutError()", ""),
    "open_position_count": (1, 0),
    "engine_started_at": (OLD, OLDER),
    "last_reconcile_at": (OLDER, OLD),
    "trading_halted": (True, False),
}
LISTS = {"orders": Order, "open_positions": Position, "recent_trades": Trade, "ticks": Tick}
by_fact = pytest.mark.parametrize("fact", WORSE)


def carrying(section: str, **values: Any) -> Reading:
    one = Reading(section, NOW, 120)
    one.values.update(values)
    return one


def both(one: dict[str, Any], other: dict[str, Any]) -> Any:
    return merge_readings([carrying("status_v3", **one), carrying("bot_status", **other)])


# ---- one value each ----------------------------------------------------------------------------------


def test_every_fact_of_the_design_says_which_way_is_worse():
    assert {*WORSE, *LISTS, "mode"} == set(STATUS_FACTS)
    assert {name for name, spec in STATUS_FACTS.items() if spec["worse"] == UNITED} == set(LISTS)


@by_fact
@pytest.mark.parametrize("worse_first", [True, False], ids=["the worse one first", "the worse one last"])
def test_the_worse_one_counts_and_is_known_for_it(fact, worse_first):
    worse, better = WORSE[fact]
    first, last = (worse, better) if worse_first else (better, worse)
    values, provenance = both({fact: first}, {fact: last})
    assert values == {fact: worse}
    assert provenance.seen[fact] == ("status_v3", "bot_status")
    assert provenance.raised[fact] == ("status_v3",) if worse_first else ("bot_status",)


@by_fact
@pytest.mark.parametrize("which", [0, 1], ids=["worse", "better"])
def test_what_both_say_both_have_raised(fact, which):
    value = WORSE[fact][which]
    values, provenance = both({fact: value}, {fact: value})
    assert values == {fact: value}
    assert provenance.raised[fact] == ("status_v3", "bot_status")


@by_fact
@pytest.mark.parametrize("section", ["status_v3", "bot_status"])
def test_what_one_lacks_the_other_one_says(fact, section):
    for value in WORSE[fact]:
        one, other = ({fact: value}, {}) if section == "status_v3" else ({}, {fact: value})
        values, provenance = both(one, other)
        assert values == {fact: value}
        assert provenance.seen == provenance.raised == {fact: (section,)}


def test_nothing_is_made_up_where_neither_says_anything():
    assert both({}, {})[0] == {}
    assert merge_readings([])[0] == {}


def test_the_mode_is_the_first_ones():
    assert both({"mode": "paper"}, {"mode": "live"})[0] == {"mode": "paper"}


@pytest.mark.parametrize(
    ("fact", "first", "second"),
    [
        ("market_data_status", "stale", "down"),
        ("connection_error", "refused", "timed out"),
        ("market_data_status", "ok", "OK"),
    ],
)
def test_of_two_that_are_as_bad_the_first_one_is_shown(fact, first, second):
    assert both({fact: first}, {fact: second})[0] == {fact: first}


def test_a_reconciliation_that_never_came_is_worse_than_an_old_one():
    assert both({"last_reconcile_at": OLD}, {"last_reconcile_at": NEVER})[0] == {"last_reconcile_at": NEVER}


@pytest.mark.parametrize("word", ["ok", "OK", " Ok "])
def test_ok_is_ok_in_any_writing(word):
    assert (
        both({"market_data_status": word}, {"market_data_status": "stale"})[0]["market_data_status"]
        == "stale"
    )
    assert (
        both({"market_data_status": "stale"}, {"market_data_status": word})[0]["market_data_status"]
        == "stale"
    )


def test_what_each_said_alone_is_kept():
    _, provenance = both({"pending_orders": 1}, {"pending_orders": 2, "pending_exits": 0})
    assert provenance.alone == {
        "status_v3": {"pending_orders": 1},
        "bot_status": {"pending_orders": 2, "pending_exits": 0},
    }


def test_what_one_could_read_only_in_part_is_known_in_part():
    one, other = carrying("status_v3", orders=()), carrying("bot_status", orders=())
    other.partial.add("orders")
    one.read_paths.add("status_v3.pending_orders")
    provenance = merge_readings([one, other])[1]
    assert provenance.partial == {"orders"}
    assert provenance.has_read("status_v3.pending_orders")


@pytest.mark.parametrize(
    ("path", "read"),
    [
        ("status_v3.orders", True),
        ("status_v3.orders.filled", True),
        ("status_v3", False),
        ("status_v3.ordersx", False),
        ("bot_status.orders", False),
        (None, False),
        ("", False),
    ],
)
def test_a_path_was_read_where_it_or_its_list_was(path, read):
    one = carrying("status_v3")
    one.read_paths.add("status_v3.orders")
    assert merge_readings([one])[1].has_read(path) is read


# ---- lists -------------------------------------------------------------------------------------------


def test_lists_are_united_by_identity():
    spy, qqq, dia = Position("SPY", quantity=1), Position("QQQ", quantity=2), Position("DIA", quantity=3)
    values, provenance = both({"open_positions": (spy, qqq)}, {"open_positions": (qqq, dia)})
    assert values["open_positions"] == (spy, qqq, dia)
    assert provenance.raised["open_positions"] == ("status_v3", "bot_status")


def test_an_empty_list_raised_nothing_that_the_other_shows():
    spy = Position("SPY", quantity=1)
    values, provenance = both({"open_positions": ()}, {"open_positions": (spy,)})
    assert values["open_positions"] == (spy,)
    assert provenance.raised["open_positions"] == ("bot_status",)


def test_two_empty_lists_were_both_seen():
    values, provenance = both({"open_positions": ()}, {"open_positions": ()})
    assert values["open_positions"] == ()
    assert provenance.raised["open_positions"] == ("status_v3", "bot_status")


@pytest.mark.parametrize(
    ("row", "column", "worse", "better"),
    [
        (Position("SPY"), "quantity", 5, 4),
        (Position("SPY"), "quantity", -5, 4),
        (Position("SPY"), "exit_attempt_count", 20, 12),
        (Order(order_id="7"), "submitted_at", OLDER, OLD),
        (Order(order_id="7"), "filled", 2, 1),
        (Order(order_id="7"), "quantity", 10, 5),
        (Trade(trade_id="162"), "pnl_unknown", True, False),
        (Tick("SPY"), "at", OLDER, OLD),
    ],
)
def test_of_one_row_in_two_lists_the_worse_column_counts(row, column, worse, better):
    columns = {spec.name: getattr(row, spec.name) for spec in fields(row)}
    one, other = (type(row)(**{**columns, column: value}) for value in (worse, better))
    assert merge_rows((one,), (other,), type(row)) == (one,)
    assert merge_rows((other,), (one,), type(row)) == (one,)
    assert merge_rows((row,), (one,), type(row)) == (one,)
    assert merge_rows((one,), (row,), type(row)) == (one,)


def test_the_tags_of_both_lists_count():
    one, other = Position("SPY", tags=("a", "Broker")), Position("SPY", tags=("Broker", "b"))
    assert merge_rows((one,), (other,), Position) == (Position("SPY", tags=("a", "Broker", "b")),)


def test_an_option_is_another_instrument_than_its_underlying():
    stock = Position("SPY", quantity=1)
    call = Position("SPY", expiry="20260506", strike=727, right="C", quantity=1)
    put = Position("SPY", expiry="20260506", strike=727, right="P", quantity=1)
    assert merge_rows((stock, call), (call, put), Position) == (stock, call, put)


def test_of_two_sides_of_one_size_the_first_is_kept():
    long, short = Position("SPY", quantity=5), Position("SPY", quantity=-5)
    assert merge_rows((long,), (short,), Position) == (long,)
    assert merge_rows((short,), (long,), Position) == (short,)


def test_two_rows_of_one_identity_stay_two():
    one, two = Position("SPY", quantity=1), Position("SPY", quantity=2)
    assert merge_rows((one, two), (), Position) == (one, two)
    assert merge_rows((one, two), (one, two), Position) == (one, two)
    assert merge_rows((one,), (one, two), Position) == (one, two)


def test_an_order_is_known_by_its_order_id_before_its_permanent_one():
    one = Order(order_id="7", filled=1)
    other = Order(order_id="7", perm_id="900", filled=2)
    assert merge_rows((one,), (other,), Order) == (Order(order_id="7", perm_id="900", filled=2),)


# ---- properties --------------------------------------------------------------------------------------

TIMES = st.integers(0, 10**6).map(lambda seconds: NOW - timedelta(seconds=seconds))
VALUES = {
    "time": TIMES,
    "count": st.integers(0, 50),
    "flag": st.booleans(),
    "flag or count": st.integers(0, 5),
    "count or list": st.integers(0, 50),
}
COMMUTES = sorted(name for name, spec in STATUS_FACTS.items() if spec["kind"] in VALUES)
"""All but the lists, which keep their order, and texts, of which the first bad one is shown."""


@given(data=st.data(), fact=st.sampled_from(COMMUTES))
def test_which_payload_says_it_makes_no_difference(data, fact):
    value = VALUES[STATUS_FACTS[fact]["kind"]]
    one, other = data.draw(value), data.draw(value)
    assert both({fact: one}, {fact: other})[0] == both({fact: other}, {fact: one})[0]


@given(data=st.data(), fact=st.sampled_from(COMMUTES))
def test_the_worse_of_three_does_not_depend_on_their_order(data, fact):
    three = data.draw(st.tuples(*[VALUES[STATUS_FACTS[fact]["kind"]]] * 3))
    found = {
        merge_readings([carrying(str(place), **{fact: three[place]}) for place in order])[0][fact]
        for order in ((0, 1, 2), (2, 1, 0), (1, 0, 2))
    }
    assert len(found) == 1
    assert found <= set(three)


POSITIONS = st.lists(
    st.builds(
        Position,
        symbol=st.sampled_from(["SPY", "QQQ"]),
        quantity=st.none() | st.integers(0, 9),
        exit_attempt_count=st.none() | st.integers(0, 30),
        tags=st.none() | st.just(("Broker",)),
    ),
    max_size=4,
).map(tuple)


@given(one=POSITIONS, other=POSITIONS)
def test_uniting_lists_loses_no_row_and_no_seen_column(one, other):
    rows = merge_rows(one, other, Position)
    assert merge_rows(one, one, Position) == one
    assert sorted(map(repr, rows)) == sorted(map(repr, merge_rows(other, one, Position)))
    for symbol in ("SPY", "QQQ"):
        of = [[row for row in rows_ if row.symbol == symbol] for rows_ in (rows, one, other)]
        assert len(of[0]) == max(len(of[1]), len(of[2]))
        for column in get_columns(Position):
            if any(getattr(row, column) is not None for row in (*of[1], *of[2])):
                assert any(getattr(row, column) is not None for row in of[0])
