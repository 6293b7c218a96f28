"""Mutes: an operator's statement that a condition is known, always with an end and a reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from msgspec import Struct

from detector.formats.patterns import build_pattern

LONGEST_MUTE = timedelta(days=31)
_WILDCARD = build_pattern(r"[*?\[\]]")


class Mute(Struct, frozen=True):
    """Conditions whose signature matches the pattern are not reported until `until`.

    A mute lasts at most LONGEST_MUTE: before that it is not in force.
    """

    pattern: str
    until: datetime
    reason: str
    by: str
    even_money: bool = False


def check_pattern(pattern: str) -> None:
    """Raise ValueError for a pattern that names no rule, and would mute everything."""
    if not pattern.partition(":")[0].strip("*?[]!"):
        raise ValueError(f"{pattern!r} names no rule, and a mute of everything is a switched-off monitor")


def is_in_force(mute: Mute, moment: datetime) -> bool:
    """Return whether a mute counts at that moment: before its end, and not too long before it."""
    return moment < mute.until <= moment + LONGEST_MUTE


class ActiveMutes:
    """The mutes of one moment; a signature is compared only with patterns of its beginning and its end."""

    def __init__(self, mutes: Iterable[Mute], moment: datetime) -> None:
        self._by_ends: dict[str, dict[str, list[Mute]]] = {}
        for mute in mutes:
            if is_in_force(mute, moment):
                texts = _WILDCARD.split(mute.pattern)
                self._by_ends.setdefault(texts[0], {}).setdefault(texts[-1], []).append(mute)

    def has(self, signature: str, money: bool) -> bool:
        """Whether a condition is muted; one about money only by a mute that is meant for it."""
        return any(
            (mute.even_money or not money) and fnmatchcase(signature, mute.pattern)
            for mute in self._iter_candidates(signature)
        )

    def _iter_candidates(self, signature: str) -> Iterator[Mute]:
        if not self._by_ends:
            return
        places = range(len(signature) + 1)
        for by_end in (self._by_ends.get(signature[:place]) for place in places):
            for place in places if by_end else ():
                yield from by_end.get(signature[place:], ()) if by_end else ()
