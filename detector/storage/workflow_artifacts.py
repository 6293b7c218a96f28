"""The memory as a workflow's artifact: found over GitHub's REST API, trusted only where this workflow made it.

Anybody who can open a pull request can upload an artifact of any name, and forks share the ids. So the way goes
from the runs to the artifacts: the workflow's own runs, on the default branch of this repository, started by
what starts this workflow, and of each the artifact that bears the run's own id and attempt.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from typing import Any

from detector.clients.github_api import GitHub
from detector.domain.run_memory import build_lost_memory
from detector.formats.errors import MISSING, ExternalError
from detector.formats.strict_json import DocumentError, parse_document
from detector.readers.previous import ExpectedMemory
from detector.storage.artifact_file import UnavailableError
from detector.storage.memory_artifact import LoadedMemory, pick_newest
from detector.storage.trusted_runs import ListedRun, OwnRun, Repository, TrustedRuns, list_attempts
from detector.storage.zip_archive import MOST_COMPRESSED, extract_member

# How often GitHub is asked at most, so that a day of runs that left nothing cannot use up the token's hour.
_MOST_REQUESTED = 8  # artifacts of one name, of each list of runs
_MOST_PAGES = 3  # of all artifacts that the repository has
_MOST_LOOKUPS = 2

Artifact = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WorkflowArtifacts:
    """The artifacts of one workflow's runs."""

    github: GitHub
    repository: Repository
    own: OwnRun

    @property
    def _runs(self) -> TrustedRuns:
        return TrustedRuns(self.github, self.repository, self.own.workflow)

    def find(self, expected: ExpectedMemory) -> LoadedMemory:
        """Return the newest memory that can be used over all lanes; raises ExternalError where GitHub cannot be asked.

        A workflow of which no run has ended well has nothing to remember; otherwise a memory was expected, and
        one that is not found is lost. Runs that left nothing are passed over, however many: the newest runs are
        asked, then all artifacts of the repository, then the newest runs that ended well.
        """
        runs = self._runs.fetch_newest()
        successes: list[ListedRun] = []
        loaded = pick_newest(self._iter_candidates(runs, successes), expected)
        if loaded is not None:
            return loaded
        if not successes:
            return LoadedMemory()
        return LoadedMemory(
            build_lost_memory(
                f"{len(successes)} earlier runs ended well, and no artifact {self.own.name}-… is there"
            )
        )

    def _iter_candidates(
        self, runs: Iterable[ListedRun], successes: list[ListedRun]
    ) -> Iterator[tuple[str, Any]]:
        """Yield the artifacts, the newest first; the runs that ended well are added to `well` when they are asked."""
        tried: set[str] = set()
        yield from self._iter_run_artifacts(runs, tried)
        try:
            yield from self._iter_all_artifacts(runs, tried)
            successes += self._runs.fetch_newest(status="success")
        except ExternalError as error:
            yield "what GitHub lists", UnavailableError(str(error))
        yield from self._iter_run_artifacts(successes, tried)

    def _iter_run_artifacts(self, runs: Iterable[ListedRun], tried: set[str]) -> Iterator[tuple[str, Any]]:
        """Yield what the newest of these runs left, asked for by its name."""
        names = (
            (self._build_name(run, attempt), run) for run in runs for attempt in list_attempts(run, self.own)
        )
        for name, run in islice(((name, run) for name, run in names if name not in tried), _MOST_REQUESTED):
            tried.add(name)
            try:
                artifacts = self._fetch_artifacts(name, run["id"])
            except ExternalError as error:
                yield name, UnavailableError(str(error))
            else:
                yield from ((name, self._fetch_document(artifact)) for artifact in artifacts)

    def _iter_all_artifacts(self, runs: Iterable[ListedRun], tried: set[str]) -> Iterator[tuple[str, Any]]:
        """Yield the newest artifacts of all that the repository has, as far as runs that may be believed left them."""
        runs_by_id, lookups = {run["id"]: run for run in runs}, 0
        for artifact, run_id, attempt in self._iter_claimed():
            if run_id not in runs_by_id and lookups < _MOST_LOOKUPS:
                lookups += 1
                older_runs = self._runs.fetch_newest(created=f"<={artifact.get('created_at')}")
                runs_by_id |= {run["id"]: run for run in older_runs}
            name, run = artifact["name"], runs_by_id.get(run_id)
            if run is not None and name not in tried and attempt in list_attempts(run, self.own):
                tried.add(name)
                yield name, self._fetch_document(artifact)

    def _iter_claimed(self) -> Iterator[tuple[Artifact, int, int]]:
        """Yield `(artifact, run, attempt)` for each of the newest artifacts that says to be of a run of ours."""
        pattern = re.compile(rf"{re.escape(self.own.name)}-([0-9]{{1,18}})-([0-9]{{1,4}})")
        for _, page in islice(self.github.list_pages("/actions/artifacts", "artifacts"), _MOST_PAGES):
            for artifact in page:
                match = pattern.fullmatch(str(artifact.get("name"))) if isinstance(artifact, dict) else None
                if match is not None and self._is_from_run(artifact, int(match[1])):
                    yield artifact, int(match[1]), int(match[2])

    def _build_name(self, run: ListedRun, attempt: int) -> str:
        return f"{self.own.name}-{run['id']}-{attempt}"

    def _fetch_artifacts(self, name: str, run_id: int) -> list[Artifact]:
        """Return the artifacts of exactly that name that exactly that run uploaded, in this repository."""
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
        """Return what the artifact holds, or why it cannot be had, as a DocumentError."""
        size, digest = artifact.get("size_in_bytes"), artifact.get("digest")
        if not isinstance(size, int) or size > MOST_COMPRESSED:
            return DocumentError(f"the archive is larger than {MOST_COMPRESSED} bytes")
        if not isinstance(digest, str):
            return DocumentError("GitHub knows no digest of it")
        try:
            data = self.github.fetch_file(f"/actions/artifacts/{artifact.get('id')}/zip")
        except ExternalError as error:
            return DocumentError("it is gone") if error.reason == MISSING else UnavailableError(str(error))
        if f"sha256:{sha256(data).hexdigest()}" != digest:
            return DocumentError("what was downloaded is not what was uploaded (its SHA-256 differs)")
        try:
            return parse_document(extract_member(data, self.own.member))
        except DocumentError as error:
            return error
