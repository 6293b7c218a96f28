"""ib_async with all refused that this program does not need: by method, and by message id before bytes leave.

Imported only where TWS is read: ib_async is the optional extra `[ibkr]`. What is not listed here is refused,
so that what a later ib_async brings is refused too. `readonly=True` of ib_async is no fence: it only leaves
out two requests at the start, and placeOrder still sends.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable
from typing import Any, Final, NoReturn

from ib_async import IB, IBDefaults
from ib_async.client import Client
from ib_async.connection import Connection
from ib_async.decoder import Decoder
from ib_async.wrapper import Wrapper

from detector.formats.errors import CLIENT_ID, FORBIDDEN, LINK_DOWN, TOO_LARGE, UNREADABLE, ExternalError
from detector.formats.patterns import build_pattern

# Outgoing message ids of the TWS API (ibapi message.py, OUT). Each only lists, or ends a list.
ALLOWED_MESSAGES: Final = {
    71: "startApi",
    61: "reqPositions",
    16: "reqAllOpenOrders",
    7: "reqExecutions",
    76: "reqAccountUpdatesMulti",
}
ALLOWED_CALLS: Final = frozenset(
    {
        "reqPositionsAsync", "reqAllOpenOrdersAsync", "reqExecutionsAsync", "reqAccountUpdatesMultiAsync",
        "disconnect",
    }
)  # fmt: skip
ALLOWED_CLIENT_CALLS: Final = frozenset(
    {
        "connectAsync", "disconnect", "reset", "startApi", "send", "sendMsg", "getReqId", "updateReqId",
        "getAccounts", "isConnected", "isReady", "serverVersion", "reqPositions", "reqAllOpenOrders",
        "reqExecutions", "reqAccountUpdatesMulti",
    }
)  # fmt: skip
MAX_BYTES: Final = 8 * 1024 * 1024
_HANDSHAKE = build_pattern(rb"API\0\0\0\0[\x01-\x40]v\d+\.\.\d+")
_PREFIX, _START_API, _START_API_FIELDS = 4, 71, 5
_CLIENT_ID_IN_USE, _LINK_DOWN_CODES = 326, (1100, 1300, 2110)
_STATUS, _EXECUTION = 3, 11  # incoming message ids: orderStatus, execDetails
# Incoming messages that are asked for: one that cannot be decoded leaves a hole in a list.
_AWAITED = frozenset({3, 4, 5, 9, 11, 15, 53, 55, 61, 62, 73, 74})
# The fields of those that ib_async decodes without a check.
_SHORTEST = {3: 12, 53: 2, 55: 3, 62: 2, 73: 8, 74: 3}


def check_frame(data: bytes) -> None:
    """Return where the bytes are the handshake or one allowed message; raises ExternalError."""
    if _HANDSHAKE.fullmatch(data):
        return
    fields = data[4:].split(b"\0")
    is_frame = len(data) > _PREFIX and data[:4] == struct.pack(">I", len(data) - 4) and data.endswith(b"\0")
    message_id = int(fields[0]) if is_frame and fields[0].isdigit() else None
    if message_id not in ALLOWED_MESSAGES or str(message_id).encode() != fields[0]:
        raise ExternalError(f"message {message_id} is never sent to TWS", reason=FORBIDDEN)
    # Client id 0 binds the orders that a person enters in TWS: it is not one that only reads.
    if message_id == _START_API and (len(fields) != _START_API_FIELDS or fields[2].strip(b"0") == b""):
        raise ExternalError("client id 0 is never used", reason=FORBIDDEN)


class FencedTransport:
    """asyncio's transport, which sends allowed messages only."""

    def __init__(self, transport: asyncio.WriteTransport) -> None:
        self._transport = transport

    def write(self, data: bytes) -> None:
        """Send one message; raises ExternalError where it is none of the allowed ones."""
        check_frame(data)
        self._transport.write(data)

    def write_eof(self) -> None:
        """End the sending direction; what the gateway still sends is read."""
        self._transport.write_eof()

    def close(self) -> None:
        """Close both directions."""
        self._transport.close()


class ReadOnlyConnection(Connection):
    """A connection over a socket of this program; `ended` is set when it closed or `fault` was recorded."""

    def __init__(self, open_socket: Callable[[str, int], socket.socket]) -> None:
        super().__init__()
        self._open_socket = open_socket
        self._received = 0
        self.ended = asyncio.Event()
        self.lost = asyncio.Event()
        self.fault: ExternalError | None = None
        self.notices: list[tuple[int, str]] = []

    async def connectAsync(self, host: str, port: int) -> None:  # noqa: N802 - ib_async's name
        """Open the socket; raises ExternalError."""
        sock = self._open_socket(host, port)
        transport, _ = await asyncio.get_running_loop().create_connection(lambda: self, sock=sock)
        self.transport = FencedTransport(transport)

    def data_received(self, data: bytes) -> None:
        """Hand the bytes on, up to MAX_BYTES of them."""
        self._received += len(data)
        if self._received > MAX_BYTES:
            self.record_fault(
                ExternalError(f"it sent over {MAX_BYTES // (1024 * 1024)} MiB", reason=TOO_LARGE)
            )
        elif self.fault is None:
            super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the connection closed."""
        super().connection_lost(exc)
        self.lost.set()
        self.ended.set()

    def record_fault(self, fault: ExternalError) -> None:
        """Keep the first reason why nothing of this collection counts."""
        self.fault = self.fault or fault
        self.ended.set()

    def record_notice(self, code: int, text: str) -> None:
        """Keep a notice of the gateway; some codes end the collection at once."""
        self.notices.append((code, text))
        if code == _CLIENT_ID_IN_USE:
            self.record_fault(ExternalError("its client id is in use (326)", reason=CLIENT_ID))
        elif code in _LINK_DOWN_CODES:
            self.record_fault(ExternalError(f"the gateway's link to IBKR is down ({code})", reason=LINK_DOWN))

    async def close_both_ways(self, seconds: float) -> None:
        """Send our end, wait so long for the gateway's, and close: no half of a connection stays behind."""
        if self.transport is None:
            return
        self.transport.write_eof()
        try:
            await asyncio.wait_for(self.lost.wait(), seconds)
        except TimeoutError:
            if self.transport is not None:
                self.transport.close()
                await asyncio.sleep(0)


class RecordingDecoder(Decoder):
    """ib_async's decoder, which keeps what ib_async drops: undecodable messages, raw times, seen statuses."""

    def __init__(self, wrapper: Wrapper, connection: ReadOnlyConnection) -> None:
        super().__init__(wrapper, 0)
        self._connection = connection
        self.execution_times: dict[str, str] = {}
        self.statuses: set[tuple[str, str, str]] = set()

    def interpret(self, fields: list[str]) -> None:
        """Decode one message; raises ValueError where one that was asked for cannot be decoded."""
        message_id = int(fields[0])
        if message_id not in self.handlers:
            return
        try:
            if len(fields) < _SHORTEST.get(message_id, 0):
                raise ValueError("too few fields")  # ib_async itself would only log it
            self.handlers[message_id](fields)
            if message_id == _STATUS:
                float(fields[3]), float(fields[4])
                self.statuses.add((fields[6], fields[9], fields[1]))
            elif message_id == _EXECUTION:
                self.execution_times[fields[14]] = fields[15]
        except Exception as error:  # noqa: BLE001 - whatever ib_async raises for it, the list has a hole
            if message_id in _AWAITED:
                why = f"its message {message_id} cannot be decoded ({type(error).__name__})"
                self._connection.record_fault(ExternalError(why, reason=UNREADABLE))


class ReadOnlyClient(Client):
    """ib_async's client over a fenced connection."""

    def __init__(self, wrapper: Wrapper, connection: ReadOnlyConnection) -> None:
        super().__init__(wrapper)
        self._connection = self.conn = connection
        self.conn.hasData += self._onSocketHasData
        self.conn.disconnected += self._onSocketDisconnected
        self.decoder: RecordingDecoder = RecordingDecoder(wrapper, connection)

    def _onSocketHasData(self, data: bytes) -> None:  # noqa: N802 - ib_async's name
        try:
            super()._onSocketHasData(data)
        except Exception as error:  # noqa: BLE001 - the event would only log it
            why = f"what it sends is no TWS API ({type(error).__name__})"
            self._connection.record_fault(ExternalError(why, reason=UNREADABLE))


class ReadOnlyIB(IB):
    """ib_async's IB with the calls of ALLOWED_CALLS; a refused request raises, and is no empty list."""

    RaiseRequestErrors = True

    def __init__(self, connection: ReadOnlyConnection, client_id: int) -> None:
        super().__init__(IBDefaults())
        self._connection = connection
        self.wrapper.clientId = client_id
        self.client = ReadOnlyClient(self.wrapper, connection)
        self.decoder = self.client.decoder
        self.client.apiError += self._record_api_error

    def disconnect(self) -> None:
        """Do nothing: the session closes the connection, in both directions."""

    def _onError(self, *notice: Any) -> None:  # noqa: N802 - ib_async's name
        _, code, text, _ = notice
        self._connection.record_notice(code, text)

    def _record_api_error(self, text: str) -> None:
        if "version" in text:
            self._connection.record_fault(
                ExternalError("its API is older than version 157 (TWS 9.72)", reason=UNREADABLE)
            )


def _build_refusal(name: str) -> Callable[..., NoReturn]:
    def raise_refusal(*_: Any, **__: Any) -> NoReturn:
        raise ExternalError(f"{name} is never called", reason=FORBIDDEN)

    return raise_refusal


for _base, _fenced, _allowed in (
    (IB, ReadOnlyIB, ALLOWED_CALLS),
    (Client, ReadOnlyClient, ALLOWED_CLIENT_CALLS),
):
    for _name in dir(_base):
        if not _name.startswith("_") and callable(getattr(_base, _name)) and _name not in _allowed:
            setattr(_fenced, _name, _build_refusal(_name))
