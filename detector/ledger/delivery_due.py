"""Whether a condition is due to a channel, for which reason, and the receipt of a delivery."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from msgspec.structs import replace

from detector.domain.condition import MAX_PLACES, STDOUT, Condition, MessageRef, Notice, Reason, Receipt
from detector.domain.rule import OCCURRENCE, RANK
from detector.formats.serialize import compute_digest
from detector.formats.times import compute_seconds
from detector.ledger.run_context import RunContext
from detector.settings import ESCALATION_REMIND_SEC, REMIND_AFTER_SEC, Rung

_DAY_SEC = 86_400.0
_MAX_DOUBLINGS = 24
_ENDINGS: Mapping[str, Reason] = {
    "resolved": "resolved",
    "retired": "retired",
    "unwatched": "no longer watched",
}


def find_due_reason(condition: Condition, channel: str, run: RunContext) -> Reason | None:
    """Return why the condition is due to the channel, or None; mutes and causes are not considered."""
    receipt = condition.get_receipt(channel)
    if condition.phase == "ended":
        return _find_ended_reason(condition, receipt, channel, run)
    if condition.phase == "recovering" and channel in condition.owing:
        return _find_active_reason(condition, receipt, channel, run)  # its end may be days away
    if not condition.can_be_due:
        return None
    if run.is_too_early(channel, condition.waiting_since):
        return None
    return _find_active_reason(condition, receipt, channel, run)


def _find_active_reason(
    condition: Condition, receipt: Receipt | None, channel: str, run: RunContext
) -> Reason | None:
    """Return the first reason that holds: `escalated`, `worse`, `again`, `owed`, `new`, `reminder`."""
    since = condition.owing.get(channel)
    if since is None and run.is_below(channel, condition.severity, condition.escalated, condition.money):
        return None  # what was due while it was worse stays due when it improves
    if receipt is None:
        return "owed" if since is not None and since < run.taken_at else "new"
    is_pending = since is not None
    escalated = condition.escalated or (is_pending and condition.escalated_at is not None)
    is_earlier_occurrence = condition.kind == OCCURRENCE and condition.returns > receipt.returns
    if escalated and receipt.escalated is False and not is_earlier_occurrence:
        return "escalated"
    severity = condition.peak if is_pending else condition.severity
    if RANK[severity] > RANK[receipt.severity]:
        return "worse"
    if condition.returns > receipt.returns:
        return "again"
    return "reminder" if _is_reminder_due(condition, receipt, channel, run) else None


def _find_ended_reason(
    condition: Condition, receipt: Receipt | None, channel: str, run: RunContext
) -> Reason | None:
    if receipt is None:
        return "missed" if channel in condition.owing else None
    if channel not in condition.receipts and run.is_below(
        channel, receipt.severity, receipt.escalated, condition.money
    ):
        return None  # an older memory's one receipt is for all channels; below its minimum this got nothing
    if condition.kind == OCCURRENCE or receipt.ended:
        return "missed" if channel in condition.owing and _is_news(condition, receipt) else None
    return _ENDINGS.get(condition.ending or "")


def _is_news(condition: Condition, receipt: Receipt) -> bool:
    """Return whether an ended condition returned, worsened or escalated after the receipt."""
    return (
        condition.returns > receipt.returns
        or RANK[condition.peak] > RANK[receipt.severity]
        or (receipt.escalated is False and condition.escalated_at is not None)
    )


def _is_reminder_due(condition: Condition, receipt: Receipt, channel: str, run: RunContext) -> bool:
    setting = ESCALATION_REMIND_SEC if condition.escalated else REMIND_AFTER_SEC
    first = run.settings[setting]
    if channel == STDOUT or condition.phase != "firing" or not first or receipt.at is None:
        return False
    if condition.get_acknowledgement(run.taken_at) is not None:
        return False
    wait: float = min(_DAY_SEC, first * 2 ** min(receipt.reminders, _MAX_DOUBLINGS))
    return compute_seconds(receipt.at, run.taken_at) >= wait


def is_silenced_by_ack(notice: Notice, rung: Rung) -> bool:
    """Return whether an acknowledgement would silence the notice: a reminder, or one of a later rung."""
    is_end = notice.reason in _ENDINGS.values()
    return notice.reason == "reminder" or (bool(rung.after_sec) and not is_end)


def build_notice(condition: Condition, reason: Reason, channel: str) -> Notice:
    """Return a due notice, with an id that stays the same until the channel accepts it.

    The id depends on no time: where a run was killed before it stored its memory, the next gives the same id.
    A worsening that is due and has improved has another id than the alert before it.
    """
    receipt = condition.get_receipt(channel)
    parts: tuple[object, ...] = (
        condition.signature,
        condition.generation,
        condition.peak if reason == "worse" else condition.severity,
        str(condition.returns),
        condition.ending if condition.phase == "ended" else "on",
        str(receipt.reminders + 1 if receipt and reason == "reminder" else 0),
    )
    if reason == "escalated":
        parts = (*parts, reason)
    return Notice(condition, reason, compute_digest("|".join(map(str, parts)))[:16])


def add_receipts(
    conditions: Mapping[str, Condition],
    notices: Iterable[Notice],
    channel: str,
    at: datetime,
    ref: MessageRef | None = None,
) -> dict[str, Condition]:
    """Return the conditions with a receipt for each notice that the channel accepted at `at`.

    `ref` is the message that contains the notices, where the channel has such references.
    """
    after = dict(conditions)
    for taken in notices:
        condition = after.get(taken.condition.signature)
        if condition is not None:
            receipt = _build_receipt(condition, taken, channel, at)
            if ref is not None and ref not in receipt.places:
                receipt = replace(receipt, places=(ref, *receipt.places)[:MAX_PLACES])
            pending_since = {name: since for name, since in condition.owing.items() if name != channel}
            receipts = {**condition.receipts, channel: receipt}
            after[condition.signature] = replace(condition, receipts=receipts, owing=pending_since)
    return after


def _build_receipt(condition: Condition, taken: Notice, channel: str, at: datetime) -> Receipt:
    old = condition.get_receipt(channel)
    is_late = taken.reason in ("worse", "missed") or condition.phase == "recovering"
    severity = condition.peak if is_late else condition.severity
    if old is not None and RANK[old.severity] > RANK[severity]:
        severity = old.severity
    was_notified = old is not None and bool(old.escalated)
    return Receipt(
        severity=severity,
        at=at,
        delivery_id=taken.delivery_id,
        returns=taken.condition.returns,
        reminders=old.reminders + 1 if old is not None and taken.reason == "reminder" else 0,
        ended=condition.phase == "ended",
        escalated=was_notified
        or taken.condition.escalated
        or taken.reason == "escalated"
        or (taken.reason == "missed" and condition.escalated_at is not None),
        places=old.places if old is not None else (),
        acknowledged=old.acknowledged if old is not None else None,
    )
