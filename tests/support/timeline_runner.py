"""Runs a timeline step by step; the memory between two steps is the artifact's own text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from detector import ledger
from detector.domain.condition import STDOUT, Condition, Notice
from detector.domain.report import Report
from detector.domain.rule import Rule, RuleResults
from detector.domain.run_memory import build_lost_memory, check_memory_time
from detector.domain.snapshot import Snapshot, build_snapshot
from detector.engine.catalog import load_rules
from detector.engine.evaluate import evaluate
from detector.formats.errors import InputError
from detector.formats.redaction import redact
from detector.formats.strict_json import parse_document
from detector.formats.times import format_time
from detector.readers.previous import ExpectedMemory, read_previous
from detector.render.document import build_artifact_document
from detector.settings import MUTES, RUNTIME, Settings
from tests.support.memory_accidents import ACCIDENTS
from tests.support.merge_patch import apply_patch, apply_time_shift
from tests.support.timeline_script import Step, Timeline, TimelineError, parse_moment


class StepResult(Struct, frozen=True):
    """The result of one step; `faults` are its differences from the timeline, empty where there are none."""

    step: Step
    at: datetime
    events: tuple[str, ...]
    notified: tuple[str, ...]
    decision: str
    faults: tuple[str, ...]


class TimelineRunner(Struct):
    """Runs a timeline step by step; the memory between two steps is the artifact's own text."""

    timeline: Timeline
    settings: Settings
    artifact: str | None = None

    def __post_init__(self) -> None:
        """Put the timeline's own mutes in force."""
        if self.timeline.mutes:
            files = {**self.settings.files, MUTES.name: self.timeline.mutes}
            self.settings = replace(self.settings, files=files)

    def run(self, times: Sequence[datetime] | None = None) -> Iterator[StepResult]:
        """Yield every step as it ran, at its own time or at the given run times."""
        at, run_times = self.timeline.start, iter(times or ())
        count = 0
        for step in self.timeline.steps:
            for _ in range(step.repeat):
                if count and times is None:
                    wait = None if step.after_min is None else timedelta(minutes=step.after_min)
                    at += self.timeline.gap if wait is None else wait
                at = next(run_times, at + self.timeline.gap) if times is not None else at
                count += 1
                yield self._run_step(step, at)

    def _run_step(self, step: Step, at: datetime) -> StepResult:
        snapshot = self.build_step_snapshot(step, at)
        report, keeps = self.evaluate_step(step, snapshot)
        taken = {name: report.owed[name] for name in self.timeline.channels if name not in step.refuse}
        delivered = {} if step.killed == "before delivery" else taken
        if step.killed is None and keeps:
            conditions: Mapping[str, Condition] = report.conditions
            for channel, notices in delivered.items():
                conditions = ledger.add_receipts(conditions, notices, channel, at)
            document = build_artifact_document(replace(report, conditions=conditions), with_snapshot=False)
            self.artifact = json.dumps(document)
        return self._compare(step, at, report, delivered)

    def build_document(self, step: Step, at: datetime) -> dict[str, Any]:
        """Return the snapshot of one step as the document that a run at that time reads."""
        start = self.timeline.base.get("taken_at")
        moved = (
            apply_time_shift(self.timeline.base, at - parse_moment(start, "taken_at of the base"))
            if start
            else self.timeline.base
        )
        document = step.patch if step.whole else apply_patch(moved, step.patch)
        for path in step.remove:
            document = apply_patch(document, _build_removal(path))
        return dict(document) if step.whole else {**document, "taken_at": format_time(at)}

    def build_step_snapshot(self, step: Step, at: datetime) -> Snapshot:
        """Return the snapshot of one step as a run at that time reads it; raises TimelineError."""
        document = self.build_document(step, at)
        try:
            return build_snapshot(redact(document), now=at, runtime=self.settings[RUNTIME])
        except InputError as error:
            raise TimelineError(f"step {step.number}: {error}") from None

    def evaluate_step(self, step: Step, snapshot: Snapshot) -> tuple[Report, bool]:
        """Return the report of one step after the accident of its memory, and whether the memory advances."""
        text = ACCIDENTS[step.memory](self.artifact)
        expected = ExpectedMemory(
            snapshot.runtime, snapshot.taken_at, {rule.name: rule.declaration.kind for rule in load_rules()}
        )
        try:
            memory = read_previous(None if text is None else parse_document(text.encode()), expected)
        except InputError as error:
            memory = build_lost_memory(str(error))
        checked = check_memory_time(memory, snapshot.taken_at, snapshot.taken_at)
        rules = [_break_rule(rule) if rule.name in step.broken else rule for rule in load_rules()]
        report = evaluate(snapshot, checked.memory, self.settings, self.timeline.channels, rules)
        return report, checked.can_advance

    def _compare(
        self, step: Step, at: datetime, report: Report, delivered: Mapping[str, Sequence[Notice]]
    ) -> StepResult:
        events = self._filter_ignored(_format_event(event) for event in report.events)
        is_stdout_alone = self.timeline.channels == (STDOUT,)
        notified = self._filter_ignored(
            f"{'' if is_stdout_alone else channel + ': '}"
            f"{notice.reason} {_format_event(notice.condition, severity=False)}"
            for channel, notices in delivered.items()
            for notice in notices
        )
        action = report.decision.action
        faults = [
            f"{name}: expected {_format_list(expected)}, got {_format_list(actual)}"
            for name, expected, actual in (("told", step.notified, notified), ("events", step.events, events))
            if expected is not None and sorted(expected) != sorted(actual)
        ]
        if step.decision not in (None, action):
            faults.append(f"decision: expected {step.decision}, got {action}")
        return StepResult(step, at, events, notified, action, tuple(faults))

    def _filter_ignored(self, items: Iterator[str]) -> tuple[str, ...]:
        return tuple(item for item in items if not any(name in item for name in self.timeline.ignore))


def _break_rule(rule: Rule) -> Rule:
    def check(*args: object) -> RuleResults:
        raise RuntimeError(f"broken by the timeline, called with {len(args)}")

    return replace(rule, check=check)


def _build_removal(path: str) -> dict[str, Any]:
    head, _, rest = path.partition(".")
    return {head: _build_removal(rest) if rest else None}


def _format_list(items: Sequence[str]) -> str:
    return "[" + ", ".join(sorted(items)) + "]"


def _format_event(event: Any, severity: bool = True) -> str:
    subject = f":{event.subject}" if event.subject is not None else ""
    return f"{event.severity + ' ' if severity else ''}{event.type}{subject}"
