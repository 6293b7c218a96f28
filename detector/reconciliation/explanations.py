"""What explains a difference: the owner's own position, a replaced contract, an exercise or assignment."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from detector.domain.broker_rows import Execution
from detector.domain.facts import Facts
from detector.domain.instrument import Instrument, normalize
from detector.domain.instrument_names import FUTURE, STOCK
from detector.formats.grouping import group_pairs
from detector.formats.numbers import to_exact_decimal
from detector.reconciliation.expiry import LIVE, get_expiry_state
from detector.reconciliation.identity import (
    LEAST_CERTAIN_ID,
    OPTION_MULTIPLIER,
    SAME,
    UNCLEAR,
    can_be_in_account,
    compare,
    compare_parts,
)
from detector.reconciliation.instrument_aliases import is_adjusted
from detector.reconciliation.position_pairs import Difference

DifferencePair = tuple[Difference, Difference]
_MOST_SUMS = 4096  # of shares that several options may have moved


class ForeignPosition(Struct, frozen=True):
    """A position that the owner holds beside the runtime: its account where several are, and what of it."""

    con_id: str
    quantity: Decimal
    account: str | None = None

    def is_all_of(self, difference: Difference) -> bool:
        """Whether it is the whole of what nothing in the runtime manages."""
        is_own = difference.kind == "unmanaged" and difference.instrument.con_id == self.con_id
        return is_own and difference.broker == self.quantity and self.account in (None, difference.account)


def parse_foreign_positions(text: str) -> tuple[ForeignPosition, ...]:
    """Return the positions that AEGIS_PT_FOREIGN_POSITIONS names: `account:con_id=quantity`, by comma."""
    entries = [entry.strip().rpartition("=") for entry in text.split(",") if entry.strip()]
    parts = [(*name.rpartition(":")[::2], quantity) for name, _, quantity in entries]
    return tuple(
        ForeignPosition(con_id, Decimal(quantity), account or None) for account, con_id, quantity in parts
    )


def iter_pairs(
    differences: Sequence[Difference], is_pair: Callable[[Difference, Difference], bool]
) -> Iterator[DifferencePair]:
    """Yield what is gone, each with the one other difference that explains it."""
    others = _PairIndex(differences)
    for gone in filter(_is_gone, differences):
        match = next((other for other in others.iter_candidates(gone) if is_pair(gone, other)), None)
        if match is not None:
            others.remove(match)
            yield gone, match


def _is_gone(difference: Difference) -> bool:
    """Whether the broker holds none of it, or of an option fewer than the runtime."""
    if difference.kind != "quantity" or difference.merged or not difference.instrument.is_option:
        return difference.kind == "phantom"
    return abs(difference.broker) < abs(difference.internal)


class _PairIndex:
    """Differences by what a pair has in common: the symbol without its marks, and the strike."""

    def __init__(self, differences: Sequence[Difference]) -> None:
        self._entries: dict[str, dict[float | None, dict[int, Difference]]] = {}
        for difference in differences:
            by_strike = self._entries.setdefault(_get_root(difference), {})
            by_strike.setdefault(_get_strike(difference), {})[id(difference)] = difference
        present = [difference for difference in differences if difference.kind != "phantom"]
        self._single = present[0] if len(present) == 1 else None

    def iter_candidates(self, gone: Difference) -> Iterator[Difference]:
        """Yield what may explain it: of its symbol or of none, of its strike, or without a strike."""
        root, strike = _get_root(gone), _get_strike(gone)
        if not root and self._single is not None:
            yield self._single
        for name in dict.fromkeys((root, "")):
            by_strike = self._entries.get(name, {})
            for key in dict.fromkeys((strike, None)) if strike is not None else by_strike:
                yield from by_strike.get(key, {}).values()

    def remove(self, difference: Difference) -> None:
        """Remove a difference that is explained."""
        del self._entries[_get_root(difference)][_get_strike(difference)][id(difference)]
        if difference is self._single:
            self._single = None


def _get_root(difference: Difference) -> str:
    """Return the symbol without what marks an old contract or the class of an option."""
    symbol = (difference.instrument.symbol or "").removesuffix(" OLD")
    if symbol.strip("0123456789"):
        symbol = symbol[symbol[:1].isdigit() :]
        symbol = symbol[: len(symbol) - symbol[-1:].isdigit()]
    return symbol.removesuffix("W") if difference.instrument.is_option else symbol


def _get_strike(difference: Difference) -> float | None:
    """Return the strike where it is a mark of the contract: an adjusted option may have another."""
    return None if is_adjusted(difference.instrument) else difference.instrument.strike


def iter_assigned(differences: Sequence[Difference], now: datetime) -> Iterator[DifferencePair]:
    """Yield each option that is gone, or some of it, with the shares that its exercise or assignment moved.

    One option for all the shares comes first; else several of one underlying add up to them.
    """
    alone = list(
        iter_pairs(differences, lambda gone, moved: _get_moved(moved) in _list_changes(gone, moved, now))
    )
    yield from alone
    paired = {id(difference) for pair in alone for difference in pair}
    rest = [difference for difference in differences if id(difference) not in paired]
    others, gone_by_moved = _PairIndex(rest), dict[int, tuple[Difference, list[Difference]]]()
    for gone in rest:
        for moved in others.iter_candidates(gone) if _is_gone(gone) else ():
            if _list_changes(gone, moved, now):
                gone_by_moved.setdefault(id(moved), (moved, []))[1].append(gone)
    for moved, options in gone_by_moved.values():
        changes = [_list_changes(gone, moved, now) for gone in options]
        yield from ((options[number], moved) for number in _find_parts(changes, _get_moved(moved)))


def iter_named_by_id(differences: Sequence[Difference]) -> Iterator[DifferencePair]:
    """Yield what the runtime names by a number, each with as many in a row of the broker without an id."""
    bare = [row for row in differences if row.instrument.con_id is None]
    by_quantity = group_pairs(
        (row.broker, row) for row in bare if row.kind == "unmanaged" and not _is_number(row)
    )
    for gone in (row for row in bare if row.kind == "phantom" and _is_number(row)):
        rows = by_quantity.get(gone.internal, [])
        match = next((row for row in rows if can_be_in_account(gone.account, row.account)), None)
        if match is not None:
            rows.remove(match)
            yield gone, match


def _is_number(difference: Difference) -> bool:
    """Whether its symbol may be a contract's id."""
    symbol = difference.instrument.symbol or ""
    return symbol.isdecimal() and len(symbol) >= LEAST_CERTAIN_ID


def _get_moved(moved: Difference) -> Decimal:
    return moved.broker - moved.internal


def _find_parts(changes: Sequence[Sequence[Decimal]], total: Decimal) -> Sequence[int]:
    """Return the places of changes that add up to a total, none where none do."""
    parts: dict[Decimal, tuple[int, ...]] = {Decimal(0): ()}
    for number, options in enumerate(changes):
        for known, places in list(parts.items())[:_MOST_SUMS]:
            for change in options:
                parts.setdefault(known + change, (*places, number))
    return parts.get(total, ())


def _list_changes(gone: Difference, moved: Difference, now: datetime) -> list[Decimal]:
    """Return by how many shares an exercise or assignment of the option would move these, either way.

    The option is short, or has reached its expiry; a call brings shares to its holder, a put takes them. An
    option on a future brings or takes one.
    """
    option, shares = gone.instrument, moved.instrument
    is_of_future = option.sec_type == "FOP"
    is_pair = option.is_option and not shares.is_option
    if not is_pair or shares.sec_type not in ((FUTURE,) if is_of_future else (None, STOCK)):
        return []
    if not can_be_in_account(gone.account, moved.account):
        return []
    if gone.internal > 0 and get_expiry_state(option, now) == LIVE:
        return []
    multiplier = to_exact_decimal(1 if is_of_future else option.multiplier) or Decimal(OPTION_MULTIPLIER)
    signs = {"C": (1,), "P": (-1,)}.get(option.right or "", (1, -1))
    return [(gone.internal - gone.broker) * multiplier * sign for sign in signs]


def find_booking(facts: Facts, option: Instrument) -> Execution | None:
    """Return the booking of a statement by which the option was exercised or assigned, None without one.

    Source: Flex Query reference, Notes/Codes of a BookTrade: A is an assignment, Ex an exercise.
    """
    bookings = (
        row
        for row in facts.broker_bookings or ()
        if {"A", "Ex"} & set(re.split(r"[;, ]+", row.notes or ""))
        and compare(normalize(row), normalize(option)) == SAME
    )
    return next(bookings, None)


def is_replaced(old: Difference, new: Difference) -> bool:
    """Whether an internal-only and a broker-only holding are one under a new contract id.

    A split, a merger or a change of symbol gives a holding another contract (`X.OLD`, a class with a digit).
    """
    mine, theirs = old.instrument, new.instrument
    is_kind = (old.kind, new.kind) == ("phantom", "unmanaged")
    if not is_kind or None in (mine.con_id, theirs.con_id) or mine.con_id == theirs.con_id:
        return False
    if not can_be_in_account(old.account, new.account) or (old.internal > 0) != (new.broker > 0):
        return False
    plain = [
        replace(row, con_id=None, multiplier=None, trading_class=None, local_symbol=None,
                symbol=(row.symbol or "").removesuffix(" OLD") or None)
        for row in (mine, theirs)
    ]  # fmt: skip
    if is_adjusted(mine) or is_adjusted(theirs):
        plain = [replace(row, strike=1.0) for row in plain]
    answer = compare_parts(*plain)
    return answer == SAME or (answer == UNCLEAR and None in (mine.symbol, theirs.symbol))
