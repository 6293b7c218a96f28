"""Bonds: a code of one kind says nothing of a code of another, and what they may be is never called flat."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.domain.instrument import Instrument
from detector.reconciliation.identity import DIFFERENT, SAME, UNCLEAR, can_be_same, compare
from detector.reconciliation.instrument_index import InstrumentIndex
from detector.reconciliation.position_book import build_position_book
from detector.reconciliation.position_differences import compare_positions
from tests.support.lots import build_lot

ISSUER, CUSIP, ISIN, FOREIGN, OWN = "AAPL", "037833AK6", "US037833AK68", "XS1234567894", "IBCID1"


def bond(symbol: str, **more: Any) -> Instrument:
    return build_lot(Instrument(symbol, sec_type="BOND", **more), Decimal(1)).instrument


@pytest.mark.parametrize(
    ("first", "second", "answer"),
    [
        pytest.param(bond(CUSIP), bond(OWN, con_id="885"), UNCLEAR, id="a CUSIP and IBKR's own code"),
        pytest.param(bond(FOREIGN), bond(CUSIP), UNCLEAR, id="a foreign ISIN and a CUSIP"),
        pytest.param(bond(ISIN), bond(CUSIP), SAME, id="the ISIN of a CUSIP"),
        pytest.param(bond(ISIN), bond("037833AL4"), DIFFERENT, id="the ISIN of another CUSIP"),
        pytest.param(bond(CUSIP), bond("037833AL4"), DIFFERENT, id="two CUSIPs"),
        pytest.param(bond(OWN), bond("IBCID2"), DIFFERENT, id="two of IBKR's own codes"),
        pytest.param(bond(ISSUER), bond("F"), DIFFERENT, id="two issuers"),
        pytest.param(bond(ISSUER), bond(CUSIP), UNCLEAR, id="an issuer and a CUSIP"),
        pytest.param(bond(OWN, con_id="885"), bond(CUSIP, con_id="886"), DIFFERENT, id="two contract ids"),
        pytest.param(bond(OWN, con_id="885"), bond(CUSIP, con_id="885"), SAME, id="one contract id"),
        pytest.param(
            bond(ISSUER, local_symbol=OWN), bond(ISSUER, local_symbol=CUSIP), UNCLEAR, id="of one issuer"
        ),
        pytest.param(
            bond(ISSUER, local_symbol="037833AL4"),
            bond(ISSUER, local_symbol=CUSIP),
            DIFFERENT,
            id="two of one issuer",
        ),
        pytest.param(
            bond(CUSIP, expiry="20300615"), bond(OWN, expiry="20350615"), DIFFERENT, id="two maturities"
        ),
        pytest.param(bond(CUSIP), Instrument(OWN), UNCLEAR, id="a code without a type"),
        pytest.param(bond(CUSIP), Instrument("SPY", sec_type="STK"), DIFFERENT, id="a share"),
    ],
)
def test_bonds_are_compared_by_the_names_of_one_kind(first, second, answer):
    assert compare(first, second) == compare(second, first) == answer


BONDS = st.builds(
    bond,
    st.sampled_from([ISSUER, "F", CUSIP, "037833AL4", ISIN, FOREIGN, OWN, "IBCID2", "T 4.25 11/15/34"]),
    con_id=st.sampled_from([None, "885", "886"]),
    local_symbol=st.sampled_from([None, OWN, CUSIP, FOREIGN]),
    expiry=st.sampled_from([None, "20300614", "20300615", "203006", "20350615"]),
    currency=st.sampled_from([None, "USD", "EUR"]),
)


@given(st.lists(BONDS, max_size=8), BONDS)
def test_the_index_finds_a_bond_wherever_one_may_be_it(rows, wanted):
    """Of those that are named in another way two stand for all, so only whether there is one is asked."""
    index = InstrumentIndex((row, row) for row in rows)
    assert index.has(wanted) == any(can_be_same(row, wanted) for row in rows)


@given(BONDS, BONDS)
def test_a_bond_that_the_broker_may_hold_is_no_difference(mine, theirs):
    compared = compare_positions(
        build_position_book([build_lot(mine, Decimal(1))], [build_lot(theirs, Decimal(1))])
    )
    assert bool(compared.differences) == (not can_be_same(mine, theirs))
