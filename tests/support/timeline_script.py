"""The timeline format: TOML steps of a run's snapshot, the channels that refuse, and its accidents."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct, field
from pydantic import ValidationError

from detector.app.mutes_and_closures import MuteDocument
from detector.domain.acknowledgement import Mute
from detector.domain.condition import STDOUT
from detector.engine.catalog import load_rules
from detector.formats.errors import InputError
from detector.formats.times import parse_rfc3339
from tests.support.memory_accidents import ACCIDENTS

_KEYS = {"about", "start", "gap_min", "gaps", "base", "channels", "ignore", "settings", "mute", "step"}
_STEP_KEYS = {
    "after_min", "patch", "remove", "snapshot", "broken", "refuse", "memory", "killed", "repeat", "events",
    "told", "decision",
}  # fmt: skip
KILLED = ("before delivery", "after delivery")


class TimelineError(ValueError):
    """A timeline that cannot be run; the message names the step and what is wrong."""


class Step(Struct, frozen=True):
    """One run: its snapshot, the channels that refuse, its accidents, and the notices expected of it.

    `broken` names rules that raise. `notified` (`told` in the file) and `events` are None where the timeline
    expects nothing in particular. `repeat` runs it again.
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
    notified: tuple[str, ...] | None = None
    decision: str | None = None


class Timeline(Struct, frozen=True):
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


def parse_timeline(document: Mapping[str, Any], base: Callable[[str], Mapping[str, Any]]) -> Timeline:
    """Read a timeline from its TOML document; `base` loads the snapshot that a timeline names.

    Raises TimelineError.
    """
    _check_keys(document, _KEYS, "the timeline")
    base_name = document.get("base", {})
    steps = document.get("step", [])
    if not isinstance(steps, list) or not steps:
        raise TimelineError("the timeline has no [[step]]")
    return Timeline(
        about=str(document.get("about", "")),
        start=parse_moment(document.get("start"), "start"),
        gap=timedelta(minutes=_parse_minutes(document.get("gap_min", 10), "gap_min")),
        base=base(base_name) if isinstance(base_name, str) else base_name,
        steps=tuple(_parse_step(table, number) for number, table in enumerate(steps, 1)),
        channels=tuple(document.get("channels", (STDOUT,))),
        ignore=tuple(document.get("ignore", ())),
        gaps=tuple(document.get("gaps", ())),
        mutes=_parse_mute_tables(document),
        settings={str(key): str(value) for key, value in document.get("settings", {}).items()},
    )


def _parse_mute_tables(document: Mapping[str, Any]) -> tuple[Mute, ...]:
    money = [rule.name for rule in load_rules() if rule.declaration.money]
    tables = {"mute": document.get("mute", [])}
    try:
        return MuteDocument.model_validate(tables, context={"money_rules": money}).build_mutes()
    except ValidationError as error:
        raise TimelineError(str(error)) from None


def _parse_step(table: Mapping[str, Any], number: int) -> Step:
    location = f"step {number}"
    _check_keys(table, _STEP_KEYS, location)
    memory, killed = str(table.get("memory", "kept")), table.get("killed")
    if memory not in ACCIDENTS:
        raise TimelineError(f"{location}: memory is {memory!r}, not one of {', '.join(ACCIDENTS)}")
    if killed is not None and killed not in KILLED:
        raise TimelineError(f"{location}: killed is {killed!r}, not one of {', '.join(KILLED)}")
    after_min = table.get("after_min")
    return Step(
        number,
        table.get("snapshot", table.get("patch", {})),
        remove=tuple(table.get("remove", ())),
        whole="snapshot" in table,
        after_min=None if after_min is None else _parse_minutes(after_min, f"{location}: after_min"),
        refuse=tuple(table.get("refuse", ())),
        memory=memory,
        killed=killed,
        broken=tuple(table.get("broken", ())),
        repeat=int(table.get("repeat", 1)),
        events=_parse_expected(table.get("events")),
        notified=_parse_expected(table.get("told")),
        decision=table.get("decision"),
    )


def _check_keys(table: Mapping[str, Any], keys: set[str], location: str) -> None:
    unknown = table.keys() - keys
    if unknown:
        raise TimelineError(f"{location}: unknown key {min(unknown)!r}")


def _parse_expected(items: Any) -> tuple[str, ...] | None:
    return None if items is None else tuple(items)


def _parse_minutes(value: Any, location: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TimelineError(f"{location} is not a number of minutes")
    return value


def parse_moment(value: Any, location: str) -> datetime:
    """Return the time that a timeline names; raises TimelineError with its location."""
    if isinstance(value, datetime):
        value = value.isoformat()
    try:
        return parse_rfc3339(str(value))
    except InputError as error:
        raise TimelineError(f"{location} {error}") from None
