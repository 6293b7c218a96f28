"""Starts other programs: with fixed arguments, without shell, input or secrets, and with a time limit."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Final

from msgspec import Struct

from detector.formats.errors import MISSING, TIMEOUT, TOO_LARGE, ExternalError

INHERITED_ENVIRON: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "CI")
"""The environment variables that another program receives; no token is among them."""

_ADDED_ENVIRON: Final = {
    "NO_COLOR": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "WRANGLER_SEND_METRICS": "false",
    "npm_config_update_notifier": "false",
}
_MAX_BYTES = 8 * 1024 * 1024
_CHUNK_BYTES = 64 * 1024


class ProcessResult(Struct, frozen=True):
    """The result of a program that ended: its exit code, and its whole output on both streams."""

    exit_code: int
    output: str


def is_installed(name: str, environ: Mapping[str, str]) -> bool:
    """Whether a program of that name is on the path."""
    return shutil.which(name, path=environ.get("PATH")) is not None


def run_program(
    command: Sequence[str], folder: Path, environ: Mapping[str, str], seconds: float, **extra_environ: str
) -> ProcessResult:
    """Run a program in a folder and return its result; `extra_environ` is added to its environment.

    Raises ExternalError where it cannot be started, does not end within `seconds` or prints too much; it is
    then killed, with every process that it started.
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
    assert process.stdout is not None
    ends_at = time.monotonic() + seconds
    try:
        output = _read_output(process.stdout, ends_at, command[0])
        exit_code = process.wait(max(0.0, ends_at - time.monotonic()))
    except (TimeoutError, subprocess.TimeoutExpired):
        raise ExternalError(f"{command[0]} did not end within {seconds:g} s", reason=TIMEOUT) from None
    finally:
        _stop_group(process, process.stdout)
    return ProcessResult(exit_code, output.decode("utf-8", "replace"))


def _read_output(stream: IO[bytes], ends_at: float, name: str) -> bytes:
    """Return all that comes before the end of the stream; raises ExternalError, and TimeoutError."""
    output = bytearray()
    ready = select.poll()
    ready.register(stream, select.POLLIN)
    while (left := ends_at - time.monotonic()) > 0 and ready.poll(left * 1000):
        chunk = os.read(stream.fileno(), _CHUNK_BYTES)
        if not chunk:
            return bytes(output)
        output += chunk
        if len(output) > _MAX_BYTES:
            raise ExternalError(f"{name} printed over {_MAX_BYTES // (1024 * 1024)} MiB", reason=TOO_LARGE)
    raise TimeoutError


def _stop_group(process: subprocess.Popen[bytes], stream: IO[bytes]) -> None:
    """Kill the program and every process of its group."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    stream.close()
