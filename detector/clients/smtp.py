"""smtplib over this program's connections: one mail to one recipient, within one deadline, over verified TLS.

smtplib itself has a timeout per operation only, so that a slow server could delay it without limit.
"""

from __future__ import annotations

import io
import smtplib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from detector.clients.connection import build_tls_context
from detector.formats import errors
from detector.formats.errors import ExternalError, retry

if TYPE_CHECKING:
    from detector.clients.connection import Connection, NetworkPolicy

_PERMANENT = 500
_READY = 220
_ACCEPTED = range(200, 300)  # RFC 5321 4.2.1: the first digit says it
# RFC 5321 4.1.3: the name of a client without a public name; the machine's own name is not sent.
_LOCAL_NAME = "[127.0.0.1]"


class SmtpServer(Struct, frozen=True):
    """The server that mail is sent through; `user` is empty where it needs no login."""

    host: str
    port: int
    tls: Literal["starttls", "tls", "none"]
    user: str = ""
    password: str = ""


class Envelope(Struct, frozen=True):
    """The sender and the recipient of the SMTP envelope; plain ASCII addresses."""

    sender: str
    recipient: str


class SmtpClient(Struct, frozen=True):
    """Sends mail through one server within one deadline; raises ExternalError unless it is accepted."""

    network: NetworkPolicy
    server: SmtpServer
    pause: Callable[[float], None] = time.sleep

    def send(self, envelope: Envelope, mail: bytes) -> None:
        """Send one mail; a temporary refusal is retried where the deadline allows it."""
        retry(lambda: self._send_once(envelope, mail), self.network.deadline, self.pause)

    def _send_once(self, envelope: Envelope, mail: bytes) -> None:
        client = _SmtplibClient(self.network, self.server)
        try:
            with _convert_smtp_errors("its greeting"):
                code, _ = client.connect(self.server.host, self.server.port)
                if code != _READY:
                    raise smtplib.SMTPConnectError(code, b"")
                client.ehlo_or_helo_if_needed()
            self._start_tls(client)
            self._send_login(client)
            _send_mail(client, envelope, mail)
        finally:
            with suppress(ExternalError, OSError):
                client.stop()

    def _start_tls(self, client: _SmtplibClient) -> None:
        if self.server.tls != "starttls":
            return
        if not client.has_extn("starttls"):
            raise ExternalError(
                "the server offers no STARTTLS, and nothing is sent in clear text", reason=errors.TLS
            )
        with _convert_smtp_errors("STARTTLS"):
            context: Any = _TlsContext(self.network, self.server.host)  # smtplib calls wrap_socket only
            client.starttls(context=context)
            client.ehlo()

    def _send_login(self, client: _SmtplibClient) -> None:
        if self.server.user:
            with _convert_smtp_errors("the login", errors.LOGIN):
                client.login(self.server.user, self.server.password)


def _send_mail(client: _SmtplibClient, envelope: Envelope, mail: bytes) -> None:
    with _convert_smtp_errors("the mail"):
        _check_accepted(client.mail(envelope.sender), "the sender", errors.NOT_ALLOWED)
        _check_accepted(client.rcpt(envelope.recipient), "the recipient", errors.RECIPIENT)
    with _convert_smtp_errors("the text of the mail", sent=True):
        _check_accepted(client.data(mail), "the text of the mail", errors.REJECTED)


def _check_accepted(answer: tuple[int, bytes], step: str, reason: str) -> None:
    """Raise ExternalError for a refusal; without the server's text, which contains addresses."""
    code = answer[0]
    if code < 0:
        raise ExternalError(f"the server's answer to {step} cannot be read", reason=reason)
    if code not in _ACCEPTED:
        raise ExternalError(
            f"the server refused {step} with {code}", reason=reason, permanent=code >= _PERMANENT
        )


@contextmanager
def _convert_smtp_errors(step: str, reason: str = errors.REJECTED, sent: bool = False) -> Iterator[None]:
    """Convert the exceptions of smtplib to ExternalError; once the text was `sent`, none is retried."""
    try:
        yield
    except smtplib.SMTPResponseException as error:
        code = error.smtp_code
        message = f"the server answered {step} with {code}"
        raise ExternalError(message, reason=reason, permanent=code >= _PERMANENT or code < 0) from None
    except smtplib.SMTPServerDisconnected:
        raise _build_disconnect_error(step, sent) from None
    except smtplib.SMTPException as error:
        raise ExternalError(f"{step} failed ({type(error).__name__})", reason=reason) from None
    except ExternalError as error:
        if sent and error.reason != errors.REJECTED:
            raise ExternalError(f"{error}; it may have been taken", reason=errors.NO_ANSWER) from None
        raise


def _build_disconnect_error(step: str, sent: bool) -> ExternalError:
    if sent:
        return ExternalError(
            "the connection broke off after the text; it may have been taken", reason=errors.NO_ANSWER
        )
    return ExternalError(f"the server ended the connection at {step}", reason=errors.RESET, permanent=False)


class _SmtplibClient(smtplib.SMTP):
    """smtplib's client on this program's connection."""

    def __init__(self, network: NetworkPolicy, server: SmtpServer) -> None:
        self._network = network
        self._server = server
        super().__init__(local_hostname=_LOCAL_NAME)

    def _get_socket(self, host: str, port: int, timeout: float | None) -> Any:
        connection = self._network.open_connection(host, port)
        if self._server.tls == "tls":
            connection = connection.start_tls(build_tls_context(self._network.ca_file), host)
        return _SocketAdapter(connection)

    def stop(self) -> None:
        """Send QUIT where a connection is open, and close it in any case."""
        try:
            if self.sock is not None:
                self.putcmd("quit")
        finally:
            self.close()


class _TlsContext:
    """The part of an SSL context that smtplib uses, on this program's connection."""

    def __init__(self, network: NetworkPolicy, host: str) -> None:
        self._network = network
        self._host = host

    def wrap_socket(self, sock: _SocketAdapter, server_hostname: str = "") -> _SocketAdapter:
        return _SocketAdapter(sock.connection.start_tls(build_tls_context(self._network.ca_file), self._host))


class _SocketAdapter:
    """The part of a socket that smtplib uses, on this program's connection with its total deadline."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def sendall(self, data: bytes) -> None:
        self.connection.write(bytes(data))

    def makefile(self, _mode: str = "rb") -> io.BufferedReader:
        return io.BufferedReader(_IncomingStream(self.connection))

    def close(self) -> None:
        self.connection.close()


class _IncomingStream(io.RawIOBase):
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._connection.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)
