"""What `prove` saw, for people; whatever comes from outside is one line, redacted and cut."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from detector.domain.schedule_windows import WorkflowRun
from detector.formats.plural import counted
from detector.formats.redaction import redacted_text
from detector.formats.strict_json import clipped, one_line
from detector.formats.times import text_of

_LONGEST = 400


def health_lines(health: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the Worker says of itself at /healthz."""
    yield f"healthz: {clipped(str(health.get('status')))}, mode {clipped(str(health.get('mode')))}"
    problems = health.get("problems")
    for one in problems if isinstance(problems, list) else ():
        yield f"  problem: {_whole(one)}"
    tick = health.get("last_tick")
    said = f"{tick.get('scheduled_for')}: {tick.get('result')}" if isinstance(tick, dict) else str(tick)
    yield f"  last tick: {_whole(said)}"


def _whole(text: object) -> str:
    """Return a sentence of the Worker's on one line, redacted; it is longer than a name and no longer than a screen."""
    return one_line(redacted_text(str(text)))[:_LONGEST]


def seen_line(words: str, runs: tuple[WorkflowRun, ...]) -> str:
    """Return the line of one kind of runs, newest first, that prove less than is needed."""
    newest = runs[0]
    result = newest.conclusion or newest.status
    return f"{counted(len(runs), 'run')} {words}; newest {text_of(newest.created_at)}, {clipped(result)}, {clipped(newest.title)}"


def proven_line(run: WorkflowRun) -> str:
    """Return the line of the run that proves it."""
    return f"proven: {run_line(run)}, {clipped(run.title)}"


def run_line(run: WorkflowRun) -> str:
    """Return which run it is."""
    return f"run {run.number} of {text_of(run.created_at)}"
