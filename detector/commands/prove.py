"""`prove`: that a fresh run came from the external scheduler, after a given time; an older one is no proof."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

import click

from detector.commands._door import Door, Refused
from detector.commands._github import WORKFLOW, github_of, repository_of
from detector.commands._out import show_lines
from detector.commands._schedule import time_of
from detector.commands._wire import reach_of
from detector.model.document import DocumentError, clipped, parse
from detector.model.edge import CREDENTIALS, DENIED, MISSING, EdgeError
from detector.model.times import span, text_of
from detector.model.window import Run
from detector.render.proof import health_lines, proven_line, seen_line
from detector.settings import Settings
from detector.settings.kinds import fault_of_url

if TYPE_CHECKING:
    from detector.schedule.proof import Proof

_NOT_PROVEN, _NOT_TOLD = 1, 3
_TIMEOUT_SEC = 1800  # 15 min until new triggers are everywhere, a period of 10 min, and 5 min for the run
_HEALTHZ_SEC = 60.0  # a new address takes a moment to be known
_LOOK_SEC = 30.0
_LOOKS_BACK = timedelta(days=1)
_HOPELESS = (CREDENTIALS, DENIED, MISSING)
_DEGRADED = 503
_NEEDED: Final = (
    "Needed is a run of repository_dispatch, successful, created more than a minute after STARTED_AT, whose title "
    "names cloudflare-cron:. Nothing else proves the deployment."
)


@dataclass(slots=True)
class _Looking:
    """What is looked for, and what was seen so far; `why` is the last look's fault."""

    door: Door
    settings: Settings
    repository: str
    workflow: str
    started_at: datetime
    every: float
    ends: float
    seen: Proof | None = None
    why: EdgeError | None = field(default=None)


@click.command(
    epilog="Example: python -m detector prove --started-at 2026-06-01T18:00:00Z --worker-url https://WORKER"
)
@click.option("--started-at", metavar="TIME", help="When the deployment began; default: STARTED_AT.")
@click.option("--worker-url", metavar="URL", help="Where the Worker answers; default: WORKER_URL.")
@click.option(
    "--repo", metavar="OWNER/NAME", help="Default: GITHUB_REPOSITORY, else what the Worker triggers."
)
@click.option("--workflow", metavar="FILE", default=WORKFLOW, show_default=True, help="The workflow's file.")
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

    First WORKER_URL/healthz has to answer. Then the workflow's runs are listed until one proves it: an older
    proof, a recovered GitHub schedule or another source's dispatch is said, and is not enough. GH_TOKEN
    (Actions: read) is needed for a private repository.
    Exit 0: proven. 1: not proven in time. 3: could not tell (the Worker or GitHub did not answer).
    """
    settings = door.settings(options["env_file"])
    started_at = _started_at(door, options["started_at"])
    url = _worker_url(door, options["worker_url"])
    looking = _Looking(
        door,
        settings,
        repository_of(door, options["repo"]),
        PurePosixPath(options["workflow"]).name,
        started_at,
        options["every"],
        time.monotonic() + options["timeout"],
    )
    try:
        health = _healthz(looking, url)
    except EdgeError as error:
        door.say(f"prove: {clipped(url)}/healthz: {error}")
        door.say("prove: could not tell: without an answer of the Worker there is nothing to wait for")
        return _NOT_TOLD
    taken = show_lines(door, health_lines(health))
    _wait(looking)
    return taken or _concluded(looking, url)


def _started_at(door: Door, given: str | None) -> datetime:
    text = given or door.environ.get("STARTED_AT", "")
    if not text:
        raise Refused("say when the deployment began: STARTED_AT=2026-06-01T18:00:00Z, taken before it")
    moment = time_of(text, "STARTED_AT")
    if moment > door.clock() + timedelta(minutes=1):
        raise Refused(f"STARTED_AT: {text_of(moment)} has not come yet")
    return moment


def _worker_url(door: Door, given: str | None) -> str:
    url = (given or door.environ.get("WORKER_URL", "")).rstrip("/")
    if not url:
        raise Refused("say where the Worker answers: WORKER_URL=https://...")
    fault = fault_of_url(url, ("https", "http"))
    if fault:
        raise Refused(f"WORKER_URL {fault}")
    return url


def _healthz(looking: _Looking, url: str) -> dict[str, Any]:
    """Return what the Worker says of itself, healthy or not; raises EdgeError."""
    from detector.clients.web import Web

    tries_until = min(looking.ends, time.monotonic() + _HEALTHZ_SEC)
    while True:
        reach = reach_of(looking.door, looking.settings, _LOOK_SEC)
        try:
            page = Web(reach, looking.door.clock).get(
                f"{url}/healthz", keeps=lambda page: page.status == _DEGRADED
            )
            return parse(page.body)
        except DocumentError as error:
            raise EdgeError(f"its answer is no JSON object: {error}", reason=MISSING) from None
        except EdgeError:
            if time.monotonic() + looking.every > tries_until:
                raise
            time.sleep(looking.every)


def _wait(looking: _Looking) -> None:
    """Look until it is proven, hopeless, or over."""
    shows = looking.door.stderr.isatty()
    while True:
        _look(looking)
        left = looking.ends - time.monotonic()
        hopeless = looking.why is not None and looking.why.reason in _HOPELESS
        if left <= 0 or hopeless or (looking.seen and looking.seen.run):
            break
        if shows:
            _progress(looking, left)
        time.sleep(min(looking.every, left))
    if shows:
        looking.door.stderr.write("\r" + " " * 78 + "\r")


def _look(looking: _Looking) -> None:
    from detector.schedule import ListError, run_of
    from detector.schedule.proof import proof

    github = github_of(looking.door, looking.settings, looking.repository, _LOOK_SEC)
    params = {"created": f">={text_of((looking.started_at - _LOOKS_BACK).replace(microsecond=0))}"}
    runs: list[Run] = []
    try:
        pages = github.listed(f"/actions/workflows/{looking.workflow}/runs", "workflow_runs", params)
        for _, items in pages:
            runs += [run_of(item) for item in items]
    except EdgeError as error:
        looking.why = error
        return
    except ListError as error:
        looking.why = EdgeError(str(error), reason=MISSING)
        return
    looking.seen, looking.why = proof(runs, looking.started_at), None


def _progress(looking: _Looking, left: float) -> None:
    if looking.why is not None:
        said = f"GitHub could not be asked: {looking.why}"
    else:
        kinds = looking.seen.lesser if looking.seen else ()
        said = ", ".join(f"{len(runs)} {words.partition(':')[0]}" for words, runs in kinds) or "no run yet"
    looking.door.stderr.write(f"\r{f'waiting, {span(left)} left; {clipped(said)}'[:78]:<78}")
    looking.door.stderr.flush()


def _concluded(looking: _Looking, url: str) -> int:
    door, seen = looking.door, looking.seen
    lines = [f"seen: {seen_line(words, runs)}" for words, runs in (seen.lesser if seen else ())]
    if seen and seen.run:
        show_lines(door, [*lines, proven_line(seen.run)])
        return 0
    if looking.why is not None:
        show_lines(door, lines)
        door.say(f"prove: could not tell: GitHub's list of runs: {looking.why}")
        return _NOT_TOLD
    show_lines(
        door,
        [
            *lines,
            f"not proven: no such run since {text_of(looking.started_at)}",
            _NEEDED,
            *_why_not(looking, url),
        ],
    )
    return _NOT_PROVEN


def _why_not(looking: _Looking, url: str) -> Iterator[str]:
    """Ask the Worker once more: its last tick says whether it had anything to do."""
    looking.ends = 0
    try:
        health = _healthz(looking, url)
    except EdgeError:
        return
    yield from health_lines(health)
    if health.get("mode") == "absent":
        yield (
            "In absent mode the Worker dispatches only where no run succeeded: prove it over the first tick of a day, "
            "or deploy with MODE=always for the proof."
        )
