"""A timeline: steps of snapshots, deliveries and accidents to the memory, and exactly what is told. Pure.

The format is TOML; `replay --script` runs it for a user, the tests run the same files.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from detector import ledger
from detector.catalog import all_rules
from detector.evaluate import evaluate
from detector.model.checksum import checksum_of
from detector.model.condition import STDOUT, Condition, Notice
from detector.model.document import DocumentError, parse
from detector.model.memory import lost, placed
from detector.model.patch import patched, shifted
from detector.model.redact import redacted
from detector.model.report import Report
from detector.model.snapshot import Snapshot, from_document
from detector.model.times import TimeError, parse_rfc3339, text_of
from detector.readers.previous import Expected, read_previous
from detector.render.document import artifact_document
from detector.settings import RUNTIME, Settings

_KEYS = {"about", "start", "gap_min", "gaps", "base", "channels", "ignore", "settings", "step"}
_STEP_KEYS = {
    "after_min", "patch", "remove", "snapshot", "refuse", "memory", "killed", "repeat", "events", "told", "decision"
}  # fmt: skip
_DAY = timedelta(days=1)
KILLED = ("before delivery", "after delivery")


class ScriptError(ValueError):
    """A timeline that cannot be run; the message names the step and what is wrong."""


@dataclass(frozen=True, slots=True)
class Step:
    """One run: what it sees, which channels refuse, what happens to it, and what it must tell.

    `told` and `events` are None where the script expects nothing in particular. `repeat` runs it again.
    """

    number: int
    patch: Mapping[str, Any]
    remove: tuple[str, ...] = ()
    whole: bool = False
    after_min: float | None = None
    refuse: tuple[str, ...] = ()
    memory: str = "kept"
    killed: str | None = None
    repeat: int = 1
    events: tuple[str, ...] | None = None
    told: tuple[str, ...] | None = None
    decision: str | None = None


@dataclass(frozen=True, slots=True)
class Script:
    """A whole timeline; `gaps` are the run gaps in minutes at which it is meant to hold as well."""

    about: str
    start: datetime
    gap: timedelta
    base: Mapping[str, Any]
    steps: tuple[Step, ...]
    channels: tuple[str, ...] = (STDOUT,)
    ignore: tuple[str, ...] = ()
    gaps: tuple[float, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ran:
    """What one step came to; `faults` says where it differs from the script, empty where it does not."""

    step: Step
    at: datetime
    events: tuple[str, ...]
    told: tuple[str, ...]
    decision: str
    faults: tuple[str, ...]


def parse_script(document: Mapping[str, Any], base: Callable[[str], Mapping[str, Any]]) -> Script:
    """Read a timeline from its TOML document; `base` loads the snapshot that a script names.

    Raises ScriptError.
    """
    _known(document, _KEYS, "the script")
    named = document.get("base", {})
    steps = document.get("step", [])
    if not isinstance(steps, list) or not steps:
        raise ScriptError("the script has no [[step]]")
    return Script(
        about=str(document.get("about", "")),
        start=_moment(document.get("start"), "start"),
        gap=timedelta(minutes=_minutes(document.get("gap_min", 10), "gap_min")),
        base=base(named) if isinstance(named, str) else named,
        steps=tuple(_step(table, number) for number, table in enumerate(steps, 1)),
        channels=tuple(document.get("channels", (STDOUT,))),
        ignore=tuple(document.get("ignore", ())),
        gaps=tuple(document.get("gaps", ())),
        settings={str(key): str(value) for key, value in document.get("settings", {}).items()},
    )


def _step(table: Mapping[str, Any], number: int) -> Step:
    place = f"step {number}"
    _known(table, _STEP_KEYS, place)
    memory, killed = str(table.get("memory", "kept")), table.get("killed")
    if memory not in ACCIDENTS:
        raise ScriptError(f"{place}: memory is {memory!r}, not one of {', '.join(ACCIDENTS)}")
    if killed is not None and killed not in KILLED:
        raise ScriptError(f"{place}: killed is {killed!r}, not one of {', '.join(KILLED)}")
    after_min = table.get("after_min")
    return Step(
        number,
        table.get("snapshot", table.get("patch", {})),
        remove=tuple(table.get("remove", ())),
        whole="snapshot" in table,
        after_min=None if after_min is None else _minutes(after_min, f"{place}: after_min"),
        refuse=tuple(table.get("refuse", ())),
        memory=memory,
        killed=killed,
        repeat=int(table.get("repeat", 1)),
        events=_expected(table.get("events")),
        told=_expected(table.get("told")),
        decision=table.get("decision"),
    )


def _known(table: Mapping[str, Any], keys: set[str], place: str) -> None:
    unknown = table.keys() - keys
    if unknown:
        raise ScriptError(f"{place}: unknown key {min(unknown)!r}")


def _expected(listed: Any) -> tuple[str, ...] | None:
    return None if listed is None else tuple(listed)


def _minutes(value: Any, place: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ScriptError(f"{place} is not a number of minutes")
    return value


def _moment(value: Any, place: str) -> datetime:
    if isinstance(value, datetime):
        value = value.isoformat()
    try:
        return parse_rfc3339(str(value))
    except TimeError as error:
        raise ScriptError(f"{place} {error}") from None


@dataclass(slots=True)
class Runner:
    """Runs a script step by step; what is remembered goes through the artifact's own text."""

    script: Script
    settings: Settings
    artifact: str | None = None

    def run(self, times: Sequence[datetime] | None = None) -> Iterator[Ran]:
        """Yield every step as it ran, at its own time or at the given run times."""
        at, given = self.script.start, iter(times or ())
        count = 0
        for step in self.script.steps:
            for _ in range(step.repeat):
                if count and times is None:
                    wait = None if step.after_min is None else timedelta(minutes=step.after_min)
                    at += self.script.gap if wait is None else wait
                at = next(given, at + self.script.gap) if times is not None else at
                count += 1
                yield self._run(step, at)

    def _run(self, step: Step, at: datetime) -> Ran:
        snapshot = self._snapshot(step, at)
        report, keeps = self._evaluated(step, snapshot)
        taken = {name: report.owed[name] for name in self.script.channels if name not in step.refuse}
        delivered = {} if step.killed == "before delivery" else taken
        if step.killed is None and keeps:
            conditions: Mapping[str, Condition] = report.conditions
            for channel, notices in delivered.items():
                conditions = ledger.acknowledged(conditions, notices, channel, at)
            self.artifact = json.dumps(artifact_document(replace(report, conditions=conditions)))
        return self._compared(step, at, report, delivered)

    def _snapshot(self, step: Step, at: datetime) -> Snapshot:
        start = self.script.base.get("taken_at")
        moved = (
            shifted(self.script.base, at - _moment(start, "taken_at of the base"))
            if start
            else self.script.base
        )
        document = step.patch if step.whole else patched(moved, step.patch)
        for path in step.remove:
            document = patched(document, _removal(path))
        try:
            made = from_document(redacted(document), now=at, runtime=self.settings[RUNTIME])
        except DocumentError as error:
            raise ScriptError(f"step {step.number}: {error}") from None
        return made if step.whole else replace(made, taken_at=at)

    def _evaluated(self, step: Step, snapshot: Snapshot) -> tuple[Report, bool]:
        text = ACCIDENTS[step.memory](self.artifact)
        expected = Expected(
            snapshot.runtime, snapshot.taken_at, {one.name: one.declaration.kind for one in all_rules()}
        )
        try:
            memory = read_previous(None if text is None else parse(text.encode()), expected)
        except DocumentError as error:
            memory = lost(str(error))
        held = placed(memory, snapshot.taken_at, snapshot.taken_at)
        return evaluate(snapshot, held.memory, self.settings, self.script.channels), held.keeps

    def _compared(
        self, step: Step, at: datetime, report: Report, delivered: Mapping[str, Sequence[Notice]]
    ) -> Ran:
        events = self._shown(_named(event) for event in report.events)
        one = self.script.channels == (STDOUT,)
        told = self._shown(
            f"{'' if one else channel + ': '}{notice.reason} {_named(notice.condition, severity=False)}"
            for channel, notices in delivered.items()
            for notice in notices
        )
        action = report.decision.action
        faults = [
            f"{name}: expected {_list(wanted)}, got {_list(got)}"
            for name, wanted, got in (("told", step.told, told), ("events", step.events, events))
            if wanted is not None and sorted(wanted) != sorted(got)
        ]
        if step.decision not in (None, action):
            faults.append(f"decision: expected {step.decision}, got {action}")
        return Ran(step, at, events, told, action, tuple(faults))

    def _shown(self, found: Iterator[str]) -> tuple[str, ...]:
        return tuple(item for item in found if not any(name in item for name in self.script.ignore))


def _removal(path: str) -> dict[str, Any]:
    head, _, rest = path.partition(".")
    return {head: _removal(rest) if rest else None}


def _list(items: Sequence[str]) -> str:
    return "[" + ", ".join(sorted(items)) + "]"


def _named(one: Any, severity: bool = True) -> str:
    subject = f":{one.subject}" if one.subject is not None else ""
    return f"{one.severity + ' ' if severity else ''}{one.type}{subject}"


def _rewritten(text: str | None, **changes: Any) -> str | None:
    if text is None:
        return None
    body = {**json.loads(text), **changes}
    return json.dumps({**body, "checksum": checksum_of(body)})


def _from_the_future(text: str | None) -> str | None:
    if text is None:
        return None
    ahead = datetime.fromisoformat(json.loads(text)["taken_at"]).astimezone(UTC) + _DAY
    return _rewritten(text, taken_at=text_of(ahead))


ACCIDENTS: Mapping[str, Callable[[str | None], str | None]] = {
    "kept": lambda text: text,
    "none": lambda text: None,
    "truncated": lambda text: text and text[: len(text) // 2],
    "corrupted": lambda text: text and text.replace('"conditions"', '"c0nditions"'),
    "from the future": _from_the_future,
    "of a newer version": lambda text: _rewritten(text, schema_version=99),
    "of another runtime": lambda text: _rewritten(text, runtime="another"),
}
