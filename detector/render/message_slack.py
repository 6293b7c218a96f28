"""A message for Slack: Block Kit within its limits, escaped so that nothing from the data can ping or break out.

Limits (docs.slack.dev, block kit reference): 50 blocks a message, 150 characters a header, 3000 a section, 10
elements a context; about 13,200 characters in all were seen to be the most that is taken (slackapi/bolt-js#2509).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final

from detector.render.message import HEADLINE_MOST, STYLES, Item, Message, more_of
from detector.render.message_text import facts_of, text_of_message

SECTION_MOST: Final = 3000
TEXT_MOST: Final = 300
MOST_FULL, MOST_SHORT = 8, 24
_BUDGET = 8_000  # characters of items; what stands around them takes at most 5,000 more
_SHORT_SUMMARY, _PART, _FACT, _DAY = 140, 500, 300, 500
_MOST_NOTES = 3
_PLAIN_MOST = 3_500
_PLAIN_ITEMS = 5
_ESCAPES = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"))
_ELLIPSIS = "…"

Block = dict[str, Any]


def escaped(text: str, most: int) -> str:
    """Return the text with `& < >` escaped, cut to so many characters and never inside an entity."""
    for sign, entity in _ESCAPES:
        text = text.replace(sign, entity)
    if len(text) <= most:
        return text
    kept = text[: most - 1]
    begun = kept.rfind("&")
    if begun >= 0 and ";" not in kept[begun:]:
        kept = kept[:begun]
    return kept.rstrip() + _ELLIPSIS


def slack_payload(message: Message) -> dict[str, Any]:
    """Return what is posted: `text` for notifications, a header and facts as blocks, the items by colour."""
    full, short, more = _shown(message.items)
    attachments = [
        {"color": STYLES[kind].colour, "blocks": [_section(_full(item)) for item in items]}
        for kind, items in groupby(full, key=lambda item: item.kind)
    ]
    tail = [*_short_sections(short), *_tail(message, more)]
    return {
        "text": escaped(message.headline, TEXT_MOST),
        "blocks": [
            {"type": "header", "text": _plain_text(message.headline)},
            _context([escaped(line, _FACT) for line in facts_of(message)]),
        ],
        "attachments": [*attachments, {"color": STYLES[message.kind].colour, "blocks": tail}],
        "unfurl_links": False,
        "unfurl_media": False,
    }


def slack_plain(message: Message) -> dict[str, Any]:
    """Return the message as plain text, for a Slack that does not take its blocks: better than a lost alert."""
    text = escaped(text_of_message(message, _PLAIN_ITEMS), _PLAIN_MOST)
    return {"text": text, "unfurl_links": False, "unfurl_media": False}


def _shown(items: Sequence[Item]) -> tuple[list[Item], list[Item], list[Item]]:
    """Return which items stand in full, which in one line, and which are only counted; the worst come first."""
    full: list[Item] = []
    short: list[Item] = []
    left = _BUDGET
    for item in items:
        in_full = not short and len(full) < MOST_FULL
        size = len(_full(item) if in_full else _short(item))
        if size > left or len(short) >= MOST_SHORT:
            break
        left -= size
        (full if in_full else short).append(item)
    return full, short, list(items[len(full) + len(short) :])


def _full(item: Item) -> str:
    facts = " · ".join(part for part in (item.numbers, item.since, item.why) if part)
    lines = [
        f"*{item.word}*  *{escaped(item.title, _PART)}*",
        escaped(item.summary, _PART),
        escaped(facts, _PART),
    ]
    if item.step:
        lines.append(f"*Do:* {escaped(item.step, _PART)}")
    lines.append(f"{_link(item.runbook_url, item.runbook)} · id {item.delivery_id}")
    return "\n".join(lines)


def _short(item: Item) -> str:
    said = escaped(item.summary, _SHORT_SUMMARY)
    return f"*{item.word}*  *{escaped(item.title, _PART)}*: {said}  (id {item.delivery_id})"


def _short_sections(items: Sequence[Item]) -> Iterator[Block]:
    lines: list[str] = []
    for item in items:
        line = _short(item)
        if lines and sum(map(len, lines)) + len(lines) + len(line) > SECTION_MOST:
            yield _section("\n".join(lines))
            lines = []
        lines.append(line)
    if lines:
        yield _section("\n".join(lines))


def _tail(message: Message, more: Sequence[Item]) -> Iterator[Block]:
    if more:
        where = f" {_link(message.link, 'in the run')}" if message.link else " in the artifact of the run"
        yield _section(f"*{escaped(more_of(more), _PART)}*:{where}")
    for line in message.days:
        yield _section(escaped(line, _DAY))
    for line in message.notes[:_MOST_NOTES]:
        yield _section(escaped(line, _FACT))
    run = [_link(message.link, "the run")] if message.link else []
    yield _context([*run, f"delivery {message.delivery_id}"])


def _link(url: str, label: str) -> str:
    """Return a link; an address that is too long for one is left out."""
    bare = escaped(url, SECTION_MOST)
    return f"<{bare}|{label}>" if url and len(bare) <= _PART else label


def _plain_text(text: str) -> Block:
    return {"type": "plain_text", "text": escaped(text, HEADLINE_MOST), "emoji": False}


def _section(text: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def _context(texts: Sequence[str]) -> Block:
    return {
        "type": "context",
        "elements": [{"type": "mrkdwn", "text": text, "verbatim": True} for text in texts],
    }
