"""The report of a session: its final line, what was not seen, its runs in order, and each form of it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from datetime import datetime, timedelta
from html import escape, unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator
from msgspec import Struct
from msgspec.structs import fields, replace

from detector import ledger
from detector.domain.acknowledgement import AckRequest
from detector.domain.condition import Phase, Receipt
from detector.domain.report import ChannelError, ChannelHealth
from detector.domain.run_memory import FIRST_RUN
from detector.domain.session_report import WORDS, SessionReport
from detector.ledger import add_receipts
from detector.render.document import build_artifact_document
from detector.render.report_page import render_page
from detector.render.report_text import render_report, render_report_markdown
from detector.render.schemas import build_report_schema
from detector.report.timeline import describe_state
from detector.settings import DISPLAY_ZONES
from tests.support.gate_runs import morning_at
from tests.support.program import Answer, answer
from tests.support.snapshots import DEFAULTS, ROOT, evaluated, remembered

HISTORIES = ROOT / "tests" / "fixtures" / "histories"
INCIDENTS = {
    "2026-06-01-recovery-baseline-remote": "aegis",
    "2026-05-06-power-outage-remote": "cortana",
    "2026-05-06-power-outage-on-the-machine": "cortana",
    "2025-09-15-connection-outage-remote": "robo_trader",
}
FORMS = ("text", "markdown", "json", "html")
OPEN = datetime.fromisoformat("2026-06-02T13:30:00+00:00")
ZONES = DEFAULTS[DISPLAY_ZONES]


def report(*words: str, now: datetime | str = "2026-06-02T20:30:00Z", **more: Any) -> Answer:
    """Run the command at a time."""
    at = now if isinstance(now, str) else now.isoformat()
    return answer("report", "--now", at, *words, **more)


def artifacts(folder: Path, count: int, minutes: float = 8, **patches: dict[str, Any]) -> list[Path]:
    """Write the artifacts of so many runs from a quarter of an hour before the open on, each in a zip."""
    memory, files = FIRST_RUN, []
    for number in range(count):
        at = OPEN + timedelta(minutes=minutes * number - 15)
        made = evaluated(morning_at(at, patches.get(f"run{number}")), memory)
        told = add_receipts(made.conditions, made.owed["stdout"], "stdout", at)
        made = replace(made, conditions=told)
        path = folder / f"run-{number:02}.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("pt-health.json", json.dumps(build_artifact_document(made)))
        memory = remembered(made, printed=False)
        files.append(path)
    return files


def as_text(*words: str, **more: Any) -> str:
    """Return what is printed, as its reader sees it: without the escapes of HTML and Markdown."""
    return unescape(report(*words, **more).out.decode())


def as_document(*words: str, **more: Any) -> Any:
    return report("--format", "json", *words, **more).document


# --- the founding incidents ------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", INCIDENTS)
def test_every_incident_has_every_form_and_one_final_line(name, form):
    ran = report(
        "--format", form, str(HISTORIES / f"{name}.ndjson"), environ={"AEGIS_PT_PROFILE": INCIDENTS[name]}
    )
    assert (ran.code, ran.err) == (0, "")
    final = {"text": "NOTIFY: |STOP AND ESCALATE: ", "json": '"word": "notify"|"word": "stop and escalate"'}
    assert re.search(final.get(form, "NOTIFY|STOP AND ESCALATE"), ran.out.decode())


def test_in_the_dark_the_line_says_stop_and_escalate_and_what_is_not_proven():
    document = as_document(
        str(HISTORIES / "2025-09-15-connection-outage-remote.ndjson"),
        environ={"AEGIS_PT_PROFILE": "robo_trader"},
    )
    assert document["final"]["word"] == "stop and escalate"
    assert "needs explicit approval" in document["final"]["because"]
    assert "heartbeat" in document["final"]["unproven"]


@pytest.mark.parametrize("form", ["text", "markdown", "html"])
def test_the_first_screen_says_what_the_final_line_asks_and_that_a_replay_alerted_nobody(form):
    words = ("--format", form, str(HISTORIES / "2025-09-15-connection-outage-remote.ndjson"))
    ran = report(*words, environ={"AEGIS_PT_PROFILE": "robo_trader"})
    first_screen = unescape(ran.out.decode()).partition(
        "ESCALATE CRITICAL" if form == "text" else "What is wrong now"
    )[0]
    assert "Wake the person who may approve a stop. Do not stop the bot yourself" in first_screen
    assert "Nobody was alerted by these runs" in first_screen


def test_a_report_of_an_earlier_time_knows_nothing_later():
    words = (str(HISTORIES / "2026-05-06-power-outage-remote.ndjson"),)
    environ = {"AEGIS_PT_PROFILE": "cortana"}
    early = as_document(*words, now="2026-05-06T17:00:00Z", environ=environ)
    assert early["newest_run"] <= "2026-05-06T17:02:00Z"
    assert any("after the time of this report" in remark for remark in early["remarks"])


@pytest.mark.parametrize(
    ("before_sec", "runs"),
    [(-1, 2), (0, 2), (1, 1), (119, 1)],
    ids=["later", "at once", "just before", "two minutes"],
)
def test_a_report_of_a_given_time_has_no_run_that_is_later_by_any_clock(before_sec, runs, tmp_path):
    artifacts(tmp_path, 2)
    newest = OPEN + timedelta(minutes=-7)
    early = as_document(str(tmp_path), now=newest - timedelta(seconds=before_sec))
    assert early["runs"] == runs
    assert (early["newest_run"] == newest.isoformat().replace("+00:00", "Z")) is (runs == 2)


def test_without_a_given_time_a_clock_may_be_off_and_the_page_says_after(tmp_path):
    taken = json.dumps({"taken_at": "2026-06-02T15:01:00Z", "status_v3": {"pending_orders": 0}})
    (tmp_path / "later.json").write_text(taken)
    page = answer("report", "--format", "html", str(tmp_path)).out.decode()
    assert "2026-06-02 15:01:00 UTC, 60 s after this page was made" in page


# --- the final line --------------------------------------------------------------------------------------


def live(patch: dict[str, Any] | None = None, **more: Any) -> Any:
    at = OPEN + timedelta(hours=2)
    return as_document(now=at, stdin=morning_at(at, patch), **more)["final"]


@pytest.mark.parametrize(
    ("patch", "word"),
    [
        ({}, "continue"),
        ({"status_v3": {"pending_orders": 3}}, "notify"),
        ({"status_v3": {"pending_exits": None}}, "notify"),
        ({"containers": None}, "notify"),
        ({"status_v3": {"stuck_exits": 1}}, "stop and escalate"),
    ],
    ids=["all is seen and well", "an event", "a fact is not seen", "a section is not seen", "a stuck exit"],
)
def test_it_continues_only_where_everything_was_seen_and_is_well(patch, word):
    assert live(patch)["word"] == word


def test_a_report_without_any_run_is_not_proven(tmp_path):
    document = as_document(str(tmp_path))
    assert document["final"]["word"] == "notify"
    assert document["tables"][0]["missing"] == "no run is at hand"


def test_a_last_run_that_is_old_does_not_continue(tmp_path):
    artifacts(tmp_path, 4)
    fresh = as_document(str(tmp_path), now=OPEN + timedelta(minutes=20))["final"]
    old = as_document(str(tmp_path), now=OPEN + timedelta(minutes=60))["final"]
    assert (fresh["word"], old["word"]) == ("continue", "notify")
    assert "the last 51 min" in old["unproven"]


@pytest.mark.parametrize(
    ("patch", "code"),
    [({}, 0), ({"status_v3": {"pending_orders": 3}}, 3), ({"status_v3": {"stuck_exits": 1}}, 1)],
)
def test_with_fail_the_exit_code_is_the_final_word(patch, code):
    at = OPEN + timedelta(hours=2)
    assert report("--fail", now=at, stdin=morning_at(at, patch)).code == code


# --- the runs --------------------------------------------------------------------------------------------


def test_zips_are_read_as_they_are_and_a_session_s_page_is_small(tmp_path):
    files = artifacts(tmp_path, 54)
    ran = report("--format", "html", str(tmp_path), now=OPEN + timedelta(hours=7))
    assert ran.code == 0
    assert len(ran.out) < 300_000
    document = as_document(str(tmp_path))
    assert document["runs"] == len(files)
    assert [point["value"] for point in document["series"][0]["points"]] == [12.0] * len(files)


def test_runs_that_are_missing_doubled_or_of_another_runtime_are_said(tmp_path):
    files = artifacts(tmp_path, 6)
    (tmp_path / "copy.zip").write_bytes(files[1].read_bytes())
    files[3].unlink()
    other = {**morning_at(OPEN - timedelta(minutes=5)), "runtime": "another"}
    (tmp_path / "other.json").write_text(json.dumps(other))
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "broken.zip").write_bytes(b"PK")
    document = as_document(str(tmp_path))
    assert document["runs"] == 5
    remarks = "\n".join(document["remarks"])
    for part in (
        "1 run given twice counts once",
        "1 run between these is not at hand",
        "another runtime (another) left out",
        "broken.json is left out",
        "broken.zip is left out",
    ):
        assert part in remarks
    assert as_document("--runtime", "another", str(tmp_path))["runtime"] == "another"


def test_runs_out_of_order_are_sorted_and_that_is_said(tmp_path):
    documents = [morning_at(OPEN + timedelta(minutes=minutes)) for minutes in (20, 0, 10)]
    path = tmp_path / "history.ndjson"
    path.write_text("".join(f"{json.dumps(document)}\n" for document in documents))
    document = as_document(str(path))
    times = [point["at"] for point in document["series"][0]["points"]]
    assert times == sorted(times)
    assert "the snapshots were given out of order; they are sorted by their times" in document["remarks"]


def write_snapshots(folder: Path, minutes: Iterable[float], **more: Any) -> Path:
    """Write bare snapshots, one a line; `more` goes into each."""
    path = folder / f"snapshots-{len(list(folder.iterdir()))}.ndjson"
    documents = [{**morning_at(OPEN + timedelta(minutes=minute)), **more} for minute in minutes]
    path.write_text("".join(f"{json.dumps(document)}\n" for document in documents))
    return path


@pytest.mark.parametrize(
    ("minutes", "remark"),
    [
        pytest.param([0, 10, 20, 30, 40], None, id="in order"),
        pytest.param([0, 10, 20, 20, 30], "1 snapshot given twice counts once", id="doubled"),
        pytest.param([0, 20, 10, 30, 40], "the snapshots were given out of order", id="out of order"),
        pytest.param(
            [0, 10, 20, 60, 70, 80],
            "snapshots seem to be missing in 1 stretch: one usually came every 10 min, and none for 40 min"
            " from 2026-06-02 13:50:00 UTC to 2026-06-02 14:30:00 UTC",
            id="missing",
        ),
    ],
)
def test_disorder_of_bare_snapshots_is_said(minutes, remark, tmp_path):
    document = as_document(str(write_snapshots(tmp_path, minutes)), now=OPEN + timedelta(minutes=82))
    disorder = [text for text in document["remarks"] if re.search("twice|order|missing", text)]
    assert [text[: len(remark or "")] for text in disorder] == ([remark] if remark else [])
    assert document["runs"] == len(set(minutes))


def test_two_snapshots_of_one_moment_that_differ_are_no_copies(tmp_path):
    write_snapshots(tmp_path, [0, 10, 20])
    write_snapshots(tmp_path, [10], status_v3={"pending_orders": 5})
    remarks = as_document(str(tmp_path))["remarks"]
    assert "1 run of the same moment as another one that differs left out" in remarks
    assert not any("twice" in remark for remark in remarks)


def test_bare_snapshots_of_two_runtimes_share_no_memory(tmp_path):
    """A condition of the one is never held in the other, whatever their order is."""
    write_snapshots(tmp_path, [0, 10, 20])
    write_snapshots(tmp_path, [5, 15], runtime="another", status_v3={"stuck_exits": 1})
    own = as_document(str(tmp_path))
    assert [card["signature"] for card in own["conditions"]] == []
    assert "2 runs of another runtime (another) left out" in own["remarks"]
    other = as_document("--runtime", "another", str(tmp_path))
    assert (other["runs"], other["runtime"]) == (2, "another")
    assert all(card["signature"].split(":")[1] == "another" for card in other["conditions"])


def test_who_acknowledged_a_condition_stands_with_it_and_in_a_table(tmp_path):
    at = OPEN + timedelta(minutes=30)
    run = evaluated(morning_at(at, {"status_v3": {"pending_orders": 3}}))
    (signature,) = [event.signature for event in run.events if event.type == "pending_orders_high"]
    request = AckRequest(signature, "ann", at, at + timedelta(hours=2), "slack", "1")
    acks = ledger.apply_acknowledgements(run.conditions, [request], at)
    (tmp_path / "run.json").write_text(
        json.dumps(build_artifact_document(replace(run, conditions=acks.conditions)))
    )
    document = as_document(str(tmp_path), now=at + timedelta(minutes=1))
    (card,) = [card for card in document["conditions"] if card["signature"] == signature]
    assert card["acknowledged"] == "by ann until 2026-06-02 16:00:00 UTC"
    (table,) = [table for table in document["tables"] if table["name"] == "acknowledgements"]
    assert [row[:3] + row[5:] for row in table["rows"]] == [[signature, "ann", "slack", "in force"]]
    page = report("--format", "html", str(tmp_path), now=at + timedelta(minutes=1)).out.decode()
    assert "Acknowledged: by ann until 2026-06-02 16:00:00 UTC" in page
    assert "acknowledged: by ann" in report(str(tmp_path), now=at + timedelta(minutes=1)).out.decode()


def test_a_stretch_in_which_nobody_looked_is_a_bar_and_a_remark(tmp_path):
    artifacts(tmp_path, 3, minutes=60)
    document = as_document(str(tmp_path), now=OPEN + timedelta(minutes=110))
    blind = [bar for bar in document["bars"] if bar["severity"] == "blind"]
    assert [(bar["start"], bar["end"]) for bar in blind] == [
        ("2026-06-02T13:30:00Z", "2026-06-02T14:15:00Z"),
        ("2026-06-02T14:15:00Z", "2026-06-02T15:15:00Z"),
    ]
    assert any("no run is at hand for 1 h 45 min" in remark for remark in document["remarks"])


def test_a_session_can_be_named_and_a_day_without_one_is_said(tmp_path):
    artifacts(tmp_path, 2)
    assert as_document("--session", "2026-06-02", str(tmp_path))["runs"] == 2
    holiday = as_document("--session", "2026-07-03", str(tmp_path))
    assert (holiday["runs"], holiday["session"]) == (0, "2026-07-03: no session")
    assert report("--session", "June", str(tmp_path)).code == 2


def test_a_report_of_no_run_names_the_runtime_of_the_settings(tmp_path):
    environ = {"AEGIS_PT_RUNTIME": "my-bot"}
    assert as_document(str(tmp_path), environ=environ)["runtime"] == "my-bot"


@pytest.mark.parametrize(
    "hours", [7.9, 14, 65, 96], ids=["after the close", "night", "weekend", "days later"]
)
def test_the_newest_run_is_in_its_report_however_long_after_the_close_it_is(hours, tmp_path):
    """Without it the page of a run at the weekend said that no run was at hand."""
    at = OPEN + timedelta(days=3, hours=hours)  # from a Friday on
    (tmp_path / "run.json").write_text(json.dumps(morning_at(at, {"status_v3": {"stuck_exits": 1}})))
    document = as_document(str(tmp_path), now=at + timedelta(seconds=5))
    assert document["runs"] == 1
    assert "stuck_exits" in {card["signature"].split(":")[0] for card in document["conditions"]}


def test_what_the_broker_holds_stands_with_the_stops_that_work_there(tmp_path):
    naked: dict[str, Any] = {"broker": {"open_orders": []}}
    at = OPEN + timedelta(hours=2)
    tables = {table["name"]: table for table in as_document(now=at, stdin=morning_at(at))["tables"]}
    held = [row[:4] + row[5:] for row in tables["holdings"]["rows"]]
    assert held[:2] == [
        ["SPY", "paper-1", "long 100", "the broker", "for 100 of 100"],
        ["SPY", "–", "long 100", "the runtime's status", "–"],
    ]
    assert tables["broker_orders"]["rows"][0][1:5] == ["SELL", "100", "STP", "PreSubmitted"]
    bare = {table["name"]: table for table in as_document(now=at, stdin=morning_at(at, naked))["tables"]}
    assert bare["holdings"]["rows"][0][5] == "for 0 of 100: NOT COVERED"


def test_what_is_not_seen_now_stands_as_it_was_last_seen(tmp_path):
    """The founding outage: the broker was gone, and the page told of one position without its name."""
    words = (str(HISTORIES / "2026-05-06-power-outage-remote.ndjson"),)
    environ = {"AEGIS_PT_PROFILE": "cortana"}
    document = as_document(*words, now="2026-05-06T19:45:00Z", environ=environ)
    assert document["open_positions"] == [
        "SPY 727C: long 39, by the broker, last seen 2026-05-06 16:46:55 UTC, not seen now",
        *(
            f"SPY 727C trade #162 (signal #238, position #301): long 39, by {speaker}, as of 2026-05-06 19:45:00 UTC"
            for speaker in ("the runtime's status", "the runtime's store")
        ),
    ]
    orders = next(table for table in document["tables"] if table["name"] == "broker_orders")
    assert orders["missing"] == "the broker's orders are not seen now"
    assert orders["rows"][0][-1] == "last seen 2026-05-06 16:46:55 UTC, not seen now"
    assert document["working_orders"] == [
        "#1 (SPY 727C) SELL 39 LMT Submitted, by the broker, last seen 2026-05-06 16:46:55 UTC, not seen now"
    ]
    for form in ("text", "markdown", "html"):
        shown = as_text("--format", form, *words, now="2026-05-06T19:45:00Z", environ=environ)
        assert "SPY 727C: long 39, by the broker, last seen" in shown
        assert "#1 (SPY 727C) SELL 39 LMT Submitted, by the broker, last seen" in shown


@pytest.mark.parametrize(
    ("patch", "lines"),
    [
        pytest.param(
            {"status_v3": {"open_positions": None, "open_position_count": 8}},
            [
                "SPY in paper-1: long 100, by the broker, as of 2026-06-02 15:30:00 UTC",
                "8 positions: counted, not named, by the runtime's status, as of 2026-06-02 15:30:00 UTC",
            ],
            id="a count without names",
        ),
        pytest.param(
            {"status_v3": {"open_positions": None, "open_position_count": None}, "broker": None},
            ["NOT PROVEN by the broker: not seen", "NOT PROVEN by the runtime's status: not seen"],
            id="nothing is seen",
        ),
        pytest.param(
            {"broker": {"positions": [], "open_orders": []}, "status_v3": {"open_positions": []}},
            [
                "no position: flat, by the broker, as of 2026-06-02 15:30:00 UTC",
                "no position: flat, by the runtime's status, as of 2026-06-02 15:30:00 UTC",
            ],
            id="both are flat",
        ),
        pytest.param(
            {"status_v3": {"open_positions": [{"quantity": 3}]}, "broker": {"positions": [{"symbol": "X"}]}},
            [
                "X in paper-1: NOT PROVEN, by the broker, as of 2026-06-02 15:30:00 UTC",
                "1 row without an instrument: NOT PROVEN, by the runtime's status, as of 2026-06-02 15:30:00 UTC, in part",
            ],
            id="a row without its instrument or quantity",
        ),
    ],
)
def test_each_position_names_whose_word_it_is_and_as_of_when(patch, lines):
    at = OPEN + timedelta(hours=2)
    assert as_document(now=at, stdin=morning_at(at, patch))["open_positions"] == lines


# --- the state of a condition, and what is undelivered ---------------------------------------------------


def test_what_is_good_again_and_not_confirmed_never_holds_in_any_form():
    words = (str(HISTORIES / "2026-05-06-power-outage-remote.ndjson"),)
    environ, now = {"AEGIS_PT_PROFILE": "cortana"}, "2026-05-06T19:48:00Z"
    document = as_document(*words, now=now, environ=environ)
    state = "good since 2026-05-06 19:48:00 UTC, not confirmed yet"
    bars = {bar["label"].split(":")[0]: bar for bar in document["bars"]}
    assert (bars["heartbeat_stale"]["state"], bars["heartbeat_stale"]["phase"]) == (state, "recovering")
    assert bars["watch_gap"]["state"] == "happened, last at 2026-05-06 19:42:00 UTC"
    assert not bars["watch_gap"]["is_open"]
    assert f"heartbeat_stale:cortana-mk2: {state}" in document["recovering"]
    for form in ("text", "markdown", "html"):
        shown = as_text("--format", form, *words, now=now, environ=environ)
        assert shown.count(state) >= 4, form


PHASES: dict[str, dict[str, Any]] = {
    "firing": {},
    "firing, happened": {"kind": "occurrence"},
    "held": {"held_since": OPEN},
    "recovering": {"good_since": OPEN},
    "recovering and lost": {"held_since": OPEN},
    "ended": {"ended_at": OPEN, "ending": "resolved"},
    "ended, retired": {"ended_at": OPEN, "ending": "retired"},
    "ended, passed": {"ended_at": OPEN, "ending": "passed"},
    "ended, unwatched": {"ended_at": OPEN, "ending": "unwatched"},
}


def test_every_phase_of_a_condition_has_a_state_of_its_own():
    (condition, *_) = evaluated(morning_at(OPEN, {"status_v3": {"stuck_exits": 1}})).conditions.values()
    assert {name.split()[0].strip(",") for name in PHASES} == set(get_args(Phase))
    states = {
        name: describe_state(replace(condition, phase=name.split()[0].strip(","), **more))
        for name, more in PHASES.items()
    }
    assert len(set(states.values())) == len(PHASES)
    assert states["firing, happened"].startswith("happened")
    assert [name for name, state in states.items() if "holds" in state] == ["firing"]
    assert all("not confirmed" in states[name] for name in states if name.startswith("recovering"))


def undelivered_run(folder: Path, **more: Any) -> datetime:
    """Write the artifact of a run whose alert a channel did not take, and return its time."""
    at = OPEN + timedelta(minutes=30)
    document = morning_at(at, {"status_v3": {"stuck_exits": 1}})
    made = replace(evaluated(document, channels=("slack", "email")), **more)
    told = add_receipts(made.conditions, made.owed["email"], "email", at)
    (folder / "run.json").write_text(json.dumps(build_artifact_document(replace(made, conditions=told))))
    return at


@pytest.mark.parametrize("form", FORMS)
def test_what_is_undelivered_names_condition_channel_since_when_and_why(form, tmp_path):
    error = ChannelError(OPEN, "timeout", "no answer within 10 s", OPEN)
    health = {"slack": ChannelHealth(last_error=error, failures=2), "email": ChannelHealth(since=OPEN)}
    at = undelivered_run(tmp_path, channels=health)
    shown = as_text("--format", form, str(tmp_path), now=at + timedelta(minutes=1))
    text = "to slack since 2026-06-02 14:00:00 UTC: no answer within 10 s (2 failures in a row)"
    assert f"stuck_exits:aegis-pt-core, {text}" in shown
    table = next(t for t in as_document(str(tmp_path))["tables"] if t["name"] == "undelivered")
    assert [row[1:] for row in table["rows"] if row[0].startswith("stuck_exits")] == [
        ["slack", "2026-06-02 14:00:00 UTC", "no answer within 10 s (2 failures in a row)"]
    ]


def test_a_card_says_what_each_channel_received_last_and_that_it_is_muted(tmp_path):
    at = OPEN + timedelta(minutes=30)
    made = evaluated(morning_at(at, {"status_v3": {"stuck_exits": 1}}), channels=("slack", "email", "ntfy"))
    (event, *_) = [event for event in made.events if event.type == "stuck_exits"]
    sent = {
        "slack": Receipt("critical", at),
        "ntfy": Receipt("critical", at),
        "email": Receipt("critical", at, ended=True),
    }
    conditions = {
        **made.conditions,
        event.signature: replace(made.conditions[event.signature], receipts=sent),
    }
    made = replace(made, conditions=conditions, muted=(event.signature,))
    (tmp_path / "run.json").write_text(json.dumps(build_artifact_document(made)))
    report = as_document(str(tmp_path))
    (card,) = [card for card in report["conditions"] if card["signature"] == event.signature]
    assert card["told"] == (
        "email at 2026-06-02 14:00:00 UTC (its end); ntfy, slack at 2026-06-02 14:00:00 UTC (critical);"
        " muted, so that nothing more is sent for now"
    )
    table = next(table for table in report["tables"] if table["name"] == "told")
    assert [row[1:] for row in table["rows"]] == [
        [f"end of {event.signature}", "email"],
        [event.signature, "ntfy, slack"],
    ]


def test_a_channel_of_which_nothing_is_recorded_is_said(tmp_path):
    undelivered_run(tmp_path)
    lines = as_document(str(tmp_path))["undelivered"]
    assert any(line.endswith("no answer of the channel is recorded") for line in lines)


# --- the page's order, times and words -------------------------------------------------------------------


def test_the_page_begins_with_the_decision_then_what_is_wrong_then_what_is_well(tmp_path):
    page = render_page(whole_report(tmp_path), ZONES)
    heads = re.findall(r"<h2>([^<]*)</h2>", page)
    assert len(heads) == len(set(heads))
    assert heads[:5] == ["What is open", "What is wrong now", "Golden signals", "Times", "Timeline"]
    assert page.index('<strong class="word">') < page.index("<h2>")
    tiles = re.findall(r"<li[^>]*><b>[^<]*</b><span>([^<]*)</span>", page)
    assert tiles == sorted(tiles, key=["firing", "NOT PROVEN", "ok"].index)
    counts = re.search(r"Golden signals: (\d+) firing[^,]*.*?, (\d+) not proven, (\d+) ok", page)
    assert counts is not None
    assert [int(count) for count in counts.groups()] == [
        tiles.count(s) for s in ("firing", "NOT PROVEN", "ok")
    ]


def incident_page(name: str, now: str) -> str:
    words = ("--format", "html", str(HISTORIES / f"{name}.ndjson"))
    return as_text(*words, now=now, environ={"AEGIS_PT_PROFILE": INCIDENTS[name]})


def test_what_escalates_stands_first_and_a_step_shows_no_mark_of_its_writing():
    page = incident_page("2026-05-06-power-outage-remote", "2026-05-06T19:45:00Z")
    assert "<em>notify</em>" in page
    assert page.index("heartbeat_stale:cortana-mk2") < page.index("broker_disconnected:cortana-mk2")


def test_a_card_says_when_a_run_first_saw_it_and_a_gap_card_lists_every_gap_of_the_session():
    page = incident_page("2026-05-06-power-outage-remote", "2026-05-06T19:45:00Z")
    assert "First seen by a run at 2026-05-06 19:44:00 UTC, 60 s before the newest run." in page
    assert "Since 2026" not in page
    gaps = (
        "2026-05-06 13:30:00 UTC to 2026-05-06 15:50:00 UTC",
        "2026-05-06 15:55:54 UTC to 2026-05-06 16:47:00 UTC",
        "2026-05-06 16:48:00 UTC to 2026-05-06 19:42:00 UTC",
    )
    assert f"No run is at hand in this session from {', '.join(gaps)}." in page
    assert "2 h 54 min of it in the regular session (over 25 min), with 1 position open." in page


def test_the_top_of_the_page_names_what_of_the_broker_is_not_proven():
    page = incident_page("2026-06-01-recovery-baseline-remote", "2026-06-01T15:40:00Z")
    top = page.partition("What is open")[0]
    assert "the broker's positions, the broker's open orders, the broker's executions" in top
    assert top.count("broker imports") == 1


def test_the_card_of_a_drift_shows_the_step_of_its_own_kind_alone():
    page = incident_page("2026-05-06-power-outage-on-the-machine", "2026-05-06T19:50:00Z")
    card = page.partition("open_positions_drift:cortana-mk2:SPY 727C</h3>")[2].partition("</article>")[0]
    assert "Press no Cut or Close button and send no exit" in card
    assert not re.search("phantom|unmanaged|<code>side", card)


def test_the_page_states_its_zones_once_and_its_plots_have_one(tmp_path):
    page = render_page(whole_report(tmp_path), ZONES)
    assert page.count("Asia/Tokyo") == page.count("America/New_York") == 1
    hours = re.findall(r'<text class="hour"[^>]*>([^<]*)<', page)
    assert hours
    assert all(re.fullmatch(r"\d\d:00Z", hour) for hour in hours)
    assert len(re.findall(r"\bJST\b", page)) == 4  # session, newest run and page, in the table of times


def test_the_words_of_the_page_are_explained_on_it(tmp_path):
    page = render_page(whole_report(tmp_path), ZONES)
    words = page.partition("<h2>Words</h2>")[2]
    assert all(escape(f"{name}") in words for name in WORDS)
    assert all(state.split()[0].strip(":") in " ".join(WORDS) for state in ("holds", "held: x", "good since"))


@pytest.mark.parametrize("kept", ["full", "ledger"])
def test_the_figures_to_be_driven_down_count_each_trade_once_over_all_runs_at_hand(kept, tmp_path):
    documents: list[dict[str, Any]] = []
    for day, trades in ((0, [1]), (0, [1, 2]), (1, [2, 3]), (1, [3])):
        at = OPEN + timedelta(days=day, minutes=10 * len(documents))
        rows = [
            {
                "trade_id": trade,
                "symbol": "SPY",
                "closed_at": (OPEN - timedelta(hours=trade)).isoformat(),
                "pnl_unknown": True,
            }
            for trade in trades
        ]
        documents.append(morning_at(at, {"status_v3": {"recent_trades": rows}}))
    (tmp_path / "runs.ndjson").write_text("".join(f"{json.dumps(document)}\n" for document in documents))
    ran = as_document(
        str(tmp_path), now=OPEN + timedelta(days=1, hours=1), environ={"AEGIS_PT_ARTIFACT": kept}
    )
    kpi = next(table for table in ran["tables"] if table["name"] == "kpi")
    unknown, imports = kpi["rows"]
    assert unknown[3] == "3 since 2026-06-02 13:30:00 UTC, seen by 4 of 4 runs"
    assert imports[3] == "0 since 2026-06-02 13:30:00 UTC, seen by 4 of 4 runs"
    assert unknown[1:3] == (["1 of 1 closed", "2 at most"] if kept == "full" else ["NOT PROVEN"] * 2)


# --- what may be shown -----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_ledger_shows_nothing_of_a_snapshot(form, tmp_path):
    artifacts(tmp_path, 3)
    environ = {"AEGIS_PT_ARTIFACT": "ledger"}
    assert b"paper-1" in report("--format", form, str(tmp_path)).out.replace(b"&#45;", b"-")
    shown = report("--format", form, str(tmp_path), environ=environ).out
    for text in (b"paper", b"100", b"STP"):
        assert text not in shown.replace(b"100%", b"")
    assert b"ledger" in shown


@pytest.mark.parametrize("form", FORMS)
def test_no_form_shows_an_account_or_a_secret(form):
    at = OPEN + timedelta(hours=2)
    secret = "xoxb-123456789012-keepoffthegrass"
    patch = {"status_v3": {"connection_error": f"login of DU1234567 with {secret} at a@example.com failed"}}
    shown = report("--format", form, now=at, stdin=morning_at(at, patch)).out
    for text in (b"DU1234567", secret.encode(), b"a@example.com"):
        assert text not in shown


# --- hostile text ----------------------------------------------------------------------------------------

HOSTILE = "</style><script>alert(1)</script><img src=x onerror=alert(1)>\" ' & \n::error::x \x1b[31m ` | #"
ELEMENTS = {
    "html", "head", "meta", "title", "style", "body", "header", "main", "footer", "section", "article", "h1", "h2",
    "h3", "p", "strong", "b", "span", "ul", "li", "div", "table", "thead", "tbody", "tr", "th", "td", "details",
    "summary", "figure", "figcaption", "svg", "line", "text", "polyline", "circle", "rect", "path",
}  # fmt: skip


class Elements(HTMLParser):
    """The elements of a page, and their attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}


def hostile(value: Any) -> Any:
    """The value with every text in it replaced, but for those of a closed list."""
    if isinstance(value, Struct):
        closed = {
            field.name
            for field in fields(value)
            if get_args(field.type) and isinstance(getattr(value, field.name), str)
        }
        changes = {
            name: hostile(getattr(value, name)) for name in value.__struct_fields__ if name not in closed
        }
        return replace(value, **changes)
    if isinstance(value, tuple):
        return tuple(hostile(part) for part in value)
    return HOSTILE if isinstance(value, str) and value != "NOT PROVEN" else value


def whole_report(tmp_path: Path) -> SessionReport:
    from msgspec import convert

    document = as_document(
        str(HISTORIES / "2026-05-06-power-outage-remote.ndjson"), environ={"AEGIS_PT_PROFILE": "cortana"}
    )
    made: SessionReport = convert(document, SessionReport)
    return made


def test_hostile_text_in_every_field_stays_text(tmp_path):
    made = hostile(whole_report(tmp_path))
    page = render_page(made, ZONES)
    parser = Elements()
    parser.feed(page)
    assert parser.names <= ELEMENTS
    assert not {
        name for name in parser.attributes if name.startswith("on") or name in ("src", "href", "style")
    }
    assert "<script" not in page
    assert "\x1b" not in page
    for lines in (list(render_report(made, ZONES)), list(render_report_markdown(made, ZONES))):
        assert all("\n" not in line and "\x1b" not in line for line in lines)
    assert not any("<img" in line or "<script" in line for line in render_report_markdown(made, ZONES))


def test_the_page_loads_nothing_and_its_policy_allows_its_own_style_only(tmp_path):
    page = render_page(whole_report(tmp_path), ZONES)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)
    assert policy is not None
    assert policy[1].startswith("default-src &#x27;none&#x27;; style-src &#x27;sha256-")
    assert not re.search(r"https?://|url\(|@import", page)


def test_every_plot_has_its_numbers_in_a_table(tmp_path):
    made = whole_report(tmp_path)
    page = render_page(made, ZONES)
    for series in made.series:
        assert f">{escape(series.title)}" in page.partition("The plots as a table")[2]
    assert page.count("<svg") == page.count('role="img" aria-label="') == len(made.series) + 1


def test_json_is_as_its_schema_describes(tmp_path):
    artifacts(tmp_path, 3, run2={"status_v3": {"stuck_exits": 1}})
    validator = Draft202012Validator(build_report_schema())
    for words in ((str(tmp_path),), (str(tmp_path), "--session", "2026-07-03")):
        assert [error.message for error in validator.iter_errors(as_document(*words))] == []


# --- the schedule's evidence -----------------------------------------------------------------------------


def test_the_schedule_s_gaps_and_the_scheduler_s_proof_stand_in_the_same_report(tmp_path, monkeypatch):
    artifacts(tmp_path, 2)
    runs = tmp_path / "runs.json"
    runs.write_text(json.dumps({"total_count": 0, "workflow_runs": []}))
    environ = {"SCHEDULE_CREATED_AFTER": "2026-06-02T17:45:00Z", "RUN_PREDEPLOY_READINESS": "1"}
    words = ("--runs", str(runs), str(tmp_path / "run-01.zip"))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    document = as_document(*words, environ={"SCHEDULE_CREATED_AFTER": environ["SCHEDULE_CREATED_AFTER"]})
    gaps = next(table for table in document["tables"] if table["name"] == "gaps")
    assert gaps["rows"][0][0] == "all lanes together"
    monkeypatch.chdir(elsewhere)
    document = as_document(*words, environ=environ)
    missing = {table["name"]: table["missing"] for table in document["tables"]}
    assert "there is no detector/ here" in missing["readiness"]
    assert missing["gaps"]


@pytest.mark.parametrize(
    ("words", "environ", "name"),
    [
        (("--gaps", "yesterday"), {}, "--gaps"),
        ((), {"SCHEDULE_CREATED_AFTER": "17:45"}, "SCHEDULE_CREATED_AFTER"),
    ],
)
def test_a_start_of_the_gaps_that_is_no_time_is_refused_by_its_own_name(tmp_path, words, environ, name):
    artifacts(tmp_path, 1)
    ran = report(*words, str(tmp_path), environ=environ)
    assert ran.code == 2
    assert f"{name}: " in ran.err


def test_it_is_written_whole_to_a_file_and_only_its_final_line_is_printed(tmp_path):
    artifacts(tmp_path, 2)
    page = tmp_path / "page.html"
    ran = report("--format", "html", "--to", str(page), str(tmp_path))
    assert ran.out.startswith(b"NOTIFY: ")
    assert page.read_text().startswith("<!doctype html>")
    assert report("--to", str(tmp_path / "no" / "x"), str(tmp_path)).code == 2


@pytest.mark.parametrize("words", [[], ["--help"], ["a", "b"]], ids=["nothing", "an option", "two folders"])
def test_the_pages_of_the_incidents_want_one_folder(words):
    ran = subprocess.run(
        [sys.executable, "-m", "tools.incident_pages", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert "python -m tools.incident_pages FOLDER" in ran.stderr
    assert "Traceback" not in ran.stderr
