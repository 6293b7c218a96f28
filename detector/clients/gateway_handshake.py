"""The first two messages of the TWS API, and not one more: the version reply of a gateway.

Bytes as ib_async and ibapi send them: `API\\0`, a length, `v<min>..<max>`; the reply is a length and
`<server version>\\0<time>\\0`. The client id travels only in the third message, so that none is taken here.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, NamedTuple

from detector.formats.errors import TIMEOUT, ExternalError

if TYPE_CHECKING:
    from detector.clients.connection import Connection

_VERSIONS = b"v100..187"  # below 201, from which on message ids are no text any more
_REQUEST = b"API\0" + struct.pack(">I", len(_VERSIONS)) + _VERSIONS
_LENGTH_BYTES, _MAX_REPLY = 4, 1024
HANDSHAKE_SEC = 5.0


class Handshake(NamedTuple):
    """How the gateway answered, and with which version."""

    outcome: Literal["ok", "silent", "refused"]
    server_version: int | None = None


def check_handshake(connect: Callable[[], Connection]) -> Handshake:
    """Connect once, ask for the version, close in both directions; no failure of the gateway is raised."""
    try:
        connection = connect()
    except ExternalError as error:
        return Handshake("silent" if error.reason == TIMEOUT else "refused")
    try:
        connection.write(_REQUEST)
        return _parse_reply(_read_reply(connection))
    except ExternalError as error:
        return Handshake("silent" if error.reason == TIMEOUT else "refused")
    finally:
        connection.close_both_ways()


def _read_reply(connection: Connection) -> bytes:
    """Return the reply without its length; shorter where the gateway hung up."""
    data, wanted = b"", _LENGTH_BYTES
    while len(data) < wanted:
        chunk = connection.read(wanted - len(data))
        if not chunk:
            break
        data += chunk
        if len(data) == _LENGTH_BYTES:
            wanted += min(struct.unpack(">I", data)[0], _MAX_REPLY)
    return data[_LENGTH_BYTES:]


def _parse_reply(reply: bytes) -> Handshake:
    """Read the version, the first of two fields; the second one is in whatever encoding the gateway has."""
    version, _, rest = reply.partition(b"\0")
    if version.isdigit() and rest.endswith(b"\0"):
        return Handshake("ok", int(version))
    return Handshake("refused")
