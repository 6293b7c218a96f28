"""A condition after a firing verdict: it begins, continues, returns, or occurs again.

`lasted_sec` adds up the time between consecutive firing verdicts, without gaps longer than
`AEGIS_PT_GAP_SEC` and without time in which the condition was held; runs of a lane that does not read its
sections count as none.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from detector.domain.condition import Condition
from detector.domain.judgement import SignedFinding
from detector.domain.rule import CRITICAL, OCCURRENCE, RANK, Lasts
from detector.formats.numbers import normalize_number
from detector.formats.times import compute_seconds
from detector.ledger.not_firing import add_transition, close_if_passed, get_lookback_sec
from detector.ledger.run_context import RunContext
from detector.settings import GAP_SEC, REOPEN_WITHIN_SEC, Setting, Settings

_SECOND, _GAPPED_VERDICTS = 2, 3
_FIRST_VERDICT: Mapping[str, Any] = {"observations": 1, "verdicts": 1}
_NOT_HELD: Mapping[str, Any] = {"held_since": None, "held_why": None, "held_elsewhere": False}
_NOT_ENDED: Mapping[str, Any] = {
    **_NOT_HELD, "phase": "firing", "ended_at": None, "ending": None, "quiet": False
}  # fmt: skip


def advance_firing(
    old: Condition | None, signed: SignedFinding, run: RunContext, undelivered: bool
) -> Condition:
    """Return the condition after a firing verdict; `undelivered`: a notice of its last episode is due."""
    if old is None or _is_new_episode(old, run, undelivered):
        return _apply_finding(_start_episode(signed, run), signed, run)
    if old.kind == OCCURRENCE:
        return _apply_finding(_record_occurrence(old, signed, run), signed, run)
    if old.phase in ("firing", "held"):
        return _apply_finding(_keep_firing(old, run), signed, run, old.counted_at)
    return _apply_finding(_start_firing_again(old, signed, run), signed, run)


def _is_new_episode(old: Condition, run: RunContext, undelivered: bool) -> bool:
    if old.phase != "ended" or undelivered or old.kind == OCCURRENCE:
        return False
    if old.ending != "resolved":
        return True
    return compute_seconds(old.ended_at or old.last_seen, run.taken_at) > run.settings[REOPEN_WITHIN_SEC]


def _start_episode(signed: SignedFinding, run: RunContext) -> Condition:
    finding = signed.finding
    return Condition(
        signature=signed.signature,
        type=signed.rule.name,
        kind=signed.kind,
        subject=finding.subject,
        severity=finding.severity,
        peak=finding.severity,
        summary=finding.summary,
        first_seen=run.taken_at,
        last_seen=run.taken_at,
        generation=run.generation,
        listed=False,
        counted_at=run.taken_at,
        noticed_at=run.taken_at,
        occurred_at=finding.at,
    )


def _keep_firing(old: Condition, run: RunContext) -> Condition:
    elapsed = compute_seconds(old.last_seen, run.taken_at)
    near = elapsed <= run.settings[GAP_SEC]
    counts = near and (old.phase == "firing" or old.held_elsewhere)
    return replace(
        _count_observation(old, run),
        phase="firing",
        lasted_sec=old.lasted_sec + (elapsed if counts else 0),
        gapped=old.gapped or not near,
        **_NOT_HELD,
    )


def _count_observation(old: Condition, run: RunContext) -> Condition:
    """Return the condition with one more verdict, and one more observation where it is late enough."""
    counts = run.is_next_observation(old.counted_at or old.last_seen)
    return replace(
        old,
        observations=old.observations + counts,
        verdicts=max(old.verdicts, old.observations) + run.is_new_snapshot,
        counted_at=run.taken_at if counts else old.counted_at,
    )


def _start_firing_again(old: Condition, signed: SignedFinding, run: RunContext) -> Condition:
    """Return a condition that fires again within its episode; one about money is notified again."""
    was_resolved = old.phase == "ended"
    returns = old.returns + 1 if signed.money else max(old.returns, int(was_resolved))
    return replace(
        old,
        **_FIRST_VERDICT,
        **_NOT_ENDED,
        lasted_sec=0,
        gapped=False,
        goods=0,
        good_since=None,
        counted_at=run.taken_at,
        returns=returns,
        transitions=add_transition(old, run, "again" if returns > old.returns else "firing"),
    )


def _record_occurrence(old: Condition, signed: SignedFinding, run: RunContext) -> Condition:
    """Return an occurrence that happened again, goes on, or is still listed.

    It goes on while each happening follows the last within its look-back, or soon after its counterpart.
    After an end it is notified again, at most once per `AEGIS_PT_REOPEN_WITHIN_SEC`; one about money always.
    """
    at, ended = signed.finding.at, old.phase == "ended"
    is_new = at is not None and (old.occurred_at is None or at > old.occurred_at)
    if not is_new and not (ended and signed.finding.ongoing):
        return _keep_occurrence(old, signed, run)
    kept = replace(_count_observation(old, run), **_NOT_ENDED, occurred_at=at, noticed_at=run.taken_at)
    if not _is_return(old, signed, run):
        return kept
    kept = replace(
        kept, returns=old.returns + 1, returned_at=run.taken_at, transitions=add_transition(old, run, "again")
    )
    return _start_next_episode(kept, signed, run) if ended else kept


def _is_return(old: Condition, signed: SignedFinding, run: RunContext) -> bool:
    """Return whether an occurrence had ended before it happened again, and that is due to be notified."""
    if signed.finding.again:
        return True
    if signed.money:
        return old.phase == "ended" or old.quiet
    lookback = get_lookback_sec(signed.rule.declaration.lookback, run)
    has_passed = compute_seconds(old.noticed_at or old.first_seen, run.taken_at) > lookback
    if has_passed and old.returned_at is None:
        return True
    since_onset = compute_seconds(old.returned_at or old.first_seen, run.taken_at)
    return (has_passed or old.phase == "ended") and since_onset >= run.settings[REOPEN_WITHIN_SEC]


def _start_next_episode(old: Condition, signed: SignedFinding, run: RunContext) -> Condition:
    return replace(
        old,
        **_FIRST_VERDICT,
        counted_at=run.taken_at,
        first_seen=run.taken_at,
        generation=run.generation,
        peak=signed.finding.severity,
        escalated_at=None,
        receipts={name: replace(receipt, escalated=False) for name, receipt in old.receipts.items()},
    )


def _keep_occurrence(old: Condition, signed: SignedFinding, run: RunContext) -> Condition:
    """Return an occurrence that did not occur again; it stays listed while it goes on or ended only now."""
    kept = replace(
        _count_observation(old, run),
        phase="firing" if old.phase == "held" else old.phase,
        quiet=not signed.finding.ongoing,
        **_NOT_HELD,
    )
    if signed.finding.ongoing or old.ongoing:
        return replace(kept, noticed_at=run.taken_at)
    return close_if_passed(kept, signed.rule.declaration.lookback, run)


def _apply_finding(
    condition: Condition, signed: SignedFinding, run: RunContext, observed_at: datetime | None = None
) -> Condition:
    """Return the condition with the severity, numbers and durations of this finding.

    `observed_at` is the time of its last observation before this run.
    """
    finding = signed.finding
    worse = _has_lasted(condition, signed.get_duration("critical_after"), finding.proven_sec, run.settings)
    severity = CRITICAL if worse else finding.severity
    changed = severity != condition.severity or not condition.transitions
    condition = replace(
        condition,
        severity=severity,
        peak=severity if RANK[severity] > RANK[condition.peak] else condition.peak,
        money=signed.money,
        ongoing=finding.ongoing,
        deferred=finding.deferred and not signed.money,
        summary=finding.summary,
        observed=normalize_number(finding.observed)
        if isinstance(finding.observed, float)
        else finding.observed,
        limit=_get_limit(finding.limit, run.settings),
        setting=finding.limit.name if finding.limit else None,
        runbook=signed.rule.runbook,
        last_seen=max(run.taken_at, condition.last_seen),
        evidence=tuple(dict.fromkeys((*condition.evidence, *signed.evidence))),
        transitions=add_transition(condition, run, severity) if changed else condition.transitions,
    )
    listed_after = signed.get_duration("listed_after")
    escalated = _has_lasted(condition, signed.get_duration("escalates"), finding.proven_sec, run.settings)
    return replace(
        condition,
        listed=condition.listed
        or listed_after is None
        or _has_lasted(condition, listed_after, finding.proven_sec, run.settings),
        confirmed=condition.confirmed or _is_confirmed(condition, signed, run, observed_at),
        escalated=escalated,
        escalated_at=condition.escalated_at or (run.taken_at if escalated else None),
        receipts={
            name: receipt if receipt.escalated is not None else replace(receipt, escalated=escalated)
            for name, receipt in condition.receipts.items()
        },
    )


def _is_confirmed(
    condition: Condition, signed: SignedFinding, run: RunContext, observed_at: datetime | None
) -> bool:
    """Return whether it may be notified: where the rule asks for it, from its second observation on.

    What is younger by the data itself than the first observation is another one; the third counts anyhow.
    """
    finding = signed.finding
    if signed.money or finding.confirmed or not run.has_memory or not signed.rule.declaration.confirm:
        return True
    if finding.proven_sec is None or observed_at is None or condition.observations > _SECOND:
        return condition.observations > 1
    is_same = finding.proven_sec >= compute_seconds(observed_at, run.taken_at)
    return condition.observations == _SECOND and condition.counted_at == run.taken_at and is_same


def _has_lasted(condition: Condition, need: Lasts | None, proven: float | None, settings: Settings) -> bool:
    if need is None or (need.at is not None and condition.severity != need.at):
        return False
    if need.observations is not None and (condition.observations >= need.observations) is need.either:
        return need.either
    if need.seconds is None:
        return True
    min_sec = settings[need.seconds] if isinstance(need.seconds, Setting) else need.seconds
    if proven is not None:
        return proven >= min_sec
    return condition.lasted_sec >= min_sec or (
        condition.gapped and max(condition.verdicts, condition.observations) >= _GAPPED_VERDICTS
    )


def _get_limit(setting: Setting[Any] | None, settings: Settings) -> float | str | None:
    value: float | str | None = settings[setting] if setting is not None else None
    return value
