"""The file of another program's SQLite database: its header, its log, its index, and a reader's lock.

A lock of SQLite belongs to a process, and closing any descriptor of the file releases it: only one is opened
here, and it is closed last.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from msgspec import Struct

from detector.formats.errors import CORRUPT, EMPTY, LOCKED, MISSING, UNREADABLE, ExternalError

LOCK_TIMEOUT_SEC = 1.0
LOCK_RETRY_SEC = 0.01
LOCKED_MESSAGE = f"a writer holds it locked for over {LOCK_TIMEOUT_SEC:g} s"
NO_DATABASE_MESSAGE = "it is no SQLite database, or an encrypted one"
_SIDE_FILE_SUFFIXES = ("-wal", "-shm", "-journal")
_MAGIC = b"SQLite format 3\x00"
_READ_VERSION, _WAL = 19, 2  # the byte of the header that says how it is read, and its value in WAL mode
# The lock bytes of SQLite's own protocol (os.h): a reader passes PENDING and holds a part of SHARED.
_PENDING, _SHARED_FIRST, _SHARED_SIZE = 0x40000000, 0x40000002, 510


class StoreFile(Struct, frozen=True):
    """The file of a database: its real path, its header, and a descriptor that may hold a lock."""

    path: str
    header: bytes
    descriptor: int

    @property
    def in_wal_mode(self) -> bool:
        """Whether its writers use a write-ahead log."""
        return self.header[_READ_VERSION] == _WAL

    @property
    def has_index(self) -> bool:
        """Whether the log's index exists: a process has the database open, or was killed."""
        return os.path.lexists(f"{self.path}-shm")

    @property
    def has_log(self) -> bool:
        """Whether a log exists that is not empty."""
        with suppress(FileNotFoundError):
            return Path(f"{self.path}-wal").stat().st_size > 0
        return False

    @property
    def fingerprint(self) -> tuple[int, ...]:
        """Device, inode, size and time of the file, which change when the file does."""
        file_stat = Path(self.path).stat()
        return file_stat.st_dev, file_stat.st_ino, file_stat.st_size, file_stat.st_mtime_ns

    def is_at_rest(self, fingerprint: tuple[int, ...]) -> bool:
        """Whether no process has it open, and the file still has that fingerprint."""
        return not self.has_index and not self.has_log and self.fingerprint == fingerprint


@contextmanager
def open_store_file(path: str) -> Iterator[StoreFile]:
    """Open the file under SQLite's shared lock; raises ExternalError, also for a pipe or a device."""
    real_path = os.path.realpath(path)
    try:
        descriptor = os.open(real_path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise ExternalError("there is no such file", reason=MISSING) from None
    try:
        file_stat = os.fstat(descriptor)
        if not stat.S_ISREG(file_stat.st_mode):
            raise ExternalError("it is no regular file", reason=UNREADABLE)
        if not file_stat.st_size:
            raise ExternalError("the file is empty", reason=EMPTY)
        _lock_shared(descriptor)
        header = os.pread(descriptor, 100, 0)
        if not header.startswith(_MAGIC) or len(header) <= _READ_VERSION:
            raise ExternalError(NO_DATABASE_MESSAGE, reason=CORRUPT)
        _check_side_files(real_path)
        yield StoreFile(real_path, header, descriptor)
    finally:
        # Closing it releases every lock of this process on the file: never while a connection is open.
        os.close(descriptor)


def _check_side_files(real_path: str) -> None:
    """Refuse a log or a journal that is no regular file: SQLite would open it, and wait for a pipe."""
    for suffix in _SIDE_FILE_SUFFIXES:
        with suppress(FileNotFoundError):
            if not stat.S_ISREG(Path(f"{real_path}{suffix}").stat().st_mode):
                raise ExternalError(f"what lies beside it ({suffix}) is no regular file", reason=UNREADABLE)


def _lock_shared(descriptor: int) -> None:
    """Take the shared lock in SQLite's order, so that a waiting writer is not starved."""
    until = time.monotonic() + LOCK_TIMEOUT_SEC
    while True:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB, 1, _PENDING)
            fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB, _SHARED_SIZE, _SHARED_FIRST)
        except (BlockingIOError, PermissionError):
            if time.monotonic() > until:
                raise ExternalError(LOCKED_MESSAGE, reason=LOCKED, permanent=False) from None
        else:
            return
        finally:
            fcntl.lockf(descriptor, fcntl.LOCK_UN, 1, _PENDING)
        time.sleep(LOCK_RETRY_SEC)
