"""Runs a timeline step by step; what is remembered goes through the artifact's own text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from detector import ledger
from detector.domain.condition import STDOUT, Condition, Notice
from detector.domain.report import Report
from detector.domain.rule import Rule, RuleResults
from detector.domain.run_memory import build_lost_memory, check_memory_time
from detector.domain.snapshot import Snapshot, build_snapshot
from detector.engine.catalog import load_rules
from detector.engine.evaluate import evaluate
from detector.formats.merge_patch import apply_patch, apply_time_shift
from detector.formats.redaction import redact
from detector.formats.strict_json import DocumentError, parse_document
from detector.formats.times import format_time
from detector.readers.previous import ExpectedMemory, read_previous
from detector.render.document import build_artifact_document
from detector.settings import MUTES, RUNTIME, Settings
from detector.timeline.accidents import ACCIDENTS
from detector.timeline.script import Script, ScriptError, Step, moment_of


@dataclass(frozen=True, slots=True)
class Ran:
    """What one step came to; `faults` says where it differs from the script, empty where it does not."""

    step: Step
    at: datetime
    events: tuple[str, ...]
    told: tuple[str, ...]
    decision: str
    faults: tuple[str, ...]


@dataclass(slots=True)
class Runner:
    """Runs a script step by step; what is remembered goes through the artifact's own text."""

    script: Script
    settings: Settings
    artifact: str | None = None

    def __post_init__(self) -> None:
        """Put the script's own mutes in force."""
        if self.script.mutes:
            files = {**self.settings.files, MUTES.name: self.script.mutes}
            self.settings = replace(self.settings, files=files)

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
                conditions = ledger.add_receipts(conditions, notices, channel, at)
            self.artifact = json.dumps(build_artifact_document(replace(report, conditions=conditions)))
        return self._compared(step, at, report, delivered)

    def build_document(self, step: Step, at: datetime) -> dict[str, Any]:
        """Return the snapshot of one step as the document that a run at that time reads."""
        start = self.script.base.get("taken_at")
        moved = (
            apply_time_shift(self.script.base, at - moment_of(start, "taken_at of the base"))
            if start
            else self.script.base
        )
        document = step.patch if step.whole else apply_patch(moved, step.patch)
        for path in step.remove:
            document = apply_patch(document, _removal(path))
        return dict(document) if step.whole else {**document, "taken_at": format_time(at)}

    def _snapshot(self, step: Step, at: datetime) -> Snapshot:
        document = self.build_document(step, at)
        try:
            return build_snapshot(redact(document), now=at, runtime=self.settings[RUNTIME])
        except DocumentError as error:
            raise ScriptError(f"step {step.number}: {error}") from None

    def _evaluated(self, step: Step, snapshot: Snapshot) -> tuple[Report, bool]:
        text = ACCIDENTS[step.memory](self.artifact)
        expected = ExpectedMemory(
            snapshot.runtime, snapshot.taken_at, {one.name: one.declaration.kind for one in load_rules()}
        )
        try:
            memory = read_previous(None if text is None else parse_document(text.encode()), expected)
        except DocumentError as error:
            memory = build_lost_memory(str(error))
        held = check_memory_time(memory, snapshot.taken_at, snapshot.taken_at)
        rules = [_broken(one) if one.name in step.broken else one for one in load_rules()]
        return evaluate(snapshot, held.memory, self.settings, self.script.channels, rules), held.can_advance

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


def _broken(one: Rule) -> Rule:
    def check(*given: object) -> RuleResults:
        raise RuntimeError(f"broken by the script, given {len(given)}")

    return replace(one, check=check)


def _removal(path: str) -> dict[str, Any]:
    head, _, rest = path.partition(".")
    return {head: _removal(rest) if rest else None}


def _list(items: Sequence[str]) -> str:
    return "[" + ", ".join(sorted(items)) + "]"


def _named(one: Any, severity: bool = True) -> str:
    subject = f":{one.subject}" if one.subject is not None else ""
    return f"{one.severity + ' ' if severity else ''}{one.type}{subject}"
