"""Proves the external scheduler by a recent successful run of its own, and by its own /healthz.

Shape of /healthz: scheduler/src/healthz.ts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from msgspec import Struct

from detector.domain.run_windows import (
    COMPLETED,
    DISPATCH,
    SCHEDULE,
    TITLE_PREFIX,
    TRIGGER_EVENTS,
    WorkflowRun,
)
from detector.formats.errors import InputError
from detector.formats.redaction import redact_text
from detector.formats.strict_json import to_one_line
from detector.formats.times import format_utc, parse_run_time
from detector.schedule.cron import CLOUDFLARE, read_cron
from detector.schedule.schedule_files import WORKER_SOURCE

SKEW: Final = timedelta(seconds=60)
"""The tolerated difference between our clock and GitHub's: runs within it are not recent."""

_OWN_TITLE: Final = f"{TITLE_PREFIX}{DISPATCH} {WORKER_SOURCE}"
_OLDER: Final = "from the Worker, older: created before STARTED_AT, or within a minute of it"
_FUTURE: Final = "created in the future: one of the two clocks is wrong"
_RUNNING, _IN_VAIN = "from the Worker, still running", "from the Worker, not successful"
_OLD_DEPLOYMENT: Final = "from a Worker with another cron: an old deployment still ticks"
_RECOVERED: Final = "of GitHub's own schedule, which has recovered"
_OTHER_SOURCE: Final = "dispatched by another source"
_LESSER: Final = (_RUNNING, _IN_VAIN, _OLDER, _FUTURE, _OLD_DEPLOYMENT, _RECOVERED, _OTHER_SOURCE)


class ProofCriteria(Struct, frozen=True):
    """The wanted run: created after `started_at` and not after `now`, by one of the Worker's `crons`.

    Without the Worker's configuration `crons` is None, and any cron that is valid on Cloudflare counts.
    """

    started_at: datetime
    now: datetime
    crons: Collection[str] | None = None


class Proof(Struct, frozen=True):
    """The run that proves it, or None, and the other runs by label, newest first."""

    run: WorkflowRun | None
    lesser: tuple[tuple[str, tuple[WorkflowRun, ...]], ...]


def find_proof(runs: Iterable[WorkflowRun], criteria: ProofCriteria) -> Proof:
    """Return the proof: the oldest success of the Worker that is more than SKEW newer than `started_at`."""
    newest_first = sorted(runs, key=lambda run: run.created_at, reverse=True)
    proven: WorkflowRun | None = None
    lesser: dict[str, list[WorkflowRun]] = {label: [] for label in _LESSER}
    for run in newest_first:
        label = _classify(run, criteria)
        if label is None:
            proven = run
        elif label:
            lesser[label].append(run)
    return Proof(
        proven, tuple((label, tuple(label_runs)) for label, label_runs in lesser.items() if label_runs)
    )


def _classify(run: WorkflowRun, criteria: ProofCriteria) -> str | None:
    """Return the label of a run that is no proof, empty for an unrelated run, None for a proof."""
    dispatched = run.event == TRIGGER_EVENTS[DISPATCH]
    cron = run.title.removeprefix(_OWN_TITLE) if dispatched and run.title.startswith(_OWN_TITLE) else ""
    own = cron in criteria.crons if criteria.crons is not None else _is_cron(cron)
    if run.created_at <= criteria.started_at + SKEW:
        return _OLDER if own and run.is_successful else ""
    if run.created_at > criteria.now + SKEW:
        return _FUTURE
    if own:
        return None if run.is_successful else _IN_VAIN if run.status == COMPLETED else _RUNNING
    if dispatched:
        return _OLD_DEPLOYMENT if _is_cron(cron) else _OTHER_SOURCE
    return _RECOVERED if run.event == TRIGGER_EVENTS[SCHEDULE] and run.is_successful else ""


def _is_cron(text: str) -> bool:
    try:
        return read_cron(text, CLOUDFLARE).text == " ".join(text.split())
    except InputError:
        return False


_OK, _FAILING = "ok", "failing"
_MODES: Final = ("absent", "always")
_REQUIRED: Final = ("last_tick", "newest_own_run")
_NEVER_TICKED: Final = "none since this was deployed"
_LONGEST = 300


def is_worker_answer(health: Mapping[str, Any]) -> bool:
    """Whether a response has the Worker's shape; with wrong variables it has only its problems."""
    problems = health.get("problems")
    if health.get("status") not in {_OK, _FAILING} or not isinstance(problems, list):
        return False
    return is_misconfigured(health) or (
        health.get("mode") in _MODES and all(name in health for name in _REQUIRED)
    )


def is_misconfigured(health: Mapping[str, Any]) -> bool:
    """Whether it is the Worker's response while a variable or a secret is missing or wrong."""
    return health.get("status") == _FAILING and bool(health.get("problems")) and "mode" not in health


def format_problems(health: Mapping[str, Any]) -> str:
    """Return its problems as one line, redacted and cut."""
    text = "; ".join(str(problem) for problem in health["problems"])
    return to_one_line(redact_text(text))[:_LONGEST]


def find_objection(health: Mapping[str, Any], run: WorkflowRun, started_at: datetime) -> str:
    """Return why the Worker's own response contradicts a run as its proof, empty where it does not.

    Missing values are no objection: the last tick without its memory, and its newest run after twenty others.
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
    return f"its last tick was at {format_utc(fired)}, before STARTED_AT" if fired <= started_at else ""


def _find_own_run_objection(own: object, run: WorkflowRun) -> str:
    if not isinstance(own, Mapping):
        return ""
    newest = _parse_time(own.get("created_at"))
    if newest is None:
        return "the newest run that it knows as its own has no time"
    if newest < run.created_at:
        return f"the newest run that it knows as its own is that of {format_utc(newest)}"
    return ""


def _parse_time(text: object) -> datetime | None:
    try:
        return parse_run_time(str(text))
    except InputError:
        return None
