"""The header that every answer about the broker bears: whose account, how old, and what is not proven."""

from __future__ import annotations

from detector.domain.facts import Facts
from detector.domain.gate_report import TruthHeader
from detector.reconciliation.freshness import DataAge

_TITLES = {
    "broker_positions": "the broker's positions",
    "broker_orders": "the broker's open orders",
    "broker_executions": "the broker's executions",
}
_INTERNAL = {"store_positions": "the stores' positions", "open_positions": "the runtime's positions"}


def build_truth_header(facts: Facts, age: DataAge) -> TruthHeader:
    """Return the header of these facts; `age` is that of the broker section now."""
    unproven = [title for name, title in _TITLES.items() if not is_complete(name, facts)]
    if not any(is_complete(name, facts) for name in _INTERNAL):
        unproven.append("the runtime's own positions")
    unproven += [
        title
        for name, title in _INTERNAL.items()
        if getattr(facts, name) is not None and not is_complete(name, facts)
    ]
    if facts.broker_account is None:
        unproven.append("the account")
    if age.fault is not None and facts.broker_positions is not None:
        unproven.append(f"when the broker was read ({age.fault})")
    return TruthHeader(facts.broker_account, age.as_of, age.seconds, age.fault, tuple(unproven))


def is_complete(name: str, facts: Facts) -> bool:
    """Whether a fact was seen, and in full."""
    return getattr(facts, name) is not None and name not in facts.provenance.partial
