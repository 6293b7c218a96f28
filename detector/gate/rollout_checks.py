"""The decisions about the deployment itself: what a person states, and what `before` pinned."""

from __future__ import annotations

from collections.abc import Iterator

from detector.domain.gate_report import NO, PASSED, UNPROVEN, YES
from detector.formats.numbers import format_first
from detector.formats.times import compute_seconds, format_duration, format_limit, format_time
from detector.gate.check import GateContext, GateDecision
from detector.gate.exposure import Change, find_unused, list_changes, list_lost
from detector.market.hours import count_open_seconds
from detector.settings import SOURCE_STALE_SEC

_SCAN_CYCLES = 2
_MOST_CHANGES = 4


def decide_approval(context: GateContext) -> Iterator[GateDecision]:
    """A person with the right to it approved this deployment, as the option states."""
    text = context.answers.approval
    yield (
        GateDecision(YES, f"stated: {text}")
        if text
        else GateDecision(UNPROVEN, "nobody stated who approved it")
    )


def decide_quiet_window(context: GateContext) -> Iterator[GateDecision]:
    """The market is closed; where it is open, a person states the quiet window."""
    market, text = context.facts.market, context.answers.quiet_window
    if market.is_open is False:
        opens = "" if market.opens_in is None else f" for {format_duration(market.opens_in)} more"
        yield GateDecision(YES, f"the market is closed{opens}")
    elif market.is_open is None:
        yield GateDecision(UNPROVEN, market.why_unknown or "the market's hours are not known")
    elif text:
        yield GateDecision(YES, f"the market is open; stated: {text}")
    else:
        yield GateDecision(UNPROVEN, "the market is open, and nobody stated a quiet window")


def decide_snapshot(context: GateContext) -> Iterator[GateDecision]:
    """The snapshot is of now: an old one says nothing about a deployment that begins now."""
    age = compute_seconds(context.facts.taken_at, context.now)
    limit = context.settings[SOURCE_STALE_SEC]
    where = "ago" if age >= 0 else "ahead of the clock"
    text = f"taken {format_duration(abs(age))} {where} ({format_limit(abs(age), limit)})"
    yield GateDecision(YES if abs(age) <= limit else UNPROVEN, text)


def decide_pinned(context: GateContext) -> Iterator[GateDecision]:
    """Something says what is held: without it nothing can be compared afterwards."""
    exposure = context.facts.exposure
    text = "not counted" if exposure is None else f"{exposure} open"
    yield GateDecision(UNPROVEN if exposure is None else YES, text)


def decide_before(context: GateContext) -> Iterator[GateDecision]:
    """The artifact of `gate before` is given, of this runtime, older than this snapshot, and passed."""
    before = context.before
    if before is None or before.exposure is None:
        yield GateDecision(UNPROVEN, context.before_fault or "no artifact of `gate before` was given")
        return
    at = format_time(before.taken_at)
    if before.taken_at >= context.facts.taken_at:
        yield GateDecision(UNPROVEN, f"`gate before` at {at} is not older than this snapshot")
    elif before.verdict != PASSED:
        yield GateDecision(NO, f"`gate before` at {at} did not pass ({before.verdict})")
    else:
        yield GateDecision(YES, f"`gate before` passed at {at}")


def decide_unchanged(context: GateContext) -> Iterator[GateDecision]:
    """No position, order, execution or counter changed since `before` without an explanation."""
    before = context.before
    if before is None or before.exposure is None:
        yield GateDecision(UNPROVEN, "nothing was pinned to compare with")
        return
    changes = list(list_changes(before.exposure, context.facts, before.taken_at))
    explained = context.answers.explained
    open_changes = [
        change for change in changes if change.explanation is None and change.subject not in explained
    ]
    if open_changes:
        texts = [change.text for change in open_changes]
        yield GateDecision(NO, f"unexplained: {format_first(texts, _MOST_CHANGES, '; ', '; and {} more')}")
    lost = list_lost(before.exposure, context.facts)
    if lost:
        yield GateDecision(UNPROVEN, f"read before and not in full now: {', '.join(lost)}")
    unused = find_unused(explained, (change.subject for change in changes))
    if unused:
        yield GateDecision(UNPROVEN, f"an explanation names no change: {', '.join(unused)}")
    if changes and not open_changes:
        yield GateDecision(YES, f"{len(changes)} explained: {_describe_explained(changes[0], explained)}")
    elif not changes:
        yield GateDecision(YES, "nothing changed")


def _describe_explained(change: Change, explained: object) -> str:
    reason = explained.get(change.subject) if isinstance(explained, dict) else None
    return f"{change.text} ({reason or change.explanation})"


def decide_scan_cycles(context: GateContext) -> Iterator[GateDecision]:
    """Two scan cycles were watched where the market was open since `before`."""
    before, cycles = context.before, context.answers.scan_cycles
    facts = context.facts
    if before is None:
        yield GateDecision(UNPROVEN, "since when is not known without the artifact of `gate before`")
        return
    open_sec = count_open_seconds(before.taken_at, facts.taken_at, facts.closures)
    if open_sec is None:
        yield GateDecision(UNPROVEN, "the market's hours since `gate before` are not known")
    elif open_sec == 0 and facts.market.is_open is False:
        yield GateDecision(YES, "the market was closed throughout: none is due")
    elif cycles is None:
        yield GateDecision(UNPROVEN, f"the market was open, and nobody stated {_SCAN_CYCLES} scan cycles")
    else:
        yield GateDecision(
            YES if cycles >= _SCAN_CYCLES else NO, f"stated: {cycles} (at least {_SCAN_CYCLES})"
        )
