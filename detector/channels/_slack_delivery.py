"""Delivers one message by a bot token; posts new events, replies to and edits messages of resolved ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from detector.channels.channel import DeliveryResult
from detector.domain.condition import MessageRef
from detector.formats.errors import ExternalError
from detector.render.message import ENDED, Message, MessageItem
from detector.render.message_slack import build_plain_payload, build_slack_payload, count_fitting
from detector.settings import SLACK_API_URL, SLACK_CHANNEL, SLACK_TOKEN, Settings

if TYPE_CHECKING:
    from detector.clients.slack_api import Slack

T = TypeVar("T")
POST, UPDATE = "chat.postMessage", "chat.update"


class SlackDelivery:
    """The delivery of one message: the items accepted so far, and the first error."""

    def __init__(
        self, client: Slack, settings: Settings, on_progress: Callable[[DeliveryResult], None]
    ) -> None:
        self._client = client
        self._settings = settings
        self._on_progress = on_progress
        self._accepted: dict[str, MessageRef | None] = {}
        self._extras_accepted = True
        self._error: ExternalError | None = None
        self._warnings: list[str] = []

    def deliver(self, message: Message) -> DeliveryResult:
        """Deliver the message, new events first; raises ExternalError where nothing was accepted."""
        root, replies = split_replies(message)
        if root is not None:
            first, *further = root.split(count_fitting)
            self._extras_accepted = self._send_new(first)
            for part in further:
                self._send_new(part)
        refused = [reply for ref, reply in replies.items() if not self._send_reply(reply, ref)]
        if refused:
            # The earlier messages accept no reply any more: their items are posted once, as a new message.
            delivery_ids = {item.delivery_id for reply in refused for item in reply.items}
            kept = refused[0].keep_items(item for item in message.items if item.delivery_id in delivery_ids)
            for part in kept.split(count_fitting):
                self._send_new(part)
        if self._error is not None and not self._accepted:
            raise self._error
        self._update_earlier(message)
        return self._build_result()

    def _send_new(self, message: Message) -> bool:
        """Post a part as a new message; return whether it was accepted."""
        try:
            answer = self._send(message, {"channel": self._settings[SLACK_CHANNEL]})
        except ExternalError as error:
            self._error = self._error or error
            return False
        self._record(message, _parse_message_ref(answer))
        return True

    def _send_reply(self, message: Message, ref: MessageRef) -> bool:
        """Reply to an earlier message; return False where Slack refuses that message for good."""
        from detector.clients.slack_api import SlackError

        try:
            self._send(message, {"channel": ref.channel, "thread_ts": ref.ts})
        except ExternalError as error:
            if isinstance(error, SlackError) and error.permanent:
                return False
            self._error = self._error or error
        else:
            self._record(message, ref)
        return True

    def _send(self, message: Message, target: Mapping[str, str]) -> Mapping[str, Any]:
        return send_with_fallback(message, lambda payload: self._send_payload(POST, {**payload, **target}))

    def _record(self, message: Message, ref: MessageRef | None) -> None:
        self._accepted |= dict.fromkeys((item.delivery_id for item in message.items), ref)
        self._accepted.setdefault(message.delivery_id, ref)
        self._on_progress(self._build_result())

    def _build_result(self) -> DeliveryResult:
        return DeliveryResult(
            frozenset(self._accepted),
            self._extras_accepted,
            {delivery_id: ref for delivery_id, ref in self._accepted.items() if ref is not None},
            self._error,
            "; ".join(self._warnings) or None,
        )

    def _update_earlier(self, message: Message) -> None:
        """Mark resolved events in their earlier messages; a failure is a warning: no item depends on it."""
        for earlier in message.earlier:
            target = {"channel": earlier.ref.channel, "ts": earlier.ref.ts}
            try:
                self._send_payload(UPDATE, {**build_slack_payload(earlier.message), **target})
            except ExternalError as error:
                self._warnings.append(f"an earlier message could not be edited: {error}")

    def _send_payload(self, method: str, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        settings = self._settings
        return self._client.send_api_call(settings[SLACK_API_URL], settings[SLACK_TOKEN], method, payload)


def send_with_fallback(message: Message, post: Callable[[dict[str, Any]], T]) -> T:
    """Post the message with its blocks, or once as plain text where Slack does not accept the blocks."""
    from detector.clients.slack_api import INVALID_FORM_CODES, SlackError

    try:
        return post(build_slack_payload(message))
    except SlackError as error:
        if error.code not in INVALID_FORM_CODES:
            raise
        return post(build_plain_payload(message))


def split_replies(message: Message) -> tuple[Message | None, dict[MessageRef, Message]]:
    """Return the message to post, and the replies by the earlier message that they answer."""
    ended: dict[MessageRef, list[MessageItem]] = {}
    rest: list[MessageItem] = []
    for item in message.items:
        if item.kind in ENDED and item.refs:
            ended.setdefault(item.refs[0], []).append(item)
        else:
            rest.append(item)
    if not ended:
        return message, {}
    replies = {ref: message.keep_items(items) for ref, items in ended.items()}
    if rest or message.days or message.is_first:
        root = message.keep_items(rest) if rest else message.remove_items()
        return root, {ref: reply.strip_notes() for ref, reply in replies.items()}
    return None, replies


def _parse_message_ref(answer: Mapping[str, Any]) -> MessageRef | None:
    channel, ts = answer.get("channel"), answer.get("ts")
    if isinstance(channel, str) and isinstance(ts, str) and channel and ts:
        return MessageRef(channel[:64], ts[:64])
    return None
