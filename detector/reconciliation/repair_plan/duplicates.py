"""The other trades of an instrument: a fill, or what the broker realized in a day, may be theirs."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from detector.domain.facts import Facts
from detector.domain.instrument import Instrument, normalize
from detector.domain.runtime_rows import Trade
from detector.reconciliation.close_check.working_exits import may_be_of
from detector.reconciliation.fills import Fill, alike, legs_of, trades_of
from detector.reconciliation.holdings import is_same


def accounts_of(facts: Facts) -> dict[str, str]:
    """Return the account of each trade, as far as the store of positions says it."""
    return {row.trade_id: row.account for row in facts.store_positions or () if row.trade_id and row.account}


@dataclass(frozen=True, slots=True)
class Rivals:
    """Every other trade that may be of the instrument and account, and what positions without such a row hold."""

    trades: tuple[Trade, ...] = ()
    held: tuple[Decimal | None, ...] = ()

    @classmethod
    def of(cls, facts: Facts, wanted: Instrument, trade_id: str | None, account: str | None) -> Rivals:
        """Return what else there is besides one trade; `wanted` is normal."""
        accounts = accounts_of(facts)
        trades = tuple(
            one
            for one in trades_of(facts)
            if (one.trade_id is None or one.trade_id != trade_id)
            and may_be_of(accounts.get(one.trade_id or ""), account)
            and is_same(normalize(one), wanted)
        )
        known = {one.trade_id for one in trades} | {trade_id}
        rows = [row for row in facts.store_positions or () if row.is_effectively_open is not False]
        held = tuple(
            row.signed_quantity
            for row in rows
            if row.trade_id not in known and may_be_of(row.account, account) and is_same(normalize(row), wanted)
        )
        return cls(trades, held)

    @property
    def there_are(self) -> bool:
        """Whether any other trade is known of."""
        return bool(self.trades or self.held)

    def may_own(self, fill: Fill) -> bool:
        """Whether the fill may have opened or closed another of them."""
        opposite = None if fill.quantity is None else -fill.quantity
        return any(signed in (None, opposite) for signed in self.held) or any(
            _may_own(one, fill, opposite) for one in self.trades
        )


def _may_own(trade: Trade, fill: Fill, opposite: Decimal | None) -> bool:
    if any(leg.ids & fill.ids() or alike(fill, leg) != "no" for leg in legs_of(trade)):
        return True
    return trade.is_effectively_open is not False and trade.signed_quantity in (None, opposite)
