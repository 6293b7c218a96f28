"""Runs the checks of one stage: what was not seen does not pass, whatever a check's own function says."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from detector.domain.facts import Facts
from detector.domain.gate_report import (
    BEFORE,
    CANNOT_TELL,
    FAILED,
    GATE_VERSION,
    NO,
    PASSED,
    UNPROVEN,
    YES,
    CheckLine,
    GateReport,
    GateVerdict,
    Stage,
    TruthHeader,
)
from detector.domain.judgement import Judgement, RuleOutcome
from detector.engine.run_rules import list_missing_facts
from detector.formats.numbers import format_first
from detector.formats.times import compute_seconds
from detector.gate.check import GateCheck, GateContext, GateDecision
from detector.gate.check_list import CHECKS
from detector.gate.exposure import build_exposure
from detector.reconciliation.freshness import is_complete

_RANK = {NO: 0, UNPROVEN: 1, YES: 2}
_MOST_REASONS = 3
_NOW_AT_BROKER = frozenset(["broker_positions", "broker_orders"])


def build_gate_report(
    stage: Stage, context: GateContext, header: TruthHeader, signals_off: Collection[str] = ()
) -> GateReport:
    """Return the report of one stage: pass where every line is a yes, fail where one is a no.

    `signals_off` are the golden signals that this runtime does not have.
    """
    checks = [check for check in CHECKS if stage in check.stages]
    kept = [check for check in checks if not _is_omitted(check, signals_off)]
    lines = tuple(run_check(check, context) for check in kept)
    session = context.session
    return GateReport(
        schema_version=GATE_VERSION,
        stage=stage,
        runtime=context.facts.runtime,
        taken_at=context.facts.taken_at,
        verdict=decide_verdict(lines),
        header=header,
        session_opens=session.opens if session else None,
        session_closes=session.closes if session else None,
        lines=lines,
        omitted=tuple(check.title for check in checks if check.signal in signals_off),
        exposure=build_exposure(context.facts) if stage == BEFORE else None,
    )


def decide_verdict(lines: Sequence[CheckLine]) -> GateVerdict:
    """Return the verdict over all lines; without a line nothing is reported."""
    answers = {line.answer for line in lines}
    if NO in answers:
        return FAILED
    return PASSED if answers == {YES} else CANNOT_TELL


def _is_omitted(check: GateCheck, signals_off: Collection[str]) -> bool:
    is_off = check.signal is not None and check.signal in signals_off
    return is_off or (check.replaces is not None and check.replaces not in signals_off)


def run_check(check: GateCheck, context: GateContext) -> CheckLine:
    """Return the line of one check: the worst of all that is known about it."""
    decisions = [*_list_doubts(check, context)]
    if all(decision.answer != UNPROVEN for decision in decisions) and check.decide is not None:
        decided = check.decide(context)
        answers = [decided] if isinstance(decided, GateDecision) else list(decided)
        decisions += answers or [GateDecision(UNPROVEN, "nothing decides it")]
    elif not decisions:
        decisions = [GateDecision(YES, f"{', '.join(_list_seen(check, context.facts))} seen and good")]
    worst = min((decision.answer for decision in decisions), key=lambda answer: _RANK[answer])
    reasons = dict.fromkeys(decision.evidence for decision in decisions if decision.answer == worst)
    texts = [reason.rstrip(".") for reason in reasons]
    hint = f" ({check.asks})" if check.asks and worst == UNPROVEN else ""
    evidence = format_first(texts, _MOST_REASONS, "; ", " (and {} more)") + hint
    return CheckLine(check.name, check.title, worst, evidence, _compute_age(check, context))


def _list_doubts(check: GateCheck, context: GateContext) -> Iterator[GateDecision]:
    """Yield what the declaration alone decides: firing rules, missing facts, rules that were not judged."""
    facts, judgement = context.facts, context.judgement
    missing = [name for name in check.sees if not _is_seen(name, facts)]
    if check.any_of and not any(getattr(facts, name) is not None for name in check.any_of):
        missing.append(f"any of {', '.join(check.any_of)}")
    missing += [name for name in check.any_of if name in facts.provenance.partial]
    added = [name for name in check.adds if _has_facts(judgement, name)]
    doubts = [doubt for name in (*check.rules, *added) for doubt in _list_rule_doubts(name, judgement)]
    if missing:
        yield GateDecision(UNPROVEN, f"not seen in full: {', '.join(missing)}")
        yield from (doubt for doubt in doubts if doubt.answer == NO)
    else:
        yield from doubts
        if context.age_fault and not _NOW_AT_BROKER.isdisjoint(_list_seen(check, facts)):
            yield GateDecision(UNPROVEN, f"the broker's lists are of no known age ({context.age_fault})")


def _is_seen(name: str, facts: Facts) -> bool:
    """Whether a fact was seen in full; logs without a line and without a span show nothing."""
    history = facts.logs
    if name == "logs" and history is not None:
        return is_complete(name, facts) and (history.since < history.to or bool(history.tail))
    return is_complete(name, facts)


def _has_facts(judgement: Judgement, name: str) -> bool:
    outcome: RuleOutcome | None = judgement.outcomes.get(name)
    return outcome is not None and not list_missing_facts(outcome.rule, judgement.known)


def _list_rule_doubts(name: str, judgement: Judgement) -> Iterator[GateDecision]:
    outcome: RuleOutcome | None = judgement.outcomes.get(name)
    if outcome is None:
        yield GateDecision(UNPROVEN, f"no rule judges {name} in this version")
        return
    for signed in outcome.findings.values():
        yield GateDecision(NO, signed.finding.summary)
    for doubt in outcome.undecided:
        yield GateDecision(UNPROVEN, doubt.why)
    if outcome.verdict not in ("firing", "good"):
        yield GateDecision(UNPROVEN, f"{name} was not judged: {outcome.why}")


def _list_seen(check: GateCheck, facts: Facts) -> list[str]:
    return [name for name in (*check.sees, *check.any_of) if getattr(facts, name) is not None]


def _compute_age(check: GateCheck, context: GateContext) -> float | None:
    """Return the age in seconds of the oldest section that the check's facts came from; None without facts.

    A section without a time of its own is as old as the snapshot.
    """
    facts = context.facts
    seen = _list_seen(check, facts)
    if not seen:
        return None
    sections = {section for name in seen for section in facts.provenance.seen.get(name, ())}
    ages = [account.age_sec or 0 for account in facts.section_summaries if account.section in sections]
    return max(compute_seconds(facts.taken_at, context.now), 0) + max(ages, default=0)
