"""SQLite as a store of somebody else's: the one place that opens one, and it can neither write it nor leave a trace.

What SQLite itself does decides how (measured with 3.40): `mode=ro` on a database in WAL mode *makes* the `-wal` and
`-shm` files where they are missing, and leaves them behind. So it is never opened where they could be made:

- in WAL mode and in use, or left so by a crash: `mode=ro` with `readonly_shm=1`, which reads both files and writes none;
- in WAL mode and at rest (nobody has it open, the log is empty): as `immutable`, under a shared lock that keeps a
  writer that comes from ever removing its files again, so that their absence afterwards proves that none came;
- in WAL mode with a log that lost its index, or with a journal that must be played back: refused, since only a
  writer may do that;
- otherwise: `mode=ro`, whose shared lock lasts as long as the read.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from urllib.parse import quote

from detector.clients.store_file import (
    IS_LOCKED,
    IS_NO_DATABASE,
    PATIENCE_SEC,
    PAUSE_SEC,
    StoreFile,
    store_file,
)
from detector.formats.edge_error import (
    CORRUPT,
    LOCKED,
    TIMEOUT,
    TOO_LARGE,
    UNFINISHED,
    UNREADABLE,
    EdgeError,
)

Connection = sqlite3.Connection
LONGEST_HOLD_SEC = 2.0
"""How long one read may last: a writer without a log waits that long (Python's own patience is 5 s)."""
_STEPS = 1000  # instructions of SQLite's machine between two looks at the clock
_LONGEST_VALUE = 1024 * 1024
_PASSING = ("SQLITE_READONLY_CANTINIT", "SQLITE_READONLY_RECOVERY")
_MAY = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE}
_SAID = {
    "SQLITE_BUSY": (LOCKED, IS_LOCKED),
    "SQLITE_LOCKED": (LOCKED, "a writer holds it locked"),
    "SQLITE_NOTADB": (CORRUPT, IS_NO_DATABASE),
    "SQLITE_CORRUPT": (CORRUPT, "the database is corrupt"),
    "SQLITE_INTERRUPT": (TIMEOUT, "it could not be read in time"),
    "SQLITE_TOOBIG": (TOO_LARGE, "a value in it is too large"),
    "SQLITE_AUTH": (UNREADABLE, "reading it would do more than read"),
    "SQLITE_READONLY": (
        UNFINISHED,
        "a writer was cut off, and what it left must be played back or taken back first",
    ),
}


@contextmanager
def reading(path: str, seconds: float) -> Iterator[Connection]:
    """Open the database at `path` for one read transaction, all of it from one moment.

    The connection can select and nothing else, and is interrupted after `seconds` or LONGEST_HOLD_SEC. No file is
    made or left. Raises EdgeError, for what goes wrong inside too.
    """
    try:
        with store_file(path) as file:
            if file.in_wal_mode:
                with _wal_of(file, seconds) as connection:
                    yield connection
                return
        with _connected(file.path, "mode=ro&readonly_shm=1", seconds) as connection:
            yield connection
    except sqlite3.Error as error:
        raise _edge(error) from None
    except OSError as error:
        raise EdgeError(f"it cannot be read: {_strerror(error)}", reason=UNREADABLE) from None


@contextmanager
def _wal_of(file: StoreFile, seconds: float) -> Iterator[Connection]:
    if file.has_index:
        if not os.path.lexists(f"{file.path}-wal"):
            raise EdgeError("its write-ahead log is gone and its index is not", reason=UNFINISHED)
        with _connected(file.path, "mode=ro&readonly_shm=1", seconds) as connection:
            yield connection
        return
    if file.has_log:
        raise EdgeError("its write-ahead log has lost its index (-shm)", reason=UNFINISHED)
    before = file.mark
    with _connected(file.path, "mode=ro&immutable=1", seconds) as connection:
        yield connection
    if not file.rests(before):
        raise EdgeError("a writer came while it was read", reason=LOCKED, permanent=False)


@contextmanager
def _connected(path: str, how: str, seconds: float) -> Iterator[Connection]:
    """Connect with every fence up, and begin the one transaction."""
    uri = f"file://{quote(os.fsencode(path))}?{how}"  # percent-encoded: a `?` in a path adds no parameter
    end = time.monotonic() + min(seconds, LONGEST_HOLD_SEC)
    with closing(sqlite3.connect(uri, uri=True, timeout=PATIENCE_SEC, isolation_level=None)) as connection:
        for pragma in ("query_only = 1", "trusted_schema = 0", "cell_size_check = 1", "temp_store = MEMORY"):
            connection.execute(f"PRAGMA {pragma}")
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST_VALUE)
        connection.text_factory = lambda data: data.decode("utf-8", "replace")
        _begin(connection)
        connection.set_authorizer(_only_reads)
        connection.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
        yield connection


def _begin(connection: Connection) -> None:
    """Begin the transaction and read, so that its moment is now.

    For an instant after a checkpoint no mark of the log is free that a reader who writes none could stand on.
    """
    connection.execute("BEGIN")
    until = time.monotonic() + PATIENCE_SEC
    while True:
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorname not in _PASSING or time.monotonic() > until:
                raise
        else:
            return
        time.sleep(PAUSE_SEC)


def has_row_ids(connection: Connection, quoted_table: str) -> bool:
    """Whether the rows of a table have SQLite's own order; those of a table that was made without it have none."""
    try:
        connection.execute(f"SELECT rowid FROM {quoted_table} LIMIT 0")  # noqa: S608 - quoted by the caller
    except sqlite3.OperationalError:
        return False
    return True


def _only_reads(action: int, _: str | None, name: str | None, *__: str | None) -> int:
    """Allow to select, to read a column and to call a function that loads nothing."""
    calls = action == sqlite3.SQLITE_FUNCTION and name != "load_extension"
    return sqlite3.SQLITE_OK if calls or action in _MAY else sqlite3.SQLITE_DENY


def _edge(error: sqlite3.Error) -> EdgeError:
    name = str(getattr(error, "sqlite_errorname", ""))
    for known, (reason, said) in _SAID.items():
        if name.startswith(known):
            return EdgeError(said, reason=reason, permanent=reason not in (LOCKED, TIMEOUT))
    return EdgeError(f"SQLite says: {str(error) or name}", reason=UNREADABLE)


def _strerror(error: OSError) -> str:
    return (error.strerror or type(error).__name__).lower()
