"""Mutes: an operator's statement that a condition is known, always with an end and a reason."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

from msgspec import Struct

from detector.formats.times import TimeError, parse_rfc3339

_KEYS = {"signature", "until", "reason", "by", "even_money"}


class MuteError(ValueError):
    """A mute that cannot be used; the message names its place and what is wrong."""


class Mute(Struct, frozen=True):
    """Conditions whose signature matches the pattern are not reported until `until`."""

    pattern: str
    until: datetime
    reason: str
    by: str
    even_money: bool = False


def parse_mutes(document: Mapping[str, Any], money_rules: Collection[str]) -> tuple[Mute, ...]:
    """Read the `[[mute]]` tables of a mute file; raises MuteError.

    A mute whose pattern can match one of `money_rules` needs `even_money = true`.
    """
    unknown = document.keys() - {"mute"}
    if unknown:
        raise MuteError(f"unknown table {min(unknown)!r}; only [[mute]] is known")
    tables = document.get("mute", [])
    if not isinstance(tables, list):
        raise MuteError("write [[mute]], with two brackets")
    return tuple(_parse_mute(table, f"mute {number}", money_rules) for number, table in enumerate(tables, 1))


def _parse_mute(table: Mapping[str, Any], location: str, money_rules: Collection[str]) -> Mute:
    unknown = table.keys() - _KEYS
    if unknown:
        raise MuteError(f"{location}: unknown key {min(unknown)!r}")
    for key in ("signature", "reason", "by"):
        if not isinstance(table.get(key), str) or not table[key].strip():
            raise MuteError(f"{location}: {key} is missing or empty")
    even_money = table.get("even_money", False)
    if not isinstance(even_money, bool):
        raise MuteError(f"{location}: even_money is not true or false")
    kind = table["signature"].partition(":")[0]
    money = sorted(name for name in money_rules if fnmatchcase(name, kind))
    if money and not even_money:
        raise MuteError(
            f"{location}: {table['signature']!r} would mute {money[0]}, which is about money; "
            "say even_money = true if that is meant"
        )
    return Mute(
        table["signature"],
        _parse_until(table.get("until"), location),
        table["reason"],
        table["by"],
        even_money,
    )


def _parse_until(value: object, location: str) -> datetime:
    if isinstance(value, datetime):
        value = value.isoformat()
    if not isinstance(value, str):
        raise MuteError(f"{location}: until is missing; a mute needs an end")
    try:
        return parse_rfc3339(value)
    except TimeError as error:
        raise MuteError(f"{location}: until {error}") from None


def is_muted(signature: str, money: bool, mutes: Collection[Mute], moment: datetime) -> bool:
    """Return whether a condition is muted at that moment."""
    return any(
        moment < mute.until and (mute.even_money or not money) and fnmatchcase(signature, mute.pattern)
        for mute in mutes
    )
