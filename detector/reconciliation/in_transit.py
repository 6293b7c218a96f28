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
from detector.reconciliation.fills import trades_of
from detector.reconciliation.instrument_index import Lookup
from detector.reconciliation.working_orders import orders_of

MOVES = ("broker_as_of", "broker_executions", "store_trades", "recent_trades")
"""The facts that are asked, besides the orders of both sides."""


class Moved:
    """The instruments of trades that were opened or closed, of orders sent and of fills since the broker was asked."""

    def __init__(self, facts: Facts) -> None:
        self._since = facts.broker_as_of
        self._opened = _lookup(self._moved(facts, ENTRY))
        self._closed = _lookup(self._moved(facts, EXIT))

    def explains(self, one: Difference) -> bool:
        """Whether a difference may be nothing but the time between both words."""
        opened, closed = self._opened.has(one.instrument), self._closed.has(one.instrument)
        if one.kind == "phantom":
            return opened
        return closed if one.kind == "unmanaged" else opened or closed

    def is_newer(self, order: Order) -> bool:
        """Whether an exit, or what it closes, is newer than what the broker held."""
        return self._is_since(order.submitted_at) or self._opened.has(normalize(order))

    def _moved(self, facts: Facts, way: str) -> Iterator[Instrument]:
        for trade in trades_of(facts):
            if self._is_since(trade.opened_at if way == ENTRY else trade.closed_at):
                yield trade
        for order in orders_of(facts):
            if order.purpose in (way, None) and self._is_since(order.submitted_at):
                yield order
        for fill in facts.broker_executions or ():
            if self._is_since(fill.at):
                yield fill

    def _is_since(self, at: datetime | None) -> bool:
        return self._since is not None and at is not None and at > self._since


def _lookup(found: Iterable[Instrument]) -> Lookup[Instrument]:
    return Lookup((normalize(one), one) for one in found)
