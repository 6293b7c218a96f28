"""A message as text and as HTML: what a phone shows, and no data becomes a tag or is fetched."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from detector.app.input_documents import list_next_steps
from detector.formats.numbers import format_list
from detector.render.message_text import (
    TEXT_BYTES,
    count_phone_items,
    render_html,
    render_phone_text,
    render_text,
)
from tests.support.messages import condition, ended, message

PHONE_COLUMNS, PHONE_LINES = 45, 40  # of a mail at 15 px on a screen of 390 by 844
TAGS = {"html", "head", "meta", "body", "h1", "p", "br", "div", "strong", "a"}
ATTRIBUTES = {"name", "content", "lang", "charset", "style", "href"}
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=y>',
    "javascript:alert(1)",
    "&#x3c;b&#x3e;",
    "</div>" * 9,
]


class Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: dict[str, set[str]] = {}
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        for name, value in attrs:
            self.attributes.setdefault(name, set()).add(value or "")

    def handle_data(self, data):
        self.text += data


def seen(text: str) -> Seen:
    parser = Seen()
    parser.feed(text)
    return parser


@settings(max_examples=60)
@given(st.one_of(st.sampled_from(HOSTILE), st.text(max_size=60)), st.sampled_from(HOSTILE))
def test_nothing_of_the_data_becomes_a_tag_or_an_address(text, link):
    told = message(
        condition("x", subject=text, summary=f"x {text}"), steps={"x": text}, link=link, runbook_url=link
    )
    found = seen(render_html(told))
    assert found.tags <= TAGS
    assert found.attributes.keys() <= ATTRIBUTES
    assert all(one.startswith(("https://", "http://")) for one in found.attributes.get("href", ()))


def test_it_reads_like_the_plain_text_and_names_every_item():
    told = message(*(condition("x", subject=str(k)) for k in range(7)), ended(condition("y")))
    found = seen(render_html(told))
    assert len(re.findall(r"CRITICAL\s+x · ", found.text)) == 7
    assert "RESOLVED" in found.text
    assert all(item.delivery_id in found.text for item in told.items)


def test_colours_stand_in_the_text_itself():
    text = render_html(message(condition(), ended(condition("y"))))
    assert "#c8102e" in text
    assert "#2e7d32" in text
    assert "<link" not in text
    assert "url(" not in text


def test_eight_conditions_at_once_are_at_most_two_screens_of_a_phone():
    names = [
        "stuck_exits", "send_outcome_unknown", "broker_disconnected", "heartbeat_stale",
        "reconcile_pending", "high_exit_attempts", "pending_orders_high", "broker_import_position",
    ]  # fmt: skip
    summary = "Open position SPY 2026-06-19 727C was imported from the broker (tag Broker) while it hurts."
    made = message(
        *(condition(name, escalated=name == "stuck_exits", summary=summary) for name in names),
        steps=list_next_steps(),
        link="https://github.com/owner/name/actions/runs/18123456789",
    )
    lines = render_text(made).splitlines()
    shown = sum(max(1, ceil(len(line) / PHONE_COLUMNS)) for line in lines)
    assert shown <= 2 * PHONE_LINES, shown
    assert lines[0].startswith("🔴 ESCALATE stuck_exits (CRITICAL, +7): ")
    assert sum(line.strip().startswith("First: ") for line in lines) == 3


def test_a_phone_reads_what_is_not_seen_and_no_subject_twice():
    drift = "SPY: the broker holds long 10, and nothing in the runtime manages it."
    told = [condition("x", subject=f"order {k}") for k in range(4)]
    made = message(*told, condition("open_positions_drift", "warning", subject="SPY", summary=drift))
    blind = replace(made, coverage="10 of 11 signals seen (not seen: gateway)")
    lines = render_phone_text(blind).splitlines()
    assert "10 of 11 signals seen (not seen: gateway)" in lines
    assert f"WARNING  open_positions_drift: {drift}" in lines
    assert lines[lines.index("CRITICAL  x · order 3: No heartbeat for 15 min (over 5 min).") - 1] == ""


@pytest.mark.parametrize("letter", ["x", "é", "銀", "🟣"])
@pytest.mark.parametrize("count", [1, 3, 8, 60])
def test_a_phone_s_text_names_whatever_it_counts(letter, count):
    """Though each line above the items is as long as it can be."""

    def texts(k: int) -> str:
        return f"{k} {letter * 80}: {letter * 420}" if k % 2 else letter * 420

    told = (
        condition("x", subject=f"{k} {letter * 80}", summary=texts(k), escalated=True) for k in range(count)
    )
    made = message(*told, steps={"x": letter * 420}, runbook_url="https://x.example/R.md")
    made = replace(made, runtime=letter * 90, at=letter * 200, decision=letter * 300, coverage=letter * 300)
    for part in made.split(count_phone_items):
        text = render_phone_text(part)
        assert len(text.encode()) <= TEXT_BYTES
        assert all(item.subject in text for item in part.items)


@pytest.mark.parametrize(
    ("names", "text"), [((), ""), (("a",), "a"), (("a", "b"), "a and b"), (("a", "b", "c"), "a, b and c")]
)
def test_a_list_reads_as_english(names, text):
    assert format_list(names) == text
