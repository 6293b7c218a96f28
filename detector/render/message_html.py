"""A message as HTML for an e-mail: escaped, styled inline, with nothing that would be fetched."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from detector.render.message import STYLES, Message, MessageItem, describe_rest
from detector.render.message_text import render_header, render_item

_FONT = "font-family:-apple-system,Segoe UI,Helvetica,Arial,sans-serif;font-size:15px;color:#1a1a1a"


def render_html(message: Message, max_items: int) -> str:
    """Return the whole message as one HTML document, at most so many items in full, the others counted."""
    return "\n".join(_render_parts(message, max_items)) + "\n"


def _render_parts(message: Message, max_items: int) -> Iterator[str]:
    yield '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"></head>'
    yield f'<body style="{_FONT}">'
    colour = STYLES[message.kind].colour
    yield f'<h1 style="font-size:18px;color:{colour};margin:0 0 8px">{escape(message.headline)}</h1>'
    yield _render_paragraph("<br>".join(escape(line) for line in render_header(message)))
    for item in message.items[:max_items]:
        yield _render_item_div(item)
    more = describe_rest(message.items[max_items:])
    for line in (more, *message.days, *message.notes):
        if line:
            yield _render_paragraph(escape(line))
    run = f' · <a href="{escape(message.link)}">the run</a>' if _is_url(message.link) else ""
    yield _render_paragraph(f"delivery {escape(message.delivery_id)}{run}")
    yield "</body>\n</html>"


def _render_item_div(item: MessageItem) -> str:
    colour = STYLES[item.kind].colour
    lines = list(render_item(item))
    body = "<br>".join(escape(line) for line in lines[:-1])
    link = escape(lines[-1])
    if _is_url(item.runbook_url):
        link = f'<a href="{escape(item.runbook_url)}">{escape(item.runbook)}</a>  (id {escape(item.delivery_id)})'
    return (
        f'<div style="border-left:6px solid {colour};padding:4px 12px;margin:12px 0">'
        f'<strong style="color:{colour}">{escape(item.label)}</strong> <strong>{escape(item.title)}</strong><br>'
        f"{body}<br>{link}</div>"
    )


def _is_url(url: str) -> bool:
    return url.startswith(("https://", "http://"))


def _render_paragraph(inner: str) -> str:
    return f'<p style="margin:8px 0">{inner}</p>'
