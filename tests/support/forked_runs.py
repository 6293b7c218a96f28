"""A process that has the program loaded and forks a child for each run, with one of its outside operations at
fault.

An outside operation is one call to the kernel that leaves the process: a connection, a piece sent, a piece
read, a file synced or renamed, a piece of standard output. Each has a label: what it is, where it goes, and
its number there. The child whose plan names a label fails there, once or from there on, or is killed there
with SIGKILL. The program itself knows nothing of this: it is the calls of this process's own `socket` and
`os` that are wrapped, after the fork. A run with nothing at fault is as good without a process of its own.

One JSON object a line: in `argv`, `environ`, `now`, `ports` (port to name), `at` and `mode` (once, on, kill,
here, rehearse), `trace` (a file for the labels); out the exit code, negative for a signal.
"""

from __future__ import annotations

import errno
import gc
import json
import os
import signal
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from io import FileIO
from pathlib import Path
from typing import Any

time.sleep = lambda seconds: None  # a retry is tried again at once; before anything takes the real one

from detector.cli import main  # noqa: E402 - after the wrapping


class Faults:
    """Counts the outside operations of this process, and lets the planned one fail."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self._plan = plan
        self._numbers: Counter[str] = Counter()
        self._broken = False
        self._trace = os.open(plan["trace"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def pass_by(self, what: str, where: str, error: Callable[[], OSError]) -> None:
        """Note one operation; fail, or end, where it is the one."""
        place = f"{what} {where}"
        self._numbers[place] += 1
        label = f"{place} {self._numbers[place]}"
        os.write(self._trace, f"{label}\n".encode())
        if label == self._plan["at"]:
            if self._plan["mode"] == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            self._broken = self._plan["mode"] == "on"
            raise error()
        if self._broken:
            raise error()

    def place_of(self, sock: socket.socket, address: Any = None) -> str:
        """The name of where a socket leads."""
        port = (address or sock.getpeername())[1]
        return str(self._plan["ports"].get(str(port), port))


def refused() -> OSError:
    """What a closed port answers."""
    return ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")


def reset() -> OSError:
    """What a broken connection answers."""
    return ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")


def full() -> OSError:
    """What a full disk answers."""
    return OSError(errno.ENOSPC, "No space left on device")


def wrap(faults: Faults) -> None:
    """Put the faults in front of what this process calls from now on."""
    for name, what, error in (
        ("connect", "connect", refused),
        ("sendall", "send", reset),
        ("recv", "read", reset),
        ("recv_into", "read", reset),
    ):
        setattr(socket.socket, name, _of_a_socket(faults, what, getattr(socket.socket, name), error))
    for name, what in (("fsync", "sync"), ("replace", "rename")):
        setattr(os, name, _of_a_file(faults, what, getattr(os, name)))


def _of_a_socket(faults: Faults, what: str, call: Any, error: Callable[[], OSError]) -> Any:
    def guarded(sock: socket.socket, *given: Any) -> Any:
        address = given[0] if what == "connect" else None
        faults.pass_by(what, faults.place_of(sock, address), error)
        return call(sock, *given)

    return guarded


def _of_a_file(faults: Faults, what: str, call: Any) -> Any:
    def guarded(*given: Any) -> Any:
        faults.pass_by(what, "file", full)
        return call(*given)

    return guarded


class Out(FileIO):
    """Standard output as a file that counts its writes."""

    faults: Faults

    def write(self, data: Any) -> int:
        """Write a piece."""
        self.faults.pass_by("print", "stdout", lambda: BrokenPipeError(errno.EPIPE, "Broken pipe"))
        return super().write(data)


class Stream:
    """What `sys.stdout` is to the program: its buffer."""

    def __init__(self, buffer: Out) -> None:
        self.buffer = buffer

    def flush(self) -> None:
        """Nothing waits."""


def child(plan: dict[str, Any]) -> int:
    """Run the program once, with the plan's fault in its way."""
    faults = Faults(plan)
    out = Out(os.open(plan["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w")
    out.faults = faults
    sys.stdout = Stream(out)
    sys.stderr = Path(plan["err"]).open("w", encoding="utf-8")  # noqa: SIM115 - it ends with the process
    sys.stdin = Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115 - for the whole process
    now = datetime.fromisoformat(plan["now"])
    wrap(faults)
    return main(plan["argv"], plan["environ"], lambda: now)


def run_here(plan: dict[str, Any]) -> int:
    """Run the program in this process, with nothing at fault."""
    streams = sys.stdout, sys.stderr
    with (
        Path(os.devnull).open("w", encoding="utf-8") as out,
        Path(plan["err"]).open("w", encoding="utf-8") as err,
    ):
        sys.stdout, sys.stderr = out, err
        code = main(plan["argv"], plan["environ"], lambda: datetime.fromisoformat(plan["now"]))
    sys.stdout, sys.stderr = streams
    gc.collect()
    return code


def rehearse(plan: dict[str, Any]) -> int:
    """Run the program here, so that what it makes only once is there before the first fork."""
    code = run_here(plan)
    gc.freeze()  # a child that walks over what it shares with its parent would have to copy it
    return code


def fork(plan: dict[str, Any]) -> int:
    """Run the program once in a child, and return how it ended."""
    process = os.fork()
    if process == 0:
        code = 70
        try:
            code = child(plan)
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


HERE = {"rehearse": rehearse, "here": run_here}


def serve() -> None:
    """Run once a line, and say how it ended."""
    gc.disable()
    for line in sys.stdin:
        plan = json.loads(line)
        print(HERE.get(plan["mode"], fork)(plan), flush=True)


if __name__ == "__main__":
    serve()
