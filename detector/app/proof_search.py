"""The search for a deployment's proof: the Worker and the runs are read until one proves it or time is up."""

from __future__ import annotations

import time
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct, field

from detector.app.context import AppContext
from detector.app.github_access import build_github_client, open_network
from detector.domain.run_windows import WorkflowRun
from detector.formats.errors import CREDENTIALS, DENIED, MISSING, UNREADABLE, ExternalError, InputError
from detector.formats.strict_json import parse_document, redact_excerpt
from detector.formats.times import format_duration, format_time
from detector.settings import Settings

if TYPE_CHECKING:
    from detector.schedule.worker_proof import Proof

LOOKBACK: Final = timedelta(days=1)
_HEALTHZ_SEC = 60.0  # a new address takes a moment to resolve
_QUERY_SEC = 30.0
_PROGRESS_SEC = 300.0  # between two progress lines in a log
_HOPELESS = (CREDENTIALS, DENIED, MISSING)
_DEGRADED = 503


class ProofSearch(Struct):
    """The criteria of the search, and the results so far.

    `runs_error` is the last error of the list of runs, `objection` what the Worker's answer holds against the
    run, `health_error` the error of that answer. `pause_sec` is in seconds; `deadline` and `printed_at` (the
    last progress line) are `time.monotonic()` values.
    """

    app: AppContext
    settings: Settings
    repository: str
    workflow: str
    url: str
    started_at: datetime
    crons: Collection[str] | None
    pause_sec: float
    deadline: float
    proof: Proof | None = None
    runs_error: ExternalError | None = field(default=None)
    objection: str = ""
    health_error: ExternalError | None = field(default=None)
    printed_at: float | None = None

    @property
    def run(self) -> WorkflowRun | None:
        """The run that would prove the deployment."""
        return self.proof.run if self.proof else None

    @property
    def proven(self) -> bool:
        """Whether there is such a run and the Worker's answer confirms it."""
        return self.run is not None and not self.objection and self.health_error is None


def fetch_health(search: ProofSearch, retry_sec: float = _HEALTHZ_SEC) -> dict[str, Any]:
    """Return the Worker's `/healthz`, healthy or not, with retries for `retry_sec`; raises ExternalError."""
    from detector.clients.http_client import HttpClient

    retry_until = min(search.deadline, time.monotonic() + retry_sec)
    while True:
        network = open_network(search.app, search.settings, _QUERY_SEC)
        try:
            page = HttpClient(network, search.app.clock).get(
                f"{search.url}/healthz", should_keep=lambda page: page.status == _DEGRADED
            )
            return parse_document(page.body)
        except InputError as error:
            raise ExternalError(f"its answer is no JSON object: {error}", reason=MISSING) from None
        except ExternalError:
            if time.monotonic() + search.pause_sec > retry_until:
                raise
            time.sleep(search.pause_sec)


def wait_for_proof(search: ProofSearch) -> None:
    """Search until the deployment is proven, an error is permanent, or time is up."""
    while True:
        _update_proof(search)
        if search.run:
            _check_worker(search)
        left = search.deadline - time.monotonic()
        hopeless = search.runs_error is not None and search.runs_error.reason in _HOPELESS
        if left <= 0 or hopeless or search.proven:
            break
        _print_progress(search, left)
        time.sleep(min(search.pause_sec, left))
    search.app.print_progress()


def _update_proof(search: ProofSearch) -> None:
    from detector.schedule.run_list import parse_run
    from detector.schedule.worker_proof import ProofCriteria, find_proof

    github = build_github_client(search.app, search.settings, search.repository, _QUERY_SEC)
    params = {"created": f">={format_time((search.started_at - LOOKBACK).replace(microsecond=0))}"}
    runs: list[WorkflowRun] = []
    try:
        pages = github.list_pages(f"/actions/workflows/{search.workflow}/runs", "workflow_runs", params)
        for _, items in pages:
            runs += [parse_run(item) for item in items]
    except ExternalError as error:
        search.runs_error = error
        return
    except InputError as error:
        search.runs_error = ExternalError(str(error), reason=UNREADABLE)
        return
    criteria = ProofCriteria(search.started_at, search.app.clock(), search.crons)
    search.proof, search.runs_error = find_proof(runs, criteria), None


def _check_worker(search: ProofSearch) -> None:
    """Compare the Worker's own answer, at most half a minute old, with the run."""
    from detector.schedule.worker_proof import find_objection

    assert search.run is not None
    try:
        objection = find_objection(fetch_health(search, 0), search.run, search.started_at)
        search.objection, search.health_error = objection, None
    except ExternalError as error:
        search.objection, search.health_error = "", error


def _print_progress(search: ProofSearch, left: float) -> None:
    """Print what is missing: on one line of a terminal again and again, every few minutes in a log."""
    line = f"waiting, {format_duration(left)} left; {redact_excerpt(_describe_state(search))}"
    if search.app.stderr.isatty():
        search.app.print_progress(line)
    elif search.printed_at is None or time.monotonic() - search.printed_at >= _PROGRESS_SEC:
        search.printed_at = time.monotonic()
        search.app.print_stderr(f"prove: {line}")


def _describe_state(search: ProofSearch) -> str:
    if search.runs_error is not None:
        return f"GitHub could not be asked: {search.runs_error}"
    if search.run:
        return f"the run is there, but /healthz: {search.health_error or search.objection}"
    kinds = search.proof.lesser if search.proof else ()
    return ", ".join(f"{len(runs)} {label.partition(':')[0]}" for label, runs in kinds) or "no run yet"
