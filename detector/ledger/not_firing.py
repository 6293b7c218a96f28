"""The steps of a condition that does not fire now: good, held or ended."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from detector.domain.condition import Condition, Ending, Transition
from detector.domain.judgement import RuleVerdict
from detector.domain.rule import OCCURRENCE
from detector.formats.times import compute_seconds
from detector.ledger.run_context import RunContext
from detector.settings import REOPEN_WITHIN_SEC, Setting

OCCURRENCE_LOOKBACK_SEC = 3600.0
_MAX_TRANSITIONS = 20
KEEP_FOR = timedelta(days=7)
_GOOD_STREAK_TO_RESOLVE = 2


def close_if_passed(old: Condition, lookback: Setting[float] | None, run: RunContext) -> Condition:
    """Return an occurrence, ended as `passed` once its look-back is over; it never resolves."""
    over = compute_seconds(old.noticed_at or old.first_seen, run.taken_at) > get_lookback_sec(lookback, run)
    if old.phase == "ended" or not over:
        return old
    return close_condition(old, "passed", run.taken_at, run)


def get_lookback_sec(lookback: Setting[float] | None, run: RunContext) -> float:
    """Return for how many seconds an occurrence stays listed: its own look-back, at least an hour."""
    own = run.settings[lookback] if lookback is not None else 0
    return max(own, OCCURRENCE_LOOKBACK_SEC)


def close_condition(old: Condition, ending: Ending, at: datetime, run: RunContext) -> Condition:
    """Return the condition ended at `at` in that way."""
    return replace(
        old,
        phase="ended",
        ending=ending,
        ended_at=at,
        escalated=False,
        because_of=None,
        transitions=add_transition(old, run, ending),
    )


def add_transition(old: Condition, run: RunContext, to: str) -> tuple[Transition, ...]:
    """Return the condition's transitions with one more, the newest 20 kept."""
    return (*old.transitions, Transition(run.taken_at, to))[-_MAX_TRANSITIONS:]


def advance_not_firing(
    old: Condition, verdict: RuleVerdict, why: str, run: RunContext, lookback: Setting[float] | None
) -> Condition | None:
    """Return the condition after a verdict that is not firing, or None where nothing has to be remembered.

    An occurrence passes with time; an ongoing one is held while its facts are unknown.
    """
    if old.phase == "ended":
        return old
    if verdict == "retired":
        return close_condition(replace(old, held_why=why), "retired", run.taken_at, run)
    if old.kind == OCCURRENCE and (verdict == "good" or not old.ongoing):
        return close_if_passed(replace(old, quiet=True), lookback, run)
    if verdict == "good":
        return _advance_good(old, run)
    return _advance_unknown(old, why, run)


def _advance_good(old: Condition, run: RunContext) -> Condition | None:
    if not old.receipts and not old.owing:
        return None
    since = old.good_since or run.taken_at
    counts = not old.goods or run.is_next_observation(old.counted_at or old.last_good)
    good_streak = old.goods + counts
    condition = replace(
        old,
        phase="recovering",
        goods=good_streak,
        counted_at=run.taken_at if counts else old.counted_at,
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
    elsewhere = run.is_of_other_lane(old)
    if elsewhere and old.phase in ("recovering", "held"):
        return old  # what another lane reads is neither good nor unseen in this run
    if old.phase == "recovering":
        return replace(old, goods=0, good_since=None, held_since=since, held_why=why)
    return replace(
        old,
        phase="held",
        held_since=since,
        held_why=why,
        held_elsewhere=elsewhere,
        transitions=old.transitions if old.phase == "held" else add_transition(old, run, "held"),
    )
