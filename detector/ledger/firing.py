"""A condition that fires: it begins, goes on, returns, or occurs again.

*Lasted* counts the time between firing verdicts that follow each other; a gap longer than
`AEGIS_PT_GAP_SEC` counts nothing, and neither does time in which the condition was held.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from detector.domain.condition import Condition
from detector.domain.judgement import SignedFinding
from detector.domain.rule import CRITICAL, OCCURRENCE, RANK, Lasts
from detector.formats.times import seconds_between, whole
from detector.ledger.run import Run, noted, passed
from detector.settings import GAP_SEC, REOPEN_WITHIN_SEC, Setting, Settings

_GAPPED_OBSERVATIONS = 3


def fired(old: Condition | None, signed: SignedFinding, run: Run, owes: bool) -> Condition:
    """Return the condition after a firing verdict; `owes` says that its last episode is not told to its end."""
    if old is None or _is_new_episode(old, run, owes):
        return _judged(_begun(signed, run), signed, run)
    if old.kind == OCCURRENCE:
        return _judged(_occurred(old, signed, run), signed, run)
    if old.phase in ("firing", "held"):
        return _judged(_continued(old, run), signed, run)
    return _judged(_returned(old, signed, run), signed, run)


def _is_new_episode(old: Condition, run: Run, owes: bool) -> bool:
    if old.phase != "ended" or owes or old.kind == OCCURRENCE:
        return False
    if old.ending != "resolved":
        return True
    return seconds_between(old.ended_at or old.last_seen, run.taken_at) > run.settings[REOPEN_WITHIN_SEC]


def _begun(signed: SignedFinding, run: Run) -> Condition:
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


def _continued(old: Condition, run: Run) -> Condition:
    elapsed = seconds_between(old.last_seen, run.taken_at)
    near = elapsed <= run.settings[GAP_SEC]
    counts = near and old.phase == "firing"
    return replace(
        old,
        phase="firing",
        observations=old.observations + run.new_look,
        lasted_sec=old.lasted_sec + (elapsed if counts else 0),
        gapped=old.gapped or not near,
        held_since=None,
        held_why=None,
    )


def _returned(old: Condition, signed: SignedFinding, run: Run) -> Condition:
    """Return a condition that fires again within its episode: told again where it matters."""
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
            # Who was told of the end and is not told of this return is not told of its end either.
            name: replace(receipt, ended=receipt.ended and run.is_below(name, signed.finding.severity))
            for name, receipt in old.receipts.items()
        },
        transitions=noted(old, run, "again" if returns > old.returns else "firing"),
    )


def _occurred(old: Condition, signed: SignedFinding, run: Run) -> Condition:
    at, ended = signed.finding.at, old.phase == "ended"
    afresh = at is not None and (old.occurred_at is None or at > old.occurred_at)
    if not afresh and not (ended and signed.finding.ongoing):
        return _goes_on(old, signed, run)
    return replace(
        old,
        phase="firing",
        occurred_at=at,
        noticed_at=run.taken_at,
        first_seen=run.taken_at if ended else old.first_seen,
        generation=run.generation if ended else old.generation,
        observations=1 if ended else old.observations + run.new_look,
        peak=signed.finding.severity if ended else old.peak,
        ended_at=None,
        ending=None,
        held_since=None,
        held_why=None,
        returns=old.returns + 1,
        transitions=noted(old, run, "again"),
    )


def _goes_on(old: Condition, signed: SignedFinding, run: Run) -> Condition:
    """Return an occurrence that did not occur again: what is not over, or is only now, stays listed."""
    seen = replace(
        old,
        phase="firing" if old.phase == "held" else old.phase,
        observations=old.observations + run.new_look,
        held_since=None,
        held_why=None,
    )
    if signed.finding.ongoing or old.ongoing:
        return replace(seen, noticed_at=run.taken_at)
    return passed(seen, signed.rule.declaration.lookback, run)


def _judged(condition: Condition, signed: SignedFinding, run: Run) -> Condition:
    """Return the condition with what this finding says: severity, numbers, and what lasted long enough."""
    finding = signed.finding
    worse = _satisfied(condition, signed.get_duration("critical_after"), finding.proven_sec, run.settings)
    severity = CRITICAL if worse else finding.severity
    changed = severity != condition.severity or not condition.transitions
    condition = replace(
        condition,
        severity=severity,
        peak=severity if RANK[severity] > RANK[condition.peak] else condition.peak,
        money=signed.money,
        ongoing=finding.ongoing,
        summary=finding.summary,
        observed=whole(finding.observed) if isinstance(finding.observed, float) else finding.observed,
        limit=_limit(finding.limit, run.settings),
        setting=finding.limit.name if finding.limit else None,
        last_seen=max(run.taken_at, condition.last_seen),
        evidence=tuple(dict.fromkeys((*condition.evidence, *signed.evidence))),
        transitions=noted(condition, run, severity) if changed else condition.transitions,
    )
    listed = signed.get_duration("listed_after")
    return replace(
        condition,
        listed=condition.listed
        or listed is None
        or _satisfied(condition, listed, finding.proven_sec, run.settings),
        confirmed=condition.confirmed or _confirmed(condition, signed, run),
        escalated=_satisfied(condition, signed.get_duration("escalates"), finding.proven_sec, run.settings),
    )


def _confirmed(condition: Condition, signed: SignedFinding, run: Run) -> bool:
    at_once = signed.money or signed.finding.confirmed or not run.remembers
    return at_once or not signed.rule.declaration.confirm or condition.observations > 1


def _satisfied(condition: Condition, need: Lasts | None, proven: float | None, settings: Settings) -> bool:
    if need is None or (need.at is not None and condition.severity != need.at):
        return False
    if need.observations is not None and condition.observations < need.observations:
        return False
    if need.seconds is None:
        return True
    wanted = settings[need.seconds] if isinstance(need.seconds, Setting) else need.seconds
    if proven is not None:
        return proven >= wanted
    return condition.lasted_sec >= wanted or (
        condition.gapped and condition.observations >= _GAPPED_OBSERVATIONS
    )


def _limit(setting: Setting[Any] | None, settings: Settings) -> float | str | None:
    value: float | str | None = settings[setting] if setting is not None else None
    return value
