"""Broker link: the gateway's API port listens and answers."""

from __future__ import annotations

from collections.abc import Iterator

from detector.domain.facts import Facts
from detector.domain.rule import (
    CRITICAL,
    OUTSIDE_RESTART,
    STATE,
    WARNING,
    Finding,
    Limits,
    RuleResults,
    Undecided,
    lasts,
    reaches,
    rule,
)
from detector.formats.numbers import format_count
from detector.settings import CLOSE_WAIT_CRITICAL, ESCALATE_AFTER_SEC

# The socat of the common container images listens here, and accepts in front of a dead gateway too.
_PROXY_PORTS = (4003, 4004, 7498, 7499)
_ANSWERS = {
    "silent": "accepts connections and does not answer the API handshake",
    "refused": "refuses the API handshake",
}


@rule(
    STATE,
    "critical; warning for fewer half-closed connections",
    any_of=["gateway_listening", "gateway_handshake", "gateway_close_wait"],
    severity_inputs=["gateway_port"],
    limits=[reaches(CLOSE_WAIT_CRITICAL)],
    during=OUTSIDE_RESTART,
    escalates=lasts(ESCALATE_AFTER_SEC),
    signal="gateway",
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """The gateway's API port does not listen, does not answer, or holds connections half closed."""
    name = "The API port" if facts.gateway_port is None else f"API port {facts.gateway_port}"
    findings = tuple(_iter_findings(facts, limits, name))
    yield from findings
    is_answered = facts.gateway_handshake == "ok"
    if not findings and not is_answered:
        if facts.gateway_listening is None:
            yield Undecided("whether the API port listens was not seen")
        elif facts.gateway_port in _PROXY_PORTS:
            yield Undecided(f"{name} is a proxy's, which accepts in front of a dead gateway too")


def _iter_findings(facts: Facts, limits: Limits, name: str) -> Iterator[Finding]:
    if facts.gateway_listening is False:
        yield Finding(CRITICAL, f"{name} of the gateway does not listen.", facts=("gateway_listening",))
    if facts.gateway_handshake in _ANSWERS:
        answer = _ANSWERS[facts.gateway_handshake]
        yield Finding(CRITICAL, f"{name} of the gateway {answer}.", facts=("gateway_handshake",))
    count = facts.gateway_close_wait or 0
    if count:
        is_blocked = limits.is_broken(CLOSE_WAIT_CRITICAL, count)
        yield Finding(
            CRITICAL if is_blocked else WARNING,
            f"{name} of the gateway holds {format_count(count, 'connection')} half closed (CLOSE_WAIT,"
            f" critical at {limits[CLOSE_WAIT_CRITICAL]}).",
            observed=count,
            limit=CLOSE_WAIT_CRITICAL if is_blocked else None,
            facts=("gateway_close_wait",),
        )
