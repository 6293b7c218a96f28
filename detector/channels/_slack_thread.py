"""One message on its way through a bot: what is new is posted, what has ended is answered and edited."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from detector.channels._channel import Told
from detector.clients.slack_faults import INVALID_FORM_CODES, SlackError
from detector.domain.condition import MessageRef
from detector.formats.edge_error import EdgeError
from detector.render.message import MessageItem, Message
from detector.render.message_slack import build_slack_payload, build_plain_payload
from detector.settings import SLACK_API_URL, SLACK_CHANNEL, SLACK_TOKEN, Settings

if TYPE_CHECKING:
    from detector.clients.slack import Slack

T = TypeVar("T")
POST, UPDATE = "chat.postMessage", "chat.update"
_ENDS = ("resolved", "unwatched")


class Telling:
    """One message on its way: what was taken so far, and what was not."""

    def __init__(self, client: Slack, settings: Settings, took: Callable[[Told], None]) -> None:
        self._client = client
        self._settings = settings
        self._took = took
        self._taken: dict[str, MessageRef | None] = {}
        self._around = True
        self._failed: EdgeError | None = None
        self._said: list[str] = []

    def told(self, message: Message) -> Told:
        """Tell all of it, the new first; raises EdgeError where nothing was taken."""
        root, ends = parted(message)
        if root is not None:
            self._around = self._take(root)
        refused = [part for place, part in ends.items() if not self._answer(part, place)]
        if refused:
            # What held the earlier messages takes no answer any more: told once, in a message of its own.
            items = {item.delivery_id for part in refused for item in part.items}
            self._take(refused[0].keep_items(item for item in message.items if item.delivery_id in items))
        if self._failed is not None and not self._taken:
            raise self._failed
        self._edit(message)
        return self._so_far()

    def _take(self, message: Message) -> bool:
        """Post a part by itself; return whether it was taken."""
        try:
            posted = self._post(message, {"channel": self._settings[SLACK_CHANNEL]})
        except EdgeError as error:
            self._failed = self._failed or error
            return False
        self._receive(message, _place(posted))
        return True

    def _answer(self, message: Message, place: MessageRef) -> bool:
        """Answer an earlier message; return False where that one is refused for good."""
        try:
            self._post(message, {"channel": place.channel, "thread_ts": place.ts})
        except EdgeError as error:
            if isinstance(error, SlackError) and error.permanent:
                return False
            self._failed = self._failed or error
        else:
            self._receive(message, place)
        return True

    def _post(self, message: Message, where: Mapping[str, str]) -> Mapping[str, Any]:
        return in_some_form(message, lambda payload: self._call(POST, {**payload, **where}))

    def _receive(self, message: Message, place: MessageRef | None) -> None:
        self._taken |= dict.fromkeys((item.delivery_id for item in message.items), place)
        self._taken.setdefault(message.delivery_id, place)
        self._took(self._so_far())

    def _so_far(self) -> Told:
        return Told(
            frozenset(self._taken),
            self._around,
            {key: place for key, place in self._taken.items() if place is not None},
            self._failed,
            "; ".join(self._said) or None,
        )

    def _edit(self, message: Message) -> None:
        """Mark what has ended in the messages that told of it; that was told already, so nothing hangs on it."""
        for one in message.earlier:
            where = {"channel": one.ref.channel, "ts": one.ref.ts}
            try:
                self._call(UPDATE, {**build_slack_payload(one.message), **where})
            except EdgeError as error:
                self._said.append(f"an earlier message could not be edited: {error}")

    def _call(self, method: str, payload: Mapping[str, Any]) -> Mapping[str, Any]:
        settings = self._settings
        return self._client.send_api_call(settings[SLACK_API_URL], settings[SLACK_TOKEN], method, payload)


def in_some_form(message: Message, post: Callable[[dict[str, Any]], T]) -> T:
    """Post the message with its blocks, or where Slack does not take those, once as plain text."""
    try:
        return post(build_slack_payload(message))
    except SlackError as error:
        if error.code not in INVALID_FORM_CODES:
            raise
        return post(build_plain_payload(message))


def parted(message: Message) -> tuple[Message | None, dict[MessageRef, Message]]:
    """Return what is posted by itself, and what answers an earlier message, by that one's place."""
    ends: dict[MessageRef, list[MessageItem]] = {}
    rest: list[MessageItem] = []
    for item in message.items:
        if item.kind in _ENDS and item.refs:
            ends.setdefault(item.refs[0], []).append(item)
        else:
            rest.append(item)
    if not ends:
        return message, {}
    answers = {place: message.keep_items(items) for place, items in ends.items()}
    if rest or message.days or message.is_first:
        root = message.keep_items(rest) if rest else message.remove_items()
        return root, {place: answer.strip_notes() for place, answer in answers.items()}
    return None, answers


def _place(posted: Mapping[str, Any]) -> MessageRef | None:
    channel, ts = posted.get("channel"), posted.get("ts")
    if isinstance(channel, str) and isinstance(ts, str) and channel and ts:
        return MessageRef(channel[:64], ts[:64])
    return None
