"""Delivery to programs and pagers: webhook, ntfy, PagerDuty and Telegram."""

from __future__ import annotations

import re

from detector.formats.patterns import build_pattern
from detector.settings.delivery_settings import Rung, add_rung
from detector.settings.setting import (
    DAY,
    Setting,
    add_names,
    add_setting,
    add_text,
    add_token,
    add_url,
    build_pattern_parser,
    parse_names,
    parse_seconds,
    parse_token,
)

_SHORTEST_KEY, _LONGEST_KEY = 16, 128


def _parse_signing_secret(text: str) -> str:
    """Read the key of a signature: `whsec_` and base64 (standardwebhooks.com), or any text."""
    if not text:
        return text
    if not text.isascii() or not text.isprintable() or not _SHORTEST_KEY <= len(text) <= _LONGEST_KEY:
        raise ValueError(f"must be {_SHORTEST_KEY} to {_LONGEST_KEY} printable ASCII characters")
    if text.startswith("whsec_"):
        from base64 import b64decode  # noqa: PLC0415 - few runs need it

        try:
            b64decode(text.removeprefix("whsec_"), validate=True)
        except ValueError:
            raise ValueError("begins with whsec_ and is not base64 after it") from None
    return text


_SENDER = build_pattern(
    r"(?:[^=:,]{1,40}=)?(?:github|slack|telegram|pagerduty):(?:\*|[A-Za-z0-9_.@-]{1,64})", re.ASCII
)


def _parse_senders(text: str) -> tuple[str, ...]:
    """Read entries of NAME=KIND:ID, by comma; its errors repeat no value."""
    entries = parse_names(text)
    for number, entry in enumerate(entries, 1):
        if not _SENDER.fullmatch(entry):
            raise ValueError(
                f"is not NAME=KIND:ID at place {number}, with github, slack, telegram or pagerduty as KIND"
            )
    return entries


_parse_topic = build_pattern_parser(r"[-_A-Za-z0-9]{1,64}", "is not 1 to 64 letters, digits, _ and -")
_parse_chat = build_pattern_parser(
    r"-?[0-9]{1,16}|@[A-Za-z0-9_]{4,32}", "is neither a chat's number nor @name"
)
_parse_bot_token = build_pattern_parser(
    r"[0-9]{3,20}:[A-Za-z0-9_-]{8,80}", "is not NUMBER:TEXT, as BotFather gives it"
)

WEBHOOK_URL = add_url(
    "WEBHOOK_URL", "Webhook: an address of your own that receives the events as signed JSON.", secret=True
)
WEBHOOK_SECRET = add_text(
    "WEBHOOK_SECRET",
    "secret",
    "Webhook: the key of its HMAC-SHA256 signature, as whsec_BASE64 or as text of at least 16 characters.",
    _parse_signing_secret,
    secret=True,
)
WEBHOOK_MIN = add_rung("WEBHOOK_MIN", Rung("warning"), "The least that the webhook receives")
PAGERDUTY_ROUTING_KEY = add_text(
    "PAGERDUTY_ROUTING_KEY",
    "key",
    "PagerDuty: the integration key of a service (Events API v2).",
    parse_token,
    secret=True,
)
PAGERDUTY_TOKEN = add_token(
    "PAGERDUTY_TOKEN", "PagerDuty: a read-only API key, by which a run reads who acknowledged an incident."
)
PAGERDUTY_API_URL = add_url(
    "PAGERDUTY_API_URL",
    "PagerDuty: its REST API (https://api.eu.pagerduty.com/ in the EU).",
    "https://api.pagerduty.com/",
)
PAGERDUTY_EVENTS_URL = add_url(
    "PAGERDUTY_EVENTS_URL",
    "PagerDuty: where events go (https://events.eu.pagerduty.com/v2/enqueue in the EU).",
    "https://events.pagerduty.com/v2/enqueue",
)
PAGERDUTY_MIN = add_rung("PAGERDUTY_MIN", Rung("urgent"), "The least that PagerDuty receives")
TELEGRAM_TOKEN = add_text(
    "TELEGRAM_TOKEN",
    "token",
    "Telegram: the token of a bot that belongs to this detector alone.",
    _parse_bot_token,
    secret=True,
)
TELEGRAM_CHAT = add_text(
    "TELEGRAM_CHAT",
    "chat id",
    "Telegram: the chat that the bot writes to, as a number or @channel.",
    _parse_chat,
    secret=True,
)
TELEGRAM_API_URL = add_url(
    "TELEGRAM_API_URL", "Telegram: its Bot API, where you run one of your own.", "https://api.telegram.org/"
)
TELEGRAM_MIN = add_rung("TELEGRAM_MIN", Rung("urgent"), "The least that Telegram receives")
NTFY_TOPIC = add_text(
    "NTFY_TOPIC",
    "topic",
    "ntfy: the topic; on a server without access control whoever knows it reads along.",
    _parse_topic,
    secret=True,
)
NTFY_TOKEN = add_token("NTFY_TOKEN", "ntfy: an access token, where the topic is protected.")
NTFY_URL = add_url("NTFY_URL", "ntfy: the root of the server.", "https://ntfy.sh/")
NTFY_MIN = add_rung("NTFY_MIN", Rung("urgent"), "The least that ntfy receives")

ACK_FROM = add_names(
    "ACK_FROM",
    "senders",
    "Who may acknowledge from elsewhere, as NAME=KIND:ID by comma: github, slack, telegram or pagerduty and"
    " the id there, * for everybody whom it lets.",
    _parse_senders,
    secret=True,
)
ACK_FOR_SEC: Setting[float] = add_setting(
    "ACK_FOR_SEC",
    7200,
    "seconds",
    "How long an acknowledgement by a button, a reaction or a pager lasts, at most a day.",
    parse_seconds,
    sensible=(0, DAY),
)
