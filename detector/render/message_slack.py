"""A message as a Slack payload: Block Kit within its limits, escaped so that no data can mention anybody.

Limits (docs.slack.dev, block kit reference): 50 blocks a message, 150 characters a header, 3000 a section, 10
elements a context. Slack rejected messages of more than about 13,200 characters (slackapi/bolt-js#2509).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any, Final

from detector.render.message import (
    HEADLINE_MAX,
    MAX_FULL,
    MAX_SHORT,
    STYLES,
    Message,
    MessageItem,
    group_items,
)
from detector.render.message_text import render_header, render_text

SECTION_MAX: Final = 3000
TEXT_MAX: Final = 300
_BUDGET = 8_000  # characters of items; all other parts take at most 5,000 more
_SHORT_SUMMARY, _PART, _FACT, _DAY = 140, 500, 300, 500
_MAX_NOTES = 3
_SEPARATOR = 3  # at most what stands between two names
_PLAIN_MAX = 12_000  # all items of one message are named in it
_ESCAPES = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"))
_ELLIPSIS = "…"

Block = dict[str, Any]


def escape_mrkdwn(text: str, limit: int) -> str:
    """Return the text with `& < >` escaped, cut to `limit` characters and never inside an entity."""
    for sign, entity in _ESCAPES:
        text = text.replace(sign, entity)
    if len(text) <= limit:
        return text
    kept = text[: limit - 1]
    entity_start = kept.rfind("&")
    if entity_start >= 0 and ";" not in kept[entity_start:]:
        kept = kept[:entity_start]
    return kept.rstrip() + _ELLIPSIS


def build_slack_payload(message: Message) -> dict[str, Any]:
    """Return the payload: `text` for notifications, a header and facts as blocks, the items by colour."""
    full, short, named = _split_items(message.items, message.page)
    attachments = [
        {"color": STYLES[kind].colour, "blocks": [_build_section(_format_full(item)) for item in items]}
        for kind, items in groupby(full, key=lambda item: item.kind)
    ]
    lines = [*map(_format_short, short), *_format_groups(named)]
    tail = [*_build_line_sections(lines), *_build_tail(message)]
    return {
        "text": escape_mrkdwn(message.headline, TEXT_MAX),
        "blocks": [
            {"type": "header", "text": _build_plain_text(message.headline)},
            _build_context([escape_mrkdwn(line, _FACT) for line in render_header(message)]),
        ],
        "attachments": [*attachments, {"color": STYLES[message.kind].colour, "blocks": tail}],
        "unfurl_links": False,
        "unfurl_media": False,
    }


def build_plain_payload(message: Message) -> dict[str, Any]:
    """Return the message as plain text, for the case that Slack rejects the blocks."""
    text = escape_mrkdwn(render_text(message), _PLAIN_MAX)
    return {"text": text, "unfurl_links": False, "unfurl_media": False}


def count_fitting(items: Sequence[MessageItem], page: int) -> int:
    """Return how many of the items the message of that page names."""
    return sum(map(len, _split_items(items, page)))


def _split_items(
    items: Sequence[MessageItem], page: int
) -> tuple[list[MessageItem], list[MessageItem], list[MessageItem]]:
    """Return the items to show in full, those in one line, and those named by their subjects, worst first.

    A page after the first only names. Items that do not fit are left out.
    """
    shown: tuple[list[MessageItem], list[MessageItem], list[MessageItem]] = ([], [], [])
    full, short, named = shown
    left, groups = _BUDGET, set[str]()
    for item in items:
        if page == 1 and not short and len(full) < MAX_FULL:
            target, size = full, len(_format_full(item))
        elif page == 1 and len(short) < MAX_SHORT:
            target, size = short, len(_format_short(item))
        else:
            group = f"{item.label}  {item.type}"
            target, size = named, len(escape_mrkdwn(item.subject or "the runtime", _PART)) + _SEPARATOR
            size += 0 if group in groups else len(group) + _SEPARATOR
            groups.add(group)
        if size > left:
            break
        left -= size
        target.append(item)
    return shown


def _format_full(item: MessageItem) -> str:
    facts = " · ".join(part for part in (item.since, item.setting, item.why) if part)
    lines = [f"*{item.label}*  *{escape_mrkdwn(item.title, _PART)}*", escape_mrkdwn(item.summary, _PART)]
    if item.step:
        lines.append(f"*First:* {escape_mrkdwn(item.step, _PART)}")
    lines.append(escape_mrkdwn(facts, _PART))
    lines.append(f"{_format_link(item.runbook_url, item.runbook)} · id {item.delivery_id}")
    return "\n".join(lines)


def _format_short(item: MessageItem) -> str:
    summary = escape_mrkdwn(item.summary, _SHORT_SUMMARY)
    return f"*{item.label}*  *{escape_mrkdwn(item.short_title, _PART)}*: {summary}  (id {item.delivery_id})"


def _format_groups(items: Sequence[MessageItem]) -> Iterator[str]:
    """Yield the subjects of each label and type, in lines that fit into a section."""
    for group, subjects in group_items(items).items():
        head, line = f"*{escape_mrkdwn(group, _PART)}*:", ""
        for subject in subjects:
            text = escape_mrkdwn(subject, _PART)
            if line and len(head) + len(line) + len(text) + _SEPARATOR > SECTION_MAX:
                yield f"{head}{line}"
                line = ""
            line += f"{',' if line else ''} {text}"
        yield f"{head}{line}"


def _build_line_sections(texts: Sequence[str]) -> Iterator[Block]:
    lines: list[str] = []
    for line in texts:
        if lines and sum(map(len, lines)) + len(lines) + len(line) > SECTION_MAX:
            yield _build_section("\n".join(lines))
            lines = []
        lines.append(line)
    if lines:
        yield _build_section("\n".join(lines))


def _build_tail(message: Message) -> Iterator[Block]:
    yield from _build_line_sections([escape_mrkdwn(line, _DAY) for line in message.body_days])
    for line in message.notes[:_MAX_NOTES]:
        yield _build_section(escape_mrkdwn(line, _FACT))
    run = [_format_link(message.link, "the run")] if message.link else []
    yield _build_context([*run, f"delivery {message.delivery_id}"])


def _format_link(url: str, label: str) -> str:
    """Return a link, or the label alone where the URL is empty or too long."""
    target = escape_mrkdwn(url, SECTION_MAX)
    return f"<{target}|{label}>" if url and len(target) <= _PART else label


def _build_plain_text(text: str) -> Block:
    return {"type": "plain_text", "text": escape_mrkdwn(text, HEADLINE_MAX), "emoji": False}


def _build_section(text: str) -> Block:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text, "verbatim": True}}


def _build_context(texts: Sequence[str]) -> Block:
    return {
        "type": "context",
        "elements": [{"type": "mrkdwn", "text": text, "verbatim": True} for text in texts],
    }
