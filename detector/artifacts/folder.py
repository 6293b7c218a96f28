"""The memory as plain files in one folder: a few generations, each written whole, and one run at a time."""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from detector.artifacts import local
from detector.artifacts.choice import MOST_READ, Found, newest
from detector.model.document import DocumentError
from detector.model.edge import TIMEOUT, UNREADABLE, EdgeError
from detector.model.memory import lost
from detector.readers.previous import Expected

KEPT = MOST_READ
_NAME = re.compile(r"memory-([0-9]{8,12})\.json")
_LOCK = ".lock"
_LOOK_AGAIN_SEC = 0.1


@dataclass(frozen=True, slots=True)
class Folder:
    """The folder of `run --state`: `memory-<generation>.json`, the newest KEPT of them."""

    path: Path

    @contextmanager
    def locked(self, wait_sec: float) -> Iterator[None]:
        """Hold the folder for one run, made where it is not there yet; raises EdgeError.

        Another run is waited for so long. The kernel lets go of the lock when its holder ends, however it ends.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise EdgeError(f"{self.path}: {error.strerror}", reason=UNREADABLE) from None
        try:
            self._take(handle, time.monotonic() + wait_sec)
            yield
        finally:
            os.close(handle)

    def _take(self, handle: int, until: float) -> None:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise EdgeError(f"another run holds {self.path}", reason=TIMEOUT) from None
                time.sleep(_LOOK_AGAIN_SEC)
            else:
                return

    def find(self, expected: Expected) -> Found:
        """Return the newest memory that can be used; no file at all is a first run."""
        try:
            files = self._files()
        except FileNotFoundError:
            return Found()
        except OSError as error:
            return Found(lost(f"{self.path} cannot be read ({error.strerror})"))
        return newest(((file.name, _document(file)) for file in files), expected) or Found()

    def store(self, text: str, generation: int) -> None:
        """Write this generation and keep the newest few; raises OSError, with every older one untouched.

        What stands there with a higher number could not be used, or this would not be the newest: it is kept
        aside as `.bad`, out of the way of the next run.
        """
        mine = self.path / f"memory-{generation:08d}.json"
        if mine.exists():
            local.keep_bad(mine)
        local.write(mine, text)
        with suppress(OSError):  # what is left too much is read past, and tried again
            files = self._files()
            at = files.index(mine)
            for file in files[:at]:
                _put_aside(file)
            for file in (*files[at + KEPT :], *self.path.glob(".memory-*.tmp")):
                file.unlink()

    def _files(self) -> list[Path]:
        """Return the files, the highest generation first."""
        found = {path: _NAME.fullmatch(path.name) for path in self.path.iterdir()}
        numbered = [(int(match[1]), path) for path, match in found.items() if match]
        return [path for _, path in sorted(numbered, reverse=True)]


def _put_aside(file: Path) -> None:
    bad = file.with_name(file.name + ".bad")
    if bad.exists():
        file.unlink()
    else:
        file.rename(bad)


def _document(file: Path) -> object:
    document = local.read(file)
    return DocumentError("it is gone") if document is local.ABSENT else document
