"""The state of one local TCP port out of the kernel's tables, or out of the tools that print them.

`/proc/net/tcp` and `tcp6` (proc(5)); `ss -tan`; `netstat -an`, which differs between Linux and macOS; and
`lsof -nP -iTCP`, which shows the processes of the user alone. None of them opens a connection.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from msgspec import Struct

from detector.formats.patterns import build_pattern

LISTEN, ESTABLISHED, CLOSE_WAIT = "LISTEN", "ESTABLISHED", "CLOSE_WAIT"
_KERNEL_STATES = {"01": ESTABLISHED, "08": CLOSE_WAIT, "0A": LISTEN}
_STATE_NAMES = {"LISTEN": LISTEN, "ESTAB": ESTABLISHED, "ESTABLISHED": ESTABLISHED, "CLOSE_WAIT": CLOSE_WAIT}
_LSOF = build_pattern(r"\sTCP (\S+?)(?:->\S+)? \((\w+)\)\s*$")
_MIN_COLUMNS = 4
# Columns of the state and of the local address: in ss, and in netstat.
_SS, _NETSTAT = (0, 3), (5, 3)


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
    return _parse_columns(text, port, _SS) if text.startswith("State") else None


def parse_netstat(text: str, port: int) -> PortState | None:
    """Read `netstat -an`; macOS ends an address with a dot and the port; None where it is not its output."""
    return _parse_columns(text, port, _NETSTAT) if "Local Address" in text or "tcp" in text else None


def parse_lsof(text: str, port: int, sees_all: bool) -> PortState:
    """Read `lsof -nP -iTCP:PORT`; without a listener it proves nothing, unless it sees all users."""
    lines = filter(None, (_LSOF.search(line) for line in text.splitlines()))
    state = _count_states(
        _STATE_NAMES.get(line[2], "") for line in lines if _parse_local_port(line[1]) == str(port)
    )
    if state.listening or sees_all:
        return state
    return PortState(None, state.established, state.close_wait)


def _parse_columns(text: str, port: int, columns: tuple[int, int]) -> PortState:
    return _count_states(_iter_states(text, port, *columns))


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
