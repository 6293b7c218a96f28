"""Laws of acknowledgement over random histories: it silences reminders and later rungs, and nothing else."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from detector import ledger
from detector.domain.acknowledgement import AckRequest
from detector.domain.report import Report
from detector.domain.run_memory import FIRST_RUN, Memory
from detector.settings import Rung
from tests.support.snapshots import NOW, evaluated, remembered, status_at

SIGNATURE = "pending_orders_high:aegis-pt-core"
RUNGS = {"slack": Rung("warning"), "pager": Rung("escalated"), "next": Rung("warning", 900)}
ORDERS = {"warning": 2, "critical": 3, "good": 0, "unseen": None}
START = NOW.replace(day=6, hour=5)  # a Saturday: no session
GAPS = st.sampled_from([300, 600, 1500, 3600])
VERDICTS = st.sampled_from(["warning", "critical", "critical", "good", "unseen"])
HOURS = st.sampled_from([None, None, 900, 7200, 86_400])
GOES_ON = ("reminder", "worse", "escalated")
HISTORIES = st.lists(st.tuples(GAPS, VERDICTS, HOURS), min_size=1, max_size=14)


def stamp(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def request(at: datetime, seconds: float) -> AckRequest:
    return AckRequest(
        SIGNATURE, "ann", at, at + timedelta(seconds=seconds), "command", f"command:{stamp(at)}"
    )


def acknowledged(memory: Memory, *requests: AckRequest, now: datetime) -> Memory:
    applied = ledger.apply_acknowledgements(memory.conditions, requests, now, ["next"])
    return replace(memory, conditions=applied.conditions)


def step(memory: Memory, at: datetime, verdict: str) -> tuple[Memory, list[tuple[str, str]], Report]:
    """Run once; return the memory, what each channel was told, and the report."""
    report = evaluated(
        status_at(stamp(at), {"pending_orders": ORDERS[verdict], "orders": []}),
        memory,
        channels=RUNGS,
    )
    told = [(channel, str(notice.reason)) for channel in RUNGS for notice in report.owed[channel]]
    for channel in RUNGS:
        after = ledger.add_receipts(report.conditions, report.owed[channel], channel, report.taken_at)
        report = replace(report, conditions=after)
    return remembered(report, printed=False), told, report


def run(history: list[tuple[int, str, int | None]], with_acks: bool) -> list[tuple[datetime, str, str]]:
    memory, at, told = FIRST_RUN, START, []
    for gap, verdict, seconds in history:
        at += timedelta(seconds=gap)
        if with_acks and seconds is not None:
            memory = acknowledged(memory, request(at - timedelta(seconds=60), seconds), now=at)
        memory, said, _ = step(memory, at, verdict)
        told += [(at, channel, reason) for channel, reason in said]
    return told


@settings(max_examples=40)
@given(HISTORIES)
def test_on_every_channel_but_a_later_rung_only_reminders_are_silenced(history):
    def told(with_acks: bool) -> list[tuple[datetime, str, str]]:
        return [one for one in run(history, with_acks) if one[1] != "next" and one[2] != "reminder"]

    assert told(True) == told(False)


@settings(max_examples=40)
@given(HISTORIES)
def test_an_acknowledgement_never_brings_a_message_forward(history):
    # A later rung hears of an occurrence later, perhaps when it is milder again: then it is owed the
    # worsening too.
    def first_words(with_acks: bool) -> list[tuple[datetime, str]]:
        return [(at, channel) for at, channel, reason in run(history, with_acks) if reason not in GOES_ON]

    with_acks, without = first_words(True), first_words(False)
    for channel in RUNGS:
        kept, all_of_it = ([at for at, name in told if name == channel] for told in (with_acks, without))
        assert len(kept) <= len(all_of_it)
        assert all(later >= sooner for later, sooner in zip(kept, all_of_it, strict=False))


@settings(max_examples=40)
@given(HISTORIES)
def test_while_it_is_in_force_no_reminder_and_no_later_rung_is_due(history):
    memory, at = FIRST_RUN, START
    for gap, verdict, seconds in history:
        at += timedelta(seconds=gap)
        if seconds is not None:
            memory = acknowledged(memory, request(at - timedelta(seconds=60), seconds), now=at)
        memory, told, report = step(memory, at, verdict)
        condition = report.conditions.get(SIGNATURE)
        if condition is not None and condition.get_acknowledgement(at) is not None and condition.is_active:
            assert ("next", "new") not in told
            assert "reminder" not in [reason for _, reason in told]


CHANGES: dict[str, dict[str, Any]] = {
    "of an unknown signature": {"signature": "unknown_fill:aegis-pt-core"},
    "of another runtime": {"signature": "pending_orders_high:other"},
    "expired": {"until": START},
    "of the future": {"at": START + timedelta(days=2), "until": START + timedelta(days=3)},
    "from before it began": {"at": START - timedelta(hours=1), "until": START + timedelta(hours=9)},
}


def test_a_request_that_counts_for_nothing_changes_nothing():
    memory, _, _ = step(FIRST_RUN, START, "critical")
    at = START + timedelta(seconds=300)
    for name, change in CHANGES.items():
        assert acknowledged(memory, replace(request(at, 3600), **change), now=at) == memory, name


@settings(max_examples=30)
@given(st.lists(st.sampled_from(["critical", "warning", "good"]), min_size=1, max_size=8))
def test_a_replayed_request_never_changes_anything(verdicts):
    memory, _, _ = step(FIRST_RUN, START, "critical")
    at = START + timedelta(seconds=60)
    replayed = request(at, 86_400)
    memory = acknowledged(memory, replayed, now=at)
    for verdict in verdicts:
        at += timedelta(seconds=600)
        memory, _, _ = step(memory, at, verdict)
        assert acknowledged(memory, replayed, now=at) == memory


def test_an_acknowledgement_lasts_at_most_a_day():
    memory, _, _ = step(FIRST_RUN, START, "critical")
    at = START + timedelta(seconds=60)
    memory = acknowledged(memory, request(at, 900_000), now=at)
    assert memory.conditions[SIGNATURE].acks[0].until == at + timedelta(days=1)


def timeline(
    *verdicts: str, ack_at: int | None = None, seconds: float = 7200
) -> dict[str, list[tuple[int, str]]]:
    """What each channel is told, with the minute, in runs ten minutes apart."""
    told: dict[str, list[tuple[int, str]]] = {channel: [] for channel in RUNGS}
    memory = FIRST_RUN
    for number, verdict in enumerate(verdicts):
        at = START + timedelta(minutes=10 * number)
        if ack_at is not None and number == ack_at:
            memory = acknowledged(memory, request(at - timedelta(seconds=60), seconds), now=at)
        memory, said, _ = step(memory, at, verdict)
        for channel, reason in said:
            told[channel].append((10 * number, reason))
    return told


def test_the_next_rung_is_told_of_what_nobody_acknowledged_for_so_long():
    told = timeline("critical", "critical", "critical", "critical")
    assert told["next"] == [(30, "new")], "it escalated after ten minutes, and the time began anew"


def test_acknowledged_on_one_rung_it_is_quiet_on_the_next():
    told = timeline(*["critical"] * 8, ack_at=2)
    assert told["next"] == []
    assert told["pager"] == [(10, "new")]


def test_after_its_end_the_next_rung_waits_its_time_and_is_told():
    told = timeline(*["critical"] * 8, ack_at=2, seconds=1260)
    assert told["next"] == [(60, "new")]


def test_what_worsens_is_told_to_the_next_rung_too_unless_it_is_acknowledged_again():
    told = timeline(
        "warning", "warning", "critical", "critical", "critical", "critical", "critical", ack_at=1
    )
    assert told["slack"][:2] == [(0, "new"), (20, "escalated")]
    assert told["next"] == [(40, "new")]


def test_the_next_rung_is_told_the_end_only_of_what_it_was_told():
    assert timeline("critical", "critical", "good", "good", "good")["next"] == []
    assert (
        timeline("critical", "critical", "critical", "critical", "good", "good")["next"][-1][1] == "resolved"
    )


def test_what_escalates_after_its_acknowledgement_is_told_to_the_next_rung():
    told = timeline(*["critical"] * 5, ack_at=1)
    assert told["pager"] == [(10, "new")]
    assert told["next"] == [(30, "new")]
