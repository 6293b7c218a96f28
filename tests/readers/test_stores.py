"""The runtime's own stores, under their own column names."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from detector.app.profile_document import parse_profile_text
from detector.domain.instrument import get_instrument_name
from detector.domain.previous_run import NO_PREVIOUS_RUN
from detector.domain.profile import ReadContext, parse_profile
from detector.domain.section_reading import Reading
from detector.formats.errors import InputError
from detector.profiles import load_builtin_profile
from detector.readers.stores import read
from tests.support.snapshots import settings_of

NOW = datetime(2026, 5, 6, 20, 0, tzinfo=UTC)


def reading(section: dict[str, Any], profile: str = "cortana") -> Reading:
    made_of = parse_profile(load_builtin_profile(profile) or {})
    made = Reading("stores", NOW, 120, made_of.zone)
    read(section, made, ReadContext(settings_of(), made_of, NO_PREVIOUS_RUN))
    return made


POSITION = {"id": 301, "trade_id": 162, "symbol": "SPY", "is_open": 1, "contracts_remaining": 39}
TRADE = {"id": 162, "signal_id": 238, "symbol": "SPY", "strike": 727, "right": "C", "expiry": "2026-05-06",
         "contracts": 39, "status": "OPEN", "entry_price": 5.5,
         "entry_time": "2026-05-06T10:55:54"}  # fmt: skip


def test_the_names_of_cortana():
    made = reading({"position_state": [POSITION], "trades": [TRADE]})
    (position,), (trade,) = made.values["store_positions"], made.values["store_trades"]
    assert made.invalid == []
    assert (
        position.trade_id,
        position.position_id,
        position.signed_quantity,
        position.is_effectively_open,
    ) == (
        "162",
        "301",
        Decimal(39),
        True,
    )
    assert (trade.trade_id, trade.signal_id, trade.signed_quantity, trade.is_effectively_open) == (
        "162",
        "238",
        Decimal(39),
        True,
    )
    assert trade.opened_at == datetime(2026, 5, 6, 15, 55, 54, tzinfo=UTC)  # Chicago's clock


def test_what_one_row_of_a_trade_does_not_say_the_other_does():
    made = reading({"position_state": [POSITION], "trades": [TRADE]})
    (position,), (trade,) = made.values["store_positions"], made.values["store_trades"]
    assert get_instrument_name(position) == "SPY 2026-05-06 727C"
    assert position.title == trade.title == "#162 (signal #238, position #301) in SPY 2026-05-06 727C"


def test_the_aegis_profile_knows_its_own_names_and_the_usual_ones():
    for row in (POSITION, {"trade_id": 162, "symbol": "SPY", "quantity": 39, "is_open": True}):
        (position,) = reading({"position_state": [row]}, "aegis").values["store_positions"]
        assert (position.trade_id, position.signed_quantity) == ("162", Decimal(39))
    (trade,) = reading({"trades": [{"id": 162, "pnl_dollars": 1857.7}]}, "aegis").values["store_trades"]
    assert (trade.trade_id, trade.realized_pnl) == ("162", 1857.7)


def test_the_rows_of_robo_trader_are_read_by_its_profile():
    (position,) = reading(
        {"position_state": [{"symbol": "COIN", "quantity": 10, "avg_cost": 250}]}, "robo_trader"
    ).values["store_positions"]
    assert (position.symbol, position.signed_quantity, position.avg_price) == ("COIN", Decimal(10), 250)


@pytest.mark.parametrize(
    ("row", "signed", "faults"),
    [
        ({"is_open": 1, "contracts_remaining": 5, "quantity": 39}, 5, []),
        ({"is_open": 1, "contracts_remaining": 39, "quantity": "39"}, 39, []),
        ({"is_open": 1, "contracts_remaining": 39, "quantity": -39}, 39, []),
        (
            {"is_open": 1, "contracts_remaining": 39, "quantity": 5},
            None,
            ["is 39 by contracts_remaining and 5 by quantity in the row of #162 in SPY"],
        ),
        ({"is_open": 0, "contracts_remaining": 39, "quantity": 5}, 0, []),
        ({"is_open": 1, "quantity": 5}, 5, []),
    ],
)
def test_of_two_columns_what_remains_is_the_quantity_unless_it_is_more_than_there_was(row, signed, faults):
    made = reading({"position_state": [{"trade_id": 162, "symbol": "SPY", **row}]}, "aegis")
    assert made.values["store_positions"][0].signed_quantity == signed
    assert [fault.problem for fault in made.invalid] == faults


@pytest.mark.parametrize(
    ("row", "held", "signed"),
    [
        ({"is_open": 1, "contracts_remaining": 39}, True, 39),
        ({"is_open": 0, "contracts_remaining": 39}, False, 0),
        ({"is_open": True, "contracts_remaining": "39.00"}, True, 39),
        ({"contracts_remaining": 39}, True, 39),
        ({"contracts_remaining": 0}, False, 0),
        ({"is_open": 1}, True, None),
        ({}, None, None),
        ({"is_open": 1, "contracts_remaining": 39, "side": "SHORT"}, True, -39),
        ({"is_open": 1, "contracts_remaining": -39, "side": "SHORT"}, True, -39),
        ({"is_open": 1, "contracts_remaining": 39, "side": "BULL"}, True, None),
        ({"is_open": 2, "contracts_remaining": 39}, None, None),
        ({"is_open": "1"}, None, None),
    ],
)
def test_what_a_row_says_is_open(row, held, signed):
    (position,) = reading({"position_state": [{"symbol": "SPY", **row}]}).values["store_positions"]
    assert (position.is_effectively_open, position.signed_quantity) == (
        held,
        None if signed is None else Decimal(signed),
    )


@pytest.mark.parametrize(
    ("row", "held"),
    [
        ({"status": "OPEN"}, True),
        ({"status": "closed"}, False),
        ({"status": "ROLLED"}, None),
        ({"exit_time": "2026-05-06T13:00:00"}, False),
        ({"status": "OPEN", "exit_time": "2026-05-06T13:00:00"}, True),
        ({}, None),
    ],
)
def test_what_a_trade_says_is_open(row, held):
    (trade,) = reading({"trades": [{"id": 162, **row}]}).values["store_trades"]
    assert trade.is_effectively_open is held


@pytest.mark.parametrize(
    ("position", "trade", "sides"),
    [
        ({"contracts_remaining": 5, "side": "SHORT"}, [5], (-5, None)),
        ({"contracts_remaining": -5}, [5], (-5, None)),
        ({"contracts_remaining": 5}, [-5], (None, -5)),
        ({"contracts_remaining": 5}, [5], (5, 5)),
        ({"contracts_remaining": -5}, [5, -1], (-5, 5)),  # that store writes signs: one of the two is wrong
        ({"contracts_remaining": -5, "is_open": 0}, [5], (0, None)),
    ],
)
def test_a_quantity_without_a_side_is_not_long_where_the_other_store_has_its_trade_short(
    position, trade, sides
):
    trades = [{"id": 162 + n, "quantity": quantity} for n, quantity in enumerate(trade)]
    made = reading({"position_state": [{"trade_id": 162, "symbol": "SPY", **position}], "trades": trades})
    rows = made.values["store_positions"][0], made.values["store_trades"][0]
    assert tuple(row.signed_quantity for row in rows) == sides
    assert [fault.path for fault in made.invalid] == ["stores.position_state.side"][: sides[0] is None]


ROW = {"symbol": "SPY", "contracts_remaining": 39}


@pytest.mark.parametrize(
    ("more", "column", "problem"),
    [
        ({"side": "BULL"}, "side", "is 'BULL', which is neither long nor short"),
        ({"side": 0}, "side", "is '0', which is neither long nor short"),
        ({"is_short": 1}, "is_short", "says short, and nothing reads it"),
        ({"direction": "Short"}, "direction", "says short, and nothing reads it"),
        ({"direction": "空"}, "direction", "says short, and nothing reads it"),
        ({"position_side": "kort"}, "position_side", "is 'kort', which is neither long nor short"),
        ({"status": "STOPPED"}, "status", "is 'STOPPED', which is neither open nor closed"),
        ({"status": 0}, "status", "is '0', which is neither open nor closed"),
        ({"trade_status": "CLOSED"}, "trade_status", "says closed, and nothing reads it"),
        ({"is_active": 0}, "is_active", "says closed, and nothing reads it"),
        (
            {"deleted_at": "2026-05-05"},
            "deleted_at",
            "says closed, and nothing reads it: map it as closed_at",
        ),
        ({"deleted": 1}, "deleted", "says closed, and nothing reads it: map it as is_open or status"),
        (
            {"exit_price": 6.46},
            "exit_price",
            "says closed, and nothing reads it: map it as is_open or status",
        ),
        ({"exit_date": "2026-05-05"}, "exit_date", "says closed, and nothing reads it: map it as closed_at"),
        ({"is_open": 1, "contracts_remaining": None}, "quantity", "of a row that is not closed is not given"),
        *(
            ({"contracts_remaining": none}, "quantity", "of a row that is not closed is not given")
            for none in (None, "", " ", "nan", 1.7976931348623157e308)
        ),
        ({"is_open": "0"}, "is_open", "is text, not true or false"),
        ({"closed_at": "yesterday"}, "closed_at", "is not an RFC 3339 "),
        ({"closed_at": "1970-01-01T00:00:00Z"}, "closed_at", "is text, not a time of this runtime"),
    ],
)
def test_what_would_decide_and_is_not_understood_is_reported_and_nothing_is_assumed(more, column, problem):
    made = reading({"position_state": [{**ROW, **more}]})
    assert [(fault.path, fault.problem[: len(problem)]) for fault in made.invalid] == [
        (f"stores.position_state.{column}", problem)
    ]
    (position,) = made.values["store_positions"]
    assert position.signed_quantity is None


@pytest.mark.parametrize(
    "more",
    [
        {"is_short": 0}, {"direction": "BULLISH"}, {"state": "open"}, {"is_active": 1}, {"exit_date": None},
        {"is_open": 1, "exit_date": "2026-05-05"}, {"side": "PositionSide.LONG"}, {"status": "<State.OPEN: 1>"},
        *({"closed_at": none} for none in ("NaT", "None", "null", " ", 0)), {"exit_date": "NaT"}, {"exit_date": 0},
        {"side": "None"}, {"side": " "}, {"is_open": "nan"}, {"status": "<NA>"},
    ],
)  # fmt: skip
def test_what_changes_nothing_is_not_reported(more):
    made = reading({"position_state": [{**ROW, **more}]})
    assert made.invalid == []
    assert made.values["store_positions"][0].signed_quantity == 39


@pytest.mark.parametrize(
    "closed", [{"is_open": 0}, {"status": "CLOSED"}, {"closed_at": "2026-05-05T20:00:00Z"}]
)
def test_a_closed_row_needs_no_quantity(closed):
    made = reading({"position_state": [{"symbol": "SPY", **closed}]})
    assert made.invalid == []
    assert made.values["store_positions"][0].signed_quantity == 0


@pytest.mark.parametrize("written", [2, -1, "yes", 0.5, []])
def test_a_flag_that_is_neither_0_nor_1_is_not_seen_and_said(written):
    made = reading({"position_state": [{"symbol": "SPY", "is_open": written, "contracts_remaining": 1}]})
    assert [fault.path for fault in made.invalid] == ["stores.position_state.is_open"]


def test_a_time_without_a_zone_is_not_seen_where_the_profile_names_none():
    made = reading({"trades": [{"id": 1, "opened_at": "2026-05-06T10:55:54"}]}, "aegis")
    assert [fault.path for fault in made.invalid] == ["stores.trades.opened_at"]


def test_a_query_that_failed_shows_nothing():
    made = reading({"position_state": [], "trades": [], "error": "database is locked"})
    assert made.values == {}
    assert [fault.problem for fault in made.invalid] == ["says that the query failed (database is locked)"]


def test_an_open_row_that_names_nothing_makes_the_store_partial_and_a_closed_one_does_not():
    assert reading({"position_state": [{"is_open": 1}]}).partial == {"store_positions"}
    assert reading({"position_state": [{"is_open": 0}]}).partial == set()
    assert reading({"trades": [{"symbol": "SPY"}]}).partial == {"store_trades"}


@pytest.mark.parametrize("junk", [None, 5, "x", [], {}, [[]], [None]], ids=json.dumps)
def test_any_junk_is_read_without_falling_over(junk):
    reading({"position_state": junk, "trades": [junk, {"id": junk, "status": junk}], "error": junk})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[stores.orders]", "line 1: [stores] orders: is not known; there are: position_state, trades"),
        ("[stores]\ntrades = []", "line 2: [stores] trades: must be a table"),
        (
            "[stores.trades]\nprice = 'p'",
            "line 2: [stores.trades] price: is not known; did you mean entry_price, exit_price",
        ),
        ("[stores.trades]\nfees = []", "line 2: [stores.trades] fees: is empty"),
        ("[stores.trades]\nfees = 5", "line 2: [stores.trades] fees: must be a list"),
    ],
)
def test_a_mapping_that_cannot_be_used_is_named(text, message):
    with pytest.raises(InputError) as caught:
        parse_profile_text(text)
    assert message in str(caught.value)
