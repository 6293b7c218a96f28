"""Where `run` keeps its memory: a folder, the artifacts of its own workflow, or nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from detector.app.context import AppContext, InputError
from detector.app.github_access import build_github_client, find_repository, get_token
from detector.domain.run_memory import build_lost_memory
from detector.formats.errors import ExternalError
from detector.settings import ARTIFACT_NAME, COLLECT_TIMEOUT_SEC, Settings
from detector.storage.newest import LoadedMemory
from detector.storage.state_dir import StateDir

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from detector.readers.previous import ExpectedMemory
    from detector.storage.trusted_runs import OwnRun

    MemoryLock = AbstractContextManager[str | None]

_ARTIFACT = "pt-health.json"  # what a workflow calls it; a dry run reads it without naming it
_GITHUB_SEC = 45.0
_GITHUB_NEEDS = ("GITHUB_WORKFLOW_REF", "GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT")


class StateBackend(Protocol):
    """A place that remembers. `public` says whether anyone can read what is kept there."""

    @property
    def public(self) -> bool:
        """Known once `find` was called."""

    def lock(self) -> MemoryLock:
        """Hold it for one run; raises EdgeError where another run does not let go of it.

        Yields why it cannot be held, or None.
        """

    def find(self, expected: ExpectedMemory) -> LoadedMemory:
        """Return what is remembered; nothing is raised."""

    def store(self, text: str, runtime: str, generation: int) -> None:
        """Keep this generation of the runtime's memory; raises OSError."""


def open_backend(
    app: AppContext, settings: Settings, state: str | None, artifact: str | None
) -> StateBackend:
    """Return where this run keeps its memory: `--state` wins over the workflow it may run in."""
    if state is not None:
        return _FolderBackend(StateDir(Path(state)), settings[COLLECT_TIMEOUT_SEC])
    if app.environ.get("GITHUB_REPOSITORY"):
        return _GitHubBackend(app, settings, artifact)
    return _NoBackend()


@contextmanager
def _lock_nothing() -> Iterator[str | None]:
    yield None


@dataclass(frozen=True, slots=True)
class _NoBackend:
    public: bool = False

    def lock(self) -> MemoryLock:
        return _lock_nothing()

    def find(self, expected: ExpectedMemory) -> LoadedMemory:  # noqa: ARG002 - as every place
        return LoadedMemory(
            note="Nothing is remembered, so that every run tells everything: name a folder with --state."
        )

    def store(self, text: str, runtime: str, generation: int) -> None:
        pass


@dataclass(frozen=True, slots=True)
class _FolderBackend:
    folder: StateDir
    wait_sec: float
    public: bool = False

    def lock(self) -> MemoryLock:
        return self.folder.lock(self.wait_sec)

    def find(self, expected: ExpectedMemory) -> LoadedMemory:
        return self.folder.find(expected)

    def store(self, text: str, runtime: str, generation: int) -> None:
        self.folder.store(text, runtime, generation)


@dataclass(slots=True)
class _GitHubBackend:
    """The workflow uploads what `--artifact` names; its concurrency group lets one run pass at a time."""

    app: AppContext
    settings: Settings
    artifact: str | None
    public: bool = field(default=True, init=False)  # until GitHub says that it is not

    def lock(self) -> MemoryLock:
        if self.artifact is None:
            raise InputError(
                "in a workflow, name with --artifact the file that it uploads: that is the memory"
            )
        return _lock_nothing()

    def find(self, expected: ExpectedMemory) -> LoadedMemory:
        missing = [name for name in _GITHUB_NEEDS if not self.app.environ.get(name)]
        missing += [] if get_token(self.app) else ["GITHUB_TOKEN"]
        if missing:
            return _build_unread(f"GitHub was not asked for it: {', '.join(missing)} is not set")
        try:
            return self._fetch(expected)
        except ExternalError as error:
            return _build_unread(f"GitHub could not be asked for it: {error}")

    def _fetch(self, expected: ExpectedMemory) -> LoadedMemory:
        from detector.storage.trusted_runs import fetch_repository
        from detector.storage.workflow_artifacts import WorkflowArtifacts

        repository = find_repository(self.app, None) or ""
        github = build_github_client(self.app, self.settings, repository, _GITHUB_SEC)
        home = fetch_repository(github)
        self.public = home.public
        return WorkflowArtifacts(github, home, self._build_own_run()).find(expected)

    def _build_own_run(self) -> OwnRun:
        from detector.storage.trusted_runs import OwnRun

        environ = self.app.environ
        return OwnRun(
            # owner/repo/.github/workflows/FILE@refs/heads/BRANCH; of the calling workflow, where this one is called
            workflow=environ["GITHUB_WORKFLOW_REF"].partition("@")[0].rpartition("/")[2],
            run_id=_parse_id(environ["GITHUB_RUN_ID"]),
            attempt=_parse_id(environ["GITHUB_RUN_ATTEMPT"]),
            name=self.settings[ARTIFACT_NAME],
            member=Path(self.artifact or _ARTIFACT).name,
        )

    def store(self, text: str, runtime: str, generation: int) -> None:
        pass


def _build_unread(why: str) -> LoadedMemory:
    return LoadedMemory(build_lost_memory(why), unavailable=why)


def _parse_id(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0
