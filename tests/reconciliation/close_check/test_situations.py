"""`can-close` on what accounts hold: no leave that opens, flips or exits twice under any reading."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from detector.commands import can_close
from detector.domain.instrument import Instrument
from detector.reconciliation.close_check.close_order import ALLOW, CANNOT_TELL, REFUSE, CloseOrder
from tests.support.real_account_answers import read_state

ACCOUNT = "DU1234567"
CALL = {"symbol": "SPY", "con_id": 801, "sec_type": "OPT", "expiry": "20260619", "strike": 727.0, "right": "C",
        "multiplier": "100", "trading_class": "SPY", "currency": "USD"}  # fmt: skip
OF_CALL = Instrument("SPY", expiry="2026-06-19", strike=727.0, right="C")
ADJUSTED = {name: value for name, value in CALL.items() if name not in ("con_id", "trading_class")}


def hold(quantity: float, row: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"quantity": quantity, "account": ACCOUNT, **row, **more}


def future(symbol: str, trading_class: str, local: str, day: str, multiplier: str) -> dict[str, Any]:
    return {"symbol": symbol, "con_id": 831, "sec_type": "FUT", "expiry": day, "multiplier": multiplier,
            "local_symbol": local, "trading_class": trading_class}  # fmt: skip


def month(symbol: str, expiry: str = "202606") -> Instrument:
    return Instrument(symbol, sec_type="FUT", expiry=expiry)


def work(side: str, quantity: float, number: int = 10, **more: Any) -> dict[str, Any]:
    return {"order_id": number, "perm_id": 9000 + number, "client_id": 7, "side": side, "quantity": quantity,
            "filled": 0, "status": "Submitted", "account": ACCOUNT, **CALL, **more}  # fmt: skip


def fill(side: str, quantity: float, **more: Any) -> dict[str, Any]:
    return {"exec_id": "0000e.1.01.01", "order_id": 10, "side": side, "quantity": quantity, "account": ACCOUNT,
            "at": "2026-06-02T14:59:48Z", **more}  # fmt: skip


def decide(rows: list[dict[str, Any]], instrument: Instrument, quantity: float, **lists: Any) -> str:
    document = {
        "taken_at": "2026-06-02T15:00:00Z",
        "broker": {
            "as_of": "2026-06-02T14:59:50Z",
            "connected": True,
            "positions": rows,
            "open_orders": [],
            **lists,
        },
    }
    state = read_state(document, ACCOUNT)
    order = CloseOrder(instrument, Decimal(str(quantity)), None, ACCOUNT)
    return can_close._decide(order, state).decision


@pytest.mark.parametrize(
    ("row", "instrument", "decision"),
    [
        pytest.param(future("VIX", "VX", "VXM6", "20260616", "1000"), month("VIX"), ALLOW, id="the month"),
        pytest.param(
            future("VIX", "VX", "VX23M6", "20260609", "1000"), month("VIX"), CANNOT_TELL, id="a week"
        ),
        pytest.param(
            future("VIX", "VX", "VX23M6", "20260609", "1000"),
            month("VIX", "2026-06-17"),
            REFUSE,
            id="its day",
        ),
        pytest.param(
            future("VIX", "VXM", "VXMM6", "20260616", "100"), month("VIX"), CANNOT_TELL, id="mini VIX"
        ),
        pytest.param(future("SI", "SI", "SIM6", "20260626", "5000"), month("SI"), ALLOW, id="silver"),
        pytest.param(
            future("SI", "SIL", "SILM6", "20260626", "1000"), month("SI"), CANNOT_TELL, id="micro silver"
        ),
        pytest.param(future("EUR", "6E", "6EM6", "20260615", "125000"), month("EUR"), ALLOW, id="the euro"),
        pytest.param(
            future("EUR", "E7", "E7M6", "20260615", "62500"), month("EUR"), CANNOT_TELL, id="mini euro"
        ),
        pytest.param(
            future("CL", "CL", "CLN6", "20260622", "1000"), month("CL", "202607"), ALLOW, id="July crude"
        ),
        pytest.param(
            future("CL", "CL", "CLN6", "20260622", "1000"), month("CL"), CANNOT_TELL, id="June or July"
        ),
        pytest.param(
            future("ES", "ES", "ESM6", "20260601", "50"), month("ES"), REFUSE, id="ended in its month"
        ),
        pytest.param(
            future("ES", "ES", "ESM6", "20260601", "50"),
            Instrument(local_symbol="ESM6"),
            REFUSE,
            id="ended, by its local symbol",
        ),
        pytest.param(ADJUSTED | {"multiplier": "10"}, OF_CALL, CANNOT_TELL, id="an adjusted option"),
        pytest.param(ADJUSTED, OF_CALL, ALLOW, id="an option without its class"),
    ],
)
def test_a_contract_of_another_size_or_week_is_not_the_one_that_is_asked(row, instrument, decision):
    assert decide([hold(2, row)], instrument, 2) == decision


SHARE = {"symbol": "AAPL", "con_id": 841, "sec_type": "STK", "currency": "USD"}
NOTE = {"symbol": "IBCID694587387", "con_id": 851, "sec_type": "BOND", "local_symbol": "US91282CJJ18"}


@pytest.mark.parametrize(
    ("beside", "instrument", "decision"),
    [
        pytest.param([hold(0, CALL | {"symbol": "AAPL"})], Instrument("AAPL"), ALLOW, id="an option that is flat"),
        pytest.param([hold(1, CALL | {"symbol": "AAPL"})], Instrument("AAPL"), CANNOT_TELL, id="an option"),
        pytest.param([hold(5, SHARE | {"symbol": "AAPL.RTS", "con_id": 842})], Instrument("AAPL"), ALLOW, id="its rights"),
        pytest.param([hold(5, SHARE | {"con_id": 842, "currency": "CAD"})], Instrument("AAPL"), CANNOT_TELL, id="of two exchanges"),
        pytest.param([hold(2, NOTE), hold(3, CALL)], Instrument(local_symbol="US91282CJJ18"), ALLOW, id="a bond's code"),
        pytest.param([hold(2, CALL), hold(-3, CALL | {"con_id": 802, "strike": 700.0})],
                     Instrument(local_symbol="SPY   260619C00727000"), ALLOW, id="an option's code"),
        pytest.param([hold(2, future("EUR", "6E", "6EM6", "20260615", "125000"))], Instrument("6EM6"), ALLOW, id="a local symbol"),
        pytest.param([hold(2, future("EUR", "6E", "6EM6", "20260615", "125000"))], Instrument("6EU6"), REFUSE, id="of another month"),
    ],
)  # fmt: skip
def test_a_name_that_is_of_one_row_alone_needs_no_further_word(beside, instrument, decision):
    assert decide([hold(2, SHARE), *beside], instrument, 2) == decision


@pytest.mark.parametrize("account", ["du1234567", "DU123****", "DU1234567/Growth", "Main account", None])
def test_an_exit_or_a_fill_of_an_account_in_another_spelling_may_be_of_this_one(account):
    assert decide([hold(5, CALL)], OF_CALL, 5, open_orders=[work("SELL", 5, account=account)]) != ALLOW
    assert decide([hold(5, CALL)], OF_CALL, 5, executions=[fill("SLD", 5, **CALL, account=account)]) != ALLOW


def test_another_account_is_another():
    assert decide([hold(5, CALL)], OF_CALL, 5, open_orders=[work("SELL", 5, account="DU7654321")]) == ALLOW


@pytest.mark.parametrize(
    ("parent", "decision"),
    [
        pytest.param(work("BUY", 5, 20), ALLOW, id="an entry"),
        pytest.param(work("BUY", 2, 20), REFUSE, id="an entry of less"),
        pytest.param(work("BUY", 5, 20, client_id=9), REFUSE, id="another client's order of that number"),
        pytest.param(work("BUY", 5, 20, con_id=802, strike=728.0), REFUSE, id="an order in another contract"),
        pytest.param(work("SELL", 1, 20), REFUSE, id="an exit before it"),
        pytest.param(work("BUY", 5, 20, filled=1), REFUSE, id="an entry that fills"),
    ],
)
def test_a_child_waits_only_for_an_entry_that_brings_what_it_takes(parent, decision):
    child = work("SELL", 5, 21, parent_id=20)
    assert decide([hold(5, CALL)], OF_CALL, 5, open_orders=[parent, child]) == decision


@pytest.mark.parametrize(
    ("day", "local_day", "decision"),
    [
        pytest.param("20260602", "260603", ALLOW, id="it trades today, and is settled tomorrow"),
        pytest.param("20260602", "260602", CANNOT_TELL, id="it is settled today, and traded until yesterday"),
        pytest.param("20260603", "260602", CANNOT_TELL, id="its day is written a day late"),
    ],
)
def test_an_option_that_is_settled_in_the_morning_trades_until_the_day_before(day, local_day, decision):
    local = f"SPX   {local_day}C00727000"
    row = CALL | {"symbol": "SPX", "trading_class": "SPX", "expiry": day, "local_symbol": local}
    assert decide([hold(2, row)], Instrument(con_id="801"), 2) == decision


def test_one_group_name_of_two_clients_may_be_two_groups():
    pair = [work("SELL", 5, 5, oca_group="a"), work("SELL", 5, 6, oca_group="a")]
    assert decide([hold(10, CALL)], OF_CALL, 5, open_orders=pair) == ALLOW
    assert (
        decide([hold(10, CALL)], OF_CALL, 5, open_orders=[pair[0], pair[1] | {"client_id": 8}]) == CANNOT_TELL
    )


def test_a_combo_that_filled_without_its_legs_may_have_sold_this_one():
    combo = fill("BOT", 5, symbol="SPY", sec_type="BAG")
    leg = fill("BOT", 1, exec_id="0000e.2.01.01", **CALL | {"con_id": 802, "strike": 728.0})
    assert decide([hold(5, CALL)], OF_CALL, 5, executions=[combo]) == CANNOT_TELL
    assert decide([hold(5, CALL)], OF_CALL, 5, executions=[combo, leg]) == CANNOT_TELL
    own = fill("BOT", 1, exec_id="0000e.3.01.01", **CALL)
    assert decide([hold(5, CALL)], OF_CALL, 5, executions=[combo, own]) == ALLOW


@pytest.mark.parametrize(
    ("row", "day", "decision"),
    [
        pytest.param({}, "20260601", CANNOT_TELL, id="it may be the option that ended yesterday"),
        pytest.param({}, "20260515", ALLOW, id="what ended weeks ago is settled"),
        pytest.param({}, "20260619", ALLOW, id="an option that lives"),
        pytest.param({"sec_type": "STK"}, "20260601", ALLOW, id="a share is none"),
    ],
)
def test_a_mere_id_may_be_a_contract_that_has_ended(row, day, decision):
    ended = {name: value for name, value in CALL.items() if name != "con_id"} | {"expiry": day}
    filled = fill("BOT", 2, **ended, at="2026-05-15T14:00:00Z")
    assert (
        decide([hold(2, {"con_id": 902, **row})], Instrument(con_id="902"), 2, executions=[filled])
        == decision
    )


@pytest.mark.parametrize(
    ("row", "asked", "decision"),
    [
        pytest.param({"sec_type": "OPT"}, {}, CANNOT_TELL, id="no list has its last day"),
        pytest.param({"sec_type": "FUT"}, {}, CANNOT_TELL, id="a future"),
        pytest.param({"sec_type": "OPT"}, {"expiry": "20260619"}, ALLOW, id="the question has it"),
        pytest.param({"sec_type": "OPT", "expiry": "20260619"}, {}, ALLOW, id="the row has it"),
        pytest.param({"sec_type": "FUT", "expiry": "202606"}, {}, ALLOW, id="its month lives"),
        pytest.param({"sec_type": "STK"}, {}, ALLOW, id="a share has none"),
    ],
)
def test_what_ends_and_has_no_day_anywhere_may_have_ended(row, asked, decision):
    assert decide([hold(2, {"con_id": 902, **row})], Instrument(con_id="902", **asked), 2) == decision
