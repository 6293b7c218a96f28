"""Every route by which a run could be green while it saw nothing.

The rows are those of the table in docs/evidence.md.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.loopback import closed_port, says, serving
from tests.support.program import Answer, answer
from tests.support.slack_server import slack_on_loopback
from tests.support.snapshots import ROOT, healthy, later

Document = dict[str, Any]
Row = Callable[["Job"], Answer]
HEADING = "## Green and blind"


class Job:
    """The scheduled job of one owner, with a folder for its memory and Slack as its channel."""

    def __init__(self, folder: Path, hook: str) -> None:
        self.folder = folder
        self.environ: dict[str, str] = {"AEGIS_PT_SLACK_WEBHOOK_URL": hook}

    def run(
        self, document: Document | None = None, *words: str, environ: Mapping[str, str] | None = None
    ) -> Answer:
        given = () if document is None else ("--snapshot", "-")
        state = ("--state", str(self.folder / "state"))
        return answer(
            "run", *state, *given, *words, stdin=document or b"", environ={**self.environ, **(environ or {})}
        )

    def write(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text)
        return str(path)


def at(seconds: float, **sections: Any) -> Document:
    document = {**later(healthy(), seconds), **sections}
    return {name: section for name, section in document.items() if section is not None}


def with_status(seconds: float, **facts: Any) -> Document:
    """Return the snapshot with these facts; without those that are None."""
    document = at(seconds)
    status = {**document["status_v3"], **facts}
    return {**document, "status_v3": {key: fact for key, fact in status.items() if fact is not None}}


def rename_keys(document: Document) -> Document:
    return {**document, "status_v3": {f"x_{key}": value for key, value in document["status_v3"].items()}}


def run_without_change(job: Job) -> Answer:
    with serving(says({"open_position_count": 0})) as server:
        environ = {"AEGIS_PT_STATUS_URL": f"{server.url}/s"}
        clocks = ("15:00", "15:10", "15:20", "15:30")
        return [job.run(None, "--now", f"2026-06-02T{clock}:00Z", environ=environ) for clock in clocks][-1]


def run_after(job: Job, *documents: Document, **more: Any) -> Answer:
    """Return the last of several runs with one memory."""
    return [job.run(document, **more) for document in documents][-1]


def damage_memory(job: Job) -> Answer:
    job.run(at(0))
    for path in (job.folder / "state").rglob("*.json"):
        path.write_text('{"schema_version": 99, "events": []}')
    return job.run(at(600))


def mistype(job: Job, line: str) -> Answer:
    return job.run(at(0), "--env-file", job.write("settings.env", f"{line}\n"))


def mute_everything(job: Job) -> Answer:
    mute = '[[mute]]\nsignature = "*"\nuntil = 2026-06-03T00:00:00Z\nreason = "x"\nby = "y"\n'
    return job.run(at(0), environ={"AEGIS_PT_MUTES": job.write("mutes.toml", mute)})


def block_memory(job: Job) -> Answer:
    job.write("state", "")
    return job.run(at(0))


def read_old_file(job: Job) -> Answer:
    path = job.write("status.json", json.dumps(at(0)["status_v3"]))
    os.utime(path, (at_noon := 1780401600, at_noon))  # 2026-06-02 12:00 UTC
    return job.run(None, "--now", "2026-06-02T15:00:00Z", environ={"AEGIS_PT_SECTIONS": f"status_v3={path}"})


def answer_with_a_page(job: Job) -> Answer:
    with serving(says(b"<html>Log in</html>")) as server:
        return job.run(None, environ={"AEGIS_PT_STATUS_URL": f"{server.url}/s"})


def close_the_day(job: Job) -> Answer:
    closures = job.write("closures.toml", '[[closed]]\ndate = 2026-06-02\nreason = "x"\n')
    return job.run(at(0), environ={"AEGIS_PT_MARKET_CLOSURES": closures})


def mute_one(job: Job) -> Answer:
    mute = '[[mute]]\nsignature = "unknown_fill:*"\nuntil = 2026-06-03T00:00:00Z\nreason = "x"\nby = "y"\n'
    mutes = job.write("mutes.toml", f"{mute}even_money = true\n")
    return job.run(with_status(0, unknown_fills=1), environ={"AEGIS_PT_MUTES": mutes})


def with_position(**columns: Any) -> Document:
    return with_status(0, open_positions=[{"symbol": "COIN", **columns}], open_position_count=1)


def with_null(document: Document, name: str) -> Document:
    return {**document, "status_v3": {**document["status_v3"], name: None}}


def with_cut_log(seconds: float) -> Document:
    return at(seconds, logs={"events": at(seconds)["logs"], "nextToken": "x"})


def limit_too_far_out(job: Job) -> Answer:
    page = job.folder / "page.md"
    done = job.run(at(0), "--summary", str(page), environ={"AEGIS_PT_SOURCE_STALE_SEC": "999999999"})
    return replace(done, err=done.err + page.read_text())


def with_processes(seconds: float, *names: str) -> Document:
    return at(seconds, processes=[{"name": name, "running": True} for name in names])


ROWS: dict[str, Row] = {
    "no source is configured": lambda job: job.run(),
    "no source answers": lambda job: job.run(
        environ={"AEGIS_PT_STATUS_URL": f"http://127.0.0.1:{closed_port()}/"}
    ),
    "the snapshot that it is handed is empty": lambda job: job.run({"taken_at": "2026-06-02T15:00:00Z"}),
    "nothing is read any more, and what was wrong is only held": lambda job: run_after(
        job, with_status(0, unknown_fills=1), {"taken_at": "2026-06-02T15:10:00Z"}
    ),
    "no channel is configured": lambda job: job.run(at(0), environ={"AEGIS_PT_SLACK_WEBHOOK_URL": ""}),
    "the only channel is down": lambda job: job.run(
        with_status(0, unknown_fills=1),
        environ={"AEGIS_PT_SLACK_WEBHOOK_URL": f"http://127.0.0.1:{closed_port()}/hook"},
    ),
    "the snapshot's file is hours old": lambda job: job.run(at(0), "--now", "2026-06-02T18:00:00Z"),
    "a section's file is hours old": read_old_file,
    "a status address answers with a page for people": answer_with_a_page,
    "a payload says of itself that it is hours old": lambda job: job.run(
        with_status(0, as_of="2026-06-02T12:00:00Z")
    ),
    "a payload says that it is of tomorrow": lambda job: job.run(
        with_status(0, as_of="2026-06-03T15:00:00Z")
    ),
    "a payload without a time of its own never changes": run_without_change,
    "one letter of a fact's name is wrong": lambda job: job.run(with_status(0, stuck_exit=1, stuck_exits=None)),
    "the value stands under a misspelling, and null under its name": lambda job: job.run(
        with_null(with_status(0, stuck_exit=1), "stuck_exits")
    ),
    "a column that a row needs has another name": lambda job: job.run(with_position(amount_held=3)),
    "a usual fact has a strange name in the very first run": lambda job: job.run(
        with_status(0, stuck_exits=None, hung=0)
    ),
    "a row lacks what its source always gives": lambda job: job.run(
        at(0, broker={"as_of": "2026-06-02T14:59:50Z", "connected": True, "positions": [{"symbol": "COIN"}]})
    ),
    "tasks that stopped do not say when": lambda job: job.run(
        at(0, ecs={**at(0)["ecs"], "stopped_tasks": [{"group": "x", "lastStatus": "STOPPED"}] * 3})
    ),
    "a word that nobody knows": lambda job: job.run(with_status(0, mode="zorp")),
    "a row's side names no side": lambda job: job.run(with_position(quantity=3, side="CALL")),
    "everything lies in one object more": lambda job: job.run(
        at(0, status_v3={"data": at(0)["status_v3"]})
    ),
    "a section has another name": lambda job: job.run(at(0, status_v3=None, status_v4={"a": 1})),
    "a section is of another kind": lambda job: job.run(at(0, ecs=[])),
    "a value is of another kind": lambda job: job.run(with_status(0, pending_orders="three")),
    "every name of a payload changed": lambda job: run_after(
        job, at(0), rename_keys(at(600)), rename_keys(at(1200))
    ),
    "a fact that was seen is gone": lambda job: run_after(
        job, at(0), with_status(600, broker_reconcile_pending=None),
        with_status(1200, broker_reconcile_pending=None),
    ),
    "a section that was seen is gone": lambda job: run_after(
        job, at(0), at(600, ecs=None), at(1200, ecs=None)
    ),
    "no container of the standby host is listed any more": lambda job: run_after(
        job, at(0), at(600, containers=[]), at(1200, containers=[])
    ),
    "the newest lines of the log are cut off": lambda job: run_after(
        job, at(0), with_cut_log(600), with_cut_log(1200)
    ),
    "a process is not listed any more": lambda job: run_after(
        job, *[with_processes(600 * number, "bot") for number in range(3)],
        with_processes(1800), with_processes(2400),
    ),
    "nothing but a profile's constants is there": lambda job: job.run(
        {"taken_at": at(0)["taken_at"], "status_v3": {}}, environ={"AEGIS_PT_PROFILE": job.write(
            "p.toml", '[profile]\nname = "x"\n[status]\nmode = "m"\nstuck_exits = { value = 0 }\n'
        )},
    ),
    "a limit is too far out to be reached": limit_too_far_out,
    "a section is of another cluster": lambda job: job.run(at(0), environ={"AEGIS_PT_ECS_CLUSTER": "other"}),
    "the runs before it did not take place": lambda job: run_after(job, at(0), at(7200)),
    "the memory cannot be read": damage_memory,
    "the memory cannot be written": block_memory,
    "no table of exchange days covers the time": lambda job: job.run(
        {"taken_at": "2050-06-02T15:00:00Z", "status_v3": {"heartbeat_at": "2050-06-02T14:59:50Z"}}
    ),
    "a setting's name is mistyped": lambda job: mistype(job, "AEGIS_PT_HARTBEAT_STALE_SEC=300"),
    "a setting's value cannot be read": lambda job: mistype(job, "AEGIS_PT_PENDING_ORDER_WARN=three"),
    "everything is muted": mute_everything,
    "what is wrong is muted": mute_one,
    "the operator's own list closes the day": close_the_day,
}  # fmt: skip


def read_table() -> dict[str, str]:
    """Return the rows of the table: the route, and what happens now."""
    part = (ROOT / "docs" / "evidence.md").read_text().partition(f"{HEADING}\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in part.splitlines() if line.startswith("| ")]
    return {row[0].strip(): row[1].strip() for row in rows[1:]}


def test_the_table_has_a_row_for_each_route_and_no_other():
    assert list(read_table()) == list(ROWS)


@pytest.mark.parametrize("route", ROWS)
def test_a_run_that_saw_nothing_is_not_green_in_silence(route, tmp_path):
    """Each name in backquotes is an event of the run or its words on stderr; the exit code is said."""
    told = read_table()[route]
    with slack_on_loopback() as slack:
        done = ROWS[route](Job(tmp_path, slack.hook))
    expected_code = re.search(r"exit (\d)", told)
    assert done.code == int(expected_code[1] if expected_code else 0), done.err
    events = done.types if done.out.strip() else []
    names = re.findall(r"`([^`]+)`", told)
    assert names
    assert [name for name in names if name not in events and name not in done.err] == []
    is_told = bool(events) or all(name in done.err for name in names)
    assert done.code != 0 or is_told, "green, and nothing is told"
