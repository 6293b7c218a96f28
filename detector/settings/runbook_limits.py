"""The seven limits of the founding runbook: names and defaults to the letter."""

from __future__ import annotations

from detector.settings.parsers import build_int_parser
from detector.settings.setting import add_count, add_seconds, add_setting

HEARTBEAT_STALE_SEC = add_seconds(
    "HEARTBEAT_STALE_SEC", 300, "Critical heartbeat-stale threshold during market hours."
)
PENDING_ORDER_WARN = add_count("PENDING_ORDER_WARN", 2, "Warn when pending orders reach this count.")
PENDING_ORDER_CRITICAL = add_count("PENDING_ORDER_CRITICAL", 3, "Critical pending-order buildup threshold.")
MARKET_DATA_10197_WARN = add_count(
    "MARKET_DATA_10197_WARN", 10, "Warn on sustained market-data 10197 after open grace."
)
HIGH_EXIT_ATTEMPT_WARN = add_count(
    "HIGH_EXIT_ATTEMPT_WARN", 12, "Warn when an open position's exit attempts reach this count."
)
HIGH_EXIT_ATTEMPT_CRITICAL = add_count(
    "HIGH_EXIT_ATTEMPT_CRITICAL", 20, "Critical high-exit-attempt threshold, before market-order escalation."
)
OPEN_GRACE_MINUTE = add_setting(
    "OPEN_GRACE_MINUTE",
    35,
    "minutes after 09:00 ET",
    "The market is past open grace from this minute: 35 is 09:35 ET.",
    build_int_parser(30, 89),
)
