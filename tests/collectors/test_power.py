"""The power: a real `upsd` where it is installed, its protocol word by word, and `pmset` as it is
published.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from detector.collectors.power import parse_pmset, parse_ups_variables
from detector.formats.errors import DENIED, MISSING, STALE, UNREADABLE, ExternalError
from tests.support.program import answer

AC = """Now drawing from 'AC Power'
 -InternalBattery-0 (id=4522083)\t97%; charged; 0:00 remaining present: true
"""
BATTERY = """Now drawing from 'Battery Power'
 -InternalBattery-0 (id=4522083)\t64%; discharging; 3:10 remaining present: true
"""
NO_ESTIMATE = """Now drawing from 'Battery Power'
 -InternalBattery-0 (id=4522083)\t64%; discharging; (no estimate) present: true
"""
UPS = "Now drawing from 'UPS Power'\n"


@pytest.mark.parametrize(
    ("text", "section"),
    [
        (AC, {"status": "OL", "battery_charge": 97}),
        (BATTERY, {"status": "OB", "battery_charge": 64, "battery_runtime_sec": 11400}),
        (NO_ESTIMATE, {"status": "OB", "battery_charge": 64}),
        (UPS, {"status": "OB"}),
        ("Now drawing from 'AC Power'\n", {"status": "OL"}),
    ],
)
def test_the_text_of_pmset_is_read(text, section):
    assert parse_pmset(text) == section


@pytest.mark.parametrize("text", ["", "Now drawing from 'Sunlight'\n", "pmset: command not found"])
def test_pmset_that_does_not_say_it_is_not_seen(text):
    with pytest.raises(ExternalError, match="does not say what the machine draws from"):
        parse_pmset(text)


VARIABLES = """BEGIN LIST VAR demo
VAR demo battery.charge "42"
VAR demo battery.runtime "240"
VAR demo device.model "Smart \\"UPS\\" \\\\ 1500"
VAR demo ups.status "OB LB"
END LIST VAR demo
"""


def test_the_variables_of_a_ups_are_read():
    assert parse_ups_variables(VARIABLES) == {
        "status": "OB LB",
        "battery_charge": "42",
        "battery_runtime_sec": "240",
    }


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ("UNKNOWN-UPS", MISSING),
        ("DATA-STALE", STALE),
        ("DRIVER-NOT-CONNECTED", STALE),
        ("ACCESS-DENIED", DENIED),
        ("UNKNOWN-COMMAND", UNREADABLE),
    ],
)
def test_an_error_of_upsd_is_not_seen_and_never_mains(error, reason):
    with pytest.raises(ExternalError, match=error) as failure:
        parse_ups_variables(f"ERR {error}\n")
    assert failure.value.reason == reason


@pytest.mark.parametrize("status", ['VAR ups ups.status ""\n', 'VAR ups ups.status " "\n', ""])
def test_a_ups_that_names_no_status_is_not_seen(status):
    with pytest.raises(ExternalError, match="upsd names no"):
        parse_ups_variables(f'{status}VAR ups battery.charge "42"\n')


@contextmanager
def serving_ups(reply: bytes) -> Iterator[tuple[int, list[bytes]]]:
    """Answer one client line by line with the reply; yield the port and what was asked."""
    listener = socket.create_server(("127.0.0.1", 0))
    asked: list[bytes] = []

    def serve() -> None:
        conn, _ = listener.accept()
        with conn, conn.makefile("rb") as lines:
            for line in lines:
                asked.append(line)
                if line.startswith(b"LIST"):
                    conn.sendall(reply)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1], asked
    finally:
        thread.join(2)
        listener.close()


def collected(place: str):
    ran = answer("collect", environ={"AEGIS_PT_UPS": place, "AEGIS_PT_SOURCE_TIMEOUT_SEC": "3"})
    assert ran.code == 0, ran.err
    return ran.document


def test_it_only_reads_and_says_goodbye():
    with serving_ups(VARIABLES.encode()) as (port, asked):
        document = collected(f"demo@127.0.0.1:{port}")
    assert document["power"]["status"] == "OB LB"
    assert asked == [b"LIST VAR demo\n", b"LOGOUT\n"]


def test_a_upsd_that_does_not_answer_is_a_failed_source():
    with serving_ups(b"BEGIN LIST VAR demo\n") as (port, _):
        document = collected(f"demo@127.0.0.1:{port}")
    assert "power" not in document
    assert document["sources"]["power"]["state"] == "failed"


# --- the real one --------------------------------------------------------------------------------------

DRIVER, SERVER = Path("/lib/nut/dummy-ups"), Path("/lib/nut/upsd")


def write_ups(folder, status: str, charge: int, runtime: int) -> None:
    (folder / "demo.dev").write_text(
        f"ups.status: {status}\nbattery.charge: {charge}\nbattery.runtime: {runtime}\n"
    )


@pytest.fixture
def real_upsd(tmp_path):
    if not (DRIVER.exists() and SERVER.exists()):
        reason = "NUT's upsd and dummy-ups are not installed (Debian: nut-server): the UPS is not proven"
        if os.environ.get("CI"):
            pytest.fail(reason)  # `make test` installs them there
        pytest.skip(reason)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    write_ups(tmp_path, "OL", 100, 3600)
    device = f"[demo]\n driver = dummy-ups\n port = {tmp_path}/demo.dev\n desc = test\n"
    (tmp_path / "ups.conf").write_text(f"statepath = {tmp_path}\n{device}")
    (tmp_path / "upsd.conf").write_text(f"LISTEN 127.0.0.1 {port}\nSTATEPATH {tmp_path}\n")
    (tmp_path / "upsd.users").write_text("")
    user = ["-u", "root"] if os.geteuid() == 0 else []
    environ = {**os.environ, "NUT_CONFPATH": str(tmp_path), "NUT_STATEPATH": str(tmp_path)}
    tmp_path.chmod(0o700)
    driver, server = (
        subprocess.Popen(
            [*command, "-D", *user], env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for command in ([DRIVER, "-a", "demo"], [SERVER])
    )
    try:
        yield tmp_path, port
    finally:
        for process in (server, driver):
            process.terminate()
            process.wait(10)


def wait_for(port: int, status: str):
    document = {}
    for _ in range(150):
        document = collected(f"demo@127.0.0.1:{port}")
        if document.get("power", {}).get("status") == status:
            return document["power"]
        time.sleep(0.1)
    raise AssertionError(f"upsd never said {status}: {document}")


def test_a_real_upsd_is_read_on_battery_low_and_back(real_upsd):
    folder, port = real_upsd
    assert wait_for(port, "OL") == {"status": "OL", "battery_charge": "100", "battery_runtime_sec": "3600"}
    for status, charge, runtime in (("OB DISCHRG", 64, 900), ("OB LB", 9, 120), ("OL CHRG", 11, 150)):
        write_ups(folder, status, charge, runtime)
        section = wait_for(port, status)
        assert section == {
            "status": status,
            "battery_charge": str(charge),
            "battery_runtime_sec": str(runtime),
        }
    unknown = collected(f"other@127.0.0.1:{port}")["sources"]["power"]
    assert (unknown["state"], unknown["reason"]) == ("failed", "missing")


@pytest.mark.skipif(shutil.which("pmset") is not None, reason="this is a Mac")
def test_a_missing_tool_is_a_failed_source_and_never_down():
    document = collected("pmset")
    assert "power" not in document
    assert document["sources"]["power"]["reason"] == "missing"


def test_doctor_says_what_was_never_tried_on_a_mac():
    environ = {"AEGIS_PT_UPS": "pmset", "AEGIS_PT_PROCESSES": "bot=launchd:com.example.bot"}
    out = answer("doctor", environ=environ).out.decode()
    assert "pmset (not tried on a Mac)" in out
    assert "bot=launchd:com.example.bot (launchd: not tried on a Mac)" in out
