"""Slack, by an incoming webhook or by a bot token; with a token an end edits its message and answers in its thread."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from detector.channels._channel import Advice, Channel, Errand, Offer, Told, World, is_here, reach_of
from detector.channels._slack_thread import POST, UPDATE, Telling, in_some_form, parted
from detector.domain.rule import Severity
from detector.formats.edge_error import (
    DNS,
    FORBIDDEN,
    LOGIN,
    NO_PLACE,
    NOT_ALLOWED,
    REDIRECTED,
    REFUSED,
    UNREACHABLE,
)
from detector.render.message import Message
from detector.render.message_slack import build_slack_payload
from detector.settings import (
    SLACK_API_URL,
    SLACK_CHANNEL,
    SLACK_MIN,
    SLACK_TOKEN,
    SLACK_WEBHOOK_URL,
    Setting,
    Settings,
)

if TYPE_CHECKING:
    from detector.clients.slack import Slack

KIND = "slack"
OFFER = Offer(
    (SLACK_WEBHOOK_URL,), "alerts in Slack, by an incoming webhook (or AEGIS_PT_SLACK_TOKEN and _CHANNEL)"
)

_WEBHOOK = Advice(
    SLACK_WEBHOOK_URL,
    {},
    {
        LOGIN: "Make a new webhook, and put it into {}.",
        NOT_ALLOWED: "Is an app of the workspace allowed to post there? Otherwise make a new webhook, and put it into {}.",
        NO_PLACE: "Is the webhook's channel there, and not archived? Otherwise make a new one, and put it into {}.",
    },
)
_BOT = Advice(
    SLACK_TOKEN,
    {
        NO_PLACE: SLACK_CHANNEL,
        **dict.fromkeys((REFUSED, UNREACHABLE, DNS, FORBIDDEN, REDIRECTED), SLACK_API_URL),
    },
    {
        LOGIN: "Make a new token, and put it into {}.",
        NOT_ALLOWED: "Give the app the scope chat:write and install it anew; its token stands in {}.",
    },
)


def channels(settings: Settings, world: World) -> Iterator[Channel]:
    """Yield the webhook, or the bot's channel."""
    if settings[SLACK_WEBHOOK_URL]:
        yield Webhook(settings, world)
    elif settings[SLACK_TOKEN]:
        yield Bot(settings, world)


def faults(settings: Settings) -> Iterator[str]:
    """Yield what contradicts itself: two ways to post, half a way, a secret in clear text."""
    hook, token, place = settings[SLACK_WEBHOOK_URL], settings[SLACK_TOKEN], settings[SLACK_CHANNEL]
    if hook and token:
        yield f"{SLACK_WEBHOOK_URL.name} and {SLACK_TOKEN.name} are both set; Slack is told in one way, so leave one out"
    if token and not place:
        yield f"{SLACK_TOKEN.name}: a bot token needs {SLACK_CHANNEL.name}"
    if place and not token:
        yield f"{SLACK_CHANNEL.name}: a channel needs {SLACK_TOKEN.name}; a webhook has its own channel"
    for setting, used in ((SLACK_WEBHOOK_URL, hook), (SLACK_API_URL, token)):
        parts = urlsplit(settings[setting])
        if used and parts.scheme == "http" and not is_here(parts.hostname):
            yield f"{setting.name}: must begin with https://, so that its secret is not sent in clear text"


class _Slack:
    """What both ways to post share."""

    name = KIND

    def __init__(self, settings: Settings, world: World) -> None:
        self._settings = settings
        self._world = world

    @property
    def least(self) -> Severity:
        """The lowest severity that it is told of."""
        return "critical" if self._settings[SLACK_MIN] == "critical" else "warning"

    def load(self) -> None:
        """Import Slack's SDK and what carries it."""
        import detector.clients.slack  # noqa: F401 - loaded, not used

    def _client(self, errand: Errand) -> Slack:
        from detector.clients.slack import Slack

        return Slack(reach_of(self._settings, self._world, errand.until), self._world.clock)


class Webhook(_Slack):
    """An incoming webhook: it can post, and neither edit nor answer."""

    setting: Setting[Any] = SLACK_WEBHOOK_URL
    place = "an incoming webhook"

    def advice(self, reason: str) -> str:
        """Return what a person can do where it failed for that reason."""
        return _WEBHOOK.on(reason)

    def notify(self, message: Message, errand: Errand) -> Told:
        """Post the message; raises EdgeError."""
        client = self._client(errand)
        url = self._settings[SLACK_WEBHOOK_URL]
        in_some_form(message, lambda payload: client.send_webhook(url, payload))
        return Told()

    def shows(self, message: Message) -> str:
        """Return the payload that would be posted."""
        return _shown("POST", build_slack_payload(message))


class Bot(_Slack):
    """A bot token: what was told is edited and answered where it ends."""

    setting: Setting[Any] = SLACK_TOKEN

    @property
    def place(self) -> str:
        """The channel that the bot posts to."""
        return f"channel {self._settings[SLACK_CHANNEL]}, by a bot token"

    def advice(self, reason: str) -> str:
        """Return what a person can do where it failed for that reason."""
        return _BOT.on(reason)

    def notify(self, message: Message, errand: Errand) -> Told:
        """Post what is new, worst first; then answer and edit what has ended. Raises EdgeError where nothing was taken."""
        return Telling(self._client(errand), self._settings, errand.took).told(message)

    def shows(self, message: Message) -> str:
        """Return every call that would be made, in its order."""
        root, ends = parted(message)
        calls = [_shown(POST, build_slack_payload(root))] if root is not None else []
        calls += [
            _shown(f"{POST} in the thread of {place.ts}", build_slack_payload(answer))
            for place, answer in ends.items()
        ]
        calls += [
            _shown(f"{UPDATE} of {one.ref.ts}", build_slack_payload(one.message)) for one in message.earlier
        ]
        return "\n".join(calls)


def _shown(what: str, payload: Mapping[str, Any]) -> str:
    return f"{what}\n{json.dumps(payload, indent=2, ensure_ascii=False)}"


__all__ = ["KIND", "OFFER", "Bot", "Webhook", "channels", "faults"]
