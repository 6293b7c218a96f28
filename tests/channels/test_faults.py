"""Every way in which a notifier fails, in the first run or in the first two.

Told at least once, at most twice.

The other channel hears of it exactly once, at once, whatever the broken one does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from detector.formats import errors
from tests.support.deliveries import TWO_ORDERS, Job
from tests.support.loopback import (
    PATIENCE_SEC,
    Behaviour,
    closed_port,
    drips,
    hangs,
    redirects,
    reply,
    resets,
    says,
    sends,
    serving,
)
from tests.support.slack_server import CHANNEL_ID, TOKEN, Slack, slack_on_loopback, takes_and_loses
from tests.support.smtp_server import Mailbox, mail_on_loopback, speaking

TIMES = [f"2026-06-06T05:{minute}:00Z" for minute in ("00", "10", "20", "30")]
# What answers at all has time enough; what never does is waited for in the first run only.
SHORT, LONG = "1.2", "8"

Make = Callable[[Slack], list[Behaviour]]


def always(*behaviours: Behaviour) -> Make:
    return lambda slack: list(behaviours) * (3 // len(behaviours))


def retry_after(value: str) -> Make:
    return always(says(b"rate_limited", 429, {"retry-after": value}))


# name: how Slack answers, the reason that is kept, and whether Slack took the message all the same.
SLACK_FAULTS: dict[str, tuple[Make, str, bool]] = {
    "200 with another body": (always(says(b"no_service")), errors.LOGIN, False),
    "200 with a page for people": (always(says(b"<html>hello</html>")), errors.REJECTED, False),
    "200 with nothing": (always(says(b"")), errors.REJECTED, False),
    "301": (always(redirects("http://127.0.0.1:1/elsewhere", 301)), errors.REDIRECTED, False),
    "302": (always(redirects("/elsewhere")), errors.REDIRECTED, False),
    "400 invalid_payload, also as plain text": (always(says(b"invalid_payload", 400)), errors.REJECTED, False),
    "403 action_prohibited": (always(says(b"action_prohibited", 403)), errors.NOT_ALLOWED, False),
    "404 no_service": (always(says(b"no_service", 404)), errors.LOGIN, False),
    "404 channel_not_found": (always(says(b"channel_not_found", 404)), errors.NO_PLACE, False),
    "410 channel_is_archived": (always(says(b"channel_is_archived", 410)), errors.NO_PLACE, False),
    "413": (always(says(b"<html>too large</html>", 413)), errors.REJECTED, False),
    "429 for an hour": (retry_after("3600"), errors.THROTTLED, False),
    "429 for garbage": (retry_after("soon"), errors.THROTTLED, False),
    "429 until a date": (retry_after("Sat, 06 Jun 2026 06:30:00 GMT"), errors.THROTTLED, False),
    "500": (always(says(b"oops", 500)), errors.REJECTED, False),
    "503": (always(says(b"oops", 503)), errors.REJECTED, False),
    "no answer": (always(hangs()), errors.NO_ANSWER, False),
    "an answer that never ends": (
        always(drips(reply(200, b"o" * 400), at_once=60)), errors.NO_ANSWER, False,
    ),
    "a head that never ends": (always(drips(reply(200, b"ok"), every=0.2)), errors.NO_ANSWER, False),
    "a reset in the middle": (always(resets(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n")), errors.NO_ANSWER, False),
    "what is not HTTP": (always(sends(b"hello\r\n\r\n")), errors.NO_ANSWER, False),
    "taken, and the yes is lost": (lambda slack: [takes_and_loses(slack)], errors.NO_ANSWER, True),
}  # fmt: skip


HANGING = (
    "no answer", "an answer that never ends", "a head that never ends", "says nothing", "drips its greeting",
)  # fmt: skip


def rows(names: Iterable[str]) -> list[Any]:
    """Every fault in the first run, and but for the slow ones also in the retry run."""
    return [
        pytest.param(name, faulty, id=f"{name}, {'retry run too' if faulty > 1 else 'first run'}")
        for name in names
        for faulty in ((1,) if name in HANGING else (1, 2))
    ]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    """The program's one retry, without its pauses."""
    monkeypatch.setattr(errors, "PAUSES_SEC", (0.01, 0.02))


@pytest.mark.parametrize(("name", "faulty"), rows(SLACK_FAULTS))
def test_slack_fails_and_nothing_is_lost(name, faulty):
    make, reason, taken = SLACK_FAULTS[name]
    with slack_on_loopback() as slack, mail_on_loopback() as box:
        job = Job({"AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook, **box.environ()})

        def broken(number: int) -> dict[str, str]:
            slack.answers[:] = make(slack) if not (taken and number) else [says(b"no_service", 404)]
            return {"AEGIS_PT_CHANNEL_TIMEOUT_SEC": SHORT if name in HANGING else LONG}

        for number, at in enumerate(TIMES[: faulty + 2]):
            environ = broken(number) if number < faulty else {}
            began = time.monotonic()
            delivery = job.run(TWO_ORDERS, at, environ=environ)
            assert time.monotonic() - began < PATIENCE_SEC
            slack.answers.clear()
            failed = delivery.failed.get("slack")
            assert (failed is not None) is (number < faulty) is delivery.undelivered
            if number == 0:
                assert failed is not None
                assert failed.reason == reason
            health = delivery.report.channels["slack"]
            assert health.failures == (number + 1 if number < faulty else 0)
            assert slack.hook.rpartition("/")[2] not in str(failed)
        assert len(slack.posts) == (2 if taken else 1)
        assert len({one["text"] for one in slack.posts}) == 1
        assert len(box.mails) == 1, "the other channel hears of it once"


def test_a_slack_that_takes_no_connection():
    with slack_on_loopback() as slack, mail_on_loopback() as box:
        job = Job({"AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook, **box.environ()})
        gone = {"AEGIS_PT_SLACK_WEBHOOK_URL": f"http://127.0.0.1:{closed_port()}/services/T0/B0/abcdefgh"}
        first = job.run(TWO_ORDERS, TIMES[0], environ={**gone, "AEGIS_PT_CHANNEL_TIMEOUT_SEC": LONG})
        assert first.failed["slack"].reason == errors.REFUSED
        assert not job.run(TWO_ORDERS, TIMES[1]).undelivered
        assert (len(slack.posts), len(box.mails)) == (1, 1)


@pytest.mark.parametrize("certificate", ["expired", "elsewhere", "self-signed"])
def test_a_slack_whose_certificate_is_not_accepted(certificate):
    with slack_on_loopback(certificate) as slack:
        job = Job({"AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook})
        delivery = job.run(TWO_ORDERS, TIMES[0])
        assert delivery.failed["slack"].reason == errors.TLS
        assert slack.posts == []


def test_a_limit_of_a_second_is_waited_for():
    with slack_on_loopback() as slack:
        slack.then(says(b"rate_limited", 429, {"retry-after": "1"}))
        job = Job({"AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook})
        delivery = job.run(TWO_ORDERS, environ={"AEGIS_PT_CHANNEL_TIMEOUT_SEC": "5"})
        assert (delivery.undelivered, len(slack.posts)) == (False, 1)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_server_that_stumbles_once_is_asked_again_in_the_same_run(status):
    with slack_on_loopback() as slack:
        slack.then(says(b"oops", status))
        delivery = Job({"AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook}).run(TWO_ORDERS)
        assert (delivery.undelivered, len(slack.posts)) == (False, 1)


def test_what_slack_cannot_show_as_blocks_is_told_as_text():
    with slack_on_loopback() as slack:
        slack.then(says(b"invalid_blocks", 400))
        delivery = Job({"AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook}).run(TWO_ORDERS)
        (post,) = slack.posts
        assert (delivery.undelivered, "blocks" in post) == (False, False)
        assert "WARNING  pending_orders_high" in post["text"]


def test_no_redirect_is_followed_with_a_message():
    with slack_on_loopback() as slack, serving(says(b"ok")) as elsewhere:
        slack.then(redirects(f"{elsewhere.url}/services", 307))
        delivery = Job({"AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook}).run(TWO_ORDERS)
        assert delivery.failed["slack"].reason == errors.REDIRECTED
        assert elsewhere.requests == []


# --- the Web API --------------------------------------------------------------------------------------

API_FAULTS: dict[str, tuple[Behaviour, str]] = {
    "200 invalid_auth": (says({"ok": False, "error": "invalid_auth"}), errors.LOGIN),
    "200 missing_scope": (says({"ok": False, "error": "missing_scope"}), errors.NOT_ALLOWED),
    "200 not_in_channel": (says({"ok": False, "error": "not_in_channel"}), errors.NO_PLACE),
    "200 an error that nobody knows": (says({"ok": False, "error": "because"}), errors.REJECTED),
    "200 and no JSON": (says(b"<html>"), errors.REJECTED),
    "200 and a list": (says([]), errors.REJECTED),
    "200 and no ok": (says({}), errors.REJECTED),
    "429 for an hour": (says({"ok": False, "error": "ratelimited"}, 429, {"retry-after": "3600"}), errors.THROTTLED),
    "301": (redirects("http://127.0.0.1:1/elsewhere", 301), errors.REDIRECTED),
    "no answer": (hangs(), errors.NO_ANSWER),
}  # fmt: skip


@pytest.mark.parametrize("name", API_FAULTS)
def test_the_web_api_fails_and_nothing_is_lost(name):
    behaviour, reason = API_FAULTS[name]
    with slack_on_loopback() as slack:
        job = Job(
            {
                "AEGIS_PT_SLACK_TOKEN": TOKEN,
                "AEGIS_PT_SLACK_CHANNEL": "#alerts",
                "AEGIS_PT_SLACK_API_URL": slack.api,
            }
        )
        slack.answers[:] = [behaviour] * 3
        first = job.run(
            TWO_ORDERS, TIMES[0], environ={"AEGIS_PT_CHANNEL_TIMEOUT_SEC": SHORT if name in HANGING else LONG}
        )
        assert (first.failed["slack"].reason, first.undelivered) == (reason, True)
        assert TOKEN not in str(first.failed["slack"])
        slack.answers.clear()
        second = job.run(TWO_ORDERS, TIMES[1])
        assert (second.undelivered, len(slack.calls)) == (False, 1)
        (receipt,) = (one.receipts["slack"] for one in second.report.conditions.values())
        assert receipt.places[0].channel == CHANNEL_ID


# --- e-mail -------------------------------------------------------------------------------------------


@contextmanager
def mail_fault(name: str, box: Mailbox) -> Iterator[dict[str, str]]:
    """Put the fault in force and yield the settings that lead into it."""
    port = str(box.port)
    with ExitStack() as stack:
        if name in MAIL_ANSWERS:
            command, said = MAIL_ANSWERS[name]
            box.says[command] = [said] * 3
        elif name == "refused":
            port = str(closed_port())
        elif name == "says nothing":
            port = str(stack.enter_context(speaking(b"")))
        elif name == "drips its greeting":
            port = str(stack.enter_context(speaking(b"220-slow\r\n" * 99, every=0.05)))
        elif name == "421 at the door":
            port = str(stack.enter_context(speaking(b"421 not now\r\n")))
        elif name == "554 at the door":
            port = str(stack.enter_context(speaking(b"554 never\r\n")))
        elif name == "speaks another language":
            port = str(stack.enter_context(speaking(b"HTTP/1.1 400 Bad Request\r\n\r\n")))
        yield {"AEGIS_PT_SMTP_PORT": port, "AEGIS_PT_CHANNEL_TIMEOUT_SEC": SHORT if name in HANGING else LONG}
        box.says.clear()


MAIL_ANSWERS = {
    "450 for the sender": ("MAIL", "450 4.1.8 try later"),
    "553 for the sender": ("MAIL", "553 5.1.8 who are you, detector@example.org"),
    "451 for the recipient": ("RCPT", "451 4.7.1 greylisted"),
    "550 for the recipient": ("RCPT", "550 5.1.1 <ann@example.com> unknown"),
    "421 for the recipient": ("RCPT", "421 4.3.2 closing"),
    "552 for the text": ("DATA", "552 5.3.4 too large"),
    "451 for the text": ("DATA", "451 4.3.0 try later"),
    "taken, and the yes is lost": ("DATA", "lose"),
}
MAIL_FAULTS: dict[str, str] = {
    "refused": errors.REFUSED,
    "says nothing": errors.TIMEOUT,
    "drips its greeting": errors.TIMEOUT,
    "421 at the door": errors.REJECTED,
    "554 at the door": errors.REJECTED,
    "speaks another language": errors.REJECTED,
    "450 for the sender": errors.NOT_ALLOWED,
    "553 for the sender": errors.NOT_ALLOWED,
    "451 for the recipient": errors.RECIPIENT,
    "550 for the recipient": errors.RECIPIENT,
    "421 for the recipient": errors.RECIPIENT,
    "552 for the text": errors.REJECTED,
    "451 for the text": errors.REJECTED,
    "taken, and the yes is lost": errors.NO_ANSWER,
}


@pytest.mark.parametrize(("name", "faulty"), rows(MAIL_FAULTS))
def test_the_mail_server_fails_and_nothing_is_lost(name, faulty):
    lost = name == "taken, and the yes is lost"
    with slack_on_loopback() as slack, mail_on_loopback() as box:
        job = Job({"AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook, **box.environ()})
        for number, at in enumerate(TIMES[: faulty + 2]):
            ill = number < faulty
            with ExitStack() as stack:
                kind = name if not (lost and number) else "550 for the recipient"
                environ = stack.enter_context(mail_fault(kind, box)) if ill else {}
                began = time.monotonic()
                delivery = job.run(TWO_ORDERS, at, environ=environ)
                assert time.monotonic() - began < PATIENCE_SEC
            assert bool(delivery.failed) is ill is delivery.undelivered
            if number == 0:
                (error,) = delivery.failed.values()
                assert error.reason == MAIL_FAULTS[name], str(error)
                assert "example" not in str(error)
        assert len(box.mails) == (2 if lost else 1)
        assert len({one.mail["message-id"] for one in box.mails}) == 1, "a repeat can be known as one"
        assert len(slack.posts) == 1, "the other channel hears of it once"


def test_a_text_that_was_refused_for_now_is_sent_again_in_the_same_run():
    with mail_on_loopback() as box:
        box.says["DATA"] = ["451 4.3.0 try later"]
        delivery = Job(box.environ()).run(TWO_ORDERS)
        assert (delivery.undelivered, len(box.mails)) == (False, 1)
