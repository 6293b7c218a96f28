"""The memory as a workflow's artifact: found over GitHub's REST API, trusted only where this workflow made it.

Anybody who can open a pull request can upload an artifact of any name, and forks share the ids. So the way goes
from the runs to the artifacts: the workflow's own runs, on the default branch of this repository, started by
what starts this workflow, and of each the artifact that bears the run's own id and attempt.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from detector.artifacts.archive import MOST_COMPRESSED, member_of
from detector.artifacts.choice import Found, newest
from detector.clients.github import GitHub
from detector.model.document import DocumentError, parse
from detector.model.edge import UNREADABLE, EdgeError
from detector.model.memory import lost
from detector.readers.previous import Expected

STARTED_BY = ("schedule", "repository_dispatch", "workflow_dispatch")
_NOT_BEGUN = ("queued", "requested", "waiting", "pending")
_MOST_ATTEMPTS = 3  # of one run: the latest ones


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
class Workflow:
    """The artifacts of one workflow's runs."""

    github: GitHub
    home: Home
    own: OwnRun

    def find(self, expected: Expected) -> Found:
        """Return the newest memory that can be used over all lanes; raises EdgeError where GitHub cannot be asked.

        A workflow of which no run has ended well has nothing to remember; otherwise a memory was expected, and
        one that is not found is lost.
        """
        runs = self._runs()
        found = newest(self._offered(runs), expected)
        if found is not None:
            return found
        ended_well = sum(run.get("conclusion") == "success" for run in runs)
        if not ended_well:
            return Found()
        return Found(
            lost(f"{ended_well} earlier runs ended well, and no artifact {self.own.name}-… is there")
        )

    def _runs(self) -> list[Mapping[str, Any]]:
        """Return the newest runs of this workflow that may be believed, the one that began last first.

        One page of 100: the runs of a whole weekday of both schedules. A re-run begins anew, so that it counts
        from then.
        """
        asked = {"branch": self.home.branch, "exclude_pull_requests": "true"}
        path = f"/actions/workflows/{self.own.workflow}/runs"
        _, listed = next(self.github.listed(path, "workflow_runs", asked))
        ours = [run for run in listed if isinstance(run, dict) and self._is_ours(run)]
        return sorted(ours, key=lambda run: (str(run.get("run_started_at")), run["id"]), reverse=True)

    def _is_ours(self, run: Mapping[str, Any]) -> bool:
        return (
            isinstance(run.get("id"), int)
            and run.get("event") in STARTED_BY
            and run.get("head_branch") == self.home.branch
            and str(run.get("path")).partition("@")[0].endswith(f"/{self.own.workflow}")
            and _id_of(run.get("repository")) == _id_of(run.get("head_repository")) == self.home.id
            and run.get("status") not in _NOT_BEGUN
        )

    def _offered(self, runs: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, Any]]:
        for run in runs:
            for attempt in _attempts(run, self.own):
                name = f"{self.own.name}-{run['id']}-{attempt}"
                try:
                    for artifact in self._artifacts(name, run["id"]):
                        yield name, self._document(artifact)
                except EdgeError as error:
                    yield name, DocumentError(str(error))

    def _artifacts(self, name: str, run_id: int) -> list[Mapping[str, Any]]:
        """Return the artifacts of exactly that name that exactly that run uploaded, in this repository."""
        _, listed = next(self.github.listed("/actions/artifacts", "artifacts", {"name": name}))
        return [
            one
            for one in listed
            if isinstance(one, dict) and one.get("name") == name and self._is_of(one, run_id)
        ]

    def _is_of(self, artifact: Mapping[str, Any], run_id: int) -> bool:
        made_by = artifact.get("workflow_run")
        return isinstance(made_by, dict) and (
            made_by.get("id") == run_id
            and made_by.get("repository_id") == made_by.get("head_repository_id") == self.home.id
            and made_by.get("head_branch") == self.home.branch
            and artifact.get("expired") is False
        )

    def _document(self, artifact: Mapping[str, Any]) -> Any:
        """Return what the artifact holds, or why it cannot be had, as a DocumentError; raises EdgeError."""
        size, digest = artifact.get("size_in_bytes"), artifact.get("digest")
        if not isinstance(size, int) or size > MOST_COMPRESSED:
            return DocumentError(f"the archive is larger than {MOST_COMPRESSED} bytes")
        if not isinstance(digest, str):
            return DocumentError("GitHub knows no digest of it")
        data = self.github.download(f"/actions/artifacts/{artifact.get('id')}/zip")
        if f"sha256:{sha256(data).hexdigest()}" != digest:
            return DocumentError("what was downloaded is not what was uploaded (its SHA-256 differs)")
        try:
            return parse(member_of(data, self.own.member))
        except DocumentError as error:
            return error


def _attempts(run: Mapping[str, Any], own: OwnRun) -> Iterator[int]:
    """Yield the attempts of a run that can have left something, the latest first; never the one that asks."""
    latest = run.get("run_attempt")
    latest = latest if isinstance(latest, int) and latest > 0 else 1
    if run["id"] == own.run_id:
        latest = own.attempt - 1
    yield from range(latest, max(0, latest - _MOST_ATTEMPTS), -1)


def _id_of(repository: Any) -> Any:
    return repository.get("id") if isinstance(repository, dict) else None
