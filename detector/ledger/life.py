"""One condition's next step: it fires, is good, is not seen, or its source or rule is gone.

Every bullet of the contract's ledger that does not speak of channels is here. *Lasted* counts the time
between firing verdicts that follow each other; a gap longer than `AEGIS_PT_GAP_SEC` counts nothing, and
neither does time in which the condition was held.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from detector.model.condition import Condition, Ending, Transition
from detector.model.rule import CRITICAL, OCCURRENCE, RANK, Lasts
from detector.model.times import seconds_between
from detector.model.verdict import Signed, Verdict
from detector.settings import GAP_SEC, REOPEN_WITHIN_SEC, Setting, Settings

KEEP_FOR = timedelta(days=7)
OCCURRENCE_LOOKBACK_SEC = 3600.0
_MOST_TRANSITIONS = 20
_GAPPED_OBSERVATIONS = 3
_GOODS_TO_RESOLVE = 2


@dataclass(frozen=True, slots=True)
class Run:
    """The run that advances the ledger.

    `new_look` is False where this snapshot is not newer than the memory: a second look at the same
    moment confirms nothing. `generation` is that of the artifact that this run will write. `remembers` is False without any memory.
    """

    taken_at: datetime
    settings: Settings
    generation: int = 1
    new_look: bool = True
    remembers: bool = True


def fired(old: Condition | None, signed: Signed, run: Run, owes: bool) -> Condition:
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


def _begun(signed: Signed, run: Run) -> Condition:
    finding, one = signed.finding, signed.rule
    return Condition(
        signature=signed.signature,
        type=one.name,
        kind=one.declaration.kind,
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


def _returned(old: Condition, signed: Signed, run: Run) -> Condition:
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
        receipts={name: replace(receipt, ended=False) for name, receipt in old.receipts.items()},
        transitions=_noted(old, run, "again" if returns > old.returns else "firing"),
    )


def _occurred(old: Condition, signed: Signed, run: Run) -> Condition:
    at = signed.finding.at
    afresh = at is not None and (old.occurred_at is None or at > old.occurred_at)
    if not afresh:
        return _passed(
            replace(old, observations=old.observations + run.new_look), signed.rule.declaration.lookback, run
        )
    ended = old.phase == "ended"
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
        returns=old.returns + 1,
        transitions=_noted(old, run, "again"),
    )


def _judged(condition: Condition, signed: Signed, run: Run) -> Condition:
    """Return the condition with what this finding says: severity, numbers, and what lasted long enough."""
    finding = signed.finding
    worse = _satisfied(condition, signed.when("worsens"), finding.proven_sec, run.settings)
    severity = CRITICAL if worse else finding.severity
    changed = severity != condition.severity or not condition.transitions
    condition = replace(
        condition,
        severity=severity,
        peak=severity if RANK[severity] > RANK[condition.peak] else condition.peak,
        money=signed.money,
        summary=finding.summary,
        observed=finding.observed,
        limit=_limit(finding.limit, run.settings),
        setting=finding.limit.name if finding.limit else None,
        last_seen=max(run.taken_at, condition.last_seen),
        evidence=tuple(dict.fromkeys((*condition.evidence, *signed.evidence))),
        transitions=_noted(condition, run, severity) if changed else condition.transitions,
    )
    listed = signed.when("listed")
    return replace(
        condition,
        listed=condition.listed
        or listed is None
        or _satisfied(condition, listed, finding.proven_sec, run.settings),
        confirmed=condition.confirmed or _confirmed(condition, signed, run),
        escalated=_satisfied(condition, signed.when("escalates"), finding.proven_sec, run.settings),
    )


def _confirmed(condition: Condition, signed: Signed, run: Run) -> bool:
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


def not_fired(
    old: Condition, verdict: Verdict, why: str, run: Run, lookback: Setting[float] | None
) -> Condition | None:
    """Return the condition after any other verdict, or None where nothing is left to remember."""
    if old.phase == "ended":
        return old
    if verdict == "retired":
        return _ended(old, "retired", run.taken_at, run)
    if old.kind == OCCURRENCE:
        return _passed(old, lookback, run)
    if verdict == "good":
        return _good(old, run)
    return _unseen(old, why, run)


def _good(old: Condition, run: Run) -> Condition | None:
    if not old.receipts and not old.owing:
        return None
    since = old.good_since or run.taken_at
    goods = old.goods + (run.new_look or not old.goods)
    condition = replace(
        old,
        phase="recovering",
        goods=goods,
        good_since=since,
        last_good=run.taken_at,
        escalated=False,
        held_since=None,
        held_why=None,
        transitions=old.transitions if old.goods else _noted(old, run, "good"),
    )
    calm = run.settings[REOPEN_WITHIN_SEC] if old.returns else 0
    if goods >= _GOODS_TO_RESOLVE and seconds_between(since, run.taken_at) >= calm:
        return _ended(condition, "resolved", since, run)
    return condition


def _unseen(old: Condition, why: str, run: Run) -> Condition:
    since = old.held_since or run.taken_at
    if run.taken_at - since >= KEEP_FOR:
        return _ended(old, "unwatched", run.taken_at, run)
    if old.phase == "recovering":
        return replace(old, goods=0, good_since=None, held_since=since, held_why=why)
    noted = old.transitions if old.phase == "held" else _noted(old, run, "held")
    return replace(old, phase="held", held_since=since, held_why=why, transitions=noted)


def _passed(old: Condition, lookback: Setting[float] | None, run: Run) -> Condition:
    """Return an occurrence: it leaves the list once its look-back is over, and never resolves."""
    own = run.settings[lookback] if lookback is not None else 0
    over = seconds_between(old.noticed_at or old.first_seen, run.taken_at) > max(own, OCCURRENCE_LOOKBACK_SEC)
    if old.phase == "ended" or not over:
        return old
    return _ended(old, "passed", run.taken_at, run)


def _ended(old: Condition, ending: Ending, at: datetime, run: Run) -> Condition:
    return replace(
        old,
        phase="ended",
        ending=ending,
        ended_at=at,
        escalated=False,
        because_of=None,
        transitions=_noted(old, run, ending),
    )


def _noted(old: Condition, run: Run, to: str) -> tuple[Transition, ...]:
    return (*old.transitions, Transition(run.taken_at, to))[-_MOST_TRANSITIONS:]
