"""The monitor: heartbeat and positions are known while money is at risk."""

from __future__ import annotations

from collections.abc import Mapping

from detector.domain.facts import Facts
from detector.domain.rule import CRITICAL, RTH, STATE, Finding, Healthy, Limits, RuleResults, lasts, rule
from detector.formats.numbers import format_count, format_list

_WATCHED = {"heartbeat_at": "the heartbeat", "open_positions": "the positions"}


@rule(
    STATE,
    "critical",
    during=RTH,
    money=True,
    monitor=True,
    explicit_good=True,
    escalates=lasts(observations=2),
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """The heartbeat or the positions are not seen while the market is open and positions may be."""
    missing = {"heartbeat_at": facts.heartbeat_at is None, "open_positions": facts.exposure is None}
    unwatched = [name for name in _WATCHED if missing[name] and facts.is_watched(name)]
    last = facts.last_exposure
    if unwatched and last != 0:
        exposure_note = (
            "no position was open before the session's open"
            if last is None and facts.before.open_positions == 0
            else "whether positions are open was never known"
            if last is None
            else f"{format_count(last, 'position was', 'positions were')} open when last seen"
        )
        yield Finding(
            CRITICAL,
            f"Dark while the market is open: {format_list(_WATCHED[name] for name in unwatched)} cannot be"
            f" seen, and {exposure_note}.",
            observed=last,
            source=facts.find_carrier(unwatched[0]),
        )
    elif facts.exposure == 0 or not (all(missing.values()) or _is_seen_elsewhere(missing, facts)):
        yield Healthy(lambda subject: True)


def _is_seen_elsewhere(missing: Mapping[str, bool], facts: Facts) -> bool:
    """Return whether what this run lacks is another lane's to see: then only that lane can end the dark."""
    return any(missing[name] and facts.is_watched_anywhere(name) for name in missing)
