"""A webhook of the operator's own: the due events as JSON, signed as standardwebhooks.com specifies.

Headers: `webhook-id` is the delivery id, the same for every attempt; `webhook-timestamp` is the time of the
attempt in seconds since 1970; `webhook-signature` is `v1,` and the base64 of HMAC-SHA256 over
`id.timestamp.body`. Every 2xx is a receipt.
"""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

from detector.channels._http_channel import HttpChannel, find_clear_text
from detector.channels.channel import Advice, Channel, ChannelEnvironment, ChannelOption
from detector.formats.errors import LOGIN, NO_PLACE, NOT_ALLOWED
from detector.formats.serialize import format_canonical, format_document, to_json
from detector.render.message import Message, MessageItem
from detector.render.message_webhook import MAX_EVENTS, build_webhook_body
from detector.settings import WEBHOOK_MIN, WEBHOOK_SECRET, WEBHOOK_URL, Settings

if TYPE_CHECKING:
    from detector.clients.json_client import JsonClient

KIND = "webhook"
OPTION = ChannelOption((WEBHOOK_URL, WEBHOOK_SECRET), "alerts as signed JSON, to a program of your own")
_PREFIX = "whsec_"


def build_channels(settings: Settings, environment: ChannelEnvironment) -> Iterator[Channel]:
    """Yield the webhook, where its address is set."""
    if settings[WEBHOOK_URL]:
        yield Signed(settings, environment)


def find_conflicts(settings: Settings) -> Iterator[str]:
    """Yield a sentence for each conflict: an address without a key, or events in clear text."""
    if bool(settings[WEBHOOK_URL]) != bool(settings[WEBHOOK_SECRET]):
        yield f"{WEBHOOK_URL.name} and {WEBHOOK_SECRET.name} belong together: a webhook needs both"
    yield from find_clear_text(settings, WEBHOOK_URL)


class Signed(HttpChannel):
    """The one webhook."""

    name = KIND
    display_name = "a webhook"
    setting = WEBHOOK_URL
    rung_setting = WEBHOOK_MIN
    advice = Advice(
        WEBHOOK_URL,
        dict.fromkeys((LOGIN, NOT_ALLOWED), WEBHOOK_SECRET),
        {
            LOGIN: "Does the receiver have the key that stands in {}?",
            NOT_ALLOWED: "Does the receiver have the key that stands in {}?",
            NO_PLACE: "Is the path in {} right, and is the receiver there?",
        },
    )

    def count_fitting(self, items: Sequence[MessageItem], page: int) -> int:
        """Return how many events one body holds."""
        return min(len(items), MAX_EVENTS)

    def send(self, client: JsonClient, part: Message) -> None:
        """Post the signed body of one part; raises ExternalError."""
        body = format_canonical(to_json(build_webhook_body(part))).encode()
        timestamp = str(int(self.environment.clock().timestamp()))
        headers = {
            "webhook-id": part.delivery_id,
            "webhook-timestamp": timestamp,
            "webhook-signature": compute_signature(
                self.settings[WEBHOOK_SECRET], part.delivery_id, timestamp, body
            ),
        }
        client.send_post(self.settings[WEBHOOK_URL], body, headers)

    def render_body(self, part: Message) -> str:
        """Return the body of one part as indented JSON."""
        return format_document(to_json(build_webhook_body(part)))


def compute_signature(secret: str, delivery_id: str, timestamp: str, body: bytes) -> str:
    """Return the value of `webhook-signature`; a secret without `whsec_` is the key itself."""
    key = b64decode(secret.removeprefix(_PREFIX)) if secret.startswith(_PREFIX) else secret.encode()
    text = f"{delivery_id}.{timestamp}.".encode() + body
    return f"v1,{b64encode(hmac.new(key, text, sha256).digest()).decode()}"
