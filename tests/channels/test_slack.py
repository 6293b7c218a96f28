"""Slack: a webhook posts; a bot token edits and answers what it told, and what is gone is told anew."""

from __future__ import annotations

import socket
import sys
import time

import pytest

from detector.channels.channel import ChannelEnvironment, build_configured_channels, find_channel_conflicts
from detector.domain.condition import MessageRef
from detector.formats import errors
from detector.settings import Rung, list_secrets
from tests.support.deliveries import QUICK, Job
from tests.support.loopback import Behaviour, Served, hangs, says
from tests.support.slack_server import (
    CHANNEL_ID,
    TOKEN,
    Slack,
    answer_of,
    everything,
    slack_on_loopback,
    takes_and_loses,
)
from tests.support.snapshots import NOW, settings_of

AT = [f"2026-06-06T05:{minute:02}:00Z" for minute in range(0, 60, 10)]
ORDERS = {"status_v3": {"pending_orders": 3}}
BOTH = {"status_v3": {"pending_orders": 3, "stuck_exits": 1}}
EXIT = {"status_v3": {"stuck_exits": 1}}


def bot(slack: Slack) -> dict[str, str]:
    return {
        **QUICK,
        "AEGIS_PT_SLACK_TOKEN": TOKEN,
        "AEGIS_PT_SLACK_CHANNEL": "#alerts",
        "AEGIS_PT_SLACK_API_URL": slack.api,
        "AEGIS_PT_ESCALATION_REMIND_SEC": "0",
    }


def by_method(slack: Slack, method: str) -> list[dict]:
    return [body for name, body in slack.calls if name == method]


# --- what contradicts itself ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "named"),
    [
        (
            {"SLACK_WEBHOOK_URL": "https://h.example/x", "SLACK_TOKEN": "xoxb-1", "SLACK_CHANNEL": "C"},
            ["are both set; Slack is reached in one way, so leave one out"],
        ),
        ({"SLACK_TOKEN": "xoxb-1"}, ["needs AEGIS_PT_SLACK_CHANNEL"]),
        ({"SLACK_CHANNEL": "#a"}, ["needs AEGIS_PT_SLACK_TOKEN"]),
        ({"SLACK_WEBHOOK_URL": "http://h.example/x"}, ["must begin with https://"]),
        (
            {"SLACK_TOKEN": "xoxb-1", "SLACK_CHANNEL": "C", "SLACK_API_URL": "http://h.example/"},
            ["must begin with https://"],
        ),
        ({"SLACK_WEBHOOK_URL": "http://127.0.0.1:9/x"}, []),
        ({"SLACK_WEBHOOK_URL": "https://h.example/x"}, []),
        ({}, []),
    ],
)
def test_half_a_channel_and_two_of_one_are_refused(texts, named):
    said = list(find_channel_conflicts(settings_of(texts)))
    assert len(said) == len(named)
    assert all(words in one for words, one in zip(named, said, strict=True))
    assert not any("h.example" in one or "xoxb" in one for one in said)


@pytest.mark.parametrize("least", ["warning", "critical"])
def test_the_lowest_severity_is_a_setting(least):
    settings = settings_of({"SLACK_WEBHOOK_URL": "https://h.example/x", "SLACK_MIN": least})
    (channel,) = build_configured_channels(settings, ChannelEnvironment({}, lambda: NOW))
    assert (channel.name, channel.rung, channel.display_name) == (
        "slack",
        Rung(least),
        "an incoming webhook",
    )


def test_the_path_of_a_webhook_is_a_secret_like_its_whole_address():
    address = "https://hooks.slack.example/services/T00/B00/abcdefghijk"
    settings = settings_of({"SLACK_WEBHOOK_URL": address})
    assert set(list_secrets(settings)) == {address, "services/T00/B00/abcdefghijk"}


# --- a bot token ----------------------------------------------------------------------------------------


def test_an_end_answers_in_the_thread_and_marks_the_message_that_told_of_it():
    with slack_on_loopback() as slack:
        job = Job(bot(slack))
        job.run(BOTH, AT[0])
        (told,) = by_method(slack, "chat.postMessage")
        ts = next(iter(slack.messages))
        assert "thread_ts" not in told
        job.run(EXIT, AT[1])
        job.run(EXIT, AT[2])
        root, answer = by_method(slack, "chat.postMessage")
        (edit,) = by_method(slack, "chat.update")
        assert (answer["channel"], answer["thread_ts"]) == (CHANNEL_ID, ts)
        assert answer["text"].startswith("🟢 RESOLVED pending_orders_high")
        assert (edit["channel"], edit["ts"]) == (CHANNEL_ID, ts)
        text = everything(edit)
        assert "*RESOLVED*  *pending_orders_high*" in text, "what ended is marked"
        assert "*ESCALATE*  *stuck_exits*" in text, "what goes on stays what it was"
        assert edit["text"].startswith("🔴 ESCALATE impossible_state (CRITICAL, +2)"), "and leads"
        assert root["text"] == told["text"]


def test_when_all_has_ended_the_message_is_green():
    with slack_on_loopback() as slack:
        job = Job(bot(slack))
        for patch, at in zip((BOTH, {}, {}), AT, strict=False):
            job.run(patch, at)
        (edit,) = by_method(slack, "chat.update")
        assert edit["text"].startswith("🟢 RESOLVED")
        assert len(by_method(slack, "chat.postMessage")) == 2


def test_each_end_answers_the_message_that_told_of_it_and_what_is_new_stands_alone():
    with slack_on_loopback() as slack:
        job = Job(bot(slack))
        job.run(ORDERS, AT[0])
        job.run(BOTH, AT[1])
        job.run({"status_v3": {"unknown_fills": 1}}, AT[2])
        job.run({"status_v3": {"unknown_fills": 1}}, AT[3])
        first, second, news, *answers = by_method(slack, "chat.postMessage")
        assert [one["text"][:22] for one in (first, second)] == [
            "🔴 NOTIFY pending_order",
            "🔴 ESCALATE impossible_",
        ]
        assert "unknown_fill" in news["text"]
        threads = list(slack.messages)[:2]
        assert sorted(one["thread_ts"] for one in answers) == sorted(threads)
        assert all("RESOLVED" in one["text"] for one in answers)


def test_what_got_worse_is_marked_in_both_messages_that_told_of_it():
    with slack_on_loopback() as slack:
        job = Job(bot(slack))
        for patch, at in zip(({"status_v3": {"pending_orders": 2}}, ORDERS, {}, {}), AT, strict=False):
            job.run(patch, at)
        first, second, answer = by_method(slack, "chat.postMessage")
        assert ("WARNING" in first["text"], "CRITICAL" in second["text"]) == (True, True)
        roots = list(slack.messages)[:2]
        assert answer["thread_ts"] == roots[1], "the answer stands once, under the latest"
        assert sorted(one["ts"] for one in by_method(slack, "chat.update")) == sorted(roots)


@pytest.mark.parametrize(
    "code",
    [
        "message_not_found", "thread_not_found", "cannot_reply_to_message", "channel_not_found", "is_archived",
        "not_in_channel", "restricted_action", "a_word_of_tomorrow",
    ],
)  # fmt: skip
def test_an_end_whose_message_is_gone_is_told_in_a_message_of_its_own(code):
    with slack_on_loopback() as slack:
        job = Job(bot(slack))
        job.run(ORDERS, AT[0])
        job.run({}, AT[1])
        slack.messages.clear()
        slack.then(says({"ok": False, "error": code}))
        delivery = job.run({}, AT[2])
        answer = by_method(slack, "chat.postMessage")[-1]
        assert not delivery.undelivered
        assert "thread_ts" not in answer
        assert answer["text"].startswith("🟢 RESOLVED")
        assert not job.run({}, AT[3]).due
        assert delivery.notes == (
            "slack: an earlier message could not be edited: it answered 200 (message_not_found)",
        )


def test_all_ends_that_cannot_be_answered_are_one_message_of_their_own():
    with slack_on_loopback() as slack:
        job = Job(bot(slack))
        job.run(ORDERS, AT[0])
        job.run(BOTH, AT[1])
        job.run({}, AT[2])
        before = len(slack.taken)
        slack.then(*[says({"ok": False, "error": "is_archived"})] * 2)
        delivery = job.run({}, AT[3])
        (post,) = slack.taken[before:]
        assert post["text"].startswith("🟢 RESOLVED impossible_state (decision OBSERVE, +2)")
        assert (delivery.undelivered, "thread_ts" in post) == (False, False)


def test_an_answer_that_may_have_been_taken_is_no_message_of_its_own():
    with slack_on_loopback() as slack:
        job = Job(bot(slack))
        job.run(ORDERS, AT[0])
        job.run({}, AT[1])
        slack.then(takes_and_loses(slack))
        assert job.run({}, AT[2]).failed["slack"].reason == errors.NO_ANSWER
        assert len(slack.taken) == 2


def test_a_bot_in_a_new_channel_whose_old_one_is_archived_tells_the_end_and_the_session_once():
    with slack_on_loopback() as slack:
        job = Job({**bot(slack), "AEGIS_PT_SESSION_SUMMARY": "1", "AEGIS_PT_GAP_SEC": "99999"})
        job.run(ORDERS, "2026-11-24T15:00:00Z")
        slack.archived.append(CHANNEL_ID)
        for clock in ("15:10", "21:05", "21:10", "21:15"):
            assert not job.run({}, f"2026-11-24T{clock}:00Z").undelivered
        assert [text.split()[1] for text in slack.texts] == ["NOTIFY", "SESSION", "RESOLVED"]
        assert not any("thread_ts" in one for one in slack.taken)


def test_a_session_is_told_once_though_the_end_beside_it_stays_owed(monkeypatch):
    monkeypatch.setattr(errors, "PAUSES_SEC", (0.01, 0.02))
    with slack_on_loopback() as slack:
        job = Job({**bot(slack), "AEGIS_PT_SESSION_SUMMARY": "1"})
        job.run(ORDERS, "2026-11-24T20:40:00Z")
        job.run({}, "2026-11-24T20:50:00Z")
        slack.then(_take(slack), *[says(b"oops", 503)] * 3)
        partial = job.run({}, "2026-11-24T21:05:00Z")
        slack.answers.clear()
        (day,) = partial.report.sessions
        assert (partial.undelivered, day.told) == (True, ("slack",))
        assert not job.run({}, "2026-11-24T21:10:00Z").undelivered
        assert [text.split()[1] for text in slack.texts] == ["NOTIFY", "SESSION", "RESOLVED"]


def _silent_in_threads(slack: Slack) -> Behaviour:
    """Return the behaviour of a Slack that takes messages, and hangs where one is answered."""

    def behave(served: Served, conn: socket.socket, request: bytes) -> None:
        does = hangs() if b'"thread_ts"' in request else _take(slack)
        does(served, conn, request)

    return behave


class _Slow:
    """A finder that takes its time over the program's own Slack client, as a machine without compiled
    files does.
    """

    @staticmethod
    def find_spec(name: str, _path: object = None, _target: object = None) -> None:
        if name == "detector.clients.slack_api":
            time.sleep(0.6)


def test_a_new_machine_whose_thread_answer_hangs_tells_what_is_new_once(monkeypatch):
    with slack_on_loopback() as slack:
        job = Job({**bot(slack), "AEGIS_PT_CHANNEL_TIMEOUT_SEC": "1"})
        job.run(ORDERS, AT[0])
        job.run({}, AT[1])
        for at in AT[2:4]:
            monkeypatch.delitem(sys.modules, "detector.clients.slack_api")
            monkeypatch.setattr(sys, "meta_path", [_Slow(), *sys.meta_path])
            slack.then(*[_silent_in_threads(slack)] * 3)
            assert job.run(EXIT, at).undelivered
            slack.answers.clear()
        assert [text.split()[1] for text in slack.texts] == ["NOTIFY", "ESCALATE"]


def test_an_edit_that_fails_costs_nothing_that_was_told():
    with slack_on_loopback() as slack:
        job = Job(bot(slack))
        job.run(ORDERS, AT[0])
        job.run({}, AT[1])
        healthy = len(slack.calls)
        slack.messages["x"] = {}
        slack.then(
            _take(slack),
            says({"ok": False, "error": "edit_window_closed"}),
        )
        delivery = job.run({}, AT[2])
        assert (delivery.undelivered, len(delivery.notes)) == (False, 1)
        assert len(slack.calls) == healthy + 1
        assert not job.run({}, AT[3]).due, "nothing is owed any more"


def _take(slack: Slack) -> Behaviour:
    """Return the behaviour of a Slack that is well."""

    def behave(served: Served, conn: socket.socket, request: bytes) -> None:
        conn.sendall(answer_of(slack, request))

    return behave


def test_what_was_taken_before_the_rest_failed_is_not_told_again():
    """The new one is taken, the answer in the thread is not: only the end stays owed."""
    with slack_on_loopback() as slack:
        job = Job(bot(slack))
        job.run(ORDERS, AT[0])
        job.run({}, AT[1])
        slack.then(
            _take(slack),
            says({"ok": False, "error": "restricted_action"}),
            says({"ok": False, "error": "restricted_action"}),
        )
        partial = job.run(EXIT, AT[2])
        assert (partial.undelivered, partial.failed["slack"].reason) == (True, errors.NOT_ALLOWED)
        again = job.run(EXIT, AT[3])
        assert not again.undelivered
        texts = [one["text"] for one in by_method(slack, "chat.postMessage")]
        assert [text.split()[1] for text in texts] == ["NOTIFY", "ESCALATE", "RESOLVED"]


def test_a_receipt_knows_its_newest_places_and_no_more_than_three():
    with slack_on_loopback() as slack:
        environ = {**bot(slack), "AEGIS_PT_ESCALATION_REMIND_SEC": "60"}
        job = Job(environ)
        for hour in range(6):
            job.run(EXIT, f"2026-06-06T0{hour}:00:00Z")
        condition = job.deliveries[-1].report.conditions["stuck_exits:aegis-pt-core"]
        places = condition.receipts["slack"].places
        assert len(places) == 3
        newest = list(slack.messages)[-1]
        assert places[0] == MessageRef(CHANNEL_ID, newest)
        assert condition.receipts["slack"].reminders == len(slack.messages) - 1


def test_a_dry_run_shows_every_call_in_its_order_and_makes_none():
    with slack_on_loopback() as slack:
        job = Job(bot(slack))
        job.run(ORDERS, AT[0])
        job.run({}, AT[1])
        calls = len(slack.calls)
        shown = job.run(EXIT, AT[2], dry_run=True).previews["slack"]
        assert len(slack.calls) == calls
        ts = next(iter(slack.messages))
        heads = [line for line in shown.splitlines() if line.startswith("chat.")]
        assert heads == [
            "chat.postMessage",
            f"chat.postMessage in the thread of {ts}",
            f"chat.update of {ts}",
        ]
        assert TOKEN not in shown


def test_a_webhook_tells_an_end_in_a_message_of_its_own():
    with slack_on_loopback() as slack:
        job = Job({"AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook})
        for patch, at in zip((ORDERS, {}, {}), AT, strict=False):
            job.run(patch, at)
        assert [text.split()[1] for text in slack.texts] == ["NOTIFY", "RESOLVED"]
