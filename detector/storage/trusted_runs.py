"""The runs of this program's own workflow that may be believed, and the attempts of them that left something.

Anybody who can open a pull request can run a workflow, and forks share the ids: believed is what ran on the default
branch of this repository, started by what starts this workflow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from detector.clients.github import GitHub
from detector.formats.edge_error import UNREADABLE, EdgeError

STARTED_BY = ("schedule", "repository_dispatch", "workflow_dispatch")
_NOT_BEGUN = ("queued", "requested", "waiting", "pending")
_MOST_ATTEMPTS = 3  # of one run: the latest ones

Run = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class OwnRun:
    """The run that asks: its workflow's file, its id and attempt; and what its artifacts are called.

    An artifact's name is `name`, the run's id and the attempt, by hyphens; `member` is the one file in it.
    """

    workflow: str
    run_id: int
    attempt: int
    name: str
    member: str


@dataclass(frozen=True, slots=True)
class Home:
    """What GitHub says of the repository: its id, its default branch, and whether anyone can read it."""

    id: int
    branch: str
    public: bool


def home_of(github: GitHub) -> Home:
    """Return what GitHub says of the repository; raises EdgeError."""
    answer = github.get("")
    try:
        return Home(int(answer["id"]), str(answer["default_branch"]), answer["private"] is not True)
    except (KeyError, TypeError, ValueError):
        raise EdgeError("its answer is no repository", reason=UNREADABLE) from None


@dataclass(frozen=True, slots=True)
class Runs:
    """The runs of one workflow, as GitHub lists them."""

    github: GitHub
    home: Home
    workflow: str

    def newest(self, **wanted: str) -> list[Run]:
        """Return the newest runs of this workflow that may be believed, the one that began last first.

        One page of 100: the runs of a whole weekday of both schedules. A re-run begins anew, so that it counts
        from then.
        """
        asked = {"branch": self.home.branch, "exclude_pull_requests": "true", **wanted}
        path = f"/actions/workflows/{self.workflow}/runs"
        _, listed = next(self.github.list_pages(path, "workflow_runs", asked))
        ours = [run for run in listed if isinstance(run, dict) and self._is_ours(run)]
        if "status" in wanted:
            ours = [run for run in ours if run.get("conclusion") == wanted["status"]]
        return sorted(ours, key=lambda run: (str(run.get("run_started_at")), run["id"]), reverse=True)

    def _is_ours(self, run: Run) -> bool:
        return (
            isinstance(run.get("id"), int)
            and run.get("event") in STARTED_BY
            and run.get("head_branch") == self.home.branch
            and str(run.get("path")).partition("@")[0].endswith(f"/{self.workflow}")
            and _id_of(run.get("repository")) == _id_of(run.get("head_repository")) == self.home.id
            and run.get("status") not in _NOT_BEGUN
        )


def attempts(run: Run, own: OwnRun) -> Iterator[int]:
    """Yield the attempts of a run that can have left something, the latest first; never the one that asks."""
    latest = run.get("run_attempt")
    latest = latest if isinstance(latest, int) and latest > 0 else 1
    if run["id"] == own.run_id:
        latest = own.attempt - 1
    yield from range(latest, max(0, latest - _MOST_ATTEMPTS), -1)


def _id_of(repository: Any) -> Any:
    return repository.get("id") if isinstance(repository, dict) else None
