"""Telegram, by a bot of the detector's own; a button under each alert acknowledges what it names.

The parameters are those of sendMessage (core.telegram.org/bots/api, Bot API 10.1). Without a parse mode
nothing has to be escaped; the headline is bold by an entity, in UTF-16 units.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from detector.channels._http_channel import HttpChannel, find_clear_text
from detector.channels.ack_source import AckAnswer, AckContext
from detector.channels.channel import Advice, Channel, ChannelEnvironment, ChannelOption
from detector.domain.acknowledgement import AckRequest
from detector.domain.condition import MessageRef
from detector.formats.errors import LOGIN, NO_PLACE, NOT_ALLOWED
from detector.formats.serialize import format_document
from detector.render.message import ENDED, Message
from detector.render.message_text import render_phone_text
from detector.settings import (
    ACK_FROM,
    TELEGRAM_API_URL,
    TELEGRAM_CHAT,
    TELEGRAM_MIN,
    TELEGRAM_TOKEN,
    Settings,
)

if TYPE_CHECKING:
    from detector.clients.json_client import JsonClient


KIND = "telegram"
OPTION = ChannelOption(
    (TELEGRAM_TOKEN, TELEGRAM_CHAT), "alerts by a Telegram bot, with a button to acknowledge"
)
_SEND = "sendMessage"
_MOST_UPDATES = 100
_ACK_PREFIX: Final = "ack:"  # of a button's callback_data, at most 64 bytes
_SILENT = ENDED | {"watching", "session"}


def build_channels(settings: Settings, environment: ChannelEnvironment) -> Iterator[Channel]:
    """Yield the chat, where bot and chat are set."""
    if settings[TELEGRAM_TOKEN] and settings[TELEGRAM_CHAT]:
        yield Chat(settings, environment)


def find_conflicts(settings: Settings) -> Iterator[str]:
    """Yield a sentence for each conflict: a bot without a chat, or a token in clear text."""
    if bool(settings[TELEGRAM_TOKEN]) != bool(settings[TELEGRAM_CHAT]):
        yield f"{TELEGRAM_TOKEN.name} and {TELEGRAM_CHAT.name} belong together: a bot needs both"
    yield from find_clear_text(settings, TELEGRAM_API_URL)


class Chat(HttpChannel):
    """The chat that the bot writes to."""

    name = KIND
    display_name = "a chat, by a Telegram bot"
    setting = TELEGRAM_TOKEN
    rung_setting = TELEGRAM_MIN
    advice = Advice(
        TELEGRAM_API_URL,
        {NO_PLACE: TELEGRAM_CHAT, LOGIN: TELEGRAM_TOKEN, NOT_ALLOWED: TELEGRAM_CHAT},
        {
            LOGIN: "Ask @BotFather for a new token, and put it into {}.",
            NOT_ALLOWED: "Is the bot still in the chat of {}, and did nobody block it?",
            NO_PLACE: "Write to the bot once, and put the chat's number into {}: a group that became"
            " a supergroup has a new one.",
        },
    )

    def load_client(self) -> None:
        """Import the client."""
        import detector.clients.telegram_api  # noqa: F401 - loaded, not used

    def send(self, client: JsonClient, part: Message) -> MessageRef | None:
        """Send one part, without its entities where Telegram does not accept them; raises ExternalError."""
        from detector.clients.telegram_api import TelegramApi, TelegramError

        api = TelegramApi(client, self.settings[TELEGRAM_API_URL], self.settings[TELEGRAM_TOKEN])
        chat = self.settings[TELEGRAM_CHAT]
        try:
            result = api.send_call(_SEND, build_telegram_parameters(part, chat))
        except TelegramError as error:
            if not error.is_entity_error:
                raise
            result = api.send_call(_SEND, _build_plain_parameters(part, chat))
        return _build_telegram_ref(result)

    def fetch_acknowledgements(self, context: AckContext) -> AckAnswer:
        """Return the presses of the button since the last stored one; raises ExternalError.

        The offset confirms what the artifact holds already: an update is dropped only after it was stored.
        """
        from detector.clients.telegram_api import TelegramApi

        client = self.build_client(context.deadline)
        api = TelegramApi(client, self.settings[TELEGRAM_API_URL], self.settings[TELEGRAM_TOKEN])
        offset = {} if context.cursor is None else {"offset": context.cursor + 1}
        parameters = {"limit": _MOST_UPDATES, "timeout": 0, "allowed_updates": ["callback_query"]}
        updates = api.send_call("getUpdates", {**parameters, **offset})
        presses = (
            [update for update in updates if isinstance(update, dict)] if isinstance(updates, list) else []
        )
        requests: list[AckRequest] = []
        ignored: list[str] = []
        for update in presses:
            query = update.get("callback_query") or {}
            if str(query.get("data", "")).startswith(_ACK_PREFIX):
                requests += _parse_press(context, query, ignored)
        ids = [number for update in presses if isinstance(number := update.get("update_id"), int)]
        return AckAnswer(tuple(requests), tuple(ignored), max(ids, default=context.cursor))

    def render_body(self, part: Message) -> str:
        """Return the parameters of one message, without the chat."""
        return format_document(build_telegram_parameters(part, "[redacted]"))


def _parse_press(context: AckContext, query: Mapping[str, Any], ignored: list[str]) -> list[AckRequest]:
    """Return the requests of one press of the button; `ignored` gets why one counts for nothing."""
    identity = str((query.get("from") or {}).get("id"))
    sender = context.find_sender("telegram", identity)
    if sender is None:
        who = "its sender" if context.public else f"telegram:{identity}"
        ignored.append(f"A press of Telegram's button is ignored: {ACK_FROM.name} lacks {who}.")
        return []
    ref = _build_telegram_ref(query.get("message"))
    signatures = context.list_at(ref, KIND) if ref is not None else []
    if not signatures:
        ignored.append(
            f"A press of Telegram's button by {sender} is ignored: there is a newer message, or an end."
        )
    return context.build_requests(signatures, sender, "telegram", f"telegram:{query.get('id')}")


def _build_telegram_ref(message: Any) -> MessageRef | None:
    """Return the place of a message as Telegram describes it, with a hash of the chat's number."""
    chat = message.get("chat") if isinstance(message, dict) else None
    chat_id, number = (chat or {}).get("id"), (message or {}).get("message_id")
    if not isinstance(chat_id, int) or not isinstance(number, int):
        return None
    return MessageRef(sha256(str(chat_id).encode()).hexdigest()[:16], str(number))


def build_telegram_parameters(message: Message, chat: str) -> dict[str, Any]:
    """Return the parameters; a message about present conditions has a button that acknowledges them."""
    parameters: dict[str, Any] = {
        "chat_id": chat,
        "text": f"{message.headline}\n{render_phone_text(message)}",
        "entities": [{"type": "bold", "offset": 0, "length": _count_utf16_units(message.headline)}],
        "link_preview_options": {"is_disabled": True},
        "disable_notification": message.kind in _SILENT,
    }
    if any(item.kind in ("critical", "warning") for item in message.items):
        button = {"text": "Acknowledge", "callback_data": f"{_ACK_PREFIX}{message.delivery_id}"}
        parameters["reply_markup"] = {"inline_keyboard": [[button]]}
    return parameters


def _build_plain_parameters(message: Message, chat: str) -> dict[str, Any]:
    """Return them without the entities, for the case that Telegram does not accept these."""
    parameters = build_telegram_parameters(message, chat)
    del parameters["entities"]
    return parameters


def _count_utf16_units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
