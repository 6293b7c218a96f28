"""The monitor: runs follow each other without a gap."""

from __future__ import annotations

from detector.domain.facts import Facts, known
from detector.domain.rule import CRITICAL, OCCURRENCE, WARNING, Finding, Limits, RuleResults, exceeds, rule
from detector.formats.numbers import format_count
from detector.formats.times import format_above, format_over, format_utc
from detector.settings import GAP_SEC


@rule(OCCURRENCE, "warning; critical if positions were open", limits=[exceeds(GAP_SEC)], monitor=True)
def check(facts: Facts, limits: Limits) -> RuleResults:
    """No run looked for longer than the limit while the market was open; notified once a session."""
    gap = facts.measure_gap(limits[GAP_SEC])
    if gap is None:
        return
    unwatched, open_positions = known(facts.open_unwatched), facts.before.open_positions
    since = known(facts.before.taken_at)
    position_note = f", with {format_count(open_positions, 'position')} open" if open_positions else ""
    yield Finding(
        CRITICAL if open_positions else WARNING,
        f"Nobody looked from {format_utc(since)} to {format_utc(facts.taken_at)},"
        f" {format_above(unwatched, limits[GAP_SEC])} of it "
        f"in the regular session ({format_over(limits[GAP_SEC])}){position_note}.",
        observed=unwatched,
        limit=GAP_SEC,
        at=gap.at,
        again=gap.at == facts.taken_at,
    )
