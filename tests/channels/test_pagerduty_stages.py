"""PagerDuty pages again for what worsens, escalates or returns, though it is acknowledged, whatever fails.

It tells nobody of a trigger while an alert is acknowledged, so each stage has an alert of its own, which is
sent before the alert that it takes the place of is resolved.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from detector.channels.ack_source import AckContext
from detector.channels.channel import ChannelEnvironment
from detector.channels.pagerduty import PagerDutyService
from detector.clients.connection import Deadline
from detector.domain.condition import ANY_CHANNEL, Condition, MessageRef, Receipt
from detector.formats import errors
from detector.render.message_pagerduty import build_item_key
from tests.support.deliveries import Job
from tests.support.loopback import Behaviour, says, serving
from tests.support.messages import condition, message
from tests.support.pager_server import Incidents, Pager, answer_of, pager_on_loopback, takes_and_breaks_off
from tests.support.snapshots import NOW, settings_of

KEY = "pending_orders_high:aegis-pt-core"
START = datetime.fromisoformat("2026-06-06T05:00:00Z")
ORDERS = {"warning": 2, "critical": 3, "good": 0}
ESCALATES = {"AEGIS_PT_ESCALATE_AFTER_SEC": "1", "AEGIS_PT_PENDING_ORDER_PERSIST_SEC": "1"}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    """The program's one retry, without its pauses."""
    monkeypatch.setattr(errors, "PAUSES_SEC", (0.01, 0.02))


class Shift:
    """One runtime, its pager, and the runs ten minutes apart."""

    def __init__(self, pager: Pager) -> None:
        self.pager = pager
        self.incidents = Incidents(pager)
        self.job = Job({**pager.environ, "AEGIS_PT_PAGERDUTY_MIN": "warning"})
        self.runs = 0

    def run(self, verdict: str, *answers: Behaviour, escalates: bool = False, killed: bool = False) -> Any:
        """Run once; the pager answers so, one each, and well after them."""
        at = START + timedelta(minutes=10 * self.runs)
        self.runs += 1
        self.pager.answers[:] = answers
        patch = {"status_v3": {"pending_orders": ORDERS[verdict], "orders": []}}
        environ = {**(ESCALATES if escalates else {}), "AEGIS_PT_CHANNEL_TIMEOUT_SEC": "2"}
        delivery = self.job.run(patch, at.isoformat().replace("+00:00", "Z"), killed=killed, environ=environ)
        self.pager.answers.clear()
        self.incidents.refresh()
        return delivery


@contextmanager
def shift() -> Iterator[Shift]:
    with pager_on_loopback("pagerduty") as pager:
        yield Shift(pager)


def takes(pager: Pager) -> Behaviour:
    """Answer as if nothing were wrong."""
    return lambda served, conn, request: conn.sendall(answer_of(pager, request))


def test_each_worse_stage_pages_though_the_one_before_is_acknowledged_and_one_alert_is_open():
    with shift() as made:
        stages = [("warning", False), ("critical", False), ("critical", True)]
        for number, (verdict, escalates) in enumerate(stages, 1):
            made.run(verdict, escalates=escalates)
            assert len(made.incidents.pages) == number
            assert made.incidents.open == {made.incidents.pages[-1]: "triggered"}
            made.incidents.acknowledge()
        assert made.incidents.pages == [KEY, f"{KEY}::worse", f"{KEY}::escalated"]
        for verdict in ("good", "good"):
            made.run(verdict)
        assert made.incidents.open == {}


def test_a_reminder_and_what_improves_open_no_other_alert():
    with shift() as made:
        for verdict in ("critical", "critical", "warning", *["critical"] * 9):
            made.run(verdict, escalates=True)
        assert sum(event["event_action"] == "trigger" for event in made.pager.taken) > 1, (
            "there was a reminder"
        )
        assert made.incidents.pages == [KEY, f"{KEY}::escalated"]


REFUSED: dict[str, Any] = {
    "refused": lambda _: says({}, 400),
    "taken, and the yes is lost": takes_and_breaks_off,
}


@pytest.mark.parametrize("after", [["critical"], ["good", "good"]], ids=["it goes on", "it ends"])
@pytest.mark.parametrize("killed", [False, True], ids=["the run ends", "the run is killed"])
@pytest.mark.parametrize("at", [0, 1], ids=["at the trigger", "at the resolve"])
@pytest.mark.parametrize("how", REFUSED)
def test_what_fails_while_it_becomes_worse_leaves_no_time_without_an_alert_and_none_at_the_end(
    how, at, killed, after
):
    with shift() as made:
        made.run("warning")
        made.incidents.acknowledge()
        answers = [takes(made.pager)] * at + [REFUSED[how](made.pager)] * 3
        delivery = made.run("critical", *answers, killed=killed)
        assert made.incidents.open, "one stands open at any time"
        if at == 1:
            assert made.incidents.pages[-1] == f"{KEY}::worse"
            assert not delivery.undelivered
            assert "pagerduty: an earlier alert of a condition was not resolved" in " ".join(delivery.notes)
        for verdict in after:
            made.run(verdict)
        if after == ["critical"]:
            assert made.incidents.pages == [KEY, f"{KEY}::worse"], "once each"
            for verdict in ("good", "good"):
                made.run(verdict)
        assert made.incidents.open == {}


def test_a_refused_resolve_of_one_delays_no_trigger_of_another():
    with shift() as made:
        made.run("warning")
        patch = {"status_v3": {"pending_orders": 3, "unknown_fills": 1}}
        made.pager.answers[:] = [takes(made.pager)] * 2 + [says({}, 400)]
        made.job.run(patch, "2026-06-06T05:10:00Z")
        triggers = [event["dedup_key"].partition(":")[0] for event in made.pager.taken[1:]]
        assert sorted(triggers) == ["pending_orders_high", "unknown_fill"]


def test_an_alert_of_an_earlier_version_has_the_signature_as_its_key_and_is_resolved():
    with shift() as made:
        made.run("warning")
        conditions = {
            name: replace(one, receipts={ANY_CHANNEL: replace(one.receipts["pagerduty"], places=())})
            for name, one in made.job.memory.conditions.items()
        }
        made.job.memory = replace(made.job.memory, conditions=conditions)
        made.incidents.acknowledge()
        made.run("critical")
        assert made.incidents.open == {f"{KEY}::worse": "triggered"}


def test_an_acknowledgement_is_read_from_the_newest_alert_first_and_from_the_ones_before():
    incident = {
        "id": "Q1",
        "acknowledgements": [{"at": "2026-06-06T05:15:00Z", "acknowledger": {"id": "PANN"}}],
    }

    def api(served, conn, request):
        is_old = b"core&" in request
        says({"incidents": [incident] if is_old else []})(served, conn, request)

    with shift() as made, serving(api) as server:
        made.run("warning")
        made.run("critical", takes(made.pager), says({}, 400))
        texts = {"PAGERDUTY_API_URL": server.url, "PAGERDUTY_TOKEN": "t", "ACK_FROM": "ann=pagerduty:PANN"}
        with_token = settings_of({**texts, "PAGERDUTY_ROUTING_KEY": "k" * 32})
        service = PagerDutyService(with_token, ChannelEnvironment({}, lambda: NOW))
        context = AckContext(made.job.memory.conditions, NOW, with_token, Deadline(5))
        (request,) = service.fetch_acknowledgements(context).requests
        assert (request.by, request.signature) == ("ann", "pending_orders_high:aegis-pt-core")
        assert [b"%3A%3Aworse&" in asked for asked in server.requests] == [True, False]


def keys_of(*conditions: Condition) -> list[str]:
    return [build_item_key(item) for item in message(*conditions, channel="pagerduty").items]


def test_every_key_is_short_enough_and_two_long_signatures_have_two():
    long = [condition(subject="S" * length) for length in (150, 200, 201, 400)]
    keys = keys_of(*long)
    assert len(set(keys)) == len(long)
    assert max(map(len, keys)) <= 255


def test_an_occurrence_of_another_episode_has_another_alert_because_no_end_resolves_the_first():
    first, second = (condition(kind="occurrence", generation=number) for number in (3, 4))
    assert keys_of(first) != keys_of(second)
    assert keys_of(condition(generation=3)) == keys_of(condition(generation=4))


def test_what_worsens_where_its_alert_is_recorded_already_is_sent_all_the_same():
    """No history is known that leads here; one that did may cost no other condition its alert."""
    key = "heartbeat_stale:aegis-pt-core::worse"
    receipt = Receipt("warning", NOW - timedelta(minutes=30), places=(MessageRef("pagerduty", key),))
    assert keys_of(condition(receipts={"pagerduty": receipt})) == [key]


PAGING = {"new", "owed", "worse", "escalated", "again"}
STEPS = st.tuples(
    st.sampled_from(["warning", "critical", "critical", "good"]),
    st.booleans(),  # whether it escalates by now
    st.booleans(),  # whether a person acknowledges all that is open before
    st.sampled_from([None, None, None, 0, 1]),  # the request that is refused
    st.sampled_from([False, False, True]),  # whether the run is killed before it remembers
)


@settings(max_examples=12, deadline=None)
@given(st.lists(STEPS, min_size=1, max_size=9))
def test_in_any_history_who_has_to_be_paged_is_paged_and_an_end_leaves_nothing_open(history):
    with shift() as made:
        recorded = 0  # how many pages there were when a delivery was last recorded
        for verdict, escalates, acknowledges, refused, killed in history:
            if acknowledges:
                made.incidents.acknowledge()
            answers = [] if refused is None else [takes(made.pager)] * refused + [says({}, 400)]
            delivery = made.run(verdict, *answers, escalates=escalates, killed=killed)
            due = {one.reason for one in delivery.report.owed.get("pagerduty", ())}
            if killed or delivery.undelivered or not due:
                continue
            if due & PAGING:
                key = next(e["dedup_key"] for e in made.pager.taken[::-1] if e["event_action"] == "trigger")
                assert key in made.incidents.pages[recorded:], (verdict, due)
                assert key in made.incidents.open
            if "resolved" in due and refused is None:
                assert not [key for key in made.incidents.open if key.startswith(KEY)]
            if not delivery.notes:  # else an earlier alert was not resolved, and is still open
                recorded = len(made.incidents.pages)
