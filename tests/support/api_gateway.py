"""A gateway on loopback that speaks the first messages of the TWS API, healthy, silent, refusing or half
open.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

Manner = Literal["healthy", "silent", "refusing", "half open", "garbage", "cut short"]
_VERSION = 178


@dataclass
class ApiGateway:
    """A gateway that runs: its port, how it answers, and what each client sent it."""

    port: int
    manner: Manner = "healthy"
    received: list[bytes] = field(default_factory=list)
    kept: list[socket.socket] = field(default_factory=list)


@contextmanager
def api_gateway(manner: Manner = "healthy") -> Iterator[ApiGateway]:
    """Serve the API on loopback until the end of the block."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    gateway = ApiGateway(listener.getsockname()[1], manner)
    thread = threading.Thread(target=_accept, args=(listener, gateway), daemon=True)
    thread.start()
    try:
        yield gateway
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(2)
        for conn in gateway.kept:
            conn.close()


def _accept(listener: socket.socket, gateway: ApiGateway) -> None:
    while True:
        try:
            conn, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_serve, args=(conn, gateway), daemon=True).start()


def _serve(conn: socket.socket, gateway: ApiGateway) -> None:
    conn.settimeout(10)
    with contextlib.suppress(OSError):
        if gateway.manner == "refusing":
            conn.close()
            return
        gateway.received.append(conn.recv(4096))
        if gateway.manner == "silent":
            conn.recv(1)
        elif gateway.manner == "garbage":
            conn.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        elif gateway.manner == "cut short":
            conn.sendall(struct.pack(">I", 40) + b"178")
        else:
            conn.sendall(_frame(f"{_VERSION}", "20260602 11:00:00 中国标准时间"))
            if gateway.manner == "half open":
                gateway.kept.append(conn)  # it never closes: its side would stay in CLOSE_WAIT
                return
            _serve_client(conn, gateway)
        conn.close()


def _serve_client(conn: socket.socket, gateway: ApiGateway) -> None:
    """Answer startApi with the account and the next order id, and any other request with silence."""
    while data := conn.recv(4096):
        gateway.received.append(data)
        if b"71\x002\x00" in data:
            conn.sendall(_frame("15", "1", "DU1234567") + _frame("9", "1", "1"))


def _frame(*fields: str) -> bytes:
    body = "".join(f"{text}\0" for text in fields).encode("gbk")
    return struct.pack(">I", len(body)) + body
