"""Workflow and Worker against each other: the real ones agree, and each way to drift is found."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from detector.domain.run_windows import TITLE_PREFIX
from detector.schedule.consistency import ScheduleDocuments, check_consistency
from detector.schedule.schedule_files import parse_jsonc, parse_worker_lanes, parse_workflow_lanes, parse_yaml
from tests.support.snapshots import ROOT

FILE = "notify-aws-ibkr-pt-health.yml"
WORKFLOW = parse_yaml((ROOT / ".github" / "workflows" / FILE).read_text())
WORKER = parse_jsonc((ROOT / "scheduler" / "wrangler.jsonc").read_text())
CRONS = [lane.cron for lane in (*parse_workflow_lanes(WORKFLOW), *parse_worker_lanes(WORKER))]


def faults(workflow: Any = None, worker: Any = None, file: str = FILE) -> dict[str, str]:
    written = ScheduleDocuments(workflow or WORKFLOW, file, worker or WORKER)
    return {one.subject: one.fault for one in check_consistency(written) if one.fault}


def changed(document: Any, change: Callable[[Any], None]) -> Any:
    made = copy.deepcopy(document)
    change(made)
    return made


def github(*crons: str) -> Any:
    return changed(WORKFLOW, lambda one: one["on"].update(schedule=[{"cron": cron} for cron in crons]))


def cloudflare(*crons: str) -> Any:
    return changed(WORKER, lambda one: one["triggers"].update(crons=list(crons)))


def variable(**variables: str) -> Any:
    return changed(WORKER, lambda one: one["vars"].update(variables))


PRIMARY, FALLBACK, TICKS, AFTER = CRONS


def test_what_is_in_this_repository_agrees():
    assert faults() == {}


def test_these_are_the_comparisons_in_their_order():
    written = ScheduleDocuments(WORKFLOW, FILE, WORKER)
    assert [one.subject for one in check_consistency(written)] == [
        "the workflow's crons", "the Worker's crons", "the days", "the hours", "the lanes", "the session",
        "the Worker's times", "the event type", "the workflow's file", "the run's title", "the queue",
    ]  # fmt: skip


def test_the_worker_knows_its_runs_by_the_same_beginning_of_their_titles():
    sources = "".join(path.read_text() for path in (ROOT / "scheduler" / "src").glob("*.ts"))
    assert TITLE_PREFIX.strip().replace("|", r"\|") in sources


@pytest.mark.parametrize(
    ("workflow", "says"),
    [
        pytest.param(github(PRIMARY.replace("MON-FRI", "1-7"), FALLBACK), "the weekday field '1-7'", id="a dialect error"),
        pytest.param(changed(WORKFLOW, lambda one: one["on"].pop("schedule")), "has no on.schedule", id="no schedule"),
    ],
)  # fmt: skip
def test_a_workflow_that_cannot_be_read_is_the_only_fault(workflow, says):
    assert list(faults(workflow)) == ["the workflow's crons"]
    assert says in faults(workflow)["the workflow's crons"]


@pytest.mark.parametrize(
    ("worker", "what", "says"),
    [
        pytest.param(cloudflare(TICKS.replace("MON-FRI", "0-4"), AFTER), "the Worker's crons", "the weekday field '0-4'", id="GitHub's numbers"),
        pytest.param(cloudflare(TICKS.replace("MON-FRI", "1-5"), AFTER), "the days", "days 0, 1, 2, 3, 4 (0 is Sunday)", id="1-5 copied: Friday is lost"),
        pytest.param(cloudflare(*(f"{minute} 13-21 * * MON-FRI" for minute in (0, 10, 20, 30, 40, 50))), "the Worker's crons", "6 triggers; the free plan has 5", id="six triggers"),
        pytest.param(cloudflare("0,10,20,30,40,50 13-20 * * MON-FRI"), "the hours", "the Worker does not tick at 21 h UTC", id="an hour too few"),
        pytest.param(cloudflare(TICKS), "the hours", "the Worker does not tick at 22 h UTC, after the last window", id="nothing after the last window"),
        pytest.param(cloudflare("0,10,20,30,40,50 12-21 * * MON-FRI", AFTER), "the hours", "the Worker ticks at 12 h UTC", id="an hour too many"),
        pytest.param(cloudflare("7,20,30,40,50 13-21 * * MON-FRI", AFTER), "the lanes", "are both due at Mon 13:07", id="in the same minute as GitHub's"),
        pytest.param(cloudflare("0,20,40 13-21 * * MON-FRI", AFTER), "the session", "the Worker: over 10 min without a window", id="too far apart"),
        pytest.param(changed(WORKER, lambda one: one["vars"].update(EVENT_TYPE="health")), "the event type", "the Worker sends health, not aws_ibkr_pt_health", id="another event"),
        pytest.param(variable(PERIOD_MINUTES="20"), "the Worker's times", "PERIOD_MINUTES is 20, and the ticks are 10 min apart", id="another period"),
        pytest.param(variable(ON_ITS_WAY_MINUTES="10"), "the Worker's times", "ON_ITS_WAY_MINUTES is not below PERIOD_MINUTES", id="a run on its way for a whole period"),
        pytest.param(variable(ON_ITS_WAY_MINUTES="five"), "the Worker's crons", "vars.ON_ITS_WAY_MINUTES: 'five' is not", id="minutes that are none"),
        pytest.param(variable(MODE="always", ON_ITS_WAY_MINUTES="five"), "the Worker's times", "vars.ON_ITS_WAY_MINUTES: 'five' is not", id="minutes that are none, in always mode"),
        pytest.param(variable(WATCH_FROM_UTC="14:00"), "the Worker's times", "WATCH_FROM_UTC is 14:00, and the first tick is at 13:00", id="the watch begins later"),
        pytest.param(variable(WATCH_TO_UTC="21:00"), "the Worker's times", "WATCH_TO_UTC is 21:00, and the tick for the last window is at 22:00", id="the watch ends sooner"),
        pytest.param(cloudflare(TICKS, "0 22 * * MON-FRI"), "the Worker's times", "no tick follows WATCH_TO_UTC: what is undelivered then waits for the next day", id="no tick for what is still owed"),
        pytest.param(changed(WORKER, lambda one: one.update(vars=None)), "the event type", "the Worker sends None", id="no variables"),
        pytest.param(changed(WORKER, lambda one: one["vars"].update(WORKFLOW_FILE="notify.yml")), "the workflow's file", "the Worker asks for notify.yml", id="another file"),
    ],
)  # fmt: skip
def test_a_worker_that_drifts_is_found(worker, what, says):
    assert says in faults(worker=worker)[what]


@pytest.mark.parametrize(
    ("workflow", "what", "says"),
    [
        pytest.param(github(PRIMARY, FALLBACK.replace("MON-FRI", "MON-THU")), "the days", "12,22,32,42,52 13-21 * * MON-THU: days 1, 2, 3, 4", id="a day less"),
        pytest.param(github(PRIMARY.replace("13-21", "13-19"), FALLBACK.replace("13-21", "13-19")), "the hours", "the Worker ticks at 21, 22 h UTC, when no window is due", id="hours less"),
        pytest.param(github("7,17,27,37,47,57 14-21 * * MON-FRI"), "the session", "no window around the open or the close of 2027-07-12", id="too late for the summer"),
        pytest.param(github("7,17,27,37,47,57 13-20 * * MON-FRI"), "the session", "no window around the open or the close of 2027-01-11", id="too early for the winter"),
        pytest.param(github("7,27,47 13-21 * * MON-FRI"), "the session", "GitHub's schedule: over 10 min without a window", id="too far apart"),
        pytest.param(github(PRIMARY, "17,32 13-21 * * MON-FRI"), "the lanes", "are both due at Mon 13:17", id="two lanes at once"),
        pytest.param(changed(WORKFLOW, lambda one: one["on"]["repository_dispatch"].update(types=["health"])), "the event type", "the workflow waits for ['health']", id="another event"),
        pytest.param(changed(WORKFLOW, lambda one: one["on"].pop("repository_dispatch")), "the event type", "the workflow waits for None", id="no event"),
        pytest.param(changed(WORKFLOW, lambda one: one["on"].update(repository_dispatch=["x"])), "the event type", "the workflow waits for None", id="a list for an event"),
        pytest.param(changed(WORKFLOW, lambda one: one["on"].update(repository_dispatch="x")), "the event type", "the workflow waits for None", id="a word for an event"),
        pytest.param(changed(WORKFLOW, lambda one: one.update({"run-name": one["run-name"].replace("PT health | ", "Aegis: ")})), "the run's title", "run-name does not begin with 'PT health | '", id="another beginning of the title"),
        pytest.param(changed(WORKFLOW, lambda one: one.update({"run-name": "x " + one["run-name"]})), "the run's title", "run-name does not begin with", id="something before it"),
        pytest.param(changed(WORKFLOW, lambda one: one.update({"run-name": "PT health | ${{ github.event_name }}"})), "the run's title", "run-name has no format('schedule {0}'", id="no lane in the title"),
        pytest.param(changed(WORKFLOW, lambda one: one.pop("concurrency")), "the queue", "concurrency needs queue: max", id="no queue"),
        pytest.param(changed(WORKFLOW, lambda one: one["concurrency"].update({"cancel-in-progress": "true"})), "the queue", "concurrency needs", id="a queue that cancels"),
    ],
)  # fmt: skip
def test_a_workflow_that_drifts_is_found(workflow, what, says):
    assert says in faults(workflow)[what]
