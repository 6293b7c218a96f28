"""The memory as a workflow's artifact: found by GitHub's REST API, trusted only from this workflow's runs.

Anybody who can open a pull request can run a workflow and upload an artifact of any name, and forks share the
ids. Trusted are only runs on the default branch of this repository that were started by the events that start
this workflow; they are listed first, and of each only the artifact with its own id and attempt is read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import islice
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from detector.clients.github_api import GitHub
from detector.domain.run_memory import build_lost_memory, mark_missing_memory
from detector.formats.errors import MISSING, UNREADABLE, ExternalError, InputError
from detector.formats.strict_json import parse_document
from detector.formats.times import format_duration, parse_rfc3339
from detector.readers.previous import ExpectedMemory
from detector.storage.artifact_file import UnavailableError
from detector.storage.memory_artifact import LoadedMemory, pick_newest
from detector.storage.zip_archive import MOST_COMPRESSED, extract_member

_STARTED_BY = ("schedule", "repository_dispatch", "workflow_dispatch")
_NOT_BEGUN = ("queued", "requested", "waiting", "pending")
_MOST_ATTEMPTS = 3  # of one run: the latest ones

_ListedRun = Mapping[str, Any]
# Limits of requests, so that a day of runs without artifacts cannot use up the token's hourly quota.
_MOST_REQUESTED = 8  # artifacts of one name, of each list of runs
_MOST_PAGES = 3  # of all artifacts that the repository has
_MOST_LOOKUPS = 2
_DOWNLOADS = 2  # a damaged download is tried once more
_LONGEST_UNREAD = timedelta(
    hours=6
)  # after that an artifact is broken: it must not freeze the memory for ever
Artifact = Mapping[str, Any]


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


class _TrustedRuns(Struct, frozen=True):
    """The trusted runs of one workflow."""

    github: GitHub
    repository: Repository
    workflow: str

    def fetch_newest(self, **filters: str) -> list[_ListedRun]:
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

    def _is_trusted(self, run: _ListedRun) -> bool:
        return (
            isinstance(run.get("id"), int)
            and run.get("event") in _STARTED_BY
            and run.get("head_branch") == self.repository.branch
            and str(run.get("path")).partition("@")[0].endswith(f"/{self.workflow}")
            and _get_id(run.get("repository")) == _get_id(run.get("head_repository")) == self.repository.id
            and run.get("status") not in _NOT_BEGUN
        )


def _list_attempts(run: _ListedRun, own: OwnRun) -> Iterator[int]:
    """Yield the attempts of a run that can have artifacts, the latest first; never the current one."""
    latest = run.get("run_attempt")
    latest = latest if isinstance(latest, int) and latest > 0 else 1
    if run["id"] == own.run_id:
        latest = own.attempt - 1
    yield from range(latest, max(0, latest - _MOST_ATTEMPTS), -1)


def _get_id(repository: Any) -> Any:
    return repository.get("id") if isinstance(repository, dict) else None


class WorkflowArtifacts(Struct, frozen=True):
    """The artifacts of one workflow's runs."""

    github: GitHub
    repository: Repository
    own: OwnRun
    at: datetime | None = None

    @property
    def _runs(self) -> _TrustedRuns:
        return _TrustedRuns(self.github, self.repository, self.own.workflow)

    def find(self, expected: ExpectedMemory) -> LoadedMemory:
        """Return the newest usable memory of all lanes; raises ExternalError where GitHub cannot be read.

        Without a successful run it is a first run; otherwise a memory is expected, and a missing one is lost.
        Runs without an artifact are skipped, however many: the search covers the newest runs, then all
        artifacts of the repository, then the newest successful runs. Where all that finds nothing, it looks
        under the earlier names, which this version replaced.
        """
        runs = self._runs.fetch_newest()
        successes: list[_ListedRun] = []
        dated = replace(self, at=expected.taken_at)
        loaded = pick_newest(dated._iter_candidates(runs, successes), expected)  # noqa: SLF001 - itself
        if loaded is None and self.own.earlier_names:
            name, *others = self.own.earlier_names
            return replace(self, own=replace(self.own, name=name, earlier_names=tuple(others))).find(expected)
        if loaded is not None:
            looked_at = _find_newest_success(runs, self.own)
            return replace(loaded, memory=mark_missing_memory(loaded.memory, looked_at))
        if not successes:
            return LoadedMemory()
        return LoadedMemory(
            build_lost_memory(
                f"{len(successes)} earlier runs ended well, and no artifact {self.own.name}-… is there"
            )
        )

    def _iter_candidates(
        self, runs: Iterable[_ListedRun], successes: list[_ListedRun]
    ) -> Iterator[tuple[str, Any]]:
        """Yield the artifacts, the newest first; adds the successful runs to `successes`."""
        tried: set[str] = set()
        yield from self._iter_run_artifacts(runs, tried)
        try:
            yield from self._iter_all_artifacts(runs, tried)
            successes += self._runs.fetch_newest(status="success")
        except ExternalError as error:
            yield "what GitHub lists", UnavailableError(str(error))
        yield from self._iter_run_artifacts(successes, tried)

    def _iter_run_artifacts(self, runs: Iterable[_ListedRun], tried: set[str]) -> Iterator[tuple[str, Any]]:
        """Yield the artifacts of the newest of these runs, requested by name."""
        names = (
            (f"{self.own.name}-{run['id']}-{attempt}", run)
            for run in runs
            for attempt in _list_attempts(run, self.own)
        )
        for name, run in islice(((name, run) for name, run in names if name not in tried), _MOST_REQUESTED):
            tried.add(name)
            try:
                artifacts = self._fetch_artifacts(name, run["id"])
            except ExternalError as error:
                yield name, UnavailableError(str(error))
            else:
                yield from ((name, self._fetch_document(artifact)) for artifact in artifacts)

    def _iter_all_artifacts(self, runs: Iterable[_ListedRun], tried: set[str]) -> Iterator[tuple[str, Any]]:
        """Yield the newest of all artifacts of the repository, those of trusted runs only."""
        runs_by_id, lookups = {run["id"]: run for run in runs}, 0
        for artifact, run_id, attempt in self._iter_claimed():
            if run_id not in runs_by_id and lookups < _MOST_LOOKUPS:
                lookups += 1
                older_runs = self._runs.fetch_newest(created=f"<={artifact.get('created_at')}")
                runs_by_id |= {run["id"]: run for run in older_runs}
            name, run = artifact["name"], runs_by_id.get(run_id)
            if run is not None and name not in tried and attempt in _list_attempts(run, self.own):
                tried.add(name)
                yield name, self._fetch_document(artifact)

    def _iter_claimed(self) -> Iterator[tuple[Artifact, int, int]]:
        """Yield `(artifact, run id, attempt)` of the newest artifacts with a name of this workflow."""
        pattern = re.compile(rf"{re.escape(self.own.name)}-([0-9]{{1,18}})-([0-9]{{1,4}})")
        for _, page in islice(self.github.list_pages("/actions/artifacts", "artifacts"), _MOST_PAGES):
            for artifact in page:
                match = pattern.fullmatch(str(artifact.get("name"))) if isinstance(artifact, dict) else None
                if match is not None and self._is_from_run(artifact, int(match[1])):
                    yield artifact, int(match[1]), int(match[2])

    def _fetch_artifacts(self, name: str, run_id: int) -> list[Artifact]:
        """Return the artifacts with exactly that name of exactly that run, in this repository."""
        _, page = next(self.github.list_pages("/actions/artifacts", "artifacts", {"name": name}))
        return [
            artifact
            for artifact in page
            if isinstance(artifact, dict)
            and artifact.get("name") == name
            and self._is_from_run(artifact, run_id)
        ]

    def _is_from_run(self, artifact: Artifact, run_id: int) -> bool:
        run = artifact.get("workflow_run")
        return isinstance(run, dict) and (
            run.get("id") == run_id
            and run.get("repository_id") == run.get("head_repository_id") == self.repository.id
            and run.get("head_branch") == self.repository.branch
            and artifact.get("expired") is False
        )

    def _fetch_document(self, artifact: Artifact) -> Any:
        """Return the artifact's document, or why it cannot be read, as a InputError."""
        size, digest = artifact.get("size_in_bytes"), artifact.get("digest")
        if not isinstance(size, int) or size > MOST_COMPRESSED:
            return InputError(f"the archive is larger than {MOST_COMPRESSED} bytes")
        if not isinstance(digest, str):
            return InputError("GitHub knows no digest of it")
        for _ in range(_DOWNLOADS):
            try:
                data = self.github.fetch_file(f"/actions/artifacts/{artifact.get('id')}/zip")
            except ExternalError as error:
                return (
                    InputError("it is gone")
                    if error.reason == MISSING
                    else self._build_unread(artifact, str(error))
                )
            if f"sha256:{sha256(data).hexdigest()}" == digest:
                break
        else:
            why = "what was downloaded is not what was uploaded (its SHA-256 differs)"
            return self._build_unread(artifact, why)
        try:
            return parse_document(extract_member(data, self.own.member))
        except InputError as error:
            return error

    def _build_unread(self, artifact: Artifact, why: str) -> InputError:
        """Return why an artifact is unread this time, or broken once that has lasted too long."""
        try:
            created = parse_rfc3339(str(artifact.get("created_at")))
        except InputError:
            return UnavailableError(why)
        if self.at is None or self.at - created <= _LONGEST_UNREAD:
            return UnavailableError(why)
        return InputError(f"{why}; it is over {format_duration(_LONGEST_UNREAD.total_seconds())} old")


def _find_newest_success(runs: Iterable[_ListedRun], own: OwnRun) -> datetime | None:
    """Return when the newest other run that ended well was started, None where there is none."""
    for run in runs:
        if run["id"] != own.run_id and run.get("conclusion") == "success":
            try:
                return parse_rfc3339(str(run.get("run_started_at")))
            except InputError:
                continue
    return None
