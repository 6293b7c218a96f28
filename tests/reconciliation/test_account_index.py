"""The indexes leave out no instrument and no account, in whatever way both are written."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.domain.instrument import Instrument, normalize
from detector.reconciliation.account_index import AccountIndex
from detector.reconciliation.identity import DIFFERENT, can_be_in_account, compare
from detector.reconciliation.instrument_index import InstrumentIndex

ACCOUNTS = st.sampled_from([None, "DU1234567", "DU7654321", "DU123****", "DU1234567/Growth", "Main account"])
CHOICES: dict[str, list[Any]] = {
    "symbol": [None, "SPY", "SPX", "ES", "CLN6", "VIX", "EUR.USD", "AAPL1", "IBCID1", "037833AK6"],
    "con_id": [None, "1", "2"],
    "sec_type": [None, "STK", "OPT", "FUT", "FOP", "BOND", "BILL", "CASH", "CFD", "odd"],
    "expiry": [None, "20260531", "20260601", "20260619", "202606", "202607", "PERPETUAL"],
    "strike": [None, 727.0, 24318.0],
    "right": [None, "P"],
    "local_symbol": [None, "ESM6", "FESX 20260619 M", "SPXW  260619C05900000", "US037833AK67"],
    "trading_class": [None, "SPX", "SPXW", "CL", "FDAX"],
}
INSTRUMENTS = st.builds(Instrument, **{part: st.sampled_from(values) for part, values in CHOICES.items()})


def draw_instrument(rng: Random, **parts: Any) -> Instrument:
    drawn = {part: rng.choice(values) for part, values in CHOICES.items()}
    return normalize(Instrument(**{**drawn, **parts}))


@pytest.mark.parametrize("symbol", ["SPX", "ES", "CLN6", "IBCID1", None])
@pytest.mark.parametrize("seed", range(10))
def test_a_lookup_among_many_rows_of_a_name_has_all_that_a_comparison_with_all_would_have(seed, symbol):
    rng = Random(seed)
    rows = [*{draw_instrument(rng, **({"symbol": symbol} if at % 5 else {})) for at in range(60)}]
    index = InstrumentIndex((row, number) for number, row in enumerate(rows))
    for named in (draw_instrument(rng) for _ in range(5)):
        can_be_it = {number for number, row in enumerate(rows) if compare(row, named) != DIFFERENT}
        assert set(index.iter_all(named)) == can_be_it
        assert index.has(named) == bool(can_be_it)


def test_a_lookup_among_options_of_many_days_has_those_of_its_own_day_first():
    days = [f"202701{day:02}" for day in range(1, 29)]
    rows = [
        normalize(Instrument(symbol="SPX", sec_type="OPT", expiry=day, strike=5.0, right="C")) for day in days
    ]
    index = InstrumentIndex((row, row) for row in rows)
    assert [next(index.iter_all(row)) for row in rows] == rows


@settings(max_examples=2000)
@given(INSTRUMENTS, INSTRUMENTS)
def test_a_lookup_has_each_entry_that_a_comparison_with_all_would_have(listed, wanted):
    row, named = normalize(listed), normalize(wanted)
    can_be_it = compare(row, named) != DIFFERENT
    assert InstrumentIndex([(row, row)]).has(named) == can_be_it
    assert bool(AccountIndex([("DU1234567", row, row)]).find(named, None)) == can_be_it


@given(st.lists(st.tuples(ACCOUNTS, INSTRUMENTS), max_size=8), ACCOUNTS, INSTRUMENTS)
def test_a_lookup_asks_every_account_that_has_it(rows, account, wanted):
    index = AccountIndex((owner, normalize(row), row) for owner, row in rows)
    asked = {
        owner for owner, own in index.iter_indexes(account, normalize(wanted)) if own.has(normalize(wanted))
    }
    for owner in {owner for owner, _ in rows}:
        own = InstrumentIndex((normalize(row), row) for other, row in rows if other == owner)
        assert (owner in asked) == (can_be_in_account(owner, account) and own.has(normalize(wanted)))
