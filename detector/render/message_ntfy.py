"""A message as the JSON that ntfy publishes (docs.ntfy.sh, publish as JSON)."""

from __future__ import annotations

from typing import Any

from detector.render.message import Message
from detector.render.message_phone import render_phone_text

_HIGHEST, _HIGH, _DEFAULT, _LOW = 5, 4, 3, 2


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


def _choose_priority(message: Message) -> int:
    if any(item.escalates for item in message.items):
        return _HIGHEST
    if message.kind == "critical":
        return _HIGH
    return _DEFAULT if message.kind in ("warning", "missed", "unchecked", "failing", "test") else _LOW
