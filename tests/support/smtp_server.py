"""A mail server on loopback (aiosmtpd), with STARTTLS and TLS.

It takes, refuses or drags its feet as told.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.support.loopback import TLS, closed_port

USER, PASSWORD = "reader", "keep-off-the-grass-7"


@dataclass
class Taken:
    """One mail that was taken: by whom it was sent to whom, whether encrypted, and its text."""

    sender: str
    recipients: list[str]
    encrypted: bool
    data: bytes

    @property
    def mail(self) -> EmailMessage:
        """The mail, parsed."""
        made = message_from_bytes(self.data, policy=policy.default)
        assert isinstance(made, EmailMessage)
        return made

    def part(self, subtype: str) -> str:
        """The text of one part, `plain` or `html`."""
        found = self.mail.get_body((subtype,))
        assert found is not None
        text: str = found.get_content()
        return text.replace("\r\n", "\n")


@dataclass
class Mailbox:
    """What the server took, and the answers that it gives in the place of a yes, by command, used up in
    order.
    """

    host: str = "127.0.0.1"
    port: int = 0
    mails: list[Taken] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    says: dict[str, list[str]] = field(default_factory=dict)
    slow: dict[str, float] = field(default_factory=dict)
    greeted: list[str] = field(default_factory=list)

    def to(self, address: str) -> list[Taken]:
        """The mails that one recipient got."""
        return [one for one in self.mails if address in one.recipients]

    def environ(self, *recipients: str, **more: str) -> dict[str, str]:
        """Return the settings that lead here."""
        settings = {
            "SMTP_HOST": "localhost",
            "SMTP_PORT": str(self.port),
            "SMTP_TLS": "none",
            "EMAIL_FROM": "detector@example.org",
            "EMAIL_TO": ",".join(recipients or ("ann@example.com",)),
            **more,
        }
        return {f"AEGIS_PT_{name}": text for name, text in settings.items()}


class _Handler:
    def __init__(self, box: Mailbox) -> None:
        self._box = box

    async def _word(self, command: str) -> str | None:
        if command in self._box.slow:
            await asyncio.sleep(self._box.slow[command])
        waiting = self._box.says.get(command)
        return waiting.pop(0) if waiting else None

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        self._box.greeted.append(hostname)
        said = await self._word("EHLO")
        return [said] if said else responses

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any
    ) -> str:
        envelope.mail_from = address
        return await self._word("MAIL") or "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: Any
    ) -> str:
        said = await self._word("RCPT") or self._box.refused.get(address)
        if said is None:
            envelope.rcpt_tos.append(address)
        return said or "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        said = await self._word("DATA")
        if said is None or said == "lose":
            data = envelope.content if isinstance(envelope.content, bytes) else b""
            assert server.transport is not None
            secured = server.transport.get_extra_info("ssl_object") is not None
            self._box.mails.append(Taken(str(envelope.mail_from), list(envelope.rcpt_tos), secured, data))
        if said == "lose":
            transport: Any = server.transport
            transport.abort()
        return "250 taken" if said in (None, "lose") else str(said)


@contextmanager
def mail_on_loopback(tls: str = "none", certificate: str = "good", login: bool = False) -> Iterator[Mailbox]:
    """Yield a mail server that runs; `tls` is none, starttls or tls."""
    box = Mailbox()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(TLS / f"{certificate}.pem")

    def authenticate(server: SMTP, session: Session, envelope: Envelope, how: str, data: Any) -> AuthResult:
        right = isinstance(data, LoginPassword) and (data.login, data.password) == (
            USER.encode(),
            PASSWORD.encode(),
        )
        return AuthResult(success=right, handled=right)

    more: dict[str, Any] = (
        {"authenticator": authenticate, "auth_require_tls": tls == "starttls"} if login else {}
    )
    controller = Controller(
        _Handler(box),
        hostname="127.0.0.1",
        port=closed_port(),
        ssl_context=context if tls == "tls" else None,
        tls_context=context if tls == "starttls" else None,
        require_starttls=tls == "starttls",
        **more,
    )
    controller.start()
    try:
        box.port = controller.port
        yield box
    finally:
        controller.stop()


@contextmanager
def speaking(words: bytes, every: float = 0.0) -> Iterator[int]:
    """Yield the port of a server that says these bytes to whoever connects, at once or one at a time, and
    no more.
    """
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(8)

    def speak(conn: socket.socket) -> None:
        with contextlib.suppress(OSError), contextlib.closing(conn):
            for piece in [bytes([byte]) for byte in words] if every else [words]:
                conn.sendall(piece)
                time.sleep(every)
            while conn.recv(4096):
                pass

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=speak, args=(listener.accept()[0],), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(2)
