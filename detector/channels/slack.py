"""Slack, by an incoming webhook or a bot token; with a token, resolved events edit their message."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from detector.channels._http_channel import find_clear_text
from detector.channels._slack_delivery import POST, UPDATE, SlackDelivery, send_with_fallback, split_replies
from detector.channels.ack_source import AckAnswer, AckContext, list_refs
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
from detector.domain.acknowledgement import AckRequest, parse_sender
from detector.formats import errors
from detector.render.message import Message
from detector.render.message_slack import build_slack_payload, count_fitting
from detector.settings import (
    ACK_FROM,
    SLACK_API_URL,
    SLACK_CHANNEL,
    SLACK_MIN,
    SLACK_TOKEN,
    SLACK_WEBHOOK_URL,
    Settings,
)

if TYPE_CHECKING:
    from detector.clients.slack_api import Slack

KIND = "slack"
ACK_REACTIONS = ("eyes", "white_check_mark", "heavy_check_mark", "ok_hand", "+1", "thumbsup")
OPTION = ChannelOption(
    (SLACK_WEBHOOK_URL,), "alerts in Slack, by an incoming webhook (or AEGIS_PT_SLACK_TOKEN and _CHANNEL)"
)

_WEBHOOK = Advice(
    SLACK_WEBHOOK_URL,
    {},
    {
        errors.LOGIN: "Make a new webhook, and put it into {}.",
        errors.NOT_ALLOWED: "Is an app of the workspace allowed to post there?"
        " Otherwise make a new webhook, and put it into {}.",
        errors.NO_PLACE: "Is the webhook's channel there, and not archived?"
        " Otherwise make a new one, and put it into {}.",
    },
)
_BOT = Advice(
    SLACK_TOKEN,
    {
        errors.NO_PLACE: SLACK_CHANNEL,
        **dict.fromkeys(
            (errors.REFUSED, errors.UNREACHABLE, errors.DNS, errors.FORBIDDEN, errors.REDIRECTED),
            SLACK_API_URL,
        ),
    },
    {
        errors.LOGIN: "Make a new token, and put it into {}.",
        errors.NOT_ALLOWED: "Give the app the scope chat:write and install it again; its token stands in {}.",
    },
)


def build_channels(settings: Settings, environment: ChannelEnvironment) -> Iterator[Channel]:
    """Yield the webhook, or the bot's channel."""
    if settings[SLACK_WEBHOOK_URL]:
        yield Webhook(settings, environment)
    elif settings[SLACK_TOKEN]:
        yield Bot(settings, environment)


def find_conflicts(settings: Settings) -> Iterator[str]:
    """Yield a sentence for each conflict: both ways to post, a partial one, or a secret in clear text."""
    hook, token, channel = settings[SLACK_WEBHOOK_URL], settings[SLACK_TOKEN], settings[SLACK_CHANNEL]
    if hook and token:
        yield (
            f"{SLACK_WEBHOOK_URL.name} and {SLACK_TOKEN.name} are both set;"
            " Slack is reached in one way, so leave one out"
        )
    if token and not channel:
        yield f"{SLACK_TOKEN.name} needs {SLACK_CHANNEL.name} beside it"
    if channel and not token:
        yield f"{SLACK_CHANNEL.name}: a channel needs {SLACK_TOKEN.name}; a webhook has its own channel"
    yield from find_clear_text(settings, SLACK_WEBHOOK_URL, *([SLACK_API_URL] if token else []))


class _Slack(ConfiguredChannel):
    """The common part of both ways to post."""

    name = KIND
    rung_setting = SLACK_MIN

    def load_client(self) -> None:
        """Import Slack's SDK and its HTTP client."""
        import detector.clients.slack_api  # noqa: F401 - loaded, not used

    def _build_client(self, context: DeliveryContext | AckContext) -> Slack:
        from detector.clients.slack_api import Slack

        return Slack(self.build_network(context.deadline), self.environment.clock)


class Webhook(_Slack):
    """An incoming webhook, which can post, but neither edit nor reply."""

    setting = SLACK_WEBHOOK_URL
    advice = _WEBHOOK
    display_name = "an incoming webhook"

    def notify(self, message: Message, context: DeliveryContext) -> DeliveryResult:
        """Post the message; raises ExternalError."""
        client = self._build_client(context)
        url = self.settings[SLACK_WEBHOOK_URL]
        return send_parts(
            message.split(count_fitting),
            lambda part: send_with_fallback(part, lambda payload: client.send_webhook(url, payload)),
            context,
        )

    def render_preview(self, message: Message) -> str:
        """Return the payload that would be posted."""
        return "\n".join(
            _render_call("POST", build_slack_payload(part)) for part in message.split(count_fitting)
        )


class Bot(_Slack):
    """A bot token, with which resolved events edit the earlier message and reply in its thread."""

    setting = SLACK_TOKEN
    advice = _BOT

    @property
    def display_name(self) -> str:
        """The channel that the bot posts to."""
        return f"channel {self.settings[SLACK_CHANNEL]}, by a bot token"

    def notify(self, message: Message, context: DeliveryContext) -> DeliveryResult:
        """Post new events, worst first, then replies and edits; raises ExternalError if none is accepted."""
        return SlackDelivery(self._build_client(context), self.settings, context.on_progress).deliver(message)

    def fetch_acknowledgements(self, context: AckContext) -> AckAnswer:
        """Return the reactions to the newest message of each open condition; raises ExternalError.

        It needs the scope reactions:read, and asks only where AEGIS_PT_ACK_FROM names somebody of Slack.
        """
        senders: tuple[str, ...] = self.settings[ACK_FROM]
        if not any(sender.kind == KIND for sender in map(parse_sender, senders)):
            return AckAnswer()
        from detector.clients.slack_api import SlackError

        client = self._build_client(context)
        api, token = self.settings[SLACK_API_URL], self.settings[SLACK_TOKEN]
        requests: list[AckRequest] = []
        for ref in list_refs(context, KIND):
            query = {"channel": ref.channel, "timestamp": ref.ts, "full": "true"}
            try:
                answer = client.read_api_call(api, token, "reactions.get", query)
            except SlackError as error:
                if error.code != "message_not_found":
                    raise
                continue
            people = (context.find_sender(KIND, user) for user in _list_reacting_users(answer))
            sender = next((name for name in people if name is not None), None)
            if sender is not None:
                signatures = context.list_at(ref, KIND)
                requests += context.build_requests(
                    signatures, sender, "slack", f"slack:{ref.channel}:{ref.ts}"
                )
        return AckAnswer(tuple(requests))

    def render_preview(self, message: Message) -> str:
        """Return every call that would be made, in its order."""
        root, replies = split_replies(message)
        parts = root.split(count_fitting) if root is not None else ()
        calls = [_render_call(POST, build_slack_payload(part)) for part in parts]
        calls += [
            _render_call(f"{POST} in the thread of {ref.ts}", build_slack_payload(reply))
            for ref, reply in replies.items()
        ]
        calls += [
            _render_call(f"{UPDATE} of {earlier.ref.ts}", build_slack_payload(earlier.message))
            for earlier in message.earlier
        ]
        return "\n".join(calls)


def _list_reacting_users(answer: Mapping[str, Any]) -> Iterator[str]:
    """Yield the users who reacted with one of ACK_REACTIONS, whatever the tone of its skin."""
    message = answer.get("message")
    reactions = message.get("reactions") if isinstance(message, dict) else None
    for reaction in reactions if isinstance(reactions, list) else ():
        if isinstance(reaction, dict) and str(reaction.get("name")).partition("::")[0] in ACK_REACTIONS:
            yield from (str(user) for user in reaction.get("users") or ())


def _render_call(name: str, payload: Mapping[str, Any]) -> str:
    return f"{name}\n{json.dumps(payload, indent=2, ensure_ascii=False)}"
