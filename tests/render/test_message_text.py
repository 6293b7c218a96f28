"""A message as HTML: no data becomes a tag, and nothing is fetched when a person opens it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from math import ceil

from hypothesis import given, settings
from hypothesis import strategies as st

from detector.app.input_documents import list_next_steps
from detector.render.message_text import render_html, render_text
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
    assert lines[0].startswith("🔴 ESCALATE stuck_exits (+7): ")
    assert sum(line.strip().startswith("First: ") for line in lines) == 3
