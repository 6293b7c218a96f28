"""The evidence of `prove` as lines; every text from outside is one line, redacted and cut."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from detector.domain.run_windows import WorkflowRun
from detector.formats.numbers import format_count
from detector.formats.redaction import redact_text
from detector.formats.strict_json import redact_excerpt, to_one_line
from detector.formats.times import format_time

_MAX_CHARS = 400


def render_health(health: Mapping[str, Any]) -> Iterator[str]:
    """Yield the Worker's status from /healthz as lines."""
    status, mode = (redact_excerpt(str(health.get(key))) for key in ("status", "mode"))
    yield f"healthz: {status}, mode {mode}"
    problems = health.get("problems")
    for problem in problems if isinstance(problems, list) else ():
        yield f"  problem: {_to_line(problem)}"
    tick = health.get("last_tick")
    text = f"{tick.get('scheduled_for')}: {tick.get('result')}" if isinstance(tick, dict) else str(tick)
    yield f"  last tick: {_to_line(text)}"


def _to_line(text: object) -> str:
    """Return a sentence of the Worker as one redacted line of at most 400 characters."""
    return to_one_line(redact_text(str(text)))[:_MAX_CHARS]


def format_insufficient_runs(label: str, runs: tuple[WorkflowRun, ...]) -> str:
    """Return a line on runs of one kind, newest first, that are too few to prove it."""
    newest = runs[0]
    result = newest.conclusion or newest.status
    newest_text = (
        f"{format_time(newest.created_at)}, {redact_excerpt(result)}, {redact_excerpt(newest.title)}"
    )
    return f"{format_count(len(runs), 'run')} {label}; newest {newest_text}"


def format_proof(run: WorkflowRun) -> str:
    """Return a line on the run that proves it."""
    return f"proven: {format_run(run)}, {redact_excerpt(run.title)}"


def format_run(run: WorkflowRun) -> str:
    """Return the number and the time of a run."""
    return f"run {run.number} of {format_time(run.created_at)}"
