"""Any section from a file or a URL, and how a snapshot that another machine collected travels."""

from __future__ import annotations

import gzip
import json
import os
from datetime import timedelta
from email.utils import format_datetime

import pytest

from detector.formats import errors
from tests.support.loopback import says, serving
from tests.support.program import answer
from tests.support.snapshots import NOW

BROKER = {"connected": True, "positions": []}


def stamp(seconds: float) -> str:
    return (NOW - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def put(tmp_path):
    """Write a file as old as that, and return its path."""

    def write(value, ago: float = 0, name: str = "section.json"):
        path = tmp_path / name
        path.write_bytes(value if isinstance(value, bytes) else json.dumps(value).encode())
        at = NOW.timestamp() - ago
        os.utime(path, (at, at))
        return path

    return write


def collected(sections, *words, **more):
    environ = {"AEGIS_PT_SECTIONS": sections, **more}
    ran = answer("collect", *words, environ=environ)
    assert ran.code == 0, ran.err
    return ran.document


def entry(sections, name="broker", **more):
    return collected(sections, **more)["sources"][name]


def test_a_file_is_a_section_as_old_as_it_was_written(put):
    document = collected(f"broker={put(BROKER, 60)}")
    assert document["broker"] == BROKER
    assert document["sources"]["broker"]["as_of"] == stamp(60)


def test_its_own_time_wins_over_the_files(put):
    assert entry(f"broker={put({**BROKER, 'as_of': stamp(200)}, 60)}")["as_of"] == stamp(200)


def test_a_file_that_nobody_writes_any_more_is_stale(put):
    ran = answer("detect", environ={"AEGIS_PT_SECTIONS": f"status_v3={put({'pending_orders': 0}, 301)}"})
    assert "source_stale" in ran.types


def test_several_sections_are_read_from_several_places(put):
    one, two = put(BROKER), put([{"Names": ["/x"], "State": "exited"}], name="two.json")
    document = collected(f" broker = {one} , containers={two}")
    assert (document["broker"], len(document["containers"])) == (BROKER, 1)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"", errors.EMPTY, id="an empty file"),
        pytest.param(b"{", errors.NOT_JSON, id="half a file"),
        pytest.param(b"[]", errors.UNREADABLE, id="a list"),
        pytest.param(b"<html>", errors.HTML, id="a page"),
        pytest.param(b" " * (8 * 1024 * 1024 + 1), errors.TOO_LARGE, id="over 8 MiB"),
        pytest.param(b'{"a":' * 63 + b"1" + b"}" * 63, None, id="as deep as it may be"),
        pytest.param(
            b'{"a":' * 64 + b"1" + b"}" * 64, errors.NOT_JSON, id="deeper than a snapshot may be with it"
        ),
    ],
)
def test_a_file_that_is_no_section_is_a_failed_source(content, reason, put):
    path = put(content)
    assert entry(f"broker={path}").get("reason") == reason
    assert answer("detect", "--offline", stdin=json.dumps(collected(f"broker={path}"))).code == 0


@pytest.mark.parametrize(("ago", "reason"), [(5, None), (6, errors.NOT_JSON)], ids=["just now", "before"])
@pytest.mark.parametrize("length", [0, 9], ids=["nothing yet", "a part"])
def test_a_file_that_is_being_written_is_read_when_it_is_whole(length, ago, reason, put, monkeypatch):
    whole = json.dumps(BROKER).encode()
    path = put(whole[:length], ago)
    monkeypatch.setattr("time.sleep", lambda _: put(whole, ago))
    assert entry(f"broker={path}").get("reason") in (reason, reason and errors.EMPTY)


def test_a_file_that_cannot_be_opened(tmp_path):
    assert entry(f"broker={tmp_path}/none.json")["reason"] == errors.MISSING
    assert entry(f"broker={tmp_path}")["reason"] == errors.UNREADABLE
    assert entry("broker=/dev/zero")["reason"] == errors.UNREADABLE


def test_a_named_pipe_that_nobody_writes_into_makes_nobody_wait(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    found = entry(f"broker={tmp_path}/pipe")
    assert found["reason"] == errors.UNREADABLE  # and not that it took too long


AHEAD = format_datetime(NOW + timedelta(hours=3), usegmt=True)


def test_a_url_is_a_section_as_old_as_the_file_server_says():
    written = {"last-modified": format_datetime(NOW - timedelta(seconds=90), usegmt=True)}
    with serving(says(BROKER, headers=written)) as server:
        document = collected(f"broker={server.url}/broker.json")
    assert document["broker"] == BROKER
    assert document["sources"]["broker"]["as_of"] == stamp(90)


@pytest.mark.parametrize(
    ("headers", "ago"),
    [
        pytest.param({"age": "120"}, 120, id="kept by a cache"),
        pytest.param({"last-modified": AHEAD}, -10800, id="changed in three hours"),
        pytest.param({"date": AHEAD}, -10800, id="answered in three hours"),
        pytest.param({"date": AHEAD, "age": "7200"}, -3600, id="kept by a cache of tomorrow"),
        pytest.param({"last-modified": "once upon a time"}, None, id="a date that is none"),
        pytest.param({}, None, id="nothing said"),
    ],
)
def test_a_url_is_as_old_as_its_headers_say(headers, ago):
    with serving(says(BROKER, headers=headers)) as server:
        assert entry(f"broker={server.url}/").get("as_of") == (None if ago is None else stamp(ago))


def test_the_credentials_of_the_dashboard_go_to_its_own_host_alone():
    with serving(says({"pending_orders": 0})) as home, serving(says(BROKER)) as other:
        collected(
            f"broker={home.url}/broker.json,stores={other.url}/stores.json",
            AEGIS_PT_STATUS_URL=f"{home.url}/status",
            AEGIS_PT_STATUS_TOKEN="sesame-sesame",
        )
    assert all(
        b"authorization: Bearer sesame-sesame" in one.lower().replace(b"bearer", b"Bearer")
        for one in home.requests
    )
    assert len(home.requests) == 2
    assert b"sesame" not in other.requests[0]


# --- a snapshot that travels --------------------------------------------------------------------------


def box_file(put, tmp_path, ago=60, **more):
    """What the box's cron leaves: `collect --to FILE`."""
    broker = put({**BROKER, "as_of": stamp(ago + 10)}, name="broker.json")
    environ = {"AEGIS_PT_SECTIONS": f"broker={broker},power={tmp_path}/none.json", **more}
    path = tmp_path / "box.json"
    now = stamp(ago)
    ran = answer("collect", "--to", str(path), "--now", now, environ=environ)
    assert (ran.code, ran.out) == (0, b""), ran.err
    return path


def test_a_section_is_taken_out_of_a_snapshot_that_the_box_collected(put, tmp_path):
    path = box_file(put, tmp_path)
    with serving(says(path.read_bytes())) as server:
        document = collected(f"broker={server.url}/box.json")
    assert document["broker"]["positions"] == []
    assert document["sources"]["broker"]["as_of"] == stamp(70)


def test_what_failed_on_the_box_failed_here(put, tmp_path):
    found = entry(f"power={box_file(put, tmp_path)}", "power")
    assert (found["state"], found["reason"]) == ("failed", errors.MISSING)
    assert found["detail"] == "where it is read, there is no such file"


def test_what_the_box_does_not_read_is_missing(put, tmp_path):
    assert entry(f"gateway={box_file(put, tmp_path)}", "gateway")["reason"] == errors.MISSING


def test_a_box_that_stopped_collecting_is_stale(put, tmp_path):
    ran = answer("detect", environ={"AEGIS_PT_SECTIONS": f"broker={box_file(put, tmp_path, 400)}"})
    assert ran.types == ["exposure_unwatched", "source_stale"], "the broker carries the positions"


@pytest.mark.parametrize(
    ("box", "here", "state"),
    [
        ("other-bot", "my-bot", "failed"),
        ("my-bot", "my-bot", "ok"),
        (None, "my-bot", "ok"),
        ("other-bot", None, "ok"),
    ],
    ids=["another's", "ours", "nobody named it there", "nobody named it here"],
)
def test_a_snapshot_of_another_runtime_is_not_ours(box, here, state, put, tmp_path):
    path = box_file(put, tmp_path, **({"AEGIS_PT_RUNTIME": box} if box else {}))
    found = entry(f"broker={path}", **({"AEGIS_PT_RUNTIME": here} if here else {}))
    assert found["state"] == state
    assert ("is of the runtime 'other-bot'" in found.get("detail", "")) is (state == "failed")


@pytest.mark.parametrize("taken_at", ["soon", 7, None, "2026-06-02T15:00:00"])
def test_a_snapshot_of_an_unknown_time_is_not_read(taken_at, put):
    snapshot = {"taken_at": taken_at, "sources": {}, "broker": BROKER}
    assert entry(f"broker={put(snapshot)}")["reason"] == errors.UNREADABLE


@pytest.mark.parametrize("sources", [[], {"broker": 1}, {"broker": {"state": 7}}, None])
def test_a_snapshot_with_broken_sources_is_read_for_what_it_holds(sources, put):
    snapshot = {"taken_at": stamp(5), "sources": sources, "broker": BROKER}
    assert entry(f"broker={put(snapshot)}")["as_of"] == stamp(5)


# --- the log file itself ------------------------------------------------------------------------------

LOST = "ERROR 1100 Connectivity between IBKR and Trader Workstation has been lost"


@pytest.mark.parametrize(
    "line",
    [
        f"{stamp(60)} {LOST}",
        f"[{stamp(60)}] {LOST}",
        json.dumps({"time": stamp(60), "message": LOST, "level": "ERROR"}),
    ],
    ids=["plain", "in brackets", "JSON"],
)
def test_a_log_file_is_read_line_by_line(put, line):
    place = put(f"{line}\n\n{line}\n".encode(), name="bot.log")
    assert collected(f"logs={place}")["logs"] == [line, line]
    ran = answer("detect", stdin=b"{}", environ={"AEGIS_PT_SECTIONS": f"logs={place}"})
    assert [event["type"] for event in ran.document["events"]] == ["connectivity_lost"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"events": [{"message": "a"}, {"mess', errors.NOT_JSON),
        (b'["a line",\n "another', errors.NOT_JSON),
        (b"\xff\xfea\x00\n\x00", errors.NOT_JSON),
        (b"<html>\nnot found", errors.HTML),
        (b"\n", errors.EMPTY),
    ],
    ids=["a cut object", "a cut list", "UTF-16", "HTML", "nothing"],
)
def test_what_is_no_log_is_not_taken_for_one(put, body, reason):
    assert entry(f"logs={put(body, name='bot.log')}", "logs")["reason"] == reason


def test_of_a_long_log_the_newest_lines_are_read(put):
    lines = [f"{stamp(60)} line {number}" for number in range(400_000)]
    read = collected(f"logs={put(chr(10).join(lines).encode(), name='bot.log')}")["logs"]
    assert read == lines[-20_000:]


@pytest.mark.parametrize(
    "name",
    ["bot.log.1", "bot.log-20260602", "bot.log.2026-06-02_14-58", "bot-2026-06-02.log", "bot.log.1.gz"],
)
@pytest.mark.parametrize("log", [f"{stamp(30)} opened\n", ""], ids=["written again", "empty"])
def test_what_was_written_before_a_rotation_is_read_too(put, name, log):
    lines = f"{stamp(900)} scan\n{stamp(120)} {LOST}\n".encode()
    put(gzip.compress(lines) if name.endswith(".gz") else lines, 60, name)
    found = collected(f"logs={put(log.encode(), name='bot.log')}")["logs"]
    assert found == [*lines.decode().splitlines(), *log.splitlines()]


@pytest.mark.parametrize(
    ("name", "content", "ago"),
    [
        pytest.param("bot-2.log", b"another bot's\n", 0, id="the log of another bot"),
        pytest.param("bot.log.lock", b"4711\n", 0, id="no log"),
        pytest.param("bot.log.1", b"of yesterday\n", 21_601, id="older than the longest window"),
        pytest.param("bot.log.1.gz", b"\x1f\x8b\x08 cut", 0, id="not whole"),
        pytest.param("bot.log.1", f"{stamp(60)} scan\n".encode(), 0, id="its copy so far"),
        pytest.param("bot.log.1", f"{stamp(60)} scan\n{stamp(59)} scan\n".encode(), 0, id="its copy"),
    ],
)
def test_what_is_no_rotated_part_of_a_log_is_not_read(put, name, content, ago):
    put(content, ago, name)
    lines = [f"{stamp(60)} scan", f"{stamp(59)} scan"]
    assert collected(f"logs={put(chr(10).join([*lines, '']).encode(), name='bot.log')}")["logs"] == lines


@pytest.mark.parametrize(
    ("first", "truncated"), [(600, None), (599, True)], ids=["as old as the run before", "newer"]
)
def test_a_log_whose_first_line_is_newer_than_the_run_before_may_lack_lines(put, first, truncated):
    previous = put({"taken_at": stamp(600), "sources": {"logs": {"state": "ok"}}}, name="previous.json")
    log = put(f"{stamp(first)} opened\n{stamp(60)} scan\n".encode(), name="bot.log")
    section = collected(f"logs={log}", "--previous", str(previous))["logs"]
    assert (section if isinstance(section, list) else section["events"])[0] == f"{stamp(first)} opened"
    assert (section["truncated"] if isinstance(section, dict) else None) is truncated


@pytest.mark.parametrize(
    ("ago", "as_of"), [(345_600, None), (345_601, stamp(345_601))], ids=["quiet", "left"]
)
def test_a_log_in_which_nothing_was_written_for_over_four_days_is_as_old_as_its_file(put, ago, as_of):
    place = put(f"{stamp(ago)} a line\nand another\n".encode(), ago, "bot.log")
    assert entry(f"logs={place}", "logs").get("as_of") == as_of
