"""The seven limits of the founding runbook: names and defaults to the letter."""

from __future__ import annotations

from detector.settings.kinds import between
from detector.settings.setting import count, declare, sec

HEARTBEAT_STALE_SEC = sec(
    "HEARTBEAT_STALE_SEC", 300, "Critical heartbeat-stale threshold during market hours."
)
PENDING_ORDER_WARN = count("PENDING_ORDER_WARN", 2, "Warn when pending orders reach this count.")
PENDING_ORDER_CRITICAL = count("PENDING_ORDER_CRITICAL", 3, "Critical pending-order buildup threshold.")
MARKET_DATA_10197_WARN = count(
    "MARKET_DATA_10197_WARN", 10, "Warn on sustained market-data 10197 after open grace."
)
HIGH_EXIT_ATTEMPT_WARN = count(
    "HIGH_EXIT_ATTEMPT_WARN", 12, "Warn when an open position's exit attempts reach this count."
)
HIGH_EXIT_ATTEMPT_CRITICAL = count(
    "HIGH_EXIT_ATTEMPT_CRITICAL", 20, "Critical high-exit-attempt threshold, before market-order escalation."
)
OPEN_GRACE_MINUTE = declare(
    "OPEN_GRACE_MINUTE",
    35,
    "minutes after 09:00 ET",
    "The market is past open grace from this minute: 35 is 09:35 ET.",
    between(30, 89),
)
