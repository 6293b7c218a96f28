"""Reconciliation: a started engine reconciles before it trades."""

from __future__ import annotations

from detector.domain.facts import Facts, known
from detector.domain.rule import CRITICAL, STATE, Finding, Limits, RuleResults, exceeds, lasts, rule
from detector.formats.times import NEVER, format_above, format_over, format_utc
from detector.settings import ESCALATE_AFTER_SEC, STARTUP_RECONCILE_SEC


@rule(
    STATE,
    "critical",
    sees=["engine_started_at", "last_reconcile_at", "entry_blocking_reconcile_pending"],
    limits=[exceeds(STARTUP_RECONCILE_SEC)],
    money=True,
    escalates=lasts(ESCALATE_AFTER_SEC),
    signal="reconciliation",
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """The engine started, entries are not blocked, and no reconciliation completed since."""
    started, last = known(facts.engine_started_at), known(facts.last_reconcile_at)
    age, limit = facts.age_of(started), limits[STARTUP_RECONCILE_SEC]
    if known(facts.entry_blocking_reconcile_pending) or last >= started:
        return
    if limits.is_broken(STARTUP_RECONCILE_SEC, age):
        since = "never" if last == NEVER else f"last at {format_utc(last)}"
        yield Finding(
            CRITICAL,
            f"The engine started {format_above(age, limit)} ago and has not reconciled since ({since}),"
            f" and entries are not blocked ({format_over(limit)}).",
            observed=age,
            limit=STARTUP_RECONCILE_SEC,
            proven_sec=age - limit,
        )
