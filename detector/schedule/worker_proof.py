"""What the runs prove of the external scheduler: one fresh success of its own, and nothing less."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from detector.domain.schedule_windows import (
    COMPLETED,
    DISPATCH,
    SCHEDULE,
    TITLE_PREFIX,
    TRIGGER_EVENTS,
    WorkflowRun,
)
from detector.schedule.cron import CLOUDFLARE, CronError, read_cron
from detector.schedule.schedule_files import WORKER_SOURCE

SKEW: Final = timedelta(seconds=60)
"""How far the clock that said when it began may be from GitHub's: no run is fresh before that has passed."""

_OWN_TITLE: Final = f"{TITLE_PREFIX}{DISPATCH} {WORKER_SOURCE}"
_OLDER: Final = "from the Worker, older: created before STARTED_AT, or within a minute of it"
_FUTURE: Final = "created in the future: one of the two clocks is wrong"
_RUNNING, _IN_VAIN = "from the Worker, still running", "from the Worker, not successful"
_OLD_DEPLOYMENT: Final = "from a Worker with another cron: an old deployment still ticks"
_RECOVERED: Final = "of GitHub's own schedule, which has recovered"
_OTHER_SOURCE: Final = "dispatched by another source"
_LESSER: Final = (_RUNNING, _IN_VAIN, _OLDER, _FUTURE, _OLD_DEPLOYMENT, _RECOVERED, _OTHER_SOURCE)


@dataclass(frozen=True, slots=True)
class ProofCriteria:
    """What is looked for: a run created after `started_at` and not after `now`, of one of the Worker's `crons`.

    Where the Worker's configuration is not at hand, `crons` is None: any cron that Cloudflare could run is one.
    """

    started_at: datetime
    now: datetime
    crons: Collection[str] | None = None


@dataclass(frozen=True, slots=True)
class Proof:
    """The run that proves it, if there is one, and how many of each lesser thing were seen, newest first."""

    run: WorkflowRun | None
    lesser: tuple[tuple[str, tuple[WorkflowRun, ...]], ...]


def find_proof(runs: Iterable[WorkflowRun], criteria: ProofCriteria) -> Proof:
    """Return what the runs prove: the oldest success of the Worker's that is more than SKEW newer than `started_at`."""
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
    """Return why a run is less than a proof, empty where it has nothing to do with one, None where it is one."""
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
    except CronError:
        return False
