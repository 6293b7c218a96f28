"""Broker truth: every order comes from an API client that is known."""

from __future__ import annotations

from collections.abc import Mapping

from detector.domain.broker_rows import BrokerOrder, Execution
from detector.domain.facts import Facts
from detector.domain.rule import CRITICAL, STATE, WARNING, Finding, Limits, RuleResults, Undecided, rule
from detector.formats.numbers import format_count, format_list
from detector.settings import CLIENT_IDS

_HARM = ("duplicate_entry_burst", "open_positions_drift")


@rule(
    STATE,
    "warning; critical with a burst of entries or a drift",
    any_of=["broker_orders", "broker_executions"],
    severity_inputs=["broker_account"],
    limits=[CLIENT_IDS],
    given=_HARM,
)
def check(facts: Facts, limits: Limits, findings: Mapping[str, list[Finding]]) -> RuleResults:
    """Orders or executions at the broker come from an API client that AEGIS_PT_CLIENT_IDS does not name."""
    known_ids = limits[CLIENT_IDS]
    if not known_ids:
        yield Undecided(f"{CLIENT_IDS.name} is not set")
        return
    harm = [name for name in _HARM if findings[name]]
    orders, executions = (
        _group_by_client(facts.broker_orders, facts),
        _group_by_client(facts.broker_executions, facts),
    )
    rows: tuple[BrokerOrder | Execution, ...] = (
        *(facts.broker_orders or ()),
        *(facts.broker_executions or ()),
    )
    if any(row.client_id is None for row in rows):
        yield Undecided("an order or an execution names no API client")
    for client_id in sorted({*orders, *executions} - set(known_ids)):
        yield Finding(
            CRITICAL if harm else WARNING,
            f"API client {client_id}, which {CLIENT_IDS.name} does not name, has"
            f" {format_count(orders.get(client_id, 0), 'order')} and"
            f" {format_count(executions.get(client_id, 0), 'execution')} in this account"
            f"{' while ' + format_list(harm) + ' holds' if harm else ''}.",
            subject=client_id,
        )


def _group_by_client(rows: tuple[BrokerOrder | Execution, ...] | None, facts: Facts) -> dict[str, int]:
    """Return the number of rows of the runtime's account by the client that they are of."""
    counts: dict[str, int] = {}
    for row in rows or ():
        is_own = facts.broker_account is None or row.account in (None, facts.broker_account)
        if row.client_id is not None and is_own:
            counts[row.client_id] = counts.get(row.client_id, 0) + 1
    return counts
