"""Rows of one instrument on both sides, the quantities that they may add up to, and how these differ."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Literal

from msgspec import Struct, field
from msgspec.structs import replace

from detector.domain.instrument import INSTRUMENT_COLUMNS, Instrument, get_instrument_name
from detector.domain.instrument_names import is_known_expiry, is_known_type
from detector.formats.grouping import group_pairs
from detector.formats.numbers import format_quantity

FLAT = Decimal(0)
Side = Literal["internal", "broker"]
INTERNAL: Side = "internal"
BROKER: Side = "broker"
DifferenceKind = Literal["phantom", "unmanaged", "quantity", "side"]
_NOISE_DECIMALS = 4  # a difference of one unit behind so many decimals is the noise of a double


class Difference(Struct, frozen=True):
    """Broker and internal positions differ in an instrument.

    `phantom`: internal open, broker flat: a close would open the other side. `unmanaged`: broker
    open, internal none. `side`: open on opposite sides. `quantity`: the same side, another quantity.
    `merged`: several instruments, of which it is unclear which are the same. `is_either_way`: by another
    reading of the rows the other side has more. `readings`: what the broker's rows may add up to, where that
    is several: a row may be one that was written again.
    """

    kind: DifferenceKind
    name: str
    instrument: Instrument
    internal: Decimal
    broker: Decimal
    account: str | None = None
    trade_titles: tuple[str, ...] = ()
    merged: tuple[Instrument, ...] = ()
    is_either_way: bool = False
    readings: tuple[Decimal, ...] = ()

    @property
    def held(self) -> str:
        """What the broker holds in words, by each reading of its rows."""
        return " or ".join(map(describe_held, self.readings or (self.broker,)))

    @property
    def is_vague(self) -> bool:
        """Whether a part of the instrument is unknown."""
        return bool(self.merged) or self.instrument.is_vague


def describe_held(quantity: Decimal) -> str:
    """Return a signed quantity as no one can misread it: `long 39`, `short 39`, `flat`."""
    side = "long" if quantity > FLAT else "short"
    return f"{side} {format_quantity(abs(quantity))}" if quantity else "flat"


def classify_difference(internal: Decimal, broker: Decimal) -> DifferenceKind | None:
    """Return how two signed quantities differ, or None where they are equal."""
    if is_equal(internal, broker):
        return None
    if broker == FLAT:
        return "phantom"
    if internal == FLAT:
        return "unmanaged"
    return "quantity" if (internal > FLAT) == (broker > FLAT) else "side"


def is_equal(first: Decimal, second: Decimal) -> bool:
    """Whether two quantities are equal, two fractions within one unit of their last decimal."""
    if first == second:
        return True
    exponents = [number.normalize().as_tuple().exponent for number in (first, second)]
    decimals = [-exponent for exponent in exponents if isinstance(exponent, int)]
    # 0.3333 and 0.33333 are equal
    unit = min(decimals) if min(decimals) >= _NOISE_DECIMALS else max(decimals)
    is_noise = min(decimals) > 0 and max(decimals) >= _NOISE_DECIMALS
    return is_noise and abs(first - second) <= Decimal(1).scaleb(-unit)


class Lot(Struct, frozen=True):
    """The signed quantity of an instrument in one row; None where it is unknown.

    `trade_title` names the row's trade in a message: `trade #162 (signal #238, position #301)`. Rows of one
    `key` may be one row that is listed twice. Beside rows of a `model`, one without may be their sum.
    """

    instrument: Instrument
    quantity: Decimal | None
    account: str | None = None
    trade_title: str = field(default="")
    key: str | None = field(default=None)
    model: str | None = field(default=None)

    @property
    def detail(self) -> tuple[int, tuple[str, ...]]:
        """A sort key: the most detailed lot first, and equally detailed ones in a stable order."""
        values = (self.account, *(getattr(self.instrument, part) for part in INSTRUMENT_COLUMNS))
        return -sum(part is not None for part in values), tuple(str(part) for part in values)


def compute_totals(lots: Sequence[Lot]) -> frozenset[Decimal] | None:
    """Return what lots of one instrument may add up to; None where a quantity is unknown.

    Where rows may be one row listed twice, each of them may be all there is. A row without a model that is
    the sum of several with one is IBKR's own sum; where it is not, it may also be one more part.
    """
    if len(lots) == 1:
        return None if lots[0].quantity is None else frozenset((lots[0].quantity,))
    models = [lot for lot in lots if lot.model is not None]
    if models and len(models) < len(lots):
        rest, parts = compute_totals([lot for lot in lots if lot.model is None]), compute_totals(models)
        if rest is None or parts is None:
            return None
        is_sum = len(models) > 1 and len(rest) == len(parts) == 1 and has_common(rest, parts)
        return rest if is_sum else rest | {total + part for total in rest for part in parts}
    rows = [(lot.key or f"row {number}", lot.quantity) for number, lot in enumerate(lots)]
    known_rows = [(key, quantity) for key, quantity in rows if quantity is not None]
    if len(known_rows) < len(rows):
        return None
    readings = ([q for _, q in known_rows], dict(known_rows).values(), dict(reversed(known_rows)).values())
    return frozenset(sum(quantities, FLAT) for quantities in readings)


def get_only(totals: frozenset[Decimal] | None) -> Decimal | None:
    """Return the total, None where it is unknown or may be several."""
    return next(iter(totals)) if totals is not None and len(totals) == 1 else None


class PositionPair(Struct, eq=False):
    """One instrument with the lots of each side."""

    instrument: Instrument
    account: str | None
    lots: dict[Side, list[Lot]] = field(default_factory=lambda: {INTERNAL: [], BROKER: []})
    _totals: dict[Side, frozenset[Decimal] | None] = field(default_factory=dict)
    _is_balanced: bool | None = None

    @property
    def name(self) -> str:
        """Return the instrument's one name."""
        return get_instrument_name(self.instrument)

    def get_totals(self, side: Side) -> frozenset[Decimal] | None:
        """Return what the side's lots may add up to; None where a quantity is unknown."""
        if side not in self._totals:
            self._totals[side] = compute_totals(self.lots[side])
        return self._totals[side]

    def compute_quantity(self, side: Side) -> Decimal | None:
        """Return the side's sum, 0 where it has no lot; None where it is unknown."""
        return get_only(self.get_totals(side))

    @property
    def is_balanced(self) -> bool:
        """Whether both sides have it and may be equal."""
        if self._is_balanced is None:
            internal, broker = (self.get_totals(side) for side in (INTERNAL, BROKER))
            has_both = bool(self.lots[INTERNAL] and self.lots[BROKER])
            is_known = internal is not None and broker is not None
            self._is_balanced = has_both and not (is_known and not has_common(internal or (), broker or ()))
        return self._is_balanced

    def add_lots(self, lots: Iterable[Lot], side: Side) -> None:
        """Add lots of the instrument, and fill its missing parts from them."""
        self._totals.clear()
        self._is_balanced = None
        for lot in lots:
            self.lots[side].append(lot)
            self.account = self.account or lot.account
            self.instrument = merge_instruments(self.instrument, lot.instrument)

    def iter_differences(self) -> Iterator[Difference]:
        """Yield how the sides differ whatever is unclear of their quantities; contrary rows one by one."""
        internal, broker = self.get_totals(INTERNAL), self.get_totals(BROKER)
        if internal is None or broker is None:
            return
        contrary = self._split_contrary()
        if not contrary and has_common(internal, broker):
            return
        held = max(broker, key=abs)
        for total in contrary or [max(internal, key=abs)]:
            kind = classify_difference(total, held)
            if kind is not None:
                lots = (lot for lot in self.lots[INTERNAL] if (lot.quantity or FLAT) * total >= 0)
                titles = list_titles(lots)
                is_either_way = has_both_signs([([total] if contrary else internal, broker)])
                yield Difference(kind, self.name, self.instrument, total, held, self.account, titles,
                                 is_either_way=is_either_way,
                                 readings=tuple(sorted(broker)) if len(broker) > 1 else ())  # fmt: skip

    def _split_contrary(self) -> list[Decimal]:
        """Return the sum of the long and of the short internal rows, where there are both."""
        quantities = [lot.quantity or FLAT for lot in self.lots[INTERNAL]]
        sums = [sum((q for q in quantities if q * sign > 0), FLAT) for sign in (1, -1)]
        return sums if all(sums) else []


def has_common(first: Iterable[Decimal], second: Iterable[Decimal]) -> bool:
    """Whether two sets of possible quantities have one in common."""
    return any(is_equal(mine, theirs) for mine in first for theirs in second)


def has_both_signs(readings: Iterable[tuple[Iterable[Decimal], Iterable[Decimal]]]) -> bool:
    """Whether by one reading the runtime has more, and by another the broker."""
    return len({mine > theirs for internal, broker in readings for mine in internal for theirs in broker}) > 1


def list_titles(lots: Iterable[Lot]) -> tuple[str, ...]:
    """Return the titles of the open lots' trades, each once."""
    return tuple(sorted({lot.trade_title for lot in lots if lot.trade_title and lot.quantity}))


def merge_instruments(base: Instrument, extra: Instrument) -> Instrument:
    """Return the instrument with its missing parts from the other; a day of expiry is more than its month."""
    parts = {part: getattr(base, part) or getattr(extra, part) for part in INSTRUMENT_COLUMNS}
    if extra.sec_type is not None and not is_known_type(base.sec_type):
        parts["sec_type"] = extra.sec_type
    is_finer = is_known_expiry(extra.expiry) and len(extra.expiry or "") > len(base.expiry or "")
    if extra.expiry is not None and (is_finer or not is_known_expiry(base.expiry)):
        parts["expiry"] = extra.expiry
    return Instrument(**parts)


def merge_by_instrument(lots: Iterable[Lot]) -> list[Lot]:
    """Return one lot for each account and instrument as written: its sum; None where one is unknown."""
    groups = group_pairs(((lot.account, lot.instrument), lot) for lot in lots)
    return [replace(group[0], quantity=get_only(compute_totals(group)), key=None, model=None)
            for group in groups.values()]  # fmt: skip
