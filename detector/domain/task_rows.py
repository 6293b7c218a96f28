"""The service, its tasks and containers, and the processes, as AWS, Docker and a supervisor list them."""

from __future__ import annotations

from datetime import datetime
from fnmatch import fnmatchcase

from msgspec import Struct

from detector.domain.columns import build_column
from detector.formats.patterns import build_pattern

_AT_REST = ("exited", "created", "stopped", "dead", "exit")  # `stopped` is Podman's, `Exit 0` Compose v1's
# A failed recreate leaves the old container under its id and its name, at times several times over.
_RECREATED = build_pattern(r"(?:[0-9a-f]{12}_)+(?=.)")


def is_at_rest(state: str | None) -> bool:
    """Whether a container in that state runs nothing, and nothing starts it by itself."""
    return state is not None and state.lower() in _AT_REST


def remove_recreate_ids(name: str) -> str:
    """Return a container's name without the ids that a failed recreate put before it."""
    return _RECREATED.sub("", name, count=1) if _RECREATED.match(name) else name


class Service(Struct, frozen=True):
    """The ECS service; `exists` is False where AWS answered and did not know it."""

    exists: bool
    name: str
    why_missing: str | None = None
    status: str | None = None
    desired: int | None = None
    running: int | None = None
    pending: int | None = None
    replacing_since: datetime | None = None
    start_failures_at: datetime | None = None


class TaskContainer(Struct, frozen=True):
    """One container of an ECS task; without a name it may be any of them."""

    name: str | None
    last_status: str | None = None
    health: str | None = None
    exit_code: int | None = None
    reason: str | None = None


class Task(Struct, frozen=True):
    """One ECS task; `of_service` is None where AWS did not give its group."""

    task_id: str
    of_service: bool | None = None
    last_status: str | None = None
    desired_status: str | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    stopped_at: datetime | None = None
    stop_code: str | None = None
    stopped_reason: str | None = None
    containers: tuple[TaskContainer, ...] | None = None

    @property
    def short_id(self) -> str:
        """Return enough of the id for a person to tell tasks apart."""
        return self.task_id[:8]

    @property
    def all_named(self) -> bool:
        """Whether every container was seen with its name, so that one that is not among them is absent."""
        return self.containers is not None and all(container.name for container in self.containers)

    def find_container(self, name: str) -> TaskContainer | None:
        """Return the container of that name, or None where the task has none."""
        return next((container for container in self.containers or () if container.name == name), None)


class Container(Struct, frozen=True):
    """One container of the standby host, by its Docker name and state.

    `aliases` are what Compose calls it: its name before a failed recreate, its service, project and service.
    """

    name: str
    state: str | None = None
    aliases: tuple[str, ...] = ()

    def is_named_like(self, pattern: str) -> bool:
        """Return whether one of its names matches the glob."""
        return any(fnmatchcase(name, pattern) for name in (self.name, *self.aliases))


class LocalProcess(Struct, frozen=True):
    """One process by the name that its supervisor gives it; each column may be unseen (None)."""

    name: str | None = build_column("id", doc="the name that the supervisor gives it")
    running: bool | None = build_column("flag", doc="whether it runs")
    pid: int | None = build_column("count", doc="its process id")
    started_at: datetime | None = build_column("time", doc="when it last started")
    starts_recent: int | None = build_column("count", doc="starts within AEGIS_PT_RESTART_WINDOW_SEC")
    exit_code: int | None = build_column("exit code", doc="how it last ended; a signal is negative")

    @property
    def is_named(self) -> bool:
        """Whether the row names its process."""
        return bool(self.name)
