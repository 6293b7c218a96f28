"""The state of one process by its supervisor: systemd, launchd, a pid file, or its name in the process list.

`systemctl show` (systemd.service(5): `Key=value`, exit 0 for an unknown unit too), `launchctl print`
(launchctl(1); not tried on a Mac), `ps -o pid=,etime=,args=` (POSIX). A tool that is missing, and a unit that
is not known, raise ExternalError: that is not seen, never down.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec import Struct

from detector.collectors.collector import SourceContext
from detector.formats.errors import MISSING, UNREADABLE, ExternalError
from detector.formats.patterns import build_pattern

_UNIT_KEYS = "LoadState,ActiveState,SubState,MainPID,NRestarts,ExecMainStatus,ExecMainStartTimestamp"
_UNIT_STATES: Mapping[str, bool | None] = {
    "active": True, "reloading": True, "inactive": False, "failed": False, "deactivating": False,
    "auto-restart": False, "exited": None,
}  # fmt: skip
_JOB_STATES = {"running": True, "not running": False, "waiting": False}
_UNIT_TIME = build_pattern(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC")
_AGE = build_pattern(r"(?:(?:(\d+)-)?(\d+):)?(\d+):(\d\d)")
_PID_FILE_SLACK = timedelta(seconds=60)
_NO_SUCH_JOB = "could not find"


class ProcessState(Struct, frozen=True):
    """One process: whether it runs, and what its supervisor adds; `starts` counts from any origin."""

    running: bool | None
    pid: int | None = None
    started_at: datetime | None = None
    exit_code: int | None = None
    starts: int | None = None


def read_process(supervisor: str, identifier: str, context: SourceContext) -> ProcessState:
    """Return the state of a process; raises ExternalError where it cannot be seen."""
    return _READERS[supervisor](identifier, context)


def _read_unit(identifier: str, context: SourceContext) -> ProcessState:
    return parse_unit(context.run_tool("systemctl", "show", identifier, "-p", _UNIT_KEYS).output)


def parse_unit(text: str) -> ProcessState:
    """Read `systemctl show`; raises ExternalError where the unit, or systemd itself, is not there."""
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    if values.get("LoadState") == "not-found":
        raise ExternalError("systemd knows no such unit", reason=MISSING)
    if "ActiveState" not in values:
        raise ExternalError("systemctl does not say the unit's state", reason=UNREADABLE)
    state = _UNIT_STATES.get(values["ActiveState"])
    sub_state = values.get("SubState", "")
    running = _UNIT_STATES[sub_state] if sub_state in _UNIT_STATES and sub_state != "failed" else state
    started = _UNIT_TIME.search(values.get("ExecMainStartTimestamp", ""))
    return ProcessState(
        running,
        _parse_int(values.get("MainPID")) or None,
        datetime.fromisoformat(started[1]).replace(tzinfo=UTC) if started else None,
        None if running else _parse_int(values.get("ExecMainStatus")),
        _parse_int(values.get("NRestarts")),
    )


def _read_job(identifier: str, context: SourceContext) -> ProcessState:
    for domain in (f"gui/{os.getuid()}", "system"):
        text = context.run_tool("launchctl", "print", f"{domain}/{identifier}").output
        if _NO_SUCH_JOB not in text.lower():
            return parse_job(text)
    raise ExternalError("launchd knows no such job", reason=MISSING)


def parse_job(text: str) -> ProcessState:
    """Read `launchctl print`: the first line of each key is the job's own; raises ExternalError."""
    values: dict[str, str] = {}
    for line in text.splitlines():
        key, equals, value = line.strip().partition(" = ")
        if equals:
            values.setdefault(key, value)
    if "state" not in values:
        raise ExternalError("launchctl does not say the job's state", reason=UNREADABLE)
    return ProcessState(
        _JOB_STATES.get(values["state"]),
        _parse_int(values.get("pid")),
        exit_code=_parse_int(values.get("last exit code")),
        starts=_parse_int(values.get("runs")),
    )


def _parse_int(text: str | None) -> int | None:
    match = re.match(r"-?\d+", text or "")
    return int(match[0]) if match else None


def _read_pid_file(identifier: str, context: SourceContext) -> ProcessState:
    path = Path(identifier)
    try:
        written = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        pid = _parse_int(path.read_text("ascii", "replace").strip())
    except FileNotFoundError:
        if path.parent.is_dir():
            return ProcessState(running=False)
        raise ExternalError(f"there is no folder {path.parent}", reason=MISSING) from None
    except OSError as error:
        raise ExternalError(f"the pid file cannot be read: {error.strerror}", reason=UNREADABLE) from None
    if pid is None or pid <= 0:
        raise ExternalError("the pid file holds no process id", reason=UNREADABLE)
    for process in _iter_processes(context):
        if process.pid == pid:
            # A process that began after the file was written is another one with the same number.
            is_other = process.started_at is not None and process.started_at > written + _PID_FILE_SLACK
            return ProcessState(running=False) if is_other else process.state
    return ProcessState(running=False)


def _read_command(identifier: str, context: SourceContext) -> ProcessState:
    own = {os.getpid(), os.getppid()}
    for process in _iter_processes(context):
        if process.pid not in own and process.is_named(identifier):
            return process.state
    return ProcessState(running=False)


class _ListedProcess(Struct, frozen=True):
    pid: int
    started_at: datetime | None
    arguments: tuple[str, ...]

    @property
    def state(self) -> ProcessState:
        return ProcessState(True, self.pid, self.started_at)

    def is_named(self, name: str) -> bool:
        """Whether an argument is the name: as it is, as a path's last part, or as a module's."""
        return any(
            name in (text, text.rpartition("/")[2], text.rpartition(".")[2]) for text in self.arguments
        )


def _iter_processes(context: SourceContext) -> Iterator[_ListedProcess]:
    result = context.run_tool("ps", "-A", "-o", "pid=,etime=,args=")
    if result.exit_code != 0:
        raise ExternalError("ps does not list the processes", reason=UNREADABLE)
    yield from parse_process_list(result.output, context.clock())


def parse_process_list(text: str, now: datetime) -> Iterator[_ListedProcess]:
    """Yield the processes of `ps -A -o pid=,etime=,args=`; `etime` is [[dd-]hh:]mm:ss."""
    for line in text.splitlines():
        pid, *rest = line.split()
        if pid.isdigit() and rest:
            age = _AGE.fullmatch(rest[0])
            days, hours, minutes, seconds = (int(part or 0) for part in age.groups()) if age else (0, 0, 0, 0)
            elapsed = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
            yield _ListedProcess(int(pid), now - elapsed if age else None, tuple(rest[1:]))


_READERS: Mapping[str, Callable[[str, SourceContext], ProcessState]] = {
    "systemd": _read_unit,
    "launchd": _read_job,
    "pidfile": _read_pid_file,
    "command": _read_command,
}
