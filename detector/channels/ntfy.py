"""ntfy: every message is a push to the phones that subscribe to the topic (docs.ntfy.sh, publish as JSON)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from detector.channels._http_channel import HttpChannel, find_clear_text
from detector.channels.channel import Advice, Channel, ChannelEnvironment, ChannelOption
from detector.formats.errors import LOGIN, NO_PLACE, NOT_ALLOWED, REJECTED, THROTTLED, ExternalError
from detector.formats.serialize import format_document
from detector.render.message import Message
from detector.render.message_text import render_phone_text
from detector.settings import NTFY_MIN, NTFY_TOKEN, NTFY_TOPIC, NTFY_URL, Settings

if TYPE_CHECKING:
    from detector.clients.http_client import Page
    from detector.clients.json_client import JsonClient

KIND = "ntfy"
OPTION = ChannelOption((NTFY_TOPIC,), "alerts as pushes of ntfy")
_HIGHEST, _HIGH, _DEFAULT, _LOW = 5, 4, 3, 2


def build_channels(settings: Settings, environment: ChannelEnvironment) -> Iterator[Channel]:
    """Yield the topic, where it is named."""
    if settings[NTFY_TOPIC]:
        yield Topic(settings, environment)


def find_conflicts(settings: Settings) -> Iterator[str]:
    """Yield a sentence where the topic would travel in clear text, or a token has no topic."""
    if settings[NTFY_TOKEN] and not settings[NTFY_TOPIC]:
        yield f"{NTFY_TOKEN.name} needs {NTFY_TOPIC.name} beside it"
    yield from find_clear_text(settings, NTFY_URL)


class Topic(HttpChannel):
    """One topic of one server."""

    name = KIND
    display_name = "a topic of ntfy"
    setting = NTFY_TOPIC
    rung_setting = NTFY_MIN
    advice = Advice(
        NTFY_URL,
        dict.fromkeys((LOGIN, NOT_ALLOWED), NTFY_TOKEN),
        {
            LOGIN: "Make a new access token, and put it into {}.",
            NOT_ALLOWED: "May the token in {} write to the topic?",
            **dict.fromkeys((NO_PLACE, REJECTED), "Is {} the root of the server, without the topic?"),
            THROTTLED: "ntfy.sh takes 250 messages a day: use a server or an account of your own.",
        },
    )

    def send(self, client: JsonClient, part: Message) -> None:
        """Publish one part; raises ExternalError."""
        token = self.settings[NTFY_TOKEN]
        body = json.dumps(build_ntfy_body(part, self.settings[NTFY_TOPIC])).encode()
        headers = {"authorization": f"Bearer {token}"} if token else {}
        client.send_post(self.settings[NTFY_URL], body, headers, _find_refusal)

    def render_body(self, part: Message) -> str:
        """Return the body of one push, without the topic."""
        return format_document(build_ntfy_body(part, "[redacted]"))


def build_ntfy_body(message: Message, topic: str) -> dict[str, Any]:
    """Return the body: what escalates rings at the highest priority, what needs nobody at a low one."""
    click = message.link or (message.items[0].runbook_url if message.items else "")
    return {
        "topic": topic,
        "title": message.headline,
        "message": render_phone_text(message),
        "priority": _choose_priority(message),
        **({"click": click} if click else {}),
    }


def _find_refusal(page: Page) -> ExternalError | None:
    """Return the error of a page that is no ntfy's, such as that of a login: a message taken has an id."""
    from detector.clients.json_client import read_answer

    if page.is_success and not read_answer(page).get("id"):
        return ExternalError("what answered is not ntfy", reason=REJECTED)
    return None


def _choose_priority(message: Message) -> int:
    if any(item.escalates for item in message.items):
        return _HIGHEST
    if message.kind == "critical":
        return _HIGH
    return _DEFAULT if message.kind in ("warning", "missed", "unchecked", "failing", "test") else _LOW
