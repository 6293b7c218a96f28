"""Delivery: channels, webhook and pagers with the rung of each, the scheduled job, and how output looks."""

from __future__ import annotations

import re
from typing import Literal, cast, get_args

from msgspec import Struct

from detector.formats.patterns import build_pattern
from detector.settings.setting import (
    DAY,
    Setting,
    add_names,
    add_setting,
    add_switch,
    add_text,
    add_token,
    add_url,
    build_addresses_parser,
    build_choice_parser,
    build_int_parser,
    build_pattern_parser,
    parse_names,
    parse_seconds,
    parse_timeout,
    parse_token,
)

# `urgent`: critical with money at risk at once, everything else once it escalates.
Floor = Literal["warning", "critical", "urgent", "escalated"]


class Rung(Struct, frozen=True):
    """What a channel receives: everything from `floor` on, unacknowledged for `after_sec` (0: at once)."""

    floor: Floor
    after_sec: int = 0

    def __str__(self) -> str:
        return f"{self.floor},after={self.after_sec}" if self.after_sec else self.floor


def parse_rung(text: str) -> Rung:
    """Read a floor, and optionally `after=SECONDS`, by comma; raises ValueError."""
    floor, *rest = (part.strip() for part in text.split(","))
    if floor not in get_args(Floor):
        raise ValueError(f"must begin with one of {', '.join(get_args(Floor))}")
    return Rung(cast("Floor", floor), _parse_after(rest))


def _parse_after(parts: list[str]) -> int:
    if not parts:
        return 0
    name, _, seconds = parts[0].partition("=")
    is_number = seconds.isascii() and seconds.isdigit() and len(seconds) <= len(str(DAY))
    if len(parts) > 1 or name.strip() != "after" or not is_number or int(seconds) > DAY:
        raise ValueError(f"may have one more part, after=SECONDS (at most {DAY})")
    return int(seconds)


def add_rung(name: str, default: Rung, help_: str) -> Setting[Rung]:
    """Declare the rung of a channel."""
    return add_setting(
        name,
        default,
        "rung",
        f"{help_}: {', '.join(get_args(Floor))}; with ,after=SECONDS what nobody acknowledged so long.",
        parse_rung,
    )


SLACK_WEBHOOK_URL = add_url("SLACK_WEBHOOK_URL", "Slack: an incoming webhook.", secret=True)
SLACK_TOKEN = add_token(
    "SLACK_TOKEN",
    "Slack: a bot token with the scope chat:write, instead of a webhook: "
    "a resolution edits and answers its message.",
)
SLACK_CHANNEL = add_text("SLACK_CHANNEL", "name or id", "Slack: the channel that the bot token posts to.")
SLACK_API_URL = add_url(
    "SLACK_API_URL",
    "Slack: its Web API, where the workspace has one of its own (such as https://slack-gov.com/api/).",
    "https://slack.com/api/",
)
SLACK_MIN = add_rung("SLACK_MIN", Rung("warning"), "The least that Slack receives")
EMAIL_TO = add_names(
    "EMAIL_TO",
    "addresses",
    "E-mail: who is alerted, by comma, at most 10; each has receipts of its own.",
    build_addresses_parser(10),
    secret=True,
)
EMAIL_FROM = add_names(
    "EMAIL_FROM", "address", "E-mail: the sender's address.", build_addresses_parser(1), secret=True
)
EMAIL_MIN = add_rung("EMAIL_MIN", Rung("warning"), "The least that is sent by e-mail")
SMTP_HOST = add_text("SMTP_HOST", "host", "E-mail: the server that mail is handed to.")
SMTP_PORT = add_setting(
    "SMTP_PORT", 587, "port", "E-mail: the server's port (465 with tls).", build_int_parser(1, 65535)
)
SMTP_TLS = add_text(
    "SMTP_TLS",
    "starttls, tls or none",
    "E-mail: how the connection is encrypted; none only to this machine itself.",
    build_choice_parser("starttls", "tls", "none"),
    default="starttls",
)
SMTP_USER = add_text("SMTP_USER", "name", "E-mail: login, where the server wants one.", parse_token)
SMTP_PASSWORD = add_text("SMTP_PASSWORD", "password", "E-mail: password of the login.", secret=True)
CHANNEL_TIMEOUT_SEC: Setting[float] = add_setting(
    "CHANNEL_TIMEOUT_SEC", 20, "seconds", "A channel must have taken its message by then.", parse_timeout
)
SESSION_SUMMARY = add_switch(
    "SESSION_SUMMARY",
    "1 sends one message after the close of every session, so that silence means something.",
)
PREOPEN = add_switch(
    "PREOPEN",
    "1 sends go or no-go once a session, from an hour before its open on: the lines of `gate open`.",
)
RUNBOOK_URL = add_url(
    "RUNBOOK_URL", "Where RUNBOOK.md can be read; messages then link to the section of each event."
)


ARTIFACT_NAME = add_text(
    "ARTIFACT_NAME",
    "name",
    "What a workflow's artifacts are called, before run id and attempt; empty: pt-health-memory-RUNTIME.",
)
PING_URL = add_url(
    "PING_URL",
    "Dead-man's switch (healthchecks.io): pinged after a run that saw, alerted, stored; else /fail.",
    schemes=("http", "https"),
    secret=True,
)
RUN_LANE = add_text("RUN_LANE", "name", "What started this run, such as the scheduler's event.")
RUN_SOURCE = add_text(
    "RUN_SOURCE", "text", "Which one of them it was, such as the cron or who dispatched it."
)
SCHEDULE = add_text(
    "SCHEDULE",
    "path",
    "The workflow file whose crons say when runs are due: each run then says how many were missed before it.",
)


ENV_FILE = add_text("ENV_FILE", "path", "A file of settings; the environment wins over it.")
DISPLAY_ZONES = add_names(
    "DISPLAY_ZONES",
    "zones",
    "Zones in which times are shown to people.",
    default=("UTC", "America/New_York", "Asia/Tokyo"),
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
