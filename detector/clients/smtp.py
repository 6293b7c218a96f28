"""smtplib over the program's own wire: one mail to one recipient, within one deadline, over verified TLS.

smtplib itself has a timeout per operation only, so that a server that drips would never end.
"""

from __future__ import annotations

import io
import smtplib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from detector.clients.wire import trusted
from detector.formats.edge_error import (
    LOGIN,
    NO_ANSWER,
    NOT_ALLOWED,
    RECIPIENT,
    REJECTED,
    RESET,
    TLS,
    EdgeError,
    persistent,
)

if TYPE_CHECKING:
    from detector.clients.wire import Reach, Wire

_PERMANENT = 500
_READY, _YES = 220, (250, 251)
_HERE = "[127.0.0.1]"  # RFC 5321 4.1.3: what a client without a public name calls itself; the machine's own stays here


@dataclass(frozen=True, slots=True)
class Server:
    """The server that mail is handed to; `user` is empty where it wants no login."""

    host: str
    port: int
    tls: Literal["starttls", "tls", "none"]
    user: str = ""
    password: str = ""


@dataclass(frozen=True, slots=True)
class Envelope:
    """From whom and to whom, as the server is told; plain ASCII addresses."""

    sender: str
    recipient: str


@dataclass(frozen=True, slots=True)
class Post:
    """Hands mail to one server within one deadline; raises EdgeError for everything but the server's yes."""

    reach: Reach
    server: Server
    pause: Callable[[float], None] = time.sleep

    def send(self, envelope: Envelope, mail: bytes) -> None:
        """Hand over one mail; what the server refuses for now is tried again where the deadline allows it."""
        persistent(lambda: self._attempt(envelope, mail), self.reach.until, self.pause)

    def _attempt(self, envelope: Envelope, mail: bytes) -> None:
        client = _Client(self.reach, self.server)
        try:
            with _as_edge_error("its greeting"):
                code, _ = client.connect(self.server.host, self.server.port)
                if code != _READY:
                    raise smtplib.SMTPConnectError(code, b"")
                client.ehlo_or_helo_if_needed()
            self._secure(client)
            self._log_in(client)
            _hand_over(client, envelope, mail)
        finally:
            with suppress(EdgeError, OSError):
                client.end()

    def _secure(self, client: _Client) -> None:
        if self.server.tls != "starttls":
            return
        if not client.has_extn("starttls"):
            raise EdgeError("the server offers no STARTTLS, and nothing is sent in clear text", reason=TLS)
        with _as_edge_error("STARTTLS"):
            context: Any = _Secured(
                self.reach, self.server.host
            )  # smtplib asks it for nothing but wrap_socket
            client.starttls(context=context)
            client.ehlo()

    def _log_in(self, client: _Client) -> None:
        if self.server.user:
            with _as_edge_error("the login", LOGIN):
                client.login(self.server.user, self.server.password)


def _hand_over(client: _Client, envelope: Envelope, mail: bytes) -> None:
    with _as_edge_error("the mail"):
        _expect(client.mail(envelope.sender), "the sender", NOT_ALLOWED)
        _expect(client.rcpt(envelope.recipient), "the recipient", RECIPIENT)
    with _as_edge_error("the text of the mail", sent=True):
        _expect(client.data(mail), "the text of the mail", REJECTED)


def _expect(answer: tuple[int, bytes], what: str, reason: str) -> None:
    """Raise what an answer that is no yes comes to; its text is not passed on, for it holds addresses."""
    code = answer[0]
    if code not in _YES:
        raise EdgeError(
            f"the server refused {what} with {code}", reason=reason, permanent=code >= _PERMANENT or code < 0
        )


@contextmanager
def _as_edge_error(what: str, reason: str = REJECTED, sent: bool = False) -> Iterator[None]:
    """Turn what smtplib raises into EdgeError; after the text was `sent`, an end without an answer is not repeated."""
    try:
        yield
    except smtplib.SMTPResponseException as error:
        code = error.smtp_code
        said = f"the server answered {what} with {code}"
        raise EdgeError(said, reason=reason, permanent=code >= _PERMANENT or code < 0) from None
    except smtplib.SMTPServerDisconnected:
        raise _broken_off(what, sent) from None
    except smtplib.SMTPException as error:
        raise EdgeError(f"{what} failed ({type(error).__name__})", reason=reason) from None
    except EdgeError as error:
        if sent and error.reason != REJECTED:
            raise EdgeError(f"{error}; it may have been taken", reason=NO_ANSWER) from None
        raise


def _broken_off(what: str, sent: bool) -> EdgeError:
    if sent:
        return EdgeError("the connection broke off after the text; it may have been taken", reason=NO_ANSWER)
    return EdgeError(f"the server ended the connection at {what}", reason=RESET, permanent=False)


class _Client(smtplib.SMTP):
    """smtplib's client on a connection of this program's."""

    def __init__(self, reach: Reach, server: Server) -> None:
        self._reach = reach
        self._server = server
        super().__init__(local_hostname=_HERE)

    def _get_socket(self, host: str, port: int, timeout: float | None) -> Any:  # noqa: ARG002 - smtplib's signature
        wire = self._reach.connect(host, port)
        if self._server.tls == "tls":
            wire = wire.secured(trusted(self._reach.ca_file), host)
        return _Socket(wire)

    def end(self) -> None:
        """Say good-bye where somebody listens, and close the connection in any case."""
        try:
            if self.sock is not None:
                self.putcmd("quit")
        finally:
            self.close()


class _Secured:
    """What smtplib asks of an SSL context, answered by the wire."""

    def __init__(self, reach: Reach, host: str) -> None:
        self._reach = reach
        self._host = host

    def wrap_socket(self, sock: _Socket, server_hostname: str = "") -> _Socket:  # noqa: ARG002 - smtplib's signature
        return _Socket(sock.wire.secured(trusted(self._reach.ca_file), self._host))


class _Socket:
    """What smtplib asks of a socket, answered by the wire: every byte under the total deadline."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire

    def sendall(self, data: bytes) -> None:
        self.wire.write(bytes(data))

    def makefile(self, _mode: str = "rb") -> io.BufferedReader:
        return io.BufferedReader(_Incoming(self.wire))

    def close(self) -> None:
        self.wire.close()


class _Incoming(io.RawIOBase):
    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._wire.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
