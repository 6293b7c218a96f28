"""Exit safety: the runtime's own figures do not contradict each other."""

from __future__ import annotations

from collections.abc import Iterator

from detector.domain.facts import Facts
from detector.domain.rule import CRITICAL, NOW, STATE, Finding, Limits, RuleResults, rule
from detector.domain.runtime_rows import Position
from detector.domain.trade_rows import Trade, format_other_ids
from detector.formats.numbers import format_count
from detector.reconciliation.lots import INTERNAL_FACTS


@rule(
    STATE,
    "critical",
    any_of=["stuck_exits", "pending_exits", "open_position_count", "recent_trades", *INTERNAL_FACTS],
    money=True,
    escalates=NOW,
    signal="exit_safety",
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """What the runtime says of its own positions, exits and trades contradicts itself."""
    yield from _check_stuck_exits(facts)
    yield from _check_zero_quantity(facts)
    yield from _check_position_count(facts)
    yield from _check_open_and_closed(facts)


def _build_contradiction(subject: str, summary: str, *facts: str) -> Finding:
    return Finding(CRITICAL, summary, subject=subject, facts=facts)


def _check_stuck_exits(facts: Facts) -> Iterator[Finding]:
    stuck, pending, positions = facts.stuck_exits, facts.pending_exits, facts.runtime_open_count
    if stuck is not None and pending is not None and positions is not None and stuck > positions + pending:
        yield _build_contradiction(
            "stuck_exceeds_open",
            f"{format_count(stuck, 'exit is', 'exits are')} stuck with"
            f" {format_count(positions, 'position')} open "
            f"and {format_count(pending, 'exit')} pending.",
            "stuck_exits",
            "pending_exits",
            "open_positions",
            "open_position_count",
        )


def _check_zero_quantity(facts: Facts) -> Iterator[Finding]:
    listed = [position.identity for position in facts.open_positions or () if position.quantity == 0]
    stored = [
        row.title for row in facts.store_positions or () if row.quantity == 0 and row.is_effectively_open
    ]
    if listed or stored:
        yield _build_contradiction(
            "open_with_zero_quantity",
            f"Position {', '.join(dict.fromkeys(listed + stored))} is called open with a quantity of 0.",
            *(["open_positions"] if listed else []),
            *(["store_positions"] if stored else []),
        )


def _check_position_count(facts: Facts) -> Iterator[Finding]:
    for section_values in facts.provenance.alone.values():
        count, rows = section_values.get("open_position_count"), section_values.get("open_positions")
        is_whole = "open_positions" not in facts.provenance.partial
        if count is not None and rows is not None and is_whole and count != len(rows):
            yield _build_contradiction(
                "count_differs_from_list",
                f"The runtime counts {format_count(count, 'open position')} and lists {len(rows)}.",
                "open_position_count",
                "open_positions",
            )


def _check_open_and_closed(facts: Facts) -> Iterator[Finding]:
    closed = {
        trade.trade_id: trade for trade in facts.recent_trades or () if trade.closed_at and trade.trade_id
    }
    both = {p.trade_id: p for p in facts.open_positions or () if p.trade_id and p.trade_id in closed}
    if both:
        descriptions = [_describe_trade(both[trade_id], closed[trade_id]) for trade_id in sorted(both)]
        yield _build_contradiction(
            "trade_open_and_closed",
            f"Trade {', '.join(descriptions)} is listed both as open and as closed.",
            "open_positions",
            "recent_trades",
        )


def _describe_trade(position: Position, trade: Trade) -> str:
    """Return the trade's id with its other ids from either list."""
    signal_id, position_id = position.signal_id or trade.signal_id, position.position_id or trade.position_id
    return f"#{position.trade_id}{format_other_ids(signal_id, position_id)}"
