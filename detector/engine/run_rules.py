"""The engine: runs every rule on the facts, signs what it finds, and says what each rule could decide.

A rule never decides that it cannot see: its declaration does. One broken rule never hides the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from detector.domain.facts import Facts
from detector.domain.judgement import Judgement, RuleOutcome, SignedFinding
from detector.domain.rule import RANK, Undecided, Finding, Healthy, Limits, Rule
from detector.domain.signature import build_signature
from detector.settings import Settings

ERRORS_RULE = "detector_error"
_RAN = ("firing", "good")


def judge(rules: Sequence[Rule], facts: Facts, settings: Settings) -> Judgement:
    """Run all rules on the facts and return what each could decide.

    Rules that are given others' findings run in a second pass; `detector_error` is told of every rule
    and reader that raised and runs last.
    """
    outcomes: dict[str, RuleOutcome] = {}
    errors = list(facts.errors)
    for later in (False, True):
        for one in rules:
            if bool(one.declaration.given) is later and one.name != ERRORS_RULE:
                outcomes[one.name] = _guarded(one, facts, settings, outcomes, errors)
    for one in rules:
        if one.name == ERRORS_RULE:
            ran = facts.ran | {name for name, outcome in outcomes.items() if outcome.verdict in _RAN}
            told = replace(facts, errors=tuple(errors), ran=ran)
            outcomes[one.name] = _outcome(one, told, settings, outcomes)
    return Judgement(facts, outcomes)


def _guarded(
    one: Rule,
    facts: Facts,
    settings: Settings,
    outcomes: Mapping[str, RuleOutcome],
    errors: list[tuple[str, str]],
) -> RuleOutcome:
    try:
        return _outcome(one, facts, settings, outcomes)
    except Exception as error:  # noqa: BLE001 - the one place where a broken rule becomes data
        errors.append((one.name, type(error).__name__))
        return RuleOutcome(one, "unseen", f"the rule itself failed ({type(error).__name__})")


def _outcome(one: Rule, facts: Facts, settings: Settings, outcomes: Mapping[str, RuleOutcome]) -> RuleOutcome:
    declared = one.declaration
    gone = missing(one, facts)
    if gone:
        return RuleOutcome(one, "unseen", f"{', '.join(gone)} not seen")
    applies = declared.during.applies(facts)
    if applies is None:
        return RuleOutcome(one, "unseen", facts.market.why_unknown or "the market's hours are not known")
    if not applies:
        return RuleOutcome(one, "off hours", f"it is outside the {declared.during.name}")
    given = ({name: _found(outcomes, name) for name in declared.given},) if declared.given else ()
    findings: dict[str, SignedFinding] = {}
    undecided: list[Undecided] = []
    good: list[Healthy] = []
    for spoken in one.check(facts, Limits(declared.limits, settings), *given):
        if isinstance(spoken, Finding):
            _keep_worse(findings, _signed(one, spoken, facts))
        elif isinstance(spoken, Undecided):
            undecided.append(spoken)
        else:
            good.append(spoken)
    return RuleOutcome(one, "firing" if findings else "good", "", findings, tuple(undecided), tuple(good))


def missing(one: Rule, facts: Facts) -> list[str]:
    """Return the facts for want of which the rule cannot decide anything."""
    declared = one.declaration
    gone = [name for name in declared.sees if getattr(facts, name) is None]
    if declared.any_of and all(getattr(facts, name) is None for name in declared.any_of):
        gone += declared.any_of
    return gone


def _found(outcomes: Mapping[str, RuleOutcome], name: str) -> list[Finding]:
    outcome = outcomes.get(name)
    return [signed.finding for signed in outcome.findings.values()] if outcome else []


def _keep_worse(findings: dict[str, SignedFinding], signed: SignedFinding) -> None:
    other = findings.get(signed.signature)
    if other is None or RANK[signed.finding.severity] > RANK[other.finding.severity]:
        findings[signed.signature] = signed


def _signed(one: Rule, finding: Finding, facts: Facts) -> SignedFinding:
    signature = build_signature(one.name, facts.runtime, finding.subject)
    return SignedFinding(signature, one, finding, tuple(_evidence(one, finding, facts)))


def _evidence(one: Rule, finding: Finding, facts: Facts) -> Iterable[str]:
    if finding.source is not None:
        yield f"{finding.source}:"
    names = (*one.declaration.sees, *one.declaration.any_of) if finding.facts is None else finding.facts
    for name in names:
        for section in facts.provenance.raised.get(name, ()):
            yield f"{section}:{name}"
