"""`doctor` shows the channels, what is told to each, and how to add one; it sends nothing."""

from __future__ import annotations

from tests.support.command_output import told
from tests.support.slack_server import slack_on_loopback

MAIL = {
    "AEGIS_PT_SMTP_HOST": "mail.example.com",
    "AEGIS_PT_EMAIL_FROM": "detector@example.org",
    "AEGIS_PT_EMAIL_TO": "ann@example.com,bob@example.com",
    "AEGIS_PT_EMAIL_MIN": "critical",
}


def test_what_is_configured_is_shown_and_nothing_is_sent():
    with slack_on_loopback() as slack:
        ran = told("doctor", "--json", environ={**MAIL, "AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook})
        assert (ran.code, slack.served.requests) == (0, [])
    rows = [(one["name"].partition(":")[0], one["from"], one["place"]) for one in ran.json["channels"]]
    assert rows == [
        ("email", "critical", "recipient 1 of 2, by mail.example.com:587 (starttls)"),
        ("email", "critical", "recipient 2 of 2, by mail.example.com:587 (starttls)"),
        ("slack", "warning", "an incoming webhook"),
    ]
    assert [one["set"] for one in ran.json["channels_not_configured"]] == [
        f"AEGIS_PT_{name}"
        for name in ("NTFY_TOPIC", "PAGERDUTY_ROUTING_KEY", "TELEGRAM_TOKEN", "WEBHOOK_URL")
    ]
    assert "ann@example.com" not in ran.out


def test_what_is_not_configured_is_offered():
    ran = told("doctor", "--json")
    assert ran.json["channels"] == []
    assert [(one["set"], one["with"]) for one in ran.json["channels_not_configured"]] == [
        ("AEGIS_PT_SMTP_HOST", ["AEGIS_PT_EMAIL_FROM", "AEGIS_PT_EMAIL_TO"]),
        ("AEGIS_PT_NTFY_TOPIC", []),
        ("AEGIS_PT_PAGERDUTY_ROUTING_KEY", []),
        ("AEGIS_PT_SLACK_WEBHOOK_URL", []),
        ("AEGIS_PT_TELEGRAM_TOKEN", ["AEGIS_PT_TELEGRAM_CHAT"]),
        ("AEGIS_PT_WEBHOOK_URL", ["AEGIS_PT_WEBHOOK_SECRET"]),
    ]


def test_the_lines_say_it_to_a_person():
    lines = told("doctor", environ=MAIL).lines
    assert "Channels (nothing was sent; `test-notify` sends a test):" in lines
    assert "Channels that are not configured:" in lines
    assert any(line.startswith("  AEGIS_PT_SLACK_WEBHOOK_URL: alerts in Slack") for line in lines)


def test_contradictions_are_refused_before_anything_is_tried():
    ran = told("doctor", environ={"AEGIS_PT_SLACK_CHANNEL": "#a", "AEGIS_PT_EMAIL_TO": "ann@example.com"})
    assert (ran.code, ran.out, ran.err.count("detector: ")) == (2, "", 2)
