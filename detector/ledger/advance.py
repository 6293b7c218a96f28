"""One run over the whole ledger: every condition advanced, causes and mutes applied, debts listed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from detector.domain.condition import Condition, Notice
from detector.domain.judgement import Judgement, SignedFinding
from detector.domain.mute import Mute, is_muted
from detector.domain.rule import RANK
from detector.ledger.fading import KEEP_FOR, not_fired
from detector.ledger.firing import fired
from detector.ledger.owed import due, notice
from detector.ledger.run import Run, ended

_MOST_ENDED = 150

# Cause and symptom, the one such table: while the cause fires, the symptom is not told on its own.
SYMPTOMS: Mapping[str, frozenset[tuple[str, str | None]]] = {
    "no runtime task": frozenset(
        {
            ("heartbeat_stale", None),
            ("broker_disconnected", None),
            ("source_unavailable", "status_v3"),
            ("source_unavailable", "bot_status"),
        }
    ),
}


@dataclass(frozen=True, slots=True)
class Advance:
    """The ledger after a run: the next conditions, and what is owed to each channel, worst first."""

    conditions: Mapping[str, Condition]
    owed: Mapping[str, tuple[Notice, ...]]
    ended: tuple[Condition, ...] = ()
    muted: frozenset[str] = field(default_factory=frozenset)


def advance(
    before: Mapping[str, Condition],
    judgement: Judgement,
    run: Run,
    channels: Sequence[str],
    mutes: Collection[Mute] = (),
) -> Advance:
    """Return every condition after this run and what each channel is owed.

    `before` are the conditions with all receipts that came in since. The same arguments give the same
    result.
    """
    findings = judgement.findings
    after: dict[str, Condition] = {}
    for signature in sorted({*before, *findings}):
        condition = _next(before.get(signature), findings.get(signature), judgement, run, channels)
        if condition is not None:
            after[signature] = condition
    after = _with_causes(after, findings)
    muted = _muted(after, mutes, run)
    owed = outstanding(after, run, channels, mutes)
    for channel in channels:
        for told in owed[channel]:
            signature = told.condition.signature
            after[signature] = _owing(after[signature], channel, run)
    ended = [c for k, c in after.items() if c.phase == "ended" and _was_on(before.get(k))]
    return Advance(_bounded(after, owed, run), owed, tuple(ended), muted)


def outstanding(
    conditions: Mapping[str, Condition], run: Run, channels: Iterable[str], mutes: Collection[Mute] = ()
) -> dict[str, tuple[Notice, ...]]:
    """Return what these conditions owe to each channel, worst first; mutes and causes are respected."""
    muted = _muted(conditions, mutes, run)
    return {channel: tuple(_notices(conditions, channel, run, muted)) for channel in channels}


def _muted(conditions: Mapping[str, Condition], mutes: Collection[Mute], run: Run) -> frozenset[str]:
    return frozenset(k for k, c in conditions.items() if is_muted(k, c.money, mutes, run.taken_at))


def _next(
    old: Condition | None, signed: SignedFinding | None, judgement: Judgement, run: Run, channels: Sequence[str]
) -> Condition | None:
    if signed is not None:
        owes = old is not None and any(due(old, channel, run) for channel in channels)
        after = fired(old, signed, run, owes)
        return _over(after, signed, run, channels) if signed.finding.over else after
    if old is None:
        return None
    verdict, why = judgement.get_verdict(old)
    outcome = judgement.outcomes.get(old.type)
    return not_fired(old, verdict, why, run, outcome.rule.declaration.lookback if outcome else None)


def _over(condition: Condition, signed: SignedFinding, run: Run, channels: Sequence[str]) -> Condition:
    """Return an occurrence that ended by its counterpart: owed as missed to those that were not told of it."""
    if condition.phase == "ended":
        return condition
    owing = {channel: run.taken_at for channel in channels if due(condition, channel, run)}
    began = min(condition.first_seen, signed.finding.at or condition.first_seen)
    over = ended(replace(condition, first_seen=began), "passed", run.taken_at, run)
    return replace(over, owing={**over.owing, **owing})


def _was_on(old: Condition | None) -> bool:
    return old is not None and old.phase != "ended"


def _with_causes(conditions: dict[str, Condition], findings: Mapping[str, SignedFinding]) -> dict[str, Condition]:
    causes = [
        (signed.finding.cause, conditions[signature])
        for signature, signed in findings.items()
        if signed.finding.cause is not None and conditions[signature].is_active
    ]
    causes.sort(key=lambda pair: (-RANK[pair[1].severity], pair[1].signature))
    for key, condition in conditions.items():
        cause = _cause_of(condition, causes)
        if cause != condition.because_of:
            conditions[key] = replace(condition, because_of=cause)
    return conditions


def _cause_of(condition: Condition, causes: Iterable[tuple[str, Condition]]) -> str | None:
    if condition.money or not condition.is_active:
        return None
    for name, cause in causes:
        strong = RANK[cause.severity] >= RANK[condition.severity]
        if strong and (condition.type, condition.subject) in SYMPTOMS[name]:
            return cause.signature
    return None


def _notices(
    conditions: Mapping[str, Condition], channel: str, run: Run, muted: frozenset[str]
) -> list[Notice]:
    found = []
    for signature, condition in conditions.items():
        reason = due(condition, channel, run)
        if reason and signature not in muted and condition.because_of is None:
            found.append(notice(condition, reason, channel))
    return sorted(found, key=lambda one: (-RANK[one.condition.severity], one.condition.signature))


def _owing(condition: Condition, channel: str, run: Run) -> Condition:
    if channel in condition.owing:
        return condition
    return replace(condition, owing={**condition.owing, channel: run.taken_at})


def _bounded(
    conditions: dict[str, Condition], owed: Mapping[str, tuple[Notice, ...]], run: Run
) -> dict[str, Condition]:
    """Leave out what ended a week ago, and of a flood of ended ones all but the newest.

    Never a debt, and never an occurrence that is still read: it would be told again.
    """
    debts = {told.condition.signature for notices in owed.values() for told in notices}
    ended = sorted(
        (
            c
            for c in conditions.values()
            if c.phase == "ended" and c.signature not in debts and c.last_seen < run.taken_at
        ),
        key=lambda c: (c.last_seen, c.signature),
        reverse=True,
    )
    old = {
        c.signature
        for index, c in enumerate(ended)
        if index >= _MOST_ENDED or run.taken_at - max(c.last_seen, c.ended_at or c.last_seen) >= KEEP_FOR
    }
    return {key: c for key, c in conditions.items() if key not in old}
