"""What would make the runtime's stores say what the broker says: per trade the rows that are wrong, and what is open. Pure.

The broker decides what is held. Nothing here is a statement that could be run: a change is a place, a row, and what
its columns say and should say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from detector.domain.facts import Facts
from detector.domain.instrument import Instrument, format_quantity, get_instrument_name, normalize
from detector.domain.runtime_rows import Trade
from detector.domain.store_rows import POSITION_STATE, TRADES, StoredPosition
from detector.reconciliation.close_check.working_exits import may_be_of
from detector.reconciliation.comparison import broker_side
from detector.reconciliation.holdings import Holdings, is_same
from detector.reconciliation.repair_plan.duplicates import accounts_of
from detector.reconciliation.repair_plan.ending import NEAR
from detector.reconciliation.repair_plan.evidence import Evidence, evidence_of
from detector.reconciliation.repair_plan.in_flight import in_flight, waits_for
from detector.reconciliation.repair_plan.items import Change, Item, in_account, nameless, several_accounts
from detector.reconciliation.repair_plan.store_state import store_doubt
from detector.reconciliation.repair_plan.trade_claims import (
    RUNTIME_LIST,
    Column,
    Saying,
    every_trade,
    sayings,
    title_of,
)

_STORES = (POSITION_STATE, TRADES)


def items(facts: Facts) -> tuple[Item, ...]:
    """Return every trade and every position at the broker in which the places differ, by their names."""
    broker = None if facts.broker_positions is None else broker_side(facts)
    disputed = tuple(nameless(facts))
    cases = (_case(facts, broker, trade_id, disputed).item() for trade_id in every_trade(facts))
    found = [one for one in cases if one is not None]
    covered = (one for one in disputed if any(other.covers(one.traded, one.account) for other in found))
    known = {id(one) for one in covered}
    return (*found, *(one for one in disputed if id(one) not in known))


@dataclass(frozen=True, slots=True)
class _Case:
    """One trade: what every place says of it, and what the broker holds of its instrument.

    `alone` says that no other trade is open in the instrument, and every store was read, so that the broker's quantity is this one's;
    `disputed` that all of them together are not what the broker holds; `waiting` names the orders that work in it.
    """

    title: str
    short: str
    said: tuple[Saying, ...]
    named: Instrument
    quantity: Decimal | None
    alone: bool
    disputed: bool
    evidence: Evidence
    account: str | None = None
    waiting: tuple[str, ...] = ()

    def item(self) -> Item | None:
        """Return the trade where something about it is wrong or open, None where all agree."""
        changes = tuple(change for one in self._stored for change in self._change(one))
        questions = tuple(self._questions(changes))
        in_memory = self.quantity == 0 and any(one.held and one.place == RUNTIME_LIST for one in self.said)
        if self.waiting and (changes or in_memory):
            changes, questions, in_memory = (), (waits_for(self.waiting),), False
        if not (changes or questions or in_memory):
            return None
        words = tuple(one.words for one in self.said)
        name = get_instrument_name(self.named)
        return Item(
            self.title,
            self.short,
            name,
            self.named,
            words,
            self.quantity,
            self.evidence,
            changes,
            in_memory,
            questions,
            self.account,
        )

    @property
    def _stored(self) -> list[Saying]:
        return [one for one in self.said if one.place in _STORES]

    def _change(self, one: Saying) -> Iterator[Change]:
        """Yield the one change of a store's row that would make it say what the broker says."""
        columns = [*self._holding(one), *self._ending(one)]
        if columns:
            flat = (
                "the broker is flat"
                if self.quantity == 0
                else f"the broker holds {format_quantity(self.quantity or Decimal(0))}"
            )
            flat, realized = in_account(flat, self.account), self.evidence.realized_pnl
            because = flat if realized is None else f"{flat} and realized {realized:,.2f}"
            yield Change(one.place, self.short, tuple(columns), because)

    def _holding(self, one: Saying) -> Iterator[Column]:
        """Yield what is wrong where a row says open and the broker is flat, or holds another quantity."""
        if self.quantity is None or not one.held:
            return
        if self.quantity == 0:
            yield ("is_open", "1", "0") if one.place == POSITION_STATE else ("status", "OPEN", "CLOSED")
            if one.place == POSITION_STATE and one.quantity:
                yield one.corrected(Decimal(0))
        elif self.alone and one.place == POSITION_STATE and not self._is_other_side(one):
            if one.quantity in (None, self.quantity):
                return
            yield one.corrected(self.quantity)

    def _is_other_side(self, one: Saying) -> bool:
        return bool(one.held) and (one.quantity or 0) * (self.quantity or 0) < 0

    def _ending(self, one: Saying) -> Iterator[Column]:
        """Yield what a record of how the trade ended lacks, or says otherwise than the broker."""
        if one.place != TRADES or self.quantity != 0:
            return
        pnl, price = self.evidence.realized_pnl, self.evidence.exit_price
        if pnl is not None and (one.realized_pnl is None or not self.evidence.confirms_pnl):
            yield "realized_pnl", _money(one.realized_pnl), _money(pnl)
        if price is not None and (
            one.exit_price is None or round(one.exit_price, NEAR) != round(price, NEAR)
        ):
            yield "exit_price", "nothing" if one.exit_price is None else f"{one.exit_price:g}", f"{price:g}"

    def _questions(self, changes: Sequence[Change]) -> Iterator[str]:
        """Yield what cannot be decided from what was seen."""
        held = {one.held for one in self._stored if one.held is not None}
        if self.quantity is None:
            if len(held) > 1:
                yield "which store is right: what the broker holds of it was not seen"
        elif self.quantity == 0:
            ended = next((one for one in self._stored if one.place == TRADES), None)
            if ended is not None and changes:
                yield from self.evidence.gaps(ended)
        elif any(self._is_other_side(one) for one in self._stored):
            yield (
                f"how it came that the broker holds {format_quantity(self.quantity)}: see its fills before any row is changed"
            )
        elif held == {True, False} or (True in held and not self.alone and self.disputed):
            yield f"how much of the {format_quantity(self.quantity)} at the broker is this trade's"


def _money(number: float | None) -> str:
    return "nothing" if number is None else f"{number:,.2f}"


def _case(facts: Facts, broker: Holdings | None, trade_id: str, disputed: Sequence[Item]) -> _Case:
    said = sayings(facts, trade_id)
    named = max((one.instrument for one in said), key=_detail)
    account = accounts_of(facts).get(trade_id) if several_accounts(facts) else None
    return _Case(
        title_of(facts, trade_id),
        f"trade #{trade_id}",
        said,
        named,
        _quantity(broker, named, account),
        alone=store_doubt(facts) is None and not _open_in(facts, named, account) - {trade_id},
        disputed=any(one.covers(named, account) for one in disputed),
        evidence=evidence_of(facts, named, trade_id, account),
        account=account,
        waiting=in_flight(facts, named, account),
    )


def _quantity(broker: Holdings | None, named: Instrument, account: str | None) -> Decimal | None:
    """Return what the broker holds of it in that account; None where it was not seen, or may be one of several."""
    if broker is None or not (named.symbol or named.con_id):
        return None
    if None not in (broker.account, account) and broker.account != account:
        return None  # the broker was asked for another account
    found = broker.find(named, account)
    if len(found) > 1:
        return None
    return found[0].quantity("broker") if found else Decimal(0)


def _detail(named: Instrument) -> int:
    one = normalize(named)
    return sum(getattr(one, part) is not None for part in ("symbol", "expiry", "strike", "right", "con_id"))


def _open_in(facts: Facts, named: Instrument, account: str | None) -> set[str]:
    """Return the trades that any store holds open in the instrument and account."""
    accounts = accounts_of(facts)
    rows: list[StoredPosition | Trade] = [*(facts.store_positions or ()), *(facts.store_trades or ())]
    return {
        row.trade_id
        for row in rows
        if row.trade_id
        and row.is_effectively_open
        and may_be_of(accounts.get(row.trade_id), account)
        and is_same(normalize(row), normalize(named))
    }
