"""What the commands answer about a written account, in process, and the laws that the truth holds against
them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any

from detector.app.broker_state import BrokerState, build_broker_state
from detector.app.input_documents import check_document
from detector.app.pipeline import GatheredFacts
from detector.commands import can_close, plan
from detector.domain.profile import ReadContext
from detector.domain.rule import CRITICAL
from detector.domain.run_memory import FIRST_RUN
from detector.engine.catalog import load_rules
from detector.engine.gather import gather_facts
from detector.engine.run_rules import run_rules
from detector.reconciliation.close_check.close_order import ALLOW, REFUSE, CloseOrder, CloseVerdict
from detector.render.plan import Plan
from detector.settings import MARKET_CLOSURES, PROFILE
from tests.support.real_account_documents import Question, write_snapshot
from tests.support.real_accounts import CONTRACTS, NOW, Contract, World
from tests.support.real_advisors import build_account
from tests.support.snapshots import DEFAULTS

MONEY = (
    "open_positions_drift", "contract_replaced", "assignment_suspected", "state_stores_disagree",
    "exit_would_open_position", "missed_fill", "unprotected_position",
)  # fmt: skip
_RULES = [rule for rule in load_rules() if rule.name in (*MONEY, "comparison_unclear")]
_PARTS = (
    "symbol", "local_symbol", "con_id", "sec_type", "right", "currency", "trading_class", "expiry", "strike"
)  # fmt: skip


@dataclass
class Answers:
    """One document with what the three commands make of it."""

    seed: int
    world: World
    question: Question
    verdict: CloseVerdict
    errors: tuple[Any, ...] = ()
    plan: Plan | None = None
    findings: list[tuple[str, str, str, str, str]] = field(default_factory=list)


def ask(seed: int, *, in_full: bool = True) -> Answers:
    """Write the account of that seed as a document, and put it to `can-close`, and `in_full` to the
    others.
    """
    rng = Random(seed)
    world = build_account(rng)
    question = Question(rng, world)
    state = read_state(write_snapshot(rng, world), question.account if question.names_account else None)
    options = {part: question.words.get(part) for part in _PARTS}
    side = None if not question.names_side else "BUY" if question.side > 0 else "SELL"
    order = CloseOrder(
        can_close._build_instrument(options), Decimal(str(question.quantity)), side, state.ids["account"]
    )
    asked = Answers(seed, world, question, can_close._decide(order, state), state.facts.errors)
    if in_full:
        asked.plan = plan._build_plan(state)
        _add_findings(asked, state)
    return asked


def read_state(document: dict[str, Any], account: str | None = None) -> BrokerState:
    """Return what the commands read out of a document; its facts are read once for all of them."""
    snapshot = check_document(document, NOW, DEFAULTS)
    context = ReadContext(DEFAULTS, DEFAULTS.files[PROFILE.name], FIRST_RUN.before)
    facts = gather_facts(snapshot, context, DEFAULTS.files[MARKET_CLOSURES.name])
    ids = {"account": account, "trade": None}
    return build_broker_state(GatheredFacts(facts, snapshot, DEFAULTS, NOW, NOW, False, ids))


def _add_findings(asked: Answers, state: BrokerState) -> None:
    judgement = run_rules(_RULES, state.facts, state.settings)
    for name, outcome in judgement.outcomes.items():
        asked.findings += [
            (
                name,
                str(s.finding.severity),
                str(s.finding.subject),
                str(s.finding.observed),
                s.finding.summary,
            )
            for s in outcome.findings.values()
        ]
        asked.errors += ((name, outcome.why),) if "failed" in outcome.why else ()


def list_answered(asked: Answers) -> list[Contract]:
    """Return the contracts for which an answer holds: those that its sentence names, else the question's."""
    question, summary = asked.question, asked.verdict.summary
    named = [c for c in CONTRACTS.values() if f"conid {c.con_id}," in summary.replace(")", ",")]
    named = named or question.means()
    return [c for c in CONTRACTS.values() if c.symbol == question.contract.symbol
             and c.sec_type == question.contract.sec_type and f"currency {c.currency}" in summary
             and any((c.expiry, c.trading_class, c.strike, c.right)
                     == (n.expiry, n.trading_class, n.strike, n.right) for n in named)] or named  # fmt: skip


def _list_accounts(asked: Answers) -> list[str]:
    """Return the accounts that an answer may be about.

    The named one, else those whose positions are listed.
    """
    question, world = asked.question, asked.world
    if question.names_account:
        return [question.account]
    return [account for account in world.accounts if any(key[0] == account for key in world.rows)]


def find_wrong_leave(asked: Answers) -> str:
    """Return why a leave to close does harm in the account; empty where there is none, or it closes."""
    if asked.verdict.decision != ALLOW:
        return ""
    question, world = asked.question, asked.world
    side = {"BUY": 1, "SELL": -1}.get(str(asked.verdict.side).upper(), question.side)
    named = list_answered(asked)
    accounts = _list_accounts(asked)
    harms = [
        world.refuses(account, contract.con_id, side, question.quantity)
        for account in accounts
        for contract in named
    ]
    # Where no account is given, the answer is for the one account that holds it.
    if not harms or (all(harms) if not question.names_account else any(harms)):
        return harms[0] if harms else "the words mean nothing"
    if not question.names_account and len(world.accounts) > 1:
        holders = [a for a in accounts for c in named if world.hold(a, c.con_id)]
        return "several accounts hold it and none was named" if len(holders) > 1 else ""
    return ""


def find_wrong_flat(asked: Answers) -> str:
    """Return a refusal that calls flat what the account holds, and held before the last fills too."""
    question, world, verdict = asked.question, asked.world, asked.verdict
    if verdict.reason != "flat" and not (verdict.decision == REFUSE and verdict.position == 0):
        return ""
    accounts = _list_accounts(asked)
    held = [c.local for a in accounts for c in question.means() if world.hold(a, c.con_id)]
    is_hedged = "it may be" in verdict.summary
    return f"{verdict.summary} (it holds {held})" if held and not is_hedged else ""


def find_refused_plain(asked: Answers) -> str:
    """Return why a plain close was not allowed; empty where it was, or was not plain."""
    if not asked.question.is_plain or asked.verdict.decision == ALLOW:
        return ""
    return asked.verdict.summary


def find_contradictions(asked: Answers) -> Iterator[str]:
    """Yield where two of the commands contradict each other."""
    items = () if asked.plan is None else asked.plan.items
    drifts = [f for f in asked.findings if f[0] != "comparison_unclear"]
    told = " ".join(f"{subject} {summary}" for _, _, subject, _, summary in drifts)
    for item in items:
        if item.changes and item.instrument not in told and item.short not in told:
            yield f"plan changes {item.name} in {item.title}, and detect tells nothing of it"
    numbers = {f"#{n}": key for n, key in enumerate(asked.world.book, 101)}
    for item in items:
        key = next((key for number, key in numbers.items() if number in item.name.split()), None)
        flat = any("flat" in change.because for change in item.changes) or (
            item.changes and item.position == 0
        )
        if key is not None and flat and asked.world.hold(*key):
            yield f"plan calls {item.name} in {item.title} flat, and {asked.world.hold(*key)} is held"
    if asked.verdict.decision != ALLOW:
        return
    contract, account = asked.question.contract, asked.question.account
    for name, _, subject, kind, summary in drifts:
        if name == "open_positions_drift" and kind == "phantom" and _is_about(asked, subject):
            yield f"can-close allows {contract.local} of {account}, and detect tells: {summary}"


def _is_about(asked: Answers, subject: str) -> bool:
    """Whether a finding's subject is the one contract of its symbol and type that the answer is about."""
    difference = asked.world.difference
    if difference is None or (len(asked.world.accounts) > 1 and not asked.question.names_account):
        return False
    answered = {(asked.question.account, contract.con_id) for contract in list_answered(asked)}
    return answered == {difference[:2]} and subject != "None"


def find_false_alarms(asked: Answers) -> Iterator[str]:
    """Yield each money alarm about an account where the runtime and the broker agree."""
    if asked.world.difference is None:
        for name, severity, subject, kind, summary in asked.findings:
            if name in MONEY and severity == CRITICAL:
                yield f"{name} {subject} {kind}: {summary}"
        for item in () if asked.plan is None else asked.plan.items:
            if item.changes:
                yield f"plan changes {item.name} in {item.title}"


def find_untold(asked: Answers) -> str:
    """Return the difference of a plain account that `detect` does not tell, or tells as another kind."""
    if asked.world.difference is None or not asked.world.is_plain or asked.plan is None:
        return ""
    _, _, kind = asked.world.difference
    kinds = {observed for name, _, _, observed, _ in asked.findings if name == "open_positions_drift"}
    return "" if kind in kinds else f"{kind} of {asked.world.difference} is told as {sorted(kinds)}"


@dataclass
class Score:
    """How many of the documents keep each law, and the broken ones."""

    counts: Counter[str] = field(default_factory=Counter)
    broken: dict[str, list[tuple[int, str]]] = field(default_factory=dict)

    def add(self, asked: Answers) -> None:
        """Hold every law against one document."""
        self.counts["documents"] += 1
        self.counts[f"answered {asked.verdict.decision}"] += 1
        if asked.question.is_plain:
            self.counts["plain"] += 1
            self.counts["plain allowed"] += asked.verdict.decision == ALLOW
        if asked.world.difference is not None and asked.world.is_plain and asked.plan is not None:
            self.counts["real differences"] += 1
        self._note("wrong leave", asked, [find_wrong_leave(asked)])
        self._note("wrong flat", asked, [find_wrong_flat(asked)])
        self._note("plain refused", asked, [find_refused_plain(asked)])
        self._note("contradiction", asked, find_contradictions(asked))
        self._note("false alarm", asked, find_false_alarms(asked))
        self._note("untold", asked, [find_untold(asked)])
        self._note("error", asked, (repr(error) for error in asked.errors))

    def _note(self, law: str, asked: Answers, faults: Any) -> None:
        for fault in faults:
            if fault:
                self.broken.setdefault(law, []).append((asked.seed, fault))
                return

    def format(self, law: str, limit: int = 10) -> str:
        """Return the first documents that break a law, each with its seed."""
        rows = self.broken.get(law, [])
        return f"{len(rows)} of {self.counts['documents']}: " + "; ".join(
            f"seed {s}: {t}" for s, t in rows[:limit]
        )


def build_score(seeds: range, full_every: int = 1) -> Score:
    """Ask about the account of every seed; `detect` and `plan` are asked about one in so many."""
    score = Score()
    for seed in seeds:
        score.add(ask(seed, in_full=seed % full_every == 0))
    return score
