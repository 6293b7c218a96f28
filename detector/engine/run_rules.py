"""Runs every rule on the facts, signs its findings, and returns the outcome of each rule.

The engine decides by a rule's declaration whether its facts suffice. A broken rule never hides the others.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from detector.domain.condition import build_signature
from detector.domain.facts import Facts
from detector.domain.judgement import Judgement, RuleOutcome, SignedFinding
from detector.domain.rule import ALWAYS, RANK, Finding, Healthy, Limits, Rule, Undecided
from detector.settings import Settings

ERRORS_RULE = "detector_error"
_DECIDED = ("firing", "good")


def run_rules(rules: Sequence[Rule], facts: Facts, settings: Settings) -> Judgement:
    """Run all rules on the facts and return their outcomes.

    Rules that declare others' findings run in a second pass. `detector_error` runs last, on every rule and
    reader that raised.
    """
    known = facts.list_known()
    plan = _build_plan(tuple(rules), settings, known)
    outcomes = dict(plan.outcomes)
    errors = list(facts.errors)
    undecided: set[str] = set()
    for rule, limits in plan.runs:
        try:
            outcome = _run_rule(rule, limits, facts, outcomes)
        except Exception as error:  # noqa: BLE001 - the one place where a broken rule becomes data
            errors.append((rule.name, type(error).__name__))
            outcome = RuleOutcome(rule, "unseen", f"the rule itself failed ({type(error).__name__})")
        if outcome is not None:
            outcomes[rule.name] = outcome
            if outcome.verdict not in _DECIDED:
                undecided.add(rule.name)
    ran = facts.ran.union(plan.names) - undecided
    final_facts = replace(facts, errors=tuple(errors), ran=ran)
    for rule, limits in plan.last:
        outcomes[rule.name] = _run_rule(rule, limits, final_facts, outcomes) or outcomes[rule.name]
    return Judgement(facts, outcomes, known)


class _Plan(Struct, frozen=True, eq=False):
    """What the names of the seen facts decide: the rules that run, with their limits, and the last one.

    `outcomes` are those of the rules that cannot run, and of the others where they yield nothing.
    """

    outcomes: Mapping[str, RuleOutcome]
    runs: tuple[tuple[Rule, Limits], ...]
    last: tuple[tuple[Rule, Limits], ...]
    names: frozenset[str]


@lru_cache(maxsize=16)  # a replay asks at every snapshot, nearly always for the same facts
def _build_plan(rules: tuple[Rule, ...], settings: Settings, known: frozenset[str]) -> _Plan:
    outcomes: dict[str, RuleOutcome] = {}
    runs: list[tuple[Rule, Limits]] = []
    for rule in sorted(rules, key=lambda rule: (rule.name == ERRORS_RULE, bool(rule.declaration.given))):
        missing = ", ".join(list_missing_facts(rule, known))
        outcomes[rule.name] = RuleOutcome(
            rule, "unseen" if missing else "good", missing and f"{missing} not seen"
        )
        if not missing:
            runs.append((rule, Limits(rule.declaration.limits, settings)))
    last = tuple(run for run in runs if run[0].name == ERRORS_RULE)
    first = tuple(run for run in runs if run not in last)
    return _Plan(outcomes, first, last, frozenset(rule.name for rule, _ in first))


def _run_rule(
    rule: Rule, limits: Limits, facts: Facts, outcomes: Mapping[str, RuleOutcome]
) -> RuleOutcome | None:
    """Return the outcome of one rule; None where it applies and yields nothing."""
    declaration = rule.declaration
    if declaration.during is not ALWAYS:
        applies = declaration.during.applies(facts)
        if applies is None:
            return RuleOutcome(rule, "unseen", facts.market.why_unknown or "the market's hours are not known")
        if not applies:
            return RuleOutcome(rule, "off hours", f"it is outside the {declaration.during.name}")
    if declaration.given:
        given = {name: _get_findings(outcomes, name) for name in declaration.given}
        verdicts = [*rule.check(facts, limits, given)]
    else:
        verdicts = [*rule.check(facts, limits)]
    return _build_outcome(rule, verdicts, facts) if verdicts else None


def _build_outcome(
    rule: Rule, verdicts: Iterable[Finding | Undecided | Healthy], facts: Facts
) -> RuleOutcome:
    findings: dict[str, SignedFinding] = {}
    undecided: list[Undecided] = []
    good: list[Healthy] = []
    for verdict in verdicts:
        if isinstance(verdict, Finding):
            _keep_worse(findings, _build_signed_finding(rule, verdict, facts))
        elif isinstance(verdict, Undecided):
            undecided.append(verdict)
        else:
            good.append(verdict)
    return RuleOutcome(rule, "firing" if findings else "good", "", findings, tuple(undecided), tuple(good))


def list_missing_facts(rule: Rule, known: Collection[str]) -> list[str]:
    """Return the facts without which the rule cannot decide, of those that are not among the known ones."""
    declaration = rule.declaration
    missing_facts = [name for name in declaration.sees if name not in known]
    if declaration.any_of and not any(name in known for name in declaration.any_of):
        missing_facts += declaration.any_of
    return missing_facts


def _get_findings(outcomes: Mapping[str, RuleOutcome], name: str) -> list[Finding]:
    outcome = outcomes.get(name)
    return [signed.finding for signed in outcome.findings.values()] if outcome else []


def _keep_worse(findings: dict[str, SignedFinding], signed: SignedFinding) -> None:
    existing = findings.get(signed.signature)
    if existing is None or RANK[signed.finding.severity] > RANK[existing.finding.severity]:
        findings[signed.signature] = signed


def _build_signed_finding(rule: Rule, finding: Finding, facts: Facts) -> SignedFinding:
    signature = build_signature(rule.name, facts.runtime, finding.subject)
    return SignedFinding(signature, rule, finding, tuple(_iter_evidence(rule, finding, facts)))


def _iter_evidence(rule: Rule, finding: Finding, facts: Facts) -> Iterable[str]:
    if finding.source is not None:
        yield f"{finding.source}:"
    names = (*rule.declaration.sees, *rule.declaration.any_of) if finding.facts is None else finding.facts
    for name in names:
        for section in facts.provenance.raised.get(name, ()):
            yield f"{section}:{name}"
