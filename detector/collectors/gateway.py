"""The gateway's API port on this machine: the kernel's tables first, a handshake only where it is asked for.

The tables are `/proc/net/tcp` and `tcp6` (proc(5)); `ss -tan`; `netstat -an`, which differs between Linux and
macOS; and `lsof -nP -iTCP`, which shows the processes of the user alone. None of them opens a connection.

A probe can harm: connections that were opened and dropped stay half closed in the gateway and blocked a
runtime for a month. So no socket is opened without AEGIS_PT_GATEWAY_HANDSHAKE=1, at most one in five minutes
by any process of this user, and none while a connection is half closed.
"""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from msgspec import Struct

from detector.clients.collector_state import open_observations
from detector.clients.gateway_handshake import HANDSHAKE_SEC, check_handshake
from detector.collectors.collector import Answer, ConfiguredSource, SourceContext, SourceOption
from detector.formats.errors import LOCKED, MISSING, ExternalError, InputError
from detector.formats.patterns import build_pattern
from detector.formats.times import format_time, parse_rfc3339
from detector.settings import GATEWAY_HANDSHAKE, GATEWAY_PORT, Settings

OPTIONS = (
    SourceOption(
        "gateway",
        (GATEWAY_PORT, GATEWAY_HANDSHAKE),
        "whether the gateway of this machine listens, and whether connections block it",
    ),
)
_HANDSHAKE_INTERVAL = timedelta(seconds=300)
_HOST = "127.0.0.1"
_PROC = Path("/proc/net")
_TOOLS = (("ss", "-tan"), ("netstat", "-an"))
LISTEN, ESTABLISHED, CLOSE_WAIT = "LISTEN", "ESTABLISHED", "CLOSE_WAIT"
_KERNEL_STATES = {"01": ESTABLISHED, "08": CLOSE_WAIT, "0A": LISTEN}
_STATE_NAMES = {"LISTEN": LISTEN, "ESTAB": ESTABLISHED, "ESTABLISHED": ESTABLISHED, "CLOSE_WAIT": CLOSE_WAIT}
_LSOF = build_pattern(r"\sTCP (\S+?)(?:->\S+)? \((\w+)\)\s*$")
_MIN_COLUMNS = 4
# Columns of the state and of the local address: in ss, and in netstat.
_SS, _NETSTAT = (0, 3), (5, 3)


def build_sources(settings: Settings) -> Iterator[ConfiguredSource]:
    """Yield the gateway, where its port is set."""
    port = settings[GATEWAY_PORT]
    if port:
        location = f"port {port}" + (" (not tried on a Mac)" if sys.platform == "darwin" else "")
        yield ConfiguredSource("gateway", GATEWAY_PORT, location, partial(_read_gateway, int(port)))


def _read_gateway(port: int, context: SourceContext) -> Answer:
    state = read_port_state(port, context)
    section: dict[str, Any] = {
        "host": _HOST,
        "port": port,
        "listening": state.listening,
        "established": state.established,
        "close_wait": state.close_wait,
        "handshake": "not_tried",
    }
    note = None
    if state.listening is None:
        section["error"] = f"no listener on port {port}, and lsof shows this user's processes only"
    if context.settings[GATEWAY_HANDSHAKE] == "1" and state.listening and not state.close_wait:
        try:
            section |= _update_handshake(port, context)
        except ExternalError as error:
            note = f"no handshake was tried: {error}"
            if error.reason != LOCKED:  # by another run, which writes down what it sees
                section["error"] = note
    return Answer(section, context.clock(), note)


def read_port_state(port: int, context: SourceContext, proc: Path = _PROC) -> PortState:
    """Return the port's state from the first table that can be read; raises ExternalError where none can."""
    state = _read_kernel_tables(port, proc)
    for tool in _TOOLS if state is None else ():
        state = state or _read_tool(port, context, tool)
    if state is not None:
        return state
    try:
        result = context.run_tool("lsof", "-nP", f"-iTCP:{port}")
    except ExternalError:
        raise ExternalError(
            f"neither {proc}/tcp nor ss, netstat or lsof can be read here", reason=MISSING
        ) from None
    return parse_lsof(result.output, port, sees_all=os.geteuid() == 0)


def _read_kernel_tables(port: int, proc: Path) -> PortState | None:
    texts = []
    for name in ("tcp", "tcp6"):
        try:
            texts.append((proc / name).read_text("ascii", "replace"))
        except FileNotFoundError:
            continue  # a kernel without IPv6 has no tcp6
        except OSError:
            return None
    return parse_kernel_tables(texts, port) if texts else None


def _read_tool(port: int, context: SourceContext, tool: tuple[str, ...]) -> PortState | None:
    try:
        result = context.run_tool(*tool)
    except ExternalError:
        return None
    parse = parse_ss if tool[0] == "ss" else parse_netstat
    return parse(result.output, port) if result.exit_code == 0 else None


def _update_handshake(port: int, context: SourceContext) -> dict[str, Any]:
    """Return the last handshake's outcome, or that of a new one where it is five minutes old."""
    now = context.clock()
    with open_observations(context.environ, f"handshake-{port}") as observations:
        last = observations.values
        if not _is_recent(last.get("handshake_at"), now):
            # Before the attempt: a process that is killed in between must not try again at once.
            observations.values = {"handshake": "not_tried", "handshake_at": format_time(now)}
            observations.store()
            outcome = check_handshake(partial(context.open_connection, _HOST, port, HANDSHAKE_SEC))
            observations.values |= {"handshake": outcome.outcome, "server_version": outcome.server_version}
        return {key: value for key, value in observations.values.items() if value is not None}


def _is_recent(text: Any, now: datetime) -> bool:
    try:
        return abs(now - parse_rfc3339(str(text))) < _HANDSHAKE_INTERVAL
    except InputError:
        return False


class PortState(Struct, frozen=True):
    """The sockets whose local end is the port; `listening` is None where a listener may be out of sight."""

    listening: bool | None
    established: int
    close_wait: int


def parse_kernel_tables(texts: Iterable[str], port: int) -> PortState | None:
    """Read `/proc/net/tcp` and `tcp6`; None where a text is not such a table."""
    suffix, states = f":{port:04X}", []
    for text in texts:
        header, *lines = text.splitlines() or [""]
        if "local_address" not in header:
            return None
        rows = [line.split() for line in lines]
        states += [row[3] for row in rows if len(row) > _MIN_COLUMNS and row[1].endswith(suffix)]
    return _count_states(_KERNEL_STATES.get(state, "") for state in states)


def parse_ss(text: str, port: int) -> PortState | None:
    """Read `ss -tan`; None where it is not its output."""
    return _count_states(_iter_states(text, port, *_SS)) if text.startswith("State") else None


def parse_netstat(text: str, port: int) -> PortState | None:
    """Read `netstat -an`; macOS ends an address with a dot and the port; None where it is not its output."""
    return _count_states(_iter_states(text, port, *_NETSTAT)) if "Local Address" in text else None


def parse_lsof(text: str, port: int, sees_all: bool) -> PortState:
    """Read `lsof -nP -iTCP:PORT`; without a listener it proves nothing, unless it sees all users."""
    lines = filter(None, (_LSOF.search(line) for line in text.splitlines()))
    state = _count_states(
        _STATE_NAMES.get(line[2], "") for line in lines if _parse_local_port(line[1]) == str(port)
    )
    if state.listening or sees_all:
        return state
    return PortState(None, state.established, state.close_wait)


def _iter_states(text: str, port: int, state_column: int, local_column: int) -> Iterator[str]:
    for line in text.splitlines():
        row = line.split()
        if len(row) > max(state_column, local_column) and _parse_local_port(row[local_column]) == str(port):
            yield _STATE_NAMES.get(row[state_column].replace("-", "_"), "")


def _parse_local_port(address: str) -> str:
    return re.split(r"[:.]", address)[-1]


def _count_states(states: Iterable[str]) -> PortState:
    count = Counter(states)
    return PortState(count[LISTEN] > 0, count[ESTABLISHED], count[CLOSE_WAIT])
