"""What to do about a channel's failure.

Each reason names the setting that leads there, of this very channel.
"""

from __future__ import annotations

import re

import pytest

from detector.channels.channel import Channel, ChannelEnvironment, build_configured_channels
from detector.formats import errors
from detector.formats.errors import REASONS
from detector.settings import DECLARED
from tests.support.program import answer
from tests.support.snapshots import NOW, settings_of

TEXTS = {
    "webhook": {"SLACK_WEBHOOK_URL": "https://h.example/x"},
    "bot": {"SLACK_TOKEN": "xoxb-1", "SLACK_CHANNEL": "#a"},
    "mail": {"SMTP_HOST": "mail.example.com", "EMAIL_FROM": "a@example.org", "EMAIL_TO": "b@example.com"},
}
PAGERS = {
    "webhook of one's own": {"WEBHOOK_URL": "https://h.example/x", "WEBHOOK_SECRET": "keep-off-the-grass"},
    "ntfy": {"NTFY_TOPIC": "alerts"},
    "pagerduty": {"PAGERDUTY_ROUTING_KEY": "k" * 32},
    "telegram": {"TELEGRAM_TOKEN": "4711:keep-off-the-grass", "TELEGRAM_CHAT": "-100"},
}
# By reason the settings that its advice names, for the webhook, for the bot and for mail.
NAMED: dict[str, tuple[str, str, str]] = {
    errors.TIMEOUT: ("CHANNEL_TIMEOUT_SEC", "CHANNEL_TIMEOUT_SEC", "CHANNEL_TIMEOUT_SEC SMTP_PORT SMTP_TLS"),
    errors.REFUSED: ("SLACK_WEBHOOK_URL", "SLACK_API_URL", "SMTP_PORT"),
    errors.UNREACHABLE: ("SLACK_WEBHOOK_URL", "SLACK_API_URL", "SMTP_HOST"),
    errors.DNS: ("SLACK_WEBHOOK_URL", "SLACK_API_URL", "SMTP_HOST"),
    errors.TLS: ("CA_FILE", "CA_FILE", "CA_FILE SMTP_PORT SMTP_TLS"),
    errors.RESET: ("", "", "SMTP_PORT SMTP_TLS"),
    errors.FORBIDDEN: ("SLACK_WEBHOOK_URL", "SLACK_API_URL", "SMTP_HOST"),
    errors.REDIRECTED: ("SLACK_WEBHOOK_URL", "SLACK_API_URL", "SMTP_HOST"),
    errors.LOGIN: ("SLACK_WEBHOOK_URL", "SLACK_TOKEN", "SMTP_PASSWORD SMTP_USER"),
    errors.NOT_ALLOWED: ("SLACK_WEBHOOK_URL", "SLACK_TOKEN", "EMAIL_FROM SMTP_HOST"),
    errors.NO_PLACE: ("SLACK_WEBHOOK_URL", "SLACK_CHANNEL", "EMAIL_TO"),
    errors.RECIPIENT: ("SLACK_WEBHOOK_URL", "SLACK_TOKEN", "EMAIL_TO"),
    errors.NO_ANSWER: ("CHANNEL_TIMEOUT_SEC",) * 3,
    errors.REJECTED: ("", "", ""),
    errors.THROTTLED: ("", "", ""),
}


def channel(kind: str) -> Channel:
    texts = (TEXTS | PAGERS)[kind]
    (one,) = build_configured_channels(settings_of(texts), ChannelEnvironment({}, lambda: NOW))
    return one


@pytest.mark.parametrize("reason", NAMED)
@pytest.mark.parametrize("kind", TEXTS)
def test_a_reason_names_the_settings_that_lead_there(kind, reason):
    named = re.findall(r"AEGIS_PT_(\w+)", channel(kind).get_advice(reason))
    assert " ".join(sorted(set(named))) == NAMED[reason][list(TEXTS).index(kind)]


@pytest.mark.parametrize("kind", TEXTS | PAGERS)
def test_every_reason_has_an_advice_of_declared_settings_that_never_speaks_of_another_channel(kind):
    for reason in REASONS:
        advice = channel(kind).get_advice(reason)
        assert "{" not in advice
        assert set(re.findall(r"AEGIS_PT_\w+", advice)) <= set(DECLARED)
        assert ("e-mail" in advice and "Slack" in advice) is False


@pytest.mark.parametrize("kind", PAGERS)
def test_a_pagers_advice_names_its_own_settings(kind):
    own = min(PAGERS[kind]).partition("_")[0]
    for reason in (
        errors.REFUSED,
        errors.DNS,
        errors.REDIRECTED,
        errors.LOGIN,
        errors.NOT_ALLOWED,
        errors.NO_PLACE,
    ):
        named = re.findall(r"AEGIS_PT_(\w+)", channel(kind).get_advice(reason))
        assert named, reason
        assert all(name.startswith(own) for name in named), (reason, named)


BEARER = "canary-7d1f04b2"
CONTRADICTIONS: list[tuple[dict[str, str], str, str]] = [
    ({"WEBHOOK_URL": "https://example.com/x"}, "test-notify", "a webhook needs both"),
    ({"SLACK_TOKEN": "xoxb-1234567890-abcdefgh"}, "test-notify", "needs AEGIS_PT_SLACK_CHANNEL beside it"),
    ({"SLACK_CHANNEL": "#alerts"}, "test-notify", "a channel needs AEGIS_PT_SLACK_TOKEN"),
    ({"TELEGRAM_TOKEN": "4711:canary-telegram"}, "test-notify", "a bot needs both"),
    ({"TELEGRAM_CHAT": "4711"}, "test-notify", "a bot needs both"),
    ({"NTFY_TOKEN": "tk_canary7d1f04b2"}, "test-notify", "needs AEGIS_PT_NTFY_TOPIC beside it"),
    ({"PAGERDUTY_TOKEN": BEARER}, "test-notify", "needs AEGIS_PT_PAGERDUTY_ROUTING_KEY beside it"),
    ({"SMTP_USER": "u"}, "test-notify", "a login needs both"),
    ({"SMTP_PASSWORD": BEARER}, "test-notify", "a login needs both"),
    ({"STATUS_TOKEN": BEARER, "STATUS_USER": "u", "STATUS_URL": "http://127.0.0.1:9/"}, "collect", "leave one out"),
    (
        {"STATUS_TOKEN": BEARER, "BOT_STATUS_TOKEN": BEARER, "STATUS_URL": "http://127.0.0.1:9/",
         "BOT_STATUS_URL": "http://127.0.0.1:9/b"},
        "collect",
        "whose credentials go there",
    ),
    ({"FLEX_TOKEN": BEARER}, "collect", "no query is named"),
]  # fmt: skip


@pytest.mark.parametrize(("texts", "command", "reason"), CONTRADICTIONS)
def test_a_contradiction_of_settings_gives_its_reason_which_no_redaction_takes_for_a_secret(
    texts, command, reason
):
    ran = answer(command, environ={f"AEGIS_PT_{name}": text for name, text in texts.items()})
    assert ran.code == 2
    assert reason in ran.err
    assert "[redacted]" not in ran.err
    assert BEARER not in ran.err
