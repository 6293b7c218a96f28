"""Where `run` keeps its memory: a folder, the artifacts of its own workflow, or nowhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct, field
from msgspec.structs import replace

from detector.app.context import AppContext
from detector.app.github_access import build_github_client, find_repository, get_token
from detector.domain.run_memory import FIRST_RUN, build_lost_memory
from detector.formats.errors import ExternalError, InputError
from detector.settings import ARTIFACT_NAME, COLLECT_TIMEOUT_SEC, RUNTIME, Settings
from detector.storage.memory_artifact import LoadedMemory
from detector.storage.state_dir import StateDir, encode_runtime, list_earlier_names

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from detector.readers.previous import ExpectedMemory
    from detector.storage.workflow_artifacts import OwnRun

    MemoryLock = AbstractContextManager[str | None]

_ARTIFACT = "pt-health.json"  # its name in a workflow; a dry run reads it without --artifact
_ARTIFACT_NAME = "pt-health-memory"
_GITHUB_SEC = 45.0
_GITHUB_NEEDS = ("GITHUB_WORKFLOW_REF", "GITHUB_RUN_ID", "GITHUB_RUN_ATTEMPT")


class StateBackend(Protocol):
    """A place that stores the memory; `public` is whether anyone can read it."""

    @property
    def public(self) -> bool:
        """Valid once `find` was called."""

    @property
    def ack_folder(self) -> Path | None:
        """The folder in which acknowledgements wait for the next run, where there is one."""

    def lock(self, runtime: str) -> MemoryLock:
        """Lock the memory of the runtime for one run; raises ExternalError where another run keeps the lock.

        Raises InputError in a workflow that names no artifact. Yields why it cannot be locked, or None.
        """

    def find(self, expected: ExpectedMemory) -> LoadedMemory:
        """Return the memory; raises nothing."""

    def store(self, text: str, runtime: str, generation: int) -> None:
        """Store this generation of the runtime's memory; raises OSError."""


def open_backend(
    app: AppContext, settings: Settings, state: str | None, artifact: str | None, stored: dict[str, str]
) -> StateBackend:
    """Return the backend of this run: `--state` wins over the workflow's artifacts.

    `stored` has each runtime whose memory this process stored, with the text that could not be written, or
    none; the backend changes it.
    """
    if state is not None:
        return _FolderBackend(StateDir(Path(state)), settings[COLLECT_TIMEOUT_SEC], stored)
    if app.environ.get("GITHUB_REPOSITORY"):
        return _GitHubBackend(app, settings, artifact)
    return _NoBackend()


@contextmanager
def _lock_nothing() -> Iterator[str | None]:
    yield None


class _NoBackend(Struct, frozen=True):
    public: bool = False
    ack_folder: Path | None = None

    def lock(self, runtime: str) -> MemoryLock:  # noqa: ARG002 - as every backend
        return _lock_nothing()

    def find(self, expected: ExpectedMemory) -> LoadedMemory:  # noqa: ARG002 - as every backend
        return LoadedMemory(note="No --state: every run repeats every alert. Name a folder with --state DIR.")

    def store(self, text: str, runtime: str, generation: int) -> None:
        pass


class _FolderBackend(Struct, frozen=True):
    folder: StateDir
    wait_sec: float
    stored: dict[str, str]
    public: bool = False
    written: set[int] = field(default_factory=set)

    @property
    def ack_folder(self) -> Path | None:
        return self.folder.path

    def lock(self, runtime: str) -> MemoryLock:
        return self.folder.lock(runtime, self.wait_sec)

    def find(self, expected: ExpectedMemory) -> LoadedMemory:
        loaded = self.folder.find(expected, self.stored.get(expected.runtime, ""))
        if loaded.memory != FIRST_RUN or expected.runtime not in self.stored:
            return loaded
        why = f"what this process had stored in {self.folder.path} is gone"
        return replace(loaded, memory=build_lost_memory(why))

    def store(self, text: str, runtime: str, generation: int) -> None:
        self.stored[runtime] = text  # on a full disk the next run of this process knows it all the same
        self.folder.store(text, runtime, generation, overwrites=generation in self.written)
        self.stored[runtime] = ""
        self.written.add(generation)


class _GitHubBackend(Struct):
    """The workflow uploads the file of `--artifact`; its concurrency group admits one run at a time."""

    app: AppContext
    settings: Settings
    artifact: str | None
    public: bool = True  # until GitHub reports that it is private
    ack_folder: Path | None = None

    def lock(self, runtime: str) -> MemoryLock:  # noqa: ARG002 - its workflow runs one at a time
        if self.artifact is None:
            raise InputError(
                "in a workflow, name with --artifact the file that it uploads: that is the memory"
            )
        output = self.app.environ.get("GITHUB_OUTPUT")
        if output:  # at the beginning: the workflow uploads under this name whatever becomes of the run
            with suppress(OSError), Path(output).open("a", encoding="utf-8") as file:
                file.write(f"artifact_name={get_artifact_name(self.settings)}\n")
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
        from detector.storage.workflow_artifacts import WorkflowArtifacts, fetch_repository

        repository = find_repository(self.app, None) or ""
        github = build_github_client(self.app, self.settings, repository, _GITHUB_SEC)
        home = fetch_repository(github)
        self.public = home.public
        return WorkflowArtifacts(github, home, self._build_own_run()).find(expected)

    def _build_own_run(self) -> OwnRun:
        from detector.storage.workflow_artifacts import OwnRun

        environ = self.app.environ
        return OwnRun(
            # owner/repo/.github/workflows/FILE@refs/heads/BRANCH; of a called workflow, its caller's
            workflow=environ["GITHUB_WORKFLOW_REF"].partition("@")[0].rpartition("/")[2],
            run_id=_parse_id(environ["GITHUB_RUN_ID"]),
            attempt=_parse_id(environ["GITHUB_RUN_ATTEMPT"]),
            name=get_artifact_name(self.settings),
            member=Path(self.artifact or _ARTIFACT).name,
            earlier_names=_list_earlier_artifact_names(self.settings),
        )

    def store(self, text: str, runtime: str, generation: int) -> None:
        pass


def get_artifact_name(settings: Settings) -> str:
    """Return the name of the workflow's artifacts: that of the setting, else one that holds the runtime."""
    own: str = settings[ARTIFACT_NAME]
    return own or f"{_ARTIFACT_NAME}-{encode_runtime(settings[RUNTIME], safe='')}"


def _list_earlier_artifact_names(settings: Settings) -> tuple[str, ...]:
    """Return what older versions called the artifacts, where no setting names them."""
    if settings[ARTIFACT_NAME]:
        return ()
    shortened = list_earlier_names(settings[RUNTIME], safe="")
    return (*(f"{_ARTIFACT_NAME}-{name}" for name in shortened), _ARTIFACT_NAME)


def _build_unread(why: str) -> LoadedMemory:
    return LoadedMemory(build_lost_memory(why), unavailable=why)


def _parse_id(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0
