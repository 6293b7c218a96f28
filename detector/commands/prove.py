"""`prove`: proves that the external scheduler started a successful run after a given time."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any, Final

import click

from detector.app.context import AppContext, parse_time_option, print_lines
from detector.app.github_access import RUNS_ADVICE, WORKER, find_repository, load_worker_lanes
from detector.app.proof_search import LOOKBACK, ProofSearch, fetch_health, wait_for_proof
from detector.commands import env_file_option
from detector.domain.run_windows import WORKFLOW, WorkflowRun
from detector.formats.errors import MISSING, ExternalError, InputError
from detector.formats.numbers import format_count
from detector.formats.redaction import redact_text
from detector.formats.strict_json import redact_excerpt, to_one_line
from detector.formats.times import format_utc
from detector.settings.setting import find_url_fault

_NOT_PROVEN, _UNDECIDED = 1, 3
_TIMEOUT_SEC = 1800  # 15 min until new triggers are everywhere, a period of 10 min, and 5 min for the run
_BEFORE_THE_DEPLOY: Final = "export STARTED_AT=$(date -u +%Y-%m-%dT%H:%M:%SZ), before the deployment"
_NEEDED: Final = (
    "Needed is a run of repository_dispatch, successful, created more than a minute after STARTED_AT,"
    " whose title names cloudflare-cron: and a cron of the Worker's. Nothing else proves the deployment."
)
_MAX_CHARS = 400


@click.command(epilog="Example: python -m detector prove --started-at $(date -u +%FT%TZ) --timeout 0")
@click.option("--started-at", metavar="TIME", help="When the deployment began; default: STARTED_AT.")
@click.option("--worker-url", metavar="URL", help="Where the Worker answers; default: WORKER_URL.")
@click.option("--repo", metavar="OWNER/NAME", help="Default: GITHUB_REPOSITORY, else the git remote origin.")
@click.option("--workflow", metavar="FILE", default=WORKFLOW, show_default=True, help="The workflow's file.")
@click.option(
    "--worker", metavar="FILE", help="The Worker's wrangler.jsonc; default: the one of this checkout."
)
@click.option(
    "--timeout", type=click.FloatRange(0, 86_400), default=_TIMEOUT_SEC, show_default=True, metavar="SECONDS",
    help="How long to wait: 15 min of propagation, a period, a run.",
)  # fmt: skip
@click.option(
    "--every",
    type=click.FloatRange(0.01, 600),
    default=30,
    show_default=True,
    metavar="SECONDS",
    help="The pause between two looks.",
)
@env_file_option
@click.pass_obj
def command(app: AppContext, /, **options: Any) -> int:
    """Prove a fresh run that the Worker dispatched; wait for it.

    WORKER_URL/healthz has to be the Worker's, and well configured. Then the workflow's runs are listed until
    one proves it and /healthz bears it out: an older proof, a recovered GitHub schedule, another source's
    dispatch or a cron that is not in the Worker's file is said, and is not enough. GH_TOKEN (Actions: read)
    is needed for a private repository. STARTED_AT is taken just before the deployment, at most a day ago.
    Exit 0: proven. 1: not proven in time. 3: cannot tell (the Worker or GitHub did not answer).
    """
    settings = app.load_settings(options["env_file"])
    started_at = _parse_started_at(app, options["started_at"])
    search = ProofSearch(
        app=app,
        settings=settings,
        url=_parse_worker_url(app, options["worker_url"]),
        repository=find_repository(app, options["repo"]),
        workflow=PurePosixPath(options["workflow"]).name,
        started_at=started_at,
        crons=_load_crons(options["worker"]),
        pause_sec=options["every"],
        deadline=time.monotonic() + options["timeout"],
    )
    return _run_search(search) or _print_conclusion(search)


def _run_search(search: ProofSearch) -> int:
    """Read the Worker's health, then wait for the run; return an exit code where waiting is useless."""
    from detector.schedule.worker_proof import format_problems, is_misconfigured, is_worker_answer

    app = search.app
    try:
        health = fetch_health(search)
        if not is_worker_answer(health):
            raise ExternalError("that is not the Worker's answer: is it the right address?", reason=MISSING)
    except ExternalError as error:
        app.print_stderr(f"prove: {redact_excerpt(search.url)}/healthz: {error}")
        app.print_stderr("prove: cannot tell: without an answer of the Worker there is nothing to wait for")
        return _UNDECIDED
    if is_misconfigured(health):
        line = f"not proven: the Worker is configured wrongly: {format_problems(health)}"
        return print_lines(app, [line]) or _NOT_PROVEN
    output_code = print_lines(app, _render_health(health))
    wait_for_proof(search)
    return output_code


def _load_crons(worker: str | None) -> Collection[str] | None:
    """Return the crons of the Worker's file, None where there is none; raises InputError."""
    if worker is None and not Path(WORKER).is_file():
        return None
    return {lane.cron for lane in load_worker_lanes(Path(worker or WORKER))}


def _parse_started_at(app: AppContext, option: str | None) -> datetime:
    text = option or app.environ.get("STARTED_AT", "")
    if not text:
        raise InputError(f"say when the deployment began: {_BEFORE_THE_DEPLOY}")
    moment = parse_time_option(text, "STARTED_AT")
    if moment > app.clock() + timedelta(minutes=1):
        raise InputError(f"STARTED_AT: {format_utc(moment)} has not come yet")
    if moment < app.clock() - LOOKBACK:
        raise InputError(
            f"STARTED_AT: {format_utc(moment)} is more than a day ago, so a run since then may be of"
            f" an earlier deployment: {_BEFORE_THE_DEPLOY}"
        )
    return moment


def _parse_worker_url(app: AppContext, option: str | None) -> str:
    url = (option or app.environ.get("WORKER_URL", "")).rstrip("/").removesuffix("/healthz").rstrip("/")
    if not url:
        raise InputError("say where the Worker answers: WORKER_URL=https://...")
    fault = find_url_fault(url, ("https", "http"))
    if fault:
        raise InputError(f"WORKER_URL {fault}")
    return url


def _print_conclusion(search: ProofSearch) -> int:
    app, proof = search.app, search.proof
    lines = [
        f"seen: {_format_insufficient_runs(label, runs)}" for label, runs in (proof.lesser if proof else ())
    ]
    if search.run and search.proven:
        proof_line = f"proven: {_format_run(search.run)}, {redact_excerpt(search.run.title)}"
        print_lines(app, [*lines, proof_line])
        return 0
    fault = f"GitHub's list of runs: {search.runs_error}" if search.runs_error else None
    if search.health_error:
        fault = f"the run is there, but /healthz: {search.health_error}"
    if fault is not None:
        print_lines(app, lines)
        app.print_stderr(f"prove: cannot tell: {fault}")
        if search.runs_error is not None and search.runs_error.reason in RUNS_ADVICE:
            app.print_stderr(f"prove: {RUNS_ADVICE[search.runs_error.reason]}")
        return _UNDECIDED
    print_lines(app, [*lines, *_explain_failure(search)])
    return _NOT_PROVEN


def _explain_failure(search: ProofSearch) -> Iterator[str]:
    """Yield what is missing, and the Worker's health: its last tick shows whether it had anything to do."""
    if search.run:
        yield (
            f"not proven: {_format_run(search.run)} is there, but /healthz does not bear it out:"
            f" {search.objection}"
        )
        return
    yield f"not proven: no such run since {format_utc(search.started_at)}"
    yield _NEEDED
    try:
        health: Mapping[str, Any] = fetch_health(search, 0)
    except ExternalError:
        return
    yield from _render_health(health)
    if health.get("mode") == "absent":
        yield (
            "In absent mode the Worker dispatches only where no run succeeded: prove it over the first"
            " tick of a day or its very last one, or deploy with MODE=always for the proof."
        )


def _render_health(health: Mapping[str, Any]) -> Iterator[str]:
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


def _format_insufficient_runs(label: str, runs: tuple[WorkflowRun, ...]) -> str:
    """Return a line on runs of one kind, newest first, that are too few to prove it."""
    newest = runs[0]
    result = newest.conclusion or newest.status
    newest_text = f"{format_utc(newest.created_at)}, {redact_excerpt(result)}, {redact_excerpt(newest.title)}"
    return f"{format_count(len(runs), 'run')} {label}; newest {newest_text}"


def _format_run(run: WorkflowRun) -> str:
    """Return the number and the time of a run."""
    return f"run {run.number} of {format_utc(run.created_at)}"
