"""What moved after the broker's word was true: that word and the runtime's say nothing of each other there.

A trade that was opened since explains what the broker does not show yet, one that was closed since what it still
shows. A close never explains a phantom: a repair by hand that is undone stays one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from detector.domain.facts import Facts
from detector.domain.instrument import Instrument, normalize
from detector.domain.runtime_rows import ENTRY, EXIT, Order
from detector.reconciliation.difference import Difference
from detector.reconciliation.fills import list_trades
from detector.reconciliation.instrument_index import InstrumentIndex
from detector.reconciliation.working_orders import list_orders

CHANGE_FACTS = ("broker_as_of", "broker_executions", "store_trades", "recent_trades")
"""The facts that are asked, besides the orders of both sides."""


class ChangesSince:
    """The instruments of trades that were opened or closed, of orders sent and of fills since the broker was asked."""

    def __init__(self, facts: Facts) -> None:
        self._since = facts.broker_as_of
        self._opened = _build_index(self._iter_changed(facts, ENTRY))
        self._closed = _build_index(self._iter_changed(facts, EXIT))

    def can_explain(self, difference: Difference) -> bool:
        """Whether a difference may be nothing but the time between both words."""
        opened, closed = self._opened.has(difference.instrument), self._closed.has(difference.instrument)
        if difference.kind == "phantom":
            return opened
        return closed if difference.kind == "unmanaged" else opened or closed

    def is_newer(self, order: Order) -> bool:
        """Whether an exit, or what it closes, is newer than what the broker held."""
        return self._is_after(order.submitted_at) or self._opened.has(normalize(order))

    def _iter_changed(self, facts: Facts, purpose: str) -> Iterator[Instrument]:
        for trade in list_trades(facts):
            if self._is_after(trade.opened_at if purpose == ENTRY else trade.closed_at):
                yield trade
        for order in list_orders(facts):
            if order.purpose in (purpose, None) and self._is_after(order.submitted_at):
                yield order
        for fill in facts.broker_executions or ():
            if self._is_after(fill.at):
                yield fill

    def _is_after(self, at: datetime | None) -> bool:
        return self._since is not None and at is not None and at > self._since


def _build_index(instruments: Iterable[Instrument]) -> InstrumentIndex[Instrument]:
    return InstrumentIndex((normalize(instrument), instrument) for instrument in instruments)
