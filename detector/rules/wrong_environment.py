"""Broker link: mode, port and account are all paper or all live."""

from __future__ import annotations

from collections.abc import Iterator

from detector.domain.facts import Facts
from detector.domain.rule import CRITICAL, NOW, STATE, Finding, Limits, RuleResults, Undecided, rule
from detector.formats.redaction import get_account_kind

PAPER, LIVE = "paper", "live"
_PORTS = {4001: LIVE, 7496: LIVE, 4003: LIVE, 7498: LIVE, 4002: PAPER, 7497: PAPER, 4004: PAPER, 7499: PAPER}
_PAPER_MODES = (PAPER, "papertrading", "papermoney", "paperaccount", "simulated", "simulation", "demo")
_LIVE_MODES = (LIVE, "livetrading", "liveaccount", "real", "realmoney", "production")
_MODES = {**dict.fromkeys(_PAPER_MODES, PAPER), **dict.fromkeys(_LIVE_MODES, LIVE)}
_ROWS = ("broker_positions", "broker_orders", "broker_executions")
_KIND_FACTS = ("broker_account", "broker_port", "gateway_port")


@rule(
    STATE,
    "critical",
    any_of=["mode", "broker_mode"],
    severity_inputs=["broker_account", *_ROWS, "broker_port", "gateway_port"],
    money=True,
    escalates=NOW,
    signal="severe_signals",
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """The runtime says paper and its port or account is live, or the reverse."""
    declared, kinds = _find_mode(facts), list(_iter_kinds(facts))
    if declared is None or not kinds:
        if any(getattr(facts, name) is not None for name in _KIND_FACTS):
            yield Undecided("neither the mode nor the port and the account say whether it is paper or live")
        return
    fact, mode = declared
    wrong = [(kind_fact, label, kind) for kind_fact, label, kind in kinds if kind != mode]
    if wrong:
        kind_fact, label, kind = wrong[0]
        yield Finding(
            CRITICAL, f"The mode is {mode} and {label} is {kind}.", observed=kind, facts=(fact, kind_fact)
        )


def _find_mode(facts: Facts) -> tuple[str, str] | None:
    """Return the fact of the mode and the mode; None where it is neither paper nor live."""
    for fact, text in (("mode", facts.mode), ("broker_mode", facts.broker_mode)):
        mode = _parse_mode(text)
        if mode is not None:
            return fact, mode
    return None


def _iter_kinds(facts: Facts) -> Iterator[tuple[str, str, str]]:
    """Yield further evidence of paper or live: the fact, its name in a message, and which of the two."""
    if facts.broker_account is not None:
        kind = get_account_kind(facts.broker_account)
        if kind is not None:
            yield "broker_account", f"account {facts.broker_account}", kind
    else:
        yield from _iter_row_kinds(facts)
    for fact, port in (("gateway_port", facts.gateway_port), ("broker_port", facts.broker_port)):
        if port in _PORTS:
            yield fact, f"port {port}", _PORTS[port]
    broker = _parse_mode(facts.broker_mode)
    if facts.mode and broker:
        yield "broker_mode", "the broker's own mode", broker


def _iter_row_kinds(facts: Facts) -> Iterator[tuple[str, str, str]]:
    """Yield the accounts of the broker's rows, each kind once, where the runtime's own is unknown."""
    kinds: dict[str, tuple[str, str, str]] = {}
    for fact in _ROWS:
        for alias in sorted({row.account for row in getattr(facts, fact) or () if row.account}):
            kind = get_account_kind(alias)
            if kind is not None:
                kinds.setdefault(kind, (fact, f"account {alias}", kind))
    yield from kinds.values()


def _parse_mode(text: str | None) -> str | None:
    return _MODES.get("".join(letter for letter in (text or "").lower() if letter.isalnum()))
