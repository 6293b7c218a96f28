"""The loop of `watch`: one tick at a time, at a cadence, until it is asked to end.

Ticks are due by the monotonic clock, so that a jump of the wall clock moves none; what a jump or a sleep
means for the conditions is the ledger's matter, which reads the times in the data.
"""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from msgspec import Struct, field

from detector.app.context import AppContext
from detector.clients.collector_state import get_state_folder
from detector.formats.errors import ExternalError, InputError
from detector.formats.strict_json import to_one_line
from detector.formats.times import format_duration, format_utc
from detector.settings import RUNTIME
from detector.storage.state_dir import encode_runtime

_SLICE_SEC = 0.5  # a signal is noticed within this
_JUMP_SEC = 120.0
_HOLDER = re.compile(r"([0-9]{1,10}) ([0-9TZUC :.+-]{20,40})\n", re.ASCII)
_MAX_HOLDER_BYTES = 100


class Requests(Struct):
    """What signals asked for since the last tick."""

    ends: bool = False
    reloads: bool = False


class TickLines(Struct):
    """The lines on stderr of a watch: what the tick before printed too is not repeated.

    On a terminal the next screen would wipe out a line that stands alone: there each tick's lines wait for
    its end, and stand below its screen.
    """

    app: AppContext
    waits: bool
    before: frozenset[str] = frozenset()
    lines: list[str] = field(default_factory=list)

    def print_line(self, line: str) -> None:
        """Print a line that stands for itself, however often it comes."""
        if self.waits:
            self.lines.append(line)
        else:
            self.app.print_stderr(line)

    def print_changed(self, line: str) -> None:
        """Print a line of a tick, where it is not that of the tick before."""
        if not self.waits and line not in self.before and line not in self.lines:
            self.app.print_stderr(line)
        self.lines.append(line)

    def close_tick(self) -> None:
        """Mark the end of a tick."""
        for line in self.lines if self.waits else ():
            self.app.print_stderr(line)
        self.before = frozenset(self.lines)
        self.lines.clear()


class WatchContext(AppContext, frozen=True, kw_only=True):
    """The context of a tick: its lines on stderr are those of the watch."""

    tick_lines: TickLines

    def remove_hidden(self, text: str) -> str:
        """Return the screen as it is: it moves the cursor itself, and each text in it is a line."""
        return text

    def print_stderr(self, line: str) -> None:
        """Print a line that the tick before did not print."""
        self.tick_lines.print_changed(line)


class WatchClocks(Struct, frozen=True):
    """The wall clock, the monotonic clock, and how to wait; tests replace all three."""

    wall: Callable[[], datetime]
    monotonic: Callable[[], float] = time.monotonic
    wait: Callable[[float], None] = time.sleep


class WatchLoop(Struct):
    """Runs `tick` every `every_sec` seconds; `reload` reads the settings again, `report` prints one line.

    `max_ticks` ends the loop after so many ticks; None is never.
    """

    tick: Callable[[], None]
    reload: Callable[[], None]
    report: Callable[[str], None]
    clocks: WatchClocks
    every_sec: float
    max_ticks: int | None = None
    requests: Requests = field(default_factory=Requests)

    def run(self) -> None:
        """Tick until SIGTERM or SIGINT; a tick under way is finished first."""
        due = self.clocks.monotonic()
        last: tuple[datetime, float] | None = None
        ticks = 0
        while not self.requests.ends:
            last = self._check_clock(last)
            self.tick()
            ticks += 1
            if self.max_ticks is not None and ticks >= self.max_ticks:
                return
            due = self._find_next_due(due)
            self._wait_until(due)

    def _update_settings(self) -> None:
        """Read the settings again; those that cannot be used leave the old ones in force."""
        self.requests.reloads = False
        try:
            self.reload()
        except InputError as error:
            self.report(f"SIGHUP: the settings stay as they were: {'; '.join(error.lines)}")
        else:
            self.report("SIGHUP: the settings were read again")

    def _check_clock(self, last: tuple[datetime, float] | None) -> tuple[datetime, float]:
        now = self.clocks.wall(), self.clocks.monotonic()
        if last is not None:
            jump_sec = (now[0] - last[0]).total_seconds() - (now[1] - last[1])
            if abs(jump_sec) >= _JUMP_SEC:
                direction = "ahead" if jump_sec > 0 else "back"
                self.report(
                    f"The clock moved {direction} by {format_duration(abs(jump_sec))} since the last tick:"
                    " it was set, or this machine slept"
                )
        return now

    def _find_next_due(self, due: float) -> float:
        """Return when the next tick is due; ticks that passed meanwhile are skipped and reported."""
        due += self.every_sec
        late = self.clocks.monotonic() - due
        if late < 0:
            return due
        skipped = int(late // self.every_sec) + 1
        passed = format_duration(late + self.every_sec)
        self.report(
            f"{passed} passed since the last tick was due: {skipped} of the ticks due meanwhile skipped"
        )
        return due + skipped * self.every_sec

    def _wait_until(self, due: float) -> None:
        while not self.requests.ends:
            if self.requests.reloads:
                self._update_settings()
            left = due - self.clocks.monotonic()
            if left <= 0:
                return
            self.clocks.wait(min(left, _SLICE_SEC))


@contextmanager
def lock_instance(runtime: str, folder: Path, now: datetime) -> Iterator[str | None]:
    """Hold the only instance of the runtime in this folder.

    Raises InputError where another one runs, with its process and since when. Yields why the folder cannot be
    locked, or None: a disk that cannot be written must not end the watch.
    """
    path = folder / f"watch-{encode_runtime(runtime)}.lock"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        yield _describe_fault(folder, error)
        return
    try:
        yield _lock(descriptor, runtime, folder, now)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, runtime: str, folder: Path, now: datetime) -> str | None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise InputError(_describe_holder(runtime, descriptor)) from None
    except OSError as error:  # a file system without locks
        return _describe_fault(folder, error)
    with suppress(OSError):  # a full disk: it is held all the same
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()} {format_utc(now)}\n".encode(), 0)
    return None


def get_user_folder(environ: Mapping[str, str], state: Path) -> Path | None:
    """Return where an instance is locked for its user, whatever its `--state`; None: nowhere."""
    with suppress(ExternalError, OSError):  # of the latter: a relative folder where the current one is gone
        folder = get_state_folder(environ)
        # Not Path.resolve, which raises for a loop of links.
        return None if os.path.realpath(folder) == os.path.realpath(state) else folder
    return None


def _describe_fault(folder: Path, error: OSError) -> str:
    return f"{folder} cannot be locked ({error.strerror}): a second `watch` of this runtime is not noticed"


def _describe_holder(runtime: str, descriptor: int) -> str:
    text = os.pread(descriptor, _MAX_HOLDER_BYTES, 0).decode("ascii", "replace")
    holder = _HOLDER.fullmatch(text)
    who = f"process {holder[1]}, since {holder[2]}" if holder else "another process of this user"
    return (
        f"{to_one_line(runtime)!r} is watched already: {who}."
        f" End that one, or name another runtime in {RUNTIME.name}"
    )
