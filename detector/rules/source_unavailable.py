"""The monitor: every configured source answers."""

from __future__ import annotations

from detector.domain.facts import Facts
from detector.domain.provenance import SourceStatus
from detector.domain.rule import (
    AS_DECLARED,
    SECTION_CAUSE,
    STATE,
    WARNING,
    Finding,
    Healthy,
    Limits,
    RuleResults,
    lasts,
    rule,
)
from detector.domain.snapshot import STATUS_SECTIONS
from detector.formats.errors import MAINTENANCE

_ENVIRONMENT_MARKERS = ("credential", "profile", "expired", "denied", "token", "unauthorized", "forbidden")
_AWS_SOURCES = ("ecs", "logs")
_BEFORE_OPEN_SEC = 3600


@rule(
    STATE,
    "warning; critical at the second observation when heartbeat or positions are seen nowhere else",
    monitor=True,
    of_section=True,
    explicit_good=True,
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """A configured source failed; that says nothing about the runtime itself."""
    # A source that is left alone during IBKR's reset did not fail: its facts are not seen, and are held.
    for source in facts.sources.values():
        if source.state == "failed" and source.reason != MAINTENANCE:
            yield Finding(
                WARNING,
                _summarize_failure(source),
                subject=source.name,
                source=source.name,
                cause=f"{SECTION_CAUSE}{source.name}",
                # the runtime itself may be off at night
                deferred=source.name in STATUS_SECTIONS and not _is_near_session(facts),
                critical_after=lasts(observations=2) if facts.is_blind_without(source.name) else AS_DECLARED,
            )
    answered = {source.name for source in facts.sources.values() if source.state == "ok"}
    yield Healthy(lambda name: name in answered)


def _is_near_session(facts: Facts) -> bool:
    """Return whether the session is open, begins within an hour, or is not known."""
    market = facts.market
    return market.is_open is not False or (
        market.opens_in is not None and market.opens_in <= _BEFORE_OPEN_SEC
    )


def _summarize_failure(source: SourceStatus) -> str:
    reason = " ".join((source.detail or source.reason or "no reason given").split()).rstrip(".")
    if source.name in _AWS_SOURCES and any(
        marker in f"{source.reason} {reason}".lower() for marker in _ENVIRONMENT_MARKERS
    ):
        return f"Source {source.name} could not be read: the monitor's environment ({reason}), not AWS."
    return f"Source {source.name} could not be read: {reason}."
