"""GitHub as a command asks it: the repository and the token that its environment names."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

from detector.app.context import AppContext, InputError
from detector.app.network import build_network_policy
from detector.formats.errors import CREDENTIALS, DENIED, MISSING, THROTTLED
from detector.formats.strict_json import redact_excerpt
from detector.settings import Settings
from detector.settings.setting import find_url_fault

if TYPE_CHECKING:
    from detector.clients.github_api import GitHub

WORKFLOW: Final = ".github/workflows/notify-aws-ibkr-pt-health.yml"
WORKER: Final = "scheduler/wrangler.jsonc"
TOKENS: Final = ("GH_TOKEN", "GITHUB_TOKEN")
RUNS_ADVICE: Final = {  # what a refusal to read the runs asks of a person, by its reason
    CREDENTIALS: "GH_TOKEN is not accepted: it is mistyped, expired or revoked. Make a new one.",
    DENIED: "GH_TOKEN may not do this: it needs Actions: read on this repository, and an organisation may have to "
    "approve it.",
    MISSING: "There is no such repository or workflow there, or GH_TOKEN cannot see it: are --repo and --workflow "
    "right, and does the token cover the repository?",
    THROTTLED: "The token's account asked too often: wait until then, or ask less often.",
}
_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/(?!\.{1,2}$)[A-Za-z0-9._-]+", re.ASCII)


def find_repository(app: AppContext, repo: str | None) -> str:
    """Return the repository: as it is named, of GITHUB_REPOSITORY, or that which the checkout's Worker triggers.

    Raises Refused where nothing says one, or what does says none.
    """
    name = repo or app.environ.get("GITHUB_REPOSITORY") or _read_worker_repository()
    if not name:
        raise InputError("name the repository: --repo OWNER/NAME")
    if not _REPOSITORY.fullmatch(name):
        raise InputError(f"--repo: {redact_excerpt(name)!r} is not OWNER/NAME")
    return name


def _read_worker_repository() -> str:
    from detector.schedule import ScheduleFileError, parse_jsonc

    try:
        variables = parse_jsonc(Path(WORKER).read_text(encoding="utf-8")).get("vars")
    except (OSError, UnicodeDecodeError, ScheduleFileError):
        return ""
    return str(variables.get("GITHUB_REPOSITORY", "")) if isinstance(variables, dict) else ""


def get_token(app: AppContext) -> str:
    """Return the token of GH_TOKEN or GITHUB_TOKEN, empty where there is none; raises Refused for what is none."""
    token = next((app.environ[name].strip() for name in TOKENS if app.environ.get(name, "").strip()), "")
    if not token.isascii() or not token.isprintable() or " " in token:
        raise InputError("GH_TOKEN has a character that a token cannot have")
    return token


def build_github_client(app: AppContext, settings: Settings, repository: str, seconds: float) -> GitHub:
    """Return the client of one errand, whose time begins now; GITHUB_API_URL names another API than github.com's."""
    from detector.clients.github_api import API, GitHub

    api = app.environ.get("GITHUB_API_URL") or API
    fault = find_url_fault(api, ("http", "https"))
    if fault:
        raise InputError(f"GITHUB_API_URL {fault}")
    return GitHub(repository, build_network_policy(app, settings, seconds), app.clock, get_token(app), api)
