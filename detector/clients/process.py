"""The one room that starts another program: named words, no shell, no input, no secret, and an end."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from detector.formats.errors import MISSING, TIMEOUT, ExternalError

INHERITED_ENVIRON: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "CI")
"""All of the environment that another program is given. No token is among it, so none can be used or shown."""

_ADDED_ENVIRON: Final = {
    "NO_COLOR": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "WRANGLER_SEND_METRICS": "false",
    "npm_config_update_notifier": "false",
}
_MAX_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class ProcessResult:
    """What a program that ended left: its exit code, and the end of what it printed on either stream."""

    exit_code: int
    output: str


def is_installed(name: str, environ: Mapping[str, str]) -> bool:
    """Whether a program of that name is on the path."""
    return shutil.which(name, path=environ.get("PATH")) is not None


def run_program(
    command: Sequence[str], folder: Path, environ: Mapping[str, str], seconds: float, **extra_environ: str
) -> ProcessResult:
    """Run a program in a folder and return what it left; `more` is added to its environment.

    Raises ExternalError where it cannot be started, or does not end within `seconds`: then all that it started ends too.
    """
    inherited = {name: environ[name] for name in INHERITED_ENVIRON if name in environ}
    try:
        process = subprocess.Popen(  # noqa: S603 - words of our own, and no shell
            [shutil.which(command[0], path=environ.get("PATH")) or command[0], *command[1:]],
            cwd=folder,
            env={**inherited, **_ADDED_ENVIRON, **extra_environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise ExternalError(f"{command[0]} cannot be started: {error.strerror}", reason=MISSING) from None
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        raise ExternalError(f"{command[0]} did not end within {seconds:g} s", reason=TIMEOUT) from None
    finally:
        _stop_group(process)
    return ProcessResult(process.returncode, output[-_MAX_BYTES:].decode("utf-8", "replace"))


def _stop_group(process: subprocess.Popen[bytes]) -> None:
    """End the program and all that it started: it leads a group of its own."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()
