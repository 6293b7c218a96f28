"""What of a report is stored: all of it, or what is worth most, well below what every reader of it takes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from detector.domain.condition import Condition
from detector.domain.event import Event
from detector.domain.report import Report
from detector.domain.rule import RANK
from detector.formats.strict_json import pretty
from detector.render.document import build_artifact_document

MOST_STORED = 6 * 1024 * 1024  # some 3,000 conditions; readers take 8 MiB packed and 16 MiB unpacked
_LESS = 0.9  # what is left out by length is left out a little too much, so that few turns are enough


@dataclass(frozen=True, slots=True)
class Stored:
    """The text of an artifact, and how many conditions were left out of it; `whole` without any loss."""

    text: str
    left_out: int = 0
    whole: bool = True


def stored(report: Report, with_snapshot: bool = True) -> Stored:
    """Return the artifact's text, at most MOST_STORED bytes long.

    Left out first is the snapshot; then the conditions that are worth least: a warning before a critical one, what
    ended before what holds, the older before the newer.
    """
    text = pretty(build_artifact_document(report, with_snapshot))
    size = len(text.encode())
    if size <= MOST_STORED:
        return Stored(text)
    if with_snapshot:
        return replace(stored(report, with_snapshot=False), whole=False)
    kept = sorted(report.conditions.values(), key=_worth)
    while size > MOST_STORED and kept:
        kept = kept[: int(len(kept) * _LESS * MOST_STORED / size)]
        text = pretty(build_artifact_document(_only(report, {one.signature for one in kept}), with_snapshot=False))
        size = len(text.encode())
    return Stored(text, len(report.conditions) - len(kept), whole=False)


def _worth(condition: Condition) -> tuple[int, bool, float, str]:
    """Return what sorts the conditions that are worth most first."""
    last = -condition.last_seen.timestamp()
    return -RANK[condition.peak], condition.phase == "ended", last, condition.signature


def _only(report: Report, kept: Collection[str]) -> Report:
    """Return the report as far as it speaks of these conditions."""
    because = tuple(one for one in report.decision.because if one in kept)
    return replace(
        report,
        conditions={key: one for key, one in report.conditions.items() if key in kept},
        events=_of(report.events, kept),
        new_events=_of(report.new_events, kept),
        resolved_events=_of(report.resolved_events, kept),
        held=tuple(one for one in report.held if one in kept),
        muted=tuple(one for one in report.muted if one in kept),
        decision=replace(report.decision, because=because),
    )


def _of(events: tuple[Event, ...], kept: Collection[str]) -> tuple[Event, ...]:
    return tuple(one for one in events if one.signature in kept)
