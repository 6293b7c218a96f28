"""What the documents state about the schedule: the real ones are right, and each way to drift is found."""

from __future__ import annotations

import pytest

from detector.schedule.schedule_files import parse_jsonc, parse_worker_lanes, parse_workflow_lanes, parse_yaml
from tests.support.schedule_claims import ScheduleFacts, find_document_fault
from tests.support.snapshots import ROOT

WORKFLOW = parse_yaml((ROOT / ".github" / "workflows" / "notify-aws-ibkr-pt-health.yml").read_text())
WORKER = parse_jsonc((ROOT / "scheduler" / "wrangler.jsonc").read_text())
FACTS = ScheduleFacts((*parse_workflow_lanes(WORKFLOW), *parse_worker_lanes(WORKER)), WORKER["vars"])


def named(*crons: str) -> str:
    return " ".join(f"`{cron}`" for cron in (*(lane.cron for lane in FACTS.lanes), *crons))


@pytest.mark.parametrize(
    ("name", "must_name"), [("docs/schedule.md", True), ("RUNBOOK.md", True), ("scheduler/README.md", False)]
)
def test_the_documents_state_the_schedule_of_the_workflow_and_of_the_worker(name, must_name):
    assert find_document_fault((ROOT / name).read_text(encoding="utf-8"), FACTS, must_name) == ""


def test_a_document_may_leave_the_crons_out_unless_it_must_name_them():
    assert find_document_fault("nothing", FACTS) == ""
    assert find_document_fault("nothing", FACTS, must_name=True).startswith("does not name `")
    assert find_document_fault(named(), FACTS, must_name=True) == ""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param(
            named("5 13-21 * * MON-FRI"), "names `5 13-21 * * MON-FRI`, which nothing runs at", id="one more"
        ),
        pytest.param(
            named("0,10,20,30,40,50 13-21 * * 1-5"),
            "names `0,10,20,30,40,50 13-21 * * 1-5`",
            id="days by number",
        ),
        pytest.param(named("*/10 * * * *"), "names `*/10 * * * *`", id="every day"),
        pytest.param(
            "a healthchecks.io check (schedule `*/10 13-21 * * 1-5` UTC)",
            "",
            id="the schedule of the dead-man's switch",
        ),
        pytest.param(named("7,17 13-21 * 1-6 MON-FRI"), "names `7,17 13-21 * 1-6 MON-FRI`", id="some months"),
        pytest.param(
            "a `repository_dispatch` event of type aws_ibkr_pt",
            "names the event type aws_ibkr_pt, not aws_ibkr_pt_health",
            id="another event",
        ),
        pytest.param(
            "event type `ibkr_health`", "names the event type ibkr_health", id="another event, quoted"
        ),
        pytest.param(
            "of the type `aws_ibkr_pt_health`, event type `aws_ibkr_pt_health`", "", id="this event"
        ),
        pytest.param(
            "from 14:00 to 21:59 UTC",
            "says 14:00 to 21:59 UTC, when the schedule is not due",
            id="it begins later",
        ),
        pytest.param("from 13:00 to 20:59 UTC", "says 13:00 to 20:59 UTC", id="it ends sooner"),
        pytest.param("between 13:00 and 23:00 UTC", "says 13:00 and 23:00 UTC", id="it ends later"),
        pytest.param(
            "13:00 to 21:59 UTC, 13:07 to 21:57 UTC, 13:00 to 22:10 UTC, 13:00 and 22:00 UTC",
            "",
            id="these hours",
        ),
        pytest.param("13:30 to 20:00 UTC in summer, 14:30 to 21:00 UTC in winter", "", id="the session's"),
        pytest.param("03:45 to 05:45 UTC", "", id="hours of something else"),
        pytest.param(
            "| `PERIOD_MINUTES` | `15` | the time |",
            "says that PERIOD_MINUTES is 15, and it is 10",
            id="another value of a variable",
        ),
        pytest.param("| `PERIOD_MINUTES` | `10` | the time |\n| `OTHER` | `x` |", "", id="its value"),
        pytest.param("`0 13-21 * * MON-FRI`", "names", id="another document names another"),
    ],
)
def test_a_document_that_drifts_is_found(text, says):
    fault = find_document_fault(text, FACTS)
    assert fault.startswith(says)
    assert bool(fault) is bool(says)
