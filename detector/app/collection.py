"""Collecting: the configured sources are read in parallel and become the sections of a snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field
from msgspec.structs import replace

from detector.app.input_documents import redact_document
from detector.collectors.collector import SourceContext, find_source_conflicts, list_configured_sources
from detector.collectors.run_sources import SourceResult, collect_in_parallel
from detector.domain.snapshot import KEYS, PARTS, SECTIONS, add_section, split_parts
from detector.formats.errors import TOO_LARGE, InputError
from detector.formats.serialize import format_canonical
from detector.formats.strict_json import MAX_BYTES
from detector.formats.times import compute_seconds, format_duration, format_time, parse_rfc3339
from detector.settings import RUNTIME, SOURCE_STALE_SEC, SOURCES_OFF, Settings

if TYPE_CHECKING:
    from detector.app.job import Job

_MAX_SECTIONS_BYTES = MAX_BYTES - 1024 * 1024  # all sections together; the rest is for the other keys


class CollectResult(Struct):
    """The result of each source, and the sections and `sources` entries for the snapshot."""

    collected: list[SourceResult] = field(default_factory=list)
    sections: dict[str, Any] = field(default_factory=dict)
    entries: dict[str, Any] = field(default_factory=dict)


def collect_sources(job: Job, previous: Any = None, skip: frozenset[str] = frozenset()) -> CollectResult:
    """Read every configured source in parallel, those of the sections in `skip` excepted.

    `previous` is the previous artifact as it was read; it may be anything. Raises InputError where settings
    contradict each other.
    """
    app, settings = job.app, job.settings
    contradictions = list(find_source_conflicts(settings))
    if contradictions:
        raise InputError(*contradictions)
    sources = [source for source in list_configured_sources(settings) if source.name not in skip]
    since, missed = _read_logs_state(previous)
    context = SourceContext(settings, app.environ, job.clock, since, missed)
    prints_progress = not job.plan.quiet and app.stderr.isatty()
    result = CollectResult()
    for outcome in collect_in_parallel(sources, context):
        result.collected.append(outcome)
        if prints_progress:
            app.print_stderr(format_progress(outcome))
    result.collected.sort(key=lambda outcome: get_place(outcome.source.name))
    _add_sections(result)
    off: tuple[str, ...] = settings[SOURCES_OFF]
    result.entries |= {name: {"state": "off"} for name in off if name not in skip}
    return result


def get_place(name: str) -> tuple[int, str]:
    """Return the place of a section in the order of the schema, a part behind its section."""
    return KEYS.index(name.partition(".")[0]), name


def format_progress(outcome: SourceResult) -> str:
    """Return one source's progress line: its name, its seconds, its state and why it failed."""
    state = "ok" if outcome.answer is not None else f"failed ({outcome.reason})"
    detail = f": {outcome.detail}" if outcome.detail else ""
    return f"{outcome.source.name:<12}{outcome.elapsed_ms / 1000:6.2f} s  {state}{detail}"


def _add_sections(result: CollectResult) -> None:
    """Fill sections and entries; where the document would be too large, the largest sections are left out."""
    sizes = {
        outcome.source.name: len(format_canonical(outcome.answer.section))
        for outcome in result.collected
        if outcome.answer is not None
    }
    while sum(sizes.values()) > _MAX_SECTIONS_BYTES:
        del sizes[max(sizes, key=lambda name: sizes[name])]
    result.collected = [
        outcome if outcome.source.name in sizes else _mark_too_large(outcome) for outcome in result.collected
    ]
    for outcome in result.collected:
        result.entries[outcome.source.name] = outcome.entry
        if outcome.answer is not None:
            add_section(result.sections, outcome.source.name, outcome.answer.section)


def _mark_too_large(outcome: SourceResult) -> SourceResult:
    if outcome.answer is None:
        return outcome
    detail = "with the other sections it is more than a snapshot can hold"
    return replace(outcome, answer=None, reason=TOO_LARGE, detail=detail)


def _read_logs_state(previous: Any) -> tuple[datetime | None, bool]:
    """Return when an earlier run last read the logs, and whether its last attempt failed."""
    document = previous if isinstance(previous, dict) else {}
    sources = document.get("sources")
    entry = sources.get("logs") if isinstance(sources, dict) else None
    state = entry.get("state") if isinstance(entry, dict) else None
    if state == "ok":
        with suppress(InputError):
            return parse_rfc3339(str(document.get("taken_at"))), False
    return None, state == "failed"


def collect_missing(
    job: Job, document: Mapping[str, Any], taken_at: datetime, previous: Any
) -> CollectResult:
    """Collect the sections of the plan that the document lacks and does not declare as switched off.

    Nothing is collected for a snapshot of another time: the present proves nothing about the past.
    """
    now = job.clock()
    apart_sec = max(compute_seconds(taken_at, now), compute_seconds(now, taken_at))
    if apart_sec > job.settings[SOURCE_STALE_SEC]:
        job.app.print_stderr(
            f"The snapshot was taken {format_duration(apart_sec)} away from now: nothing is collected for it."
        )
        return CollectResult()
    given = split_parts(document)
    provided = {name for name in (*SECTIONS, *PARTS) if given.get(name) is not None}
    sources = document.get("sources") or {}
    off = {name for name, entry in sources.items() if isinstance(entry, dict) and entry.get("state") == "off"}
    unwanted = {*SECTIONS, *PARTS} - set(job.plan.sections)
    return collect_sources(job, previous, frozenset(provided | off | unwanted))


def build_snapshot_document(
    settings: Settings, sections: Mapping[str, Any], taken_at: datetime
) -> dict[str, Any]:
    """Return the collected sections as a redacted snapshot, its keys in the order of the schema."""
    document = {"taken_at": format_time(taken_at), "runtime": settings[RUNTIME], "sources": {}, **sections}
    redacted, _, _ = redact_document(document, settings, {})
    return {key: redacted[key] for key in KEYS if key in redacted}
