"""Mutes: an operator's statement that a condition is known, always with an end and a reason."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from fnmatch import fnmatchcase

from msgspec import Struct


class Mute(Struct, frozen=True):
    """Conditions whose signature matches the pattern are not reported until `until`."""

    pattern: str
    until: datetime
    reason: str
    by: str
    even_money: bool = False


def is_muted(signature: str, money: bool, mutes: Collection[Mute], moment: datetime) -> bool:
    """Return whether a condition is muted at that moment."""
    return any(
        moment < mute.until and (mute.even_money or not money) and fnmatchcase(signature, mute.pattern)
        for mute in mutes
    )
