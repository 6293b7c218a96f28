"""What is stored: whole as a rule, and otherwise what is worth most, always less than every reader takes."""

from __future__ import annotations

import json
from datetime import timedelta
from functools import cache

import pytest
from msgspec.structs import replace

from detector.domain.condition import build_event
from detector.domain.report import Report
from detector.domain.run_memory import Memory
from detector.formats.strict_json import parse_document
from detector.readers.previous import ExpectedMemory, read_previous
from detector.storage.memory_artifact import MOST_STORED, limit_size
from detector.storage.zip_archive import MOST_COMPRESSED, MOST_UNPACKED, extract_member
from tests.support.github_memory import MEMBER, zipped
from tests.support.snapshots import NOW, evaluated, healthy

REPORT = evaluated({**healthy(), "status_v3": {**healthy()["status_v3"], "pending_orders": 3}})
ONE = next(iter(REPORT.conditions.values()))


@cache
def of(count: int, summary: str = "alike") -> Report:
    """A report of that many conditions, every third critical, every other one over."""
    made = [
        replace(
            ONE,
            signature=f"{ONE.signature}:{number:05d}",
            subject=f"{number:05d}",
            severity="warning" if number % 3 else "critical",
            peak="warning" if number % 3 else "critical",
            phase="ended" if number % 2 else "firing",
            last_seen=NOW - timedelta(seconds=number),
            summary=summary,
        )
        for number in range(count)
    ]
    events = tuple(build_event(one) for one in made if one.is_active)
    return replace(REPORT, conditions={one.signature: one for one in made}, events=events, new_events=events)


def read(text: str) -> Memory:
    return read_previous(
        parse_document(extract_member(zipped(text), MEMBER)), ExpectedMemory(REPORT.runtime, NOW, {})
    )


def test_the_readers_take_more_than_is_ever_stored_even_where_it_cannot_be_packed():
    assert min(MOST_COMPRESSED, MOST_UNPACKED) > MOST_STORED


def test_a_usual_memory_is_stored_whole():
    made = limit_size(of(100))
    assert (made.left_out, len(read(made.text).conditions)) == (0, 100)
    assert "snapshot" in json.loads(made.text)


@pytest.mark.parametrize("summary", ["alike", "é<&>\\" * 60], ids=["alike", "long"])
def test_a_flood_is_bounded_and_what_is_stored_is_read(summary):
    report = of(9000, summary=summary)
    made = limit_size(report)
    assert len(made.text.encode()) <= MOST_STORED
    kept = read(made.text).conditions
    assert len(kept) == len(report.conditions) - made.left_out
    assert len(made.text.encode()) > MOST_STORED / 2, "no more is left out than must be"
    assert {
        one.signature for one in report.conditions.values() if one.peak == "critical"
    } <= kept.keys() or all(one.peak == "critical" for one in kept.values())
    document = json.loads(made.text)
    assert {one["signature"] for one in document["events"]} <= kept.keys()


def test_of_what_is_alike_the_newer_and_what_holds_stays():
    kept = read(limit_size(of(9000)).text).conditions
    critical = [one for one in of(9000).conditions.values() if one.peak == "critical" and one.is_active]
    assert {one.signature for one in critical} <= kept.keys()
    warned = sorted(key for key, one in kept.items() if one.peak == "warning" and one.is_active)
    every = sorted(key for key, one in of(9000).conditions.items() if one.peak == "warning" and one.is_active)
    assert warned == every[: len(warned)]
