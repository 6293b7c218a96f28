"""The processes that must run on this machine, each by its own supervisor; nothing is started or ended."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from detector.clients.collector_state import open_observations
from detector.collectors._supervisors import ProcessState, read_process
from detector.collectors.collector import Answer, ConfiguredSource, SourceContext, SourceOption
from detector.formats.errors import ExternalError, InputError
from detector.formats.times import format_time, parse_rfc3339
from detector.settings import PROCESSES, RESTART_WINDOW_SEC, RUNTIME, Settings

OPTIONS = (SourceOption("processes", (PROCESSES,), "whether the processes of this machine run"),)


def build_sources(settings: Settings) -> Iterator[ConfiguredSource]:
    """Yield the processes, where some are named."""
    if settings[PROCESSES]:
        entries: tuple[str, ...] = settings[PROCESSES]
        location = ", ".join(entries)
        if "=launchd:" in location:
            location += " (launchd: not tried on a Mac)"
        yield ConfiguredSource("processes", PROCESSES, location, _read_processes)


def _read_processes(context: SourceContext) -> Answer:
    states: dict[str, ProcessState] = {}
    failures: dict[str, ExternalError] = {}
    for entry in context.settings[PROCESSES]:
        name, _, place = (part.strip() for part in entry.partition("="))
        supervisor, _, identifier = place.partition(":")
        try:
            states[name] = read_process(supervisor, identifier.strip(), context)
        except ExternalError as error:
            failures[name] = error
    if not states:
        first = next(iter(failures.values()))
        raise ExternalError(f"no process could be seen: {first}", reason=first.reason)
    starts: dict[str, int] = {}
    with suppress(ExternalError):  # without a memory of its own the collector counts no starts
        starts = _count_starts(states, context)
    rows = [_build_row(name, state, starts.get(name)) for name, state in states.items()]
    rows += [{"name": name} for name in failures]
    note = "; ".join(f"{name} not seen: {error}" for name, error in failures.items())
    return Answer(rows, context.clock(), note or None)


def _build_row(name: str, state: ProcessState, starts: int | None) -> dict[str, Any]:
    row = {
        "name": name,
        "running": state.running,
        "pid": state.pid,
        "started_at": format_time(state.started_at) if state.started_at else None,
        "starts_recent": starts,
        "exit_code": state.exit_code,
    }
    return {key: value for key, value in row.items() if value is not None}


def _count_starts(states: dict[str, ProcessState], context: SourceContext) -> dict[str, int]:
    """Return the starts of each process within the window, from what earlier runs saw on this machine."""
    now = context.clock()
    window = timedelta(seconds=context.settings[RESTART_WINDOW_SEC])
    counts: dict[str, int] = {}
    with open_observations(context.environ, "process-starts") as observations:
        stored = observations.values.get(context.settings[RUNTIME])
        by_name = stored if isinstance(stored, dict) else {}
        kept: dict[str, Any] = {}
        for name, state in states.items():
            samples = list(_iter_samples(by_name.get(name), now, window))
            sample = _build_sample(state, samples[-1] if samples else None, now)
            if samples and sample["starts"] < samples[-1]["starts"]:
                samples = []  # the supervisor counts from zero again
            if samples:
                counts[name] = sample["starts"] - samples[0]["starts"]
            kept[name] = [*samples, sample][-_MAX_SAMPLES:]
        observations.values[context.settings[RUNTIME]] = kept
    return counts


_MAX_SAMPLES = 500


def _iter_samples(raw: Any, now: datetime, window: timedelta) -> Iterator[dict[str, Any]]:
    """Yield the samples within the window; a sample from the future is of a clock that was set back."""
    for sample in raw if isinstance(raw, list) else ():
        with suppress(InputError, TypeError, KeyError):
            if timedelta() <= now - parse_rfc3339(sample["at"]) <= window and isinstance(
                sample["starts"], int
            ):
                yield sample


def _build_sample(state: ProcessState, last: dict[str, Any] | None, now: datetime) -> dict[str, Any]:
    """Return this moment's sample; without a supervisor's count, another process id is one more start."""
    starts = state.starts
    if starts is None:
        starts = 0 if last is None else last["starts"]
        if last is not None and state.pid is not None and state.pid != last.get("pid"):
            starts += 1
    pid = state.pid if state.pid is not None or last is None else last.get("pid")
    return {"at": format_time(now), "starts": starts, "pid": pid}
