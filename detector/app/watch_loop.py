"""The loop of `watch`: one tick at a time, at a cadence, until it is asked to end.

Ticks are due by the monotonic clock, so that a jump of the wall clock moves none; what a jump or a sleep
means for the conditions is the ledger's matter, which reads the times in the data.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from msgspec import Struct, field

from detector.formats.errors import InputError
from detector.formats.times import format_duration

_SLICE_SEC = 0.5  # a signal is noticed within this
_JUMP_SEC = 120.0
_LOCK_NAME = "watch.lock"


class Requests(Struct):
    """What signals asked for since the last tick."""

    ends: bool = False
    reloads: bool = False


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
            if self.requests.reloads:
                self._update_settings()
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
        took = format_duration(late + self.every_sec)
        self.report(f"The tick took {took}: {skipped} of the ticks due meanwhile skipped")
        return due + skipped * self.every_sec

    def _wait_until(self, due: float) -> None:
        while not (self.requests.ends or self.requests.reloads):
            left = due - self.clocks.monotonic()
            if left <= 0:
                return
            self.clocks.wait(min(left, _SLICE_SEC))


@contextmanager
def lock_instance(folder: Path) -> Iterator[None]:
    """Hold the only instance of this folder's runtime; raises InputError where another one runs."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(folder / _LOCK_NAME, flags, 0o600)
    except OSError as error:
        raise InputError(f"--state {folder}: {error.strerror}") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(f"--state {folder}: another `watch` runs on it") from None
        yield
    finally:
        os.close(descriptor)
