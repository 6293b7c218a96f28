"""A message as the JSON body of the webhook, for programs; its schema is schemas/webhook.schema.json."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from msgspec import Struct

from detector.domain.condition import Event
from detector.render.message import Kind, Message, MessageItem

MAX_EVENTS: Final = 200  # of one body; a further one follows with an id of its own
SCHEMA_VERSION: Final = 1


class WebhookEvent(Struct, frozen=True):
    """One condition that is due: `event` as on standard output, and what a message adds to it.

    `delivery_id` stays the same until the delivery is accepted, `episode` through the whole life of the
    condition. `first_step` is the first thing to do, `runbook_url` where the runbook speaks of it; each may
    be empty.
    """

    event: Event
    delivery_id: str
    episode: str
    escalates: bool
    money: bool
    first_step: str
    runbook_url: str


class WebhookBody(Struct, frozen=True):
    """One delivery: `id` is also the header `webhook-id`, and the same for every attempt.

    `notes` and `sessions` are sentences for people, `run` is the address of the run or empty.
    """

    schema_version: int
    id: str
    kind: Kind
    runtime: str
    sent_at: datetime
    headline: str
    decision: str
    coverage: str
    events: tuple[WebhookEvent, ...]
    notes: tuple[str, ...]
    sessions: tuple[str, ...]
    run: str
    page: int
    pages: int


def build_webhook_body(message: Message) -> WebhookBody:
    """Return the body of one part of a message."""
    return WebhookBody(
        schema_version=SCHEMA_VERSION,
        id=message.delivery_id,
        kind=message.kind,
        runtime=message.runtime,
        sent_at=message.sent_at,
        headline=message.headline,
        decision=message.decision,
        coverage=message.coverage,
        events=tuple(_build_event(item, item.event) for item in message.items if item.event is not None),
        notes=message.notes,
        sessions=message.days,
        run=message.link,
        page=message.page,
        pages=message.pages,
    )


def _build_event(item: MessageItem, event: Event) -> WebhookEvent:
    return WebhookEvent(
        event, item.delivery_id, item.episode, item.escalates, item.money, item.step, item.runbook_url
    )
