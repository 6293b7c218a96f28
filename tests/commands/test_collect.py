"""`collect`: every source as one snapshot, on standard output or in a file, told as it comes."""

from __future__ import annotations

import io
import json
import os
import re
import threading
from datetime import timedelta

import pytest

from detector.app import collection
from detector.app.context import AppContext
from detector.cli import run
from detector.commands import collect
from tests.support.loopback import closed_port, says, serving
from tests.support.program import answer
from tests.support.snapshots import NOW

STATUS = {"heartbeat_at": "2026-06-02T14:59:30Z", "pending_orders": 3, "open_position_count": 1}


def test_every_source_fills_its_section_in_the_contracts_order(live):
    document = answer("collect", environ=live).document
    assert list(document) == [
        "taken_at",
        "runtime",
        "status_v3",
        "ecs",
        "containers",
        "logs",
        "broker",
        "sources",
    ]
    assert document["taken_at"] == "2026-06-02T15:00:00Z"
    states = {name: entry["state"] for name, entry in document["sources"].items()}
    assert states == {
        "status_v3": "ok",
        "bot_status": "failed",
        "ecs": "ok",
        "containers": "ok",
        "logs": "ok",
        "broker": "ok",
    }


@pytest.mark.parametrize("words", [["collect"], ["detect", "--report"]])
def test_the_time_is_that_of_the_end_of_the_collection(words):
    """A fact that was read is never younger than the snapshot that holds it."""
    moments = iter([NOW + timedelta(seconds=second) for second in range(60)])
    taken = io.BytesIO()
    with serving(says(STATUS)) as server:
        door = AppContext(
            {"AEGIS_PT_STATUS_URL": server.url},
            lambda: next(moments),
            io.BytesIO(b"{}"),
            taken,
            io.StringIO(),
        )
        assert run(door, words) == 0
    document = json.loads(taken.getvalue())
    raw = document.get("snapshot", document)
    assert raw["sources"]["status_v3"].get("as_of", "") <= document["taken_at"]


def test_sections_that_are_together_too_large_are_left_out_largest_first(tmp_path, monkeypatch):
    monkeypatch.setattr(collection, "_MAX_SECTIONS_BYTES", 15 * 1024)
    sections = []
    for name, kilobytes in (("broker", 6), ("stores", 7), ("gateway", 5)):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps({"x": "0" * kilobytes * 1024}))
        os.utime(path, (NOW.timestamp(), NOW.timestamp()))
        sections.append(f"{name}={path}")
    environ = {"AEGIS_PT_SECTIONS": ",".join(sections)}
    ran = answer("collect", environ=environ)
    assert {name: one.get("reason") for name, one in ran.document["sources"].items()} == {
        "broker": None,
        "stores": "too_large",
        "gateway": None,
    }
    assert answer("detect", "--offline", stdin=ran.out).code == 0


def test_a_snapshot_that_spaces_make_too_large_is_written_without_them(tmp_path, monkeypatch):
    monkeypatch.setattr(collect, "MAX_BYTES", 16 * 1024)
    path = tmp_path / "stores.json"
    path.write_text(json.dumps({"rows": [[1]] * 1_000}, separators=(",", ":")))
    os.utime(path, (NOW.timestamp(), NOW.timestamp()))
    ran = answer("collect", environ={"AEGIS_PT_SECTIONS": f"stores={path}"})
    assert len(ran.out) < 16 * 1024
    assert answer("detect", "--offline", stdin=ran.out).code == 0


def test_a_source_that_is_switched_off_is_not_asked():
    with serving(says(STATUS)) as server:
        environ = {"AEGIS_PT_STATUS_URL": server.url, "AEGIS_PT_SOURCES_OFF": "status_v3, logs"}
        document = answer("collect", environ=environ).document
    assert server.requests == []
    assert document["sources"] == {"status_v3": {"state": "off"}, "logs": {"state": "off"}}


def test_to_a_file_it_prints_nothing_and_writes_all_at_once(tmp_path):
    path = tmp_path / "box.json"
    path.write_text("old")
    with serving(says(STATUS)) as server:
        ran = answer("collect", "--to", str(path), environ={"AEGIS_PT_STATUS_URL": server.url})
    assert (ran.code, ran.out) == (0, b"")
    assert json.loads(path.read_text())["status_v3"] == STATUS
    assert [one.name for one in tmp_path.iterdir()] == ["box.json"]


def test_a_pipe_is_written_into_and_stays_a_pipe(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()), daemon=True)
    reader.start()
    assert answer("collect", "--to", str(pipe)).code == 0
    reader.join(5)
    assert json.loads(read[0])["sources"] == {}
    assert pipe.is_fifo()


def test_a_folder_is_no_file_to_write(tmp_path):
    assert answer("collect", "--to", str(tmp_path)).code == 3


def test_a_file_that_cannot_be_written_is_exit_3_and_stays_as_it_was(tmp_path):
    ran = answer("collect", "--to", str(tmp_path / "none" / "box.json"))
    assert ran.code == 3
    assert "could not be written" in ran.err


def test_with_nothing_configured_it_says_so():
    ran = answer("collect")
    assert (ran.code, ran.document["sources"]) == (0, {})
    assert "no source is configured" in ran.err
    assert answer("collect", "--quiet").err == ""


@pytest.mark.parametrize(
    "words",
    [("collect",), ("plan",), ("gate", "before"), ("detect",)],
    ids=lambda words: words[0],
)
@pytest.mark.parametrize("text", [None, "", "[1]"], ids=["missing", "empty", "no artifact"])
def test_a_previous_artifact_that_counts_for_nothing_is_named(tmp_path, words, text):
    path = tmp_path / "last.json"
    if text is not None:
        path.write_text(text)
    ran = answer(*words, "--previous", str(path), stdin=b"{}")
    events = [event["type"] for event in ran.document["events"]] if words == ("detect",) else []
    assert "revious artifact" in ran.err or events == ["memory_lost"]


def test_the_summary_names_what_failed(live):
    lines = answer("collect", environ=live).err.splitlines()
    assert lines[0] == "collect: 5 of 6 sources answered (bot_status: missing)"
    assert [line.split(":")[1] for line in lines[1:]] == [
        " status_v3",
        " ecs",
        " containers",
        " logs",
        " broker",
    ]
    assert (
        lines[5]
        == "collect: broker: 10 s old; 3 facts; not there: account_values, broker_executions, broker_link, broker_orders"
    )


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("words", [["collect"], ["detect"], ["doctor"]])
def test_on_a_terminal_each_source_is_a_line_as_it_answers(words):
    said = Terminal()
    with serving(says(STATUS, after=0.3)) as slow:
        environ = {
            "AEGIS_PT_STATUS_URL": slow.url,
            "AEGIS_PT_BOT_STATUS_URL": f"http://127.0.0.1:{closed_port()}/",
            "AEGIS_PT_SECTIONS": "broker=/none",
        }
        run(AppContext(environ, lambda: NOW, io.BytesIO(b"{}"), io.BytesIO(), said), words)
    lines = said.getvalue().splitlines()[:3]
    assert [line.split()[0] for line in lines] == ["broker", "status_v3", "bot_status"]
    assert re.fullmatch(r"status_v3     0\.[34]\d s  ok", lines[1])
    assert "failed (missing)" in lines[0]


@pytest.mark.parametrize("words", [["collect", "--quiet"], ["detect", "--quiet"], ["doctor", "--json"]])
def test_where_nothing_is_to_be_said_nothing_is(words):
    said = Terminal()
    with serving(says(STATUS)) as server:
        door = AppContext(
            {"AEGIS_PT_STATUS_URL": server.url}, lambda: NOW, io.BytesIO(b"{}"), io.BytesIO(), said
        )
        assert run(door, words) == 0
    assert said.getvalue() == ""


def test_in_a_pipe_there_is_no_progress(live):
    assert len(answer("detect", environ=live).err.splitlines()) == 1


def test_a_time_that_is_none_is_refused():
    assert answer("collect", "--now", "noon").code == 2
