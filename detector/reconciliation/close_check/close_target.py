"""The contract that is to be closed, under all of its names, and the orders that may be of its account."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from detector.domain.broker_rows import BrokerOrder
from detector.domain.facts import Facts
from detector.domain.instrument import Instrument
from detector.reconciliation.close_check.close_order import (
    match_instrument,
)
from detector.reconciliation.identity import (
    DIFFERENT,
    UNCLEAR,
    Answer,
    compare_accounts,
    is_combo,
)


class CloseTarget(Struct, frozen=True):
    """The contract that is to be closed, with every name that the broker's row adds, and its account.

    `wanted` is the instrument as the request names it.
    """

    instrument: Instrument
    account: str | None
    con_ids: frozenset[str]
    wanted: Instrument

    def match(self, row: Instrument) -> Answer:
        """Compare with a row: different is what another id, or both the request and the held row, exclude.

        An id or a currency that only the held row adds is not asked of other rows.
        """
        named = self.instrument
        if is_combo(row):
            return match_instrument(named, row)
        if row.con_id is None and self.wanted.con_id is None:
            named = replace(named, con_id=None)
        if row.currency is None and self.wanted.currency is None:
            named = replace(named, currency=None)
        answer = match_instrument(named, row)
        if answer == DIFFERENT and None in (named.con_id, row.con_id):
            return DIFFERENT if match_instrument(self.wanted, row) == DIFFERENT else UNCLEAR
        return answer


def list_orders_of(target: CloseTarget, facts: Facts) -> list[BrokerOrder]:
    """Return the broker's orders that are of the account, or may be."""
    return [
        row
        for row in facts.broker_orders or ()
        if row.is_for_group or compare_accounts(row.account, target.account) != DIFFERENT
    ]
