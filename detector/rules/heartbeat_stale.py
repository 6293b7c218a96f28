"""Heartbeat: the runtime sends it often enough."""

from __future__ import annotations

from detector.domain.facts import Facts, known
from detector.domain.rule import (
    AS_DECLARED,
    CRITICAL,
    NOW,
    RTH,
    STATE,
    Finding,
    Limits,
    RuleResults,
    Undecided,
    exceeds,
    lasts,
    rule,
)
from detector.formats.times import format_above, format_over
from detector.settings import HEARTBEAT_STALE_SEC

_ESCALATE_NOW_FACTOR = 3


@rule(
    STATE,
    "critical",
    sees=["heartbeat_at"],
    during=RTH,
    limits=[exceeds(HEARTBEAT_STALE_SEC)],
    escalates=lasts(observations=2),
    signal="heartbeat",
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """The runtime's last heartbeat is older than it may be while the market is open."""
    heartbeat_age = facts.age_of(known(facts.heartbeat_at))
    age = min(heartbeat_age, known(facts.market.open_for))
    if limits.is_broken(HEARTBEAT_STALE_SEC, age):
        limit = limits[HEARTBEAT_STALE_SEC]
        yield Finding(
            CRITICAL,
            f"No heartbeat for {format_above(age, limit)} while the market is open ({format_over(limit)}).",
            observed=age,
            limit=HEARTBEAT_STALE_SEC,
            proven_sec=age - limit,
            escalates=NOW if age > _ESCALATE_NOW_FACTOR * limit else AS_DECLARED,
        )
    elif limits.is_broken(HEARTBEAT_STALE_SEC, heartbeat_age):
        yield Undecided("the market has not been open for long enough to judge the heartbeat")
