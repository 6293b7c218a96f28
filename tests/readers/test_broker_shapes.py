"""Real ib_async objects, of every kind of contract, in every way in which people write them as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from ib_async import util

from tests.support.broker_shapes import FACTS, expected_columns, list_shape_rows, reading
from tests.support.ib_objects import ACCOUNT, BUILDERS, CONTRACTS, WAYS
from tests.support.program import answer
from tests.support.snapshots import evaluated, named


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("listed", BUILDERS)
def test_every_field_is_read_of_every_kind_of_contract(listed, way):
    for kind in CONTRACTS:
        made = reading({listed: WAYS[way]([BUILDERS[listed](kind)])})
        assert made.invalid == [], kind
        (row,) = made.values[FACTS[listed]]
        expected = expected_columns(listed, kind)
        assert {name: getattr(row, name) for name in expected} == expected, kind


@pytest.mark.parametrize("way", WAYS)
def test_several_rows_stay_apart_and_in_order(way):
    kinds = ("stock", "option", "crypto")
    made = reading({"positions": WAYS[way]([BUILDERS["positions"](kind) for kind in kinds])})
    assert [row.sec_type for row in made.values["broker_positions"]] == ["STK", "OPT", "CRYPTO"]


def document(listed: Any, internal: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A snapshot of a broker that was read ten seconds ago, and a store beside it."""
    at = "2026-06-02T14:59:50Z"
    broker = {"as_of": at, "connected": True, "positions": listed, "open_orders": [], **more}
    return {
        "taken_at": "2026-06-02T15:00:00Z",
        "broker": broker,
        "stores": {"as_of": at, "position_state": [internal]},
    }


OPTION = {
    "trade_id": 162,
    "symbol": "SPY",
    "sec_type": "OPT",
    "expiry": "20260619",
    "strike": 727,
    "right": "C",
}
# --- the names of keys in other forms --------------------------------------------------------------------


def rename(value: Any, form: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {form(key): rename(item, form) for key, item in value.items()}
    return [rename(item, form) for item in value] if isinstance(value, list) else value


def split_words(key: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).lower()


FORMS: dict[str, Callable[[str], str]] = {
    "lower": str.lower,
    "UPPER": str.upper,
    "Pascal": lambda key: key[:1].upper() + key[1:],
    "snake": split_words,
    "UPPER_SNAKE": lambda key: split_words(key).upper(),
    "kebab": lambda key: split_words(key).replace("_", "-"),
    "Title Words": lambda key: split_words(key).replace("_", " ").title(),
    "_private": lambda key: f"_{key}",
}
TREE = WAYS["`dataclasses.asdict`, `_asdict`"]


def write_keys(form: Callable[[str], str], items: list[Any]) -> Any:
    return rename(TREE(items), form)


# Other ways of writing, of which nothing is in a table for people.
MORE_WAYS: dict[str, Callable[[list[Any]], Any]] = {
    **{f"keys in {name}": partial(write_keys, form) for name, form in FORMS.items()},
    "a text of CSV": lambda items: util.df(items).to_csv(),
    "str() of each part": lambda items: [
        {key: value if value is None else str(value) for key, value in row.items()} for row in TREE(items)
    ],
}


@pytest.mark.parametrize("way", MORE_WAYS)
@pytest.mark.parametrize("listed", BUILDERS)
def test_every_field_is_read_whatever_the_form_of_its_name(listed, way):
    for kind in CONTRACTS:
        made = reading({listed: MORE_WAYS[way]([BUILDERS[listed](kind)])})
        assert made.invalid == [], kind
        (row,) = made.values[FACTS[listed]]
        expected = expected_columns(listed, kind)
        assert {name: getattr(row, name) for name in expected} == expected, kind


@pytest.mark.parametrize(
    ("key", "is_partial"),
    [("Open_Orders", False), ("open-orders", True), ("OPENORDERS", True), ("opentrades", True)],
)
def test_the_name_of_a_list_is_known_in_any_form_and_an_unclear_one_may_be_of_one_client(key, is_partial):
    made = reading({key: TREE([BUILDERS["openTrades"]("option")]), "POSITIONS": []})
    assert made.invalid == []
    assert len(made.values["broker_orders"]) == 1
    assert made.values["broker_positions"] == ()
    assert ("broker_orders" in made.partial) is is_partial


SALE = {"orderId": 7, "permId": 61, "symbol": "SPY", "secType": "STK", "action": "SELL", "totalQuantity": 10}
WORKS, DONE = {**SALE, "status": "Submitted"}, {**SALE, "status": "Filled"}
BOUGHT = {"execId": "0a.1.01.01", "symbol": "SPY", "secType": "STK", "side": "BOT", "shares": 10, "price": 5}
BOUGHT |= {"time": "2026-06-02T14:30:00Z"}
NEXT = {"execId": "0a.1.02.01"}


@pytest.mark.parametrize(
    ("listed", "statuses", "is_partial"),
    [
        pytest.param({"open_orders": [], "openTrades": [WORKS]}, ["Submitted"], False, id="only the second has it"),
        pytest.param({"open_orders": [WORKS], "trades": [WORKS]}, ["Submitted"], False, id="both have it"),
        pytest.param({"trades": [DONE], "reqAllOpenOrders": [WORKS]}, ["Submitted"], False, id="done in another"),
        pytest.param({"trades": [WORKS], "reqAllOpenOrders": [DONE]}, ["Filled", "Submitted"], False, id="or works"),
        pytest.param({"openOrders": [], "openTrades": [WORKS]}, ["Submitted"], True, id="both of one client"),
        pytest.param({"open_orders": [{**WORKS, "permId": 0}], "trades": [{**WORKS, "permId": 0, "clientId": 3}]},
                     ["Submitted", "Submitted"], False, id="of two clients, it may be"),
        pytest.param({"orders": [{**WORKS, "permId": 0, "clientId": 3}], "trades": [{**WORKS, "clientId": 3}]},
                     ["Submitted"], False, id="by the number of its client"),
    ],
)  # fmt: skip
def test_orders_of_two_lists_are_one_list(listed, statuses, is_partial):
    made = reading(listed)
    assert [row.status for row in made.values["broker_orders"]] == statuses
    assert ("broker_orders" in made.partial) is is_partial


def test_executions_of_two_lists_are_one_list():
    made = reading({"executions": [BOUGHT], "fills": [BOUGHT, {**BOUGHT, **NEXT}]})
    assert [row.exec_id for row in made.values["broker_executions"]] == [BOUGHT["execId"], NEXT["execId"]]


def test_a_status_completes_the_order_of_whichever_list():
    status = [{"orderId": 7, "permId": 61, "status": "Cancelled", "filled": 0, "remaining": 10}]
    order = {key: SALE[key] for key in ("permId", "action", "totalQuantity")}
    call = {
        "orderId": 7,
        "contract": {"symbol": "SPY"},
        "order": order,
        "orderState": {"status": "Submitted"},
    }
    made = reading({"open_orders": [], "openOrder": [call], "orderStatus": status})
    assert [row.status for row in made.values["broker_orders"]] == ["Cancelled"]


@pytest.mark.parametrize(
    ("held", "code"),
    [({"conId": 4, "position": 10}, 0), ({"conId": 4, "position": 4}, 3), ({"position": 10}, 3)],
)
def test_can_close_holds_two_lists_of_positions_against_each_other(held, code):
    rows = [{"symbol": "SPY", "secType": "STK", "conId": 4, "position": 10}]
    given = {"as_of": "2026-06-02T14:59:50Z", "connected": True, "positions": rows, "open_orders": []}
    given |= {"portfolio": [{"symbol": "SPY", "secType": "STK", **held}]}
    ran = answer(
        "can-close", "--symbol", "SPY", "--quantity", "10", "--now", "2026-06-02T15:00:00Z",
        stdin=json.dumps({"broker": given}),
    )  # fmt: skip
    assert ran.code == code


def test_a_list_that_is_there_twice_in_two_forms_is_reported():
    report = evaluated(
        document([], {**OPTION, "quantity": 39}, Positions=TREE([BUILDERS["positions"]("option")]))
    )
    assert [event.subject for event in report.events if event.type == "reading_invalid"] == [
        "broker.Positions"
    ]


DIFFERENCES = {
    "agreement": ({**OPTION, "quantity": 39}, []),
    "quantity": ({**OPTION, "quantity": 40}, ["critical open_positions_drift:SPY 2026-06-19 727C"]),
    "side": ({**OPTION, "quantity": -39}, ["critical open_positions_drift:SPY 2026-06-19 727C"]),
    "phantom": (
        {**OPTION, "quantity": 39, "strike": 700},
        [
            "critical open_positions_drift:SPY 2026-06-19 700C",
            "critical open_positions_drift:SPY 2026-06-19 727C",
        ],
    ),
}


@pytest.mark.parametrize("difference", DIFFERENCES)
@pytest.mark.parametrize("way", WAYS)
def test_a_difference_is_reported_and_agreement_is_silent(way, difference):
    internal, expected = DIFFERENCES[difference]
    report = evaluated(document(WAYS[way]([BUILDERS["positions"]("option")]), internal))
    assert named(report) == expected


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("quantity", "verdict"), [("39", "allow"), ("40", "refuse")])
def test_can_close_reads_the_position(way, quantity, verdict):
    listed = WAYS[way]([BUILDERS["positions"]("option")])
    words = ("--symbol", "SPY", "--expiry", "2026-06-19", "--strike", "727", "--right", "C")
    given = json.dumps(document(listed, {**OPTION, "quantity": 39}))
    ran = answer("can-close", *words, "--quantity", quantity, "--account", ACCOUNT, "--json", stdin=given)
    assert ran.document["verdict"] == verdict, ran.document


RENAMED = {
    "positions": {"position": "positon", "contract": "contrct", "conId": "conDi", "symbol": "sybmol"},
    "openTrades": {
        "order": "ordre", "orderStatus": "orderStatsu", "action": "actino", "totalQuantity": "totalQuantty",
        "permId": "permDi", "status": "statsu", "filled": "fillde", "remaining": "remainign",
    },
    "fills": {"execution": "executoin", "execId": "execDi", "shares": "shaers", "side": "sied", "price": "prcie"},
}  # fmt: skip


@pytest.mark.parametrize("way", [way for way in WAYS if "named tuples" not in way])
@pytest.mark.parametrize(
    ("listed", "name"), [(listed, name) for listed, names in RENAMED.items() for name in names]
)
def test_a_renamed_field_is_reported(way, listed, name):
    text = json.dumps(WAYS[way]([BUILDERS[listed]("option")]))
    renamed = re.sub(rf"(?<![A-Za-z]){name}(?![A-Za-z])", RENAMED[listed][name], text)
    if renamed == text:
        return  # an array without names
    given = document([], {**OPTION, "quantity": 39})
    del given["broker"]["positions" if listed == "positions" else "open_orders"]
    given["broker"][listed] = json.loads(renamed)
    report = evaluated(given)
    assert any(event.type == "reading_invalid" for event in report.events), named(report)


@pytest.mark.parametrize(
    ("listed", "problem"),
    [
        pytest.param(
            [
                {
                    "account": "DU1234567",
                    "contract": "<ib_async.contract.Stock object at 0x7f>",
                    "position": 3.0,
                }
            ],
            "this looks like util.df() or str() of positions",
            id="the address of an object",
        ),
        pytest.param(
            [{"contract": "Option(conId=811, symbol=__import__('os').getcwd())", "position": 3.0}],
            "this looks like util.df() or str() of positions",
            id="a text with code in it",
        ),
        pytest.param([["DU1234567", 811, 39.0]], "an array of 3 values", id="an array of no known layout"),
        pytest.param({}, "an empty object", id="an empty object"),
        pytest.param({"SPY": 39}, "no positions are recognised", id="numbers by symbol"),
        pytest.param("nothing", "is text", id="a text"),
        pytest.param({"error": "no session"}, "holds an error", id="an error in place of the list"),
        pytest.param({"orders": [], "snapshot": False}, "first answer", id="the portal's first answer"),
    ],
)
def test_what_is_in_no_known_shape_is_named_and_proves_nothing(listed, problem):
    made = reading({"positions": listed})
    assert problem in " ".join(fault.problem for fault in made.invalid)
    assert "broker_positions" not in made.values or "broker_positions" in made.partial


def test_the_documented_table_is_what_is_read():
    kinds = len(CONTRACTS)
    assert len(WAYS) >= 10
    assert all(cell.startswith(f"{kinds} of {kinds} kinds") for row in list_shape_rows() for cell in row[1:])
