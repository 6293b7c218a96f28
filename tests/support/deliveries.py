"""The scheduled job in process.

Evaluate, deliver through real channels, and remember through the artifact's own text.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import detector.clients.slack_api
import detector.clients.smtp  # noqa: F401 - loaded now, so that no deadline of a test pays for it
from detector.app.context import AppContext
from detector.app.delivery import Delivery, deliver, load_channels
from detector.app.job import get_rungs
from detector.domain.run_memory import FIRST_RUN, Memory
from tests.support.snapshots import NOW, evaluated, healthy_at, remembered

QUICK = {
    "AEGIS_PT_CHANNEL_TIMEOUT_SEC": "5",
    # Escalation has its own tests: here nothing lasts long enough.
    "AEGIS_PT_ESCALATE_AFTER_SEC": "999999",
    "AEGIS_PT_PENDING_ORDER_PERSIST_SEC": "999999",
}
TWO_ORDERS: dict[str, Any] = {"status_v3": {"pending_orders": 2}}
THREE_ORDERS: dict[str, Any] = {"status_v3": {"pending_orders": 3}}


def door_of(environ: Mapping[str, str], now: datetime = NOW) -> AppContext:
    """Return a door with that environment and that clock, and nothing of this process."""
    return AppContext(environ, lambda: now, io.BytesIO(), io.BytesIO(), io.StringIO())


@dataclass
class Job:
    """A job that runs again and again; `memory` is what the last run that was not killed left behind."""

    environ: Mapping[str, str]
    memory: Memory = FIRST_RUN
    deliveries: list[Delivery] = field(default_factory=list)

    def run(
        self,
        patch: dict[str, Any] | None = None,
        at: str = "2026-06-06T05:00:00Z",
        killed: bool = False,
        environ: Mapping[str, str] | None = None,
        sent_at: str | None = None,
        **more: Any,
    ) -> Delivery:
        """Run once on the healthy snapshot of that time with a patch.

        A killed run tells and remembers nothing.
        """
        door = door_of({**QUICK, **self.environ, **(environ or {})}, datetime.fromisoformat(sent_at or at))
        settings = door.load_settings()
        report = evaluated(
            healthy_at(at, patch),
            self.memory,
            settings,
            channels=get_rungs(load_channels(door, settings)),
        )
        delivery = deliver(door, settings, report, **more)
        if not killed:
            self.memory = remembered(delivery.report, printed=False)
        self.deliveries.append(delivery)
        return delivery
