"""A message as plain text: the text part of an e-mail, and what Slack shows where it takes no blocks."""

from __future__ import annotations

from collections.abc import Iterator

from detector.render.message import Item, Message, more_of

_INDENT = "    "


def text_of_message(message: Message, most_items: int) -> str:
    """Return the whole message as text, at most so many items in full, the others counted."""
    return "\n".join(_lines(message, most_items)) + "\n"


def _lines(message: Message, most_items: int) -> Iterator[str]:
    yield message.headline
    yield ""
    yield from facts_of(message)
    for item in message.items[:most_items]:
        yield ""
        yield f"{item.word}  {item.title}"
        yield from (f"{_INDENT}{line}" for line in item_lines(item))
    more = more_of(message.items[most_items:])
    if more:
        yield ""
        yield more
    for line in (*message.days, *message.notes):
        yield ""
        yield line
    yield ""
    yield f"Delivery {message.delivery_id}{f'; run {message.link}' if message.link else ''}"


def facts_of(message: Message) -> Iterator[str]:
    """Yield what stands around the items: what is watched and when, the decision, the coverage."""
    yield f"{message.runtime}, {message.at}"
    if message.decision:
        yield f"Decision: {message.decision}"
    if message.coverage:
        yield f"Coverage: {message.coverage}"


def item_lines(item: Item) -> Iterator[str]:
    """Yield an item without its title: the sentence, the number, since when, why now, what to do, where it is explained."""
    yield item.summary
    yield f"{item.numbers}; {item.since}" if item.numbers else item.since
    if item.why:
        yield item.why
    if item.step:
        yield f"Do: {item.step}"
    yield f"{item.runbook_url or item.runbook}  (id {item.delivery_id})"
