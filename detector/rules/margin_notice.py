"""Margin: the broker announces no liquidation, and makes none."""

from __future__ import annotations

from detector.domain.broker_rows import Execution
from detector.domain.facts import Facts
from detector.domain.rule import CRITICAL, NOW, OCCURRENCE, Finding, Limits, RuleResults, rule
from detector.formats.numbers import format_count, format_list
from detector.formats.times import format_utc
from detector.logs.bursts import find_repeated
from detector.logs.events import MARGIN, MAX_NEWS_AGE


@rule(
    OCCURRENCE,
    "critical",
    any_of=["logs", "broker_executions"],
    reads_back=MAX_NEWS_AGE.total_seconds(),
    money=True,
    escalates=NOW,
    signal="severe_signals",
)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """The broker sent an urgent notice on margin or liquidation, or marks an execution as one."""
    history = facts.logs
    recent = [
        notice
        for notice in (() if history is None else find_repeated(history, MARGIN))
        if history is not None and history.is_news(notice.last, facts.taken_at - MAX_NEWS_AGE)
    ]
    if recent:
        at = max(notice.at for notice in recent)
        yield Finding(
            CRITICAL,
            f"The broker sent an urgent notice on margin at {format_utc(at)} ({recent[-1].note}).",
            at=at,
            facts=("logs",),
        )
    rows = [row for row in facts.broker_executions or () if row.is_liquidation and _is_news(row, facts)]
    if rows:
        count = format_count(len(rows), "execution is", "executions are")
        yield Finding(
            CRITICAL,
            f"{count} marked as a liquidation by the broker: {format_list([row.title for row in rows])}.",
            at=max((row.at for row in rows if row.at is not None), default=None),
            facts=("broker_executions",),
        )


def _is_news(row: Execution, facts: Facts) -> bool:
    """Whether an execution is the runtime's and of the last hour, or newer than the previous run."""
    if facts.broker_account is not None and row.account not in (None, facts.broker_account):
        return False
    oldest = facts.taken_at - MAX_NEWS_AGE
    return row.at is None or row.at >= min(oldest, facts.before.taken_at or oldest)
