"""PagerDuty by its Events API v2: an alert for each condition, by a key from its signature.

Answers (developer.pagerduty.com, Events API v2): 202 with `status` "success" is a receipt.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from msgspec import Struct
from msgspec.structs import replace

from detector.channels._http_channel import HttpChannel, find_clear_text
from detector.channels.ack_source import MAX_QUERIES, AckAnswer, AckContext
from detector.channels.channel import (
    Advice,
    Channel,
    ChannelEnvironment,
    ChannelOption,
    DeliveryContext,
    DeliveryResult,
    send_parts,
)
from detector.domain.acknowledgement import AckRequest
from detector.domain.condition import Condition, MessageRef
from detector.formats.errors import NOT_ALLOWED, REJECTED, UNREADABLE, ExternalError, InputError
from detector.formats.serialize import format_document
from detector.formats.strict_json import parse_document
from detector.formats.times import parse_rfc3339
from detector.render.message import ENDED, Message, MessageItem
from detector.render.message_pagerduty import (
    build_event,
    build_item_events,
    build_item_key,
    build_message_event,
    list_outdated_keys,
    list_recorded_keys,
)
from detector.settings import (
    ACK_FROM,
    PAGERDUTY_API_URL,
    PAGERDUTY_EVENTS_URL,
    PAGERDUTY_MIN,
    PAGERDUTY_ROUTING_KEY,
    PAGERDUTY_TOKEN,
    Settings,
)

if TYPE_CHECKING:
    from detector.clients.connection import Deadline
    from detector.clients.http_client import Page
    from detector.clients.json_client import JsonClient

KIND = "pagerduty"
OPTION = ChannelOption((PAGERDUTY_ROUTING_KEY,), "alerts that page, by PagerDuty")
_MASK = "[redacted]"
_ACCEPT = "application/vnd.pagerduty+json;version=2"


def build_channels(settings: Settings, environment: ChannelEnvironment) -> Iterator[Channel]:
    """Yield the service, where its key is set."""
    if settings[PAGERDUTY_ROUTING_KEY]:
        yield PagerDutyService(settings, environment)


def find_conflicts(settings: Settings) -> Iterator[str]:
    """Yield a sentence where the key would travel in clear text."""
    if settings[PAGERDUTY_TOKEN] and not settings[PAGERDUTY_ROUTING_KEY]:
        yield f"{PAGERDUTY_TOKEN.name} needs {PAGERDUTY_ROUTING_KEY.name} beside it"
    yield from find_clear_text(settings, PAGERDUTY_EVENTS_URL, PAGERDUTY_API_URL)


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
        """Send the events of each condition, the worst first; raises ExternalError where none was accepted.

        The alerts that others took the place of are resolved after all of these: nothing waits for that.
        """
        client = self.build_client(context.deadline)
        result = send_parts(_split_by_condition(message), lambda part: self.send(client, part), context)
        try:
            for item in message.items:
                if result.accepted is None or item.delivery_id in result.accepted:
                    self._send_events(client, _build_outdated_events(item, self._routing_key))
        except ExternalError as error:
            warning = f"an earlier alert of a condition was not resolved: {error}"
            return replace(result, warning=warning)
        return result

    def count_fitting(self, items: Sequence[MessageItem], page: int) -> int:
        """Return 1: each condition is an alert of its own."""
        return 1

    def send(self, client: JsonClient, part: Message) -> MessageRef | None:
        """Send the events of a part; a message for which nobody is paged is accepted without any."""
        self._send_events(client, _build_events(part, self._routing_key))
        keys = [build_item_key(item) for item in part.items if item.kind not in ENDED]
        return MessageRef(KIND, keys[0]) if keys else None

    def fetch_acknowledgements(self, context: AckContext) -> AckAnswer:
        """Return who acknowledged the incidents of the open conditions; raises ExternalError."""
        token = self.settings[PAGERDUTY_TOKEN]
        acks: list[AckRequest] = []
        ignored: list[str] = []
        for condition, key in islice(_list_alerts(context), MAX_QUERIES) if token else ():
            query = urlencode(
                {"incident_key": key, "statuses[]": "acknowledged", "include[]": "acknowledgers"}
            )
            page = self.build_client(context.deadline).send_get(
                f"{self.settings[PAGERDUTY_API_URL].rstrip('/')}/incidents?{query}",
                {"authorization": f"Token token={token}", "accept": _ACCEPT},
            )
            for given in _list_acknowledgements(page):
                sender = context.find_sender("pagerduty", given.person)
                if sender is None:
                    who = "its sender" if context.public else f"pagerduty:{given.person}"
                    ignored.append(
                        f"An acknowledgement in PagerDuty is ignored: {ACK_FROM.name} lacks {who}."
                    )
                else:
                    until = context.until - context.now + given.at
                    acks.append(
                        AckRequest(condition.signature, sender, given.at, until, "pagerduty", given.id)
                    )
        return AckAnswer(tuple(acks), tuple(dict.fromkeys(ignored)))

    def send_acknowledgement(self, condition: Condition, deadline: Deadline) -> None:
        """Acknowledge the alerts of a condition that was acknowledged elsewhere; raises ExternalError."""
        keys = list_recorded_keys(condition.signature, condition.receipts[KIND].places)
        events = (build_event("acknowledge", key, self._routing_key) for key in keys)
        self._send_events(self.build_client(deadline), events)

    def render_preview(self, message: Message) -> str:
        """Return the events that would be sent, without the key."""
        bodies = [self.render_body(part) for part in _split_by_condition(message)]
        bodies += [_render_events(_build_outdated_events(item, _MASK)) for item in message.items]
        return "\n".join(body for body in bodies if body) or "nobody is paged for this"

    def render_body(self, part: Message) -> str:
        """Return the events of one part, none where nobody is paged for it."""
        return _render_events(_build_events(part, _MASK))

    @property
    def _routing_key(self) -> str:
        return self.settings[PAGERDUTY_ROUTING_KEY]

    def _send_events(self, client: JsonClient, events: Iterable[Mapping[str, Any]]) -> None:
        for event in events:
            body = json.dumps(event).encode()
            client.send_post(self.settings[PAGERDUTY_EVENTS_URL], body, find_refusal=_find_refusal)


def _build_events(part: Message, routing_key: str) -> Iterator[Mapping[str, Any]]:
    for item in part.items:
        yield from build_item_events(part, item, routing_key)
    event = None if part.items else build_message_event(part, routing_key)
    if event is not None:
        yield event
        if part.kind == "test":
            yield build_event("resolve", event["dedup_key"], routing_key)


def _build_outdated_events(item: MessageItem, routing_key: str) -> Iterator[Mapping[str, Any]]:
    return (build_event("resolve", key, routing_key) for key in list_outdated_keys(item))


def _render_events(events: Iterable[Mapping[str, Any]]) -> str:
    return "\n".join(f"POST\n{format_document(event)}" for event in events)


def _list_alerts(context: AckContext) -> Iterator[tuple[Condition, str]]:
    """Yield each open condition with the key of its newest alert, then those with the earlier ones."""
    keys = [
        (condition, list_recorded_keys(condition.signature, condition.receipts[KIND].places))
        for condition in context.list_open(KIND)
    ]
    yield from ((condition, newest) for condition, (newest, *_) in keys)
    yield from ((condition, key) for condition, (_, *earlier) in keys for key in earlier)


def _split_by_condition(message: Message) -> list[Message]:
    return [message.keep_items([item]) for item in message.items] or [message]


class _Given(Struct, frozen=True):
    """One acknowledgement of an incident: PagerDuty's id of the person, when, and an id of its own."""

    person: str
    at: datetime
    id: str


def _list_acknowledgements(page: Page) -> Iterator[_Given]:
    """Yield the acknowledgements of the incidents of a page; raises ExternalError where it cannot be read."""
    try:
        for incident in parse_document(page.body)["incidents"]:
            for entry in incident.get("acknowledgements") or ():
                at = parse_rfc3339(entry["at"])
                yield _Given(
                    str(entry["acknowledger"]["id"]), at, f"pagerduty:{incident['id']}:{entry['at']}"
                )
    except (InputError, KeyError, TypeError, AttributeError):
        raise ExternalError("its list of incidents cannot be read", reason=UNREADABLE) from None


def _find_refusal(page: Page) -> ExternalError | None:
    """Return the error of a response that accepts nothing although its status does."""
    from detector.clients.json_client import read_answer

    if page.is_success and read_answer(page).get("status") != "success":
        return ExternalError("it answered without success", reason=REJECTED)
    return None
