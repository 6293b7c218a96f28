"""Documents in files: artifacts, written atomically, and recorded snapshots of a folder, NDJSON or files."""

from __future__ import annotations

import errno
import os
import select
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from detector.clients.local_file import read_file
from detector.formats.errors import InputError
from detector.formats.strict_json import MAX_BYTES, parse_document

LINE_SUFFIXES = (".ndjson", ".jsonl")
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OWNER_ONLY = 0o600
_READER_SEC = 5.0  # a person who types two commands, or a slow disk, not a reader that will not come
_READER_PAUSE_SEC = 0.02
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
_NEVER_READABLE = (errno.EISDIR, errno.ENOTDIR, errno.ELOOP, errno.EACCES, errno.EPERM, errno.ENXIO)


class UnavailableError(InputError):
    """The document could not be read this time, but may be readable the next time."""


class Absent:
    """Marks a file that does not exist: a first run."""


ABSENT = Absent()


def read_document(path: Path) -> Any:
    """Return the document, ABSENT where there is no such file, or the reason as a InputError value.

    For a file that may be readable the next time the value is an UnavailableError; a folder, a link, a
    pipe or another owner's file can never be read.
    """
    try:
        return parse_document(_read_bytes(path))
    except FileNotFoundError:
        return ABSENT
    except InputError as error:
        return error
    except OSError as error:
        kind = InputError if error.errno in _NEVER_READABLE else UnavailableError
        link = "it is a link, and links are not followed" if error.errno == errno.ELOOP else None
        return kind(link or error.strerror or type(error).__name__)


def _read_bytes(path: Path) -> bytes:
    """Return at most one byte more than a document may have; raises OSError, and waits for no writer."""
    is_stream = _is_stream(path)
    handle = os.open(path, _READ if is_stream else _READ | os.O_NOFOLLOW)
    try:
        mode = os.fstat(handle).st_mode
        if not is_stream and not stat.S_ISREG(mode):
            number = errno.EISDIR if stat.S_ISDIR(mode) else errno.ENXIO
            raise OSError(number, os.strerror(number))
        os.set_blocking(handle, True)
        with os.fdopen(handle, "rb", closefd=False) as file:
            return file.read(MAX_BYTES + 1)
    finally:
        os.close(handle)


def _is_stream(path: Path) -> bool:
    """Return whether the path is a stream that the caller opened, such as /dev/stdin or /dev/fd/63."""
    return path.parts[:2] == (os.sep, "dev")


def keep_bad(path: Path) -> None:
    """Copy an unusable file to `.bad` beside it; best effort, over no existing copy and through no link."""
    bad = path.with_name(path.name + ".bad")
    with suppress(OSError):
        if path.is_symlink() or not path.is_file():
            return
        try:
            os.link(path, bad)
        except FileExistsError:
            return
        except OSError:  # a file system without hard links
            with os.fdopen(os.open(bad, _CREATE, _OWNER_ONLY), "wb") as file:
                file.write(_read_bytes(path))


def write_atomically(path: Path, text: str) -> None:
    """Write the file atomically: a temporary file in the same folder, fsync, rename, fsync of the folder.

    The file is created exclusively, follows no link and is readable by its owner alone. Raises OSError; the
    old file is then unchanged. A pipe or device such as /dev/null is written directly: a rename would replace
    it with a file.
    """
    if (_is_stream(path) or not path.is_symlink()) and path.exists() and not path.is_file():
        write_stream(path, text)
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with suppress(FileNotFoundError):
        temporary.unlink()  # of an earlier process with the same id, or put there: never followed
    try:
        with os.fdopen(os.open(temporary, _CREATE, _OWNER_ONLY), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    _write_folder_to_disk(path.parent)


def write_stream(path: Path | str, text: str, flags: int = 0) -> None:
    """Write a text into a file, a pipe or a device; `flags` are those of `os.open` beside write only.

    Raises OSError, TimeoutError where nobody read the pipe for some seconds.
    """
    handle = _open_stream(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | flags)
    ready = select.poll()
    ready.register(handle, select.POLLOUT)
    left = memoryview(text.encode())
    try:
        while left:
            if not ready.poll(_READER_SEC * 1000):
                raise _build_timeout()
            left = left[os.write(handle, left) :]
    finally:
        os.close(handle)


def _open_stream(path: Path | str, flags: int) -> int:
    """Open it; a pipe's reader may come a little later than its writer."""
    deadline = time.monotonic() + _READER_SEC
    while True:
        try:
            return os.open(path, flags, _OWNER_ONLY)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            if time.monotonic() >= deadline:
                raise _build_timeout() from None
        time.sleep(_READER_PAUSE_SEC)


def _build_timeout() -> TimeoutError:
    return TimeoutError(errno.ETIMEDOUT, "nobody reads the pipe")


def _write_folder_to_disk(folder: Path) -> None:
    with suppress(OSError):  # some file systems cannot sync a folder; the rename itself is done
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def read_recordings(paths: Sequence[Path]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (location, snapshot) for every document, in the given order; a folder's files by name.

    For an artifact that is its stored snapshot. Raises InputError with the location, or with the path of what
    cannot be read.
    """
    for path in paths:
        try:
            for file in _list_files(path):
                yield from _read_snapshots(file)
        except OSError as error:  # one of a read names no file
            raise InputError(f"{error.filename or path}: {error.strerror}") from None


def _read_snapshots(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for location, data in read_parts(file, file.name):
        try:
            yield location, _get_snapshot(parse_document(data))
        except InputError as error:
            raise InputError(f"{location}: {error}") from None


def _list_files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    suffixes = (".json", *LINE_SUFFIXES)
    return sorted(entry for entry in path.iterdir() if entry.suffix in suffixes and entry.is_file())


def read_parts(file: Path, name: str) -> Iterator[tuple[str, bytes]]:
    """Yield the bytes of a file and their location: of NDJSON each line, else the whole; raises OSError."""
    if file.suffix not in LINE_SUFFIXES or not file.is_file():
        yield name, read_file(file, MAX_BYTES + 1).data
        return
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield f"{name} line {number}", line


def _get_snapshot(document: dict[str, Any]) -> dict[str, Any]:
    if "schema_version" not in document:
        return document
    snapshot = document.get("snapshot")
    if not isinstance(snapshot, dict):
        raise InputError("the artifact holds no snapshot (AEGIS_PT_ARTIFACT=ledger leaves it out)")
    if "cut" in snapshot:
        raise InputError("the artifact's snapshot was cut, so that it cannot be replayed")
    return snapshot
