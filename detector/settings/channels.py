"""Channels: where alerts go, and from which severity on."""

from __future__ import annotations

from detector.settings.kinds import addresses, between, one_of, optional, timeout, token, url
from detector.settings.setting import Setting, declare

_SEVERITIES = ("warning", "critical")

SLACK_WEBHOOK_URL = declare(
    "SLACK_WEBHOOK_URL", "", "URL", "Slack: an incoming webhook.", url("https", "http"), secret=True
)
SLACK_TOKEN = declare(
    "SLACK_TOKEN",
    "",
    "token",
    "Slack: a bot token with the scope chat:write, in the place of a webhook: ends edit and answer their message.",
    token,
    secret=True,
)
SLACK_CHANNEL = declare(
    "SLACK_CHANNEL", "", "name or id", "Slack: the channel that the bot token posts to.", optional
)
SLACK_API_URL = declare(
    "SLACK_API_URL",
    "https://slack.com/api/",
    "URL",
    "Slack: its Web API, where the workspace has one of its own (such as https://slack-gov.com/api/).",
    url("https", "http"),
)
SLACK_MIN = declare(
    "SLACK_MIN",
    "warning",
    "severity",
    "Slack is told of what is at least this severe: warning or critical.",
    one_of(*_SEVERITIES),
)
EMAIL_TO: Setting[tuple[str, ...]] = declare(
    "EMAIL_TO",
    (),
    "addresses",
    "E-mail: who is told, by comma, at most 10; each has receipts of its own.",
    addresses(10),
    secret=True,
)
EMAIL_FROM: Setting[tuple[str, ...]] = declare(
    "EMAIL_FROM", (), "address", "E-mail: the sender's address.", addresses(1), secret=True
)
EMAIL_MIN = declare(
    "EMAIL_MIN",
    "warning",
    "severity",
    "E-mail is sent for what is at least this severe: warning or critical.",
    one_of(*_SEVERITIES),
)
SMTP_HOST = declare("SMTP_HOST", "", "host", "E-mail: the server that mail is handed to.", optional)
SMTP_PORT = declare("SMTP_PORT", 587, "port", "E-mail: the server's port (465 with tls).", between(1, 65535))
SMTP_TLS = declare(
    "SMTP_TLS",
    "starttls",
    "starttls, tls or none",
    "E-mail: how the connection is encrypted; none only to this machine itself.",
    one_of("starttls", "tls", "none"),
)
SMTP_USER = declare("SMTP_USER", "", "name", "E-mail: login, where the server wants one.", token)
SMTP_PASSWORD = declare(
    "SMTP_PASSWORD", "", "password", "E-mail: password of the login.", optional, secret=True
)
CHANNEL_TIMEOUT_SEC: Setting[float] = declare(
    "CHANNEL_TIMEOUT_SEC", 20, "seconds", "A channel must have taken its message by then.", timeout
)
SESSION_SUMMARY = declare(
    "SESSION_SUMMARY",
    "0",
    "0 or 1",
    "1 sends one message after the close of every session, so that silence means something.",
    one_of("0", "1"),
)
RUNBOOK_URL = declare(
    "RUNBOOK_URL",
    "",
    "URL",
    "Where RUNBOOK.md can be read; messages then link to the section of each event.",
    url("https", "http"),
)
