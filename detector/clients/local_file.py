"""Files of this machine that a person names: read to their end, or until a deadline where they are no files.

A pipe (`<(command)` of a shell) is read as it comes; one that nobody writes into, and a terminal, would keep
a scheduled run for ever.
"""

from __future__ import annotations

import errno
import os
import select
import stat
import time
from datetime import datetime

from msgspec import Struct

from detector.formats.times import parse_file_time

_PIPE_SEC = 30.0  # a source has 10 s, all together a little more
_CHUNK_BYTES = 1024 * 1024
_WAIT_SEC = 0.05  # between two looks at a pipe that nobody has opened yet


class LocalFile(Struct, frozen=True):
    """The bytes of a file; `modified_at` is when it was written last, None of what is no regular file."""

    data: bytes
    modified_at: datetime | None = None


def read_file(path: str | os.PathLike[str], max_bytes: int, seconds: float = _PIPE_SEC) -> LocalFile:
    """Return at most `max_bytes` of a file, a pipe or a device; raises OSError, as IsADirectoryError.

    Whatever is no regular file has `seconds` to come to its end: after that it is TimeoutError.
    """
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(handle)
        if stat.S_ISREG(status.st_mode):
            modified_at = parse_file_time(status.st_mtime)
            with open(handle, "rb", closefd=False) as file:
                return LocalFile(file.read(max_bytes), modified_at)
        if stat.S_ISDIR(status.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        return LocalFile(_read_stream(handle, max_bytes, time.monotonic() + seconds))
    finally:
        os.close(handle)


def _read_stream(handle: int, max_bytes: int, ends_at: float) -> bytes:
    parts: list[bytes] = []
    left, has_writer = max_bytes, False
    while left > 0:
        wait = ends_at - time.monotonic()
        if wait <= 0:
            raise TimeoutError(errno.ETIMEDOUT, "it is no file, and it came to no end in time")
        if not select.select([handle], [], [], wait)[0]:
            continue
        try:
            part = os.read(handle, min(left, _CHUNK_BYTES))
        except BlockingIOError:
            has_writer = True
            continue
        if part:
            parts.append(part)
            left -= len(part)
        elif parts or has_writer or not stat.S_ISFIFO(os.fstat(handle).st_mode):
            break
        else:  # a named pipe without a writer yet looks as if it were at its end
            time.sleep(min(_WAIT_SEC, wait))
    return b"".join(parts)
