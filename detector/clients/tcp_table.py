"""The kernel's table of TCP connections: how many the program behind a local port has not closed itself."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
from pathlib import Path

from detector.clients.process import run_program
from detector.formats.errors import ExternalError

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_CLOSE_WAIT = "08"  # the kernel's TCP_CLOSE_WAIT (include/net/tcp_states.h)
_NETSTAT = ("netstat", "-an", "-p", "tcp")
_NETSTAT_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_NETSTAT_SEC = 3.0
_LOCAL, _STATE = 1, 3


def count_close_wait(host: str, port: int) -> int | None:
    """Return the connections to a local port that its program has not closed; None where they cannot be seen.

    0 for a port of another host, whose table only that host has.
    """
    if not _is_local(host):
        return 0
    readable = [path for path in _TABLES if os.access(path, os.R_OK)]
    if readable:
        return sum(_count_rows(path.read_text("ascii"), port) for path in readable)
    try:
        output = run_program(_NETSTAT, Path("/"), {"PATH": _NETSTAT_PATH}, _NETSTAT_SEC)
    except ExternalError:
        return None
    return count_netstat_rows(output.output, port) if output.exit_code == 0 else None


def _is_local(host: str) -> bool:
    """Whether the name is this host's loopback, by itself or by the host's own table of names."""
    try:
        addresses = {str(entry[4][0]) for entry in socket.getaddrinfo(host, None)}
        return any(_is_loopback(text.partition("%")[0]) for text in addresses)
    except (OSError, UnicodeError, ValueError):
        return False


def _is_loopback(text: str) -> bool:
    address = ipaddress.ip_address(text)
    embedded = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (embedded or address).is_loopback


def _count_rows(table: str, port: int) -> int:
    """Count the rows of /proc/net/tcp with that local port in CLOSE_WAIT (proc(5))."""
    rows = [line.split() for line in table.splitlines()[1:]]
    return sum(row[_STATE] == _CLOSE_WAIT and int(row[_LOCAL].rpartition(":")[2], 16) == port for row in rows)


def count_netstat_rows(output: str, port: int) -> int:
    """Count the rows of BSD's netstat with that local port in CLOSE_WAIT."""
    return len(re.findall(rf"(?m)^tcp\S*\s+\d+\s+\d+\s+\S+[.:]{port}\s+\S+\s+CLOSE_WAIT\b", output))
