"""Messages for tests: made as the program makes them, out of reports, conditions and notices."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import cache
from typing import Any

from msgspec.structs import replace

from detector.domain.condition import Condition, Notice
from detector.domain.report import ChannelHealth, Report
from detector.domain.rule import Severity
from detector.engine.evaluate import decide
from detector.ledger import list_due_notices
from detector.ledger.run_context import RunContext
from detector.render.message import Message
from detector.render.message_build import build_message
from detector.render.message_item import MessageContext
from detector.settings import DISPLAY_ZONES
from tests.support.snapshots import DEFAULTS, NOW, evaluated, healthy_at

KNOWN = {"slack": ChannelHealth(since=NOW - timedelta(days=1), last_success=NOW)}
ZONES = DEFAULTS[DISPLAY_ZONES]


def condition(name: str = "heartbeat_stale", severity: Severity = "critical", **more: Any) -> Condition:
    """Return a condition that fires, confirmed and untold."""
    subject = more.pop("subject", None)
    signature = f"{name}:aegis-pt-core" + (f":{subject}" if subject is not None else "")
    return Condition(
        **{
            "signature": signature, "type": name, "kind": "state", "subject": subject, "severity": severity,
            "peak": severity, "summary": "No heartbeat for 15 min (over 5 min).", "first_seen": NOW - timedelta(hours=1),
            "last_seen": NOW, "confirmed": True, "generation": 3, "observed": 900, "limit": 300,
            "setting": "AEGIS_PT_HEARTBEAT_STALE_SEC", **more,
        }
    )  # fmt: skip


@cache
def healthy_report() -> Report:
    """Return the report of the healthy snapshot."""
    return evaluated(healthy_at("2026-06-02T15:00:00Z"), channels={})


def report_of(conditions: Sequence[Condition] = (), **more: Any) -> Report:
    """Return the report of a later run with these conditions."""
    report = healthy_report()
    held = {one.signature: one for one in conditions}
    shown = {"generation": 9, "conditions": held, "channels": KNOWN, "decision": decide(conditions)}
    return replace(report, **{**shown, **more})


def notices_of(conditions: Sequence[Condition], channel: str = "slack") -> tuple[Notice, ...]:
    """Return what the ledger says that these conditions owe."""
    held = {one.signature: one for one in conditions}
    return list_due_notices(held, RunContext(NOW, DEFAULTS), (channel,))[channel]


def message(*conditions: Condition, channel: str = "slack", **more: Any) -> Message:
    """Return the message that tells of these conditions."""
    frame = {key: more.pop(key) for key in ("steps", "runbook_url", "link", "hide", "sent_at") if key in more}
    days = more.pop("days", ())
    report = report_of(conditions, **more)
    made = build_message(
        MessageContext(report, ZONES, **frame), channel, notices_of(conditions, channel), days
    )
    assert made is not None
    return made


def ended(one: Condition, ending: str = "resolved") -> Condition:
    """Return the condition at its end, told before to Slack."""
    from detector.domain.condition import Receipt

    return replace(
        one,
        phase="ended",
        ending=ending,  # a test may name any
        ended_at=NOW,
        receipts={"slack": Receipt(one.severity, NOW, "x")},
    )


def missed(one: Condition) -> Condition:
    """Return a condition that began and ended untold."""
    return replace(one, phase="ended", ending="resolved", ended_at=NOW, owing={"slack": NOW})
