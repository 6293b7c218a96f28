"""Delivery: the channels and the rung of each, the scheduled job, and how output is presented."""

from __future__ import annotations

from typing import Final, Literal, cast, get_args

from msgspec import Struct

from detector.settings.setting import (
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
    parse_timeout,
    parse_token,
)

# `urgent`: critical with money at risk at once, everything else once it escalates.
Floor = Literal["warning", "critical", "urgent", "escalated"]
_LONGEST_SEC: Final = 86_400  # an acknowledgement lasts at most a day


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
    is_number = seconds.isascii() and seconds.isdigit() and len(seconds) <= len(str(_LONGEST_SEC))
    if len(parts) > 1 or name.strip() != "after" or not is_number or int(seconds) > _LONGEST_SEC:
        raise ValueError(f"may have one more part, after=SECONDS (at most {_LONGEST_SEC})")
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
