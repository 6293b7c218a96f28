"""Broker truth: a closed trade stays closed."""

from __future__ import annotations

from detector.domain.facts import Facts
from detector.domain.rule import CRITICAL, NOW, STATE, Finding, Limits, RuleResults, Undecided, rule
from detector.domain.trade_rows import StoredPosition
from detector.formats.numbers import format_list
from detector.reconciliation.between_runs import STORES, get_open_trades, list_reopened
from detector.reconciliation.lots import build_broker_book


@rule(
    STATE,
    "critical",
    any_of=list(STORES),
    severity_inputs=["broker_positions", "broker_account"],
    money=True,
    escalates=NOW,
    signal="reconciliation",
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """A trade that was seen closed is open again, not held by the broker: a cache undoes a repair."""
    incomplete = [name for name in STORES if facts.before.closed.get(name) and not _is_complete(name, facts)]
    if incomplete:
        yield Undecided("a store in which trades were seen closed was not read")
    side = None if facts.broker_positions is None else build_broker_book(facts)
    for row, stores in list_reopened(facts):
        if side is None:
            broker_note = "while the broker was not read"
        elif "broker_positions" in facts.provenance.partial or not (row.symbol or row.con_id):
            yield Undecided(f"whether the broker holds trade {row.title} was not seen", [row.trade_id])
            continue
        else:
            _, quantity = side.find_broker_position(
                row, row.account if isinstance(row, StoredPosition) else None
            )
            if quantity is None:
                yield Undecided(f"whether the broker holds trade {row.title} was not seen", [row.trade_id])
            if quantity != 0:
                continue
            broker_note = "while the broker is flat"
        yield Finding(
            CRITICAL,
            f"Trade {row.title} was closed and is open again in {format_list(stores)} {broker_note}.",
            subject=row.trade_id,
            facts=tuple(name for name in STORES if row.trade_id in get_open_trades(name, facts)),
        )


def _is_complete(name: str, facts: Facts) -> bool:
    return getattr(facts, name) is not None and name not in facts.provenance.partial
