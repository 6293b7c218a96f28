"""What the Worker says of itself at /healthz (scheduler/src/healthz.ts), held against the run that is to prove it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from detector.domain.schedule_windows import WorkflowRun
from detector.formats.redaction import redact_text
from detector.formats.strict_json import to_one_line
from detector.formats.times import TimeError, format_time, parse_run_time

_OK, _FAILING = "ok", "failing"
_MODES: Final = ("absent", "always")
_REQUIRED: Final = ("last_tick", "newest_own_run")
_NEVER_TICKED: Final = "none since this was deployed"
_LONGEST = 300


def is_worker_answer(health: Mapping[str, Any]) -> bool:
    """Whether an answer has the Worker's shape; with wrong variables it knows its problems and nothing else."""
    problems = health.get("problems")
    if health.get("status") not in {_OK, _FAILING} or not isinstance(problems, list):
        return False
    return is_misconfigured(health) or (
        health.get("mode") in _MODES and all(name in health for name in _REQUIRED)
    )


def is_misconfigured(health: Mapping[str, Any]) -> bool:
    """Whether it is the Worker's answer while a variable or a secret is missing or wrong."""
    return health.get("status") == _FAILING and bool(health.get("problems")) and "mode" not in health


def format_problems(health: Mapping[str, Any]) -> str:
    """Return its problems as one line, redacted and cut."""
    text = "; ".join(str(problem) for problem in health["problems"])
    return to_one_line(redact_text(text))[:_LONGEST]


def find_objection(health: Mapping[str, Any], run: WorkflowRun, started_at: datetime) -> str:
    """Return what the Worker's own answer has against a run as its proof, empty where it has nothing.

    What it does not know is not held against it: without its memory the last tick, and the newest run of its own
    where twenty others came since.
    """
    if not is_worker_answer(health):
        return "that is not the Worker's answer any more"
    if health["status"] != _OK:
        return f"it says that it is failing: {format_problems(health)}"
    return _find_tick_objection(health["last_tick"], started_at) or _find_own_run_objection(
        health["newest_own_run"], run
    )


def _find_tick_objection(tick: object, started_at: datetime) -> str:
    if tick == _NEVER_TICKED:
        return "it never ticked since it was deployed, so that the run is another deployment's"
    if not isinstance(tick, Mapping):
        return ""
    fired = _parse_time(tick.get("fired_at"))
    if fired is None:
        return "its last tick has no time"
    return f"its last tick was at {format_time(fired)}, before STARTED_AT" if fired <= started_at else ""


def _find_own_run_objection(own: object, run: WorkflowRun) -> str:
    if not isinstance(own, Mapping):
        return ""
    newest = _parse_time(own.get("created_at"))
    if newest is None:
        return "the newest run that it knows as its own has no time"
    if newest < run.created_at:
        return f"the newest run that it knows as its own is that of {format_time(newest)}"
    return ""


def _parse_time(text: object) -> datetime | None:
    try:
        return parse_run_time(str(text))
    except TimeError:
        return None
