"""Looking for the proof of a deployment: the Worker and the list of runs are asked until it is there, or too late."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from detector.app.context import Door
from detector.app.github import github_of
from detector.app.network import reach_of
from detector.domain.schedule_windows import WorkflowRun
from detector.formats.edge_error import CREDENTIALS, DENIED, MISSING, UNREADABLE, EdgeError
from detector.formats.strict_json import DocumentError, clipped, parse
from detector.formats.times import span, text_of
from detector.settings import Settings

if TYPE_CHECKING:
    from detector.schedule.proof import Proof

LOOKS_BACK: Final = timedelta(days=1)
_HEALTHZ_SEC = 60.0  # a new address takes a moment to be known
_LOOK_SEC = 30.0
_SAYS_SEC = 300.0  # how often it says in a log that it still waits
_HOPELESS = (CREDENTIALS, DENIED, MISSING)
_DEGRADED = 503


@dataclass(slots=True)
class Looking:
    """What is looked for, and what was seen so far.

    `why` is the last look's fault, `against` what the Worker's own answer had against the run that was found,
    `silent` that answer's fault. `said_at` is when it last said that it waits.
    """

    door: Door
    settings: Settings
    repository: str
    workflow: str
    url: str
    started_at: datetime
    crons: Collection[str] | None
    every: float
    ends: float
    seen: Proof | None = None
    why: EdgeError | None = field(default=None)
    against: str = ""
    silent: EdgeError | None = field(default=None)
    said_at: float | None = None

    @property
    def found(self) -> WorkflowRun | None:
        """The run that would prove it."""
        return self.seen.run if self.seen else None

    @property
    def proven(self) -> bool:
        """Whether there is such a run, and the Worker bears it out."""
        return self.found is not None and not self.against and self.silent is None


def healthz(looking: Looking, tries_for: float = _HEALTHZ_SEC) -> dict[str, Any]:
    """Return what the Worker says of itself, healthy or not; raises EdgeError."""
    from detector.clients.web import Web

    tries_until = min(looking.ends, time.monotonic() + tries_for)
    while True:
        reach = reach_of(looking.door, looking.settings, _LOOK_SEC)
        try:
            page = Web(reach, looking.door.clock).get(
                f"{looking.url}/healthz", keeps=lambda page: page.status == _DEGRADED
            )
            return parse(page.body)
        except DocumentError as error:
            raise EdgeError(f"its answer is no JSON object: {error}", reason=MISSING) from None
        except EdgeError:
            if time.monotonic() + looking.every > tries_until:
                raise
            time.sleep(looking.every)


def wait(looking: Looking) -> None:
    """Look until it is proven, hopeless, or over."""
    while True:
        _look(looking)
        if looking.found:
            _ask_the_worker(looking)
        left = looking.ends - time.monotonic()
        hopeless = looking.why is not None and looking.why.reason in _HOPELESS
        if left <= 0 or hopeless or looking.proven:
            break
        _progress(looking, left)
        time.sleep(min(looking.every, left))
    if looking.door.stderr.isatty():
        looking.door.stderr.write("\r" + " " * 78 + "\r")


def _look(looking: Looking) -> None:
    from detector.schedule import ListError, run_of
    from detector.schedule.proof import Sought, proof

    github = github_of(looking.door, looking.settings, looking.repository, _LOOK_SEC)
    params = {"created": f">={text_of((looking.started_at - LOOKS_BACK).replace(microsecond=0))}"}
    runs: list[WorkflowRun] = []
    try:
        pages = github.listed(f"/actions/workflows/{looking.workflow}/runs", "workflow_runs", params)
        for _, items in pages:
            runs += [run_of(item) for item in items]
    except EdgeError as error:
        looking.why = error
        return
    except ListError as error:
        looking.why = EdgeError(str(error), reason=UNREADABLE)
        return
    sought = Sought(looking.started_at, looking.door.clock(), looking.crons)
    looking.seen, looking.why = proof(runs, sought), None


def _ask_the_worker(looking: Looking) -> None:
    """Hold the Worker's own answer against the run that was found; it is half a minute old at most."""
    from detector.schedule.health import against

    assert looking.found is not None
    try:
        looking.against, looking.silent = (
            against(healthz(looking, 0), looking.found, looking.started_at),
            None,
        )
    except EdgeError as error:
        looking.against, looking.silent = "", error


def _progress(looking: Looking, left: float) -> None:
    """Say what is waited for: over and over on one line of a terminal, every few minutes in a log."""
    line = f"waiting, {span(left)} left; {clipped(_state(looking))}"
    if looking.door.stderr.isatty():
        looking.door.stderr.write(f"\r{line[:78]:<78}")
        looking.door.stderr.flush()
    elif looking.said_at is None or time.monotonic() - looking.said_at >= _SAYS_SEC:
        looking.said_at = time.monotonic()
        looking.door.say(f"prove: {line}")


def _state(looking: Looking) -> str:
    if looking.why is not None:
        return f"GitHub could not be asked: {looking.why}"
    if looking.found:
        return f"the run is there, but /healthz: {looking.silent or looking.against}"
    kinds = looking.seen.lesser if looking.seen else ()
    return ", ".join(f"{len(runs)} {words.partition(':')[0]}" for words, runs in kinds) or "no run yet"
