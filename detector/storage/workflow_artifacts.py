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

from detector.clients.github import GitHub
from detector.domain.memory import build_lost_memory
from detector.formats.edge_error import MISSING, EdgeError
from detector.formats.strict_json import DocumentError, parse
from detector.readers.previous import ExpectedMemory
from detector.storage.file import UnreadError
from detector.storage.newest import Found, newest
from detector.storage.trusted_runs import Home, OwnRun, Run, Runs, attempts
from detector.storage.zip_archive import MOST_COMPRESSED, member_of

# How often GitHub is asked at most, so that a day of runs that left nothing cannot use up the token's hour.
_MOST_ASKED = 8  # artifacts of one name, of each list of runs
_MOST_PAGES = 3  # of all artifacts that the repository has
_MOST_LOOKED_BACK = 2

Artifact = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Workflow:
    """The artifacts of one workflow's runs."""

    github: GitHub
    home: Home
    own: OwnRun

    @property
    def _runs(self) -> Runs:
        return Runs(self.github, self.home, self.own.workflow)

    def find(self, expected: ExpectedMemory) -> Found:
        """Return the newest memory that can be used over all lanes; raises EdgeError where GitHub cannot be asked.

        A workflow of which no run has ended well has nothing to remember; otherwise a memory was expected, and
        one that is not found is lost. Runs that left nothing are passed over, however many: the newest runs are
        asked, then all artifacts of the repository, then the newest runs that ended well.
        """
        runs = self._runs.newest()
        well: list[Run] = []
        found = newest(self._offered(runs, well), expected)
        if found is not None:
            return found
        if not well:
            return Found()
        return Found(build_lost_memory(f"{len(well)} earlier runs ended well, and no artifact {self.own.name}-… is there"))

    def _offered(self, runs: Iterable[Run], well: list[Run]) -> Iterator[tuple[str, Any]]:
        """Yield the artifacts, the newest first; the runs that ended well are added to `well` when they are asked."""
        asked: set[str] = set()
        yield from self._of_runs(runs, asked)
        try:
            yield from self._of_all(runs, asked)
            well += self._runs.newest(status="success")
        except EdgeError as error:
            yield "what GitHub lists", UnreadError(str(error))
        yield from self._of_runs(well, asked)

    def _of_runs(self, runs: Iterable[Run], asked: set[str]) -> Iterator[tuple[str, Any]]:
        """Yield what the newest of these runs left, asked for by its name."""
        names = ((self._name(run, attempt), run) for run in runs for attempt in attempts(run, self.own))
        for name, run in islice(((name, run) for name, run in names if name not in asked), _MOST_ASKED):
            asked.add(name)
            try:
                artifacts = self._artifacts(name, run["id"])
            except EdgeError as error:
                yield name, UnreadError(str(error))
            else:
                yield from ((name, self._document(artifact)) for artifact in artifacts)

    def _of_all(self, runs: Iterable[Run], asked: set[str]) -> Iterator[tuple[str, Any]]:
        """Yield the newest artifacts of all that the repository has, as far as runs that may be believed left them."""
        known, looked_back = {run["id"]: run for run in runs}, 0
        for artifact, run_id, attempt in self._that_claim():
            if run_id not in known and looked_back < _MOST_LOOKED_BACK:
                looked_back += 1
                then = self._runs.newest(created=f"<={artifact.get('created_at')}")
                known |= {run["id"]: run for run in then}
            name, run = artifact["name"], known.get(run_id)
            if run is not None and name not in asked and attempt in attempts(run, self.own):
                asked.add(name)
                yield name, self._document(artifact)

    def _that_claim(self) -> Iterator[tuple[Artifact, int, int]]:
        """Yield `(artifact, run, attempt)` for each of the newest artifacts that says to be of a run of ours."""
        ours = re.compile(rf"{re.escape(self.own.name)}-([0-9]{{1,18}})-([0-9]{{1,4}})")
        for _, listed in islice(self.github.list_pages("/actions/artifacts", "artifacts"), _MOST_PAGES):
            for artifact in listed:
                found = ours.fullmatch(str(artifact.get("name"))) if isinstance(artifact, dict) else None
                if found is not None and self._is_of(artifact, int(found[1])):
                    yield artifact, int(found[1]), int(found[2])

    def _name(self, run: Run, attempt: int) -> str:
        return f"{self.own.name}-{run['id']}-{attempt}"

    def _artifacts(self, name: str, run_id: int) -> list[Artifact]:
        """Return the artifacts of exactly that name that exactly that run uploaded, in this repository."""
        _, listed = next(self.github.list_pages("/actions/artifacts", "artifacts", {"name": name}))
        return [
            one
            for one in listed
            if isinstance(one, dict) and one.get("name") == name and self._is_of(one, run_id)
        ]

    def _is_of(self, artifact: Artifact, run_id: int) -> bool:
        made_by = artifact.get("workflow_run")
        return isinstance(made_by, dict) and (
            made_by.get("id") == run_id
            and made_by.get("repository_id") == made_by.get("head_repository_id") == self.home.id
            and made_by.get("head_branch") == self.home.branch
            and artifact.get("expired") is False
        )

    def _document(self, artifact: Artifact) -> Any:
        """Return what the artifact holds, or why it cannot be had, as a DocumentError."""
        size, digest = artifact.get("size_in_bytes"), artifact.get("digest")
        if not isinstance(size, int) or size > MOST_COMPRESSED:
            return DocumentError(f"the archive is larger than {MOST_COMPRESSED} bytes")
        if not isinstance(digest, str):
            return DocumentError("GitHub knows no digest of it")
        try:
            data = self.github.fetch_file(f"/actions/artifacts/{artifact.get('id')}/zip")
        except EdgeError as error:
            return DocumentError("it is gone") if error.reason == MISSING else UnreadError(str(error))
        if f"sha256:{sha256(data).hexdigest()}" != digest:
            return DocumentError("what was downloaded is not what was uploaded (its SHA-256 differs)")
        try:
            return parse(member_of(data, self.own.member))
        except DocumentError as error:
            return error
