"""The coverage: the state of each golden signal of the runbook (ok, firing or not seen), and the reason."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

from detector.domain.facts import Facts
from detector.domain.judgement import Judgement, RuleOutcome
from detector.engine.run_rules import list_missing_facts

SignalState = Literal["ok", "firing", "not seen"]


@dataclass(frozen=True, slots=True)
class Signal:
    """A golden signal: the facts that it needs, and the rules that evaluate it."""

    name: str
    title: str
    facts: tuple[str, ...]
    rules: tuple[str, ...]
    healthy: str


@dataclass(frozen=True, slots=True)
class SignalCoverage:
    """The state of one golden signal in this run."""

    signal: str
    title: str
    state: SignalState
    why: str = ""


SIGNALS = (
    Signal(
        "runtime_primary",
        "runtime primary",
        ("service", "tasks"),
        ("ecs_service_count_mismatch", "ecs_task_count_mismatch", "task_restart_loop"),
        "the ECS service has desired=1, running=1, pending=0, and exactly one IBKR runtime task",
    ),
    Signal(
        "gateway",
        "gateway",
        ("tasks",),
        ("gateway_unhealthy", "trader_not_running", "gateway_failure", "gateway_unresponsive"),
        "`ibkr-gateway` is RUNNING/HEALTHY and `lt-ibkr-trader` is RUNNING",
    ),
    Signal(
        "standby_guard",
        "standby guard",
        ("containers",),
        ("standby_running",),
        "the standby host's `aegis-lt-ibkr-*` containers are exited",
    ),
    Signal(
        "heartbeat",
        "heartbeat",
        ("heartbeat_at",),
        ("heartbeat_stale",),
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
        (
            "reconcile_pending",
            "reconcile_unproven",
            "startup_reconcile_missing",
            "open_positions_drift",
            "state_stores_disagree",
            "trade_reopened",
            "missed_fill",
        ),
        "all three reconciliation flags are false and the logs prove it",
    ),
    Signal(
        "pending_orders",
        "pending orders",
        ("pending_orders",),
        ("pending_orders_high", "pending_order_stale"),
        "no order is pending, or one entry order of normal age",
    ),
    Signal(
        "exit_safety",
        "exit safety",
        ("pending_exits", "stuck_exits", "unknown_fills", "broker_confirmation_required"),
        (
            "pending_exits",
            "stuck_exits",
            "unknown_fill",
            "broker_confirmation_required",
            "high_exit_attempts",
            "impossible_state",
            "exit_would_open_position",
            "unprotected_position",
        ),
        "no exit is pending or stuck, no fill is unknown, no confirmation is required",
    ),
    Signal(
        "exit_attribution",
        "exit attribution",
        ("recent_trades",),
        ("pnl_unknown", "trade_record_inconsistent"),
        "recent trades have a known P&L",
    ),
    Signal(
        "broker_imports",
        "broker imports",
        ("open_positions",),
        ("broker_import_position",),
        "no open position carries a `Broker` or `reconcile-import-*` tag",
    ),
    Signal(
        "market_data",
        "market data",
        ("market_data_status", "market_data_10197_recent"),
        ("market_data_10197", "market_data_degraded", "farm_unhealed", "feed_frozen"),
        "`market_data_status=ok` and no sustained 10197",
    ),
    Signal(
        "severe_signals",
        "severe signals",
        ("send_outcome_unknown", "logs"),
        (
            "send_outcome_unknown",
            "broker_disconnected",
            "session_conflict",
            "connectivity_lost",
            "severe_log_burst",
            "margin_notice",
            "duplicate_entry_burst",
            "wrong_environment",
        ),
        "no session conflict, no lost connectivity, no severe burst, no unknown send outcome",
    ),
)


def compute_coverage(judgement: Judgement, firing: Collection[str]) -> tuple[SignalCoverage, ...]:
    """Return the state of every golden signal; `firing` are the rules with an active condition."""
    return tuple(_evaluate_signal(signal, judgement, firing) for signal in SIGNALS)


def _evaluate_signal(signal: Signal, judgement: Judgement, firing: Collection[str]) -> SignalCoverage:
    firing_rules = [name for name in signal.rules if name in firing]
    if firing_rules:
        return SignalCoverage(signal.name, signal.title, "firing", ", ".join(firing_rules))
    reasons = list(_explain_unknown(signal, judgement))
    return SignalCoverage(signal.name, signal.title, "not seen" if reasons else "ok", "; ".join(reasons))


def _explain_unknown(signal: Signal, judgement: Judgement) -> Iterator[str]:
    missing = [name for name in signal.facts if not _is_complete(name, judgement.facts)]
    if missing:
        yield f"{', '.join(missing)} not seen"
        return
    for name in signal.rules:
        outcome = judgement.outcomes.get(name)
        if outcome is not None and not _is_optional(outcome, judgement.facts):
            yield from (doubt.why for doubt in outcome.undecided)
            if outcome.verdict == "unseen":
                yield outcome.why


def _is_optional(outcome: RuleOutcome, facts: Facts) -> bool:
    """Whether the rule's own facts are missing; it only adds to a signal whose facts are known."""
    return bool(list_missing_facts(outcome.rule, facts))


def _is_complete(name: str, facts: Facts) -> bool:
    return getattr(facts, name) is not None and name not in facts.provenance.partial
