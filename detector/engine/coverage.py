"""The coverage: the state of each golden signal of the runbook (ok, firing or not seen), and the reason."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cache

from msgspec import Struct

from detector.domain.condition import Condition
from detector.domain.facts import Facts
from detector.domain.judgement import Judgement
from detector.domain.report import SignalCoverage
from detector.engine.catalog import load_rules
from detector.engine.run_rules import list_missing_facts


class Signal(Struct, frozen=True):
    """A golden signal and the facts that it needs; the rules that evaluate it name it in their decorator."""

    name: str
    title: str
    facts: tuple[str, ...]
    healthy: str

    @property
    def rules(self) -> tuple[str, ...]:
        """The names of the rules that evaluate it."""
        return group_rules()[self.name]


SIGNALS = (
    Signal(
        "runtime_primary",
        "runtime primary",
        ("service", "tasks"),
        "the ECS service has desired=1, running=1, pending=0, and exactly one IBKR runtime task",
    ),
    Signal(
        "gateway",
        "gateway",
        ("tasks",),
        "`ibkr-gateway` is RUNNING/HEALTHY and `lt-ibkr-trader` is RUNNING",
    ),
    Signal(
        "standby_guard",
        "standby guard",
        ("containers",),
        "the standby host's `aegis-lt-ibkr-*` containers are exited",
    ),
    Signal(
        "heartbeat",
        "heartbeat",
        ("heartbeat_at",),
        "the heartbeat is fresh in market hours, normally under 5 minutes",
    ),
    Signal(
        "reconciliation",
        "reconciliation",
        (
            "broker_reconcile_pending",
            "position_reconcile_pending",
            "entry_blocking_reconcile_pending",
            "logs",
        ),
        "all three reconciliation flags are false and the logs prove it",
    ),
    Signal(
        "pending_orders",
        "pending orders",
        ("pending_orders",),
        "no order is pending, or one entry order of normal age",
    ),
    Signal(
        "exit_safety",
        "exit safety",
        ("pending_exits", "stuck_exits", "unknown_fills", "broker_confirmation_required"),
        "no exit is pending or stuck, no fill is unknown, no confirmation is required",
    ),
    Signal(
        "exit_attribution",
        "exit attribution",
        ("recent_trades",),
        "recent trades have a known P&L",
    ),
    Signal(
        "broker_imports",
        "broker imports",
        ("open_positions",),
        "no open position carries a `Broker` or `reconcile-import-*` tag",
    ),
    Signal(
        "market_data",
        "market data",
        ("market_data_status", "market_data_10197_recent"),
        "`market_data_status=ok` and no sustained 10197",
    ),
    Signal(
        "severe_signals",
        "severe signals",
        ("send_outcome_unknown", "logs"),
        "no session conflict, no lost connectivity, no severe burst, no unknown send outcome",
    ),
)


def get_signal_name(text: str) -> str:
    """Return the name of a signal as a person wrote it: `runtime primary` is `runtime_primary`."""
    return text.strip().lower().replace(" ", "_")


def is_signal(text: str) -> bool:
    """Whether a golden signal has that name or title."""
    return get_signal_name(text) in {signal.name for signal in SIGNALS}


@cache
def group_rules() -> dict[str, tuple[str, ...]]:
    """Return the rules by golden signal; raises LookupError where a rule names one that does not exist."""
    grouped: dict[str, tuple[str, ...]] = {signal.name: () for signal in SIGNALS}
    for rule in load_rules():
        signal = rule.declaration.signal
        if signal is not None and signal not in grouped:
            raise LookupError(f"{rule.name} evaluates {signal}, which is no golden signal")
        if signal is not None:
            grouped[signal] += (rule.name,)
    return grouped


def compute_coverage(
    judgement: Judgement, active: Collection[Condition], off: Collection[str] = ()
) -> tuple[SignalCoverage, ...]:
    """Return the state of every golden signal but those that are `off`.

    A signal was not seen where its `active` conditions are held, or of a rule that this run did not judge.
    """
    firing = {
        condition.type
        for condition in active
        if condition.phase == "firing" and _is_judged(condition.type, judgement)
    }
    earlier = {condition.type for condition in active} - firing
    return tuple(
        _evaluate_signal(signal, judgement, firing, earlier) for signal in SIGNALS if signal.name not in off
    )


def _is_judged(name: str, judgement: Judgement) -> bool:
    outcome = judgement.outcomes.get(name)
    return outcome is not None and outcome.verdict != "unseen"


def count_checked(judgement: Judgement) -> int:
    """Return how many rules were judged on facts of this run; a held condition is no check."""
    return sum(
        outcome.verdict in ("firing", "good", "off hours")
        for outcome in judgement.outcomes.values()
        if outcome.rule.declaration.sees or outcome.rule.declaration.any_of
    )


def _evaluate_signal(
    signal: Signal, judgement: Judgement, firing: Collection[str], earlier: Collection[str]
) -> SignalCoverage:
    firing_rules = [name for name in signal.rules if name in firing]
    if firing_rules:
        return SignalCoverage(signal.name, signal.title, "firing", ", ".join(firing_rules))
    reasons = [f"{name} is of an earlier run" for name in signal.rules if name in earlier]
    reasons += _explain_unknown(signal, judgement)
    return SignalCoverage(signal.name, signal.title, "not seen" if reasons else "ok", "; ".join(reasons))


def _explain_unknown(signal: Signal, judgement: Judgement) -> Iterator[str]:
    missing = [name for name in signal.facts if not _is_complete(name, judgement.facts)]
    if missing:
        yield f"{', '.join(missing)} not seen"
        return
    for name in signal.rules:
        outcome = judgement.outcomes.get(name)
        # A rule whose own facts are missing only adds to a signal whose facts are known.
        if outcome is not None and not list_missing_facts(outcome.rule, judgement.known):
            yield from (doubt.why for doubt in outcome.undecided)
            if outcome.verdict == "unseen":
                yield outcome.why


def _is_complete(name: str, facts: Facts) -> bool:
    return getattr(facts, name) is not None and name not in facts.provenance.partial
