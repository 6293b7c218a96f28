"""The processes that must run on this machine, each by its own supervisor; nothing is started or ended.

`systemctl show` (systemd.service(5): `Key=value`, exit 0 for an unknown unit too), `launchctl print`
(launchctl(1); not tried on a Mac), a pid file, `ps -o pid=,etime=,args=` (POSIX). A tool that is missing, and
a unit that is not known, raise ExternalError: that is not seen, never down.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from msgspec import Struct

from detector.clients.collector_state import open_observations
from detector.collectors.collector import Answer, ConfiguredSource, SourceContext, SourceOption
from detector.formats.errors import LOCKED, MISSING, UNREADABLE, ExternalError, InputError
from detector.formats.patterns import build_pattern
from detector.formats.strict_json import redact_excerpt
from detector.formats.times import format_time, parse_file_time, parse_rfc3339
from detector.settings import PROCESSES, RESTART_WINDOW_SEC, RUNTIME, Settings

OPTIONS = (SourceOption("processes", (PROCESSES,), "whether the processes of this machine run"),)
_MAX_SAMPLES = 500
_UNIT_KEYS = "LoadState,ActiveState,SubState,MainPID,NRestarts,ExecMainStatus,ExecMainStartTimestamp"
_UNIT_STATES: Mapping[str, bool | None] = {
    "active": True, "reloading": True, "inactive": False, "failed": False, "deactivating": False,
    "auto-restart": False, "exited": None,
}  # fmt: skip
_JOB_STATES = {"running": True, "not running": False, "waiting": False}
_UNIT_TIME = build_pattern(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC")
# Of a process that began as the clock was set back ps prints an age of millions of days: it is not known.
_AGE = build_pattern(r"(?:(?:(\d{1,4})-)?(\d\d):)?(\d\d):(\d\d)")
_PID_FILE_SLACK = timedelta(seconds=60)
_FIRST_PID = 1
_NO_SUCH_JOB = "could not find"


def build_sources(settings: Settings) -> Iterator[ConfiguredSource]:
    """Yield the processes, where some are named."""
    if settings[PROCESSES]:
        entries: tuple[str, ...] = settings[PROCESSES]
        location = ", ".join(entries)
        if "=launchd:" in location:
            location += " (launchd: not tried on a Mac)"
        yield ConfiguredSource("processes", PROCESSES, location, _read_processes)


def _read_processes(context: SourceContext) -> Answer:
    states: dict[str, ProcessState] = {}
    failures: dict[str, ExternalError] = {}
    for entry in context.settings[PROCESSES]:
        name, _, place = (part.strip() for part in entry.partition("="))
        supervisor, _, identifier = place.partition(":")
        try:
            states[name] = read_process(supervisor, identifier.strip(), context)
        except ExternalError as error:
            failures[name] = error
    if not states:
        first = next(iter(failures.values()))
        raise ExternalError(f"no process could be seen: {first}", reason=first.reason)
    starts: dict[str, int] = {}
    uncounted = None
    try:
        starts = _count_starts(states, context)
    except ExternalError as error:
        if error.reason != LOCKED:  # by another run, which counts them
            uncounted = str(error)
    rows = [_build_row(name, state, starts.get(name), uncounted) for name, state in states.items()]
    rows += [{"name": name, "error": str(error)} for name, error in failures.items()]
    note = "; ".join(f"{name} not seen: {error}" for name, error in failures.items())
    return Answer(rows, context.clock(), note or None)


def _build_row(name: str, state: ProcessState, starts: int | None, error: str | None) -> dict[str, Any]:
    row = {
        "name": name,
        "running": state.running,
        "pid": state.pid,
        "started_at": format_time(state.started_at) if state.started_at else None,
        "starts_recent": starts,
        "exit_code": state.exit_code,
        "error": error,
    }
    return {key: value for key, value in row.items() if value is not None}


def _count_starts(states: dict[str, ProcessState], context: SourceContext) -> dict[str, int]:
    """Return the starts of each process within the window, from what earlier runs saw on this machine."""
    now = context.clock()
    window = timedelta(seconds=context.settings[RESTART_WINDOW_SEC])
    counts: dict[str, int] = {}
    with open_observations(context.environ, "process-starts") as observations:
        stored = observations.values.get(context.settings[RUNTIME])
        by_name = stored if isinstance(stored, dict) else {}
        kept: dict[str, Any] = {}
        for name, state in states.items():
            samples = list(_iter_samples(by_name.get(name), now, window))
            sample = _build_sample(state, samples[-1] if samples else None, now)
            if samples and sample["starts"] < samples[-1]["starts"]:
                samples = []  # the supervisor counts from zero again
            if samples:
                counts[name] = sample["starts"] - samples[0]["starts"]
            kept[name] = [*samples, sample][-_MAX_SAMPLES:]
        observations.values[context.settings[RUNTIME]] = kept
    return counts


def _iter_samples(raw: Any, now: datetime, window: timedelta) -> Iterator[dict[str, Any]]:
    """Yield the samples within the window; a sample from the future is of a clock that was set back."""
    for sample in raw if isinstance(raw, list) else ():
        with suppress(InputError, TypeError, KeyError):
            if timedelta() <= now - parse_rfc3339(sample["at"]) <= window and isinstance(
                sample["starts"], int
            ):
                yield sample


def _build_sample(state: ProcessState, last: dict[str, Any] | None, now: datetime) -> dict[str, Any]:
    """Return this moment's sample; without a supervisor's count, another process id is one more start."""
    starts = state.starts
    if starts is None:
        starts = 0 if last is None else last["starts"]
        if last is not None and state.pid is not None and state.pid != last.get("pid"):
            starts += 1
    pid = state.pid if state.pid is not None or last is None else last.get("pid")
    return {"at": format_time(now), "starts": starts, "pid": pid}


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
    pid = _parse_int(values.get("MainPID"))
    if running is None and values["ActiveState"] == "activating" and pid is not None:
        running = pid > 0  # it starts, or waits for what must run before it
    return ProcessState(
        running,
        pid or None,
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
        written = parse_file_time(path.stat().st_mtime)
        pid = _parse_int(path.read_text("ascii", "replace").strip())
    except FileNotFoundError:
        if path.parent.is_dir():
            return ProcessState(running=False)
        raise ExternalError(f"there is no folder {path.parent}", reason=MISSING) from None
    except OSError as error:
        raise ExternalError(f"the pid file cannot be read: {error.strerror}", reason=UNREADABLE) from None
    if pid is None or pid <= 0:
        raise ExternalError("the pid file holds no process id", reason=UNREADABLE)
    processes = list(_iter_processes(context))
    for process in processes:
        if process.pid == pid:
            # A process that began after the file was written is another one with the same number.
            is_other = process.started_at is not None and process.started_at > written + _PID_FILE_SLACK
            return ProcessState(running=False) if is_other else process.state
    return _build_absent(processes)


def _read_command(identifier: str, context: SourceContext) -> ProcessState:
    """Return the state of a program, module or script by its name.

    Raises ExternalError where a process has the name among its arguments alone: an editor of the script, or a
    launcher that is not known.
    """
    own = {os.getpid(), os.getppid()}
    listed = list(_iter_processes(context))
    processes = [process for process in listed if process.pid not in own]
    for process in processes:
        if any(_is_named(word, identifier) for word in process.list_programs()):
            return process.state
    for process in processes:
        if any(_is_named(word, identifier) for word in process.arguments):
            program = redact_excerpt(process.arguments[0].rpartition("/")[2])
            raise ExternalError(
                f"no process is known to run it; {program} (pid {process.pid}) has it among its arguments",
                reason=MISSING,
            )
    return _build_absent(listed)


def _build_absent(processes: Iterable[_ListedProcess]) -> ProcessState:
    """Return the state of what is not listed; raises ExternalError where the list is not of all processes."""
    if not {_FIRST_PID, os.getpid()} <= {process.pid for process in processes}:
        raise ExternalError("ps does not list every process (hidepid, or cut output)", reason=UNREADABLE)
    return ProcessState(running=False)


def _is_named(word: str, name: str) -> bool:
    """Whether a word is the name: as it is, as a path's last part, or as a module's."""
    word = word.removesuffix(":")  # nginx: master process
    return name in (word, word.rpartition("/")[2], word.rpartition(".")[2])


# Programs that run another one, and their options that take a value: `python -X dev bot.py`.
_INTERPRETERS = build_pattern(
    r"-?(?:(?:python|pypy)[\d.]*|node|nodejs|deno|bun|java|ruby|perl|php|(?:ba|da|z|k)?sh|dotnet|mono|Rscript"
    r"|julia|lua)"
)
_OPTIONS_WITH_VALUE = frozenset(
    ["-X", "-W", "-cp", "-classpath", "--class-path", "-p", "--module-path", "-r", "--require", "-I"]
)
_CODE_OPTIONS = ("-c", "-e", "-")  # what follows is code


class _ListedProcess(Struct, frozen=True):
    pid: int
    started_at: datetime | None
    arguments: tuple[str, ...]

    @property
    def state(self) -> ProcessState:
        return ProcessState(True, self.pid, self.started_at)

    def list_programs(self) -> list[str]:
        """Return the program, and the script, module or class where it is known to run one."""
        program, *rest = self.arguments
        if not _INTERPRETERS.fullmatch(program.rpartition("/")[2]):
            return [program]
        words = iter(rest)
        for word in words:
            if word in _OPTIONS_WITH_VALUE:
                next(words, None)
            elif word in _CODE_OPTIONS:
                break
            elif not word.startswith("-"):
                return [program, word]
        return [program]


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
