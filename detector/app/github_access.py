"""GitHub for the commands: network limits, repository, token, API client and schedule files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from detector.app.context import AppContext, parse_file
from detector.domain.run_windows import WORKFLOW
from detector.formats.errors import (
    CREDENTIALS,
    DENIED,
    MISSING,
    REDIRECTED,
    THROTTLED,
    ExternalError,
    InputError,
)
from detector.formats.patterns import build_pattern
from detector.formats.strict_json import redact_excerpt
from detector.settings import Settings
from detector.settings.setting import find_url_fault

if TYPE_CHECKING:
    from detector.clients.connection import NetworkPolicy
    from detector.clients.github_api import GitHub
    from detector.domain.run_windows import Lane

WORKER: Final = "scheduler/wrangler.jsonc"
TOKENS: Final = ("GH_TOKEN", "GITHUB_TOKEN")
RUNS_ADVICE: Final = {  # what a person can do, by the reason of the error
    CREDENTIALS: "GH_TOKEN is not accepted: it is mistyped, expired or revoked. Make a new one.",
    DENIED: "GH_TOKEN may not do this: it needs Actions: read on this repository,"
    " and an organisation may have to approve it.",
    MISSING: "There is no such repository or workflow there, or GH_TOKEN cannot see it:"
    " are --repo and --workflow right, and does the token cover the repository?",
    REDIRECTED: "Put the repository's new name into --repo; a workflow of it has it in GITHUB_REPOSITORY.",
    THROTTLED: "The token's account asked too often: wait until then, or ask less often.",
}
_REPOSITORY = build_pattern(r"[A-Za-z0-9][A-Za-z0-9-]*/(?!\.{1,2}$)[A-Za-z0-9._-]+", re.ASCII)
# https://github.com/OWNER/NAME.git, ssh://git@github.com/OWNER/NAME and git@github.com:OWNER/NAME.git
_REMOTE = build_pattern(r"(?:[a-z+]+://)?(?:[^@/]+@)?github\.com[:/]([^/\s]+/[^/\s]+?)(?:\.git)?/?", re.ASCII)
_GIT_SEC = 5.0


class LoadedSchedule(Struct, frozen=True):
    """The lanes, and the files that they were read from; `worker` is None where there is no such file.

    `title` is the prefix of the titles of the workflow's runs, `name` the workflow's name.
    """

    lanes: tuple[Lane, ...]
    workflow: Path
    worker: Path | None
    title: str
    name: str


def open_network(app: AppContext, settings: Settings, seconds: float) -> NetworkPolicy:
    """Return how one task may connect, for so many seconds from now."""
    from detector.clients.connection import Deadline, build_network_policy

    return build_network_policy(settings, app.environ, Deadline(seconds))


def build_run_link(app: AppContext) -> str | None:
    """Return the address of this run's page, None outside of a workflow."""
    parts = [app.environ.get(f"GITHUB_{name}") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID")]
    return None if None in parts or "" in parts else "{}/{}/actions/runs/{}".format(*parts)


def find_repository(app: AppContext, repo: str | None, missing: str = "") -> str:
    """Return OWNER/NAME: of `repo`, of GITHUB_REPOSITORY, or of this checkout's git remote `origin`.

    Raises InputError where none of them names a repository (`missing` words it), or the name is invalid.
    """
    name = repo or app.environ.get("GITHUB_REPOSITORY") or _read_remote(app)
    if not name:
        raise InputError(missing or "name the repository: --repo OWNER/NAME")
    if not _REPOSITORY.fullmatch(name):
        raise InputError(f"--repo: {redact_excerpt(name)!r} is not OWNER/NAME")
    return name


def _read_remote(app: AppContext) -> str:
    """Return OWNER/NAME of the remote `origin` at GitHub, or "" where there is no git or no such remote."""
    from detector.clients.process import is_installed, run_program

    if not is_installed("git", app.environ):
        return ""
    try:
        result = run_program(["git", "config", "--get", "remote.origin.url"], Path(), app.environ, _GIT_SEC)
    except ExternalError:
        return ""
    match = _REMOTE.fullmatch(result.output.strip()) if result.exit_code == 0 else None
    return match[1] if match else ""


def get_token(app: AppContext) -> str:
    """Return the token of GH_TOKEN or GITHUB_TOKEN, or ""; raises InputError for impossible characters."""
    token = next((app.environ[name].strip() for name in TOKENS if app.environ.get(name, "").strip()), "")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise InputError("GH_TOKEN has a character that a token cannot have")
    return token


def build_github_client(app: AppContext, settings: Settings, repository: str, seconds: float) -> GitHub:
    """Return a GitHub client whose deadline begins now; raises InputError for an unusable GITHUB_API_URL.

    That replaces github.com's API.
    """
    from detector.clients.github_api import API, GitHub

    api = app.environ.get("GITHUB_API_URL") or API
    fault = find_url_fault(api, ("http", "https"))
    if fault:
        raise InputError(f"GITHUB_API_URL {fault}")
    return GitHub(repository, open_network(app, settings, seconds), app.clock, get_token(app), api)


def load_schedule(workflow: str | None, worker: str | None) -> LoadedSchedule:
    """Read the lanes from the named files, or from those of this checkout; raises InputError.

    The Worker's file of the checkout belongs to the workflow of the checkout: for another workflow it is read
    only where it is named.
    """
    from detector.schedule.schedule_files import get_title_prefix, parse_workflow_lanes, parse_yaml

    path = Path(workflow or WORKFLOW)
    if workflow is None and not path.is_file():
        raise InputError(
            f"there is no {WORKFLOW} here: run it in the repository's checkout,"
            " or name the file with --workflow"
        )
    document = parse_file(str(path), "--workflow", parse_yaml)
    lanes = parse_file(str(path), "--workflow", lambda _: parse_workflow_lanes(document))
    worker_path = (
        Path(worker) if worker else Path(WORKER) if workflow is None and Path(WORKER).is_file() else None
    )
    if worker_path is not None:
        lanes += load_worker_lanes(worker_path)
    name = str(document.get("name") or f".github/workflows/{path.name}")
    return LoadedSchedule(lanes, path, worker_path, get_title_prefix(document), name)


def load_worker_lanes(worker: Path) -> tuple[Lane, ...]:
    """Read the Worker's lanes from its configuration; raises InputError."""
    from detector.schedule.schedule_files import parse_jsonc, parse_worker_lanes

    return parse_file(str(worker), "--worker", lambda text: parse_worker_lanes(parse_jsonc(text)))
