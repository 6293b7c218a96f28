"""What `detect` would make of the sections that were just collected: their age, facts and unknown keys."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from detector.app.input_documents import parse_snapshot
from detector.domain.facts import Facts
from detector.engine.evaluate import gather
from detector.settings import Settings


def read_collected(document: Mapping[str, Any], now: datetime, settings: Settings) -> Facts:
    """Return the facts of a collected snapshot, with the account of each section's reading."""
    parsed = parse_snapshot(document, now, settings)
    return gather(parsed.snapshot, parsed.settings)
