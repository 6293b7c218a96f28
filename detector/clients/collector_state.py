"""What a collector saw on this machine, kept for its next run: when it last probed, what it counted.

One small file a source below the user's state folder (XDG Base Directory), readable by its owner alone.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from msgspec import Struct, field

from detector.formats.errors import LOCKED, UNREADABLE, ExternalError

_FOLDER = "pt-health-detector"
_MAX_BYTES = 1024 * 1024


class Observations(Struct):
    """The content of the file while it is locked; `values` are written when the lock ends, or by `store`."""

    descriptor: int
    values: dict[str, Any] = field(default_factory=dict)

    def store(self) -> None:
        """Write the values now; raises ExternalError."""
        try:
            data = json.dumps(self.values).encode()
            os.pwrite(self.descriptor, data, 0)
            os.ftruncate(self.descriptor, len(data))
        except OSError as error:
            raise ExternalError(f"its state cannot be kept: {error.strerror}", reason=UNREADABLE) from None


def get_state_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder of the user's state; raises ExternalError where there is none.

    A place that is not absolute names none (XDG Base Directory specification): a unit file expands no `~`.
    """
    home = Path(environ.get("HOME") or "") / ".local" / "state"
    bases = (Path(environ.get("XDG_STATE_HOME") or ""), home)
    base = next((base for base in bases if base.is_absolute()), None)
    if base is None:
        raise ExternalError(
            "its state cannot be kept: neither XDG_STATE_HOME nor HOME is an absolute path", reason=UNREADABLE
        )
    return base / _FOLDER


@contextmanager
def open_observations(environ: Mapping[str, str], name: str) -> Iterator[Observations]:
    """Lock and read the file of that name, and write it at the end.

    Raises ExternalError where it cannot be kept, or where another process holds it. Content that cannot be
    read counts as none.
    """
    folder = get_state_folder(environ)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(folder / f"{name}.json", flags, 0o600)
    except OSError as error:
        raise ExternalError(f"its state cannot be kept: {error.strerror}", reason=UNREADABLE) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ExternalError("another process reads it at this moment", reason=LOCKED) from None
        observations = Observations(descriptor)
        with suppress(ValueError, OSError):
            content = json.loads(os.pread(descriptor, _MAX_BYTES, 0))
            observations.values = content if isinstance(content, dict) else {}
        yield observations
        observations.store()
    finally:
        os.close(descriptor)
