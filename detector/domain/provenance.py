"""Where facts come from: the state of each source, what a run made of each section, and unreadable values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct, field

from detector.domain.shape import Shape
from detector.logs.events import LineCounts


class Fault(Struct, frozen=True):
    """What could not be read: its path (without list indices), why, and the key that it nearly is.

    `line` is the profile's line by which the fact is found there, None where it stands under its own name.
    """

    path: str
    problem: str
    meant: str | None = None
    line: str | None = None


class SourceStatus(Struct, frozen=True):
    """The answer of one source: state `ok`, `failed` or `off`; `as_of` is the time of its content."""

    name: str
    state: str
    as_of: datetime | None = None
    reason: str | None = None
    detail: str | None = None


class SectionSummary(Struct, frozen=True):
    """What a run made of one section.

    `facts` were seen, `missing` are mapped and were not, columns that no row of a list has among them.
    `columns` are the keys with a value in at least one row, by the path of the list. `recognised`, `foreign`
    and `unknown` count keys by their paths; `unnamed` counts rows that do not say what they are about.
    `unread` names keys that nobody knows. `age_sec` is the age of the section by its own time. `lines` counts
    the lines of a log.
    """

    section: str
    facts: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    columns: Mapping[str, tuple[str, ...]] = {}
    recognised: int = 0
    foreign: int = 0
    unknown: int = 0
    unnamed: int = 0
    unread: tuple[str, ...] = ()
    age_sec: float | None = None
    lines: LineCounts | None = None


class Provenance(Struct, frozen=True):
    """Where facts came from.

    `seen` maps a fact to the sections that carried it, `raised` to those that carried its worse value,
    `alone` a section to its own values; `read` holds every path that was read without fault, `shapes`
    the known keys of each section that was read.
    """

    seen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    raised: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    partial: frozenset[str] = frozenset()
    alone: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    read: frozenset[str] = frozenset()
    shapes: Mapping[str, Shape] = field(default_factory=dict)

    def has_read(self, path: str | None) -> bool:
        """Whether the value at `path`, or the list that it belongs to, was read without fault."""
        parts = (path or "").split(".")
        return any(".".join(parts[:length]) in self.read for length in range(len(parts), 0, -1))
