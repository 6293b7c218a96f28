"""How far the broker's answer can be relied on: its age, and the header that every answer about it bears."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from detector.domain.facts import Facts
from detector.domain.gate_report import TruthHeader
from detector.domain.section_reading import Reading
from detector.formats.numbers import format_list
from detector.formats.times import compute_seconds, format_above, format_duration, format_limit

_TITLES = {"broker_positions": "positions", "broker_orders": "open orders", "broker_executions": "executions"}
_INTERNAL = {"store_positions": "the stores' positions", "open_positions": "the runtime's positions"}
_UNCLEAR_COLUMNS = (".sec_type", ".order_type")  # a word of these that nobody knows makes its row unclear
_IRRELEVANT = ("broker.executions", "broker.mode", "broker.port")


class DataAge(Struct, frozen=True):
    """The time and age in seconds of the broker section, by the oldest of its times.

    `fault` is the reason why the age is unknown; the other fields are None then.
    """

    as_of: datetime | None = None
    seconds: float | None = None
    fault: str | None = None


def describe_age(seconds: float, limit: float) -> str:
    """Return an age and its limit, `20 s old (limit 60 s)` or `61 s old (over 60 s)`."""
    return f"{format_above(seconds, limit)} old ({format_limit(seconds, limit)})"


def compute_data_age(
    sections: Mapping[str, Any], taken_at: datetime | None, now: datetime, skew_sec: float
) -> DataAge:
    """Return the age of the broker section at `now`; `taken_at` is the snapshot's, None without one."""
    reading = Reading("broker", now, skew_sec)
    sources, broker = sections.get("sources"), sections.get("broker")
    entry = sources.get("broker") if isinstance(sources, dict) else None
    documents = (("broker", broker), ("sources.broker", entry))
    times = [
        reading.read_value("time", f"{name}.as_of", document.get("as_of"))
        for name, document in documents
        if isinstance(document, dict)
    ]
    for path, ahead in reading.skewed:
        return DataAge(fault=f"{path} lies {format_duration(ahead)} in the future")
    for fault in reading.invalid:
        return DataAge(fault=f"{fault.path} {fault.problem}")
    known_times = [moment for moment in times if moment is not None]
    if broker is None:
        return DataAge(fault="the broker was not read")
    if not known_times:
        return DataAge(fault="no `as_of` says when that was")
    if taken_at is not None and (taken_at - now).total_seconds() > skew_sec:
        return DataAge(fault="the snapshot was taken in the future")
    as_of = min([*known_times, *([] if taken_at is None else [taken_at])])
    return DataAge(as_of, compute_seconds(as_of, now))


def explain_unreliable(facts: Facts) -> str | None:
    """Return why the broker's rows are unreliable, their age apart, or None where they are not."""
    return next((problem for problem in _iter_broker_problems(facts) if problem), None)


def _iter_broker_problems(facts: Facts) -> Iterator[str | None]:
    source = facts.sources.get("broker")
    if source is not None and source.state == "failed":
        yield f"The broker could not be read: {source.detail or source.reason or 'no reason given'}."
    yield "The broker was not read." if "broker" not in facts.sections else None
    if any(name == "reader of broker" for name, _ in facts.errors):
        yield "The detector itself failed on what the broker said."
    if facts.broker_link is False:
        yield "What the broker section holds is from before its link was lost."
    for fault in (fault for fault in facts.invalid if fault.path.partition(".")[0] == "broker"):
        if not (fault.path.startswith(_IRRELEVANT) or fault.path.endswith(_UNCLEAR_COLUMNS)):
            yield f"What the broker said could not be read in full: {fault.path} {fault.problem}."
    partial = facts.provenance.partial - {"broker_executions"}
    incomplete = [title for fact, title in _TITLES.items() if fact in partial]
    yield f"The broker's {format_list(incomplete)} could not be read in full." if incomplete else None
    yield "The broker's positions were not seen." if facts.broker_positions is None else None
    unknown = [row.instrument_name for row in facts.broker_positions or () if row.quantity is None]
    yield f"How much of {unknown[0]} the broker holds was not seen." if unknown else None


def build_truth_header(facts: Facts, age: DataAge) -> TruthHeader:
    """Return the header of these facts; `age` is that of the broker section now."""
    unproven = [f"the broker's {title}" for name, title in _TITLES.items() if not is_complete(name, facts)]
    if not any(is_complete(name, facts) for name in _INTERNAL):
        unproven.append("the runtime's own positions")
    unproven += [
        title
        for name, title in _INTERNAL.items()
        if getattr(facts, name) is not None and not is_complete(name, facts)
    ]
    if facts.broker_account is None:
        unproven.append("the account")
    if age.fault is not None and facts.broker_positions is not None:
        unproven.append(f"when the broker was read ({age.fault})")
    return TruthHeader(facts.broker_account, age.as_of, age.seconds, age.fault, tuple(unproven))


def is_complete(name: str, facts: Facts) -> bool:
    """Whether a fact was seen, and in full."""
    return getattr(facts, name) is not None and name not in facts.provenance.partial
