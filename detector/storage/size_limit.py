"""What of a report is stored: all of it, or what is worth most, well below what every reader of it takes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from detector.domain.condition import Condition
from detector.domain.event import Event
from detector.domain.report import Report
from detector.domain.rule import RANK
from detector.formats.serialize import format_document
from detector.render.document import build_artifact_document

MOST_STORED = 6 * 1024 * 1024  # some 3,000 conditions; readers take 8 MiB packed and 16 MiB unpacked
_SHRINK_FACTOR = 0.9  # what is left out by length is left out a little too much, so that few turns are enough


@dataclass(frozen=True, slots=True)
class LimitedArtifact:
    """The text of an artifact, and how many conditions were left out of it; `whole` without any loss."""

    text: str
    left_out: int = 0
    whole: bool = True


def limit_size(report: Report, with_snapshot: bool = True) -> LimitedArtifact:
    """Return the artifact's text, at most MOST_STORED bytes long.

    Left out first is the snapshot; then the conditions that are worth least: a warning before a critical one, what
    ended before what holds, the older before the newer.
    """
    text = format_document(build_artifact_document(report, with_snapshot))
    size = len(text.encode())
    if size <= MOST_STORED:
        return LimitedArtifact(text)
    if with_snapshot:
        return replace(limit_size(report, with_snapshot=False), whole=False)
    kept = sorted(report.conditions.values(), key=_compute_sort_key)
    while size > MOST_STORED and kept:
        kept = kept[: int(len(kept) * _SHRINK_FACTOR * MOST_STORED / size)]
        text = format_document(
            build_artifact_document(
                _filter_report(report, {condition.signature for condition in kept}), with_snapshot=False
            )
        )
        size = len(text.encode())
    return LimitedArtifact(text, len(report.conditions) - len(kept), whole=False)


def _compute_sort_key(condition: Condition) -> tuple[int, bool, float, str]:
    """Return what sorts the conditions that are worth most first."""
    last = -condition.last_seen.timestamp()
    return -RANK[condition.peak], condition.phase == "ended", last, condition.signature


def _filter_report(report: Report, kept: Collection[str]) -> Report:
    """Return the report as far as it speaks of these conditions."""
    because = tuple(signature for signature in report.decision.because if signature in kept)
    return replace(
        report,
        conditions={
            signature: condition for signature, condition in report.conditions.items() if signature in kept
        },
        events=_filter_events(report.events, kept),
        new_events=_filter_events(report.new_events, kept),
        resolved_events=_filter_events(report.resolved_events, kept),
        held=tuple(signature for signature in report.held if signature in kept),
        muted=tuple(signature for signature in report.muted if signature in kept),
        decision=replace(report.decision, because=because),
    )


def _filter_events(events: tuple[Event, ...], kept: Collection[str]) -> tuple[Event, ...]:
    return tuple(event for event in events if event.signature in kept)
