"""Limits of the rules."""

from __future__ import annotations

from detector.settings.setting import add_count, add_seconds

DEPLOY_GRACE_SEC = add_seconds(
    "DEPLOY_GRACE_SEC", 600, "A replacement of the task is under way for this long."
)
START_GRACE_SEC = add_seconds(
    "START_GRACE_SEC", 240, "A task's containers may take this long to become healthy."
)
RESTART_WINDOW_SEC = add_seconds("RESTART_WINDOW_SEC", 3600, "Window in which restarts are counted.")
RESTART_CRITICAL = add_count("RESTART_CRITICAL", 3, "Stops or starts within the window that make a loop.")
CLOCK_SKEW_SEC = add_seconds("CLOCK_SKEW_SEC", 120, "A time further in the future than this is not believed.")
PENDING_ORDER_STALE_SEC = add_seconds(
    "PENDING_ORDER_STALE_SEC", 300, "A working order older than this is stale."
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
SEVERE_LOG_CRITICAL = add_count(
    "SEVERE_LOG_CRITICAL", 5, "FATAL, CRITICAL or SEVERE log lines within 600 s that make a burst."
)
SOURCE_STALE_SEC = add_seconds(
    "SOURCE_STALE_SEC", 300, "A section whose as_of is older than this is not seen."
)
ESCALATE_AFTER_SEC = add_seconds(
    "ESCALATE_AFTER_SEC", 480, "A condition that does not clear by itself escalates once it lasted this long."
)
