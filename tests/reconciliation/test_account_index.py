"""The indexes leave out no instrument and no account, in whatever way both are written."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from detector.domain.instrument import Instrument, normalize
from detector.reconciliation.identity import DIFFERENT, can_be_in_account, compare
from detector.reconciliation.instrument_index import AccountIndex, InstrumentIndex

ACCOUNTS = st.sampled_from([None, "DU1234567", "DU7654321", "DU123****", "DU1234567/Growth", "Main account"])
INSTRUMENTS = st.builds(
    Instrument,
    symbol=st.sampled_from(
        [None, "SPY", "SPX", "ES", "CLN6", "VIX", "EUR.USD", "AAPL1", "IBCID1", "037833AK6"]
    ),
    con_id=st.sampled_from([None, "1", "2"]),
    sec_type=st.sampled_from([None, "STK", "OPT", "FUT", "FOP", "BOND", "BILL", "CASH", "CFD", "odd"]),
    expiry=st.sampled_from([None, "20260531", "20260601", "20260619", "202606", "202607", "PERPETUAL"]),
    strike=st.sampled_from([None, 727.0, 24318.0]),
    right=st.sampled_from([None, "P"]),
    local_symbol=st.sampled_from([None, "ESM6", "FESX 20260619 M", "SPXW  260619C05900000", "US037833AK67"]),
    trading_class=st.sampled_from([None, "SPX", "SPXW", "CL", "FDAX"]),
)


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
