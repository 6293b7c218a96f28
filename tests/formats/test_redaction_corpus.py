"""A hundred kinds of secrets as they stand in logs, URLs, settings and exceptions.

None survives redaction.
"""

from __future__ import annotations

import pytest

from detector.formats.redaction import redact, redact_text

A, B, C = "Zq7fK2mX9vLp4TnR8sWd", "b1946ac92492d2347c6235b4d2611184", "0a1b2c3d-4e5f-6789-abcd-ef0123456789"
T = "AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsawX"
WORDS = "hunter two three"

_NAMES = ("password", "passwd", "pwd", "passphrase", "secret", "token", "api_key", "apikey", "api-key",
          "access_key", "private_key", "client_secret", "refresh_token", "credential", "routing_key",
          "integration_key", "user_key")  # fmt: skip
SECRETS: dict[str, str] = {
    **{f"{name}=": f"{name}={A}" for name in _NAMES},
    **{f"{name}: ": f"{name}: {A} next" for name in _NAMES},
    **{f'"{name}"': f'{{"{name}": "{A}"}}' for name in _NAMES},
    "pass=": f"login user=x pass={A}",
    "pw=": f"connect host=h pw={A} port=1",
    "a password with spaces": f"user=x password={WORDS} {A} host=h",
    "a password with @": f"password=p@{A}@x",
    "a quoted password with spaces": f'password="{WORDS} {A}"',
    "bearer": f"Authorization: Bearer {A}",
    "basic": f"authorization=Basic {A}==",
    "a URL's password": f"https://ann:{A}@host/x",
    "a URL's password with @": f"amqp://ann:p@{A}@host/x",
    "Slack": f"https://hooks.slack.com/services/T0/B0/{A}",
    "Slack for governments": f"https://hooks.slack-gov.com/services/T0/B0/{A}",
    "a Slack token": f"xoxb-1-{A}",
    "Discord": f"https://discord.com/api/webhooks/123/{A}",
    "Discord, older": f"https://discordapp.com/api/v10/webhooks/123/{A}",
    "Telegram, URL": f"https://api.telegram.org/bot123456789:{T}/sendMessage",
    "Telegram": f"starting with 123456789:{T}",
    "ntfy": f"auth tk_{A}abcdefgh",
    "Pushover": f"https://api.pushover.net/1/messages.json?token={A}&user={B}",
    "hc-ping": f"GET https://hc-ping.com/{C}/start",
    "hc-ping by slug": f"https://hc-ping.com/{A}/slug",
    "PagerDuty": f"https://events.pagerduty.com/integration/{B}/enqueue",
    "?t=": f"https://x.example/y?t={A}",
    "?sig=": f"https://x.example/y?a=1&sig={A}",
    "?key=": f"https://x.example/y?key={A}",
    "?code=": f"https://x.example/cb?code={A}",
    "a signed URL": f"https://b.s3.amazonaws.com/k?X-Amz-Signature={A}",
    "GitHub": f"ghp_{A}",
    "GitHub, fine": f"github_pat_{A}",
    "GitLab": f"glpat-{A}",
    "AWS": "AKIAIOSFODNN7EXAMPLE",
    "Tailscale": f"tskey-auth-{A}",
    "Google": f"AIza{A}abcdefghijklmno",
    "Google, OAuth": f"ya29.{A}",
    "OpenAI": f"sk-proj-{A}",
    "Stripe": f"sk_live_{A}",
    "Stripe, restricted": f"rk_live_{A}",
    "SendGrid": f"SG.{A}.{A}",
    "npm": f"npm_{A}abcdefghijklmnop",
    "PyPI": f"pypi-{A}",
    "DigitalOcean": f"dop_v1_{B}{B}",
    "Shopify": f"shpat_{B}",
    "Hugging Face": f"hf_{A}abc",
    "age": f"AGE-SECRET-KEY-1{A}",
    "Brevo": f"xkeysib-{A}",
    "Mailgun": f"key-{B}",
    "Twilio": f"SK{B}",
    "Grafana": f"glsa_{A}_x",
    "Vault": f"hvs.{A}",
    "Linear": f"lin_api_{A}",
    "New Relic": f"NRAK-{A}",
    "a webhook's signing secret": f"whsec_{A}",
    "Google, OAuth client": f"GOCSPX-{A}",
    "Azure storage": f"DefaultEndpointsProtocol=https;AccountName=x;AccountKey={A}==;EndpointSuffix=y",
    "Azure service bus": f"Endpoint=sb://x/;SharedAccessKeyName=k;SharedAccessKey={A}=",
    "Teams": f"https://x.webhook.office.com/webhookb2/{C}@{C}/IncomingWebhook/{B}/{C}",
    "Teams, workflow": f"https://prod-1.westus.logic.azure.com:443/workflows/{B}/triggers/manual?sig={A}",
    "Mattermost": f"https://chat.example/hooks/{A}abcdef",
    "a JWT": f"eyJhbGciOiJI.{A}.{A}",
    "a PEM key": f"-----BEGIN RSA PRIVATE KEY-----\nMIIB{A}\n{A}\n-----END RSA PRIVATE KEY-----",
    "a PEM key that is cut off": f"-----BEGIN PRIVATE KEY-----\nMIIB{A}",
    "a live account": "order of U1234567 was filled",
    "a live account in a path": "/ws/U1234567/positions",
    "a live account with a note": "acct:U1234567;",
    "a paper account": "DU1234567",
    "an advisor's account": "F1234567",
    "an e-mail address": "mail to ann.b@example.com",
    "an AWS account": "arn:aws:ecs:us-east-1:123456789012:task/x",
}  # fmt: skip
_TRACES = (A, B, C, T, "AKIAIOSFODNN7", "1234567", "ann.b@", "123456789012")


def test_the_corpus_has_a_hundred_kinds():
    assert len(SECRETS) >= 100


@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS.keys())
def test_no_secret_survives(text):
    for cleaned in (redact_text(text), redact_text(f"error: {text} (x)"), str(redact({"a": [text]}))):
        assert [trace for trace in _TRACES if trace in cleaned] == [], cleaned


@pytest.mark.parametrize(
    "text",
    [
        "No heartbeat for 15 min (over 5 min).",
        "task-definition aegis:12 on disk-1, risk-off",
        "2026-06-02T15:00:00Z 12:30:45 usfarm 4 of 5",
        "passed the check, pw and pass are words",
        "https://x.example/y?page=2&limit=10",
        "SPY 2026-06-02 727C: 39 open internally as trade #162",
        "secd 12345",
        ".github/workflows/notify-aws-ibkr-pt-health.yml and /hooks/pre-push",
        "id 9216954d84464aeb",
    ],
)
def test_what_is_no_secret_stays(text):
    assert redact_text(text) == text


@pytest.mark.parametrize("end", ["\\n", "\\r", "\\t"])
@pytest.mark.parametrize(
    "secret",
    [
        "ghp_" + "a1B2" * 9, "glpat-" + "a1B2" * 5, "xoxb-123456789012-" + "a1B2" * 6, "sk_live_" + "a1B2" * 6,
        "AKIA" + "QW52" * 4, "hf_" + "a1B2" * 9, "U1234567",
        "eyJ" + "a1B2" * 5 + ".eyJ" + "a1B2" * 8 + "." + "a1B2" * 8,
    ],
)  # fmt: skip
def test_a_secret_after_a_line_end_that_json_escaped_is_hidden(secret, end):
    """In a log line that is JSON text in JSON, the letter of the escape stands before the secret."""
    assert secret not in redact_text(f"token is{end}{secret}")
