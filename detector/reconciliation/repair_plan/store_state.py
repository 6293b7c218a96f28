"""Whether the runtime's stores were read in full: only then does a plan that finds nothing mean that nothing differs."""

from __future__ import annotations

from collections.abc import Iterator

from detector.domain.facts import Facts
from detector.domain.store_rows import POSITION_STATE, TRADES
from detector.formats.times import format_duration

_LISTS = {"store_positions": POSITION_STATE, "store_trades": TRADES}


def explain_incomplete_stores(facts: Facts) -> str | None:
    """Return why what the stores say is not all that they hold, None where nothing speaks against it."""
    return next(_iter_store_problems(facts), None)


def _iter_store_problems(facts: Facts) -> Iterator[str]:
    source = facts.sources.get("stores")
    if source is not None and source.state == "failed":
        yield f"The stores could not be read: {source.detail or source.reason or 'no reason given'}."
    if "stores" in facts.stale:
        yield f"The stores were read {format_duration(facts.stale['stores'])} ago, which is too old."
    if any(name == "reader of stores" for name, _ in facts.errors):
        yield "The detector itself failed on what the stores say."
    for fault in facts.invalid:
        if fault.path.partition(".")[0] == "stores":
            yield f"The stores could not be read in full: {fault.path} {fault.problem}."
    incomplete = [name for fact, name in _LISTS.items() if fact in facts.provenance.partial]
    if incomplete:
        yield f"The stores could not be read in full: {' and '.join(incomplete)} has rows that say nothing."
    if facts.store_positions is None and facts.open_positions is None:
        yield "No store and no list of the runtime's own says what is open."
