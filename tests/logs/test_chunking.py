"""The same lines in any chunking over runs give the same occurrences, each told once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from detector.domain.rule import OCCURRENCE
from detector.domain.run_memory import FIRST_RUN
from detector.logs.events import MAX_NEWS_AGE
from tests.support.log_lines import (
    BACK,
    BACK_DATA_LOST,
    BACK_WITHOUT,
    CLIENT_ID,
    FARM_DOWN,
    FARM_UP,
    LOST,
    NOON,
    PROOF,
    READY,
    REFUSED,
    STREAM_DEAD,
    document,
    event,
    window,
)
from tests.support.snapshots import evaluated, remembered

BEGIN = NOON - timedelta(minutes=55)
MESSAGES = [
    LOST,
    BACK,
    BACK_DATA_LOST,
    BACK_WITHOUT.format("usfuture"),
    FARM_DOWN.format("usfarm"),
    FARM_UP.format("usfarm"),
    STREAM_DEAD,
    CLIENT_ID,
    REFUSED,
    READY,
    PROOF,
    "CRITICAL boom",
    "CRITICAL boom",
    'Traceback (most recent call last):\n  File "x"\nValueError: y',
    "ERROR handled\nTraceback (most recent call last):\nValueError: y",
    "IBC: Exiting after error with exit code=1102",
    "IBC: Login has completed",
    "send_outcome_unknown order_id=12",
    "unknown fill: orderId=55",
    "Error 2148, reqId -1: URGENT liquidation",
    "missing broker positions: ['COIN']",
    "INFO scan done",
]
GAPS = st.sampled_from([0, 0.5, 5, 30, 60, 61, 120, 300, 301, 600, 601])
HISTORIES = st.lists(st.tuples(GAPS, st.sampled_from(MESSAGES)), min_size=1, max_size=22)
CUTS = st.lists(st.floats(0, 1), min_size=9, max_size=9)
OURS = (
    "connectivity_lost",
    "session_conflict",
    "severe_log_burst",
    "gateway_failure",
    "farm_unhealed",
    "margin_notice",
    "send_outcome_unknown",
    "unknown_fill",
)


def timed(history):
    """The history as timed lines within 55 minutes, no two of them at the same millisecond."""
    at, found = BEGIN, []
    for number, (gap, message) in enumerate(history):
        at += timedelta(seconds=gap)
        if number == 0 or at < NOON - timedelta(seconds=60):
            found.append((at + timedelta(milliseconds=number), message))
    return found


class Told:
    """What a sequence of runs told of occurrences, and when each of them last occurred in the end."""

    def __init__(self, runs: Sequence[tuple[datetime, object]]) -> None:
        self.told: list[tuple[str | None, str, datetime | None]] = []
        memory = FIRST_RUN
        for now, logs in runs:
            # Without the runtime's own success, which would end a failure of the gateway at this run's time.
            report = evaluated(document(logs, now, status_v3={"broker_connected": None}), memory)
            for one in report.new_events:
                condition = report.conditions[one.signature]
                if condition.kind == OCCURRENCE and one.type in OURS:
                    self.told.append((one.reason, one.signature, condition.occurred_at))
            memory = remembered(report)
        self.memory = memory
        self.last = {
            signature: condition.occurred_at
            for signature, condition in memory.conditions.items()
            if condition.type in OURS
        }

    @property
    def occurrences(self):
        """Each telling of an occurrence, but for those that say that one told before became worse or
        escalates.
        """
        found: list[tuple[str, datetime | None]] = []
        for reason, signature, at in self.told:
            if reason not in ("worse", "escalated") or (signature, at) not in found:
                found.append((signature, at))
        return found


EXIT, CRASH = "IBC: Exiting after error with exit code=1102", MESSAGES[13]


@given(HISTORIES, CUTS)
@example([(0, EXIT), (0, CRASH)], [0.0] * 9)  # the first line was read, the crash right after it was not
@example([(0, EXIT), (0, CRASH), (0, CRASH), (0, "CRITICAL boom"), (0, CRASH), (0, CRASH)], [0.0] * 9)
@settings(deadline=None, max_examples=40)
def test_events_give_the_same_in_any_chunks(history, cuts):
    lines = [event(at, message) for at, message in timed(history)]
    ends = sorted({BEGIN + cut * (NOON - BEGIN) for cut in cuts} | {NOON})

    def runs(overlap):
        begins = [BEGIN - timedelta(milliseconds=1), *ends[:-1]]
        return [
            (
                end,
                window(
                    lines, max(BEGIN, begin - overlap) if overlap else begin + timedelta(milliseconds=1), end
                ),
            )
            for begin, end in zip(begins, ends, strict=True)
        ]

    one = Told([(NOON, window(lines, BEGIN, NOON))])
    overlaps = (timedelta(), timedelta(minutes=10), timedelta(hours=9))
    ten = [Told(runs(overlap)) for overlap in overlaps]
    for overlap, other in zip(overlaps, ten, strict=True):
        assert other.last == one.last
        assert len(other.occurrences) == len(set(other.occurrences))
        assert {signature for signature, _ in one.occurrences} <= {
            signature for signature, _ in other.occurrences
        }
        assert other.told == ten[0].told
        mine, its = one.memory.before.logs, other.memory.before.logs
        assert mine is not None
        assert its is not None
        # Windows that do not overlap leave a hole between them, of which nothing but `since` says so.
        assert (its if overlap else replace(its, since=mine.since)) == mine


@given(HISTORIES, CUTS)
@settings(deadline=None, max_examples=25)
def test_plain_lines_with_a_time_give_the_same_in_any_chunks(history, cuts):
    whole = [
        (at, f"{at:%Y-%m-%d %H:%M:%S},{at.microsecond // 1000:03} {part}")
        for at, message in timed(history)
        for part in message.splitlines()
    ]
    lines = [line for _, line in whole]
    ends = sorted({max(1, round(cut * len(whole))) for cut in cuts} | {len(whole)})
    times = [whole[end - 1][0] + timedelta(milliseconds=1 + number) for number, end in enumerate(ends)]
    last = times[-1] + timedelta(seconds=400)
    # A first look tells of the last hour only; what chunks told in time would be older than that for it.
    assume(last - whole[0][0] < MAX_NEWS_AGE)
    grown = Told([*((at, lines[:end]) for at, end in zip(times, ends, strict=True)), (last, lines)])
    apart = Told(
        [
            *((at, lines[begin:end]) for at, begin, end in zip(times, [0, *ends[:-1]], ends, strict=True)),
            (last, []),
        ]
    )
    once = Told([(last, lines), (last + timedelta(seconds=1), lines)])
    for other in (grown, apart):
        assert other.last == once.last
        assert len(other.occurrences) == len(set(other.occurrences))
    assert len(once.told) == len({signature for _, signature, _ in once.told})


@given(st.lists(st.sampled_from([*MESSAGES, "INFO a", "INFO b"]), min_size=1, max_size=60), CUTS)
@settings(deadline=None, max_examples=25)
def test_a_file_without_times_that_grows(messages, cuts):
    whole = [line for message in messages for line in message.splitlines()]
    ends = sorted({max(1, round(cut * len(whole))) for cut in cuts} | {len(whole)})
    times = [NOON + timedelta(seconds=1 + number) for number in range(len(ends))]
    grown = Told([(at, whole[:end]) for at, end in zip(times, ends, strict=True)])
    twice = Told(
        [
            run
            for at, end in zip(times, ends, strict=True)
            for run in ((at, whole[:end]), (at + timedelta(milliseconds=1), whole[:end]))
        ]
    )
    assert grown.told == twice.told
    assert len(grown.occurrences) == len(set(grown.occurrences))


@pytest.mark.parametrize("overlap", [0, 600])
def test_a_traceback_that_is_cut_by_the_window_is_counted_once(overlap):
    crash = ["Traceback (most recent call last):", '  File "x"', "ValueError: y"]
    lines = [
        event(BEGIN + timedelta(seconds=60 * number, milliseconds=part), text)
        for number in range(4)
        for part, text in enumerate(crash)
    ]
    cut = BEGIN + timedelta(seconds=120, milliseconds=1)
    runs = [
        (cut, window(lines, BEGIN, cut)),
        (
            NOON,
            window(
                lines, cut - timedelta(seconds=overlap) if overlap else cut + timedelta(milliseconds=1), NOON
            ),
        ),
    ]
    assert Told(runs).told == []
