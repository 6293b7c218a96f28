"""Limits of the rules, of broker reconciliation, and of the memory."""

from __future__ import annotations

from detector.settings.setting import (
    DAY,
    HOUR,
    add_count,
    add_names,
    add_seconds,
    add_setting,
    add_text,
    build_choice_parser,
    parse_client_ids,
    parse_foreign_positions,
    parse_share,
)

DEPLOY_GRACE_SEC = add_seconds(
    "DEPLOY_GRACE_SEC", 600, "A replacement of the task is under way for this long."
)
START_GRACE_SEC = add_seconds(
    "START_GRACE_SEC", 240, "A task's containers may take this long to become healthy."
)
RESTART_WINDOW_SEC = add_seconds(
    "RESTART_WINDOW_SEC", 3600, "Window in which restarts are counted.", least=60, most=DAY
)
RESTART_CRITICAL = add_count(
    "RESTART_CRITICAL", 3, "Stops or starts within the window that make a loop.", most=60
)
CLOCK_SKEW_SEC = add_seconds(
    "CLOCK_SKEW_SEC", 120, "A time further in the future than this is ignored.", most=HOUR
)
PENDING_ORDER_STALE_SEC = add_seconds(
    "PENDING_ORDER_STALE_SEC", 300, "A working order older than this is stale."
)
PENDING_ORDER_PERSIST_SEC = add_seconds(
    "PENDING_ORDER_PERSIST_SEC", 1800, "Pending orders that reach their warning limit for this long escalate."
)
PENDING_EXIT_PERSIST_SEC = add_seconds(
    "PENDING_EXIT_PERSIST_SEC", 480, "Pending exits become critical once they lasted this long."
)
MARKET_DATA_DEGRADED_SEC = add_seconds(
    "MARKET_DATA_DEGRADED_SEC", 900, "A market-data status other than ok is listed once it lasted this long."
)
RECONCILE_PROOF_SEC = add_seconds(
    "RECONCILE_PROOF_SEC",
    1800,
    "A start, a reconnect or a close must be followed by a proof of reconciliation within this.",
)
ORDER_REJECT_CRITICAL = add_count(
    "ORDER_REJECT_CRITICAL", 3, "Rejected orders within 1 h that are critical; a rejected exit always is."
)
SEVERE_LOG_CRITICAL = add_count(
    "SEVERE_LOG_CRITICAL", 5, "FATAL, CRITICAL or SEVERE log lines within 10 min that make a burst."
)
SOURCE_STALE_SEC = add_seconds(
    "SOURCE_STALE_SEC", 300, "A section whose as_of is older than this is not seen."
)
ESCALATE_AFTER_SEC = add_seconds(
    "ESCALATE_AFTER_SEC", 480, "A condition that does not clear by itself escalates once it lasted this long."
)


STARTUP_RECONCILE_SEC = add_seconds(
    "STARTUP_RECONCILE_SEC",
    120,
    "A started engine must have reconciled with the broker within this, or block entries.",
)
FILL_LAG_SEC = add_seconds(
    "FILL_LAG_SEC", 120, "A fill at the broker must stand in the runtime's trades within this."
)
ENTRY_BURST_WINDOW_SEC = add_seconds(
    "ENTRY_BURST_WINDOW_SEC", 600, "Window in which filled entries in one instrument are counted.", least=1
)
ENTRY_BURST_CRITICAL = add_count(
    "ENTRY_BURST_CRITICAL",
    3,
    "Filled entries of distinct orders within the window that make a burst.",
    minimum=2,
)
CLOSE_WAIT_CRITICAL = add_count(
    "CLOSE_WAIT_CRITICAL", 3, "Half-closed connections at which the gateway's API counts as blocked."
)
UPS_RUNTIME_SEC = add_seconds(
    "UPS_RUNTIME_SEC", 300, "On battery with less than this left, the machine is about to go dark.", least=1
)
FEED_FROZEN_SEC = add_seconds(
    "FEED_FROZEN_SEC",
    300,
    "Ticks older than this, or prices that stand still for so long, are a frozen feed.",
)
TRUTH_MAX_AGE_SEC = add_seconds(
    "TRUTH_MAX_AGE_SEC",
    60,
    "What the broker said is no ground for a close order once it is older than this.",
    most=HOUR,
)


FOREIGN_POSITIONS = add_text(
    "FOREIGN_POSITIONS",
    "positions",
    "What the owner holds beside the runtime, as ACCOUNT:CON_ID=QUANTITY by comma (the account may be"
    " left out): no difference while it is exactly that and the runtime does not list it.",
    parse_foreign_positions,
)


_SHARES = (0.001, 1)
CLIENT_IDS = add_names(
    "CLIENT_IDS",
    "client ids",
    "The API client ids that may trade in this account, by comma (0 is TWS itself); empty asks for none.",
    parse_client_ids,
)
CUSHION_WARN = add_setting(
    "CUSHION_WARN",
    0.10,
    "share",
    "A cushion of the account below this share is a warning.",
    parse_share,
    sensible=_SHARES,
)
CUSHION_CRITICAL = add_setting(
    "CUSHION_CRITICAL",
    0.05,
    "share",
    "A cushion of the account below this share is critical.",
    parse_share,
    sensible=_SHARES,
)


GAP_SEC = add_seconds("GAP_SEC", 1500, "A longer time between two runs is a gap: nobody looked.")
OBSERVATION_SEC = add_seconds(
    "OBSERVATION_SEC", 240, "Verdicts closer together than this are one observation.", most=HOUR
)
REOPEN_WITHIN_SEC = add_seconds(
    "REOPEN_WITHIN_SEC", 7200, "A condition that returns within this time continues its episode.", most=DAY
)
ESCALATION_REMIND_SEC = add_seconds(
    "ESCALATION_REMIND_SEC",
    3600,
    "First reminder of what escalates; doubles up to a day; 0 is off.",
    most=DAY,
)
REMIND_AFTER_SEC = add_seconds(
    "REMIND_AFTER_SEC", 0, "First reminder of everything else; 0 is off.", most=DAY
)
MUTES = add_text("MUTES", "path", "TOML file of mutes, each with an end and a reason.")
ARTIFACT = add_text(
    "ARTIFACT",
    "full or ledger",
    "What an artifact holds: ledger leaves the redacted snapshot out (for public repositories).",
    build_choice_parser("full", "ledger"),
    default="full",
)
