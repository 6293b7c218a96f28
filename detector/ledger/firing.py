"""A condition after a firing verdict: it begins, continues, returns, or occurs again.

`lasted_sec` adds up the time between consecutive firing verdicts, without gaps longer than
`AEGIS_PT_GAP_SEC` and without time in which the condition was held.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from detector.domain.condition import Condition
from detector.domain.judgement import SignedFinding
from detector.domain.rule import CRITICAL, OCCURRENCE, RANK, Lasts
from detector.formats.numbers import normalize_number
from detector.formats.times import compute_seconds
from detector.ledger.transitions import RunContext, add_transition, close_if_passed
from detector.settings import GAP_SEC, REOPEN_WITHIN_SEC, Setting, Settings

_GAPPED_OBSERVATIONS = 3


def advance_firing(
    old: Condition | None, signed: SignedFinding, run: RunContext, undelivered: bool
) -> Condition:
    """Return the condition after a firing verdict; `undelivered`: a notice of its last episode is due."""
    if old is None or _is_new_episode(old, run, undelivered):
        return _apply_finding(_start_episode(signed, run), signed, run)
    if old.kind == OCCURRENCE:
        return _apply_finding(_record_occurrence(old, signed, run), signed, run)
    if old.phase in ("firing", "held"):
        return _apply_finding(_keep_firing(old, run), signed, run)
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
        noticed_at=run.taken_at,
        occurred_at=finding.at,
    )


def _keep_firing(old: Condition, run: RunContext) -> Condition:
    elapsed = compute_seconds(old.last_seen, run.taken_at)
    near = elapsed <= run.settings[GAP_SEC]
    counts = near and old.phase == "firing"
    return replace(
        old,
        phase="firing",
        observations=old.observations + run.is_new_snapshot,
        lasted_sec=old.lasted_sec + (elapsed if counts else 0),
        gapped=old.gapped or not near,
        held_since=None,
        held_why=None,
    )


def _start_firing_again(old: Condition, signed: SignedFinding, run: RunContext) -> Condition:
    """Return a condition that fires again within its episode; one about money is notified again."""
    was_resolved = old.phase == "ended"
    returns = old.returns + 1 if signed.money else max(old.returns, int(was_resolved))
    return replace(
        old,
        phase="firing",
        observations=1,
        lasted_sec=0,
        gapped=False,
        goods=0,
        good_since=None,
        ended_at=None,
        ending=None,
        held_since=None,
        held_why=None,
        returns=returns,
        receipts={
            # A channel that got the end but does not get this return does not get the next end either.
            name: replace(receipt, ended=receipt.ended and run.is_below(name, signed.finding.severity))
            for name, receipt in old.receipts.items()
        },
        transitions=add_transition(old, run, "again" if returns > old.returns else "firing"),
    )


def _record_occurrence(old: Condition, signed: SignedFinding, run: RunContext) -> Condition:
    at, ended = signed.finding.at, old.phase == "ended"
    is_new = at is not None and (old.occurred_at is None or at > old.occurred_at)
    if not is_new and not (ended and signed.finding.ongoing):
        return _keep_occurrence(old, signed, run)
    return replace(
        old,
        phase="firing",
        occurred_at=at,
        noticed_at=run.taken_at,
        first_seen=run.taken_at if ended else old.first_seen,
        generation=run.generation if ended else old.generation,
        observations=1 if ended else old.observations + run.is_new_snapshot,
        peak=signed.finding.severity if ended else old.peak,
        ended_at=None,
        ending=None,
        held_since=None,
        held_why=None,
        returns=old.returns + 1,
        transitions=add_transition(old, run, "again"),
    )


def _keep_occurrence(old: Condition, signed: SignedFinding, run: RunContext) -> Condition:
    """Return an occurrence that did not occur again; it stays listed while it goes on or ended only now."""
    kept = replace(
        old,
        phase="firing" if old.phase == "held" else old.phase,
        observations=old.observations + run.is_new_snapshot,
        held_since=None,
        held_why=None,
    )
    if signed.finding.ongoing or old.ongoing:
        return replace(kept, noticed_at=run.taken_at)
    return close_if_passed(kept, signed.rule.declaration.lookback, run)


def _apply_finding(condition: Condition, signed: SignedFinding, run: RunContext) -> Condition:
    """Return the condition with the severity, numbers and durations of this finding."""
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
        summary=finding.summary,
        observed=normalize_number(finding.observed)
        if isinstance(finding.observed, float)
        else finding.observed,
        limit=_get_limit(finding.limit, run.settings),
        setting=finding.limit.name if finding.limit else None,
        last_seen=max(run.taken_at, condition.last_seen),
        evidence=tuple(dict.fromkeys((*condition.evidence, *signed.evidence))),
        transitions=add_transition(condition, run, severity) if changed else condition.transitions,
    )
    listed_after = signed.get_duration("listed_after")
    return replace(
        condition,
        listed=condition.listed
        or listed_after is None
        or _has_lasted(condition, listed_after, finding.proven_sec, run.settings),
        confirmed=condition.confirmed or _is_confirmed(condition, signed, run),
        escalated=_has_lasted(condition, signed.get_duration("escalates"), finding.proven_sec, run.settings),
    )


def _is_confirmed(condition: Condition, signed: SignedFinding, run: RunContext) -> bool:
    at_once = signed.money or signed.finding.confirmed or not run.has_memory
    return at_once or not signed.rule.declaration.confirm or condition.observations > 1


def _has_lasted(condition: Condition, need: Lasts | None, proven: float | None, settings: Settings) -> bool:
    if need is None or (need.at is not None and condition.severity != need.at):
        return False
    if need.observations is not None and condition.observations < need.observations:
        return False
    if need.seconds is None:
        return True
    min_sec = settings[need.seconds] if isinstance(need.seconds, Setting) else need.seconds
    if proven is not None:
        return proven >= min_sec
    return condition.lasted_sec >= min_sec or (
        condition.gapped and condition.observations >= _GAPPED_OBSERVATIONS
    )


def _get_limit(setting: Setting[Any] | None, settings: Settings) -> float | str | None:
    value: float | str | None = settings[setting] if setting is not None else None
    return value
