"""`test-notify`: a message that cannot be mistaken for an alert, through every channel, and each result."""

from __future__ import annotations

from tests.support.command_output import told
from tests.support.deliveries import QUICK
from tests.support.loopback import closed_port, says
from tests.support.slack_server import everything, slack_on_loopback
from tests.support.smtp_server import mail_on_loopback


def test_every_channel_gets_a_test_and_the_results_are_printed():
    with slack_on_loopback() as slack, mail_on_loopback() as box:
        environ = {
            **QUICK,
            "AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook,
            **box.environ("ann@example.com", "bob@example.com"),
        }
        ran = told("test-notify", environ=environ)
        assert ran.code == 0
        results = ran.lines[: ran.lines.index("")]
        assert [line.partition(" (")[0].partition(":")[0] for line in results] == [
            "email",
            "email",
            "slack",
        ]
        assert all("delivered" in line for line in results)
        assert ran.lines[len(results) + 1].split()[:2] == ["channel", "warning"], "who is told of what"
        (post,) = slack.posts
        assert post["text"].startswith("🧪 TEST aegis-pt-core: a message of the detector, nothing is wrong")
        assert "This is a test. Alerts that are at least warning arrive here the same way." in everything(
            post
        )
        assert [str(one.mail["subject"])[:6] for one in box.mails] == ["🧪 TEST", "🧪 TEST"]
        assert {one.mail["in-reply-to"] for one in box.mails} == {None}


def test_one_channel_that_fails_is_exit_3_with_what_to_do_and_the_others_are_told():
    with slack_on_loopback() as slack, mail_on_loopback() as box:
        slack.then(says(b"no_service", 404))
        ran = told(
            "test-notify", environ={**QUICK, "AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook, **box.environ()}
        )
        assert ran.code == 3
        assert ran.lines[1 : ran.lines.index("")] == [
            "slack: NOT DELIVERED: it answered 404 (no_service) (login)",
            "  Make a new webhook, and put it into AEGIS_PT_SLACK_WEBHOOK_URL.",
        ]
        assert len(box.mails) == 1


def test_a_wrong_password_names_the_login_and_a_wrong_port_the_port():
    with mail_on_loopback(login=True) as box:
        login = {"AEGIS_PT_SMTP_USER": "u", "AEGIS_PT_SMTP_PASSWORD": "wrong-password"}
        ran = told("test-notify", environ={**QUICK, **box.environ(), **login})
        assert "AEGIS_PT_SMTP_USER and AEGIS_PT_SMTP_PASSWORD" in ran.lines[1]
        assert "AEGIS_PT_EMAIL_TO" not in ran.out
    ran = told("test-notify", environ={**QUICK, **box.environ(), "AEGIS_PT_SMTP_PORT": str(closed_port())})
    assert "is the port in AEGIS_PT_SMTP_PORT right?" in ran.lines[1]


def test_one_channel_by_its_kind_or_by_its_name():
    with slack_on_loopback() as slack, mail_on_loopback() as box:
        environ = {**QUICK, "AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook, **box.environ()}
        assert told("test-notify", "--channel", "email", environ=environ).code == 0
        assert (len(slack.posts), len(box.mails)) == (0, 1)
        name = told("test-notify", "--channel", "email", environ=environ).lines[0].partition(": ")[0]
        assert told("test-notify", "--channel", name, environ=environ).code == 0
        assert (len(slack.posts), len(box.mails)) == (0, 3)
        wrong = told("test-notify", "--channel", "sms", environ=environ)
        assert wrong.code == 2
        assert "no configured channel is named 'sms' (there are: email:" in wrong.err


def test_a_dry_run_sends_nothing_and_shows_all():
    with slack_on_loopback() as slack:
        hook = {"AEGIS_PT_SLACK_WEBHOOK_URL": slack.hook}
        ran = told("test-notify", "--dry-run", environ=hook)
        assert (ran.code, slack.served.requests) == (0, [])
        assert ran.lines[0] == "=== slack: an incoming webhook"
        assert "🧪 TEST" in ran.out
        assert slack.hook not in ran.out


def test_without_a_channel_it_is_said_how_to_add_one():
    ran = told("test-notify", "--dry-run")
    assert (ran.code, ran.out) == (2, "")
    assert "no channel is configured" in ran.err
