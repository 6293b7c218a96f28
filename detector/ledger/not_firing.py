"""A condition that does not fire now: it is good, not seen, or its source or rule is gone."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from detector.domain.condition import Condition
from detector.domain.judgement import RuleVerdict
from detector.domain.rule import OCCURRENCE
from detector.formats.times import compute_seconds
from detector.ledger.run_context import RunContext, add_transition, close_condition, close_if_passed
from detector.settings import REOPEN_WITHIN_SEC, Setting

KEEP_FOR = timedelta(days=7)
_GOOD_STREAK_TO_RESOLVE = 2


def advance_not_firing(
    old: Condition, verdict: RuleVerdict, why: str, run: RunContext, lookback: Setting[float] | None
) -> Condition | None:
    """Return the condition after any other verdict, or None where nothing is left to remember.

    An occurrence passes with time; one that was not over is held while its facts are not seen.
    """
    if old.phase == "ended":
        return old
    if verdict == "retired":
        return close_condition(old, "retired", run.taken_at, run)
    if old.kind == OCCURRENCE and (verdict == "good" or not old.ongoing):
        return close_if_passed(old, lookback, run)
    if verdict == "good":
        return _advance_good(old, run)
    return _advance_unknown(old, why, run)


def _advance_good(old: Condition, run: RunContext) -> Condition | None:
    if not old.receipts and not old.owing:
        return None
    since = old.good_since or run.taken_at
    good_streak = old.goods + (run.is_new_snapshot or not old.goods)
    condition = replace(
        old,
        phase="recovering",
        goods=good_streak,
        good_since=since,
        last_good=run.taken_at,
        escalated=False,
        held_since=None,
        held_why=None,
        transitions=old.transitions if old.goods else add_transition(old, run, "good"),
    )
    calm_sec = run.settings[REOPEN_WITHIN_SEC] if old.returns else 0
    if good_streak >= _GOOD_STREAK_TO_RESOLVE and compute_seconds(since, run.taken_at) >= calm_sec:
        return close_condition(condition, "resolved", since, run)
    return condition


def _advance_unknown(old: Condition, why: str, run: RunContext) -> Condition:
    since = old.held_since or run.taken_at
    if run.taken_at - since >= KEEP_FOR:
        return close_condition(old, "unwatched", run.taken_at, run)
    if old.phase == "recovering":
        return replace(old, goods=0, good_since=None, held_since=since, held_why=why)
    transitions = old.transitions if old.phase == "held" else add_transition(old, run, "held")
    return replace(old, phase="held", held_since=since, held_why=why, transitions=transitions)
