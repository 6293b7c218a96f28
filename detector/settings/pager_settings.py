"""Delivery to programs and pagers: webhook, ntfy, PagerDuty and Telegram."""

from __future__ import annotations

import re
from collections.abc import Callable

from detector.formats.patterns import build_pattern
from detector.settings.delivery_settings import Rung, add_rung
from detector.settings.setting import (
    DAY,
    Setting,
    add_setting,
    build_url_parser,
    parse_names,
    parse_seconds,
    parse_token,
)


def _build_pattern_parser(pattern: str, fault: str) -> Callable[[str], str]:
    """Return the parser of a text that matches the whole pattern; empty is off."""

    def parse(text: str) -> str:
        if text and not re.fullmatch(pattern, text, re.ASCII):
            raise ValueError(fault)
        return text

    return parse


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


_parse_topic = _build_pattern_parser(r"[-_A-Za-z0-9]{1,64}", "is not 1 to 64 letters, digits, _ and -")
_parse_chat = _build_pattern_parser(
    r"-?[0-9]{1,16}|@[A-Za-z0-9_]{4,32}", "is neither a chat's number nor @name"
)
_parse_bot_token = _build_pattern_parser(
    r"[0-9]{3,20}:[A-Za-z0-9_-]{8,80}", "is not NUMBER:TEXT, as BotFather gives it"
)

WEBHOOK_URL = add_setting(
    "WEBHOOK_URL",
    "",
    "URL",
    "Webhook: an address of your own that receives the events as signed JSON.",
    build_url_parser("https", "http"),
    secret=True,
)
WEBHOOK_SECRET = add_setting(
    "WEBHOOK_SECRET",
    "",
    "secret",
    "Webhook: the key of its HMAC-SHA256 signature, as whsec_BASE64 or as text of at least 16 characters.",
    _parse_signing_secret,
    secret=True,
)
WEBHOOK_MIN = add_rung("WEBHOOK_MIN", Rung("warning"), "The least that the webhook receives")
PAGERDUTY_ROUTING_KEY = add_setting(
    "PAGERDUTY_ROUTING_KEY",
    "",
    "key",
    "PagerDuty: the integration key of a service (Events API v2).",
    parse_token,
    secret=True,
)
PAGERDUTY_TOKEN = add_setting(
    "PAGERDUTY_TOKEN",
    "",
    "token",
    "PagerDuty: a read-only API key, by which a run reads who acknowledged an incident.",
    parse_token,
    secret=True,
)
PAGERDUTY_API_URL = add_setting(
    "PAGERDUTY_API_URL",
    "https://api.pagerduty.com/",
    "URL",
    "PagerDuty: its REST API (https://api.eu.pagerduty.com/ in the EU).",
    build_url_parser("https", "http"),
)
PAGERDUTY_EVENTS_URL = add_setting(
    "PAGERDUTY_EVENTS_URL",
    "https://events.pagerduty.com/v2/enqueue",
    "URL",
    "PagerDuty: where events go (https://events.eu.pagerduty.com/v2/enqueue in the EU).",
    build_url_parser("https", "http"),
)
PAGERDUTY_MIN = add_rung("PAGERDUTY_MIN", Rung("urgent"), "The least that PagerDuty receives")
TELEGRAM_TOKEN = add_setting(
    "TELEGRAM_TOKEN",
    "",
    "token",
    "Telegram: the token of a bot that belongs to this detector alone.",
    _parse_bot_token,
    secret=True,
)
TELEGRAM_CHAT = add_setting(
    "TELEGRAM_CHAT",
    "",
    "chat id",
    "Telegram: the chat that the bot writes to, as a number or @channel.",
    _parse_chat,
    secret=True,
)
TELEGRAM_API_URL = add_setting(
    "TELEGRAM_API_URL",
    "https://api.telegram.org/",
    "URL",
    "Telegram: its Bot API, where you run one of your own.",
    build_url_parser("https", "http"),
)
TELEGRAM_MIN = add_rung("TELEGRAM_MIN", Rung("urgent"), "The least that Telegram receives")
NTFY_TOPIC = add_setting(
    "NTFY_TOPIC",
    "",
    "topic",
    "ntfy: the topic; on a server without access control whoever knows it reads along.",
    _parse_topic,
    secret=True,
)
NTFY_TOKEN = add_setting(
    "NTFY_TOKEN",
    "",
    "token",
    "ntfy: an access token, where the topic is protected.",
    parse_token,
    secret=True,
)
NTFY_URL = add_setting(
    "NTFY_URL", "https://ntfy.sh/", "URL", "ntfy: the root of the server.", build_url_parser("https", "http")
)
NTFY_MIN = add_rung("NTFY_MIN", Rung("urgent"), "The least that ntfy receives")

ACK_FROM: Setting[tuple[str, ...]] = add_setting(
    "ACK_FROM",
    (),
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
