"""`prove`: that a fresh run came from the external scheduler, after a given time; an older one is no proof."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any, Final

import click

from detector.app.context import Door, Refused
from detector.app.github import MENDS, WORKER, WORKFLOW, repository_of
from detector.app.output import show_lines
from detector.app.schedule import lanes_written, time_of
from detector.app.scheduler_proof import LOOKS_BACK, Looking, healthz, wait
from detector.formats.edge_error import MISSING, EdgeError
from detector.formats.strict_json import clipped
from detector.formats.times import text_of
from detector.render.proof import render_health, format_proof, format_run, format_insufficient_runs
from detector.settings.kinds import find_url_fault

_NOT_PROVEN, _NOT_TOLD = 1, 3
_TIMEOUT_SEC = 1800  # 15 min until new triggers are everywhere, a period of 10 min, and 5 min for the run
_BEFORE_THE_DEPLOY: Final = "export STARTED_AT=$(date -u +%Y-%m-%dT%H:%M:%SZ), before the deployment"
_NEEDED: Final = (
    "Needed is a run of repository_dispatch, successful, created more than a minute after STARTED_AT, whose title "
    "names cloudflare-cron: and a cron of the Worker's. Nothing else proves the deployment."
)


@click.command(epilog="Example: python -m detector prove --worker-url https://WORKER")
@click.option("--started-at", metavar="TIME", help="When the deployment began; default: STARTED_AT.")
@click.option("--worker-url", metavar="URL", help="Where the Worker answers; default: WORKER_URL.")
@click.option(
    "--repo", metavar="OWNER/NAME", help="Default: GITHUB_REPOSITORY, else what the Worker triggers."
)
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
@click.option("--env-file", metavar="FILE", help="A file of settings; the environment wins over it.")
@click.pass_obj
def command(door: Door, /, **options: Any) -> int:
    """Prove a fresh successful run that the Worker dispatched after STARTED_AT; wait for it.

    WORKER_URL/healthz has to be the Worker's, and well configured. Then the workflow's runs are listed until one
    proves it and /healthz bears it out: an older proof, a recovered GitHub schedule, another source's dispatch or
    a cron that is not in the Worker's file is said, and is not enough. GH_TOKEN (Actions: read) is needed for a
    private repository. STARTED_AT is taken just before the deployment, at most a day ago.
    Exit 0: proven. 1: not proven in time. 3: could not tell (the Worker or GitHub did not answer).
    """
    settings = door.settings(options["env_file"])
    started_at = _started_at(door, options["started_at"])
    looking = Looking(
        door=door,
        settings=settings,
        url=_worker_url(door, options["worker_url"]),
        repository=repository_of(door, options["repo"]),
        workflow=PurePosixPath(options["workflow"]).name,
        started_at=started_at,
        crons=_crons(options["worker"]),
        every=options["every"],
        ends=time.monotonic() + options["timeout"],
    )
    return _asked_first(looking) or _concluded(looking)


def _asked_first(looking: Looking) -> int:
    """Ask the Worker, then wait for the run; return an exit code where there is nothing to wait for."""
    from detector.schedule.health import is_misconfigured, is_of_the_worker, problems_of

    door = looking.door
    try:
        health = healthz(looking)
        if not is_of_the_worker(health):
            raise EdgeError("that is not the Worker's answer: is it the right address?", reason=MISSING)
    except EdgeError as error:
        door.say(f"prove: {clipped(looking.url)}/healthz: {error}")
        door.say("prove: could not tell: without an answer of the Worker there is nothing to wait for")
        return _NOT_TOLD
    if is_misconfigured(health):
        said = f"not proven: the Worker is configured wrongly: {problems_of(health)}"
        return show_lines(door, [said]) or _NOT_PROVEN
    taken = show_lines(door, render_health(health))
    wait(looking)
    return taken


def _crons(worker: str | None) -> Collection[str] | None:
    """Return the crons of the Worker's file, where that is known; raises Refused."""
    if worker is None and not Path(WORKER).is_file():
        return None
    return {lane.cron for lane in lanes_written(Path(worker or WORKER))}


def _started_at(door: Door, given: str | None) -> datetime:
    text = given or door.environ.get("STARTED_AT", "")
    if not text:
        raise Refused(f"say when the deployment began: {_BEFORE_THE_DEPLOY}")
    moment = time_of(text, "STARTED_AT")
    if moment > door.clock() + timedelta(minutes=1):
        raise Refused(f"STARTED_AT: {text_of(moment)} has not come yet")
    if moment < door.clock() - LOOKS_BACK:
        raise Refused(
            f"STARTED_AT: {text_of(moment)} is more than a day ago, so a run since then may be of an earlier "
            f"deployment: {_BEFORE_THE_DEPLOY}"
        )
    return moment


def _worker_url(door: Door, given: str | None) -> str:
    url = (given or door.environ.get("WORKER_URL", "")).rstrip("/").removesuffix("/healthz").rstrip("/")
    if not url:
        raise Refused("say where the Worker answers: WORKER_URL=https://...")
    fault = find_url_fault(url, ("https", "http"))
    if fault:
        raise Refused(f"WORKER_URL {fault}")
    return url


def _concluded(looking: Looking) -> int:
    door, seen = looking.door, looking.seen
    lines = [f"seen: {format_insufficient_runs(words, runs)}" for words, runs in (seen.lesser if seen else ())]
    if looking.found and looking.proven:
        show_lines(door, [*lines, format_proof(looking.found)])
        return 0
    fault = f"GitHub's list of runs: {looking.why}" if looking.why else None
    if looking.silent:
        fault = f"the run is there, but /healthz: {looking.silent}"
    if fault is not None:
        show_lines(door, lines)
        door.say(f"prove: could not tell: {fault}")
        if looking.why is not None and looking.why.reason in MENDS:
            door.say(f"prove: {MENDS[looking.why.reason]}")
        return _NOT_TOLD
    show_lines(door, [*lines, *_why_not(looking)])
    return _NOT_PROVEN


def _why_not(looking: Looking) -> Iterator[str]:
    """Yield what is missing, and what the Worker says: its last tick says whether it had anything to do."""
    if looking.found:
        yield f"not proven: {format_run(looking.found)} is there, but /healthz does not bear it out: {looking.against}"
        return
    yield f"not proven: no such run since {text_of(looking.started_at)}"
    yield _NEEDED
    try:
        health: Mapping[str, Any] = healthz(looking, 0)
    except EdgeError:
        return
    yield from render_health(health)
    if health.get("mode") == "absent":
        yield (
            "In absent mode the Worker dispatches only where no run succeeded: prove it over the first tick of a day or "
            "its very last one, or deploy with MODE=always for the proof."
        )
