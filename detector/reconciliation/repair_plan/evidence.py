"""The broker's evidence of how a position was closed: fills, exit price and realized P&L, and their gaps."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from msgspec import Struct

from detector.domain.instrument import Instrument, normalize
from detector.domain.trade_rows import Trade
from detector.formats.numbers import format_quantity, to_exact_decimal
from detector.formats.times import format_time
from detector.reconciliation.fills import Fill
from detector.reconciliation.identity import OPTION_MULTIPLIER
from detector.reconciliation.pnl import check_pnl_by_broker
from detector.reconciliation.repair_plan.closing_fill import (
    PRICE_DECIMALS,
    CompetingTrades,
    PlanRows,
    compute_fill_price,
    find_closing_fill,
    is_day_sum_of,
)
from detector.reconciliation.repair_plan.trade_claims import TradeClaim


class Evidence(Struct, frozen=True):
    """The broker's figures of an instrument: fills as sentences, the exit price, the realized P&L.

    `trade` is the stored row of the trade. `shared_pnl` may have been realized by several trades.
    """

    fills: tuple[str, ...] = ()
    exit_price: float | None = None
    realized_pnl: float | None = None
    trade: Trade | None = None
    shared_pnl: float | None = None

    @property
    def confirms_pnl(self) -> bool:
        """Whether the trade's stored P&L agrees with the broker's, but for fees."""
        if self.trade is None or self.trade.realized_pnl is None or self.realized_pnl is None:
            return False
        return check_pnl_by_broker(self.trade, self.realized_pnl) is None

    def iter_gaps(self, claim: TradeClaim) -> Iterator[str]:
        """Yield the figures of the trade's record that the evidence leaves open, as sentences."""
        if self.realized_pnl is None and self.shared_pnl is not None:
            yield (
                f"its realized P&L: the {self.shared_pnl:,.2f} that the broker realized in it"
                " may be of several trades"
            )
        elif self.realized_pnl is None:
            yield "its realized P&L: the broker shows neither a fill that closed it nor what it realized"
        if self.exit_price is None:
            computed = self._describe_computed_price(claim)
            yield f"its exit price: no fill that closed it was seen{computed}"

    def _describe_computed_price(self, claim: TradeClaim) -> str:
        """Return the exit price that follows from the P&L, where only the fees are unknown."""
        trade = self.trade
        quantity = None if trade is None else to_exact_decimal(trade.quantity)
        if trade is None or not quantity or trade.entry_price is None or self.realized_pnl is None:
            return ""
        instrument = normalize(claim.instrument)
        multiplier = instrument.multiplier or (OPTION_MULTIPLIER if instrument.is_option else 1)
        price = trade.entry_price + self.realized_pnl / (float(quantity) * multiplier)
        return (
            f"; {self.realized_pnl:,.2f} would make {round(price, PRICE_DECIMALS):g}"
            f" at a multiplier of {multiplier:g}, before fees"
        )


def collect_evidence(
    rows: PlanRows, instrument: Instrument, trade_id: str | None, account: str | None = None
) -> Evidence:
    """Return the broker's figures of an instrument, or of the trade where its closing fill is known."""
    trade = rows.by_trade.find_stored(trade_id)
    own_fills = rows.fills.find(instrument, account)
    competing = CompetingTrades.collect(rows, instrument, trade_id, account)
    closing_fill = None if trade is None else find_closing_fill(rows, own_fills, trade, competing)
    fill_texts = tuple(text for fill in own_fills for text in _iter_fill_text(fill))
    if closing_fill is not None:
        return Evidence(fill_texts, compute_fill_price(closing_fill), closing_fill.realized_pnl, trade)
    held = rows.held.find(instrument, account)
    realized = held[0].realized_pnl if len(held) == 1 and held[0].quantity == 0 else None
    if trade_id is not None and not is_day_sum_of(trade, competing, rows.facts.taken_at):
        return Evidence(fill_texts, None, None, trade, realized)
    return Evidence(fill_texts, None, realized, trade)


def _iter_fill_text(fill: Fill) -> Iterator[str]:
    price = compute_fill_price(fill)
    if fill.quantity is not None and price is not None:
        side = "bought" if fill.quantity > 0 else "sold"
        when = f" at {format_time(fill.at)}" if fill.at else ""
        yield f"{side} {format_quantity(abs(fill.quantity or Decimal(0)))} at {price:g}{when}"
