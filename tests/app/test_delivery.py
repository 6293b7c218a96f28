"""Delivery: receipts follow the channel's answer, failed notices stay due, one message a channel and run."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from msgspec.structs import replace

from detector.app.delivery import deliver, load_channels
from detector.app.job import get_rungs
from detector.commands.schema import SCHEMAS
from detector.formats.errors import LOGIN, InputError
from detector.render.document import build_artifact_document
from tests.support.deliveries import QUICK, THREE_ORDERS, TWO_ORDERS, Job, door_of
from tests.support.loopback import says
from tests.support.slack_server import TOKEN, everything, slack_on_loopback
from tests.support.smtp_server import mail_on_loopback
from tests.support.snapshots import evaluated, healthy_at, remembered

AT = [f"2026-06-06T05:{minute:02}:00Z" for minute in range(0, 60, 10)]
REFUSES = says(b"no_service", 404)


def words(texts: list[str]) -> list[str]:
    """The label of each title: behind the decision, or before it."""
    return [re.findall(r"\b(?!NOTIFY|OBSERVE|TEST)[A-Z]{4,}\b", text)[0] for text in texts]


@pytest.mark.parametrize(
    ("problem_told", "end_told", "wanted"),
    [
        (True, True, ["WARNING", "RESOLVED"]),
        (True, False, ["WARNING", "RESOLVED"]),
        (False, True, ["MISSED"]),
        (False, False, ["MISSED"]),
    ],
    ids=["both at once", "the end late", "nothing but the end got through", "all of it late"],
)
def test_a_problem_and_its_end_are_told_whatever_got_through_at_first(problem_told, end_told, wanted):
    with slack_on_loopback() as slack:
        job = Job({"AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook})
        for number, (patch, works) in enumerate(
            [(TWO_ORDERS, problem_told), ({}, True), ({}, end_told), ({}, True), ({}, True)]
        ):
            if not works or (number == 1 and not problem_told):
                slack.then(REFUSES)
            job.run(patch, AT[number])
            slack.answers.clear()
        kept = [word for word in words(slack.texts) if word != "WATCHING"]
        assert kept == wanted


@pytest.mark.parametrize("runs", [1, 2, 7])
def test_one_message_arrives_once_slack_is_back_however_long_it_was_gone(runs):
    with slack_on_loopback() as slack:
        job = Job({"AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook, "AEGIS_PT_GAP_SEC": "99999"})
        for number in range(runs):
            slack.then(REFUSES)
            assert job.run(TWO_ORDERS, f"2026-06-06T0{number}:00:00Z").undelivered
        assert not job.run(TWO_ORDERS, "2026-06-06T09:00:00Z").undelivered
        assert not job.run(TWO_ORDERS, "2026-06-06T09:10:00Z").due
        (post,) = slack.posts
        assert "first seen by a run at 2026-06-06 00:00 UTC" in everything(post)
        assert "late: an earlier attempt to send this failed" in everything(post)


def test_a_run_that_is_killed_after_the_message_tells_the_same_again_and_no_more():
    with slack_on_loopback() as slack:
        job = Job({"AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook})
        job.run({}, AT[0])
        job.run(TWO_ORDERS, AT[1], killed=True)
        job.run(TWO_ORDERS, AT[2])
        job.run(TWO_ORDERS, AT[3])
        ids = [everything(post).rpartition("delivery ")[2] for post in slack.posts[1:]]
        assert len(ids) == 2
        assert len(set(ids)) == 1


def test_a_receipt_holds_severity_time_and_delivery_id():
    with slack_on_loopback() as slack:
        report = Job({"AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook}).run(TWO_ORDERS).report
        (condition,) = report.conditions.values()
        receipt = condition.receipts["slack"]
        assert (receipt.severity, receipt.at, receipt.places) == ("warning", report.taken_at, ())
        assert str(receipt.delivery_id) in everything(slack.posts[0])
        assert condition.owing == {}


def test_what_was_not_taken_has_no_receipt_and_the_artifact_says_why():
    with slack_on_loopback() as slack:
        slack.then(REFUSES)
        delivery = Job({"AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook}).run(TWO_ORDERS)
        (condition,) = delivery.report.conditions.values()
        assert (condition.receipts, list(condition.owing)) == ({}, ["slack"])
        channels = build_artifact_document(delivery.report)["channels"]
        assert {
            name: {
                key: value
                for key, value in entry.items()
                if value is not None or key in ("since", "last_success")
            }
            for name, entry in channels.items()
        } == {
            "slack": {
                "since": None,
                "last_success": None,
                "last_error": {
                    "at": "2026-06-06T05:00:00Z",
                    "reason": LOGIN,
                    "said": "it answered 404 (no_service)",
                    "since": "2026-06-06T05:00:00Z",
                },
                "failures": 1,
                "ack_failures": 0,
                "reported": [],
            }
        }


def test_a_failure_that_is_over_stays_known_and_is_not_one_any_more():
    with slack_on_loopback() as slack:
        job = Job({"AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook})
        slack.then(REFUSES)
        job.run(TWO_ORDERS, AT[0])
        health = job.run(TWO_ORDERS, AT[1]).report.channels["slack"]
        assert (health.failures, health.last_success) == (0, datetime.fromisoformat(AT[1]))
        assert health.last_error is not None


def test_a_channel_that_fails_for_good_is_never_switched_off():
    with slack_on_loopback() as slack:
        job = Job({"AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook})
        for at in AT[:4]:
            slack.then(REFUSES)
            assert job.run(TWO_ORDERS, at).undelivered
        assert job.deliveries[-1].report.channels["slack"].failures == 4
        assert len(slack.served.requests) == 4


def test_the_other_channels_message_says_that_one_fails():
    with slack_on_loopback() as slack, mail_on_loopback() as box:
        job = Job({"AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook, **box.environ()})
        slack.then(REFUSES)
        job.run(TWO_ORDERS, AT[0])
        slack.then(REFUSES)
        job.run(THREE_ORDERS, AT[1])
        assert "Channel slack fails (login: it answered 404 (no_service))" in (box.mails[-1].part("plain"))


def test_a_channel_that_did_not_take_three_in_a_row_is_told_of_once_where_nothing_else_is_owed():
    with slack_on_loopback() as slack, mail_on_loopback() as box:
        least = {"AEGIS_PT_EMAIL_MIN": "critical"}
        job = Job({"AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook, **box.environ(), **least})
        for number, at in enumerate([*AT, "2026-06-06T06:00:00Z"]):
            if number < 6:
                slack.then(REFUSES)
            job.run(TWO_ORDERS, at)
            assert len(box.mails) == (1 if number < 3 else 2)
        subjects = [str(one.mail["subject"]) for one in box.mails]
        assert subjects[1][:40].startswith("🔇 CHANNEL FAILS aegis-pt-core")
        assert "Channel slack fails (login" in box.mails[1].part("plain")
        assert words(slack.texts) == ["WARNING"], "and Slack hears what it is owed, not of itself"


def test_of_a_channel_that_is_configured_no_more_nobody_hears():
    with slack_on_loopback() as slack, mail_on_loopback() as box:
        job = Job({"AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook, **box.environ()})
        slack.then(REFUSES)
        job.run(TWO_ORDERS, AT[0])
        job.environ = box.environ()
        delivery = job.run(THREE_ORDERS, AT[1])
        assert "slack" not in box.mails[-1].part("plain")
        assert delivery.report.channels["slack"].failures == 1, "but it may come back"


def test_ever_new_recipients_leave_a_bounded_memory():
    with mail_on_loopback() as box:
        job = Job({})
        for number in range(40):
            job.environ = box.environ(f"ann{number}@example.com")
            job.run({}, f"2026-06-06T{number // 60:02}:{number % 60:02}:00Z")
        assert len(job.memory.channels) == 31
        assert len(box.mails) == 40


def test_a_failed_source_is_no_failed_delivery():
    with slack_on_loopback() as slack:
        patch = {"sources": {"logs": {"state": "failed", "reason": "timeout"}}}
        delivery = Job({"AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook}).run(patch)
        assert (delivery.undelivered, delivery.failed) == (False, {})


def test_the_first_run_says_what_memory_starts_with_and_later_ones_are_silent():
    with slack_on_loopback() as slack:
        job = Job({"AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook})
        for at in AT[:3]:
            job.run({}, at)
        (text,) = slack.texts
        assert text.startswith(
            "🔵 WATCHING aegis-pt-core (decision OBSERVE): First run: monitoring starts with nothing wrong"
        )


def test_the_first_message_is_owed_until_it_is_taken():
    with slack_on_loopback() as slack:
        job = Job({"AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook})
        slack.then(REFUSES)
        assert job.run({}, AT[0]).undelivered
        assert not job.run({}, AT[1]).undelivered
        assert words(slack.texts) == ["WATCHING"]


def test_a_channel_that_comes_later_is_told_what_holds():
    with slack_on_loopback() as slack, mail_on_loopback() as box:
        job = Job({"AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook})
        job.run(TWO_ORDERS, AT[0])
        job.environ = {**job.environ, **box.environ()}
        job.run(TWO_ORDERS, AT[1])
        assert len(slack.posts) == 1
        assert "First message to this channel: monitoring starts with 1 condition" in box.mails[0].part(
            "plain"
        )
        assert "WARNING  pending_orders_high" in box.mails[0].part("plain")


def test_a_dry_run_shows_what_would_be_sent_exactly_and_changes_nothing():
    with slack_on_loopback() as slack:
        environ = {**QUICK, "AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook}
        door = door_of(environ)
        settings = door.load_settings()
        report = evaluated(healthy_at(AT[0], TWO_ORDERS), channels=get_rungs(load_channels(door, settings)))
        dry = deliver(door, settings, report, dry_run=True)
        assert (dry.report, dry.undelivered, slack.served.requests) == (report, False, [])
        wet = deliver(door, settings, report)
        assert json.loads(dry.previews["slack"].partition("\n")[2]) == slack.posts[0]
        assert (wet.due, wet.previews) == (dry.due, {}) == (frozenset({"slack"}), {})


def test_contradictions_are_refused_all_at_once():
    environ = {
        "AEGIS_PT_SLACK_TOKEN": "xoxb-1",
        "AEGIS_PT_EMAIL_TO": "ann@example.com",
        "AEGIS_PT_SMTP_USER": "u",
    }
    door = door_of(environ)
    with pytest.raises(InputError) as refused:
        load_channels(door, door.load_settings())
    assert len(refused.value.lines) == 3
    with pytest.raises(InputError):
        deliver(door, door.load_settings(), evaluated(healthy_at(AT[0])))


def test_without_channels_nothing_is_owed_and_nothing_fails():
    delivery = Job({}).run(TWO_ORDERS)
    assert (delivery.undelivered, delivery.due, delivery.report.channels) == (False, frozenset(), {})


def test_a_report_that_was_made_for_other_channels_is_asked_of_the_ledger():
    with slack_on_loopback() as slack:
        door = door_of({**QUICK, "AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook})
        report = evaluated(healthy_at(AT[0], TWO_ORDERS))
        assert "slack" not in report.owed
        assert not deliver(door, door.load_settings(), report).undelivered
        assert words(slack.texts) == ["WARNING"]


def test_of_a_thousand_events_at_once_every_one_is_named_with_the_critical_first():
    orders = [{"order_id": str(k), "symbol": f"S{k}", "age_sec": 900, "kind": "entry"} for k in range(500)]
    trades = [{"trade_id": str(k), "pnl_unknown": True} for k in range(500)]
    patch = {
        "status_v3": {"pending_orders": 500, "orders": orders, "recent_trades": trades, "stuck_exits": 1}
    }
    with slack_on_loopback() as slack, mail_on_loopback() as box:
        job = Job({"AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook, **box.environ()})
        report = job.run(patch).report
        assert len(report.conditions) > 500
        assert all(set(one.receipts) == {"slack", *report.channels} for one in report.conditions.values())
        assert slack.posts[0]["text"].startswith("🔴 ESCALATE [1 of ")
        posted = "\n".join(everything(post) for post in slack.posts)
        found = re.findall(r"\*(ESCALATE|CRITICAL|WARNING)\*  ", posted)
        order = ["ESCALATE", "CRITICAL", "WARNING"]
        assert found == sorted(found, key=order.index)
        mailed = "\n".join(mail.part("plain") for mail in box.mails)
        for text in (posted, mailed):
            assert all(one.subject is None or one.subject in text for one in report.conditions.values())
        assert (len(slack.posts), len(box.mails)) == (2, 1)
        assert not job.run(patch, AT[1]).due


# --- the lowest severity --------------------------------------------------------------------------------


def test_each_channel_is_told_from_its_lowest_severity_on():
    with slack_on_loopback() as slack, mail_on_loopback() as box:
        job = Job(
            {"AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook, **box.environ(), "AEGIS_PT_EMAIL_MIN": "critical"}
        )
        for patch, at in zip((TWO_ORDERS, THREE_ORDERS, {}, {}), AT, strict=False):
            job.run(patch, at)
        subjects = [str(one.mail["subject"]) for one in box.mails]
        assert words(slack.texts) == ["WARNING", "CRITICAL", "RESOLVED"]
        assert words(subjects) == ["WATCHING", "CRITICAL", "RESOLVED"]
        assert "worse" not in box.mails[1].part("plain"), "for this channel it is new"


# --- the session's summary ------------------------------------------------------------------------------

TUESDAY = [f"2026-06-02T{time}:00Z" for time in ("13:40", "14:00", "16:30", "19:50", "20:10", "20:20")]
SUMMED = {"AEGIS_PT_SESSION_SUMMARY": "1"}


def test_one_summary_comes_after_the_close():
    with slack_on_loopback() as slack:
        job = Job({"AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook, **SUMMED})
        for at in TUESDAY:
            job.run({}, at)
        (post,) = (post for post in slack.posts if post["text"].split()[1] == "SESSION")
        assert (
            "2026-06-02: 4 runs, longest gap 3 h 20 min (2 gaps, 5 h 50 min in all); all 11 signals seen in every run"
            in everything(post)
        )
        assert "channels: slack ok" in everything(post)


def test_without_the_setting_there_is_none_and_the_day_is_counted_all_the_same():
    with slack_on_loopback() as slack:
        job = Job({"AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook})
        for at in TUESDAY:
            job.run({}, at)
        assert "SESSION" not in words(slack.texts)
        (day,) = job.memory.sessions
        assert (day.day, day.runs, day.told) == ("2026-06-02", 4, ())


def test_a_summary_is_owed_to_each_channel_until_it_took_it():
    with slack_on_loopback() as slack, mail_on_loopback() as box:
        job = Job({"AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook, **box.environ(), **SUMMED})
        for number, at in enumerate([*TUESDAY, "2026-06-02T20:30:00Z"]):
            if number in (4, 5):
                slack.then(REFUSES)
            delivery = job.run({}, at)
            assert delivery.undelivered is (number in (4, 5))
        assert words(slack.texts).count("SESSION") == 1
        assert words([str(one.mail["subject"]) for one in box.mails]).count("SESSION") == 1


def test_a_day_whose_evening_nobody_saw_is_summed_up_the_next_morning():
    with slack_on_loopback() as slack:
        job = Job({"AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook, **SUMMED})
        for at in (*TUESDAY[:3], "2026-06-04T13:40:00Z"):
            job.run({}, at)
        text = everything(slack.posts[-1])
        assert "2026-06-02: 3 runs, longest gap 3 h 30 min" in text
        assert "2026-06-03: NO RUN: nobody looked, longest gap 6 h 30 min" in text


def test_a_summary_and_an_alert_are_one_message():
    with slack_on_loopback() as slack:
        job = Job({"AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook, **SUMMED})
        for at in TUESDAY[:4]:
            job.run({}, at)
        before = len(slack.posts)
        job.run({"status_v3": {"stuck_exits": 1}}, TUESDAY[4])
        (post,) = slack.posts[before:]
        assert "ESCALATE" in post["text"]
        assert "2026-06-02: 4 runs" in everything(post)


# --- what is remembered ---------------------------------------------------------------------------------


def test_what_is_remembered_passes_through_the_artifact_unchanged():
    with slack_on_loopback() as slack:
        delivery = Job({"AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook}).run(TWO_ORDERS, TUESDAY[1])
        memory = remembered(delivery.report, printed=False)
        assert memory.channels == delivery.report.channels
        assert memory.sessions == delivery.report.sessions
        assert memory.conditions == delivery.report.conditions
        assert replace(delivery.report).sessions[0].runs == 1


def test_the_artifact_after_a_delivery_is_as_its_schema_says():
    validator = Draft202012Validator(SCHEMAS["artifact"]())
    with slack_on_loopback() as slack, mail_on_loopback() as box:
        job = Job(
            {
                "AEGIS_PT_SLACK_TOKEN": TOKEN,
                "AEGIS_PT_SLACK_CHANNEL": "#alerts",
                "AEGIS_PT_SLACK_API_URL": slack.api,
                **box.environ(),
                **SUMMED,
            }
        )
        box.refused = {"ann@example.com": "550 no"}
        document: dict[str, Any] = {}
        for patch, at in zip((TWO_ORDERS, THREE_ORDERS, {}, {}, {}), TUESDAY, strict=False):
            document = build_artifact_document(job.run(patch, at).report)
            assert [error.message for error in validator.iter_errors(document)] == []
        assert document["sessions"][0]["told"] == ["slack"]
        assert any(
            row["receipts"]["slack"].get("places") for row in document["conditions"] if "receipts" in row
        )
