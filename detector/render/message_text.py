"""A message as plain text and as HTML, the two parts of an e-mail, and as short text for a phone.

Slack without blocks uses the plain text too. Limits of a phone's text: 4,096 bytes of ntfy (docs.ntfy.sh,
publish as JSON; longer text becomes an attachment) and 4,096 UTF-16 units of Telegram (core.telegram.org,
sendMessage), of which a text has never more than bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from detector.render.message import MAX_FULL, MAX_SHORT, STYLES, Message, MessageItem, cut, group_items

_INDENT = "    "
_SHORT_MAX = 160
_FONT = "font-family:-apple-system,Segoe UI,Helvetica,Arial,sans-serif;font-size:15px;color:#1a1a1a"
TEXT_BYTES: Final = 3_400  # with a headline of 150 characters, each of up to 4 bytes, at most 4,000
_ITEMS_BYTES, _FULL_BYTES, _SHORT_BYTES = 2_600, 840, 260
_LINE_BYTES = 240
_ELLIPSIS = "…"


def render_text(message: Message) -> str:
    """Return the whole message as text: the worst items in full, every other one in a line."""
    return "\n".join(_render_lines(message)) + "\n"


def _render_lines(message: Message) -> Iterator[str]:
    yield message.headline
    yield ""
    yield from render_header(message)
    for item in message.items[:MAX_FULL]:
        yield ""
        yield f"{item.label}  {item.title}"
        yield from (f"{_INDENT}{line}" for line in _render_item(item))
    if message.items[MAX_FULL:]:
        yield ""
    for item in _get_short(message):
        yield f"{_render_short(item)}  (#{item.type} id {item.delivery_id})"
    yield from _render_names(message)
    for line in (*message.body_days, *message.notes):
        yield ""
        yield line
    yield ""
    yield f"Delivery {message.delivery_id}{f'; run {message.link}' if message.link else ''}"


def render_header(message: Message) -> Iterator[str]:
    """Yield the lines above the items: the runtime and the time, the decision, the coverage."""
    yield f"{message.runtime}, {message.at}"
    if message.decision:
        yield f"Decision: {message.decision}"
    if message.coverage:
        yield f"Coverage: {message.coverage}"


def _render_item(item: MessageItem) -> Iterator[str]:
    """Yield an item without its title: sentence, next step, start, limit and reason, link to the runbook."""
    yield item.summary
    if item.step:
        yield f"First: {item.step}"
    yield "; ".join(part for part in (item.since, item.setting, item.why) if part)
    yield f"{item.runbook_url or item.runbook}  (id {item.delivery_id})"


def _get_short(message: Message) -> tuple[MessageItem, ...]:
    """Return the items that stand in a line each."""
    return message.items[MAX_FULL : MAX_FULL + MAX_SHORT]


def _render_names(message: Message) -> Iterator[str]:
    """Yield the subjects of all further items, a line for each label and type."""
    for group, subjects in group_items(message.items[MAX_FULL + MAX_SHORT :]).items():
        yield f"{group}: {', '.join(subjects)}"


def _render_short(item: MessageItem) -> str:
    return f"{item.label}  {item.short_title}: {cut(item.summary, _SHORT_MAX)}"


def render_html(message: Message) -> str:
    """Return the message as one HTML document that loads nothing: the worst in full, the others in a line."""
    return "\n".join(_render_parts(message)) + "\n"


def _render_parts(message: Message) -> Iterator[str]:
    yield '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width"></head>'
    yield f'<body style="{_FONT}">'
    colour = STYLES[message.kind].colour
    yield f'<h1 style="font-size:18px;color:{colour};margin:0 0 8px">{escape(message.headline)}</h1>'
    yield _render_paragraph("<br>".join(escape(line) for line in render_header(message)))
    for item in message.items[:MAX_FULL]:
        yield _render_item_div(item)
    for item in _get_short(message):
        identity = (
            f'<small style="color:#868e96">(#{escape(item.type)} id {escape(item.delivery_id)})</small>'
        )
        yield _render_paragraph(f"{escape(_render_short(item))} {identity}")
    for line in (*_render_names(message), *message.body_days, *message.notes):
        yield _render_paragraph(escape(line))
    run = f' · <a href="{escape(message.link)}">the run</a>' if _is_url(message.link) else ""
    yield _render_paragraph(f"delivery {escape(message.delivery_id)}{run}")
    yield "</body>\n</html>"


def _render_item_div(item: MessageItem) -> str:
    colour = STYLES[item.kind].colour
    lines = list(_render_item(item))
    body = "<br>".join(escape(line) for line in lines[:-1])
    link = escape(lines[-1])
    if _is_url(item.runbook_url):
        anchor = f'<a href="{escape(item.runbook_url)}">{escape(item.runbook)}</a>'
        link = f"{anchor}  (id {escape(item.delivery_id)})"
    return (
        f'<div style="border-left:6px solid {colour};padding:4px 12px;margin:12px 0">'
        f'<strong style="color:{colour}">{escape(item.label)}</strong> '
        f"<strong>{escape(item.title)}</strong><br>"
        f"{body}<br>{link}</div>"
    )


def _is_url(url: str) -> bool:
    return url.startswith(("https://", "http://"))


def _render_paragraph(inner: str) -> str:
    return f'<p style="margin:8px 0">{inner}</p>'


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
            yield _cut_bytes("\n".join(("", title, *_render_item(item))), _FULL_BYTES)
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
