"""Lists the trusted runs of this program's own workflow, and their attempts that can have artifacts.

Anybody who can open a pull request can run a workflow, and forks share the ids. Trusted are only runs on the
default branch of this repository that were started by the events that start this workflow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from detector.clients.github_api import GitHub
from detector.formats.errors import UNREADABLE, ExternalError

STARTED_BY = ("schedule", "repository_dispatch", "workflow_dispatch")
_NOT_BEGUN = ("queued", "requested", "waiting", "pending")
_MOST_ATTEMPTS = 3  # of one run: the latest ones

ListedRun = Mapping[str, Any]


class OwnRun(Struct, frozen=True):
    """The current run: its workflow's file, its id and attempt, and the naming of its artifacts.

    An artifact's name is `name`, the run's id and the attempt, joined by hyphens; `member` is its only file.
    `earlier_names` are what older versions called it, the newest first.
    """

    workflow: str
    run_id: int
    attempt: int
    name: str
    member: str
    earlier_names: tuple[str, ...] = ()


class Repository(Struct, frozen=True):
    """The repository on GitHub: its id, its default branch, and whether it is public."""

    id: int
    branch: str
    public: bool


def fetch_repository(github: GitHub) -> Repository:
    """Return the repository's data from GitHub; raises ExternalError."""
    answer = github.get("")
    try:
        return Repository(int(answer["id"]), str(answer["default_branch"]), answer["private"] is not True)
    except (KeyError, TypeError, ValueError):
        raise ExternalError("its answer is no repository", reason=UNREADABLE) from None


class TrustedRuns(Struct, frozen=True):
    """The trusted runs of one workflow."""

    github: GitHub
    repository: Repository
    workflow: str

    def fetch_newest(self, **filters: str) -> list[ListedRun]:
        """Return the newest trusted runs of this workflow, ordered by their start, the latest first.

        One page of 100: the runs of a whole weekday of both schedules. A re-run counts from its own start.
        """
        params = {"branch": self.repository.branch, "exclude_pull_requests": "true", **filters}
        path = f"/actions/workflows/{self.workflow}/runs"
        _, items = next(self.github.list_pages(path, "workflow_runs", params))
        trusted = [run for run in items if isinstance(run, dict) and self._is_trusted(run)]
        if "status" in filters:
            trusted = [run for run in trusted if run.get("conclusion") == filters["status"]]
        return sorted(trusted, key=lambda run: (str(run.get("run_started_at")), run["id"]), reverse=True)

    def _is_trusted(self, run: ListedRun) -> bool:
        return (
            isinstance(run.get("id"), int)
            and run.get("event") in STARTED_BY
            and run.get("head_branch") == self.repository.branch
            and str(run.get("path")).partition("@")[0].endswith(f"/{self.workflow}")
            and _get_id(run.get("repository")) == _get_id(run.get("head_repository")) == self.repository.id
            and run.get("status") not in _NOT_BEGUN
        )


def list_attempts(run: ListedRun, own: OwnRun) -> Iterator[int]:
    """Yield the attempts of a run that can have artifacts, the latest first; never the current one."""
    latest = run.get("run_attempt")
    latest = latest if isinstance(latest, int) and latest > 0 else 1
    if run["id"] == own.run_id:
        latest = own.attempt - 1
    yield from range(latest, max(0, latest - _MOST_ATTEMPTS), -1)


def _get_id(repository: Any) -> Any:
    return repository.get("id") if isinstance(repository, dict) else None
