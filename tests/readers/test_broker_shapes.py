"""Real ib_async objects, of every kind of contract, in every way in which people write them as JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

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


def written(way: str) -> str:
    return json.dumps(WAYS[way]([BUILDERS["positions"]("option")]))


RENAMED = {"position": "positon", "contract": "contrct"}


@pytest.mark.parametrize(
    ("way", "name"), [(way, name) for way in WAYS for name in RENAMED if f'"{name}' in written(way)]
)
def test_a_renamed_field_is_reported(way, name):
    listed = json.loads(written(way).replace(f'"{name}', f'"{RENAMED[name]}'))
    report = evaluated(document(listed, {**OPTION, "quantity": 39}))
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
