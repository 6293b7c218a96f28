"""Runs every rule on the facts, signs its findings, and returns the outcome of each rule.

The engine decides by a rule's declaration whether its facts suffice. A broken rule never hides the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from detector.domain.condition import build_signature
from detector.domain.facts import Facts
from detector.domain.judgement import Judgement, RuleOutcome, SignedFinding
from detector.domain.rule import RANK, Finding, Healthy, Limits, Rule, Undecided
from detector.settings import Settings

ERRORS_RULE = "detector_error"
_DECIDED = ("firing", "good")


def run_rules(rules: Sequence[Rule], facts: Facts, settings: Settings) -> Judgement:
    """Run all rules on the facts and return their outcomes.

    Rules that declare others' findings run in a second pass. `detector_error` runs last, on every rule and
    reader that raised.
    """
    run = _Run(facts, settings, facts.list_known(), errors=list(facts.errors))
    for is_second_pass in (False, True):
        for rule in rules:
            if bool(rule.declaration.given) is is_second_pass and rule.name != ERRORS_RULE:
                run.outcomes[rule.name] = _run_guarded(rule, run)
    for rule in rules:
        if rule.name == ERRORS_RULE:
            completed = facts.ran | {
                name for name, outcome in run.outcomes.items() if outcome.verdict in _DECIDED
            }
            final_facts = replace(facts, errors=tuple(run.errors), ran=completed)
            run.outcomes[rule.name] = _run_rule(rule, replace(run, facts=final_facts))
    return Judgement(facts, run.outcomes)


class _Run(Struct, frozen=True):
    """One run of the rules: the facts, the names of those that were seen, the outcomes and errors so far."""

    facts: Facts
    settings: Settings
    known: frozenset[str]
    outcomes: dict[str, RuleOutcome] = field(default_factory=dict)
    errors: list[tuple[str, str]] = field(default_factory=list)


def _run_guarded(rule: Rule, run: _Run) -> RuleOutcome:
    try:
        return _run_rule(rule, run)
    except Exception as error:  # noqa: BLE001 - the one place where a broken rule becomes data
        run.errors.append((rule.name, type(error).__name__))
        return RuleOutcome(rule, "unseen", f"the rule itself failed ({type(error).__name__})")


def _run_rule(rule: Rule, run: _Run) -> RuleOutcome:
    declaration, facts = rule.declaration, run.facts
    is_seen = not declaration.any_of or not run.known.isdisjoint(declaration.any_of)
    if not is_seen or not run.known.issuperset(declaration.sees):
        missing_facts = list_missing_facts(rule, facts)
        return RuleOutcome(rule, "unseen", f"{', '.join(missing_facts)} not seen")
    applies = declaration.during.applies(facts)
    if applies is None:
        return RuleOutcome(rule, "unseen", facts.market.why_unknown or "the market's hours are not known")
    if not applies:
        return RuleOutcome(rule, "off hours", f"it is outside the {declaration.during.name}")
    extra_args = (
        ({name: _get_findings(run.outcomes, name) for name in declaration.given},)
        if declaration.given
        else ()
    )
    verdicts = list(rule.check(facts, Limits(declaration.limits, run.settings), *extra_args))
    return _build_outcome(rule, verdicts, facts) if verdicts else RuleOutcome(rule, "good")


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


def list_missing_facts(rule: Rule, facts: Facts) -> list[str]:
    """Return the missing facts without which the rule cannot decide."""
    declaration = rule.declaration
    missing_facts = [name for name in declaration.sees if facts.get_value(name) is None]
    if declaration.any_of and all(getattr(facts, name) is None for name in declaration.any_of):
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
