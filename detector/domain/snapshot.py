"""The snapshot: one JSON object of sections, each in its source's own shape."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct, field

from detector.domain.facts import STATUS_FACTS
from detector.domain.profile import HEARTBEAT_AGE
from detector.formats.errors import InputError
from detector.formats.similar_names import ALIKE, find_nearest_name
from detector.formats.strict_json import describe_kind, redact_excerpt
from detector.formats.times import parse_run_time

OBJECT, ARRAY = (dict,), (list,)
SECTIONS: Mapping[str, tuple[tuple[type, ...], str]] = {
    "status_v3": (OBJECT, "the dashboard's status payload"),
    "bot_status": (OBJECT, "the bot's own status payload"),
    "ecs": (
        OBJECT,
        "services, tasks, stopped_tasks and failures as DescribeServices and DescribeTasks answer",
    ),
    "containers": (ARRAY, "containers as Docker Engine GET /containers/json?all=1 answers"),
    "logs": (ARRAY + OBJECT, "CloudWatch FilterLogEvents events, plain lines, or an object with events"),
    "broker": (OBJECT, "the broker's own positions, open orders and executions"),
    "stores": (OBJECT, "rows of the runtime's own stores"),
    "gateway": (OBJECT, "the gateway's port as the kernel and a probe see it"),
    "processes": (ARRAY, "local processes as their supervisor sees them"),
    "power": (OBJECT, "the UPS in the words of NUT"),
    "sources": (OBJECT, "how each source answered, written by collect"),
    "previous": ((), "the previous artifact, or the saved stdout of an earlier run"),
}
STATUS_SECTIONS = ("status_v3", "bot_status")
STATEMENT = "broker.statement"
PARTS: Mapping[str, tuple[tuple[type, ...], str]] = {
    STATEMENT: (OBJECT, "fills and trade records of a Flex statement, with a time of their own")
}
"""Parts of a section that have a source, a time and a reader of their own; each is a key of its section."""

STALE_SEC: Mapping[str, float] = {STATEMENT: 36 * 3600}
"""The age from which a part is stale that is made once a day; all else has AEGIS_PT_SOURCE_STALE_SEC."""

KEYS = ("taken_at", "runtime", *SECTIONS)
_LISTS = {
    "ecs": "services tasks stopped_tasks failures",
    "logs": "events",
    "broker": "positions open_orders executions account_values statement",
    "stores": "position_state trades",
}
LIST_SECTIONS = {name: section for section, names in _LISTS.items() for name in names.split()}
"""The section into which each list belongs that people put beside it."""


class Snapshot(Struct, frozen=True):
    """The sections of one moment, by name; a section that was not seen is absent.

    `written` is the time of given sections that name none, where they are not of `taken_at`.
    """

    taken_at: datetime
    runtime: str
    sections: Mapping[str, Any]
    written: Mapping[str, datetime] = field(default_factory=dict)


def build_snapshot(document: Mapping[str, Any], *, now: datetime, runtime: str) -> Snapshot:
    """Check a parsed document against the contract and return the snapshot.

    `now` and `runtime` are used where the document names none. Raises InputError for an unknown
    key, a section of the wrong kind, or a `taken_at` that is not RFC 3339 with an offset.
    """
    sections: dict[str, Any] = {}
    for key, value in document.items():
        if key not in KEYS:
            raise InputError(_describe_unknown_key(key))
        if key in SECTIONS and value is not None:
            kinds, _ = SECTIONS[key]
            if kinds and not isinstance(value, kinds):
                raise InputError(f"{key} is {describe_kind(value)}, not {_describe_kinds(kinds)}")
            sections[key] = value
    return Snapshot(_parse_taken_at(document, now), _parse_runtime(document, runtime), sections)


def get_kinds(name: str) -> tuple[type, ...]:
    """Return the kinds of value that a section, or a part of one, may have."""
    return (SECTIONS.get(name) or PARTS[name])[0]


def find_section(sections: Mapping[str, Any], name: str) -> Any:
    """Return a section, or a part of one, by its name; None where it is missing."""
    section, _, key = name.partition(".")
    value = sections.get(section)
    return (value.get(key) if isinstance(value, dict) else None) if key else value


def add_section(sections: dict[str, Any], name: str, value: Any) -> None:
    """Add a section, or a part to its section; a part that came before its section stays in it."""
    section, _, key = name.partition(".")
    if key:
        value = {**sections.get(section, {}), key: value}
    elif section in sections:
        value = {**sections[section], **value}
    sections[section] = value


def merge_sections(given: Mapping[str, Any], collected: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sections of both; where one holds a section and the other a part of it, both."""
    merged = {**given, **collected}
    for name in {part.partition(".")[0] for part in PARTS} & given.keys() & collected.keys():
        if isinstance(given[name], dict):
            merged[name] = {**given[name], **collected[name]}
    return merged


def split_parts(sections: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sections with each part as an entry of its own, taken out of its section.

    A section of which nothing else is there is absent: the part says nothing of it. A statement may be the
    text that IBKR gives out, XML or CSV.
    """
    split = dict(sections)
    for name in PARTS:
        section, _, key = name.partition(".")
        value = find_section(split, name)
        if isinstance(value, str):
            from detector.domain.flex_statement import build_statement  # noqa: PLC0415 - few give a text

            value = build_statement(value)
        elif value is not None and not isinstance(value, dict):
            value = {"error": f"it is {describe_kind(value)}, not an object or the statement's text"}
        if value is not None:
            rest = {other: item for other, item in split[section].items() if other != key}
            split |= {name: value, section: rest}
            if not rest:
                del split[section]
    return split


def _parse_taken_at(document: Mapping[str, Any], now: datetime) -> datetime:
    value = document.get("taken_at")
    if value is None:
        return now
    if not isinstance(value, str):
        raise InputError(f"taken_at is {describe_kind(value)}, not an RFC 3339 time with an offset")
    try:
        return parse_run_time(value)
    except InputError as error:
        raise InputError(f"taken_at {redact_excerpt(value)!r} {error}") from None


def _parse_runtime(document: Mapping[str, Any], default: str) -> str:
    value = document.get("runtime")
    if value is None:
        return default
    if not isinstance(value, str) or not value.strip():
        raise InputError("runtime is not a name")
    return value


def _describe_kinds(kinds: tuple[type, ...]) -> str:
    return " or ".join("an object" if kind is dict else "an array" for kind in kinds)


def _describe_unknown_key(key: str) -> str:
    facts = (*STATUS_FACTS, HEARTBEAT_AGE)
    unknown = f"unknown section {redact_excerpt(key)!r}"
    if key in LIST_SECTIONS:
        return f"{unknown}: this is a list of {LIST_SECTIONS[key]}: put it into {LIST_SECTIONS[key]}"
    if key in facts:
        return f"{unknown}: this is a fact: put it into status_v3"
    nearest = find_nearest_name(key, (*KEYS, *LIST_SECTIONS, *facts), ALIKE)
    if not nearest:
        return f"{unknown} (`schema snapshot` lists the known ones)"
    if nearest in LIST_SECTIONS:
        section = LIST_SECTIONS[nearest]
        return f"{unknown}; {nearest!r} is a list of {section}: put it into {section}"
    if nearest in facts:
        return f"{unknown}; {nearest!r} is a fact: put it into status_v3"
    return f"{unknown}; the nearest known one is {nearest!r}"
