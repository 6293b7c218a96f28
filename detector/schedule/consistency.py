"""Compares the workflow and the Worker: the days, hours, event and file of the schedule, its variables."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from itertools import combinations, pairwise
from typing import Any, Final

from msgspec import Struct

from detector.domain.run_windows import SCHEDULE, TITLE_PREFIX, Lane
from detector.formats.errors import InputError
from detector.formats.numbers import format_count
from detector.schedule.cron import CLOUDFLARE, GITHUB, Cron, read_cron
from detector.schedule.expected import find_uncovered_time, list_week_windows
from detector.schedule.schedule_files import (
    EVENT_TYPE,
    get_title_prefix,
    parse_minutes,
    parse_time_of_day,
    parse_worker_lanes,
    parse_workflow_lanes,
)

_MOST_TRIGGERS = 5  # of an account on Cloudflare's free plan
_WEEK = range(7)
_TITLES: Final = (
    "'schedule {0}', github.event.schedule",
    "'dispatch {0}', github.event.client_payload.source",
)
# Mondays of full weeks, one in each half of New York's year; the Tuesday after each has a session.
WINTER: Final = date(2027, 1, 11)
SUMMER: Final = date(2027, 7, 12)


class ScheduleDocuments(Struct, frozen=True):
    """The documents to compare: the workflow and its file's name, and the Worker's configuration."""

    workflow: Mapping[str, Any]
    workflow_file: str
    worker: Mapping[str, Any]


class ConsistencyCheck(Struct, frozen=True):
    """The result of one comparison; `fault` is empty where it passed, `detail` describes the agreement."""

    subject: str
    fault: str = ""
    detail: str = ""


def check_consistency(documents: ScheduleDocuments) -> Iterator[ConsistencyCheck]:
    """Yield every comparison; a schedule that cannot be read ends them."""
    try:
        github = parse_workflow_lanes(documents.workflow)
    except InputError as error:
        yield ConsistencyCheck("the workflow's crons", str(error))
        return
    yield ConsistencyCheck(
        "the workflow's crons", detail=f"{format_count(len(github), 'lane')}, in GitHub's dialect"
    )
    try:
        worker = parse_worker_lanes(documents.worker)
    except InputError as error:
        yield ConsistencyCheck("the Worker's crons", str(error))
        return
    many = len(worker) > _MOST_TRIGGERS
    fault = f"{len(worker)} triggers; the free plan has {_MOST_TRIGGERS}" if many else ""
    yield ConsistencyCheck(
        "the Worker's crons", fault, f"{format_count(len(worker), 'trigger')}, in Cloudflare's dialect"
    )
    checks: tuple[
        tuple[str, Callable[[ScheduleDocuments, Sequence[Lane], Sequence[Lane]], str], str], ...
    ] = (
        ("the days", _compare_days, "every lane means the same"),
        (
            "the hours",
            _compare_hours,
            "the Worker ticks in every hour of the workflow's, and once more after it",
        ),
        ("the lanes", _find_collision, "no two are due in the same minute"),
        (
            "the session",
            _check_session,
            "never over 10 min between two windows, in summer and in winter time",
        ),
        ("the Worker's times", _check_times, "its variables mean the ticks of its crons"),
        ("the event type", _check_event_type, f"{EVENT_TYPE} on both sides"),
        ("the workflow's file", _check_file, "the Worker looks at the one that it triggers"),
        ("the run's title", _check_title, "it names the cron, or who dispatched"),
        ("the queue", _check_queue, "a waiting run is never thrown away"),
    )
    for subject, check, detail in checks:
        yield ConsistencyCheck(subject, check(documents, github, worker), detail)


def _parse_crons(lanes: Sequence[Lane]) -> list[Cron]:
    return [read_cron(lane.cron, GITHUB if lane.trigger == SCHEDULE else CLOUDFLARE) for lane in lanes]


def _compare_days(_: ScheduleDocuments, github: Sequence[Lane], worker: Sequence[Lane]) -> str:
    days = {
        lane.name: cron.weekdays
        for lane, cron in zip((*github, *worker), _parse_crons([*github, *worker]), strict=True)
    }
    if len(set(days.values())) == 1:
        return ""
    return "; ".join(
        f"{name}: days {', '.join(map(str, weekdays))} (0 is Sunday)" for name, weekdays in days.items()
    )


def _compare_hours(_: ScheduleDocuments, github: Sequence[Lane], worker: Sequence[Lane]) -> str:
    github_hours = {hour for cron in _parse_crons(github) for hour in cron.hours}
    worker_hours = {hour for cron in _parse_crons(worker) for hour in cron.hours}
    if not github_hours <= worker_hours:
        return f"the Worker does not tick at {_join_hours(github_hours - worker_hours)} h UTC"
    after = (max(github_hours) + 1) % 24
    more = worker_hours - github_hours - {after}
    if after not in worker_hours:
        return f"the Worker does not tick at {after} h UTC, after the last window"
    return f"the Worker ticks at {_join_hours(more)} h UTC, when no window is due" if more else ""


def _join_hours(hours: set[int]) -> str:
    return ", ".join(str(hour) for hour in sorted(hours))


def _find_collision(_: ScheduleDocuments, github: Sequence[Lane], worker: Sequence[Lane]) -> str:
    due = {lane: list_week_windows(lane, SUMMER) for lane in (*github, *worker)}
    for first, second in combinations(due, 2):
        same = sorted(set(due[first]) & set(due[second]))
        if same:
            return f"{first.name} and {second.name} are both due at {same[0]:%a %H:%M}"
    return ""


def _check_session(_: ScheduleDocuments, github: Sequence[Lane], worker: Sequence[Lane]) -> str:
    """Each side must cover the session: either may be the only one that runs."""
    for scheduler, lanes in (("GitHub's schedule", github), ("the Worker", worker)):
        for monday in (WINTER, SUMMER):
            due = sorted({window for lane in lanes for window in list_week_windows(lane, monday)})
            fault = next(
                filter(None, (find_uncovered_time(due, monday + timedelta(days=day)) for day in _WEEK)), ""
            )
            if fault:
                return f"{scheduler}: {fault}"
    return ""


def _check_times(documents: ScheduleDocuments, github: Sequence[Lane], worker: Sequence[Lane]) -> str:
    """The Worker's variables must fit the times of its ticks and of the workflow's lanes."""
    try:
        return next(_find_faults(github, worker, _get_variables(documents)), "")
    except InputError as error:
        return str(error)


def _check_event_type(documents: ScheduleDocuments, _: Sequence[Lane], __: Sequence[Lane]) -> str:
    event = documents.workflow["on"].get("repository_dispatch")
    types = event.get("types") if isinstance(event, dict) else None
    if EVENT_TYPE not in (types if isinstance(types, list) else [types]):
        return f"the workflow waits for {types}, not for {EVENT_TYPE}"
    sent = _get_variables(documents).get("EVENT_TYPE")
    return "" if sent == EVENT_TYPE else f"the Worker sends {sent}, not {EVENT_TYPE}"


def _check_file(documents: ScheduleDocuments, _: Sequence[Lane], __: Sequence[Lane]) -> str:
    file = _get_variables(documents).get("WORKFLOW_FILE")
    return (
        ""
        if file == documents.workflow_file
        else f"the Worker asks for {file}, the file is {documents.workflow_file}"
    )


def _check_title(documents: ScheduleDocuments, _: Sequence[Lane], __: Sequence[Lane]) -> str:
    name = str(documents.workflow.get("run-name", ""))
    if get_title_prefix(documents.workflow) != TITLE_PREFIX:
        return f"run-name does not begin with {TITLE_PREFIX!r}, by which the Worker knows its own runs"
    missing = [part for part in _TITLES if part not in name]
    return f"run-name has no format({missing[0]})" if missing else ""


def _check_queue(documents: ScheduleDocuments, _: Sequence[Lane], __: Sequence[Lane]) -> str:
    queue = documents.workflow.get("concurrency")
    required = {"queue": "max", "cancel-in-progress": "false"}
    if isinstance(queue, dict) and required.items() <= queue.items():
        return ""
    return (
        "concurrency needs queue: max and cancel-in-progress: false; else a third run throws the second away"
    )


def _get_variables(documents: ScheduleDocuments) -> Mapping[str, Any]:
    variables: Mapping[str, Any] = documents.worker.get("vars") or {}
    return variables


def _find_faults(
    github: Sequence[Lane], worker: Sequence[Lane], variables: Mapping[str, Any]
) -> Iterator[str]:
    due, ticks = _list_day_times(github), _list_day_times(worker)
    period = parse_minutes(variables, "PERIOD_MINUTES")
    tick_interval = min((later - earlier for earlier, later in pairwise(ticks)), default=period)
    if period != tick_interval:
        yield (
            f"PERIOD_MINUTES is {_count_minutes(period)},"
            f" and the ticks are {_count_minutes(tick_interval)} min apart"
        )
    if parse_minutes(variables, "ON_ITS_WAY_MINUTES") >= period:
        yield (
            "ON_ITS_WAY_MINUTES is not below PERIOD_MINUTES:"
            " a run that hangs would stand for the next one too"
        )
    begins, ends = (parse_time_of_day(variables, name) for name in ("WATCH_FROM_UTC", "WATCH_TO_UTC"))
    if begins != ticks[0]:
        first_tick = _format_time_of_day(ticks[0])
        yield f"WATCH_FROM_UTC is {_format_time_of_day(begins)}, and the first tick is at {first_tick}"
    last = next((tick for tick in ticks if tick >= due[-1]), None)
    if last is not None and ends != last:
        end, last_tick = _format_time_of_day(ends), _format_time_of_day(last)
        yield f"WATCH_TO_UTC is {end}, and the tick for the last window is at {last_tick}"
    if ticks[-1] <= ends:
        yield "no tick follows WATCH_TO_UTC: what is undelivered then waits for the next day"


def _list_day_times(lanes: Sequence[Lane]) -> list[timedelta]:
    """Return the times of day at which the lanes are due, in order, as the time since midnight."""
    moments = (moment for lane in lanes for moment in list_week_windows(lane, SUMMER))
    return sorted({timedelta(hours=due_at.hour, minutes=due_at.minute) for due_at in moments})


def _count_minutes(length: timedelta) -> int:
    return length // timedelta(minutes=1)


def _format_time_of_day(since_midnight: timedelta) -> str:
    hours, rest = divmod(_count_minutes(since_midnight), 60)
    return f"{hours:02}:{rest:02}"
