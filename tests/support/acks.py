"""Runs on a state folder with acknowledgements between them.

The real command line, and what each channel was told.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.deliveries import QUICK
from tests.support.program import Answer, answer
from tests.support.snapshots import healthy_at

STALE = "heartbeat_stale:aegis-pt-core"
PENDING = "pending_orders_high:aegis-pt-core"
DAY = "2026-06-02"


def stamp(clock: str) -> str:
    """The time of that day, such as 15:10."""
    return f"{DAY}T{clock}:00Z"


@dataclass
class Night:
    """One runtime's runs in one folder."""

    folder: Path
    environ: Mapping[str, str]
    notes: list[str] = field(default_factory=list)

    def run(self, clock: str, patch: dict[str, Any] | None = None, **environ: str) -> Answer:
        """Run at that time on the healthy snapshot with a patch."""
        document = json.dumps(healthy_at(stamp(clock), patch))
        words = ("run", "--state", str(self.folder), "--snapshot", "-", "--now", stamp(clock), "--stdout")
        ran = answer(*words, stdin=document, environ={**QUICK, **self.environ, **environ})
        assert ran.code in (0, 3), ran.err
        self.notes += [
            line for line in ran.err.splitlines() if re.search("acknowledg|ignored", line, re.IGNORECASE)
        ]
        return ran

    def ack(self, clock: str, signature: str = PENDING, *words: str) -> Answer:
        """Acknowledge by the command, for the next run."""
        return answer(
            "ack", signature, "--by", "ann", "--state", str(self.folder), "--now", stamp(clock), *words
        )

    @property
    def memory(self) -> dict[str, Any]:
        """The newest memory."""
        newest = max(self.folder.glob("memory-*.json"))
        document: dict[str, Any] = json.loads(newest.read_text())
        return document

    def condition(self, signature: str = PENDING) -> dict[str, Any]:
        """One condition as the memory has it."""
        return next(one for one in self.memory["conditions"] if one["signature"] == signature)

    def acks(self, signature: str = PENDING) -> list[str]:
        """Who acknowledged a condition, the latest first."""
        return [one["by"] for one in self.condition(signature).get("acks", [])]


def stale(since: str = "14:50") -> dict[str, Any]:
    """A heartbeat that stopped at that time."""
    return {"status_v3": {"heartbeat_at": stamp(since)}}
