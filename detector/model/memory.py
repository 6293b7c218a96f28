"""What a run remembers of the earlier ones: the ledger, what rules may compare with, and its own state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import datetime
from typing import Any

from detector.model.before import NOTHING_BEFORE, Before
from detector.model.condition import Condition


@dataclass(frozen=True, slots=True)
class Memory:
    """The previous artifact as it was read.

    `kept` is False on a first run and where the memory was lost; `before.lost` then says why.
    """

    kept: bool = False
    taken_at: datetime | None = None
    generation: int = 0
    before: Before = NOTHING_BEFORE
    conditions: Mapping[str, Condition] = field(default_factory=dict)
    channels: Mapping[str, Any] = field(default_factory=dict)


FIRST_RUN = Memory()


def lost(why: str) -> Memory:
    """Return the memory of a run whose previous artifact could not be used, and why."""
    return Memory(before=Before(lost=why))


def rebased(memory: Memory, moment: datetime) -> Memory:
    """Return a memory that a wrong clock dated in the future, with no time later than `moment`."""
    conditions = {key: _not_after(condition, moment) for key, condition in memory.conditions.items()}
    return replace(memory, taken_at=None, before=replace(memory.before, taken_at=None), conditions=conditions)


def _not_after(record: Any, moment: datetime) -> Any:
    changes = {spec.name: _clamped(getattr(record, spec.name), moment) for spec in fields(record)}
    return replace(record, **changes)


def _clamped(value: Any, moment: datetime) -> Any:
    if isinstance(value, datetime):
        return min(value, moment)
    if isinstance(value, dict):
        return {key: _clamped(item, moment) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(_clamped(item, moment) for item in value)
    return _not_after(value, moment) if is_dataclass(value) else value
