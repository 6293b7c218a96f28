"""PagerDuty by its Events API v2: an alert for each condition, triggered and resolved by its signature.

Answers (developer.pagerduty.com, Events API v2): 202 with `status` "success" is a receipt.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from detector.channels._http_channel import HttpChannel, find_clear_text
from detector.channels.channel import (
    Advice,
    Channel,
    ChannelEnvironment,
    ChannelOption,
    DeliveryContext,
    DeliveryResult,
    send_parts,
)
from detector.formats.errors import NOT_ALLOWED, REJECTED, ExternalError
from detector.formats.serialize import format_document
from detector.formats.strict_json import DocumentError, parse_document
from detector.render.message import Message
from detector.render.message_pagerduty import build_item_event, build_message_event
from detector.settings import PAGERDUTY_EVENTS_URL, PAGERDUTY_MIN, PAGERDUTY_ROUTING_KEY, Settings

if TYPE_CHECKING:
    from detector.clients.http_client import Page
    from detector.clients.json_client import JsonClient

KIND = "pagerduty"
OPTION = ChannelOption((PAGERDUTY_ROUTING_KEY,), "alerts that page, by PagerDuty")
_MASK = "[redacted]"


def build_channels(settings: Settings, environment: ChannelEnvironment) -> Iterator[Channel]:
    """Yield the service, where its key is set."""
    if settings[PAGERDUTY_ROUTING_KEY]:
        yield PagerDutyService(settings, environment)


def find_conflicts(settings: Settings) -> Iterator[str]:
    """Yield a sentence where the key would travel in clear text."""
    yield from find_clear_text(settings, PAGERDUTY_EVENTS_URL)


class PagerDutyService(HttpChannel):
    """The service that owns the integration key."""

    name = KIND
    display_name = "a service of PagerDuty"
    setting = PAGERDUTY_ROUTING_KEY
    rung_setting = PAGERDUTY_MIN
    advice = Advice(
        PAGERDUTY_EVENTS_URL,
        {REJECTED: PAGERDUTY_ROUTING_KEY},
        {
            REJECTED: "Is {} the key of an Events API v2 integration, and its service enabled?",
            NOT_ALLOWED: "Is the path in {} right? It takes events without any login.",
        },
    )

    def notify(self, message: Message, context: DeliveryContext) -> DeliveryResult:
        """Send an event for each condition, the worst first; raises ExternalError where none was accepted."""
        client = self.build_client(context)
        parts = [message.keep_items([item]) for item in message.items] or [message]
        return send_parts(parts, lambda part: self.send(client, part), context)

    def send(self, client: JsonClient, part: Message) -> None:
        """Send the events of a part; a message for which nobody is paged is accepted without any."""
        for event in _build_events(part, self.settings[PAGERDUTY_ROUTING_KEY]):
            body = json.dumps(event).encode()
            client.send_post(self.settings[PAGERDUTY_EVENTS_URL], body, find_refusal=_find_refusal)

    def render_preview(self, message: Message) -> str:
        """Return the events that would be sent, without the key."""
        parts = [message.keep_items([item]) for item in message.items] or [message]
        events = [event for part in parts for event in _build_events(part, _MASK)]
        return "\n".join(f"POST\n{format_document(event)}" for event in events) or "nobody is paged for this"


def _build_events(part: Message, routing_key: str) -> Iterator[Mapping[str, Any]]:
    for item in part.items:
        yield build_item_event(part, item, routing_key)
    event = None if part.items else build_message_event(part, routing_key)
    if event is not None:
        yield event
        if part.kind == "test":
            yield {**{name: event[name] for name in ("routing_key", "dedup_key")}, "event_action": "resolve"}


def _find_refusal(page: Page) -> ExternalError | None:
    """Return the error of a response that accepts nothing although its status does."""
    if page.status not in range(200, 300):
        return None
    try:
        status = parse_document(page.body).get("status")
    except DocumentError:
        status = None
    return None if status == "success" else ExternalError("it answered without success", reason=REJECTED)
