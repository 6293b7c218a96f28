"""The state folder: generations of the memory, written by one run at a time, and acknowledgements that wait.

Each is a file, written atomically.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Final
from urllib.parse import quote

from msgspec import Struct, ValidationError
from msgspec.structs import replace

from detector.domain.acknowledgement import AckDocument
from detector.domain.run_memory import build_lost_memory, mark_missing_memory
from detector.formats.errors import TIMEOUT, ExternalError, InputError
from detector.formats.patterns import build_pattern
from detector.formats.serialize import format_document, from_json, to_json
from detector.formats.strict_json import parse_document
from detector.formats.times import parse_rfc3339
from detector.readers.previous import ExpectedMemory
from detector.storage import artifact_file
from detector.storage.memory_artifact import MOST_READ, LoadedMemory, pick_newest

KEPT = MOST_READ
_MAX_NAME_LENGTH, _DIGEST_LENGTH = 100, 16  # of a runtime's name in a file's name
_RETRY_SEC = 0.1
_MOST_FILES = 200
_FILE: Final = build_pattern(r"ack-.+-[0-9a-f-]{8,64}\.json")


class StateDir(Struct, frozen=True):
    """The folder of `run --state`: `memory-<runtime>-<generation>.json`, the newest KEPT of each runtime.

    What waits or fails for one runtime concerns no other one in the folder.
    """

    path: Path

    @contextmanager
    def lock(self, runtime: str, wait_sec: float) -> Iterator[str | None]:
        """Create the folder and lock the runtime's memory in it for one run.

        Raises ExternalError where another run still has it after `wait_sec`; the kernel releases the lock
        when its holder ends. Yields why it cannot be locked, or None: a disk that cannot be written must not
        stop an alert.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            handle = os.open(self._get_lock_path(runtime), flags, 0o600)
        except OSError as error:
            yield f"{self.path} cannot be held ({error.strerror})"
            return
        try:
            yield self._wait_for_lock(handle, time.monotonic() + wait_sec)
        finally:
            os.close(handle)

    def _wait_for_lock(self, handle: int, deadline: float) -> str | None:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    raise ExternalError(
                        f"another run of this runtime holds {self.path}", reason=TIMEOUT
                    ) from None
                time.sleep(_RETRY_SEC)
            except OSError as error:  # a file system without locks
                return f"{self.path} cannot be held ({error.strerror})"
            else:
                return None

    def find(self, expected: ExpectedMemory, unwritten: str = "") -> LoadedMemory:
        """Return the newest usable memory of this runtime; a first run where there is no file.

        `unwritten` is the memory that this process could not write.
        """
        names = (encode_runtime(expected.runtime), *list_earlier_names(expected.runtime))
        try:
            files = [self._list_files(name) for name in names]
        except FileNotFoundError:
            files = [[]]
        except OSError as error:
            why = f"{self.path} cannot be read ({error.strerror})"
            return LoadedMemory(build_lost_memory(why), unavailable=why)
        own = [("this process", parse_document(unwritten.encode()))] if unwritten else []
        documents = (((file.name, _read_document(file)) for file in listed) for listed in files)
        memories = (pick_newest(chain(own, entries), expected) for entries in documents)
        loaded = next((loaded for loaded in memories if loaded is not None), LoadedMemory())
        return replace(
            loaded, memory=mark_missing_memory(loaded.memory, self._read_unstored(expected.runtime))
        )

    def store(self, text: str, runtime: str, generation: int, overwrites: bool = False) -> None:
        """Write this generation and keep the newest few; raises OSError, with every older one untouched.

        `overwrites` is whether this run wrote it before.

        What stands there with a higher number could not be used, or this would not be the newest: it is kept
        aside as `.bad`, out of the way of the next run. What is of another runtime stays as it is.
        """
        name = encode_runtime(runtime)
        path = self.path / f"memory-{name}-{generation:08d}.json"
        if path.is_dir():
            _mark_bad(path)
        elif path.exists() and not overwrites:
            artifact_file.keep_bad(path)
        try:
            artifact_file.write_atomically(path, text)
        except OSError:  # a full disk: the next run must not report that nobody looked
            with suppress(OSError, ValueError, KeyError):
                self._mark_unstored(runtime, parse_rfc3339(json.loads(text)["taken_at"]).timestamp())
            raise
        with suppress(OSError):
            self._mark_unstored(runtime, 0)
        with suppress(OSError):  # surplus files are ignored by find(), and removed by a later run
            files = self._list_files(name)
            index = files.index(path)
            for file in files[:index]:
                _mark_bad(file)
            for file in (*files[index + KEPT :], *self._list_files(name, r"\.", r"\.[0-9]+\.tmp")):
                file.unlink()

    def _get_lock_path(self, runtime: str) -> Path:
        return self.path / f".lock-{encode_runtime(runtime)}"

    def _mark_unstored(self, runtime: str, seconds: float) -> None:
        """Keep as the lock file's time when the last run looked that could not store its memory; 0: none.

        It is a whole second: that of a file that was created or copied is not.
        """
        os.utime(self._get_lock_path(runtime), (int(seconds), int(seconds)), follow_symlinks=False)

    def _read_unstored(self, runtime: str) -> datetime | None:
        with suppress(OSError):
            seconds, fraction = divmod(self._get_lock_path(runtime).lstat().st_mtime_ns, 10**9)
            return datetime.fromtimestamp(seconds, UTC) if seconds and not fraction else None
        return None

    def _list_files(self, name: str, before: str = "", after: str = "") -> list[Path]:
        """Return the files of one encoded name, highest generation first; the patterns stand around it."""
        pattern = re.compile(rf"{before}memory-{re.escape(name)}-([0-9]{{8,12}})\.json{after}")
        matches = {path: pattern.fullmatch(path.name) for path in self.path.iterdir()}
        numbered = [(int(match[1]), path) for path, match in matches.items() if match]
        return [path for _, path in sorted(numbered, reverse=True)]


def encode_runtime(runtime: str, safe: str = " ") -> str:
    """Return a runtime's name as a part of a file's name: without separators, short, and no other runtime's.

    A name that is too long (a Japanese letter takes nine) ends in its digest.
    """
    name = quote(runtime, safe=safe, errors="replace")
    if len(name) <= _MAX_NAME_LENGTH:
        return name
    digest = hashlib.sha256(runtime.encode("utf-8", "replace")).hexdigest()[:_DIGEST_LENGTH]
    return f"{name[: _MAX_NAME_LENGTH - _DIGEST_LENGTH - 1]}-{digest}"


def list_earlier_names(runtime: str, safe: str = " ") -> tuple[str, ...]:
    """Return what older versions made of the runtime's name: the first letters of one that is too long."""
    name = quote(runtime, safe=safe, errors="replace")
    return (name[:_MAX_NAME_LENGTH],) if len(name) > _MAX_NAME_LENGTH else ()


def _mark_bad(file: Path) -> None:
    bad = file.with_name(file.name + ".bad")
    if bad.exists():
        file.unlink()
    else:
        file.rename(bad)


def _read_document(file: Path) -> object:
    document = artifact_file.read_document(file)
    return InputError("it is gone") if document is artifact_file.ABSENT else document


def write_ack(folder: Path, document: AckDocument) -> Path:
    """Write one acknowledgement; raises OSError."""
    path = folder / f"ack-{encode_runtime(document.runtime)}-{document.id}.json"
    artifact_file.write_atomically(path, format_document(to_json(document)))
    return path


def read_acks(folder: Path) -> Iterator[tuple[Path, AckDocument | None]]:
    """Yield each waiting file, at most 200, with its acknowledgement, or None where it cannot be one."""
    try:
        paths = sorted(path for path in folder.iterdir() if _FILE.fullmatch(path.name))
    except OSError:
        return
    for path in paths[:_MOST_FILES]:
        try:
            yield path, from_json(AckDocument, artifact_file.read_document(path))
        except ValidationError:
            yield path, None


def remove_acks(paths: Iterable[Path]) -> None:
    """Remove files whose acknowledgements are stored; one that stays is known by its id and does nothing."""
    for path in paths:
        with suppress(OSError):
            path.unlink()
