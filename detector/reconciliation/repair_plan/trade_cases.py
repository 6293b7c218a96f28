"""Builds the items of a repair plan: per trade, rows that differ from the broker and open questions. Pure.

The broker's position is the right one. A change is a description of columns, never a statement to execute.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from detector.domain.facts import Facts
from detector.domain.instrument import Instrument, get_instrument_name, normalize
from detector.domain.profile import POSITION_STATE, TRADES
from detector.formats.numbers import format_list
from detector.reconciliation.account_index import RowIndex
from detector.reconciliation.expiry import LIVE, get_expiry_state
from detector.reconciliation.fills import PRICE_DECIMALS
from detector.reconciliation.identity import DIFFERENT, compare
from detector.reconciliation.position_comparison import NOTHING_COMPARED, compare_with_broker
from detector.reconciliation.position_pairs import describe_held
from detector.reconciliation.repair_plan.closing_evidence import PlanRows, collect_evidence
from detector.reconciliation.repair_plan.items import (
    EXPIRED_QUESTION,
    PlanItem,
    ReportedDifferences,
    RowChange,
    build_item_index,
    describe_broker,
    describe_waiting,
    explain_other_side,
    iter_instrument_items,
)
from detector.reconciliation.repair_plan.trade_claims import RUNTIME_LIST, Column, TradeClaim

_STORES = (POSITION_STATE, TRADES)


def build_items(facts: Facts, foreign: str = "") -> tuple[PlanItem, ...]:
    """Return an item for every trade, and for every position without one, on which sources differ.

    `foreign` is AEGIS_PT_FOREIGN_POSITIONS.
    """
    comparison = compare_with_broker(facts, foreign)
    rows = PlanRows(facts, comparison.book if comparison else None)
    reported = ReportedDifferences(comparison or NOTHING_COMPARED)
    disputed = tuple(iter_instrument_items(rows, reported))
    by_instrument = build_item_index(disputed)
    cases = (
        _build_case(rows, reported, trade_id, by_instrument).build_item()
        for trade_id in rows.by_trade.list_ids()
    )
    trade_items = [item for item in cases if item is not None]
    covering = build_item_index(trade_items)
    return (*trade_items, *(item for item in disputed if not covering.find(item.traded, item.account)))


class _TradeCase(Struct, frozen=True):
    """One trade: its item without a change or a question so far, and the claim of each source.

    `is_alone`: no other trade is open in the instrument, and every store was read in full, so that the
    broker's quantity is this trade's. `is_disputed`: the sum of the trades is not the broker's quantity.
    `waiting`: the orders that work in the instrument. `may_change`: `detect` reports the difference.
    `doubt`: why what the broker holds is unclear.
    """

    item: PlanItem
    claims: tuple[TradeClaim, ...]
    is_alone: bool
    is_disputed: bool
    waiting: tuple[str, ...]
    may_change: bool
    doubt: str | None
    has_expired: bool

    def build_item(self) -> PlanItem | None:
        """Return the item where a source is wrong or a question is open, None where all agree."""
        changes = tuple(change for claim in self._store_claims for change in self._iter_changes(claim))
        questions = tuple(self._iter_questions(changes))
        listed = any(claim.is_open and claim.origin == RUNTIME_LIST for claim in self.claims)
        in_memory = listed and self.item.position == 0
        if self.waiting and (changes or in_memory):
            changes, questions, in_memory = (), (describe_waiting(self.waiting),), False
        if not (changes or questions or in_memory):
            return None
        return replace(self.item, changes=changes, in_memory=in_memory, open_questions=questions)

    @property
    def _store_claims(self) -> list[TradeClaim]:
        return [claim for claim in self.claims if claim.origin in _STORES]

    def _iter_changes(self, claim: TradeClaim) -> Iterator[RowChange]:
        """Yield the change, if any, that makes a store's row agree with the broker."""
        columns = [*self._iter_position_columns(claim), *self._iter_exit_columns(claim)]
        if columns:
            item, realized = self.item, self.item.evidence.realized_pnl
            flat = describe_broker(item.position, item.account)
            because = flat if realized is None else f"{flat} and realized {realized:,.2f}"
            yield RowChange(claim.origin, item.short, tuple(columns), because)

    def _iter_position_columns(self, claim: TradeClaim) -> Iterator[Column]:
        """Yield the columns of an open row that are wrong: the broker is flat, or holds another quantity."""
        held = self.item.position
        if held is None or not claim.is_open or not self.may_change:
            return
        is_own = self.is_alone and claim.origin == POSITION_STATE and claim.quantity not in (None, held)
        if held == 0:
            yield ("is_open", "1", "0") if claim.origin == POSITION_STATE else ("status", "OPEN", "CLOSED")
            if claim.origin == POSITION_STATE and claim.quantity:
                yield claim.build_correction(Decimal(0))
        elif is_own and not self._is_other_side(claim):
            yield claim.build_correction(held)

    def _is_other_side(self, claim: TradeClaim) -> bool:
        return bool(claim.is_open) and (claim.quantity or 0) * (self.item.position or 0) < 0

    def _iter_exit_columns(self, claim: TradeClaim) -> Iterator[Column]:
        """Yield the exit columns of a closed trade that are missing, or differ from the broker.

        A trade that is open, though the broker is flat, has ended only where `detect` reports that.
        """
        if claim.origin != TRADES or self.item.position != 0 or (claim.is_open and not self.may_change):
            return
        evidence = self.item.evidence
        pnl, price = evidence.realized_pnl, evidence.exit_price
        if pnl is not None and (claim.realized_pnl is None or not evidence.confirms_pnl):
            yield "realized_pnl", _format_money(claim.realized_pnl), _format_money(pnl)
        known = claim.exit_price
        is_same = known is not None and round(known, PRICE_DECIMALS) == round(price or 0, PRICE_DECIMALS)
        if price is not None and not is_same:
            yield "exit_price", "nothing" if known is None else f"{known:g}", f"{price:g}"

    def _iter_questions(self, changes: Sequence[RowChange]) -> Iterator[str]:
        """Yield the questions that the snapshot cannot answer."""
        states = {claim.is_open for claim in self._store_claims if claim.is_open is not None}
        held = self.item.position
        if self.doubt is not None:
            yield self.doubt
        elif held is None:
            if len(states) > 1:
                yield "which store is right: what the broker holds of it was not seen"
        elif held == 0:
            yield from self._iter_exit_questions(changes)
        elif any(self._is_other_side(claim) for claim in self._store_claims):
            yield explain_other_side(held)
        elif states == {True, False} or (True in states and not self.is_alone and self.is_disputed):
            yield f"how much of {describe_held(held)} at the broker is this trade's"

    def _iter_exit_questions(self, changes: Sequence[RowChange]) -> Iterator[str]:
        """Yield what is unknown of how it ended."""
        trade_claim = next((claim for claim in self._store_claims if claim.origin == TRADES), None)
        if trade_claim is not None and changes:
            yield from self.item.evidence.iter_gaps(trade_claim)
        if self.has_expired and changes and self.item.evidence.exit_price is None:
            yield EXPIRED_QUESTION


def _format_money(number: float | None) -> str:
    return "nothing" if number is None else f"{number:,.2f}"


def _build_case(
    rows: PlanRows, reported: ReportedDifferences, trade_id: str, disputed: RowIndex[PlanItem]
) -> _TradeCase:
    claims, title = rows.by_trade.list_claims(trade_id), rows.by_trade.build_title(trade_id)
    instrument = max((claim.instrument for claim in claims), key=_count_parts)
    account = rows.trade_accounts.get(trade_id) if rows.has_several_accounts else None
    difference = reported.find_certain(instrument, account, trade_id)
    if difference is not None:
        instrument = difference.instrument  # the same name as in what `detect` reports
    quantity = rows.find_quantity(instrument, account)
    doubt = _explain_several(claims) or reported.explain_unclear(instrument)
    is_open_inside = any(claim.is_open and claim.origin == reported.origin for claim in claims)
    item = PlanItem(
        title,
        f"trade #{trade_id}",
        instrument,
        tuple(claim.text for claim in claims),
        quantity if doubt is None else None,
        collect_evidence(rows, instrument, trade_id, account),
        account=account,
    )
    return _TradeCase(
        item,
        claims,
        is_alone=rows.is_complete and not {*rows.open.find(instrument, account)} - {trade_id},
        is_disputed=bool(disputed.find(instrument, account)),
        waiting=rows.list_in_flight(instrument, account),
        may_change=not is_open_inside or difference is not None,
        doubt=doubt,
        has_expired=get_expiry_state(instrument, rows.facts.taken_at) != LIVE,
    )


def _explain_several(claims: Sequence[TradeClaim]) -> str | None:
    """Return which instruments the rows of one trade name, None where they may be one."""
    first, *others = (normalize(claim.instrument) for claim in claims)
    if not any(compare(first, other) == DIFFERENT for other in others):
        return None
    names = dict.fromkeys(get_instrument_name(claim.instrument) for claim in claims)
    return f"which instrument it is: its rows name {format_list(names)}"


def _count_parts(instrument: Instrument) -> int:
    normal_form = normalize(instrument)
    return sum(
        getattr(normal_form, part) is not None for part in ("symbol", "expiry", "strike", "right", "con_id")
    )
