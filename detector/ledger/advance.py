"""One run over the whole ledger: advances every condition, applies causes and mutes, lists due notices."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from detector.domain.acknowledgement import ActiveMutes, Mute
from detector.domain.condition import Condition, Notice, get_rank_key
from detector.domain.judgement import Judgement, SignedFinding
from detector.domain.rule import RANK, SECTION_CAUSE
from detector.ledger.acknowledge import update_waiting
from detector.ledger.delivery_due import build_notice, find_due_reason
from detector.ledger.firing import advance_firing
from detector.ledger.not_firing import KEEP_FOR, advance_not_firing, close_condition
from detector.ledger.run_context import RunContext

_MAX_ENDED = 150

# By cause, its symptoms: while the cause fires, a symptom gives no notice of its own.
SYMPTOMS: Mapping[str, frozenset[tuple[str, str | None]]] = {
    "no runtime task": frozenset(
        {
            ("heartbeat_stale", None),
            ("broker_disconnected", None),
            ("source_unavailable", "status_v3"),
            ("source_unavailable", "bot_status"),
        }
    )
}


class LedgerState(Struct, frozen=True):
    """The ledger after a run: the next conditions, and the due notices of each channel, worst first."""

    conditions: Mapping[str, Condition]
    due_notices: Mapping[str, tuple[Notice, ...]]
    muted: frozenset[str]


def advance(
    before: Mapping[str, Condition],
    judgement: Judgement,
    run: RunContext,
    channels: Sequence[str],
    mutes: Collection[Mute] = (),
) -> LedgerState:
    """Return every condition after this run and the due notices of each channel.

    `before` are the conditions of the previous run with all receipts since.
    """
    findings = judgement.findings
    after: dict[str, Condition] = {}
    for signature in sorted({*before, *findings}):
        condition = _advance_condition(
            before.get(signature), findings.get(signature), judgement, run, channels
        )
        if condition is not None:
            after[signature] = update_waiting(before.get(signature), condition, run)
    after = _apply_causes(after, findings)
    muted = _find_muted(after, mutes, run)
    due_notices = list_due_notices(after, run, channels, mutes)
    for channel in channels:
        for notice in due_notices[channel]:
            signature = notice.condition.signature
            after[signature] = _add_pending(after[signature], channel, run)
    return LedgerState(_limit_ended(after, due_notices, run), due_notices, muted)


def list_due_notices(
    conditions: Mapping[str, Condition],
    run: RunContext,
    channels: Iterable[str],
    mutes: Collection[Mute] = (),
) -> dict[str, tuple[Notice, ...]]:
    """Return the due notices of each channel, worst first, without muted conditions and symptoms."""
    muted = _find_muted(conditions, mutes, run)
    return {channel: tuple(_list_notices(conditions, channel, run, muted)) for channel in channels}


def _find_muted(
    conditions: Mapping[str, Condition], mutes: Collection[Mute], run: RunContext
) -> frozenset[str]:
    active = ActiveMutes(mutes, run.taken_at)
    return frozenset(k for k, c in conditions.items() if active.has(k, c.money))


def _advance_condition(
    old: Condition | None,
    signed: SignedFinding | None,
    judgement: Judgement,
    run: RunContext,
    channels: Sequence[str],
) -> Condition | None:
    if signed is not None:
        undelivered = old is not None and any(find_due_reason(old, channel, run) for channel in channels)
        after = advance_firing(old, signed, run, undelivered)
        return _close_by_counterpart(after, signed, run, channels) if signed.finding.over else after
    if old is None:
        return None
    verdict, why = judgement.get_verdict(old)
    outcome = judgement.outcomes.get(old.type)
    return advance_not_firing(old, verdict, why, run, outcome.rule.declaration.lookback if outcome else None)


def _close_by_counterpart(
    condition: Condition, signed: SignedFinding, run: RunContext, channels: Sequence[str]
) -> Condition:
    """Return an occurrence ended by its counterpart; channels without a receipt for it get `missed`."""
    if condition.phase == "ended":
        return condition
    pending_since = {
        channel: run.taken_at for channel in channels if find_due_reason(condition, channel, run)
    }
    began = min(condition.first_seen, signed.finding.at or condition.first_seen)
    closed = close_condition(replace(condition, first_seen=began), "passed", run.taken_at, run)
    return replace(closed, owing={**closed.owing, **pending_since})


def _apply_causes(
    conditions: dict[str, Condition], findings: Mapping[str, SignedFinding]
) -> dict[str, Condition]:
    causes = [
        (signed.finding.cause, conditions[signature])
        for signature, signed in findings.items()
        if signed.finding.cause is not None and conditions[signature].is_active
    ]
    causes.sort(key=lambda pair: get_rank_key(pair[1]))
    for key, condition in conditions.items():
        cause = _find_cause(condition, causes)
        if cause != condition.because_of:
            conditions[key] = replace(condition, because_of=cause)
    return conditions


def _find_cause(condition: Condition, causes: Iterable[tuple[str, Condition]]) -> str | None:
    if condition.money or not condition.is_active:
        return None
    for name, cause in causes:
        strong = RANK[cause.severity] >= RANK[condition.severity]
        if strong and _is_symptom(condition, name):
            return cause.signature
    return None


def _is_symptom(condition: Condition, cause: str) -> bool:
    """Return whether the condition follows from the cause: a lost signal from its section's source."""
    if cause.startswith(SECTION_CAUSE):
        section = cause.removeprefix(SECTION_CAUSE)
        return condition.type == "signal_lost" and f"{section}:" in condition.evidence
    return (condition.type, condition.subject) in SYMPTOMS[cause]


def _list_notices(
    conditions: Mapping[str, Condition], channel: str, run: RunContext, muted: frozenset[str]
) -> list[Notice]:
    notices = []
    for signature, condition in conditions.items():
        reason = find_due_reason(condition, channel, run)
        if reason and signature not in muted and condition.because_of is None:
            notices.append(build_notice(condition, reason, channel))
    return sorted(notices, key=lambda entry: get_rank_key(entry.condition))


def _add_pending(condition: Condition, channel: str, run: RunContext) -> Condition:
    if channel in condition.owing:
        return condition
    return replace(condition, owing={**condition.owing, channel: run.taken_at})


def _limit_ended(
    conditions: dict[str, Condition], due_notices: Mapping[str, tuple[Notice, ...]], run: RunContext
) -> dict[str, Condition]:
    """Leave out conditions that ended a week ago, and all but the newest 150 ended ones.

    Conditions with a due notice stay, and so do occurrences seen in this run: they would be notified again.
    """
    due_signatures = {notice.condition.signature for notices in due_notices.values() for notice in notices}
    ended = sorted(
        (
            c
            for c in conditions.values()
            if c.phase == "ended" and c.signature not in due_signatures and c.last_seen < run.taken_at
        ),
        key=lambda c: (c.last_seen, c.signature),
        reverse=True,
    )
    expired = {
        c.signature
        for index, c in enumerate(ended)
        if index >= _MAX_ENDED or run.taken_at - max(c.last_seen, c.ended_at or c.last_seen) >= KEEP_FOR
    }
    return {key: c for key, c in conditions.items() if key not in expired}
