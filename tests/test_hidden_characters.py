"""Characters that nobody sees, in every text from outside, on every way out.

One generator puts control, bidi, zero-width and filling characters into names, words, log lines, errors and
sentences; no way out may show one of them, and JSON keeps them as escapes, so that no datum changes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from detector.channels.ntfy import build_ntfy_body
from detector.channels.telegram import build_telegram_parameters
from detector.domain.acknowledgement import Acknowledgement
from detector.domain.condition import MessageRef, Receipt
from detector.domain.report import ChannelError, ChannelHealth, Report
from detector.domain.run_memory import FIRST_RUN
from detector.formats.serialize import format_canonical, format_document, to_json
from detector.formats.strict_json import escape_hidden, replace_hidden, to_one_line
from detector.render.github_output import render_job_summary
from detector.render.message import Message
from detector.render.message_build import build_message
from detector.render.message_item import MessageContext, PreopenNotice
from detector.render.message_pagerduty import build_item_events
from detector.render.message_slack import build_plain_payload, build_slack_payload
from detector.render.message_text import render_html, render_phone_text, render_text
from detector.render.message_webhook import build_webhook_body
from detector.render.watch import format_tick, render_screen
from detector.settings import Rung
from tests.support.program import answer
from tests.support.snapshots import NOW, ROOT, evaluated, healthy_at, settings_of

HIDDEN = (
    "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c"  # directions
    "\u200b\u200c\u200d\u2060\u2061\u2064\ufeff\u00ad\u180e\u034f\u3164\u115f\u1160\uffa0\u2800"  # no width
    "\x00\x07\x08\x0b\x0c\x1b\x7f\x85\x9b\u2028\u2029\ufff9\U000e0041\ue000"  # control, line ends, tags
)
ZONES = ("UTC",)
AEGIS = (ROOT / "detector" / "profiles" / "aegis.toml").read_text()
TAKEN_AT = NOW.isoformat().replace("+00:00", "Z")
OWN_RULE = """
[[rule]]
name = "own_words"
sees = { words = "words" }
fires = "words != `null`"
severity = "warning"
summary = "%s {words}"
runbook = "https://example.org"
"""
Hide = Callable[[str], str]


@st.composite
def hiders(draw: st.DrawFn) -> Hide:
    """A function that puts hidden characters behind the first letter of a text, and at both ends."""
    inside = draw(st.text(HIDDEN, min_size=1, max_size=6))
    ends = draw(st.sampled_from(["", *HIDDEN]))
    return lambda text: f"{ends}{text[:1]}{inside}{text[1:]}{ends}"


def list_hidden(text: str) -> list[str]:
    """The hidden characters of a text, by number: told apart from the code by a list of their own."""
    allowed = "\n\t"
    return [f"{ord(one):x}" for one in text if one in HIDDEN or not (one.isprintable() or one in allowed)]


def build_hostile(hide: Hide) -> dict[str, Any]:
    """A snapshot in which every name and word that an event may quote is hostile."""
    trade = {"trade_id": hide("t1"), "symbol": hide("IWM"), "quantity": 1, "exit_reason": hide("stop")}
    status = {
        "pending_orders": 3,
        "stuck_exits": [hide("exit")],
        "mode": hide("paper"),
        "connection_error": hide("API connection failed"),
        "orders": [{"order_id": hide("o1"), "symbol": hide("SPY"), "age_sec": 9_000, "status": hide("Sent")}],
        "open_positions": [{"symbol": hide("QQQ"), "quantity": 1, "trade_id": hide("t2")}],
        "open_position_count": 1,
        "words": hide("words of an own rule"),
        "recent_trades": [{**trade, "opened_at": TAKEN_AT, "closed_at": TAKEN_AT, "pnl_unknown": True}],
    }
    line = f"ERROR {hide('lane')} [reqId 5] Error 201, Order rejected - reason: {hide('no margin')}"
    sections = {
        "status_v3": status,
        "broker": {
            "as_of": TAKEN_AT,
            "connected": True,
            "account": hide("DU1234567"),
            "positions": [{"symbol": hide("DIA"), "quantity": 3}],
            "open_orders": [],
            "executions": [],
        },
        "containers": [{"Names": [f"/aegis-lt-ibkr-{hide('x')}"], "State": "running"}],
        "processes": [{"name": hide("bot"), "running": False}],
        "logs": [{"timestamp": int(NOW.timestamp() * 1000), "message": line}],
        "sources": {"ecs": {"state": "failed", "reason": "refused", "detail": hide("no route")}},
        "power": {"status": hide("OB")},
    }
    document: dict[str, Any] = healthy_at(TAKEN_AT, sections)
    return {**document, "runtime": hide("runtime")}


def build_report(hide: Hide) -> Report:
    """The report of that snapshot with acknowledgers, a failing channel and an ended condition."""
    document = build_hostile(hide)
    sentence = "".join(f"\\U{ord(one):08x}" for one in hide("Own words:"))
    own = settings_of(profile=AEGIS + OWN_RULE % sentence)
    report = evaluated(document, FIRST_RUN, own, channels={"slack": Rung("warning")})
    assert "own_words" in {event.type for event in report.events}
    ack = Acknowledgement(
        by=hide("Jane"), at=NOW, until=NOW + timedelta(hours=1), via="slack", id="1", severity="critical"
    )
    receipt = Receipt("warning", NOW, places=(MessageRef("C1", "1.0"),))
    conditions = {
        key: replace(one, acks=(ack,), receipts={"slack": receipt} if number % 2 else {})
        for number, (key, one) in enumerate(report.conditions.items())
    }
    error = ChannelError(NOW, "refused", hide("554 no"))
    channels = {
        "slack": ChannelHealth(since=NOW, ack_error=error),
        hide("mail"): ChannelHealth(failures=9, last_error=error),
    }
    return replace(report, conditions=conditions, channels=channels)


def iter_texts(value: Any) -> Iterator[str]:
    """Yield every text of a payload."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from iter_texts(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from iter_texts(item)


def iter_sent(message: Message) -> Iterator[tuple[str, str]]:
    """Yield what each channel is sent: the way out, and a text that a person may read."""
    yield "headline", message.headline
    yield "mail", render_text(message)
    yield "mail in HTML", render_html(message)
    yield "phone", render_phone_text(message)
    body = build_webhook_body(message)
    sentences = [body.headline, body.runtime, body.decision, body.coverage, *body.notes, *body.sessions]
    payloads = {
        "slack": build_slack_payload(message),
        "slack without blocks": build_plain_payload(message),
        "telegram": build_telegram_parameters(message, "1"),
        "ntfy": build_ntfy_body(message, "topic"),
        "webhook": [*sentences, format_canonical(to_json(body))],
    }
    for name, payload in payloads.items():
        yield from ((name, text) for text in iter_texts(payload))
    for item in message.items:
        for event in build_item_events(message, item, "key"):
            shown = {name: part for name, part in event.items() if name != "dedup_key"}
            yield from (("pagerduty", text) for text in iter_texts(shown))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(hiders())
def test_no_channel_is_sent_a_hidden_character(hide):
    report = build_report(hide)
    notices = report.owed["slack"]
    assert len(notices) > 7
    preopen = PreopenNotice("2026-06-02", (hide("go"), hide("no go")))
    context = MessageContext(report, ZONES, {"stuck_exits": hide("Look first.")}, preopen=preopen)
    message = build_message(context, "slack", notices)
    assert message is not None
    assert {name for name, text in iter_sent(message) if list_hidden(text)} == set()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(hiders())
def test_no_summary_screen_or_line_shows_a_hidden_character(hide):
    report = build_report(hide)
    remark = hide("a remark")
    assert list_hidden(render_job_summary(report, ZONES, [remark])) == []
    assert list_hidden("".join(render_screen(report, ZONES, colour=False))) == []
    assert list_hidden(format_tick(report, ZONES)) == []


WAYS = [
    ["detect"], ["detect", "--report"], ["detect", "--nagios"], ["plan"], ["plan", "--json"],
    *[["report", "--format", form] for form in ("text", "markdown", "json", "html")],
]  # fmt: skip


@pytest.mark.parametrize("words", WAYS, ids=" ".join)
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(hide=hiders())
def test_no_command_prints_a_hidden_character(words, hide):
    given_answer = answer(*words, stdin=build_hostile(hide))
    text = given_answer.out.decode()
    assert given_answer.code in (0, 1, 2, 3), given_answer.err
    assert text
    assert (list_hidden(text), list_hidden(given_answer.err)) == ([], [])


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(hide=hiders())
def test_no_answer_quotes_a_hidden_character(hide, tmp_path_factory):
    words = ["can-close", "--symbol", hide("DIA").replace("\0", ""), "--quantity", "3"]
    folder: Path = tmp_path_factory.mktemp("memory")
    run = answer("run", "--snapshot", "-", "--state", str(folder), "--stdout", stdin=build_hostile(hide))
    artifact = next(folder.rglob("*.json"))
    signature = json.loads(artifact.read_text())["events"][0]["signature"]
    explained = answer("explain", signature, "--artifact", str(artifact))
    refused = answer("explain", hide("heartbeat_stale"))
    for one in (answer(*words, stdin=build_hostile(hide)), run, explained, refused):
        assert (list_hidden(one.out.decode()), list_hidden(one.err)) == ([], [])


@given(st.text(st.sampled_from(HIDDEN + 'ab"\\\n\té😀')))
def test_json_keeps_what_it_hides_and_lines_do_not(text):
    for write in (format_document, format_canonical):
        assert json.loads(write({"a": text})) == {"a": text}
        assert list_hidden(write({"a": text})) == []
    assert escape_hidden(format_document({"a": text})) == format_document({"a": text})
    assert list_hidden(to_one_line(text)) == []
    assert to_one_line(text).isprintable()
    assert replace_hidden(text).count("\n") == text.count("\n")
    assert list_hidden(replace_hidden(text)) == []
    assert len(replace_hidden(text)) == len(text)
