"""Broker truth: limits of what compares the runtime with the broker."""

from __future__ import annotations

from detector.settings.setting import add_count, add_seconds

STARTUP_RECONCILE_SEC = add_seconds(
    "STARTUP_RECONCILE_SEC",
    120,
    "A started engine must have reconciled with the broker within this, or block entries.",
)
FILL_LAG_SEC = add_seconds(
    "FILL_LAG_SEC", 120, "A fill at the broker must stand in the runtime's trades within this."
)
ENTRY_BURST_WINDOW_SEC = add_seconds(
    "ENTRY_BURST_WINDOW_SEC", 600, "Window in which filled entries in one instrument are counted."
)
ENTRY_BURST_CRITICAL = add_count(
    "ENTRY_BURST_CRITICAL",
    3,
    "Filled entries of distinct orders within the window that make a burst.",
    minimum=2,
)
FEED_FROZEN_SEC = add_seconds(
    "FEED_FROZEN_SEC",
    300,
    "Ticks older than this, or prices that stand still for so long, are a frozen feed.",
)
TRUTH_MAX_AGE_SEC = add_seconds(
    "TRUTH_MAX_AGE_SEC", 60, "What the broker said is no ground for a close order once it is older than this."
)
