"""The rung of a channel: the least that it receives, and after how long without an acknowledgement."""

from __future__ import annotations

from typing import Final, Literal, cast, get_args

from msgspec import Struct

from detector.settings.setting import Setting, add_setting

# `urgent`: critical with money at risk at once, everything else once it escalates.
Floor = Literal["warning", "critical", "urgent", "escalated"]
_LONGEST_SEC: Final = 86_400  # an acknowledgement lasts at most a day


class Rung(Struct, frozen=True):
    """What a channel receives: everything from `floor` on, unacknowledged for `after_sec` (0: at once)."""

    floor: Floor
    after_sec: int = 0

    def __str__(self) -> str:
        return f"{self.floor},after={self.after_sec}" if self.after_sec else self.floor


def parse_rung(text: str) -> Rung:
    """Read a floor, and optionally `after=SECONDS`, by comma; raises ValueError."""
    floor, *rest = (part.strip() for part in text.split(","))
    if floor not in get_args(Floor):
        raise ValueError(f"must begin with one of {', '.join(get_args(Floor))}")
    return Rung(cast("Floor", floor), _parse_after(rest))


def _parse_after(parts: list[str]) -> int:
    if not parts:
        return 0
    name, _, seconds = parts[0].partition("=")
    is_number = seconds.isascii() and seconds.isdigit() and len(seconds) <= len(str(_LONGEST_SEC))
    if len(parts) > 1 or name.strip() != "after" or not is_number or int(seconds) > _LONGEST_SEC:
        raise ValueError(f"may have one more part, after=SECONDS (at most {_LONGEST_SEC})")
    return int(seconds)


def add_rung(name: str, default: Rung, help_: str) -> Setting[Rung]:
    """Declare the rung of a channel."""
    return add_setting(
        name,
        default,
        "rung",
        f"{help_}: {', '.join(get_args(Floor))}; with ,after=SECONDS what nobody acknowledged so long.",
        parse_rung,
    )
