"""Workflow, Worker and documents against each other: whether they mean the same days, hours, event and file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import combinations, pairwise
from typing import Any, Final

from detector.domain.schedule_windows import SCHEDULE, TITLE_PREFIX, Lane
from detector.formats.plural import counted
from detector.market.hours import MarketUnknown, get_session_on
from detector.schedule.cron import CLOUDFLARE, GITHUB, Cron, read_cron
from detector.schedule.document_check import Facts, documents_fault
from detector.schedule.schedule_files import (
    EVENT_TYPE,
    WrittenError,
    lanes_of_worker,
    lanes_of_workflow,
    title_of_workflow,
)
from detector.schedule.tick_check import SUMMER, WINTER, of_week, variables_fault

_MOST_TRIGGERS = 5  # of an account on Cloudflare's free plan
_FURTHEST = timedelta(minutes=10)  # the rhythm that the runbook promises
_WEEK = range(7)
_TITLES: Final = (
    "'schedule {0}', github.event.schedule",
    "'dispatch {0}', github.event.client_payload.source",
)


@dataclass(frozen=True, slots=True)
class Written:
    """What is compared: the workflow's document and its file's name, the Worker's document, and texts by their name.

    `must_name` are the texts that have to name every cron; any other may leave some out, but none may name another.
    """

    workflow: Mapping[str, Any]
    workflow_file: str
    worker: Mapping[str, Any]
    texts: Mapping[str, str]
    must_name: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Checked:
    """One thing that was compared; `fault` is empty where it is proven, `found` says what was seen."""

    what: str
    fault: str = ""
    found: str = ""


def consistency(written: Written) -> Iterator[Checked]:
    """Yield what was compared. Where a schedule cannot be read at all, that is all that is said."""
    try:
        github = lanes_of_workflow(written.workflow)
    except WrittenError as error:
        yield Checked("the workflow's crons", str(error))
        return
    yield Checked("the workflow's crons", found=f"{counted(len(github), 'lane')}, in GitHub's dialect")
    try:
        worker = lanes_of_worker(written.worker)
    except WrittenError as error:
        yield Checked("the Worker's crons", str(error))
        return
    many = len(worker) > _MOST_TRIGGERS
    fault = f"{len(worker)} triggers; the free plan has {_MOST_TRIGGERS}" if many else ""
    yield Checked("the Worker's crons", fault, f"{counted(len(worker), 'trigger')}, in Cloudflare's dialect")
    checks: tuple[tuple[str, Callable[[Written, Sequence[Lane], Sequence[Lane]], str], str], ...] = (
        ("the days", _days, "every lane means the same"),
        ("the hours", _hours, "the Worker ticks in every hour of the workflow's, and once more after it"),
        ("the lanes", _collisions, "no two are due in the same minute"),
        ("the session", _session, "never over 10 min between two windows, in summer and in winter time"),
        ("the Worker's times", _times, "its variables mean the ticks of its crons"),
        ("the event type", _event_type, f"{EVENT_TYPE} on both sides"),
        ("the workflow's file", _file, "the Worker looks at the one that it triggers"),
        ("the run's title", _title, "it names the cron, or who dispatched"),
        ("the queue", _queue, "a waiting run is never thrown away"),
        ("the documents", _documents, "they name these crons and no others"),
    )
    for what, check, found in checks:
        yield Checked(what, check(written, github, worker), found)


def _crons(lanes: Sequence[Lane]) -> list[Cron]:
    return [read_cron(lane.cron, GITHUB if lane.trigger == SCHEDULE else CLOUDFLARE) for lane in lanes]


def _days(_: Written, github: Sequence[Lane], worker: Sequence[Lane]) -> str:
    days = {
        lane.name: cron.weekdays
        for lane, cron in zip((*github, *worker), _crons([*github, *worker]), strict=True)
    }
    if len(set(days.values())) == 1:
        return ""
    return "; ".join(
        f"{name}: days {', '.join(map(str, found))} (0 is Sunday)" for name, found in days.items()
    )


def _hours(_: Written, github: Sequence[Lane], worker: Sequence[Lane]) -> str:
    ours = {hour for cron in _crons(github) for hour in cron.hours}
    theirs = {hour for cron in _crons(worker) for hour in cron.hours}
    if not ours <= theirs:
        return f"the Worker does not tick at {_listed(ours - theirs)} h UTC"
    after = (max(ours) + 1) % 24
    more = theirs - ours - {after}
    if after not in theirs:
        return f"the Worker does not tick at {after} h UTC, after the last window"
    return f"the Worker ticks at {_listed(more)} h UTC, when no window is due" if more else ""


def _listed(hours: set[int]) -> str:
    return ", ".join(str(hour) for hour in sorted(hours))


def _collisions(_: Written, github: Sequence[Lane], worker: Sequence[Lane]) -> str:
    due = {lane: of_week(lane, SUMMER) for lane in (*github, *worker)}
    for one, other in combinations(due, 2):
        same = sorted(set(due[one]) & set(due[other]))
        if same:
            return f"{one.name} and {other.name} are both due at {same[0]:%a %H:%M}"
    return ""


def _session(_: Written, github: Sequence[Lane], worker: Sequence[Lane]) -> str:
    """Both sides have to cover it: either may be the only one that runs."""
    for whose, lanes in (("GitHub's schedule", github), ("the Worker", worker)):
        for monday in (WINTER, SUMMER):
            due = sorted({window for lane in lanes for window in of_week(lane, monday)})
            fault = next(filter(None, (_uncovered(due, monday + timedelta(days=day)) for day in _WEEK)), "")
            if fault:
                return f"{whose}: {fault}"
    return ""


def _uncovered(due: Sequence[datetime], day: date) -> str:
    try:
        session = get_session_on(day)
    except MarketUnknown as unknown:
        return unknown.reason
    if session is None:
        return ""
    before = max((window for window in due if window <= session.opens), default=None)
    after = min((window for window in due if window >= session.closes), default=None)
    if (
        before is None
        or after is None
        or session.opens - before > _FURTHEST
        or after - session.closes > _FURTHEST
    ):
        return f"no window around the open or the close of {day} ({session.opens:%H:%M} to {session.closes:%H:%M} UTC)"
    within = [window for window in due if before <= window <= after]
    far = next((one for one, other in pairwise(within) if other - one > _FURTHEST), None)
    return f"over 10 min without a window after {far:%Y-%m-%d %H:%M} UTC" if far else ""


def _times(written: Written, github: Sequence[Lane], worker: Sequence[Lane]) -> str:
    return variables_fault(github, worker, _variables(written))


def _event_type(written: Written, _: Sequence[Lane], __: Sequence[Lane]) -> str:
    event = written.workflow["on"].get("repository_dispatch")
    types = event.get("types") if isinstance(event, dict) else None
    if EVENT_TYPE not in (types if isinstance(types, list) else [types]):
        return f"the workflow waits for {types}, not for {EVENT_TYPE}"
    sent = _variables(written).get("EVENT_TYPE")
    return "" if sent == EVENT_TYPE else f"the Worker sends {sent}, not {EVENT_TYPE}"


def _file(written: Written, _: Sequence[Lane], __: Sequence[Lane]) -> str:
    asked = _variables(written).get("WORKFLOW_FILE")
    return (
        ""
        if asked == written.workflow_file
        else f"the Worker asks for {asked}, the file is {written.workflow_file}"
    )


def _title(written: Written, _: Sequence[Lane], __: Sequence[Lane]) -> str:
    name = str(written.workflow.get("run-name", ""))
    if title_of_workflow(written.workflow) != TITLE_PREFIX:
        return f"run-name does not begin with {TITLE_PREFIX!r}, by which the Worker knows its own runs"
    missing = [part for part in _TITLES if part not in name]
    return f"run-name has no format({missing[0]})" if missing else ""


def _queue(written: Written, _: Sequence[Lane], __: Sequence[Lane]) -> str:
    queue = written.workflow.get("concurrency")
    asked = {"queue": "max", "cancel-in-progress": "false"}
    if isinstance(queue, dict) and asked.items() <= queue.items():
        return ""
    return (
        "concurrency needs queue: max and cancel-in-progress: false; else a third run throws the second away"
    )


def _documents(written: Written, github: Sequence[Lane], worker: Sequence[Lane]) -> str:
    facts = Facts((*github, *worker), _variables(written))
    return documents_fault(written.texts, written.must_name, facts)


def _variables(written: Written) -> Mapping[str, Any]:
    found: Mapping[str, Any] = written.worker.get("vars") or {}
    return found
