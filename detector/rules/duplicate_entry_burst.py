"""Broker truth: one signal fills one entry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from detector.domain.facts import Facts
from detector.domain.rule import CRITICAL, NOW, OCCURRENCE, Finding, Limits, RuleResults, reaches, rule
from detector.formats.times import format_time
from detector.reconciliation.entry_bursts import Entry, iter_broker_entries, iter_trade_entries
from detector.settings import ENTRY_BURST_CRITICAL, ENTRY_BURST_WINDOW_SEC


@rule(
    OCCURRENCE,
    "critical",
    any_of=["broker_executions", "store_trades", "recent_trades"],
    severity_inputs=["broker_positions", "broker_account", "orders", "broker_orders"],
    limits=[reaches(ENTRY_BURST_CRITICAL), ENTRY_BURST_WINDOW_SEC],
    money=True,
    escalates=NOW,
    signal="severe_signals",
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """Entries of distinct orders in one instrument were filled one after the other within minutes."""
    window = timedelta(seconds=limits[ENTRY_BURST_WINDOW_SEC])
    for entries in (iter_broker_entries(facts), iter_trade_entries(facts)):
        for name, times in _group_by_instrument(entries):
            burst = _find_largest_burst(sorted(times), window)
            if limits.is_broken(ENTRY_BURST_CRITICAL, len(burst)):
                yield Finding(
                    CRITICAL,
                    f"{len(burst)} entries in {name} were filled from {format_time(burst[0])} to"
                    f" {format_time(burst[-1])} "
                    f"(critical at {limits[ENTRY_BURST_CRITICAL]}"
                    f" within {limits[ENTRY_BURST_WINDOW_SEC]} s).",
                    subject=name,
                    observed=len(burst),
                    limit=ENTRY_BURST_CRITICAL,
                    at=burst[-1],
                )


def _group_by_instrument(entries: Iterable[Entry]) -> Iterator[tuple[str, list[datetime]]]:
    times_by_name: dict[str, list[datetime]] = {}
    for entry in entries:
        times_by_name.setdefault(entry.name, []).append(entry.at)
    yield from times_by_name.items()


def _find_largest_burst(times: list[datetime], window: timedelta) -> list[datetime]:
    """Return the most times that lie within one window; of equally many, the latest."""
    best: list[datetime] = []
    first = 0
    for last, at in enumerate(times):
        while at - times[first] > window:
            first += 1
        if last - first + 1 >= len(best):
            best = times[first : last + 1]
    return best
