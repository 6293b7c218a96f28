"""What lies beside the runtime's own rows.

Models and their sum, the owner's positions, booked assignments.
"""

from __future__ import annotations

from typing import Any

import pytest

from detector.domain.run_memory import FIRST_RUN
from detector.render.lines import format_decision
from tests.support.snapshots import evaluated, healthy, later, remembered, settings_of

SHARE = {"symbol": "SPY", "sec_type": "STK", "con_id": 756733}
PUT = {
    "symbol": "SPY",
    "sec_type": "OPT",
    "expiry": "20260619",
    "strike": 500,
    "right": "P",
    "multiplier": 100,
}


def document(held: list[dict[str, Any]], at_broker: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    snapshot = healthy() | more
    snapshot["status_v3"] |= {"open_positions": held, "open_position_count": len(held)}
    snapshot["broker"] = {"connected": True, "positions": at_broker}
    return snapshot


def evaluate(*args: Any, foreign: str = "", **more: Any) -> Any:
    return evaluated(document(*args, **more), settings=settings_of({"FOREIGN_POSITIONS": foreign}))


def list_kinds(report: Any) -> list[tuple[str, Any]]:
    watched = ("open_positions_drift", "comparison_unclear", "assignment_suspected", "contract_replaced")
    return [(event.type, event.observed) for event in report.events if event.type in watched]


# --- models ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "rest", "held", "kinds"),
    [
        pytest.param([6, 4], [10], 10, [], id="the row without a model is the sum"),
        pytest.param([6, 4], [10], 20, [("open_positions_drift", "quantity")], id="and is not counted twice"),
        pytest.param([6, 4], [], 10, [], id="models alone add up"),
        pytest.param([6], [4], 10, [], id="one more part, or a sum that lags: ten is possible"),
        pytest.param([6], [4], 4, [], id="and so is four"),
        pytest.param([6], [4], 6, [("open_positions_drift", "quantity")], id="six is neither"),
        pytest.param([6, -6], [0], 0, [], id="models that cancel out"),
    ],
)
def test_a_row_without_a_model_beside_models_is_their_sum(parts, rest, held, kinds):
    rows = [{**SHARE, "model": f"M{number}", "quantity": quantity} for number, quantity in enumerate(parts)]
    rows += [{**SHARE, "quantity": quantity} for quantity in rest]
    own = [{**SHARE, "quantity": held}] if held else []
    for listed in (rows, rows[::-1]):
        assert list_kinds(evaluate(own, listed)) == kinds


@pytest.mark.parametrize("name", ["All", "F1234567A"])
@pytest.mark.parametrize(
    ("held", "kinds"),
    [(30, ["comparison_unclear"]), (60, ["open_positions_drift"]), (25, ["open_positions_drift"])],
)
def test_a_row_of_all_accounts_is_the_sum_of_those_beside_it(name, held, kinds):
    rows = [
        {**SHARE, "account": account, "quantity": quantity}
        for account, quantity in ((name, 30), ("U1111111", 10), ("U2222222", 20))
    ]
    assert [kind for kind, _ in list_kinds(evaluate([{**SHARE, "quantity": held}], rows))] == kinds


IN_OTHER_WORDS: dict[str, Any] = {"symbol": "SPY", "sec_type": "STK", "trading_class": "SPY"}
DRIFT, UNCLEAR = "open_positions_drift", "comparison_unclear"


@pytest.mark.parametrize(
    ("at_broker", "held", "kinds"),
    [
        pytest.param([("Growth", 6), (None, 10)], 10, [(UNCLEAR, "SPY")], id="a sum beside a part of it"),
        pytest.param([("Growth", 6), (None, 10)], 16, [(UNCLEAR, "SPY")], id="or one more part"),
        pytest.param([("Growth", 6), (None, 10)], 6, [(DRIFT, "quantity")], id="the part alone is neither"),
        pytest.param([("Growth", 6), (None, 6)], 12, [(UNCLEAR, "SPY")], id="a part as large as the rest"),
        pytest.param([("Growth", 6), (None, 10)], 0, [(DRIFT, "unmanaged")], id="nothing manages either"),
    ],
)
def test_a_sum_of_models_in_other_words_is_no_second_holding(at_broker, held, kinds):
    words: tuple[dict[str, Any], ...] = (IN_OTHER_WORDS, SHARE)
    rows = [
        {**word, "quantity": quantity, **({"model": model} if model else {})}
        for word, (model, quantity) in zip(words, at_broker, strict=True)
    ]
    assert list_kinds(evaluate([{**SHARE, "quantity": held}] if held else [], rows)) == kinds


@pytest.mark.parametrize(
    ("total", "kinds"),
    [
        pytest.param(9, [], id="their sum"),
        pytest.param(8, [(UNCLEAR, "SPY")], id="not their sum: it lags, or is of more accounts"),
    ],
)
def test_an_advisor_s_list_of_all_accounts_is_no_third_account(total, kinds):
    quantities = {"DU1111111": 4, "DU2222222": 5}
    rows = [{**SHARE, "account": account, "quantity": n} for account, n in quantities.items()]
    own = [{**row, "trade_id": number, "is_open": 1} for number, row in enumerate(rows, 7)]
    at_broker = [*rows, {**SHARE, "account": "All", "quantity": total}]
    assert list_kinds(evaluate([], at_broker, stores={"position_state": own})) == kinds


# --- the owner's positions ------------------------------------------------------------------------------

OWNED = [{**SHARE, "quantity": 100}]


@pytest.mark.parametrize(
    ("foreign", "held", "at_broker", "kinds", "counted"),
    [
        pytest.param("756733=100", [], OWNED, [], ("long 100 SPY",), id="named exactly"),
        pytest.param("756733=-5", [], [{**SHARE, "quantity": -5}], [], ("short 5 SPY",), id="short"),
        pytest.param(
            "756733=99", [], OWNED, [("open_positions_drift", "unmanaged")], (), id="void at another quantity"
        ),
        pytest.param("756733=100", OWNED, OWNED, [], (), id="void where the runtime lists it"),
        pytest.param(
            "756733=100",
            [{**PUT, "quantity": -1}],
            OWNED,
            [("open_positions_drift", "phantom")],
            ("long 100 SPY",),
            id="the owner's shares are of no assignment",
        ),
        pytest.param(
            "756733=100",
            [{**SHARE, "con_id": 5, "quantity": 100}],
            OWNED,
            [("open_positions_drift", "phantom")],
            ("long 100 SPY",),
            id="nor of a replaced contract",
        ),
    ],
)
def test_what_the_owner_holds_is_counted_aloud_and_explains_nothing_else(
    foreign, held, at_broker, kinds, counted
):
    report = evaluate(held, at_broker, foreign=foreign)
    assert list_kinds(report) == kinds
    assert report.foreign == counted
    line = format_decision(report, ())
    assert ("counted as the owner's" in line) == bool(counted)
    assert all(name in line for name in counted)


# --- a mere contract id ---------------------------------------------------------------------------------

MERE = {"con_id": 902, "quantity": 3}
ENDED = {"symbol": "XSP", "expiry": "2026-06-01", "strike": 590, "right": "C", "quantity": 0, "is_open": 0}
LISTED = {"symbol": "SAN", "sec_type": "STK", "con_id": 852, "quantity": 500}
NAMED = {"symbol": "SAN", "sec_type": "STK"}


def list_stored(stored: list[dict[str, Any]], at_broker: list[dict[str, Any]]) -> list[tuple[str, Any]]:
    rows = [{"is_open": 1, **row, "trade_id": number} for number, row in enumerate(stored, 7)]
    return list_kinds(evaluate([], at_broker, stores={"position_state": rows}))


@pytest.mark.parametrize(
    ("stored", "at_broker", "kinds"),
    [
        pytest.param([ENDED], [MERE], [("comparison_unclear", "conid 902")], id="it may be what ended"),
        pytest.param(
            [{"symbol": "NDX US 06/02/26 P20000 Equity", "is_open": 0, "quantity": 0}],
            [MERE],
            [("comparison_unclear", "conid 902")],
            id="or what ended in June, or in February",
        ),
        pytest.param(
            [{**ENDED, "expiry": "2026-05-20"}], [MERE], [("open_positions_drift", "unmanaged")], id="settled"
        ),
        pytest.param(
            [ENDED], [{**MERE, "sec_type": "STK"}], [("open_positions_drift", "unmanaged")], id="a share"
        ),
        pytest.param([ENDED, MERE], [], [("open_positions_drift", "phantom")], id="open, and not held"),
        pytest.param(
            [LISTED, {**NAMED, "quantity": 3}],
            [LISTED, MERE],
            [("comparison_unclear", "SAN, conid 902")],
            id="it may be a row that is named like another contract",
        ),
        pytest.param(
            [LISTED, {**NAMED, "quantity": 2}],
            [LISTED, MERE],
            [("open_positions_drift", "quantity")],
            id="whichever contract that row is of, a quantity differs",
        ),
        pytest.param(
            [LISTED, {**NAMED, "quantity": 2}],
            [LISTED, {**MERE, "sec_type": "OPT"}],
            [("open_positions_drift", "quantity"), ("open_positions_drift", "unmanaged")],
            id="it is no share",
        ),
        pytest.param(
            [{**NAMED, "quantity": 500}],
            [LISTED, MERE],
            [("open_positions_drift", "unmanaged")],
            id="the row has what it needs",
        ),
    ],
)
def test_a_mere_id_may_be_a_contract_that_is_named_without_one(stored, at_broker, kinds):
    assert sorted(list_stored(stored, at_broker)) == kinds


def test_rows_of_two_contracts_that_cancel_out_are_not_flat():
    shares = [{**NAMED, "symbol": symbol, "quantity": 10} for symbol in ("BRK.A.O", "BRK B")]
    at_broker = [{**NAMED, "symbol": "BRK A", "con_id": 862, "quantity": 10},
                 {**NAMED, "symbol": "BRK B", "con_id": 861, "quantity": -10}]  # fmt: skip
    assert list_kinds(evaluate(shares, at_broker)) == [("open_positions_drift", "quantity")]


# --- what is unclear ------------------------------------------------------------------------------------


VAGUE = {"symbol": "SPY", "strike": 500, "quantity": 2}
EXPIRING = {"symbol": "CL", "sec_type": "FUT", "expiry": "20260602", "multiplier": 1000, "quantity": 2}
CALL = {**PUT, "right": "C"}


@pytest.mark.parametrize(
    ("held", "at_broker", "severity"),
    [
        pytest.param(
            [VAGUE], [{**PUT, "quantity": 3}, {**CALL, "quantity": -1}], "critical", id="held, perhaps"
        ),
        pytest.param([EXPIRING], [], "warning", id="the broker has none of it"),
    ],
)
def test_only_an_unclear_contract_that_may_be_held_becomes_critical(held, at_broker, severity):
    first, memory = document(held, at_broker), FIRST_RUN
    for seconds in range(0, 24_000, 1_200):
        memory = remembered(evaluated(later(first, seconds), memory))
    last = evaluated(later(first, 24_000), memory)
    event = next(event for event in last.events if event.type == "comparison_unclear")
    assert event.severity == severity


ELSEWHERE = [
    {**SHARE, "account": "DU1111111", "quantity": 100},
    {**SHARE, "account": "DU2222222", "quantity": 40},
]


@pytest.mark.parametrize(
    ("held", "at_broker", "remedy"),
    [
        pytest.param([{**SHARE, "quantity": 100}], ELSEWHERE, "their account in both places", id="accounts"),
        pytest.param([{**SHARE, "quantity": 3, "side": "sideways"}], [], None, id="an unknown side"),
        pytest.param([{**SHARE, "quantity": 5}], [{**SHARE, "quantity": 2}, {**SHARE, "quantity": 3}],
                     None, id="two lots that add up"),
        pytest.param([{**SHARE, "quantity": 3}], [{**SHARE, "quantity": 3}] * 2, None, id="a row twice"),
    ],
)  # fmt: skip
def test_what_is_unclear_is_told_with_what_would_make_it_clear(held, at_broker, remedy):
    events = [event for event in evaluate(held, at_broker).events if event.type == "comparison_unclear"]
    assert [f"{remedy} would make it clear." in event.summary for event in events] == [True] * bool(remedy)


@pytest.mark.parametrize(
    ("symbol", "row", "kinds"),
    [
        pytest.param("265598", {}, ["comparison_unclear"], id="a contract's id, it may be"),
        pytest.param("265598", {"con_id": 265598}, [], id="it is"),
        pytest.param("265598", {"con_id": 756733}, ["open_positions_drift"] * 2, id="it is another's"),
        pytest.param("265598", {"quantity": 9}, ["open_positions_drift"] * 2, id="another quantity"),
        pytest.param("265598", {"quantity": -10}, ["open_positions_drift"] * 2, id="another side"),
        pytest.param("700", {}, ["open_positions_drift"] * 2, id="a share's code"),
        pytest.param("600519", {"symbol": "600519"}, [], id="a share's code of six digits"),
        pytest.param("600519", {"symbol": "000001"}, ["open_positions_drift"] * 2, id="another share's"),
    ],
)
def test_a_number_may_be_the_id_of_what_the_broker_lists_without_one(symbol, row, kinds):
    report = evaluate([{"symbol": symbol, "quantity": 10}], [{"symbol": "AAPL", "quantity": 10, **row}])
    assert [kind for kind, _ in list_kinds(report)] == kinds


# --- assignments ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("moved", [1, 50])
def test_an_option_on_a_future_brings_one_future(moved):
    option = {
        "symbol": "ES",
        "sec_type": "FOP",
        "expiry": "20260619",
        "strike": 6000,
        "right": "P",
        "multiplier": 50,
    }
    future = {"symbol": "ES", "sec_type": "FUT", "expiry": "20260918", "con_id": 832, "multiplier": 50}
    kinds = list_kinds(evaluate([{**option, "quantity": -1}], [{**future, "quantity": moved}]))
    told = [("assignment_suspected", "long 1")] if moved == 1 else [("open_positions_drift", "phantom")]
    assert (kinds[:1], len(kinds)) == (told, 1 if moved == 1 else 2)


@pytest.mark.parametrize(("held", "kinds"), [(0.33333, []), (0.3345, [("open_positions_drift", "quantity")])])
def test_a_fraction_is_equal_within_the_last_decimal_of_the_shorter_one(held, kinds):
    assert list_kinds(evaluate([{**SHARE, "quantity": held}], [{**SHARE, "quantity": 0.3333}])) == kinds


MOVED = [{**SHARE, "quantity": 100}]
BOOKING = {
    "Symbol": "SPY   260619P00500000",
    "AssetClass": "OPT",
    "UnderlyingSymbol": "SPY",
    "Strike": 500,
    "Put/Call": "P",
    "Expiry": "20260619",
    "Quantity": 1,
    "Buy/Sell": "BUY",
    "TransactionType": "BookTrade",
    "TradePrice": 0,
    "DateTime": "20260601;162000",
    "IBExecID": "",
    "Multiplier": 100,
}


@pytest.mark.parametrize(
    ("booking", "says"),
    [
        pytest.param({"Notes/Codes": "A"}, "booked its exercise or assignment at", id="an assignment"),
        pytest.param({"Notes/Codes": "C;Ex"}, "booked its exercise or assignment at", id="an exercise"),
        pytest.param({"Notes/Codes": "Ep"}, "as it seems", id="an expiry"),
        pytest.param(
            {"Notes/Codes": "A", "Strike": 505, "Symbol": "SPY   260619P00505000"},
            "as it seems",
            id="of another",
        ),
        pytest.param(None, "as it seems", id="no statement"),
    ],
)
def test_a_booking_of_the_statement_confirms_an_assignment(booking, says):
    statement = {"as_of": "2026-06-02T10:00:00Z", "executions": [{**BOOKING, **(booking or {})}]}
    snapshot = document([{**PUT, "quantity": -1}], MOVED)
    snapshot["broker"] |= {} if booking is None else {"statement": statement}
    report = evaluated(snapshot)
    event = next(event for event in report.events if event.type == "assignment_suspected")
    assert says in event.summary
    assert "missed_fill" not in {event.type for event in report.events}


@pytest.mark.parametrize(
    ("right", "short", "own", "at_broker"),
    [
        pytest.param("P", -1, 0, 100, id="a put brings shares"),
        pytest.param("P", -1, 50, 150, id="beside those that there were"),
        pytest.param("C", -1, 100, 0, id="a covered call takes the shares that there were"),
        pytest.param("C", -1, 300, 200, id="or some of them"),
        pytest.param("C", -1, 0, -100, id="or sells short"),
    ],
)
def test_an_assignment_is_one_event_whatever_shares_there_were(right, short, own, at_broker):
    rows = [{**SHARE, "quantity": at_broker}] if at_broker else []
    for share in (SHARE, {"symbol": "SPY"}):
        held = [{**PUT, "right": right, "quantity": short}, *([{**share, "quantity": own}] if own else [])]
        report = evaluate(held, rows)
        assert [kind for kind, _ in list_kinds(report)] == ["assignment_suspected"]


@pytest.mark.parametrize(
    ("at_broker", "suspected"),
    [
        pytest.param(300, 2, id="both"),
        pytest.param(100, 1, id="the one"),
        pytest.param(200, 1, id="the other"),
        pytest.param(250, 0, id="no sum of them"),
    ],
)
def test_several_assignments_of_one_underlying_add_up(at_broker, suspected):
    held = [{**PUT, "quantity": -1}, {**PUT, "strike": 510, "quantity": -2}]
    kinds = [kind for kind, _ in list_kinds(evaluate(held, [{**SHARE, "quantity": at_broker}]))]
    drifts = 2 - suspected + (not suspected)
    assert sorted(kinds) == ["assignment_suspected"] * suspected + ["open_positions_drift"] * drifts


@pytest.mark.parametrize(
    ("right", "short", "left", "own", "at_broker", "is_suspected"),
    [
        pytest.param("P", -3, -2, 0, 100, True, id="one of three puts"),
        pytest.param("C", -5, -3, 0, -200, True, id="two of five calls"),
        pytest.param("C", -2, -1, 200, 100, True, id="a covered call of two"),
        pytest.param("P", -4, -3, 50, 150, True, id="beside shares that there were"),
        pytest.param("P", -3, -2, 0, 200, False, id="shares of two, one put gone"),
        pytest.param("P", -3, -2, 0, -100, False, id="in the other direction"),
        pytest.param("P", -2, -3, 0, -100, False, id="a put more than before"),
        pytest.param("P", 3, 2, 0, -100, False, id="a long one that has not expired"),
        pytest.param("P", -3, -2, 100, 100, False, id="no share moved"),
    ],
)
def test_an_assignment_of_some_contracts_is_one_event_too(right, short, left, own, at_broker, is_suspected):
    option = {**PUT, "right": right}
    for share in (SHARE, {"symbol": "SPY"}):
        held = [{**option, "quantity": short}, *([{**share, "quantity": own}] if own else [])]
        rows = [{**option, "con_id": 71, "quantity": left}, {**SHARE, "quantity": at_broker}]
        kinds = [kind for kind, _ in list_kinds(evaluate(held, rows))]
        drifts = ["open_positions_drift"] * (2 - (own == at_broker))
        assert kinds == (["assignment_suspected"] if is_suspected else drifts)


def test_shares_that_left_in_the_other_direction_are_no_assignment():
    held = [{**PUT, "quantity": -1}, {**SHARE, "quantity": 100}]
    assert [kind for kind, _ in list_kinds(evaluate(held, []))] == ["open_positions_drift"] * 2
