"""Starts other programs: with fixed arguments, without shell, input or secrets, and with a time limit."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec import Struct

from detector.formats.errors import MISSING, TIMEOUT, ExternalError

INHERITED_ENVIRON: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "CI")
"""The environment variables that another program receives; no token is among them."""

_ADDED_ENVIRON: Final = {
    "NO_COLOR": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "WRANGLER_SEND_METRICS": "false",
    "npm_config_update_notifier": "false",
}
_MAX_BYTES = 8 * 1024 * 1024


class ProcessResult(Struct, frozen=True):
    """The result of a program that ended: its exit code, and the end of its output on both streams."""

    exit_code: int
    output: str


def is_installed(name: str, environ: Mapping[str, str]) -> bool:
    """Whether a program of that name is on the path."""
    return shutil.which(name, path=environ.get("PATH")) is not None


def run_program(
    command: Sequence[str], folder: Path, environ: Mapping[str, str], seconds: float, **extra_environ: str
) -> ProcessResult:
    """Run a program in a folder and return its result; `extra_environ` is added to its environment.

    Raises ExternalError where it cannot be started or does not end within `seconds`; it is then killed, with
    every process that it started.
    """
    inherited = {name: environ[name] for name in INHERITED_ENVIRON if name in environ}
    try:
        process = subprocess.Popen(  # noqa: S603 - fixed arguments, and no shell
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
    """Kill the program and every process of its group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()
