"""`detect` over live sources: what stdin lacks is collected, and it is the same however it comes about."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from datetime import timedelta

import pytest

from tests.support.loopback import closed_port, hangs, says, serving
from tests.support.program import answer
from tests.support.snapshots import NOW, ROOT

STATUS = {"heartbeat_at": "2026-06-02T14:59:30Z", "pending_orders": 3, "open_position_count": 1}


def test_what_was_collected_gives_what_detect_gives_by_itself(live):
    piped = answer("detect", "--offline", stdin=answer("collect", environ=live).out, environ=live)
    alone = answer("detect", environ=live)
    assert alone.out == piped.out
    assert alone.types == ["pending_orders_high", "source_unavailable"]
    assert alone.err == piped.err


@pytest.mark.parametrize("words", [["--report"], ["--nagios"]])
def test_so_it_does_in_every_form(words, live):
    def without_times(out: bytes) -> str:
        return re.sub(r'"(elapsed_ms|checksum)": ("[\w:]+"|\d+)', "", out.decode())

    piped = answer("detect", "--offline", *words, stdin=answer("collect", environ=live).out, environ=live)
    alone = answer("detect", *words, environ=live)
    assert without_times(alone.out) == without_times(piped.out)
    assert alone.code == piped.code


def test_a_source_that_failed_is_an_event_and_no_exit_code():
    environ = {"AEGIS_PT_STATUS_URL": f"http://127.0.0.1:{closed_port()}/"}
    assert answer("collect", environ=environ).code == 0
    ran = answer("detect", environ=environ)
    assert (ran.code, "source_unavailable" in ran.types) == (0, True)


def test_what_stdin_says_is_not_collected(live):
    given = {"status_v3": {"pending_orders": 0}, "logs": []}
    document = answer("detect", "--report", stdin=given, environ=live).document
    assert document["snapshot"]["status_v3"] == {"pending_orders": 0}
    assert "status_v3" not in document["sources"]
    assert "logs" not in document["sources"]
    assert document["sources"]["ecs"]["state"] == "ok"


def test_a_section_that_is_null_is_collected(live):
    document = answer("detect", "--report", stdin={"status_v3": None}, environ=live).document
    assert document["snapshot"]["status_v3"] == STATUS


def test_what_was_not_read_when_stdin_was_collected_is_read_now(live):
    entries = {"status_v3": {"state": "failed", "reason": "timeout"}, "broker": {"state": "ok"}}
    document = answer("detect", "--report", stdin={"broker": {}, "sources": entries}, environ=live).document
    assert document["sources"]["status_v3"]["state"] == "ok"
    assert document["sources"]["broker"] == {**document["sources"]["broker"], "state": "ok", "as_of": None}


def test_offline_collects_nothing():
    with serving(says(STATUS)) as server:
        ran = answer("detect", "--offline", environ={"AEGIS_PT_STATUS_URL": server.url})
    assert (ran.types, server.requests) == ([], [])
    assert "NOTHING WAS CHECKED" in ran.err


@pytest.mark.parametrize(
    ("seconds", "asks"), [(0, True), (300, True), (301, False), (-300, True), (-301, False)]
)
def test_nothing_is_collected_for_a_snapshot_of_another_time(seconds, asks):
    taken_at = (NOW - timedelta(seconds=seconds)).isoformat()
    with serving(says(STATUS)) as server:
        ran = answer("detect", stdin={"taken_at": taken_at}, environ={"AEGIS_PT_STATUS_URL": server.url})
    assert bool(server.requests) is asks
    assert ("nothing is collected for it" in ran.err) is not asks


def test_a_document_that_is_refused_is_refused_before_anything_is_asked():
    with serving(says(STATUS)) as server:
        ran = answer("detect", stdin={"bot_staus": {}}, environ={"AEGIS_PT_STATUS_URL": server.url})
    assert (ran.code, server.requests) == (2, [])


def test_a_setting_that_vanished_retires_nothing(tmp_path):
    """What was watched and is not configured any more is held, not retired: nobody said so."""
    memory = str(tmp_path / "memory.json")
    down = {"AEGIS_PT_STATUS_URL": f"http://127.0.0.1:{closed_port()}/"}
    first = answer("detect", "--artifact", memory, environ=down)
    assert "source_unavailable" in first.types
    later = answer("detect", "--previous", memory, "--now", "2026-06-02T15:10:00Z")
    held = [event for event in later.document["events"] if event["type"] == "source_unavailable"]
    assert [event["held"] for event in held] == [True]


def test_a_source_that_is_switched_off_for_good_is_retired(tmp_path):
    memory = str(tmp_path / "memory.json")
    down = {"AEGIS_PT_STATUS_URL": f"http://127.0.0.1:{closed_port()}/"}
    answer("detect", "--artifact", memory, environ=down)
    off = {**down, "AEGIS_PT_SOURCES_OFF": "status_v3"}
    later = answer("detect", "--previous", memory, "--now", "2026-06-02T15:10:00Z", "--report", environ=off)
    assert later.document["sources"]["status_v3"]["state"] == "off"
    assert "source_unavailable" not in [event["type"] for event in later.document["events"]]
    assert "source_unavailable" in [event["type"] for event in later.document["resolved_events"]]


def test_a_source_that_stdin_says_is_off_is_not_asked():
    with serving(says(STATUS)) as server:
        entries = {"sources": {"status_v3": {"state": "off"}}}
        answer("detect", stdin=entries, environ={"AEGIS_PT_STATUS_URL": server.url})
    assert server.requests == []


def process(words: str, environ: dict[str, str], stdin: str = "{}") -> subprocess.CompletedProcess[str]:
    clean = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": "/nonexistent"}
    return subprocess.run(
        ["bash", "-c", words.replace("python", sys.executable)],
        env={**clean, **environ},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def test_a_real_pipe_gives_what_a_real_process_gives():
    now = "--now 2026-06-02T15:00:00Z"
    with serving(says(STATUS)) as server:
        environ = {"AEGIS_PT_STATUS_URL": server.url}
        piped = process(f"python -m detector collect {now} | python -m detector --offline {now}", environ)
        alone = process(f"python -m detector {now}", environ)
    assert alone.stdout == piped.stdout
    assert "pending_orders_high" in alone.stdout


def test_a_source_that_hangs_does_not_keep_the_process_alive():
    with serving(hangs()) as server:
        environ = {"AEGIS_PT_STATUS_URL": server.url, "AEGIS_PT_SOURCE_TIMEOUT_SEC": "0.5"}
        ran = process("time python -m detector --now 2026-06-02T15:00:00Z", environ)
    assert ran.returncode == 0
    assert re.search(r"no (complete )?answer within 0\.5 s", ran.stdout)
    took = re.search(r"real\s+0m([\d.]+)s", ran.stderr)
    assert took is not None
    assert float(took[1]) < 4


HEAVY = (
    "httpx",
    "httpcore",
    "boto3",
    "botocore",
    "slack_sdk",
    "jsonschema",
    "ssl",
    "certifi",
    "detector.clients.connection",
)


def loaded(environ: dict[str, str], stdin: str = "{}") -> set[str]:
    """The heavy modules that a run of `detect` loads."""
    code = (
        "import sys\nfrom detector.cli import main\nmain(['detect', '--quiet'])\n"
        f"print('LOADED', *[name for name in {HEAVY!r} if name in sys.modules])"
    )
    ran = process(f'python -c "{code}"', environ, stdin)
    assert ran.returncode == 0, ran.stderr
    return set(ran.stdout.rpartition("LOADED")[2].split())


def test_a_pipe_without_sources_loads_no_client():
    assert loaded({}, (ROOT / "tests/fixtures/snapshots/regular-session.json").read_text()) == set()


def test_a_source_that_is_a_file_loads_no_client(tmp_path):
    (tmp_path / "broker.json").write_text("{}")
    assert loaded({"AEGIS_PT_SECTIONS": f"broker={tmp_path}/broker.json"}) == set()


def test_a_dashboard_loads_no_aws():
    assert not loaded({"AEGIS_PT_STATUS_URL": f"http://127.0.0.1:{closed_port()}/"}) & {"boto3", "botocore"}
