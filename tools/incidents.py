"""The incidents of the founding documents: what each source could show at any minute, and runs along times.

A file of `tests/fixtures/incidents/` is a world that changes at documented moments. A run at a time sees
the world as it was then, through a lane: one on the machine itself does not run while the machine is off,
one elsewhere runs and finds the machine's sections gone. `"@now-5"` in a value is five seconds before the
run.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from detector import ledger
from detector.domain.condition import STDOUT
from detector.domain.profile import parse_profile
from detector.domain.report import Report
from detector.domain.snapshot import build_snapshot
from detector.engine.catalog import load_rules
from detector.engine.evaluate import evaluate
from detector.formats.redaction import redact
from detector.formats.strict_json import parse_document
from detector.formats.times import format_time, parse_rfc3339
from detector.profiles import load_builtin_profile
from detector.readers.previous import ExpectedMemory, read_previous
from detector.render.document import build_artifact_document
from detector.settings import PREFIX, PROFILE, Settings, resolve_settings
from tests.support.merge_patch import apply_patch

FOLDER = Path(__file__).resolve().parents[1] / "tests" / "fixtures" / "incidents"
_NOW = re.compile(r"@now(?:-(\d+))?")


class Moment(Struct, frozen=True):
    """A change of the world: when (UTC, and the document's own clock), as a merge patch of sections.

    `documented` is how many of its facts the document states, `inferred` names those that it does not.
    """

    at: datetime
    clock: str
    said: str
    patch: Mapping[str, Any]
    documented: int
    inferred: tuple[str, ...]


class Lane(Struct, frozen=True):
    """From where it is watched; `on_the_machine` does not run while the machine is off."""

    name: str
    on_the_machine: bool


class Incident(Struct, frozen=True):
    """One incident: its world, its lanes, when people found out, and what an operator had to be told.

    `dark` are the spans in which the machine was off, `sections` the sources that are configured, `environ`
    the texts that `settings` are resolved from. `found_out` maps what there was to see (an event, `type` or
    `type:subject`) to when people saw it.
    """

    name: str
    about: str
    source: str
    runtime: str
    environ: Mapping[str, str]
    settings: Settings
    sections: tuple[str, ...]
    moments: tuple[Moment, ...]
    lanes: tuple[Lane, ...]
    dark: tuple[tuple[datetime, datetime], ...]
    ends: datetime
    found_out: Mapping[str, datetime]
    began: Mapping[str, datetime]
    documented: int
    inferred: tuple[str, ...]

    def lane(self, name: str) -> Lane:
        """Return the lane of that name."""
        return next(one for one in self.lanes if one.name == name)

    def is_dark(self, at: datetime) -> bool:
        """Whether the machine was off then."""
        return any(start <= at < end for start, end in self.dark)


class Looked(Struct, frozen=True):
    """One run of a lane: when, what it saw, and what it came to."""

    at: datetime
    snapshot: Mapping[str, Any]
    report: Report


def incidents() -> list[str]:
    """Return the names of the incidents, oldest first."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def incident(name: str) -> Incident:
    """Read one incident by its name."""
    document = tomllib.loads((FOLDER / f"{name}.toml").read_text(encoding="utf-8"))
    changes = {PREFIX + key: value for key, value in document.get("settings", {}).items()}
    environ = {PROFILE.name: document["profile"], **changes}
    profile = parse_profile(load_builtin_profile(document["profile"]) or {})
    return Incident(
        name=name,
        about=document["about"],
        source=document["source"],
        runtime=document["runtime"],
        environ=environ,
        settings=replace(resolve_settings((name, environ)), files={PROFILE.name: profile}),
        sections=tuple(document["sections"]),
        moments=tuple(_moment(table) for table in document["moment"]),
        lanes=tuple(Lane(one["name"], one["on_the_machine"]) for one in document["lane"]),
        dark=tuple((_time(start), _time(end)) for start, end in document.get("dark", ())),
        ends=_time(document["ends"]),
        found_out={event: _time(at) for event, at in document.get("found_out", {}).items()},
        began={event: _time(at) for event, at in document.get("began", {}).items()},
        documented=document["documented"],
        inferred=tuple(document["inferred"]),
    )


def _moment(table: Mapping[str, Any]) -> Moment:
    return Moment(
        at=_time(table["at"]),
        clock=table["clock"],
        said=table["said"],
        patch=json.loads(table["patch"]),
        documented=table["documented"],
        inferred=tuple(table.get("inferred", ())),
    )


def _time(value: Any) -> datetime:
    return parse_rfc3339(value.isoformat() if isinstance(value, datetime) else str(value))


def seen(one: Incident, lane: Lane, at: datetime) -> dict[str, Any] | None:
    """Return the snapshot of a run at that time; None while the machine is off or before the first moment."""
    if one.moments[0].at > at or (lane.on_the_machine and one.is_dark(at)):
        return None
    world: dict[str, Any] = {}
    for moment in one.moments:
        if moment.at <= at:
            world = apply_patch(world, moment.patch)
    world = {name: world[name] for name in one.sections if name in world}
    sources = {
        name: {"state": "ok"} if name in world else {"state": "failed", "reason": "timeout"}
        for name in one.sections
    }
    made: dict[str, Any] = _dated(world, at)
    return {"taken_at": format_time(at), "runtime": one.runtime, **made, "sources": sources}


def _dated(value: Any, at: datetime) -> Any:
    if isinstance(value, dict):
        return {key: _dated(item, at) for key, item in value.items()}
    if isinstance(value, list):
        return [_dated(item, at) for item in value]
    match = _NOW.fullmatch(value) if isinstance(value, str) else None
    return format_time(at - timedelta(seconds=int(match[1] or 0))) if match else value


def documented_times(one: Incident) -> list[datetime]:
    """Return a run at each documented moment."""
    return [moment.at for moment in one.moments]


def every(one: Incident, minutes: float) -> Iterator[datetime]:
    """Yield run times from the first moment to the end, so many minutes apart."""
    at = one.moments[0].at
    while at <= one.ends:
        yield at
        at += timedelta(minutes=minutes)


def looked(one: Incident, lane: Lane, times: Iterable[datetime]) -> Iterator[Looked]:
    """Yield the runs of a lane at those times, each with the memory of the one before it."""
    artifact: str | None = None
    kinds = {rule.name: rule.declaration.kind for rule in load_rules()}
    for at in times:
        document = seen(one, lane, at)
        if document is None:
            continue
        snapshot = build_snapshot(redact(document), now=at, runtime=one.runtime)
        expected = ExpectedMemory(one.runtime, at, kinds)
        memory = read_previous(None if artifact is None else parse_document(artifact.encode()), expected)
        report = evaluate(snapshot, memory, one.settings)
        told = ledger.add_receipts(report.conditions, report.owed[STDOUT], STDOUT, at)
        artifact = json.dumps(build_artifact_document(replace(report, conditions=told), with_snapshot=False))
        yield Looked(at, document, report)


def told(run: Looked) -> list[str]:
    """Return what a run told, as `reason type[:subject]`, worst first, the ended last."""
    events = (*run.report.new_events, *run.report.resolved_events)
    return [f"{one.reason} {one.type}" + ("" if one.subject is None else f":{one.subject}") for one in events]
