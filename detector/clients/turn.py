"""A turn at something that may not be read too often: one process at a time, and a pause between two.

The time of the last turn stands in a file of this program's own, so that it holds across processes.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from detector.clients.connection import Deadline
from detector.formats.errors import THROTTLED, UNREADABLE, ExternalError

_FOLDER_VARIABLES = ("XDG_RUNTIME_DIR", "TMPDIR")
_DEFAULT_FOLDER = "/tmp"  # noqa: S108 - the file is opened as ours, not as a link, and holds only a time
_MAX_WAIT_SEC = 3.0  # a schedule of once a minute is not exact
_MAX_BYTES = 64


@contextmanager
def lock_turn(
    subject: str,
    pause_sec: float,
    environ: Mapping[str, str],
    clock: Callable[[], datetime],
    deadline: Deadline,
) -> Iterator[None]:
    """Hold the turn at `subject`, up to 3 s after the call where that completes the pause.

    Raises ExternalError where another process has it, or had it less than `pause_sec` ago.
    """
    descriptor = _open_turn_file(subject, environ)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ExternalError("another process of this program is reading it", reason=THROTTLED) from None
        _wait_for_pause(_read_last(descriptor), pause_sec, clock, deadline)
        os.pwrite(descriptor, f"{clock().timestamp():<32f}".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _wait_for_pause(
    last: float | None, pause_sec: float, clock: Callable[[], datetime], deadline: Deadline
) -> None:
    elapsed = pause_sec if last is None else clock().timestamp() - last
    if not 0 <= elapsed < pause_sec:  # a time in the future is of another clock
        return
    rest = pause_sec - elapsed
    if rest > min(_MAX_WAIT_SEC, deadline.get_remaining() / 2):
        raise ExternalError(
            f"it was asked {elapsed:.0f} s ago, and is asked every {pause_sec:g} s at most", reason=THROTTLED
        )
    time.sleep(rest)


def _open_turn_file(subject: str, environ: Mapping[str, str]) -> int:
    folder = next((environ[name] for name in _FOLDER_VARIABLES if environ.get(name)), _DEFAULT_FOLDER)
    digest = hashlib.sha256(subject.encode()).hexdigest()[:16]
    path = Path(folder) / f"pt-health-detector-{os.geteuid()}-{digest}.turn"
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise ExternalError(
            f"when it was last asked cannot be noted in {folder} ({error.strerror}); "
            "name a folder of this user in XDG_RUNTIME_DIR",
            reason=UNREADABLE,
        ) from None
    file_stat = os.fstat(descriptor)
    if not stat.S_ISREG(file_stat.st_mode) or file_stat.st_uid != os.geteuid():
        os.close(descriptor)
        raise ExternalError(f"{path.name} in {folder} is another user's", reason=UNREADABLE)
    return descriptor


def _read_last(descriptor: int) -> float | None:
    try:
        return float(os.pread(descriptor, _MAX_BYTES, 0))
    except ValueError:
        return None
