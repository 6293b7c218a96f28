"""The fence before TWS: every method of ib_async and every message id is tried, and only reading ones
pass.
"""

from __future__ import annotations

import asyncio
import inspect
import struct

import pytest
from ib_async import IB
from ib_async.client import Client

from detector.clients.tws_fence import (
    ALLOWED_CALLS,
    ALLOWED_CLIENT_CALLS,
    ALLOWED_MESSAGES,
    FencedTransport,
    ReadOnlyConnection,
    ReadOnlyIB,
    check_frame,
)
from detector.formats.errors import FORBIDDEN, ExternalError

WRITING = {3, 4, 15, 19, 21, 58, 109}  # orders, binding, replaceFA, exercise, global cancel, configuration
HANDSHAKE = b"API\0" + struct.pack(">I", 9) + b"v157..178"


class Recorder:
    """A transport that keeps what would leave."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)


def frame(*fields: object) -> bytes:
    body = "".join(f"{field}\0" for field in fields).encode()
    return struct.pack(">I", len(body)) + body


def public_methods(kind: type) -> list[str]:
    return [name for name in dir(kind) if not name.startswith("_") and callable(getattr(kind, name))]


@pytest.fixture
def fenced():
    async def build() -> tuple[ReadOnlyIB, Recorder]:
        connection = ReadOnlyConnection(lambda host, port: pytest.fail("no socket is opened"))
        recorder = Recorder()
        connection.transport = FencedTransport(recorder)  # type: ignore[arg-type]
        ib = ReadOnlyIB(connection, 7417)
        ib.client.connState, ib.client._apiReady, ib.client._serverVersion = Client.CONNECTED, True, 178
        ib.client.clientId = 7417
        return ib, recorder

    with asyncio.Runner() as runner:
        ib, recorder = runner.run(build())
        yield ib, recorder, runner


@pytest.mark.parametrize("number", range(-1, 600))
def test_a_message_leaves_only_by_its_id(number):
    data = frame(number, 1, "7", "")
    if number in ALLOWED_MESSAGES:
        check_frame(data if number != 71 else frame(71, 2, 7417, ""))
    else:
        with pytest.raises(ExternalError) as raised:
            check_frame(data)
        assert raised.value.reason == FORBIDDEN
    assert not WRITING & set(ALLOWED_MESSAGES)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(frame(61, 1) + frame(3, 45), id="an order behind a list"),
        pytest.param(frame(61, 1)[:-1], id="a message without its end"),
        pytest.param(frame(3, 1).replace(b"3", b"\xb3", 1), id="an id that is no number"),
        pytest.param(frame("061", 1), id="an id with a zero before it"),
        pytest.param(frame(" 61", 1), id="an id with a space before it"),
        pytest.param(struct.pack(">II", 8, 203) + b"\x08\x01\x10\x02", id="protobuf's placeOrder"),
        pytest.param(HANDSHAKE + frame(3, 45), id="an order behind the handshake"),
        pytest.param(frame(71, 2, 0, ""), id="client id 0"),
        pytest.param(frame(71, 2, "00", ""), id="client id 00"),
        pytest.param(frame(71, 2, "", ""), id="no client id"),
        pytest.param(frame(71, 2), id="startApi without a client id"),
    ],
)
def test_bytes_that_are_no_single_allowed_message_never_leave(data):
    with pytest.raises(ExternalError):
        check_frame(data)


def test_the_handshake_and_every_allowed_message_pass():
    for data in (HANDSHAKE, frame(71, 2, 7417, ""), frame(61, 1), frame(16, 1), frame(7, 3, 1, 0, "")):
        check_frame(data)


def test_every_method_of_ib_async_is_refused_or_listed(fenced):
    """Both classes are walked whole, so that what a later ib_async brings is refused until someone lists
    it.
    """
    ib, recorder, _ = fenced
    assert len(public_methods(IB)) > 100
    assert len(public_methods(Client)) > 80
    for target, kind, allowed in ((ib, IB, ALLOWED_CALLS), (ib.client, Client, ALLOWED_CLIENT_CALLS)):
        assert allowed <= set(public_methods(kind))
        for name in set(public_methods(kind)) - allowed:
            with pytest.raises(ExternalError) as raised:
                getattr(target, name)()
            assert raised.value.reason == FORBIDDEN, name
    assert recorder.written == []


def test_what_the_allowed_methods_send_is_the_list_of_messages(fenced):
    ib, recorder, runner = fenced

    async def call() -> None:
        ib.client.startApi()
        ib.reqPositionsAsync()
        ib.reqAllOpenOrdersAsync()
        ib.reqExecutionsAsync()
        ib.reqAccountUpdatesMultiAsync("DU1234567")

    runner.run(call())
    sent = [int(data[4:].split(b"\0")[0]) for data in recorder.written]
    assert sorted(sent) == sorted(ALLOWED_MESSAGES)


@pytest.mark.parametrize("number", sorted(WRITING))
def test_the_raw_ways_around_the_methods_are_fenced_too(fenced, number):
    ib, recorder, runner = fenced

    async def call(send) -> None:
        result = send()
        if inspect.isawaitable(result):
            await result

    for send in (
        lambda: ib.client.send(number, 45, 1),
        lambda: ib.client.sendMsg(f"{number}\x0045\0"),
        lambda: ib.client.conn.sendMsg(frame(number, 45)),
        lambda: ib.client.conn.transport.write(frame(number, 45)),
    ):
        with pytest.raises(ExternalError):
            runner.run(call(send))
    assert recorder.written == []
