"""Servers on loopback with real sockets.

Each connection is given to a behaviour, healthy or as bad as it gets.

The certificates in fixtures/tls/ are made of an authority of their own: one good, one expired, one for
another name, one that signed itself.
"""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.support.snapshots import ROOT

TLS = ROOT / "tests" / "fixtures" / "tls"
AUTHORITY = TLS / "authority.pem"
PATIENCE_SEC = 30.0  # far more than a loaded machine takes for what ends by itself
Behaviour = Callable[["Served", socket.socket, bytes], None]


@dataclass
class Served:
    """A server that runs: where, and every request that arrived there, whole."""

    address: Any
    scheme: str = "http"
    requests: list[bytes] = field(default_factory=list)
    sent: int = 0

    @property
    def url(self) -> str:
        """The server's address, without a path."""
        return f"{self.scheme}://127.0.0.1:{self.address[1]}"


@contextmanager
def serving(
    *behaviours: Behaviour, certificate: str | None = None, path: str | None = None
) -> Iterator[Served]:
    """Serve on loopback, or on the unix socket at `path`.

    One behaviour a connection, the last one from then on.
    """
    listener = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
    listener.bind(path or ("127.0.0.1", 0))
    listener.listen(64)
    served = Served(listener.getsockname(), "https" if certificate else "http")
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(TLS / f"{certificate}.pem")
    thread = threading.Thread(target=_accept, args=(listener, served, behaviours, context), daemon=True)
    thread.start()
    try:
        yield served
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(2)


def _accept(
    listener: socket.socket, served: Served, behaviours: tuple[Behaviour, ...], context: ssl.SSLContext | None
) -> None:
    number = 0
    while True:
        try:
            conn, _ = listener.accept()
        except OSError:
            return
        behave = behaviours[min(number, len(behaviours) - 1)]
        number += 1
        threading.Thread(target=_handle, args=(conn, served, behave, context), daemon=True).start()


def _handle(conn: socket.socket, served: Served, behave: Behaviour, context: ssl.SSLContext | None) -> None:
    with contextlib.suppress(OSError), contextlib.closing(conn):
        conn.settimeout(20)
        if context is not None:
            conn = context.wrap_socket(conn, server_side=True)
        request = _request(conn)
        served.requests.append(request)
        behave(served, conn, request)
        with contextlib.suppress(OSError):
            conn.shutdown(socket.SHUT_WR)
            while conn.recv(65536):
                pass
        conn.close()


def _request(conn: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data and not data.startswith(b"\x16"):  # a TLS hello has no end of its own
        piece = conn.recv(65536)
        if not piece:
            return data
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (
            int(line.split(b":")[1])
            for line in head.split(b"\r\n")
            if line.lower().startswith(b"content-length:")
        ),
        0,
    )
    while len(body) < length:
        piece = conn.recv(65536)
        if not piece:  # who asked is gone
            return b""
        body += piece
    return head + b"\r\n\r\n" + body


def reply(
    status: int, body: bytes, headers: Mapping[str, str] | None = None, length: int | None = None
) -> bytes:
    """Return a whole HTTP answer as bytes; `length` may lie."""
    lines = {"content-type": "application/json", **(headers or {})}
    lines.setdefault("content-length", str(len(body) if length is None else length))
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} Any Words\r\n{head}\r\n".encode() + body


def says(
    body: Any, status: int = 200, headers: Mapping[str, str] | None = None, after: float = 0
) -> Behaviour:
    """Answer with a body, bytes as they are or else as JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()

    def behave(served: Served, conn: socket.socket, request: bytes) -> None:
        time.sleep(after)
        conn.sendall(reply(status, data, headers))

    return behave


def sends(data: bytes) -> Behaviour:
    """Answer with exactly these bytes, HTTP or not."""

    def behave(served: Served, conn: socket.socket, request: bytes) -> None:
        conn.sendall(data)

    return behave


def hangs(after: bytes = b"") -> Behaviour:
    """Send these bytes, and then nothing until the other side gives up."""

    def behave(served: Served, conn: socket.socket, request: bytes) -> None:
        conn.sendall(after)
        with contextlib.suppress(OSError):
            while conn.recv(65536):
                pass

    return behave


def drips(data: bytes, at_once: int = 0, every: float = 0.05) -> Behaviour:
    """Send one byte at a time."""

    def behave(served: Served, conn: socket.socket, request: bytes) -> None:
        conn.sendall(data[:at_once])
        for byte in data[at_once:]:
            time.sleep(every)
            conn.sendall(bytes([byte]))

    return behave


def resets(after: bytes) -> Behaviour:
    """Send these bytes and break the connection off with a reset."""

    def behave(served: Served, conn: socket.socket, request: bytes) -> None:
        conn.sendall(after)
        time.sleep(0.05)
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        conn.close()

    return behave


def floods(megabytes: int, announced: bool) -> Behaviour:
    """Send that many megabytes of JSON white space, counting what could be sent."""

    def behave(served: Served, conn: socket.socket, request: bytes) -> None:
        length = (
            {"content-length": str(megabytes * 1024 * 1024)}
            if announced
            else {"transfer-encoding": "chunked"}
        )
        head = "".join(f"{name}: {value}\r\n" for name, value in length.items())
        conn.sendall(f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{head}\r\n".encode())
        block = b" " * 1024 * 1024
        piece = block if announced else b"100000\r\n" + block + b"\r\n"
        for _ in range(megabytes):
            conn.sendall(piece)
            served.sent += len(block)

    return behave


def bomb(megabytes: int) -> bytes:
    """Return gzip that unpacks to so many megabytes of JSON."""
    return gzip.compress(b'{"a": "' + b"0" * megabytes * 1024 * 1024 + b'"}', 9)


def redirects(to: str, status: int = 302) -> Behaviour:
    """Redirect to another address."""
    return says(b"", status, {"location": to})


def tunnel(served: Served, conn: socket.socket, request: bytes) -> None:
    """Do what CONNECT asks of a proxy."""
    host, _, port = request.split()[1].decode().rpartition(":")
    with socket.create_connection((host, int(port))) as there:
        conn.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")

        def back() -> None:
            with contextlib.suppress(OSError):
                while data := there.recv(65536):
                    conn.sendall(data)

        threading.Thread(target=back, daemon=True).start()
        while data := conn.recv(65536):
            there.sendall(data)


@contextmanager
def never_accepting() -> Iterator[str]:
    """Yield the address of a port whose queue is full: a connection to it hangs."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(0)
    waiting = [socket.socket() for _ in range(4)]
    for one in waiting:
        one.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            one.connect(listener.getsockname())
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        for one in (*waiting, listener):
            one.close()


def closed_port() -> int:
    """Return a port of loopback on which nothing listens."""
    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
