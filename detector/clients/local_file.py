"""Files of this machine that a person names: read to their end, or until a deadline where they are no files.

A log is read with the files that it was rotated into: what was written between two runs may stand there.

A pipe (`<(command)` of a shell) is read as it comes; one that nobody writes into, and a terminal, would keep
a scheduled run for ever.
"""

from __future__ import annotations

import errno
import os
import re
import select
import stat
import time
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import IO

from msgspec import Struct

from detector.formats.times import parse_file_time

_PIPE_SEC = 30.0  # a source has 10 s, all together a little more
_CHUNK_BYTES = 1024 * 1024
_WAIT_SEC = 0.05  # between two looks at a pipe that nobody has opened yet
_HEAD_BYTES = 4096  # two files that begin with the same are one and its copy
_MAX_UNPACKED = 256 * 1024 * 1024


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


class LogFile(Struct, frozen=True):
    """A log that is open for reading: its path, its status and its first bytes."""

    path: Path
    status: os.stat_result
    head: bytes
    file: IO[bytes]

    def read_newest(self, max_bytes: int, oldest: float) -> tuple[bytes, bool]:
        """Return the newest bytes, and whether there are older ones; raises OSError of the log itself.

        Files that it was rotated into are read as far back as the epoch time `oldest`.
        """
        self.file.seek(max(0, self.status.st_size - max_bytes))
        data = self.file.read(max_bytes)
        for path in self.list_rotated(oldest):
            left = max_bytes - len(data)
            if left <= 0:
                break
            with suppress(OSError):
                older = self._read_end(path, left)
                data = older.removesuffix(b"\n") + b"\n" + data if older else data
        return data, len(data) >= max_bytes

    def list_rotated(self, oldest: float) -> list[Path]:
        """Return the files that the log was rotated into since the epoch time `oldest`, the newest first.

        They are named by a number or a date behind the log's name, or by a date before its suffix.
        """
        stem, suffix = re.escape(self.path.stem), re.escape(self.path.suffix)
        behind, within = r"[._-](?:\d[\dT_.:-]*|old|bak)", r"[._-]+(?=(?:\D*\d){8})[\dT_.:-]+"
        pattern = re.compile(rf"{stem}(?:{suffix}{behind}|{within}{suffix})(?:\.gz)?")
        written: dict[Path, float] = {}
        for path in self.path.parent.iterdir():
            with suppress(OSError):
                if pattern.fullmatch(path.name) and path.stat().st_mtime >= oldest:
                    written[path] = path.stat().st_mtime
        # While one is compressed, both files are there.
        paths = [path for path in written if path.suffix != ".gz" or path.with_suffix("") not in written]
        return sorted(paths, key=lambda path: (written[path], path.name), reverse=True)

    def _read_end(self, path: Path, max_bytes: int) -> bytes:
        """Return the end of a rotated file; nothing of one that is the log itself, or its copy so far."""
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or os.path.samestat(status, self.status):
                return b""
            if path.suffix == ".gz":
                return _read_unpacked_end(file, max_bytes)
            begin, head = file.read(_HEAD_BYTES), self.head[:_HEAD_BYTES]
            if head.startswith(begin) and (
                len(begin) == _HEAD_BYTES or status.st_size <= self.status.st_size
            ):
                return b""
            file.seek(max(0, status.st_size - max_bytes))
            return file.read(max_bytes)


def _read_unpacked_end(file: IO[bytes], max_bytes: int) -> bytes:
    import gzip
    import zlib

    end, size = b"", 0
    try:
        with gzip.open(file) as unpacked:
            while part := unpacked.read(_CHUNK_BYTES):
                end, size = (end + part)[-max_bytes:], size + len(part)
                if size > _MAX_UNPACKED:
                    raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    except (EOFError, zlib.error) as error:
        raise OSError(errno.EIO, str(error)) from None
    return end
