"""The monitor: dark, with money at risk."""

from __future__ import annotations

from detector.domain.facts import Facts
from detector.domain.rule import CRITICAL, RTH, STATE, Finding, Healthy, Limits, RuleResults, lasts, rule
from detector.formats.plural import counted

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
    unseen = {"heartbeat_at": facts.heartbeat_at is None, "open_positions": facts.exposure is None}
    dark = [words for name, words in _WATCHED.items() if unseen[name] and facts.is_watched(name)]
    last = facts.before.open_positions if facts.exposure is None else facts.exposure
    if dark and last != 0:
        exposed = (
            "whether positions are open was never known"
            if last is None
            else f"{counted(last, 'position was', 'positions were')} open when last seen"
        )
        yield Finding(
            CRITICAL,
            f"Dark while the market is open: {' and '.join(dark)} cannot be seen, and {exposed}.",
            observed=last,
        )
    elif facts.exposure == 0 or not (dark or all(unseen.values())):
        yield Healthy(lambda subject: True)
