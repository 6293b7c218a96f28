"""Canary secrets in every setting, payload, header and error: none in any output of any command."""

from __future__ import annotations

import json
import re
from base64 import b64encode

from detector.formats.redaction import redact
from tests.support.aws_server import CLUSTER, GROUP, REGION, AwsError, aws_on_loopback
from tests.support.loopback import says, serving
from tests.support.program import answer
from tests.support.slack_server import HOOK, Slack, slack_on_loopback
from tests.support.smtp_server import Mailbox, mail_on_loopback
from tests.support.snapshots import NOW

STATUS = {"heartbeat_at": "2026-06-02T14:59:30Z", "pending_orders": 3, "open_position_count": 1}


def canary(name: str) -> str:
    return f"canary-{name}-7d1f04b2"


BASIC = b64encode(f"reader:{canary('long-password')}".encode()).decode()


def test_no_secret_reaches_any_output(machine, tmp_path):
    """A secret in every setting that can hold one, in the payloads, the headers and the errors' bodies."""
    payload = {
        **STATUS,
        "api_token": canary("payload-token"),
        "db": {"password": canary("payload-password"), "dsn": f"postgres://u:{canary('dsn')}@db/x"},
        "connection_error": f"Authorization: Bearer {canary('bearer')}",
        "account": "U7654321",
        "owner": "999988887777",
        "note": f"token={canary('note')} xoxb-{canary('slack')} AKIAIOSFODNN7EXAMPLE me@example.com",
        "echo": [canary("status"), canary("sections"), canary("long-password"), BASIC],
    }
    headers = {"set-cookie": f"session={canary('cookie')}", "x-debug": canary("header")}
    broken = json.dumps({"error": canary("error-body")}).encode()
    locations = {
        "location": f"https://u:{canary('location')}@elsewhere.example/{canary('path')}?t={canary('q')}"
    }
    broker = tmp_path / "broker.json"
    broker.write_text(json.dumps({"password": canary("file"), "positions": []}))
    with (
        serving(says(payload, headers=headers)) as dashboard,
        serving(says(broken, 418, headers)) as bot,
        serving(says(b"", 302, locations)) as docker,
        aws_on_loopback() as aws,
    ):
        aws.fails(
            "DescribeServices",
            AwsError("AccessDeniedException", message=f"arn:aws:iam::999988887777:{canary('arn')}"),
        )
        aws.events = [
            {
                "timestamp": int(NOW.timestamp() * 1000),
                "message": f"password: {canary('log')}",
                "logStreamName": "s",
            }
        ]
        aws.account = "999988887777"
        machine(aws.url, AWS_SESSION_TOKEN=canary("session"))
        environ = {
            "AEGIS_PT_STATUS_URL": f"{dashboard.url}/status?key={canary('status')}",
            "AEGIS_PT_STATUS_USER": "reader",
            "AEGIS_PT_STATUS_PASSWORD": canary("long-password"),
            "AEGIS_PT_BOT_STATUS_URL": f"{bot.url}/bot?key={canary('bot')}",
            "AEGIS_PT_BOT_STATUS_TOKEN": canary("bot-token"),
            "AEGIS_PT_STANDBY_DOCKER_URL": f"{docker.url}/?key={canary('docker')}",
            "AEGIS_PT_SECTIONS": f"broker={broker},stores={bot.url}/x?key={canary('sections')}",
            "AEGIS_PT_ECS_CLUSTER": CLUSTER,
            "AEGIS_PT_LOG_GROUP": GROUP,
            "AEGIS_PT_AWS_REGION": REGION,
            "AEGIS_PT_AWS_PROFILE": "reader",
            "AEGIS_PT_AWS_ACCOUNT": "999988887777",
            "HTTPS_PROXY": f"http://u:{canary('proxy')}@127.0.0.1:1",
            "NO_PROXY": "*",
        }
        memory = tmp_path / "memory.json"
        outputs = [
            answer(*words, environ=environ)
            for words in (
                ["collect"], ["detect"], ["detect", "--report", "--artifact", str(memory)], ["detect", "--nagios"],
                ["doctor"], ["doctor", "--json"],
            )
        ]  # fmt: skip
    shown = "".join(one.out.decode() + one.err for one in outputs) + memory.read_text()
    assert shown.count("live-1") > 0, "the account is there, under its alias"
    for secret in (
        *re.findall(r"canary-[\w-]+?-7d1f04b2", json.dumps([payload, headers, environ])),
        "canary-",
    ):
        assert secret not in shown, secret
    for secret in (BASIC, "U7654321", "999988887777", "AKIAIOSFODNN7EXAMPLE", "me@example.com"):
        assert secret not in shown, secret


def channel_secrets(slack: Slack, box: Mailbox) -> dict[str, str]:
    """Settings of every channel with a secret in each that can hold one.

    The webhook of `slack` is one itself.
    """
    return {
        "AEGIS_PT_CHANNEL_TIMEOUT_SEC": "2",
        "AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook,
        **box.environ("canary-ann-7d1f04b2@example.com", "canary-bob-7d1f04b2@example.com"),
        "AEGIS_PT_EMAIL_FROM": "canary-from-7d1f04b2@example.org",
    }


def test_no_secret_reaches_a_message_an_artifact_or_what_a_channel_command_prints(tmp_path):
    """Secrets in the data, the settings, and in what Slack and the mail server say of themselves."""
    path = tmp_path / "memory.json"
    orders = [{"order_id": f"token={canary('order')}", "symbol": f"xoxb-{canary('symbol')}", "age_sec": 900}]
    patch = {
        "pending_orders": 3,
        "orders": orders,
        "connection_error": f"API connection failed: Bearer {canary('bearer')} U7654321 me@example.com",
        "broker_connected": False,
    }
    leaky = f"canary-body-7d1f04b2 {HOOK} canary-bob-7d1f04b2@example.com".encode()
    with slack_on_loopback() as slack, mail_on_loopback() as box:
        environ = channel_secrets(slack, box)
        box.refused = {"canary-bob-7d1f04b2@example.com": "550 no canary-smtp-7d1f04b2"}
        document = json.dumps({"taken_at": "2026-06-02T15:00:00Z", "status_v3": {**STATUS, **patch}})
        outputs = [
            answer("detect", "--offline", "--artifact", str(path), stdin=document, environ=environ),
            answer("notify", "--artifact", str(path), "--dry-run", environ=environ),
        ]
        for behaviours in ([says(leaky, 403)], [says(leaky, 500)] * 3, []):
            slack.answers[:] = behaviours
            link = ("--link", f"https://example.com/?token={canary('link')}")
            outputs.append(answer("notify", "--artifact", str(path), *link, environ=environ))
        slack.then(says(leaky, 200))
        outputs += [
            answer(*words, environ=environ)
            for words in (
                ["test-notify"],
                ["test-notify", "--dry-run"],
                ["doctor"],
                ["doctor", "--json"],
                ["settings"],
                ["settings", "--json"],
            )
        ]
        sent = json.dumps(slack.posts) + "".join(one.part("plain") + one.part("html") for one in box.mails)
        assert (len(slack.posts), len(box.mails)) == (1, 2)
    assert outputs[2].code == outputs[3].code == 3
    assert "pending_orders_high" in sent
    shown = "".join(one.out.decode() + one.err for one in outputs) + path.read_text() + sent
    for secret in ("canary-", "7654321", "me@example.com", HOOK, HOOK.rpartition("/")[2]):
        assert secret not in shown, secret


def test_a_secret_that_is_an_ordinary_word_takes_no_section_away():
    with serving(says(STATUS)) as server:
        environ = {"AEGIS_PT_STATUS_URL": server.url, "AEGIS_PT_STATUS_TOKEN": "status"}
        ran = answer("collect", environ=environ)
        assert (ran.code, ran.document["status_v3"]) == (0, STATUS)
        assert answer("detect", environ=environ).code == 0


def test_what_is_redacted_once_is_not_changed_again():
    document = {"account": "DU1234567", "note": "token=abcdefgh", "x": "U7654321"}
    once = redact(document)
    assert redact(once) == once
