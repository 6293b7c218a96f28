"""E-mail: one channel for each recipient, with its own receipts, so that only failed ones are retried."""

from __future__ import annotations

from collections.abc import Iterator
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from hashlib import sha256
from typing import Any

from detector.channels.channel import (
    Advice,
    Channel,
    ChannelEnvironment,
    ChannelOption,
    ConfiguredChannel,
    DeliveryContext,
    DeliveryResult,
    send_parts,
)
from detector.formats import errors
from detector.formats.errors import ExternalError
from detector.formats.numbers import format_list
from detector.formats.redaction import redact_text
from detector.render.message import Message
from detector.render.message_text import render_html, render_text
from detector.settings import (
    CA_FILE,
    CHANNEL_TIMEOUT_SEC,
    EMAIL_FROM,
    EMAIL_MIN,
    EMAIL_TO,
    SMTP_HOST,
    SMTP_PASSWORD,
    SMTP_PORT,
    SMTP_TLS,
    SMTP_USER,
    Setting,
    Settings,
    list_secrets,
)
from detector.settings.setting import LOOPBACK_HOSTS

KIND = "email"
OPTION = ChannelOption((SMTP_HOST, EMAIL_FROM, EMAIL_TO), "alerts by e-mail")
_MOST_ITEMS = 5_000
_MOST_REFERENCES = 20
# Every header in ASCII and every line short, so that no server has to change the mail.
_POLICY = SMTP.clone(cte_type="7bit")

_MODE = f"Is {SMTP_TLS.name} what the server speaks on {SMTP_PORT.name} (starttls on 587, tls on 465)?"
_ADVICE = Advice(
    EMAIL_TO,
    {
        errors.REFUSED: SMTP_PORT,
        **dict.fromkeys((errors.UNREACHABLE, errors.DNS, errors.FORBIDDEN, errors.REDIRECTED), SMTP_HOST),
    },
    {
        errors.TIMEOUT: f"{_MODE} If so, {CHANNEL_TIMEOUT_SEC.name} is the time that it has.",
        errors.TLS: f"{_MODE} If so, its certificate must hold for its name;"
        f" an authority of your own goes into {CA_FILE.name}.",
        errors.RESET: f"{_MODE} If so, look for its own errors.",
        errors.LOGIN: f"Are {SMTP_USER.name} and {SMTP_PASSWORD.name} right?"
        " Many servers want a password made for programs.",
        errors.NOT_ALLOWED: f"May {EMAIL_FROM.name} send through the server in {SMTP_HOST.name}?",
    },
)


def build_channels(settings: Settings, environment: ChannelEnvironment) -> Iterator[Channel]:
    """Yield a channel for each recipient."""
    if settings[SMTP_HOST] and settings[EMAIL_FROM]:
        recipients: tuple[str, ...] = settings[EMAIL_TO]
        for number, address in enumerate(recipients, 1):
            yield Mail(settings, environment, address, f"recipient {number} of {len(recipients)}")


def find_conflicts(settings: Settings) -> Iterator[str]:
    """Yield a sentence for each conflict: a partial channel or login, or clear text to another machine."""
    needed: tuple[Setting[Any], ...] = (SMTP_HOST, EMAIL_FROM, EMAIL_TO)
    missing = [setting.name for setting in needed if not settings[setting]]
    if missing and len(missing) < len(needed):
        yield f"e-mail needs {format_list(missing)} too"
    if bool(settings[SMTP_USER]) != bool(settings[SMTP_PASSWORD]):
        yield f"{SMTP_USER.name} and {SMTP_PASSWORD.name} belong together: a login needs both"
    if settings[SMTP_HOST] and settings[SMTP_TLS] == "none" and settings[SMTP_HOST] not in LOOPBACK_HOSTS:
        yield (
            f"{SMTP_TLS.name}: none is only for a server on this machine itself;"
            " nothing is sent in clear text"
        )


class Mail(ConfiguredChannel):
    """One recipient. Its name has a hash of the address; the address itself is never stored or printed."""

    setting = EMAIL_TO
    rung_setting = EMAIL_MIN
    advice = _ADVICE

    def __init__(self, settings: Settings, environment: ChannelEnvironment, address: str, label: str) -> None:
        super().__init__(settings, environment)
        self._address = address
        self._label = label
        self.name = f"{KIND}:{sha256(address.lower().encode()).hexdigest()[:8]}"

    @property
    def display_name(self) -> str:
        """The number of the recipient in the setting, and the server."""
        settings = self.settings
        return f"{self._label}, by {settings[SMTP_HOST]}:{settings[SMTP_PORT]} ({settings[SMTP_TLS]})"

    def load_client(self) -> None:
        """Import the SMTP client."""
        import detector.clients.smtp  # noqa: F401 - loaded, not used

    def notify(self, message: Message, context: DeliveryContext) -> DeliveryResult:
        """Send the mail; raises ExternalError with the number of the recipient."""
        from detector.clients.smtp import Envelope, SmtpClient, SmtpServer

        settings = self.settings
        server = SmtpServer(
            settings[SMTP_HOST],
            settings[SMTP_PORT],
            "tls" if settings[SMTP_TLS] == "tls" else "none" if settings[SMTP_TLS] == "none" else "starttls",
            settings[SMTP_USER],
            settings[SMTP_PASSWORD],
        )
        post = SmtpClient(self.build_network(context.deadline), server)

        def send(part: Message) -> None:
            try:
                post.send(Envelope(self._sender, self._address), self._build_mail(part).as_bytes())
            except ExternalError as error:
                raise ExternalError(
                    f"{self._label}: {error}", reason=error.reason, permanent=error.permanent
                ) from None

        return send_parts(message.split(lambda items, _: _MOST_ITEMS), send, context)

    def render_preview(self, message: Message) -> str:
        """Return the mail that would be sent, decoded, without addresses and the sender's domain."""
        mail = self._build_mail(message)
        headers = [f"{name}: {self._render_header(name, text)}" for name, text in mail.items()]
        parts = [f"--- {part.get_content_type()}\n{part.get_content()}" for part in mail.iter_parts()]
        return redact_text("\n".join([*headers, "", *parts]), list_secrets(self.settings))

    def _render_header(self, name: str, text: str) -> str:
        """Return a header for people; without its domain an id is not redacted as an address."""
        is_id = name in ("Message-ID", "In-Reply-To", "References")
        return text.replace(f"@{self._domain}>", "@[the sender's domain]>") if is_id else text

    @property
    def _sender(self) -> str:
        sender: str = self.settings[EMAIL_FROM][0]
        return sender

    @property
    def _domain(self) -> str:
        return self._sender.rpartition("@")[2]

    def _build_mail(self, message: Message) -> EmailMessage:
        """Return the mail; its ids are derived from the delivery, so that a repeat has the same id."""
        mail = EmailMessage(_POLICY)
        mail["From"] = Address("PT health detector", addr_spec=self._sender)
        mail["To"] = Address(addr_spec=self._address)
        # The library decodes an encoded word in the data; a line end inside it would begin a new header.
        mail["Subject"] = message.headline.replace("=?", "= ?")
        mail["Date"] = format_datetime(message.sent_at)
        mail["Message-ID"] = self._build_message_id(message.delivery_id)
        episodes = list(dict.fromkeys(item.episode for item in message.items))[:_MOST_REFERENCES]
        if episodes:
            mail["In-Reply-To"] = self._build_message_id(episodes[0])
            mail["References"] = " ".join(self._build_message_id(episode) for episode in reversed(episodes))
        mail["Auto-Submitted"] = "auto-generated"
        if message.kind == "critical":
            mail["Importance"] = "high"
        mail.set_content(render_text(message))
        mail.add_alternative(render_html(message), subtype="html")
        mail.set_boundary(f"=_{message.delivery_id}")  # not random: the same delivery has the same bytes
        return mail

    def _build_message_id(self, name: str) -> str:
        return f"<{name}.{self.name.partition(':')[2]}@{self._domain}>"
