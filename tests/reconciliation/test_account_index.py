"""The index by account asks every account that has an instrument, in whatever way both are written."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from detector.domain.instrument import Instrument, normalize
from detector.reconciliation.identity import can_be_in_account
from detector.reconciliation.instrument_index import AccountIndex, InstrumentIndex

ACCOUNTS = st.sampled_from([None, "DU1234567", "DU7654321", "DU123****", "DU1234567/Growth", "Main account"])
INSTRUMENTS = st.builds(
    Instrument,
    symbol=st.sampled_from([None, "SPY", "SPX", "SPXW", "ES", "IBCID1", "037833AK6"]),
    con_id=st.sampled_from([None, "1", "2"]),
    sec_type=st.sampled_from([None, "STK", "OPT", "FUT", "BOND"]),
    expiry=st.sampled_from([None, "20260619", "202606"]),
    strike=st.sampled_from([None, 727.0]),
    trading_class=st.sampled_from([None, "SPX", "SPXW"]),
)


@given(st.lists(st.tuples(ACCOUNTS, INSTRUMENTS), max_size=8), ACCOUNTS, INSTRUMENTS)
def test_a_lookup_asks_every_account_that_has_it(rows, account, wanted):
    index = AccountIndex((owner, normalize(row), row) for owner, row in rows)
    asked = {
        owner for owner, own in index.iter_indexes(account, normalize(wanted)) if own.has(normalize(wanted))
    }
    for owner in {owner for owner, _ in rows}:
        own = InstrumentIndex((normalize(row), row) for other, row in rows if other == owner)
        assert (owner in asked) == (can_be_in_account(owner, account) and own.has(normalize(wanted)))
