"""The rows of a snapshot by trade and instrument, what each source claims of a trade, and its title."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from msgspec import Struct

from detector.domain.facts import Facts
from detector.domain.instrument import Instrument
from detector.domain.profile import POSITION_STATE, TRADES
from detector.domain.trade_rows import StoredPosition, Trade, format_other_ids
from detector.formats.grouping import group_pairs
from detector.formats.numbers import format_list, format_quantity, normalize_number, to_exact_decimal
from detector.formats.times import format_duration
from detector.reconciliation.between_runs import TradeRow
from detector.reconciliation.position_pairs import describe_held

RUNTIME_LIST, RUNTIME_TRADES = "open_positions", "recent_trades"
_LISTS = {"store_positions": POSITION_STATE, "store_trades": TRADES}

Column = tuple[str, str, str]
"""A column by our name, its present value and its correct value."""


class TradeClaim(Struct, frozen=True):
    """A trade by one source: whether it is open, its quantity and instrument, and how it ended.

    `quantity` is signed; `is_unsigned`: the row itself has it without a sign, beside its side. `size`: the
    row's, of an unknown side.
    """

    origin: str
    is_open: bool | None
    quantity: Decimal | None
    instrument: Instrument
    exit_price: float | None = None
    realized_pnl: float | None = None
    exit_reason: str | None = None
    is_unsigned: bool = False
    size: Decimal | None = None

    def build_correction(self, target: Decimal) -> Column:
        """Return the change of the quantity to the target, in the row's own form."""
        return build_quantity_column(self.quantity or Decimal(0), target, is_unsigned=self.is_unsigned)

    @property
    def text(self) -> str:
        """The claim as text: `position_state: open, 39`."""
        state = {True: "open", False: "closed", None: "does not say whether it is open"}[self.is_open]
        parts = [state]
        if self.is_open is not False and self.quantity is not None:
            parts.append(describe_held(self.quantity))
        elif self.is_open is not False and self.size:
            parts.append(f"{format_quantity(self.size)}, long or short is not given")
        if self.exit_price is not None:
            parts.append(f"exit {normalize_number(self.exit_price)}")
        if self.realized_pnl is not None:
            parts.append(f"P&L {self.realized_pnl:,.2f}")
        return f"{self.origin}: {', '.join(parts)}" + (f" ({self.exit_reason})" if self.exit_reason else "")


def build_quantity_column(current: Decimal, target: Decimal, *, is_unsigned: bool) -> Column:
    """Return the change of a quantity, without signs where the row has its side in another column."""
    old, new = (abs(current), abs(target)) if is_unsigned else (current, target)
    return "quantity", format_quantity(old), format_quantity(new)


def is_unsigned(row: StoredPosition) -> bool:
    """Whether a short row has its quantity without a sign, beside its side."""
    signed = row.signed_quantity
    return signed is not None and signed < 0 and row.quantity is not None and row.quantity > 0


class TradeRows:
    """The rows of every source by their trade, those of the stores before the runtime's own."""

    def __init__(self, facts: Facts) -> None:
        lists: tuple[tuple[str, Sequence[TradeRow] | None], ...] = (
            (POSITION_STATE, facts.store_positions),
            (TRADES, facts.store_trades),
            (RUNTIME_LIST, facts.open_positions),
            (RUNTIME_TRADES, facts.recent_trades),
        )
        listed = ((origin, row) for origin, rows in lists for row in rows or ())
        self._rows = group_pairs((entry[1].trade_id, entry) for entry in listed if entry[1].trade_id)

    def list_ids(self) -> list[str]:
        """Return the trade ids of all sources, each once, by number."""
        return sorted(self._rows, key=lambda trade_id: (len(trade_id), trade_id))

    def build_title(self, trade_id: str) -> str:
        """Return the trade's canonical title: `trade #162 (signal #238, position #301)`."""
        rows = [row for _, row in self._rows.get(trade_id, ())]
        signal, position = (
            next((value for row in rows if (value := getattr(row, name)) is not None), None)
            for name in ("signal_id", "position_id")
        )
        return f"trade #{trade_id}{format_other_ids(signal, position)}"

    def list_claims(self, trade_id: str) -> tuple[TradeClaim, ...]:
        """Return the claim of each source that has the trade."""
        return tuple(_build_claim(origin, row) for origin, row in self._rows.get(trade_id, ()))

    def find_stored(self, trade_id: str | None) -> Trade | None:
        """Return the trade's row in the store of trades."""
        rows = (row for origin, row in self._rows.get(trade_id or "", ()) if origin == TRADES)
        return next((row for row in rows if isinstance(row, Trade)), None)


def _build_claim(origin: str, row: TradeRow) -> TradeClaim:
    signed = row.signed_quantity
    size = to_exact_decimal(row.quantity) if signed is None else None
    if isinstance(row, Trade):
        is_open = row.is_effectively_open if origin == TRADES else row.closed_at is None
        ends = row.exit_price, row.realized_pnl, row.exit_reason
        return TradeClaim(origin, is_open, signed, row, *ends, size=size)
    if isinstance(row, StoredPosition):
        state = row.is_effectively_open
        return TradeClaim(origin, state, signed, row, is_unsigned=is_unsigned(row), size=size)
    return TradeClaim(origin, True, signed, row, size=size)


def explain_incomplete_stores(facts: Facts) -> str | None:
    """Return why the stores may not have been read in full, None where they were.

    Only of complete stores does an empty plan mean that nothing differs.
    """
    return next(_iter_store_problems(facts), None)


def _iter_store_problems(facts: Facts) -> Iterator[str]:
    source = facts.sources.get("stores")
    if source is not None and source.state == "failed":
        yield f"The stores could not be read: {source.detail or source.reason or 'no reason given'}."
    if "stores" in facts.stale:
        yield f"The stores were read {format_duration(facts.stale['stores'])} ago, which is too old."
    if any(name == "reader of stores" for name, _ in facts.errors):
        yield "The detector itself failed on what the stores say."
    for fault in facts.invalid:
        if fault.path.partition(".")[0] == "stores":
            yield f"The stores could not be read in full: {fault.path} {fault.problem}."
    incomplete = [name for fact, name in _LISTS.items() if fact in facts.provenance.partial]
    if incomplete:
        yield f"The stores could not be read in full: {format_list(incomplete)} has rows that say nothing."
    if facts.store_positions is None and facts.open_positions is None:
        yield "No store and no list of the runtime's own says what is open."
