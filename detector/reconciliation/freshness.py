"""Whether what the broker section says may be believed now: read, in full, connected, and young enough."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from detector.domain.facts import Facts
from detector.domain.section_reading import Reading
from detector.formats.times import seconds_between, span, whole

_LISTS = {"broker_positions": "positions", "broker_orders": "open orders"}
_NAMES = {
    "positions": ("positions", "portfolio"),
    "open orders": ("open_orders", "openOrders", "orders"),
}
_OF_NO_MATTER = ("broker.executions", "broker.mode", "broker.port")


@dataclass(frozen=True, slots=True)
class Age:
    """When what the broker section says was true, by the oldest time that is given for it.

    `fault` says why that is not known; then the others are None.
    """

    as_of: datetime | None = None
    seconds: float | None = None
    fault: str | None = None


def age_words(seconds: float, limit: float) -> str:
    """Return an age against its limit, `61 s old (limit 60 s)`; one just above it is told to the thousandth."""
    just_above = limit < seconds < int(limit) + 1
    said = f"{math.ceil(seconds * 1000) / 1000:g} s" if just_above else span(seconds)
    return f"{said} old (limit {whole(limit)} s)"


def age_of(sections: Mapping[str, Any], given: datetime | None, now: datetime, skew_sec: float) -> Age:
    """Return the age of the broker section at `now`; `given` is the snapshot's own `taken_at`, where it names one."""
    reading = Reading("broker", now, skew_sec)
    sources, broker = sections.get("sources"), sections.get("broker")
    entry = sources.get("broker") if isinstance(sources, dict) else None
    named = (("broker", broker), ("sources.broker", entry))
    times = [
        reading.read_value("time", f"{name}.as_of", place.get("as_of"))
        for name, place in named
        if isinstance(place, dict)
    ]
    for path, ahead in reading.skewed:
        return Age(fault=f"{path} lies {whole(ahead)} s in the future")
    for fault in reading.invalid:
        return Age(fault=f"{fault.path} {fault.problem}")
    seen = [moment for moment in times if moment is not None]
    if not seen:
        return Age(fault="no `as_of` says when that was")
    if given is not None and (given - now).total_seconds() > skew_sec:
        return Age(fault="the snapshot was taken in the future")
    as_of = min([*seen, *([] if given is None else [given])])
    return Age(as_of, seconds_between(as_of, now))


def oddity(broker: Any) -> str | None:
    """Return what makes the section's own rows a guess, before anything is read of them; None where nothing does."""
    section = dict(broker) if isinstance(broker, dict) else {}
    statement = section.get("flex")
    if isinstance(statement, dict) and statement.get("positions_csv") is not None:
        section["portfolio"] = section.get("portfolio", statement)  # a second list of positions
    for words, names in _NAMES.items():
        if len([name for name in names if section.get(name) is not None]) > 1:
            return f"The broker section lists its {words} twice, under several names."
    rows = [row for name in _NAMES["positions"] for row in _rows(section.get(name))]
    if len({_names_account(row) for row in rows}) > 1:
        return "Some of the broker's rows name their account and others do not."
    return None


def _rows(listed: Any) -> list[Mapping[str, Any]]:
    return [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []


def _names_account(row: Mapping[str, Any]) -> bool:
    return any("acc" in key.lower() and value is not None for key, value in row.items())


def doubts(facts: Facts) -> str | None:
    """Return why the broker's rows cannot be relied on, None where they can; their age apart."""
    return next((said for said in _doubts(facts) if said), None)


def _doubts(facts: Facts) -> Iterator[str | None]:
    source = facts.sources.get("broker")
    if source is not None and source.state == "failed":
        yield f"The broker could not be read: {source.detail or source.reason or 'no reason given'}."
    yield "The broker was not read." if "broker" not in facts.sections else None
    if any(name == "reader of broker" for name, _ in facts.errors):
        yield "The detector itself failed on what the broker said."
    if facts.broker_link is False:
        yield "What the broker section holds is from before its link was lost."
    for fault in facts.invalid:
        if _matters(fault.path):
            yield f"What the broker said could not be read in full: {fault.path} {fault.problem}."
    cut = [words for fact, words in _LISTS.items() if fact in facts.provenance.partial]
    yield f"The broker's {' and '.join(cut)} could not be read in full." if cut else None
    yield "The broker's positions were not seen." if facts.broker_positions is None else None
    unread = [row.instrument_name for row in facts.broker_positions or () if row.quantity is None]
    yield f"How much of {unread[0]} the broker holds was not seen." if unread else None


def _matters(path: str) -> bool:
    return path.partition(".")[0] == "broker" and not path.startswith(_OF_NO_MATTER)
