"""The processes of the machine that the runtime runs on, as their supervisor lists them."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from detector.domain.columns import build_column


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
