"""The common part of the channels that post JSON to one address."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit

from detector.channels.channel import (
    ConfiguredChannel,
    DeliveryContext,
    DeliveryResult,
    send_parts,
)
from detector.domain.condition import MessageRef
from detector.render.message import Message, MessageItem
from detector.render.message_text import count_phone_items
from detector.settings import Setting, Settings
from detector.settings.setting import LOOPBACK_HOSTS

if TYPE_CHECKING:
    from detector.clients.connection import Deadline
    from detector.clients.json_client import JsonClient


class HttpChannel(ConfiguredChannel, ABC):
    """A channel that sends each part of a message by one POST; a subclass has its settings and `send`."""

    name: ClassVar[str]
    display_name: ClassVar[str]

    def load_client(self) -> None:
        """Import the HTTP client."""
        import detector.clients.json_client  # noqa: F401 - loaded, not used

    def notify(self, message: Message, context: DeliveryContext) -> DeliveryResult:
        """Send the parts of the message in order; raises ExternalError where none was accepted."""
        client = self.build_client(context.deadline)
        return send_parts(message.split(self.count_fitting), lambda part: self.send(client, part), context)

    def render_preview(self, message: Message) -> str:
        """Return the bodies that would be posted."""
        return "\n".join(f"POST\n{self.render_body(part)}" for part in message.split(self.count_fitting))

    def build_client(self, deadline: Deadline) -> JsonClient:
        """Return a client that ends at the deadline."""
        from detector.clients.json_client import JsonClient

        return JsonClient(self.build_network(deadline), self.environment.clock)

    def count_fitting(self, items: Sequence[MessageItem], page: int) -> int:
        """Return how many of the items the message of that page names: what a phone shows."""
        return count_phone_items(items, page)

    @abstractmethod
    def send(self, client: JsonClient, part: Message) -> MessageRef | None:
        """Post one part and return its place, if it has one; raises ExternalError unless it is accepted."""

    @abstractmethod
    def render_body(self, part: Message) -> str:
        """Return the body of one part as indented JSON, without secrets."""


def find_clear_text(settings: Settings, *addresses: Setting[str]) -> Iterator[str]:
    """Yield a sentence for each address that would send a secret to another machine in clear text."""
    for setting in addresses:
        parts = urlsplit(settings[setting])
        if parts.scheme == "http" and parts.hostname not in LOOPBACK_HOSTS:
            yield f"{setting.name}: must begin with https://, so that its secret is not sent in clear text"
