"""Broker link: the runtime is connected to the broker."""

from __future__ import annotations

from collections.abc import Iterator

from detector.domain.facts import EXPOSURE_FACTS, Facts
from detector.domain.rule import (
    AS_DECLARED,
    CRITICAL,
    OUTSIDE_MAINTENANCE,
    STATE,
    WARNING,
    Finding,
    Lasts,
    Limits,
    RuleResults,
    rule,
)
from detector.formats.numbers import format_count
from detector.settings import IBKR_REGION

_MAX_REASON_CHARS = 120
_FAST_LANE_SEC = 300
_AT_ONCE = Lasts(observations=1, at=CRITICAL)
_IN_RESET = Lasts(seconds=900)  # in a session that never pauses, a reset of IBKR's servers is over by then


@rule(
    STATE,
    "warning; critical with positions open or unknown",
    any_of=["broker_connected", "connection_error", "broker_link", "gateway_listening", "gateway_handshake"],
    severity_inputs=EXPOSURE_FACTS,
    limits=[IBKR_REGION],
    during=OUTSIDE_MAINTENANCE,
    escalates=Lasts(180, observations=2, at=CRITICAL, either=True),
    signal="severe_signals",
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """The link to the broker is down, however fresh the heartbeat."""
    evidence = tuple(_iter_evidence(facts))
    if not evidence:
        return
    count = facts.exposure
    exposure = (
        "an unknown number of open positions" if count is None else format_count(count, "open position")
    )
    reason = " ".join((facts.connection_error or "").split())[:_MAX_REASON_CHARS].rstrip(".")
    yield Finding(
        WARNING if count == 0 else CRITICAL,
        f"The broker link is down with {exposure}{f' ({reason})' if reason else ''}.",
        observed=count,
        facts=evidence,
        escalates=_AT_ONCE if facts.market.is_open and _is_next_run_far(facts) else AS_DECLARED,
        listed_after=_IN_RESET if facts.quiet and facts.has_long_session else AS_DECLARED,
    )


def _is_next_run_far(facts: Facts) -> bool:
    """Whether runs come too seldom to wait for the next one: a fast lane sees a blip's end by itself."""
    last_at = facts.before.taken_at
    return last_at is None or facts.age_of(last_at) > _FAST_LANE_SEC


def _iter_evidence(facts: Facts) -> Iterator[str]:
    if facts.broker_connected is False:
        yield "broker_connected"
    if facts.broker_link is False:
        yield "broker_link"
    if facts.gateway_listening is False:
        yield "gateway_listening"
    if facts.gateway_handshake == "refused":
        yield "gateway_handshake"
    if (facts.connection_error or "").strip():
        yield "connection_error"
