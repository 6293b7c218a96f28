"""A message as the parameters of Telegram's sendMessage (core.telegram.org/bots/api, Bot API 10.1).

Without a parse mode nothing has to be escaped; the headline is bold by an entity, in UTF-16 units.
"""

from __future__ import annotations

from typing import Any, Final

from detector.render.message import Message
from detector.render.message_phone import render_phone_text

ACK_PREFIX: Final = "ack:"  # of a button's callback_data, at most 64 bytes
_SILENT = ("resolved", "unwatched", "watching", "session")


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
        button = {"text": "Acknowledge", "callback_data": f"{ACK_PREFIX}{message.delivery_id}"}
        parameters["reply_markup"] = {"inline_keyboard": [[button]]}
    return parameters


def build_plain_parameters(message: Message, chat: str) -> dict[str, Any]:
    """Return them without the entities, for the case that Telegram does not accept these."""
    parameters = build_telegram_parameters(message, chat)
    del parameters["entities"]
    return parameters


def _count_utf16_units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2
