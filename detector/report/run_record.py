"""The runs of a report: put in order, and what is wrong with the order said."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from detector.domain.report import Report
from detector.formats.numbers import format_count
from detector.formats.times import compute_seconds, format_duration, format_utc

_FEWEST_STEPS = 3  # between runs, before an interval is called usual


class RunRecord(Struct, frozen=True):
    """One run: its report, and its redacted snapshot; None where none was kept.

    `is_artifact` is False where the report was made from a bare snapshot just now.
    """

    report: Report
    snapshot: Mapping[str, Any] | None = None
    is_artifact: bool = True

    @property
    def at(self) -> datetime:
        """When the snapshot was taken."""
        return self.report.taken_at


class RunHistory(Struct, frozen=True):
    """The runs of one runtime by time, and remarks about those that are doubled, missing or left out."""

    runtime: str
    runs: tuple[RunRecord, ...]
    remarks: tuple[str, ...] = ()


def build_history(records: Iterable[RunRecord], runtime: str | None = None) -> RunHistory:
    """Return the runs of one runtime in order: of `runtime`, else of that of the newest run."""
    given = list(records)
    remarks: list[str] = []
    names = Counter(record.report.runtime for record in given)
    newest = max(given, key=lambda record: record.at, default=None)
    chosen = runtime or (newest.report.runtime if newest else "")
    for name, count in sorted(names.items()):
        if name != chosen:
            remarks.append(f"{format_count(count, 'run')} of another runtime ({name}) left out")
    own = [record for record in given if record.report.runtime == chosen]
    ordered = sorted(own, key=lambda record: (record.at, record.report.generation))
    if [record.at for record in own] != [record.at for record in ordered]:
        remarks.append("the runs were given out of order; they are sorted by their times")
    runs = list({_get_key(record): record for record in ordered}.values())
    copies = sum(earlier.report == later.report for earlier, later in _iter_twins(ordered))
    if copies:
        remarks.append(f"{format_count(copies, 'run')} given twice counts once")
    if len(ordered) - len(runs) > copies:
        remarks.append(
            f"{format_count(len(ordered) - len(runs) - copies, 'run')} of the same moment as another one"
            " that differs left out"
        )
    remarks += _describe_generations(runs)
    return RunHistory(chosen, tuple(runs), tuple(remarks))


def _get_key(record: RunRecord) -> tuple[datetime, int]:
    return record.at, record.report.generation if record.is_artifact else 0


def _iter_twins(ordered: Sequence[RunRecord]) -> Iterator[tuple[RunRecord, RunRecord]]:
    pairs = itertools.pairwise(ordered)
    return ((earlier, later) for earlier, later in pairs if _get_key(earlier) == _get_key(later))


def describe_missing_snapshots(runs: Sequence[RunRecord]) -> list[str]:
    """Return a remark on the stretches without a bare snapshot that are over twice as long as usual.

    Artifacts have generations instead, which show how many are missing.
    """
    times = [record.at for record in runs if not record.is_artifact]
    steps = [(compute_seconds(*pair), *pair) for pair in itertools.pairwise(times)]
    if len(steps) < _FEWEST_STEPS:
        return []
    usual = sorted(step for step, *_ in steps)[len(steps) // 2]
    stretches = [step for step in steps if step[0] > 2 * usual]
    if not stretches:
        return []
    longest, since, until = max(stretches)
    text = (
        f"snapshots seem to be missing in {format_count(len(stretches), 'stretch', 'stretches')}: one usually"
        f" came every {format_duration(usual)}, and none for {format_duration(longest)} from"
        f" {format_utc(since)} to {format_utc(until)}"
    )
    return [text]


def _describe_generations(runs: Sequence[RunRecord]) -> list[str]:
    """Return remarks on generations that are missing between two artifacts, or that run backwards."""
    artifacts = [record for record in runs if record.is_artifact]
    missing, backwards = 0, []
    for earlier, later in itertools.pairwise(artifacts):
        step = later.report.generation - earlier.report.generation
        if step > 1:
            missing += step - 1
        elif step < 1:
            backwards.append(format_utc(later.at))
    remarks = [f"{format_count(missing, 'run')} between these is not at hand"] if missing else []
    if backwards:
        remarks.append(f"the memory began again or was not carried on at {', '.join(backwards[:5])}")
    return remarks
