"""The other trades of an instrument: a fill, or what the broker realized in a day, may be theirs."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from detector.domain.facts import Facts
from detector.domain.instrument import Instrument, normalize
from detector.domain.runtime_rows import Trade
from detector.reconciliation.close_check.working_exits import can_be_in_account
from detector.reconciliation.fills import Fill, iter_legs, list_trades, match_leg
from detector.reconciliation.position_book import is_same


def get_trade_accounts(facts: Facts) -> dict[str, str]:
    """Return the account of each trade, as far as the store of positions says it."""
    return {row.trade_id: row.account for row in facts.store_positions or () if row.trade_id and row.account}


@dataclass(frozen=True, slots=True)
class CompetingTrades:
    """Every other trade that may be of the instrument and account, and what positions without such a row hold."""

    trades: tuple[Trade, ...] = ()
    quantities: tuple[Decimal | None, ...] = ()

    @classmethod
    def collect(
        cls, facts: Facts, instrument: Instrument, trade_id: str | None, account: str | None
    ) -> CompetingTrades:
        """Return what else there is besides one trade; `wanted` is normal."""
        accounts = get_trade_accounts(facts)
        trades = tuple(
            trade
            for trade in list_trades(facts)
            if (trade.trade_id is None or trade.trade_id != trade_id)
            and can_be_in_account(accounts.get(trade.trade_id or ""), account)
            and is_same(normalize(trade), instrument)
        )
        trade_ids = {trade.trade_id for trade in trades} | {trade_id}
        rows = [row for row in facts.store_positions or () if row.is_effectively_open is not False]
        quantities = tuple(
            row.signed_quantity
            for row in rows
            if row.trade_id not in trade_ids
            and can_be_in_account(row.account, account)
            and is_same(normalize(row), instrument)
        )
        return cls(trades, quantities)

    @property
    def has_any(self) -> bool:
        """Whether any other trade is known of."""
        return bool(self.trades or self.quantities)

    def can_own(self, fill: Fill) -> bool:
        """Whether the fill may have opened or closed another of them."""
        opposite = None if fill.quantity is None else -fill.quantity
        return any(signed in (None, opposite) for signed in self.quantities) or any(
            _can_own_fill(trade, fill, opposite) for trade in self.trades
        )


def _can_own_fill(trade: Trade, fill: Fill, opposite: Decimal | None) -> bool:
    if any(leg.ids & fill.get_ids() or match_leg(fill, leg) != "no" for leg in iter_legs(trade)):
        return True
    return trade.is_effectively_open is not False and trade.signed_quantity in (None, opposite)
