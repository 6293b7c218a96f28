"""The timeline format: TOML steps of what a run sees, which channel refuses, and what happens to the memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from detector.domain.condition import STDOUT
from detector.domain.mute import Mute, MuteError, parse_mutes
from detector.engine.catalog import load_rules
from detector.formats.times import TimeError, parse_rfc3339
from detector.timeline.accidents import ACCIDENTS

_KEYS = {"about", "start", "gap_min", "gaps", "base", "channels", "ignore", "settings", "mute", "step"}
_STEP_KEYS = {
    "after_min", "patch", "remove", "snapshot", "broken", "refuse", "memory", "killed", "repeat", "events", "told",
    "decision",
}  # fmt: skip
KILLED = ("before delivery", "after delivery")


class ScriptError(ValueError):
    """A timeline that cannot be run; the message names the step and what is wrong."""


@dataclass(frozen=True, slots=True)
class Step:
    """One run: what it sees, which channels refuse, what happens to it, and what it must tell.

    `broken` names rules that raise. `told` and `events` are None where the script expects nothing in particular. `repeat` runs it again.
    """

    number: int
    patch: Mapping[str, Any]
    remove: tuple[str, ...] = ()
    whole: bool = False
    after_min: float | None = None
    refuse: tuple[str, ...] = ()
    memory: str = "kept"
    killed: str | None = None
    broken: tuple[str, ...] = ()
    repeat: int = 1
    events: tuple[str, ...] | None = None
    told: tuple[str, ...] | None = None
    decision: str | None = None


@dataclass(frozen=True, slots=True)
class Script:
    """A whole timeline; `gaps` are the run gaps in minutes at which it is meant to hold as well."""

    about: str
    start: datetime
    gap: timedelta
    base: Mapping[str, Any]
    steps: tuple[Step, ...]
    channels: tuple[str, ...] = (STDOUT,)
    ignore: tuple[str, ...] = ()
    gaps: tuple[float, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    mutes: tuple[Mute, ...] = ()


def parse_script(document: Mapping[str, Any], base: Callable[[str], Mapping[str, Any]]) -> Script:
    """Read a timeline from its TOML document; `base` loads the snapshot that a script names.

    Raises ScriptError.
    """
    _known(document, _KEYS, "the script")
    named = document.get("base", {})
    steps = document.get("step", [])
    if not isinstance(steps, list) or not steps:
        raise ScriptError("the script has no [[step]]")
    return Script(
        about=str(document.get("about", "")),
        start=moment_of(document.get("start"), "start"),
        gap=timedelta(minutes=_minutes(document.get("gap_min", 10), "gap_min")),
        base=base(named) if isinstance(named, str) else named,
        steps=tuple(_step(table, number) for number, table in enumerate(steps, 1)),
        channels=tuple(document.get("channels", (STDOUT,))),
        ignore=tuple(document.get("ignore", ())),
        gaps=tuple(document.get("gaps", ())),
        mutes=_mutes(document),
        settings={str(key): str(value) for key, value in document.get("settings", {}).items()},
    )


def _mutes(document: Mapping[str, Any]) -> tuple[Mute, ...]:
    money = [one.name for one in load_rules() if one.declaration.money]
    try:
        return parse_mutes({"mute": document.get("mute", [])}, money)
    except MuteError as error:
        raise ScriptError(str(error)) from None


def _step(table: Mapping[str, Any], number: int) -> Step:
    place = f"step {number}"
    _known(table, _STEP_KEYS, place)
    memory, killed = str(table.get("memory", "kept")), table.get("killed")
    if memory not in ACCIDENTS:
        raise ScriptError(f"{place}: memory is {memory!r}, not one of {', '.join(ACCIDENTS)}")
    if killed is not None and killed not in KILLED:
        raise ScriptError(f"{place}: killed is {killed!r}, not one of {', '.join(KILLED)}")
    after_min = table.get("after_min")
    return Step(
        number,
        table.get("snapshot", table.get("patch", {})),
        remove=tuple(table.get("remove", ())),
        whole="snapshot" in table,
        after_min=None if after_min is None else _minutes(after_min, f"{place}: after_min"),
        refuse=tuple(table.get("refuse", ())),
        memory=memory,
        killed=killed,
        broken=tuple(table.get("broken", ())),
        repeat=int(table.get("repeat", 1)),
        events=_expected(table.get("events")),
        told=_expected(table.get("told")),
        decision=table.get("decision"),
    )


def _known(table: Mapping[str, Any], keys: set[str], place: str) -> None:
    unknown = table.keys() - keys
    if unknown:
        raise ScriptError(f"{place}: unknown key {min(unknown)!r}")


def _expected(listed: Any) -> tuple[str, ...] | None:
    return None if listed is None else tuple(listed)


def _minutes(value: Any, place: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ScriptError(f"{place} is not a number of minutes")
    return value


def moment_of(value: Any, place: str) -> datetime:
    """Return the time that a script names; raises ScriptError with its place."""
    if isinstance(value, datetime):
        value = value.isoformat()
    try:
        return parse_rfc3339(str(value))
    except TimeError as error:
        raise ScriptError(f"{place} {error}") from None
