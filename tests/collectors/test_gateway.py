"""The gateway's port: the kernel's tables and what prints them, and a handshake that leaves nothing
behind.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from detector.clients.collector_state import open_observations
from detector.clients.connection import Deadline, NetworkPolicy
from detector.clients.gateway_handshake import check_handshake
from detector.clients.process import ProcessResult
from detector.collectors.collector import SourceContext
from detector.collectors.gateway import (
    PortState,
    _read_gateway,
    build_sources,
    parse_kernel_tables,
    parse_lsof,
    parse_netstat,
    parse_ss,
    read_port_state,
)
from detector.formats.errors import MISSING, ExternalError
from tests.support.api_gateway import api_gateway
from tests.support.loopback import PATIENCE_SEC
from tests.support.program import answer
from tests.support.snapshots import DEFAULTS, NOW, settings_of
from tests.support.source_contexts import ToolsOnly

linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's tables are Linux's")

# --- tables --------------------------------------------------------------------------------------------

HEADER = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def kernel(*rows: tuple[str, str]) -> str:
    return HEADER + "".join(
        f"   {number}: {local} 0100007F:C350 {state} 00000000:00000000 00:00000000 00000000  1000        0 1 1\n"
        for number, (local, state) in enumerate(rows)
    )


# The port 4002 is 0FA2; a connection on loopback stands in the table twice, and the client's end is not ours.
TCP = kernel(
    ("0100007F:0FA2", "0A"), ("0100007F:0FA2", "01"), ("0100007F:0FA2", "08"), ("0100007F:C351", "08"),
    ("0100007F:0FA3", "08"), ("0100007F:0FA2", "06"),
)  # fmt: skip
SS = """State      Recv-Q Send-Q Local Address:Port  Peer Address:Port Process
LISTEN     0      50         127.0.0.1:4002       0.0.0.0:*
ESTAB      0      0          127.0.0.1:4002     127.0.0.1:50001
CLOSE-WAIT 1      0          127.0.0.1:4002     127.0.0.1:50002
CLOSE-WAIT 1      0          127.0.0.1:50003    127.0.0.1:4002
LISTEN     0      50              [::]:4001          [::]:*
"""
NETSTAT_LINUX = """Active Internet connections (servers and established)
Proto Recv-Q Send-Q Local Address           Foreign Address         State
tcp        0      0 127.0.0.1:4002          0.0.0.0:*               LISTEN
tcp        0      0 127.0.0.1:4002          127.0.0.1:50001         ESTABLISHED
tcp        1      0 127.0.0.1:4002          127.0.0.1:50002         CLOSE_WAIT
tcp        1      0 127.0.0.1:50003         127.0.0.1:4002          CLOSE_WAIT
"""
NETSTAT_MACOS = """Active Internet connections (including servers)
Proto Recv-Q Send-Q  Local Address          Foreign Address        (state)
tcp4       0      0  127.0.0.1.4002         *.*                    LISTEN
tcp4       0      0  127.0.0.1.4002         127.0.0.1.50001        ESTABLISHED
tcp4       0      0  127.0.0.1.4002         127.0.0.1.50002        CLOSE_WAIT
tcp4       0      0  127.0.0.1.50002        127.0.0.1.4002         FIN_WAIT_2
"""
LSOF = """COMMAND   PID   USER   FD   TYPE             DEVICE SIZE/OFF NODE NAME
java    70123 oliver   60u  IPv6 0x9b1f2c3d4e5f      0t0  TCP 127.0.0.1:4002 (LISTEN)
java    70123 oliver   61u  IPv6 0x9b1f2c3d4e60      0t0  TCP 127.0.0.1:4002->127.0.0.1:50001 (ESTABLISHED)
java    70123 oliver   62u  IPv6 0x9b1f2c3d4e61      0t0  TCP 127.0.0.1:4002->127.0.0.1:50002 (CLOSE_WAIT)
python3 70200 oliver    7u  IPv4 0x9b1f2c3d4e62      0t0  TCP 127.0.0.1:50001->127.0.0.1:4002 (ESTABLISHED)
"""
SEEN = PortState(listening=True, established=1, close_wait=1)


@pytest.mark.parametrize(
    "state",
    [
        parse_kernel_tables([TCP, HEADER], 4002),
        parse_ss(SS, 4002),
        parse_netstat(NETSTAT_LINUX, 4002),
        parse_netstat(NETSTAT_MACOS, 4002),
        parse_lsof(LSOF, 4002, sees_all=False),
    ],
    ids=["/proc", "ss", "netstat of Linux", "netstat of macOS", "lsof"],
)
def test_every_table_shows_the_same(state):
    assert state == SEEN


def test_a_listener_on_ipv6_alone_counts():
    tcp6 = (
        HEADER
        + "   0: 00000000000000000000000000000000:0FA2 00000000000000000000000000000000:0000 0A 0 0 0 0\n"
    )
    assert parse_kernel_tables([kernel(), tcp6], 4002) == PortState(True, 0, 0)


def test_what_is_no_table_proves_nothing():
    assert parse_kernel_tables(["<html>"], 4002) is None
    assert parse_ss("ss: command failed", 4002) is None
    assert parse_netstat("", 4002) is None
    assert parse_netstat(NETSTAT_LINUX.partition("4002")[2], 4002) is None


def test_lsof_without_a_listener_proves_nothing_but_for_root():
    assert parse_lsof("", 4002, sees_all=False) == PortState(None, 0, 0)
    assert parse_lsof("", 4002, sees_all=True) == PortState(False, 0, 0)


# --- which table is read -------------------------------------------------------------------------------


def context(**tools: str | None) -> SourceContext:
    def run_tool(*command: str) -> ProcessResult:
        text = tools.get(command[0])
        if text is None:
            raise ExternalError(f"{command[0]} cannot be started", reason=MISSING)
        return ProcessResult(0, text)

    return ToolsOnly(DEFAULTS, {}, lambda: NOW, tool=run_tool)


@pytest.mark.parametrize("tools", [{"ss": SS}, {"netstat": NETSTAT_MACOS}, {"lsof": LSOF}], ids=str)
def test_without_proc_the_next_tool_answers(tmp_path, tools):
    assert read_port_state(4002, context(**tools), tmp_path) == SEEN


def test_the_kernel_comes_first_and_no_tool_runs(tmp_path):
    (tmp_path / "tcp").write_text(TCP)
    assert read_port_state(4002, context(ss="State\n"), tmp_path) == SEEN


def test_an_unreadable_proc_is_passed_over(tmp_path):
    (tmp_path / "tcp").mkdir()
    assert read_port_state(4002, context(ss=SS), tmp_path) == SEEN


def test_without_any_tool_it_is_not_seen_and_never_down(tmp_path):
    with pytest.raises(ExternalError, match=r"neither .* nor ss, netstat or lsof") as failure:
        read_port_state(4002, context(), tmp_path)
    assert failure.value.reason == MISSING


# --- the program ---------------------------------------------------------------------------------------


def collected(port: int, home: Path, **more: str):
    environ = {"AEGIS_PT_GATEWAY_PORT": str(port), "HOME": str(home), "PATH": "/usr/bin:/bin", **more}
    ran = answer("collect", environ=environ)
    assert ran.code == 0, ran.err
    return ran.document


@linux
def test_a_port_that_listens_is_seen_without_any_socket(tmp_path):
    with api_gateway() as gateway:
        section = collected(gateway.port, tmp_path)["gateway"]
        assert (section["listening"], section["close_wait"], section["handshake"]) == (True, 0, "not_tried")
        assert gateway.received == []
    assert not (tmp_path / ".local").exists()


@pytest.mark.parametrize(("platform", "marks"), [("darwin", True), ("linux", False)])
def test_on_a_mac_doctor_says_that_it_was_not_tried_there(monkeypatch, platform, marks):
    monkeypatch.setattr(sys, "platform", platform)
    source = next(build_sources(settings_of({"GATEWAY_PORT": "4002"})))
    assert ("not tried on a Mac" in source.location) is marks


@linux
def test_a_port_that_does_not_listen(tmp_path):
    with api_gateway() as gateway:
        port = gateway.port
    assert collected(port, tmp_path)["gateway"]["listening"] is False


@linux
@pytest.mark.parametrize(
    ("manner", "outcome"),
    [
        ("healthy", "ok"),
        ("half open", "ok"),
        ("refusing", "refused"),
        ("garbage", "refused"),
        ("cut short", "refused"),
    ],
)
def test_a_handshake_where_it_is_asked_for(tmp_path, manner, outcome):
    with api_gateway(manner) as gateway:
        section = collected(gateway.port, tmp_path, AEGIS_PT_GATEWAY_HANDSHAKE="1")["gateway"]
        assert section["handshake"] == outcome
        assert section.get("server_version") == (178 if outcome == "ok" else None)


def test_a_silent_gateway_is_silent():
    with api_gateway("silent") as gateway:
        policy = NetworkPolicy(Deadline(0.3))
        assert check_handshake(lambda: policy.open_connection("127.0.0.1", gateway.port)).outcome == "silent"


@linux
def test_one_handshake_in_five_minutes_is_all_that_any_process_tries(tmp_path):
    with api_gateway() as gateway:
        first = collected(gateway.port, tmp_path, AEGIS_PT_GATEWAY_HANDSHAKE="1")["gateway"]
        assert first["handshake"] == "ok"
        for _ in range(3):
            again = collected(gateway.port, tmp_path, AEGIS_PT_GATEWAY_HANDSHAKE="1")["gateway"]
            assert again == first
        assert len(gateway.received) == 1
        state = next((tmp_path / ".local" / "state").rglob("*.json"))
        state.write_text(json.dumps({"handshake": "ok", "handshake_at": "2026-06-02T14:55:00Z"}))
        collected(gateway.port, tmp_path, AEGIS_PT_GATEWAY_HANDSHAKE="1")
        assert len(gateway.received) == 2


@linux
def test_no_handshake_while_a_connection_is_half_closed(tmp_path):
    with api_gateway("half open") as gateway:
        client = socket.create_connection(("127.0.0.1", gateway.port))
        client.sendall(b"API\0")
        client.recv(4096)
        client.close()
        wait_for_state(gateway.port, lambda state: bool(state.close_wait))
        section = collected(gateway.port, tmp_path, AEGIS_PT_GATEWAY_HANDSHAKE="1")["gateway"]
        assert section["close_wait"] >= 1
        assert section["handshake"] == "not_tried"
        assert len(gateway.received) == 1


@linux
def test_without_a_place_for_its_state_it_opens_no_socket():
    with api_gateway() as gateway:
        environ = {"AEGIS_PT_GATEWAY_PORT": str(gateway.port), "AEGIS_PT_GATEWAY_HANDSHAKE": "1"}
        document = answer("collect", environ=environ).document
        assert document["gateway"]["handshake"] == "not_tried"
        assert "its state cannot be kept" in document["sources"]["gateway"]["detail"]
        assert gateway.received == []
    events = {event["signature"]: event["summary"] for event in answer(stdin=document).document["events"]}
    assert "its state cannot be kept" in events["reading_invalid:aegis-pt-core:gateway.error"]


@linux
def test_while_another_run_tries_the_handshake_this_one_leaves_it_and_reports_nothing(tmp_path):
    with api_gateway() as gateway:
        environ = {"HOME": str(tmp_path)}
        with open_observations(environ, f"handshake-{gateway.port}"):
            section = collected(gateway.port, tmp_path, AEGIS_PT_GATEWAY_HANDSHAKE="1")["gateway"]
        assert (section["handshake"], "error" in section) == ("not_tried", False)


def test_a_listener_that_may_be_out_of_sight_is_reported(monkeypatch):
    out_of_sight = parse_lsof("", 4002, sees_all=False)
    monkeypatch.setattr("detector.collectors.gateway.read_port_state", lambda *given: out_of_sight)
    section = _read_gateway(4002, context()).section
    document = {"taken_at": NOW.isoformat(), "gateway": section}
    events = {event["signature"]: event["summary"] for event in answer(stdin=document).document["events"]}
    assert "lsof shows this user's processes only" in events["reading_invalid:aegis-pt-core:gateway.error"]


def wait_for_state(port: int, is_reached: Callable[[PortState], bool]) -> None:
    """Wait until the kernel's tables show that state of the port; raises AssertionError."""
    until = time.monotonic() + PATIENCE_SEC
    while not is_reached(state := read_port_state(port, context())):
        assert time.monotonic() < until, state
        time.sleep(0.01)


# --- what a probe leaves -------------------------------------------------------------------------------


@linux
@pytest.mark.parametrize(
    ("manner", "outcome"),
    [("healthy", "ok"), ("half open", "ok"), ("silent", "silent"), ("refusing", "refused")],
)
def test_after_500_probes_the_gateway_holds_nothing(manner, outcome, monkeypatch):
    if manner == "half open":
        monkeypatch.setattr("detector.clients.connection._CLOSE_SEC", 0.002)  # not a second for each
    with api_gateway(manner) as gateway:
        for _ in range(500):
            deadline = Deadline(0.01 if manner == "silent" else PATIENCE_SEC)
            connect = partial(NetworkPolicy(deadline).open_connection, "127.0.0.1", gateway.port)
            assert check_handshake(connect).outcome == outcome
        idle = PortState(listening=True, established=0, close_wait=0)
        wait_for_state(gateway.port, lambda state: state == idle)
        received = {data for data in gateway.received if data}
        assert received <= {b"API\0\0\0\0\tv100..187"}
        assert bool(received) is (manner != "refusing")


def test_the_loopback_gateway_is_one_for_the_real_client():
    ib_async = pytest.importorskip("ib_async", reason="ib_async is not installed: the gateway is not proven")

    async def connect(port: int) -> int:
        """Connect and disconnect on a loop of its own, closed at its end; return the server's version."""
        client = ib_async.IB()
        await client.client.connectAsync("127.0.0.1", port, clientId=7, timeout=5)
        assert client.client.isReady()
        version = client.client.serverVersion()
        client.disconnect()
        await asyncio.sleep(0.05)  # the transport closes in the loop's next turns
        return int(version)

    with api_gateway() as gateway:
        assert asyncio.run(connect(gateway.port)) == 178
    assert any(b"71\x002\x007\x00" in data for data in gateway.received)
