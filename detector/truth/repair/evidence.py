"""The broker's own evidence of how a position ended: its fills and what it realized, and what they leave open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from detector.model.facts import Facts
from detector.model.instrument import Instrument, amount, exact, normal
from detector.model.rows import Trade
from detector.model.times import text_of
from detector.truth.fills import Fill, closes, fills
from detector.truth.holdings import is_same
from detector.truth.pnl import broker_fault
from detector.truth.repair.trade_sayings import Saying

_OPTION_MULTIPLIER = 100
_NEAR = 4  # decimals of a price that is worked out


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the broker shows of an instrument: fills as sentences, the exit's price, the P&L that it realized.

    `trade` is the row that is compared with it, for what its fees may be.
    """

    fills: tuple[str, ...] = ()
    exit_price: float | None = None
    realized_pnl: float | None = None
    trade: Trade | None = None

    @property
    def confirms_pnl(self) -> bool:
        """Whether the trade's recorded P&L is what the broker realized, fees apart."""
        if self.trade is None or self.trade.realized_pnl is None or self.realized_pnl is None:
            return False
        return broker_fault(self.trade, self.realized_pnl) is None

    def gaps(self, ended: Saying) -> Iterator[str]:
        """Yield what of the trade's record the evidence does not settle."""
        if self.realized_pnl is None:
            yield "its realized P&L: the broker shows neither a fill that closed it nor what it realized"
        if self.exit_price is None:
            said = self._worked_out(ended)
            yield f"its exit price: no fill that closed it was seen{said}"

    def _worked_out(self, ended: Saying) -> str:
        """Return the price that the P&L would make, where everything for it is there but the fees."""
        trade = self.trade
        quantity = None if trade is None else exact(trade.quantity)
        if trade is None or not quantity or trade.entry_price is None or self.realized_pnl is None:
            return ""
        named = normal(ended.instrument)
        each = named.multiplier or (_OPTION_MULTIPLIER if named.is_option else 1)
        price = trade.entry_price + self.realized_pnl / (float(quantity) * each)
        return f"; {self.realized_pnl:,.2f} would make {round(price, _NEAR):g} at a multiplier of {each:g}, before fees"


def evidence_of(facts: Facts, named: Instrument, trade_id: str | None) -> Evidence:
    """Return what the broker shows of an instrument, and of the trade where its closing fill was seen."""
    wanted = normal(named)
    trade = next((row for row in facts.store_trades or () if trade_id and row.trade_id == trade_id), None)
    mine = [one for one in fills(facts.broker_executions or ()) if is_same(one.instrument, wanted)]
    ending = None if trade is None else _ending(mine, trade)
    sentences = tuple(
        f"{'bought' if (one.quantity or 0) > 0 else 'sold'} {amount(abs(one.quantity or Decimal(0)))}"
        f" at {one.first.price:g}" + (f" at {text_of(one.at)}" if one.at else "")
        for one in mine
        if one.quantity is not None and one.first.price is not None
    )
    if ending is not None:
        return Evidence(sentences, ending.first.price, ending.realized_pnl, trade)
    rows = [row for row in facts.broker_positions or () if is_same(normal(row), wanted)]
    realized = rows[0].realized_pnl if len(rows) == 1 and rows[0].quantity == 0 else None
    return Evidence(sentences, None, realized, trade)


def _ending(mine: Sequence[Fill], trade: Trade) -> Fill | None:
    """Return the fill that closed the trade; of one that is called open, the only fill that could have."""
    known = next((one for one in mine if closes(one, trade)), None)
    if known is not None or trade.held is False or not trade.signed:
        return known
    could = [one for one in mine if one.quantity == -trade.signed]
    return could[0] if len(could) == 1 else None
