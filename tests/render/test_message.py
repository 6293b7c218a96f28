"""A message: kinds that cannot be mistaken, the number and its limit, the start, the next step."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from detector.domain.condition import Notice, Receipt
from detector.domain.report import ChannelError, ChannelHealth, Report, SessionDay
from detector.domain.run_memory import Memory, build_lost_memory
from detector.engine.catalog import load_rules
from detector.render.message import ORDER, STYLES, Message, MessageItem
from detector.render.message_build import build_message
from detector.render.message_item import OPENS_OR_LOSES, MessageContext
from detector.render.message_slack import build_slack_payload
from detector.render.message_text import render_html, render_text
from detector.settings import Rung
from tests.support.messages import KNOWN, ZONES, condition, ended, message, missed, notices_of, report_of
from tests.support.slack_server import everything
from tests.support.snapshots import NOW, ROOT, evaluated, healthy_at, later, remembered

SHOWN = 40  # of a notification's characters
NOTHING: dict[str, Any] = {"taken_at": "2026-06-02T15:00:00Z"}
FAILING = ChannelHealth(NOW, NOW, ChannelError(NOW, "login", "no"), failures=3)


def only_item(made: Message) -> MessageItem:
    (item,) = made.items
    return item


# --- kinds --------------------------------------------------------------------------------------------


def kinds() -> dict[str, Message]:
    test = replace(message(condition()), kind="test", items=())
    return {
        "critical": message(condition()),
        "warning": message(condition(severity="warning")),
        "missed": message(missed(condition())),
        "resolved": message(ended(condition())),
        "unwatched": message(ended(condition(), "unwatched")),
        "test": test,
        "unchecked": around(evaluated(NOTHING, channels={})),
        "failing": around(report_of(channels={**KNOWN, "email:12345678": FAILING})),
    }


def around(report: Report) -> Message:
    """Return the message of a report that owes nothing."""
    made = build_message(MessageContext(report, ZONES), "slack", ())
    assert made is not None
    return made


def test_no_kind_can_be_mistaken_for_another_in_mark_word_colour_or_the_first_forty_characters():
    made = kinds()
    for part in (lambda style: style.mark, lambda style: style.label, lambda style: style.colour):
        assert len({part(STYLES[one.kind]) for one in made.values()}) == len(made)
    words = {one.label for one in STYLES.values()}
    for one in made.values():
        start = one.headline[: 2 * SHOWN]
        assert [word for word in words if word in start] == [STYLES[one.kind].label]
        assert start.startswith(STYLES[one.kind].mark)


@pytest.mark.parametrize("name", [one.name for one in load_rules()])
@pytest.mark.parametrize("kind", ["critical", "warning", "missed", "resolved", "unwatched"])
def test_forty_characters_name_the_kind_and_the_event(name, kind):
    one = condition(name, "warning" if kind == "warning" else "critical")
    made = {
        "missed": lambda: missed(one),
        "resolved": lambda: ended(one),
        "unwatched": lambda: ended(one, "retired"),
    }.get(kind, lambda: one)()
    told = message(made)
    assert told.kind == kind
    first = "NOTIFY" if kind in ("critical", "warning") else STYLES[told.kind].label
    assert told.headline.startswith(f"{STYLES[told.kind].mark} {first} {name} ")
    assert len(f"{STYLES[told.kind].mark} {first} {name}") <= SHOWN
    assert STYLES[told.kind].label in told.headline


def test_an_end_asks_nobody_to_do_anything():
    steps = {"stuck_exits": "Wake the owner now."}
    one = condition("stuck_exits")
    asked = [
        only_item(message(other, steps=steps)).step for other in (one, ended(one), ended(one, "retired"))
    ]
    assert asked == ["Wake the owner now.", "", ""]


def test_the_worst_comes_first_and_gives_the_message_its_kind():
    one, two, three = condition("a"), condition("b", "warning"), ended(condition("c"))
    made = message(three, two, one)
    assert [item.kind for item in made.items] == ["critical", "warning", "resolved"]
    assert made.headline.startswith("🔴 NOTIFY a (CRITICAL, +2): ")
    assert next(iter(ORDER)) == "test"


def test_of_equals_what_escalates_comes_first_and_then_what_is_about_money():
    made = message(
        condition("broker_disconnected"),
        condition("impossible_state", money=True),
        condition("stuck_exits", money=True, escalated=True),
    )
    assert [item.type for item in made.items] == ["stuck_exits", "impossible_state", "broker_disconnected"]
    assert [item.label for item in made.items] == ["ESCALATE", "CRITICAL", "CRITICAL"]
    assert made.headline.startswith("🔴 ESCALATE stuck_exits (CRITICAL, +2): ")


def test_of_what_escalates_the_order_is_that_of_the_runbook():
    """What may open or lose a position now stands before all else, in the message as in *Which first*."""
    text = (ROOT / "RUNBOOK.md").read_text("utf-8").partition("**Which first.**")[2]
    first = re.findall(r"\(#(\w+)\)", text.partition("before what cannot")[0])
    assert first == list(OPENS_OR_LOSES)
    others = [condition(name, money=True, escalated=True) for name in ("impossible_state", "stuck_exits")]
    for name in first:
        made = message(*others, condition(name, money=True, escalated=True))
        assert [item.type for item in made.items] == [name, "impossible_state", "stuck_exits"]


def test_the_first_of_several_pages_counts_what_all_of_them_hold():
    whole = message(*(condition(subject=str(number)) for number in range(9)))
    parts = whole.split(lambda items, page: 4)
    assert [part.headline.partition("(")[2].partition(")")[0] for part in parts] == [
        "CRITICAL, +8",
        "CRITICAL, +3",
        "CRITICAL",
    ]


def test_of_equals_a_cause_comes_first():
    cause = condition("ecs_service_count_mismatch")
    made = message(
        condition("impossible_state", money=True),
        cause,
        condition("heartbeat_stale", because_of=cause.signature),
        condition("source_unavailable", "warning", subject="status_v3", because_of=cause.signature),
    )
    assert [item.type for item in made.items] == ["ecs_service_count_mismatch", "impossible_state"]


def test_what_was_missed_says_how_bad_it_was():
    item = only_item(message(missed(condition())))
    assert item.label == "MISSED (critical)"
    assert item.summary.startswith("Missed and over: No heartbeat for 15 min (over 5 min); ")
    assert item.summary.endswith(
        "; it began 2026-06-02 14:00:00 UTC and ended 2026-06-02 15:00:00 UTC, before any alert got through."
    )


# --- what an item says --------------------------------------------------------------------------------


def test_an_item_holds_number_limit_setting_times_and_the_runbooks_next_step():
    made = message(
        condition(), steps={"heartbeat_stale": "look at the log"}, runbook_url="https://x.example/RUNBOOK.md"
    )
    item = only_item(made)
    assert item.setting == "AEGIS_PT_HEARTBEAT_STALE_SEC=300"
    assert item.since == "first seen by a run at 2026-06-02 14:00 UTC (1 h ago)"
    assert item.step == "look at the log"
    assert item.runbook_url == "https://x.example/RUNBOOK.md#heartbeat_stale"
    assert made.at == "2026-06-02 15:00 UTC, 11:00 EDT, 2026-06-03 00:00 JST"


def test_what_began_now_is_first_seen_now():
    assert only_item(message(condition(first_seen=NOW))).since == "first seen now"


def test_an_end_says_from_when_to_when_it_lasted():
    assert (
        only_item(message(ended(condition()))).since
        == "seen by runs from 2026-06-02 14:00 UTC to 2026-06-02 15:00 UTC (1 h)"
    )


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        ("new", ""),
        ("worse", "worse than in the earlier alert"),
        ("again", "again: it had ended"),
        ("owed", "late: an earlier attempt to send this failed"),
        ("reminder", "reminder 3: it still holds"),
    ],
)
def test_an_item_says_why_it_is_told_now(reason, why):
    one = condition(receipts={"slack": Receipt("critical", NOW, "x", reminders=2)})
    made = build_message(MessageContext(report_of([one]), ZONES), "slack", [Notice(one, reason, "id")])
    assert made is not None
    assert only_item(made).why == why


def test_a_text_from_the_data_is_one_line_that_turns_no_direction():
    hostile = "a\u202eb\u2066c\x1b[31m\r\nBcc: x\u200b\u0007 d"
    item = only_item(message(condition(summary=hostile, subject=hostile)))
    for text in (item.summary, item.subject, item.signature):
        assert text.isprintable()
    assert item.summary == "a b c [31m Bcc: x d"


def test_a_secret_of_the_settings_is_hidden_in_every_text():
    def hide(text: str) -> str:
        return text.replace("canary", "[redacted]")

    made = message(condition(summary="canary", subject="canary"), hide=hide, link="https://x.example/canary")
    assert "canary" not in repr(made)


# --- what stands around the items -----------------------------------------------------------------------


def test_the_coverage_says_what_was_not_seen():
    report = evaluated({"taken_at": "2026-06-02T15:00:00Z"}, channels={})
    made = build_message(MessageContext(report, ZONES), "slack", ())
    assert made is not None
    assert made.coverage.startswith("0 of 11 signals seen (not seen: runtime primary, gateway")
    assert message(condition()).coverage == "11 of 11 signals seen"


def test_the_decision_ends_with_the_need_for_approval():
    report = evaluated(healthy_at("2026-06-02T15:00:00Z", {"status_v3": {"stuck_exits": 1}}), channels={})
    made = build_message(MessageContext(report, ZONES), "slack", ())
    assert made is not None
    assert made.decision == "ESCALATE. Stopping or scaling the runtime needs explicit approval."


def test_a_channel_that_took_nothing_yet_is_told_what_memory_starts_with():
    made = build_message(MessageContext(report_of(generation=1, channels={}), ZONES), "slack", ())
    assert made is not None
    assert (made.kind, made.is_first) == ("watching", True)
    assert made.notes[0].startswith("First run: monitoring starts with nothing wrong;")
    assert made.headline.startswith("🔵 WATCHING aegis-pt-core (decision OBSERVE): First run")
    report = evaluated(healthy_at("2026-06-02T15:00:00Z", {"status_v3": {"pending_orders": 3}}), channels={})
    one = build_message(MessageContext(report, ZONES), "slack", ())
    assert one is not None
    assert "monitoring starts with 1 condition (1 critical, 0 warning)" in one.notes[0]


@pytest.mark.parametrize(
    ("sources", "why"),
    [
        ({}, "no source is configured"),
        ({"sources": {"logs": {"state": "off"}}}, "no source is configured"),
        (
            {"sources": {"logs": {"state": "failed", "reason": "timeout"}}},
            "no source that was asked shows one",
        ),
    ],
    ids=["none", "switched off", "failed"],
)
def test_where_nothing_was_checked_the_first_message_says_so_and_never_that_nothing_is_wrong(sources, why):
    made = build_message(MessageContext(evaluated({**NOTHING, **sources}, channels={}), ZONES), "slack", ())
    assert made is not None
    assert made.kind == "unchecked"
    assert made.headline[:SHOWN].startswith("⚫ NOTHING WAS CHECKED aegis-pt-core")
    assert f"First run: NO SIGNAL WAS SEEN ({why})" in made.notes[0]
    assert "no message means nothing until one is" in made.notes[0]
    whole = render_text(made) + render_html(made)
    assert "nothing wrong" not in whole
    assert "WATCHING" not in whole


def test_where_something_was_checked_it_is_not_said():
    made = build_message(
        MessageContext(evaluated({**NOTHING, "status_v3": {"pending_orders": 0}}, channels={}), ZONES),
        "slack",
        (),
    )
    assert made is not None
    assert made.kind == "watching"


def test_an_alert_leads_the_first_message_and_stands_beside_that_nothing_was_checked():
    report = evaluated(
        {**NOTHING, "sources": {"status_v3": {"state": "failed", "reason": "timeout"}}},
        channels={"slack": Rung("warning")},
    )
    made = build_message(MessageContext(report, ZONES), "slack", report.owed["slack"])
    assert made is not None
    assert made.items
    assert "NO SIGNAL WAS SEEN" in made.notes[0]
    assert "monitoring starts with 2 conditions (1 critical, 1 warning)" in made.notes[0]
    assert made.remove_items().kind == "unchecked"


def test_a_session_in_which_nothing_was_checked_says_so_first():
    day = SessionDay(
        "2026-06-01", NOW - timedelta(hours=25), NOW - timedelta(hours=19), runs=35, gap_sec=1260, signals=2,
        last_run=NOW - timedelta(hours=19, minutes=5), unseen={"gateway": 35, "heartbeat": 35},
    )  # fmt: skip
    for unseen, wanted in (({}, True), ({"heartbeat": 34}, False)):
        one = replace(day, unseen={**day.unseen, **unseen})
        made = build_message(MessageContext(report_of(), ZONES), "slack", (), [one])
        assert made is not None
        assert ("NOTHING WAS CHECKED in 35 runs" in made.days[0]) is wanted


# --- late -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (timedelta(seconds=-30), ""),
        (timedelta(minutes=14, seconds=59), ""),
        (timedelta(minutes=15), " (SENT 15 min after it was seen)"),
        (timedelta(days=10), " (SENT 10 d after it was seen)"),
    ],
    ids=["a clock behind", "a slow run", "a quarter of an hour", "ten days"],
)
def test_a_message_that_is_sent_long_after_its_snapshot_says_so(after, said):
    one = condition()
    plain = message(one)
    late = message(one, sent_at=plain.sent_at + after)
    assert late.sent_at == plain.sent_at + after
    assert late.at == plain.at + said
    assert late.delivery_id == plain.delivery_id
    assert late.at in render_text(late)
    assert late.at in everything(build_slack_payload(late))


def test_a_channel_that_is_added_later_is_told_so():
    made = build_message(MessageContext(report_of(), ZONES), "email:12345678", ())
    assert made is not None
    assert made.notes[0].startswith("First message to this channel: monitoring starts with nothing wrong")


def test_a_channel_that_knows_and_is_owed_nothing_gets_no_message():
    assert build_message(MessageContext(report_of(), ZONES), "slack", ()) is None


def test_lost_memory_is_one_note_in_the_one_message():
    document = healthy_at("2026-06-02T15:00:00Z", {"status_v3": {"pending_orders": 3}})
    report = evaluated({**document, "previous": "nonsense"}, channels={"slack": Rung("warning")})
    made = build_message(MessageContext(report, ZONES), "slack", report.owed["slack"])
    assert made is not None
    assert {item.type for item in made.items} == {"memory_lost", "pending_orders_high"}
    assert made.notes[0].startswith(
        "The record of sent alerts was lost, so all active alerts are sent again: "
    )
    assert not any("First" in note for note in made.notes)


def test_a_channel_that_fails_is_told_of_through_the_others():
    error = ChannelError(NOW, "login", "it answered 404 (no_service)")
    channels = {**KNOWN, "email:12345678": ChannelHealth(NOW, NOW, error, failures=3)}
    made = message(condition(), channels=channels)
    assert made.notes == (
        (
            "Channel email:12345678 fails "
            "(login: it answered 404 (no_service)); its alerts will be sent again."
        ),
    )


@pytest.mark.parametrize(
    ("failures", "reported", "told"),
    [
        (2, (), False),
        (3, (), True),
        (3, ("email:12345678 2026-06-02T15:00:00Z",), False),
        (4, (), True),
        (4, ("email:12345678 2026-05-02T15:00:00Z",), True),
    ],
    ids=["twice", "the third time", "it was told", "its message was lost", "an earlier one was told"],
)
def test_a_channel_that_fails_the_third_time_is_a_message_of_its_own_to_the_others(failures, reported, told):
    health = replace(FAILING, failures=failures)
    slack = replace(KNOWN["slack"], reported=reported)
    report = report_of(channels={**KNOWN, "slack": slack, "email:12345678": health})
    made = build_message(MessageContext(report, ZONES), "slack", ())
    assert (made is not None) is told
    assert build_message(MessageContext(report, ZONES), "email:12345678", ()) is None
    if made is not None:
        assert made.kind == "failing"
        assert made.headline.startswith("🔇 CHANNEL FAILS aegis-pt-core (decision OBSERVE): Channel")
        later = replace(health, last_error=ChannelError(NOW + timedelta(days=9), "login", "no"))
        again = build_message(
            MessageContext(replace(report, channels={**KNOWN, "email:12345678": later}), ZONES), "slack", ()
        )
        assert again is not None
        assert again.delivery_id != made.delivery_id, "no mail server takes it for a repetition"


def test_the_summary_of_a_session_stands_alone_or_beside_what_is_owed():
    day = SessionDay(
        "2026-06-01", NOW - timedelta(hours=25), NOW - timedelta(hours=19), runs=35, gap_sec=1260,
        last_run=NOW - timedelta(hours=19, minutes=5), signals=11, unseen={"gateway": 3},
        conditions={"pnl_unknown:aegis-pt-core:7": "warning", "stuck_exits:aegis-pt-core": "critical"},
    )  # fmt: skip
    alone = build_message(MessageContext(report_of(), ZONES), "slack", (), [day])
    assert alone is not None
    assert alone.kind == "session"
    assert "; ".join(alone.days) == (
        "2026-06-01: 35 runs, longest gap 21 min; not always seen: gateway (3 of 35 runs); 2 conditions: "
        "critical stuck_exits:aegis-pt-core, warning pnl_unknown:aegis-pt-core:7; channels: slack ok"
    )
    beside = message(condition(), days=[day])
    assert (beside.kind, beside.days) == ("critical", alone.days)


def test_a_session_at_which_nobody_looked_says_so():
    day = SessionDay("2026-06-01", NOW - timedelta(hours=25, minutes=30), NOW - timedelta(hours=19))
    made = build_message(MessageContext(report_of(), ZONES), "slack", (), [day])
    assert made is not None
    assert made.days[0] == (
        "2026-06-01: NO RUN: nobody looked, longest gap 6 h 30 min; "
        "no signal was seen; what held is not known"
    )


# --- ids ----------------------------------------------------------------------------------------------


def test_the_delivery_id_is_that_of_what_is_told_and_of_nothing_else():
    one, two = condition("a"), condition("b")
    assert message(one, two).delivery_id == message(two, one).delivery_id
    assert message(one).delivery_id != message(one, two).delivery_id
    assert message(one).delivery_id == message(replace(one, summary="Another wording.")).delivery_id


def test_all_messages_of_an_episode_share_its_id():
    one = condition()
    assert only_item(message(one)).episode == only_item(message(ended(one))).episode
    assert only_item(message(one)).episode != only_item(message(replace(one, generation=4))).episode


# --- plain text ---------------------------------------------------------------------------------------


def test_the_plain_text_shows_three_in_full_and_every_other_one_in_a_line():
    made = message(*(condition("x", subject=str(k)) for k in range(7)))
    text = render_text(made)
    assert text.count("CRITICAL  x · ") == 7
    assert text.count("since ") + text.count("first seen ") == 3
    assert all(item.delivery_id in text for item in made.items)


def test_only_the_first_sentence_of_the_steps_is_shown():
    step = "Compare both lists at the broker. Then call somebody. Do not restart."
    text = render_text(message(condition(), steps={"heartbeat_stale": step}))
    assert "First: Compare both lists at the broker.\n" in text
    assert "call somebody" not in text


def test_it_is_the_same_message_again_an_hour_later_but_for_its_times():
    document = healthy_at("2026-06-02T15:00:00Z", {"status_v3": {"pending_orders": 3}})
    first = evaluated(document, channels={"slack": Rung("warning")})
    second = evaluated(later(document, 3600), channels={"slack": Rung("warning")})
    made = [build_message(MessageContext(one, ZONES), "slack", one.owed["slack"]) for one in (first, second)]
    assert made[0] is not None
    assert made[1] is not None
    assert made[0].delivery_id == made[1].delivery_id
    assert notices_of([condition()])[0].delivery_id


# --- the memory cannot be read ---------------------------------------------------------------------------


def unread(patch: dict[str, Any], before: Memory | None = None, why: str = "HTTP 503") -> Message:
    """Return the message of a run that cannot read its memory, or only an older one."""
    report = evaluated(
        healthy_at("2026-06-02T15:00:00Z", {"status_v3": patch}),
        before or build_lost_memory(why),
        channels={"slack": Rung("warning")},
    )
    made = build_message(MessageContext(report, ZONES, unread=why), "slack", report.owed["slack"])
    assert made is not None
    return made


def test_while_the_memory_cannot_be_read_the_message_is_short():
    made = unread({"pending_orders": 3, "stuck_exits": 1})
    assert {item.money for item in made.items} == {True}, "what is about money is always shown"
    assert made.notes == (
        "and 1 as before (pending_orders_high); the memory has not been readable since 2026-06-02 15:00:00 UTC: HTTP 503",
    )
    assert "sent again" not in render_text(made)


def test_what_escalates_is_shown_first_while_the_memory_cannot_be_read():
    made = unread({"heartbeat_at": "2026-06-02T14:41:00Z"})
    assert [item.type for item in made.items] == ["heartbeat_stale"]
    assert made.headline.startswith("🔴 ESCALATE heartbeat_stale (CRITICAL): ")


@pytest.mark.parametrize(
    ("orders", "headline"),
    [
        (
            0,
            "🟡 NOTIFY aegis-pt-core (WARNING): the memory has not been readable since 2026-06-02 15:00:00 UTC: HTTP 503",
        ),
        (2, "🟡 NOTIFY aegis-pt-core (WARNING): and 1 as before (pending_orders_high); the memory"),
        (3, "🔴 NOTIFY aegis-pt-core (CRITICAL): and 1 as before (pending_orders_high); the memory"),
    ],
    ids=["all well", "a warning", "a critical one"],
)
def test_a_message_of_nothing_new_is_as_bad_as_what_is_as_before(orders, headline):
    made = unread({"pending_orders": orders})
    assert made.items == ()
    assert made.headline.startswith(headline)


def test_since_when_it_cannot_be_read_is_the_time_of_the_newest_that_could_be():
    first = evaluated(healthy_at("2026-06-02T14:40:00Z"), channels={})
    made = unread({"pending_orders": 3}, remembered(first))
    assert made.notes[0].endswith("the memory has not been readable since 2026-06-02 14:40:00 UTC: HTTP 503")
