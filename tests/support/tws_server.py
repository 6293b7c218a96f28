"""A gateway on loopback that speaks the TWS API.

The bytes that ib_async reads, healthy or as bad as they get.

Formats: ib_async 2.1's decoder; a message is its length, four bytes with the highest first, and NUL-ended
fields.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

UNSET = "1.7976931348623157E308"
SPY = ("756733", "SPY", "STK", "", "0", "", "", "", "USD", "SPY", "SPY")
SPXW = ("700", "SPX", "OPT", "20260619", "6000", "C", "100", "", "USD", "SPXW  260619C06000000", "SPXW")
Fields = list[Any]


def position(account: str, contract: tuple[str, ...], quantity: float, cost: float = 0.0) -> Fields:
    return [61, 3, account, *contract, quantity, cost]


def account_value(account: str, tag: str, value: str) -> Fields:
    """Return a value; the gateway sets the request id."""
    return [73, 1, "REQ", account, "", tag, value, "USD"]


def open_order(
    version: int, contract: tuple[str, ...] = SPY, legs: tuple[str, ...] = (), **more: Any
) -> Fields:
    """Return an order as `openOrder` carries it at that server version."""
    row = {
        "order_id": 5, "action": "SELL", "quantity": 39, "kind": "STP", "oca": "", "account": "DU1234567",
        "client": 1, "perm": 901, "parent": 0, "model": "", "group": "", "status": "Submitted", **more,
    }  # fmt: skip
    fields: Fields = [
        5,
        row["order_id"],
        *contract,
        row["action"],
        row["quantity"],
        row["kind"],
        "0.0",
        "5.5",
    ]
    fields += ["GTC", row["oca"], row["account"], "", 0, "ref", row["client"], row["perm"], 0, 0, "0", "", ""]
    fields += [
        row["group"],
        "",
        "",
        *([""] if version < 177 else []),
        row["model"],
        "",
        "",
        UNSET,
        "",
        0,
        "",
        -1,
    ]
    fields += [0, UNSET, UNSET, UNSET, UNSET, UNSET, 0, 0, 0, 0, "", 3 if row["oca"] else 0, 0, 0, UNSET]
    fields += [row["parent"], 0, UNSET, 0, "", UNSET, 0, 0, UNSET, UNSET, UNSET, "", "", len(legs)]
    for con_id in legs:
        fields += [con_id, 1, "BUY", "SMART", 0, 0, "", -1]
    fields += [0, 0, "", "", UNSET, "", 0, "", "", 0, 0, "", 0, 0, row["status"], *[UNSET] * 9]
    fields += [UNSET, UNSET, UNSET, "", "", 0, 0, 0, "", UNSET, UNSET, UNSET, UNSET, UNSET, UNSET, 0]
    fields += ["", "", "", "0", 0, 0, 0, 0, *([""] if version >= 159 else [])]
    fields += [*([""] if version >= 160 else []), *([0] if version >= 162 else [])]
    return fields + (["", "", "", "", ""] if version >= 170 else [])


def order_status(order_id: int = 5, filled: float = 0, remaining: float = 39, **more: Any) -> Fields:
    row = {"status": "Submitted", "perm": 901, "client": 1, "held": "", **more}
    return [
        3,
        order_id,
        row["status"],
        filled,
        remaining,
        0.0,
        row["perm"],
        0,
        0.0,
        row["client"],
        row["held"],
        0.0,
    ]


def execution(
    version: int, exec_id: str = "0000e.1.01.01", contract: tuple[str, ...] = SPY, **more: Any
) -> Fields:
    """Return an execution; the gateway sets the request id."""
    row = {"order_id": 5, "time": "20260602 09:40:00 US/Central", "account": "DU1234567", "side": "SLD", "client": 1,
           "shares": 39, "price": 6.46, "perm": 901, "model": "", **more}  # fmt: skip
    fields = [
        11,
        "REQ",
        row["order_id"],
        *contract[:7],
        "CBOE",
        *contract[8:],
        exec_id,
        row["time"],
        row["account"],
    ]
    fields += ["CBOE", row["side"], row["shares"], row["price"], row["perm"], row["client"], 0, row["shares"]]
    fields += [row["price"], "ref", "", "", row["model"], 1]
    return fields + ([0] if version >= 178 else [])


def commission(exec_id: str = "0000e.1.01.01", realized: str = UNSET) -> Fields:
    return [59, 1, exec_id, "1.25", "USD", realized, "", ""]


@dataclass
class Gateway:
    """What the gateway holds and how it behaves.

    `before` are messages that it sends ahead of the answer to a message id, `silent` the ids that it never
    answers, `raw` what it sends instead of an answer; `closes_on` ends the connection at an id.
    """

    accounts: str = "DU1234567"
    version: int = 178
    positions: list[Fields] = field(default_factory=list)
    orders: list[Fields] = field(default_factory=list)
    executions: list[Fields] = field(default_factory=list)
    values: list[Fields] = field(default_factory=list)
    before: dict[int, list[Fields]] = field(default_factory=dict)
    raw: dict[int, bytes] = field(default_factory=dict)
    silent: frozenset[int] = frozenset()
    closes_on: int | None = None
    closes_at_end: bool = True
    received: list[list[str]] = field(default_factory=list)
    connections: int = 0
    address: str = ""

    def answer(self, message: list[str]) -> list[Fields]:
        """Return the messages that answer one request."""
        kind = int(message[0])
        request_id = message[2] if len(message) > 2 else ""
        lists: dict[int, list[Fields]] = {
            71: [[15, 1, self.accounts], [9, 1, 1]],
            61: [*self.positions, [62, 1]],
            16: [*self.orders, [53, 1]],
            7: [*self.executions, [55, 1, request_id]],
            76: [*(row for row in self.values if row[3] == message[3:4][0]), [74, 1, request_id]]
            if kind == 76
            else [],
        }
        rows = [] if kind in self.silent else lists[kind]
        return [
            [request_id if cell == "REQ" else cell for cell in row]
            for row in (*self.before.get(kind, ()), *rows)
        ]


@contextmanager
def gateway_on_loopback(gateway: Gateway) -> Iterator[Gateway]:
    """Serve the gateway on a free port; `address` says where."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    gateway.address = f"127.0.0.1:{listener.getsockname()[1]}"
    kept: list[socket.socket] = []
    threading.Thread(target=_accept, args=(listener, gateway, kept), daemon=True).start()
    try:
        yield gateway
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        for sock in (listener, *kept):
            sock.close()


def _accept(listener: socket.socket, gateway: Gateway, kept: list[socket.socket]) -> None:
    while True:
        try:
            conn, _ = listener.accept()
        except OSError:
            return
        gateway.connections += 1
        threading.Thread(target=_serve, args=(conn, gateway, kept), daemon=True).start()


def _serve(conn: socket.socket, gateway: Gateway, kept: list[socket.socket]) -> None:
    conn.settimeout(20)
    with contextlib.suppress(OSError, ValueError, IndexError):
        _talk(conn, gateway)
    if gateway.closes_at_end:
        conn.close()
    else:  # the end of the other side is read and the own one is never sent: CLOSE_WAIT
        kept.append(conn)


def _talk(conn: socket.socket, gateway: Gateway) -> None:
    stream = conn.makefile("rb")
    assert stream.read(4) == b"API\0"
    _read_frame(stream)
    if 0 in gateway.raw:
        conn.sendall(gateway.raw[0])
    elif 0 not in gateway.silent:
        conn.sendall(encode([gateway.version, "20260602 15:00:00 UTC"]))
    while True:
        message = _read_frame(stream)
        gateway.received.append(message)
        kind = int(message[0])
        if kind in gateway.raw:
            conn.sendall(gateway.raw[kind])
            continue
        conn.sendall(b"".join(encode(row) for row in gateway.answer(message)))
        if kind == gateway.closes_on:
            return


def encode(fields: Fields) -> bytes:
    """Return one message as it travels."""
    body = "".join(f"{cell}\0" for cell in fields).encode()
    return struct.pack(">I", len(body)) + body


def _read_frame(stream: Any) -> list[str]:
    head = stream.read(4)
    if len(head) < 4:
        raise ValueError("the end")
    return stream.read(struct.unpack(">I", head)[0]).decode().split("\0")[:-1]
