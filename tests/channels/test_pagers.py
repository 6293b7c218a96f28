"""Webhook, ntfy, PagerDuty and Telegram.

Each told once, by documented bodies, whatever becomes of it or of the others.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest

from detector.channels.webhook import compute_signature
from detector.formats import errors
from tests.support.deliveries import THREE_ORDERS, Job
from tests.support.loopback import PATIENCE_SEC, Behaviour, closed_port, hangs, redirects, resets, says, sends
from tests.support.pager_server import KINDS, SECRETS, TOPIC, Pager, pager_on_loopback, takes_and_breaks_off
from tests.support.slack_server import slack_on_loopback
from tests.support.smtp_server import mail_on_loopback

TIMES = [f"2026-06-06T05:{minute}:00Z" for minute in ("00", "10", "20", "30", "40")]
EVERYTHING = {f"AEGIS_PT_{kind.upper()}_MIN": "warning" for kind in KINDS}
LONG, SHORT = "8", "1.2"

# name: how it answers each attempt, and the reason that is kept; a name with a kind is of that kind alone.
FAULTS: dict[str, tuple[Callable[[Pager], list[Behaviour]], str]] = {
    "400": (lambda _: [says({"error": "no"}, 400)], errors.REJECTED),
    "401": (lambda _: [says({}, 401)], errors.LOGIN),
    "403": (lambda _: [says({}, 403)], errors.NOT_ALLOWED),
    "413": (lambda _: [says(b"too large", 413)], errors.REJECTED),
    "301": (lambda _: [redirects("http://127.0.0.1:1/elsewhere", 301)], errors.REDIRECTED),
    "429 for an hour": (lambda _: [says({}, 429, {"retry-after": "3600"})], errors.THROTTLED),
    "429 for garbage": (lambda _: [says({}, 429, {"retry-after": "soon"})] * 3, errors.THROTTLED),
    "500": (lambda _: [says(b"oops", 500)] * 3, errors.REJECTED),
    "503": (lambda _: [says(b"oops", 503)] * 3, errors.REJECTED),
    "no answer": (lambda _: [hangs()], errors.NO_ANSWER),
    "a reset in the middle": (lambda _: [resets(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n")], errors.NO_ANSWER),
    "what is not HTTP": (lambda _: [sends(b"hello\r\n\r\n")], errors.NO_ANSWER),
    "taken, and the yes is lost": (lambda pager: [takes_and_breaks_off(pager)], errors.NO_ANSWER),
}  # fmt: skip
OWN_FAULTS: dict[tuple[str, str], tuple[list[Behaviour], str]] = {
    ("ntfy", "200 and a page"): ([says(b"<html>sign in</html>")], errors.REJECTED),
    ("ntfy", "200 and nothing"): ([says(b"")], errors.REJECTED),
    ("ntfy", "200 of another server"): ([says({"ok": True})], errors.REJECTED),
    ("pagerduty", "202 with an error"): (
        [says({"status": "invalid event", "errors": ["routing_key"]}, 202)], errors.REJECTED,
    ),
    ("pagerduty", "202 and a page"): ([says(b"<html>", 202)], errors.REJECTED),
    ("telegram", "200 and not ok"): (
        [says({"ok": False, "error_code": 400, "description": "Bad Request: chat not found"})], errors.NO_PLACE,
    ),
    ("telegram", "404, as of an unknown token"): (
        [says({"ok": False, "error_code": 404, "description": "Not Found"}, 404)], errors.LOGIN,
    ),
    ("telegram", "429 in the body"): (
        [says({"ok": False, "error_code": 429, "parameters": {"retry_after": 3600}}, 429)], errors.THROTTLED,
    ),
    ("telegram", "200 and a list"): ([says([])], errors.REJECTED),
    ("telegram", "200 and a page"): ([says(b"<html>")], errors.REJECTED),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    """The program's one retry, without its pauses."""
    monkeypatch.setattr(errors, "PAUSES_SEC", (0.01, 0.02))


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_told_once_of_the_problem_and_once_of_its_end(kind):
    with pager_on_loopback(kind) as pager:
        job = Job({**EVERYTHING, **pager.environ})
        for at, patch in zip(TIMES, (THREE_ORDERS, THREE_ORDERS, None, None, None), strict=True):
            assert not job.run(patch, at).undelivered
        assert pager.told_of("pending_orders_high") == (1 if kind == "pagerduty" else 2)
        assert len(pager.taken) == (6 if kind == "pagerduty" else 2)


@pytest.mark.parametrize("kind", KINDS)
def test_by_default_a_pager_waits_until_it_escalates_and_the_webhook_gets_everything(kind):
    with pager_on_loopback(kind) as pager:
        job = Job(pager.environ)
        job.run(THREE_ORDERS, TIMES[0])
        assert pager.told_of("pending_orders_high") == (kind == "webhook")
        money = {"status_v3": {"unknown_fills": 1, **THREE_ORDERS["status_v3"]}}
        job.run(money, TIMES[1])
        assert pager.told_of("unknown_fill") == 1, "critical with money at risk is told at once"
        assert pager.told_of("pending_orders_high") == (kind == "webhook")
        job.run(
            money,
            TIMES[2],
            environ={"AEGIS_PT_ESCALATE_AFTER_SEC": "480", "AEGIS_PT_PENDING_ORDER_PERSIST_SEC": "480"},
        )
        assert pager.told_of("pending_orders_high") >= 1


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("kind", KINDS)
def test_it_fails_and_nothing_is_lost(kind, name):
    make, reason = FAULTS[name]
    with pager_on_loopback(kind) as pager, slack_on_loopback() as slack:
        _fails_once(pager, slack, make(pager), reason, name)
        assert pager.told_of("pending_orders_high") == (2 if name == "taken, and the yes is lost" else 1)


@pytest.mark.parametrize(("kind", "name"), OWN_FAULTS, ids=" ".join)
def test_it_fails_in_its_own_way_and_nothing_is_lost(kind, name):
    behaviours, reason = OWN_FAULTS[kind, name]
    with pager_on_loopback(kind) as pager, slack_on_loopback() as slack:
        _fails_once(pager, slack, behaviours, reason, name)
        assert pager.told_of("pending_orders_high") == 1


def _fails_once(pager, slack, behaviours, reason, name):
    job = Job({**EVERYTHING, **pager.environ, "AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook})
    pager.answers[:] = behaviours
    wait = {"AEGIS_PT_CHANNEL_TIMEOUT_SEC": SHORT if name == "no answer" else LONG}
    began = time.monotonic()
    first = job.run(THREE_ORDERS, TIMES[0], environ=wait)
    assert time.monotonic() - began < PATIENCE_SEC
    error = first.failed[pager.kind]
    assert (error.reason, first.undelivered) == (reason, True), str(error)
    assert "canary" not in str(error)
    pager.answers.clear()
    assert not job.run(THREE_ORDERS, TIMES[1]).undelivered
    assert not job.run(THREE_ORDERS, TIMES[2]).undelivered
    assert len(slack.posts) == 1, "the other channel hears of it once"


@pytest.mark.parametrize("kind", KINDS)
def test_it_takes_no_connection(kind):
    with pager_on_loopback(kind) as pager:
        port = str(pager.served.address[1])
        gone = {name: text.replace(port, str(closed_port())) for name, text in pager.environ.items()}
        failed = Job({**EVERYTHING, **gone}).run(THREE_ORDERS).failed[kind]
        assert failed.reason == errors.REFUSED


CHANNELS = ("slack", "email", *KINDS)
# Each channel has another one of these in each round, so that every fault meets every other.
TOGETHER = ("is well", "takes no connection", "says to wait", "stumbles", "takes it with an error", "hangs")
IN_ERROR = {
    "slack": says(b"no_service", 200, {"content-type": "text/html"}),
    "webhook": redirects("http://127.0.0.1:1/elsewhere", 307),
    "ntfy": redirects("http://127.0.0.1:1/elsewhere", 307),
    "pagerduty": says({"status": "invalid event"}, 202),
    "telegram": says({"ok": False, "error_code": 400, "description": "Bad Request: no"}),
}


class AllChannels:
    """Every channel there is on one job, and how each of them fails next."""

    def __init__(self, stack: ExitStack) -> None:
        self.pagers = {kind: stack.enter_context(pager_on_loopback(kind)) for kind in KINDS}
        self.slack = stack.enter_context(slack_on_loopback())
        self.box = stack.enter_context(mail_on_loopback())
        self.environ = {**EVERYTHING, "AEGIS_PT_SLACK_WEBHOOK_URL": self.slack.hook, **self.box.environ()}
        for pager in self.pagers.values():
            self.environ |= pager.environ
        self.when_left: dict[str, dict[str, int]] = {}

    def told(self) -> dict[str, int]:
        """How many messages of the condition each channel took."""
        counts = {kind: pager.told_of("pending_orders_high") for kind, pager in self.pagers.items()}
        return {"slack": len(self.slack.posts), "email": len(self.box.mails), **counts}

    def fail(self, name: str, fault: str) -> dict[str, str]:
        """Let one channel fail in that way; return the settings that differ for it."""
        if name == "email":
            replies = {"says to wait": "451 4.7.1 greylisted", "stumbles": "421 4.3.2 later",
                       "takes it with an error": "554 5.7.1 no"}  # fmt: skip
            self.box.says.update({"RCPT": [replies[fault]] * 3} if fault in replies else {})
            self.box.slow.update({"MAIL": 3} if fault == "hangs" else {})
            return {"AEGIS_PT_SMTP_PORT": str(closed_port())} if fault == "takes no connection" else {}
        server = self.slack if name == "slack" else self.pagers[name]
        if fault == "takes no connection":
            port = str(server.served.address[1])
            gone = str(closed_port())
            own = self.slack.hook if name == "slack" else ""
            given = {"AEGIS_PT_SLACK_WEBHOOK_URL": own} if own else self.pagers[name].environ
            return {key: text.replace(f":{port}", f":{gone}") for key, text in given.items()}
        behaviours = {
            "is well": [],
            "says to wait": [says({}, 429, {"retry-after": "3600"})],
            "stumbles": [says(b"oops", 503)] * 3,
            "takes it with an error": [IN_ERROR[name]],
            "hangs": [self._hang(name)],
        }[fault]
        server.then(*behaviours)
        return {}

    def _hang(self, name: str) -> Behaviour:
        """Hang until the other side gives up, and note what the others had been told by then."""

        def behave(served: Any, conn: Any, request: bytes) -> None:
            hangs()(served, conn, request)
            self.when_left[name] = self.told()

        return behave

    def heal(self) -> None:
        """Let all of them be well."""
        self.slack.answers.clear()
        self.box.says.clear()
        self.box.slow.clear()
        for pager in self.pagers.values():
            pager.answers.clear()


@pytest.mark.parametrize("turn", range(len(CHANNELS)))
def test_all_channels_fail_at_once_and_none_delays_repeats_or_drops_another_s_message(turn):
    faults = dict(zip(CHANNELS, (*TOGETHER[turn:], *TOGETHER[:turn]), strict=True))
    well = {name for name, fault in faults.items() if fault == "is well"}
    with ExitStack() as stack:
        world = AllChannels(stack)
        job = Job(world.environ)
        changed = {"AEGIS_PT_CHANNEL_TIMEOUT_SEC": "2"}
        for name, fault in faults.items():
            changed |= world.fail(name, fault)
        first = job.run(THREE_ORDERS, TIMES[0], environ=changed)
        assert {name.partition(":")[0] for name in first.failed} == set(CHANNELS) - well
        for told in (world.told(), *world.when_left.values()):
            assert {name for name, count in told.items() if count} == well, "who is well waits for nobody"
        world.heal()
        for at in TIMES[1:3]:
            assert not job.run(THREE_ORDERS, at).undelivered
        assert world.told() == dict.fromkeys(CHANNELS, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_repeated_delivery_can_be_known_as_one(kind):
    with pager_on_loopback(kind) as pager:
        job = Job({**EVERYTHING, **pager.environ})
        pager.then(takes_and_breaks_off(pager))
        job.run(THREE_ORDERS, TIMES[0])
        job.run(THREE_ORDERS, TIMES[1])
        assert len({_identity(kind, body) for body in pager.taken}) == 1


def _identity(kind, body):
    if kind in ("webhook", "pagerduty"):
        return body["id" if kind == "webhook" else "dedup_key"]
    return (body.get("message") or body["text"]).rpartition("delivery ")[2]


@pytest.mark.parametrize("kind", KINDS)
def test_a_flood_is_named_whole_within_the_limits_of_the_receiver(kind):
    orders = [{"order_id": f"7{k:03}", "symbol": "SPÜ" * 9, "age_sec": 900} for k in range(60)]
    with pager_on_loopback(kind) as pager:
        job = Job({**EVERYTHING, **pager.environ})
        assert not job.run(
            {"status_v3": {"pending_orders": 60, "orders": orders}}, "2026-06-02T15:00:00Z"
        ).undelivered
        sent = json.dumps(pager.taken)
        assert all(f"7{k:03}" in sent for k in range(60))


@pytest.mark.parametrize("kind", KINDS)
def test_no_preview_holds_a_secret(kind):
    with pager_on_loopback(kind) as pager:
        delivery = Job({**EVERYTHING, **pager.environ}).run(THREE_ORDERS, dry_run=True)
        preview = delivery.previews[kind]
        assert "pending_orders_high" in preview
        assert not any(secret in preview for secret in (*SECRETS.values(), TOPIC, "-1001234567890"))
        assert pager.taken == []


def test_the_signature_is_that_of_the_standard():
    # The example of standardwebhooks.com: key, id, time and body are given, and so is what they make.
    secret, body = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"test": 2432232314}'
    signature = compute_signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", body)
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_what_telegram_cannot_parse_is_sent_as_plain_text():
    with pager_on_loopback("telegram") as pager:
        pager.then(
            says({"ok": False, "error_code": 400, "description": "Bad Request: can't parse entities: x"}, 400)
        )
        assert not Job({**EVERYTHING, **pager.environ}).run(THREE_ORDERS).undelivered
        (body,) = pager.taken
        assert "entities" not in body


def test_a_page_of_pagerduty_is_resolved_by_the_key_that_opened_it():
    with pager_on_loopback("pagerduty") as pager:
        job = Job({**EVERYTHING, **pager.environ})
        for at, patch in zip(TIMES, (THREE_ORDERS, None, None, None, None), strict=True):
            job.run(patch, at)
        opened, closed, *unsent = pager.taken
        assert (opened["event_action"], closed["event_action"]) == ("trigger", "resolve")
        assert opened["dedup_key"] == closed["dedup_key"] == "pending_orders_high:aegis-pt-core"
        further = [event["dedup_key"].removeprefix(opened["dedup_key"]) for event in unsent]
        assert further == ["::worse", "::escalated", "::again", "::again-2"], "killed runs may have sent them"


def test_the_first_message_that_tells_of_nothing_pages_nobody():
    with pager_on_loopback("pagerduty") as pager:
        assert not Job({**EVERYTHING, **pager.environ}).run(None).undelivered
        assert pager.taken == []
