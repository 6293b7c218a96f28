"""A message as plain text: the text part of an e-mail, and what Slack shows where it takes no blocks."""

from __future__ import annotations

from collections.abc import Iterator

from detector.render.message import Message, MessageItem, describe_rest

_INDENT = "    "


def render_text(message: Message, max_items: int) -> str:
    """Return the whole message as text, at most so many items in full, the others counted."""
    return "\n".join(_render_lines(message, max_items)) + "\n"


def _render_lines(message: Message, max_items: int) -> Iterator[str]:
    yield message.headline
    yield ""
    yield from render_header(message)
    for item in message.items[:max_items]:
        yield ""
        yield f"{item.label}  {item.title}"
        yield from (f"{_INDENT}{line}" for line in render_item(item))
    more = describe_rest(message.items[max_items:])
    if more:
        yield ""
        yield more
    for line in (*message.days, *message.notes):
        yield ""
        yield line
    yield ""
    yield f"Delivery {message.delivery_id}{f'; run {message.link}' if message.link else ''}"


def render_header(message: Message) -> Iterator[str]:
    """Yield what stands around the items: what is watched and when, the decision, the coverage."""
    yield f"{message.runtime}, {message.at}"
    if message.decision:
        yield f"Decision: {message.decision}"
    if message.coverage:
        yield f"Coverage: {message.coverage}"


def render_item(item: MessageItem) -> Iterator[str]:
    """Yield an item without its title: the sentence, the number, since when, why now, what to do, where it is explained."""
    yield item.summary
    yield f"{item.numbers}; {item.since}" if item.numbers else item.since
    if item.why:
        yield item.why
    if item.step:
        yield f"Do: {item.step}"
    yield f"{item.runbook_url or item.runbook}  (id {item.delivery_id})"
