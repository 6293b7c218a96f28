"""`notify`: what an artifact owes is delivered once, and its receipts stand in it, whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from detector.formats.serialize import compute_checksum
from tests.support.command_output import Told, told
from tests.support.deliveries import QUICK
from tests.support.loopback import says
from tests.support.slack_server import Slack, everything, slack_on_loopback
from tests.support.smtp_server import mail_on_loopback
from tests.support.snapshots import healthy_at

AT = "2026-06-02T15:00:00Z"
BOTH = {"status_v3": {"pending_orders": 3, "recent_trades": [{"trade_id": "7", "pnl_unknown": True}]}}


@pytest.fixture
def artifact(tmp_path):
    """An artifact with a critical and a warning condition, told to standard output only."""
    path = tmp_path / "last.json"
    ran = told(
        "detect", "--offline", "--artifact", str(path), stdin=json.dumps(healthy_at(AT, BOTH)).encode()
    )
    assert ran.code == 0
    return path


def notify(path: Path, slack: Slack | None, *words: str, **more: str) -> Told:
    hook = {"AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook} if slack else {}
    return told("notify", "--artifact", str(path), *words, environ={**QUICK, **hook, **more})


def held(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text())
    assert document["checksum"] == compute_checksum(document)
    return document


def test_what_is_owed_is_told_once_and_the_receipts_are_written(artifact):
    before = held(artifact)
    with slack_on_loopback() as slack:
        ran = notify(artifact, slack, "--link", "https://github.com/o/r/actions/runs/1")
        assert (ran.code, ran.lines) == (0, ["slack: delivered (an incoming webhook)"])
        (post,) = slack.posts
        assert "<https://github.com/o/r/actions/runs/1|the run>" in everything(post)
        again = notify(artifact, slack)
        assert (again.code, again.lines, len(slack.posts)) == (0, ["slack: everything is delivered"], 1)
    after = held(artifact)
    assert {row["signature"]: sorted(row["receipts"]) for row in after["conditions"]} == {
        "pending_orders_high:aegis-pt-core": ["slack", "stdout"],
        "pnl_unknown:aegis-pt-core:7": ["slack", "stdout"],
    }
    changed = {key for key in after if after[key] != before[key]}
    assert changed == {"conditions", "channels", "checksum"}


def test_an_old_artifact_is_told_with_its_age(artifact):
    with slack_on_loopback() as slack:
        assert notify(artifact, slack, "--now", "2026-06-12T15:00:00Z").code == 0
        (post,) = slack.posts
        assert "JST (SENT 10 d after it was seen)" in everything(post)


def test_an_artifact_of_a_run_that_saw_nothing_says_so_first(tmp_path):
    sources = {"logs": {"state": "failed", "reason": "timeout"}}
    for name, section, why in (("a", {}, "no source is"), ("b", {"sources": sources}, "no source that was")):
        path = tmp_path / name
        document = json.dumps({"taken_at": AT, **section}).encode()
        assert told("detect", "--offline", "--artifact", str(path), stdin=document).code == 0
        with slack_on_loopback() as slack:
            assert notify(path, slack, "--now", AT).code == 0
            assert why in everything(slack.posts[0])


def test_a_run_of_detect_goes_on_from_it(artifact):
    with slack_on_loopback() as slack:
        notify(artifact, slack)
    ran = told(
        "detect",
        "--offline",
        "--previous",
        str(artifact),
        stdin=json.dumps(healthy_at("2026-06-02T15:10:00Z", BOTH)).encode(),
    )
    assert [(event["type"], event["reason"]) for event in ran.json["new_events"]] == [
        ("pending_orders_high", "escalated")
    ]


def test_what_fails_stays_owed_is_said_and_is_exit_3(artifact):
    with slack_on_loopback() as slack, mail_on_loopback() as box:
        slack.then(says(b"no_service", 404))
        ran = notify(artifact, slack, **box.environ())
        assert ran.code == 3
        assert ran.lines[1:] == [
            "slack: NOT DELIVERED, will be sent again: it answered 404 (no_service) (login)",
            "  Make a new webhook, and put it into AEGIS_PT_SLACK_WEBHOOK_URL.",
        ]
        assert ran.lines[0].startswith("email:")
        again = notify(artifact, slack, **box.environ())
        assert (again.code, len(slack.posts), len(box.mails)) == (0, 1, 1)


def test_a_dry_run_prints_what_would_be_sent_and_changes_nothing(artifact):
    before = artifact.read_bytes()
    with slack_on_loopback() as slack:
        ran = notify(artifact, slack, "--dry-run")
        assert (ran.code, slack.served.requests) == (0, [])
        assert ran.lines[:2] == ["=== slack: an incoming webhook", "POST"]
        shown = json.loads(ran.out.partition("POST\n")[2])
        assert artifact.read_bytes() == before
        notify(artifact, slack)
        assert slack.posts == [shown]


def test_mutes_are_respected_and_so_is_their_end(artifact, tmp_path):
    mutes = tmp_path / "mutes.toml"
    text = '[[mute]]\nsignature = "pending_orders_high:*"\nuntil = {}\nreason = "known"\nby = "ann"\n'
    with slack_on_loopback() as slack:
        mutes.write_text(text.format("2026-06-02T16:00:00Z"))
        notify(artifact, slack, AEGIS_PT_MUTES=str(mutes))
        assert "pending_orders_high" not in slack.texts[0]
        mutes.write_text(text.format("2026-06-02T14:59:59Z"))
        notify(artifact, slack, AEGIS_PT_MUTES=str(mutes))
        assert "pending_orders_high" in slack.texts[1]


def test_a_symptom_is_not_told_beside_its_cause(tmp_path):
    path = tmp_path / "last.json"
    service = {
        "serviceName": "aegis-pt-core",
        "status": "ACTIVE",
        "desiredCount": 1,
        "runningCount": 0,
        "pendingCount": 0,
    }
    patch = {"ecs": {"services": [service], "tasks": []}, "status_v3": {"heartbeat_age_sec": 600}}
    document = json.dumps(healthy_at(AT, patch)).encode()
    assert told("detect", "--offline", "--artifact", str(path), stdin=document).code == 0
    with slack_on_loopback() as slack:
        notify(path, slack)
        text = everything(slack.posts[0])
        assert ("ecs_service_count_mismatch" in text, "heartbeat_stale" in text) == (True, False)


def test_receipts_that_cannot_be_written_are_exit_3_and_the_old_artifact_stays(artifact):
    before = artifact.read_bytes()
    (
        artifact.parent / f".last.json.{os.getpid()}.tmp"
    ).mkdir()  # in the way of the temporary file, also for root
    with slack_on_loopback() as slack:
        ran = notify(artifact, slack)
        assert (ran.code, len(slack.posts)) == (3, 1)
        assert (
            "could not be written (Is a directory); what was delivered is delivered again next time"
            in ran.err
        )
        assert artifact.read_bytes() == before


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no such file"),
        (b"", "the document is empty"),
        (b"[1]", "not an object"),
        (b'{"events": [], "new_events": []}', "it is no artifact"),
        (b'{"schema_version": 99}', "newer than"),
        (b'{"schema_version": 1, "checksum": "x"}', "checksum does not match"),
    ],
)
def test_what_is_no_artifact_is_refused_and_left_alone(tmp_path, content, said):
    path = tmp_path / "last.json"
    if content is not None:
        path.write_bytes(content)
    with slack_on_loopback() as slack:
        ran = notify(path, slack)
        assert (ran.code, ran.out, slack.served.requests) == (2, "", [])
        assert said in ran.err
    assert [one.name for one in tmp_path.iterdir()] == ([] if content is None else ["last.json"])
    assert content is None or path.read_bytes() == content


def test_a_part_that_is_not_of_its_kind_is_refused(artifact):
    document = held(artifact)
    document["coverage"] = ["?"]
    document["checksum"] = compute_checksum(document)
    artifact.write_text(json.dumps(document))
    with slack_on_loopback() as slack:
        ran = notify(artifact, slack)
        assert (ran.code, slack.served.requests) == (2, [])


def test_without_a_channel_it_is_said_how_to_add_one(artifact):
    ran = notify(artifact, None)
    assert (ran.code, ran.out) == (2, "")
    assert (
        "no channel is configured: set AEGIS_PT_SMTP_HOST (with AEGIS_PT_EMAIL_FROM and AEGIS_PT_EMAIL_TO) or"
        in ran.err
    )
    assert "AEGIS_PT_SLACK_WEBHOOK_URL" in ran.err


def test_every_contradiction_is_said_at_once(artifact):
    ran = notify(artifact, None, AEGIS_PT_SLACK_CHANNEL="#a", AEGIS_PT_EMAIL_TO="b@example.com")
    assert ran.code == 2
    assert ran.err.count("detector: ") == 2
