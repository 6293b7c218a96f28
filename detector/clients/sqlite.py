"""Opens the SQLite database of another program for reading, without writing to it or leaving any file.

SQLite's own behaviour (measured with 3.40) determines how: `mode=ro` on a database in WAL mode *creates*
missing `-wal` and `-shm` files and leaves them behind. Therefore it is never opened where it could do that:

- in WAL mode and in use, or left so by a crash: `mode=ro` with `readonly_shm=1` reads both, writes neither;
- in WAL mode and at rest (no process has it open, the log is empty): as `immutable`, under a shared lock. The
  lock prevents a new writer from removing its files, so that their absence afterwards proves there was none;
- in WAL mode with a log without its index, or with a journal to roll back: refused, a task for writers only;
- otherwise: `mode=ro`, whose shared lock lasts as long as the read.

A lock of SQLite belongs to a process, and closing any descriptor of the file releases it: only one is opened
here, and it is closed last.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from msgspec import Struct

from detector.formats import errors
from detector.formats.errors import ExternalError

StoreConnection = sqlite3.Connection
MAX_HOLD_SEC = 2.0
"""The longest time of one read: a writer without a log waits as long (Python's default timeout is 5 s)."""
_STEPS = 1000  # instructions of SQLite's virtual machine between two checks of the time
_MAX_VALUE_BYTES = 1024 * 1024
_TRANSIENT_ERRORS = ("SQLITE_READONLY_CANTINIT", "SQLITE_READONLY_RECOVERY")
_ALLOWED_ACTIONS = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE}
_LOCK_TIMEOUT_SEC = 1.0
_LOCK_RETRY_SEC = 0.01
_LOCKED_MESSAGE = f"a writer holds it locked for over {_LOCK_TIMEOUT_SEC:g} s"
_NO_DATABASE_MESSAGE = "it is no SQLite database, or an encrypted one"
_ERRORS = {
    "SQLITE_BUSY": (errors.LOCKED, _LOCKED_MESSAGE),
    "SQLITE_LOCKED": (errors.LOCKED, "a writer holds it locked"),
    "SQLITE_NOTADB": (errors.CORRUPT, _NO_DATABASE_MESSAGE),
    "SQLITE_CORRUPT": (errors.CORRUPT, "the database is corrupt"),
    "SQLITE_INTERRUPT": (errors.TIMEOUT, "it could not be read in time"),
    "SQLITE_TOOBIG": (errors.TOO_LARGE, "a value in it is too large"),
    "SQLITE_AUTH": (errors.UNREADABLE, "reading it would do more than read"),
    "SQLITE_READONLY": (
        errors.UNFINISHED,
        "a writer was cut off; its journal must be replayed or rolled back first",
    ),
}
_SIDE_FILE_SUFFIXES = ("-wal", "-shm", "-journal")
_MAGIC = b"SQLite format 3\x00"
_READ_VERSION, _WAL = 19, 2  # the byte of the header that says how it is read, and its value in WAL mode
# The lock bytes of SQLite's own protocol (os.h): a reader passes PENDING and holds a part of SHARED.
_PENDING, _SHARED_FIRST, _SHARED_SIZE = 0x40000000, 0x40000002, 510


@contextmanager
def open_store(path: str, seconds: float) -> Iterator[StoreConnection]:
    """Open the database at `path` for one read transaction, a consistent view of one moment.

    The connection can only select, and is interrupted after `seconds` or MAX_HOLD_SEC. It creates no file.
    Raises ExternalError, also for errors inside the `with` block.
    """
    try:
        with _open_store_file(path) as file:
            if file.in_wal_mode:
                with _open_wal(file, seconds) as connection:
                    yield connection
                return
        with _open_connection(file.path, "mode=ro&readonly_shm=1", seconds) as connection:
            yield connection
    except sqlite3.Error as error:
        raise _convert_error(error) from None
    except OSError as error:
        why = (error.strerror or type(error).__name__).lower()
        raise ExternalError(f"it cannot be read: {why}", reason=errors.UNREADABLE) from None


@contextmanager
def _open_wal(file: StoreFile, seconds: float) -> Iterator[StoreConnection]:
    if file.has_index:
        if not os.path.lexists(f"{file.path}-wal"):
            raise ExternalError("its write-ahead log is gone and its index is not", reason=errors.UNFINISHED)
        with _open_connection(file.path, "mode=ro&readonly_shm=1", seconds) as connection:
            yield connection
        return
    if file.has_log:
        raise ExternalError("its write-ahead log has lost its index (-shm)", reason=errors.UNFINISHED)
    fingerprint = file.fingerprint
    with _open_connection(file.path, "mode=ro&immutable=1", seconds) as connection:
        yield connection
    if not file.is_at_rest(fingerprint):
        raise ExternalError("a writer came while it was read", reason=errors.LOCKED, permanent=False)


@contextmanager
def _open_connection(path: str, options: str, seconds: float) -> Iterator[StoreConnection]:
    """Connect with every protection enabled, and begin the only transaction."""
    uri = f"file://{quote(os.fsencode(path))}?{options}"  # percent-encoded: a `?` in a path adds no parameter
    until = time.monotonic() + min(seconds, MAX_HOLD_SEC)
    with closing(
        sqlite3.connect(uri, uri=True, timeout=_LOCK_TIMEOUT_SEC, isolation_level=None)
    ) as connection:
        for pragma in ("query_only = 1", "trusted_schema = 0", "cell_size_check = 1", "temp_store = MEMORY"):
            connection.execute(f"PRAGMA {pragma}")
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_VALUE_BYTES)
        connection.text_factory = lambda data: data.decode("utf-8", "replace")
        _start_transaction(connection)
        connection.set_authorizer(_check_action)
        connection.set_progress_handler(lambda: time.monotonic() > until, _STEPS)
        yield connection


def _start_transaction(connection: StoreConnection) -> None:
    """Begin the transaction and read, so that its view is of now.

    For an instant after a checkpoint the log has no read mark that a read-only reader could use.
    """
    connection.execute("BEGIN")
    until = time.monotonic() + _LOCK_TIMEOUT_SEC
    while True:
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname not in _TRANSIENT_ERRORS or time.monotonic() > until:
                raise
        else:
            return
        time.sleep(_LOCK_RETRY_SEC)


def has_row_ids(connection: StoreConnection, quoted_table: str) -> bool:
    """Whether the rows of a table have SQLite's row ids; a table WITHOUT ROWID has none."""
    try:
        connection.execute(f"SELECT _rowid_ FROM {quoted_table} LIMIT 0")
    except sqlite3.OperationalError:
        return False
    return True


def _check_action(action: int, _: str | None, name: str | None, *__: str | None) -> int:
    """Allow SELECT, reading a column, and calling any function but load_extension."""
    is_call = action == sqlite3.SQLITE_FUNCTION and name != "load_extension"
    return sqlite3.SQLITE_OK if is_call or action in _ALLOWED_ACTIONS else sqlite3.SQLITE_DENY


def _convert_error(error: sqlite3.Error) -> ExternalError:
    name = str(getattr(error, "sqlite_errorname", ""))
    for prefix, (reason, message) in _ERRORS.items():
        if name.startswith(prefix):
            return ExternalError(
                message, reason=reason, permanent=reason not in (errors.LOCKED, errors.TIMEOUT)
            )
    return ExternalError(f"SQLite says: {str(error) or name}", reason=errors.UNREADABLE)


class StoreFile(Struct, frozen=True):
    """The file of a database: its real path, and its header."""

    path: str
    header: bytes

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
def _open_store_file(path: str) -> Iterator[StoreFile]:
    """Open the file under SQLite's shared lock; raises ExternalError, also for a pipe or a device."""
    real_path = os.path.realpath(path)
    try:
        descriptor = os.open(real_path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise ExternalError("there is no such file", reason=errors.MISSING) from None
    try:
        file_stat = os.fstat(descriptor)
        if not stat.S_ISREG(file_stat.st_mode):
            raise ExternalError("it is no regular file", reason=errors.UNREADABLE)
        if not file_stat.st_size:
            raise ExternalError("the file is empty", reason=errors.EMPTY)
        _lock_shared(descriptor)
        header = os.pread(descriptor, 100, 0)
        if not header.startswith(_MAGIC) or len(header) <= _READ_VERSION:
            raise ExternalError(_NO_DATABASE_MESSAGE, reason=errors.CORRUPT)
        _check_side_files(real_path, file_stat)
        yield StoreFile(real_path, header)
    finally:
        # Closing it releases every lock of this process on the file: never while a connection is open.
        os.close(descriptor)


def _check_side_files(real_path: str, owned: os.stat_result) -> None:
    """Refuse a log or a journal that is no regular file: SQLite would open it, and wait for a pipe.

    As root it gives each of them the owner of the database: refused as well where that is another one.
    """
    for suffix in _SIDE_FILE_SUFFIXES:
        with suppress(FileNotFoundError):
            side = Path(f"{real_path}{suffix}").stat()
            if not stat.S_ISREG(side.st_mode):
                raise ExternalError(
                    f"what lies beside it ({suffix}) is no regular file", reason=errors.UNREADABLE
                )
            if os.geteuid() == 0 and (side.st_uid, side.st_gid) != (owned.st_uid, owned.st_gid):
                raise ExternalError(
                    f"as root SQLite would change the owner of what lies beside it ({suffix})",
                    reason=errors.UNREADABLE,
                )


def _lock_shared(descriptor: int) -> None:
    """Take the shared lock in SQLite's order, so that a waiting writer is not starved."""
    until = time.monotonic() + _LOCK_TIMEOUT_SEC
    while True:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB, 1, _PENDING)
            fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB, _SHARED_SIZE, _SHARED_FIRST)
        except (BlockingIOError, PermissionError):
            if time.monotonic() > until:
                raise ExternalError(_LOCKED_MESSAGE, reason=errors.LOCKED, permanent=False) from None
        else:
            return
        finally:
            fcntl.lockf(descriptor, fcntl.LOCK_UN, 1, _PENDING)
        time.sleep(_LOCK_RETRY_SEC)
