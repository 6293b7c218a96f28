"""The broker's own evidence of how a position ended: its fills and what it realized, and what they leave open."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from detector.domain.facts import Facts
from detector.domain.instrument import Instrument, format_quantity, to_exact_decimal, normalize
from detector.domain.runtime_rows import Trade
from detector.formats.times import text_of
from detector.reconciliation.close_check.working_exits import may_be_of
from detector.reconciliation.fills import Fill, fills
from detector.reconciliation.holdings import is_same
from detector.reconciliation.pnl import broker_fault
from detector.reconciliation.repair_plan.duplicates import Rivals
from detector.reconciliation.repair_plan.ending import NEAR, ending_of, is_day_sum_of, price_of
from detector.reconciliation.repair_plan.trade_claims import Saying

_OPTION_MULTIPLIER = 100


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the broker shows of an instrument: fills as sentences, the exit's price, the P&L that it realized.

    `trade` is the row that is compared with it, for what its fees may be. `shared_pnl` was realized in the
    instrument by more than this trade.
    """

    fills: tuple[str, ...] = ()
    exit_price: float | None = None
    realized_pnl: float | None = None
    trade: Trade | None = None
    shared_pnl: float | None = None

    @property
    def confirms_pnl(self) -> bool:
        """Whether the trade's recorded P&L is what the broker realized, fees apart."""
        if self.trade is None or self.trade.realized_pnl is None or self.realized_pnl is None:
            return False
        return broker_fault(self.trade, self.realized_pnl) is None

    def gaps(self, ended: Saying) -> Iterator[str]:
        """Yield what of the trade's record the evidence does not settle."""
        if self.realized_pnl is None and self.shared_pnl is not None:
            yield (
                f"its realized P&L: the {self.shared_pnl:,.2f} that the broker realized in it may be of several trades"
            )
        elif self.realized_pnl is None:
            yield "its realized P&L: the broker shows neither a fill that closed it nor what it realized"
        if self.exit_price is None:
            said = self._worked_out(ended)
            yield f"its exit price: no fill that closed it was seen{said}"

    def _worked_out(self, ended: Saying) -> str:
        """Return the price that the P&L would make, where everything for it is there but the fees."""
        trade = self.trade
        quantity = None if trade is None else to_exact_decimal(trade.quantity)
        if trade is None or not quantity or trade.entry_price is None or self.realized_pnl is None:
            return ""
        named = normalize(ended.instrument)
        each = named.multiplier or (_OPTION_MULTIPLIER if named.is_option else 1)
        price = trade.entry_price + self.realized_pnl / (float(quantity) * each)
        return f"; {self.realized_pnl:,.2f} would make {round(price, NEAR):g} at a multiplier of {each:g}, before fees"


def evidence_of(
    facts: Facts, named: Instrument, trade_id: str | None, account: str | None = None
) -> Evidence:
    """Return what the broker shows of an instrument, and of the trade where its closing fill was seen."""
    wanted = normalize(named)
    trade = next((row for row in facts.store_trades or () if trade_id and row.trade_id == trade_id), None)
    mine = [
        one
        for one in fills(facts.broker_executions or ())
        if is_same(one.instrument, wanted) and may_be_of(one.first.account, account)
    ]
    rivals = Rivals.of(facts, wanted, trade_id, account)
    ending = None if trade is None else ending_of(mine, trade, rivals)
    sentences = tuple(sentence for one in mine for sentence in _sentence(one))
    if ending is not None:
        return Evidence(sentences, price_of(ending), ending.realized_pnl, trade)
    rows = [
        row
        for row in facts.broker_positions or ()
        if is_same(normalize(row), wanted) and may_be_of(row.account, account)
    ]
    realized = rows[0].realized_pnl if len(rows) == 1 and rows[0].quantity == 0 else None
    if trade_id is not None and not is_day_sum_of(trade, rivals, facts.taken_at):
        return Evidence(sentences, None, None, trade, realized)
    return Evidence(sentences, None, realized, trade)


def _sentence(one: Fill) -> Iterator[str]:
    price = price_of(one)
    if one.quantity is not None and price is not None:
        side = "bought" if one.quantity > 0 else "sold"
        when = f" at {text_of(one.at)}" if one.at else ""
        yield f"{side} {format_quantity(abs(one.quantity or Decimal(0)))} at {price:g}{when}"
