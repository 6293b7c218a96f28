"""A message for Slack: within every documented limit and without mentions, whatever the data is."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from detector.domain.condition import Condition
from detector.render.message_slack import (
    build_plain_payload,
    build_slack_payload,
    count_fitting,
    escape_mrkdwn,
)
from tests.support.messages import condition, ended, message
from tests.support.slack_server import everything, faults_of

HOSTILE = [
    "<!channel>", "<!here|x>", "<@U012345>", "@here", "<https://evil.example|click>", "&lt;!channel&gt;",
    "&amp;" * 300, "*bold* _it_ ~s~ `code` ```block```", "\u202e\u2066\u200b\ufeff", "a\r\nb\x00\x1b[2J",
    "]] > | < &", "🔴" * 500, "<" * 3000, "&" * 3000, "x" * 20_000, "",
    "\ud83d".encode("utf-16", "surrogatepass").decode("utf-16", "replace"),
]  # fmt: skip
TEXTS = st.one_of(st.sampled_from(HOSTILE), st.text(max_size=80))


def conditions(count: int, critical: int = 0) -> list[Condition]:
    return [
        condition("pending_order_stale", "critical" if k < critical else "warning", subject=f"order {k:04}")
        for k in range(count)
    ]


# --- escaping -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "most", "shown"),
    [
        ("a < b", 99, "a &lt; b"),
        ("a & b > c", 99, "a &amp; b &gt; c"),
        ("&amp;", 99, "&amp;amp;"),
        ("abcdef", 6, "abcdef"),
        ("abcdefg", 6, "abcde…"),
        ("abc<def", 7, "abc…"),
        ("abc<def", 8, "abc&lt;…"),
        ("<<<<", 5, "&lt;…"),
        ("<<<<", 4, "…"),
    ],
)
def test_a_text_is_cut_after_escaping_and_never_inside_of_an_entity(text, most, shown):
    assert escape_mrkdwn(text, most) == shown


@settings(max_examples=200)
@given(st.text(alphabet="a&<>;|", max_size=60), st.integers(1, 80))
def test_no_cut_leaves_half_an_entity(text, most):
    made = escape_mrkdwn(text, most)
    assert len(made) <= most
    assert not re.search(r"&(?!amp;|lt;|gt;)", made)
    assert not set("<>") & set(made)


# --- limits -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 8, 9, 10, 24, 32, 33, 60, 100, 500])
def test_any_number_of_events_is_a_valid_message_with_the_critical_ones_first(count):
    critical = min(count, 3)
    made = message(*conditions(count, critical), link="https://github.com/o/r/actions/runs/1")
    payload = build_slack_payload(made)
    assert faults_of(payload) == []
    assert faults_of(build_plain_payload(made)) == []
    text = everything(payload)
    words = re.findall(r"\*(CRITICAL|WARNING)\b", text)
    assert words == sorted(words)
    assert words.count("CRITICAL") == critical
    whole = "\n".join(everything(build_slack_payload(part)) for part in made.split(count_fitting))
    assert all(item.subject in whole for item in made.items)


@settings(max_examples=60)
@given(st.integers(1, 500), st.integers(0, 500), st.lists(TEXTS, min_size=3, max_size=3), st.booleans())
@example(500, 500, ["&" * 3000, "<" * 3000, "&" * 900], True)
@example(500, 0, ["x" * 20_000, "x" * 20_000, "x" * 20_000], False)
def test_no_text_and_no_number_of_events_breaks_a_message(count, critical, texts, ends):
    summary, subject, step = texts
    made = [
        condition(
            "x", "critical" if k < critical else "warning", subject=f"{k} {subject}", summary=summary or "x"
        )
        for k in range(count)
    ]
    made = [ended(one) if ends and k % 3 == 0 else one for k, one in enumerate(made)]
    told = message(
        *made, steps={"x": step}, link=f"https://x.example/{step[:40]}", runbook_url="https://x.example/R.md"
    )
    for payload in (build_slack_payload(told), build_plain_payload(told)):
        assert faults_of(payload) == []
        json.dumps(payload).encode()


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_from_the_data_pings_or_breaks_out(text):
    told = message(condition("x", subject=text, summary=text or "x"), steps={"x": text}, link=text)
    payload = build_slack_payload(told)
    assert faults_of(payload) == []
    shown = everything(payload)
    assert "<!" not in shown
    assert "<@" not in shown
    assert not any(one.get("verbatim") is False for one in payload["blocks"])


def test_the_text_of_a_notification_is_the_headline():
    payload = build_slack_payload(message(condition()))
    assert payload["text"][:49] == "🔴 NOTIFY heartbeat_stale (CRITICAL): No heartbeat"
    assert payload["blocks"][0]["text"]["text"] == payload["text"]


def test_every_kind_stands_in_its_own_colour():
    payload = build_slack_payload(message(condition("a"), condition("b", "warning"), ended(condition("c"))))
    colours = [one["color"] for one in payload["attachments"]]
    assert len(set(colours[:3])) == 3


def test_an_item_shows_the_next_step_and_where_it_is_explained():
    told = message(
        condition(), steps={"heartbeat_stale": "look at the log."}, runbook_url="https://x.example/R.md"
    )
    text = everything(build_slack_payload(told))
    assert "*First:* look at the log." in text
    assert "<https://x.example/R.md#heartbeat_stale|RUNBOOK.md#heartbeat_stale> · id " in text


def test_without_an_address_of_the_runbook_the_command_that_explains_it_is_named():
    text = everything(build_slack_payload(message(condition())))
    assert "\npython -m detector explain heartbeat_stale · id " in text
    assert "RUNBOOK.md" not in text


@settings(max_examples=25)
@given(st.integers(1, 120), st.integers(1, 400))
def test_every_item_is_named_in_one_of_the_parts(count, length):
    made = message(*(condition("x", subject=f"{k:03d}", summary="w " * (length // 2)) for k in range(count)))
    parts = made.split(count_fitting)
    assert [item for part in parts for item in part.items] == list(made.items)
    assert len({part.delivery_id for part in parts}) == len(parts)
    for part in parts:
        blocks, plain = everything(build_slack_payload(part)), build_plain_payload(part)["text"]
        assert all(item.subject in blocks and item.subject in plain for item in part.items)
        assert len(parts) == 1 or f"[{part.page} of {len(parts)}]" in part.headline
