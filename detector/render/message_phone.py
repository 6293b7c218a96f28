"""A message as short text for a phone, within the limits of ntfy and Telegram.

Limits: 4,096 bytes of ntfy (docs.ntfy.sh, publish as JSON; longer text becomes an attachment) and 4,096
UTF-16 units of Telegram (core.telegram.org, sendMessage), of which a text has never more than bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from detector.render.message import MAX_FULL, Message, MessageItem
from detector.render.message_text import render_item

TEXT_BYTES: Final = 3_400  # with a headline of 150 characters, each of up to 4 bytes, at most 4,000
_ITEMS_BYTES, _FULL_BYTES, _SHORT_BYTES = 2_600, 840, 260
_LINE_BYTES = 240
_ELLIPSIS = "…"


def render_phone_text(message: Message) -> str:
    """Return the message without its headline, at most TEXT_BYTES in UTF-8; it names every item."""
    lines = [_cut_bytes(f"{message.runtime}, {message.at}", _LINE_BYTES)]
    lines += [_cut_bytes(message.decision, _LINE_BYTES)] if message.decision else []
    lines += [_cut_bytes(message.coverage, _LINE_BYTES)] if message.coverage else []
    lines += _render_items(message.items, message.page)
    lines += ["", *message.body_days, *message.notes] if message.days or message.notes else []
    lines += [f"run {message.link}"] if message.link else []
    return _cut_bytes("\n".join(lines), TEXT_BYTES - len(message.delivery_id) - 10) + (
        f"\ndelivery {message.delivery_id}"
    )


def count_phone_items(items: Sequence[MessageItem], page: int) -> int:
    """Return how many of the items the text of that page names."""
    count, left = 0, _ITEMS_BYTES
    for line in _render_items(items, page):
        left -= len(line.encode()) + 1
        if left < 0:
            break
        count += 1
    return count


def _render_items(items: Sequence[MessageItem], page: int) -> Iterator[str]:
    """Yield one text for each item: the worst in full, every other one in a line."""
    for index, item in enumerate(items):
        title = f"{item.label}  {item.title}"
        if page == 1 and index < MAX_FULL:
            yield _cut_bytes("\n".join(("", title, *render_item(item))), _FULL_BYTES)
        else:
            gap = "\n" if index == MAX_FULL and page == 1 else ""
            limit = max(_SHORT_BYTES, len(title.encode()) + len(_ELLIPSIS.encode()) + 1)
            yield gap + _cut_bytes(f"{item.label}  {item.line}", limit)


def _cut_bytes(text: str, limit: int) -> str:
    """Return the text, cut to `limit` bytes in UTF-8 with an ellipsis."""
    data = text.encode()
    if len(data) <= limit:
        return text
    return data[: limit - len(_ELLIPSIS.encode())].decode("utf-8", "ignore").rstrip() + _ELLIPSIS
