"""The checks of the gate in their order, each declared once: its stages, what it needs, what decides."""

from __future__ import annotations

from detector.domain.gate_report import AFTER, BEFORE, OPEN
from detector.gate import deployment_checks as deployment
from detector.gate import morning_checks as morning
from detector.gate.check import GateCheck
from detector.gate.exposure import PINNED
from detector.reconciliation.lots import INTERNAL_FACTS

_ROLLOUT, _MORNING = (BEFORE, AFTER), (OPEN,)

CHECKS: tuple[GateCheck, ...] = (
    GateCheck("snapshot", "the snapshot is of now", decide=deployment.decide_snapshot),
    GateCheck("session", "a session comes, and its hours are known", _MORNING, decide=morning.decide_session),
    GateCheck(
        "approval",
        "the deployment is approved",
        (BEFORE,),
        decide=deployment.decide_approval,
        asks="--approved-by",
    ),
    GateCheck(
        "quiet_window",
        "the market is closed, or a quiet window is agreed",
        (BEFORE,),
        decide=deployment.decide_quiet_window,
        asks="--quiet-window",
    ),
    GateCheck(
        "before_passed", "`gate before` passed", (AFTER,), decide=deployment.decide_before, asks="--before"
    ),
    GateCheck(
        "runtime_task",
        "exactly one runtime task",
        sees=("service", "tasks"),
        rules=("ecs_service_count_mismatch", "ecs_task_count_mismatch"),
        decide=deployment.decide_task,
        signal="runtime_primary",
    ),
    GateCheck(
        "runtime_processes",
        "the processes of the runtime run, each once",
        sees=("processes",),
        rules=("process_down", "process_restart_loop"),
        decide=deployment.decide_processes,
        replaces="runtime_primary",
    ),
    GateCheck(
        "gateway",
        "gateway and trader are healthy",
        (AFTER, OPEN),
        sees=("tasks",),
        rules=("gateway_unhealthy", "trader_not_running"),
        signal="gateway",
    ),
    GateCheck(
        "standby",
        "the standby is at rest",
        sees=("containers",),
        rules=("standby_running",),
        signal="standby_guard",
    ),
    GateCheck(
        "heartbeat",
        "the heartbeat is fresh",
        sees=("heartbeat_at",),
        decide=deployment.decide_heartbeat,
        signal="heartbeat",
    ),
    GateCheck(
        "broker_link",
        "the link to the broker is up",
        (AFTER, OPEN),
        any_of=("broker_connected", "broker_link", "gateway_handshake"),
        rules=("broker_disconnected",),
        decide=deployment.decide_link,
    ),
    deployment.build_zero_check("pending_exits", "no exit is pending"),
    deployment.build_zero_check("stuck_exits", "no exit is stuck"),
    GateCheck(
        "pending_orders",
        "no order is pending",
        sees=("pending_orders",),
        adds=("pending_order_stale",),
        decide=deployment.decide_pending,
        asks="--accept-entry",
    ),
    GateCheck(
        "exits_at_work",
        "no exit order is at work",
        _ROLLOUT,
        any_of=("orders", "broker_orders"),
        decide=deployment.decide_exits_at_work,
    ),
    GateCheck(
        "reconcile_flags",
        "every reconciliation flag is false",
        sees=("broker_reconcile_pending", "position_reconcile_pending", "entry_blocking_reconcile_pending"),
        rules=("reconcile_pending",),
        decide=deployment.decide_flags,
    ),
    GateCheck(
        "reconcile_proof",
        "reconciliation is proven in the logs",
        sees=("logs",),
        rules=("reconcile_unproven",),
        decide=deployment.decide_proof,
    ),
    deployment.build_zero_check(
        "send_outcome_unknown",
        "no order's sending has an unknown outcome",
        "send_outcome",
        ("send_outcome_unknown",),
    ),
    deployment.build_zero_check("unknown_fills", "no fill is unknown", rules=("unknown_fill",)),
    deployment.build_zero_check(
        "broker_confirmation_required",
        "no order waits for the broker's confirmation",
        "broker_confirmation",
        ("broker_confirmation_required",),
    ),
    GateCheck(
        "session_conflict",
        "no other session is in the way",
        sees=("logs",),
        rules=("session_conflict",),
        decide=deployment.decide_logs_quiet,
    ),
    GateCheck("no_critical_event", "the detector lists no critical event", decide=deployment.decide_events),
    GateCheck(
        "exposure",
        "what is held is known",
        _ROLLOUT,
        any_of=("broker_positions", *INTERNAL_FACTS, "open_position_count"),
        decide=deployment.decide_pinned,
    ),
    GateCheck(
        "unchanged",
        "nothing changed since `gate before` without an explanation",
        (AFTER,),
        any_of=PINNED,
        decide=deployment.decide_unchanged,
        asks="--explain",
    ),
    GateCheck(
        "scan_cycles",
        "two scan cycles were watched",
        (AFTER,),
        decide=deployment.decide_scan_cycles,
        asks="--scan-cycles",
    ),
    GateCheck(
        "login",
        "the login lasts beyond the close",
        _MORNING,
        sees=("logs",),
        any_of=("broker_connected", "broker_link", "gateway_handshake"),
        rules=("login_due",),
        adds=("gateway_failure",),
        decide=morning.decide_login,
    ),
    GateCheck(
        "orders_allowed",
        "the API is not read-only",
        _MORNING,
        sees=("logs",),
        any_of=("tasks", "engine_started_at"),
        rules=("trading_blocked",),
        decide=morning.decide_orders_allowed,
    ),
    GateCheck(
        "data",
        "market data are entitled and live",
        _MORNING,
        sees=("logs", "market_data_status"),
        rules=("data_not_entitled",),
        decide=morning.decide_data,
    ),
    GateCheck(
        "account",
        "account and mode agree",
        _MORNING,
        sees=("broker_account",),
        any_of=("mode", "broker_mode"),
        rules=("wrong_environment",),
        decide=morning.decide_account,
    ),
    GateCheck(
        "broker_agrees",
        "broker, runtime and stores agree",
        _MORNING,
        sees=("broker_positions",),
        any_of=INTERNAL_FACTS,
        rules=("open_positions_drift", "comparison_unclear"),
        adds=("state_stores_disagree", "missed_fill"),
    ),
    GateCheck(
        "orphan_orders",
        "each working exit has its position",
        _MORNING,
        sees=("broker_positions", "broker_orders"),
        rules=("exit_would_open_position",),
    ),
    GateCheck(
        "stops",
        "each position has its stops at the broker",
        _MORNING,
        sees=("broker_positions", "broker_orders"),
        decide=morning.decide_stops,
    ),
    GateCheck(
        "margin",
        "margin is in order",
        _MORNING,
        sees=("logs", "account_values"),
        rules=("margin_notice", "margin_low"),
    ),
    GateCheck(
        "expiry",
        "nothing that is held expires by the close",
        _MORNING,
        sees=("broker_positions",),
        decide=morning.decide_expiry,
    ),
    GateCheck(
        "contracts",
        "nothing was assigned or replaced",
        _MORNING,
        sees=("broker_positions",),
        any_of=INTERNAL_FACTS,
        rules=("contract_replaced", "assignment_suspected"),
    ),
    GateCheck(
        "channels", "each channel took a message within a week", _MORNING, decide=morning.decide_channels
    ),
)
