"""What the runs prove of the external scheduler: one fresh success of its own, and nothing less."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from detector.model.window import COMPLETED, DISPATCH, SCHEDULE, Run
from detector.schedule.written import WORKER_SOURCE

SKEW: Final = timedelta(seconds=60)
"""How far the clock that said when it began may be behind GitHub's: no run is fresh before that has passed."""

_DISPATCHED = "repository_dispatch"


@dataclass(frozen=True, slots=True)
class Proof:
    """The run that proves it, if there is one, and how many of each lesser thing were seen, newest first."""

    run: Run | None
    lesser: tuple[tuple[str, tuple[Run, ...]], ...]


def proof(runs: Iterable[Run], started_at: datetime) -> Proof:
    """Return what the runs prove: a success that the Worker dispatched, created more than SKEW after `started_at`."""
    newest_first = sorted(runs, key=lambda run: run.created_at, reverse=True)
    fresh_from = started_at + SKEW
    fresh = [run for run in newest_first if run.created_at > fresh_from]
    own = [run for run in fresh if _of_the_worker(run)]
    proven = [run for run in own if run.succeeded]
    kinds: Sequence[tuple[str, list[Run]]] = (
        ("from the Worker, still running", [run for run in own if run.status != COMPLETED]),
        (
            "from the Worker, not successful",
            [run for run in own if run.status == COMPLETED and not run.succeeded],
        ),
        (
            "from the Worker, older: created before STARTED_AT, or within a minute of it",
            [
                run
                for run in newest_first
                if run.created_at <= fresh_from and _of_the_worker(run) and run.succeeded
            ],
        ),
        (
            "of GitHub's own schedule, which has recovered",
            [run for run in fresh if run.event == SCHEDULE and run.succeeded],
        ),
        (
            "dispatched by another source",
            [run for run in fresh if run.event == _DISPATCHED and not _of_the_worker(run)],
        ),
    )
    return Proof(
        proven[-1] if proven else None, tuple((words, tuple(found)) for words, found in kinds if found)
    )


def _of_the_worker(run: Run) -> bool:
    return run.event == _DISPATCHED and f"{DISPATCH} {WORKER_SOURCE}" in run.title
