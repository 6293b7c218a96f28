"""The state of one condition as text: since when, who was notified, and who acknowledged it until when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from detector.domain.condition import Condition
from detector.formats.times import format_time


def explain_condition(condition: Condition, moment: datetime) -> Iterator[str]:
    """Yield the lines of a condition's state at the time of its artifact."""
    yield f"In the artifact of {format_time(moment)}:"
    ended = f", ended {format_time(condition.ended_at)}" if condition.ended_at is not None else ""
    yield f"  {condition.severity}, {condition.phase}, since {format_time(condition.first_seen)}{ended}"
    for name, receipt in sorted(condition.receipts.items()):
        at = format_time(receipt.at) if receipt.at is not None else "at an unknown time"
        yield f"  notified: {name}, {receipt.severity}, {at}"
    in_force = condition.get_acknowledgement(moment)
    for ack in condition.acks:
        state = "in force" if ack is in_force else "no longer in force"
        times = f"at {format_time(ack.at)} until {format_time(ack.until)}"
        yield f"  acknowledged: by {ack.by} ({ack.via}) {times}, {state}"
    if in_force is None and condition.waiting_since is not None:
        yield f"  nobody has acknowledged it since {format_time(condition.waiting_since)}"
