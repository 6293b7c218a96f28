"""What `prove` saw, for people; whatever comes from outside is one line, redacted and cut."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from detector.domain.schedule_windows import WorkflowRun
from detector.formats.plural import counted
from detector.formats.redaction import redacted_text
from detector.formats.strict_json import clipped, one_line
from detector.formats.times import text_of

_MAX_CHARS = 400


def render_health(health: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the Worker says of itself at /healthz."""
    yield f"healthz: {clipped(str(health.get('status')))}, mode {clipped(str(health.get('mode')))}"
    problems = health.get("problems")
    for problem in problems if isinstance(problems, list) else ():
        yield f"  problem: {_to_line(problem)}"
    tick = health.get("last_tick")
    text = f"{tick.get('scheduled_for')}: {tick.get('result')}" if isinstance(tick, dict) else str(tick)
    yield f"  last tick: {_to_line(text)}"


def _to_line(text: object) -> str:
    """Return a sentence of the Worker's on one line, redacted; it is longer than a name and no longer than a screen."""
    return one_line(redacted_text(str(text)))[:_MAX_CHARS]


def format_insufficient_runs(label: str, runs: tuple[WorkflowRun, ...]) -> str:
    """Return the line of one kind of runs, newest first, that prove less than is needed."""
    newest = runs[0]
    result = newest.conclusion or newest.status
    return f"{counted(len(runs), 'run')} {label}; newest {text_of(newest.created_at)}, {clipped(result)}, {clipped(newest.title)}"


def format_proof(run: WorkflowRun) -> str:
    """Return the line of the run that proves it."""
    return f"proven: {format_run(run)}, {clipped(run.title)}"


def format_run(run: WorkflowRun) -> str:
    """Return which run it is."""
    return f"run {run.number} of {text_of(run.created_at)}"
