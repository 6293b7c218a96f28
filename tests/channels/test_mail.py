"""E-mail: who is told, encrypted or not at all, in threads, and with nothing that a header could be broken
with.
"""

from __future__ import annotations

import re

import pytest

from detector.app.delivery import RunSource
from detector.channels.channel import find_channel_conflicts
from detector.formats import errors
from detector.formats.redaction import redact_text
from tests.support.deliveries import THREE_ORDERS, TWO_ORDERS, Job
from tests.support.loopback import AUTHORITY
from tests.support.smtp_server import PASSWORD, USER, mail_on_loopback
from tests.support.snapshots import settings_of

AT = [f"2026-06-06T05:{minute:02}:00Z" for minute in range(0, 60, 10)]
TRUSTED = {"CA_FILE": str(AUTHORITY)}
WHOLE = {"SMTP_HOST": "mail.example.com", "EMAIL_FROM": "a@example.org", "EMAIL_TO": "b@example.com"}


# --- settings -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "named"),
    [
        ({"EMAIL_TO": "b@example.com"}, ["e-mail needs AEGIS_PT_SMTP_HOST and AEGIS_PT_EMAIL_FROM too"]),
        ({**WHOLE, "SMTP_USER": "u"}, ["a login needs both"]),
        ({**WHOLE, "SMTP_PASSWORD": "p"}, ["a login needs both"]),
        ({**WHOLE, "SMTP_TLS": "none"}, ["none is only for a server on this machine"]),
        ({**WHOLE, "SMTP_TLS": "none", "SMTP_HOST": "localhost"}, []),
        (WHOLE, []),
    ],
)
def test_half_a_channel_and_clear_text_beyond_this_machine_are_refused(texts, named):
    said = list(find_channel_conflicts(settings_of(texts)))
    assert len(said) == len(named)
    assert all(words in one for words, one in zip(named, said, strict=True))


@pytest.mark.parametrize(
    "text",
    ["Ann <ann@example.com>", "ann", "@example.com", "ann@", "ann@exa mple.com", "a\r\nBcc: x@y.z", "änn@example.com",
     "a@b.example,a@B.example", ",".join(f"a{k}@example.com" for k in range(11))],
)  # fmt: skip
def test_what_is_no_plain_address_is_refused_and_not_repeated(text):
    """What is said in its place passes the redaction whole."""
    from detector.formats.errors import InputError

    with pytest.raises(InputError) as refused:
        settings_of({"EMAIL_TO": text})
    assert "example" not in str(refused.value)
    assert redact_text(str(refused.value)) == str(refused.value)


# --- encryption and login -------------------------------------------------------------------------------


@pytest.mark.parametrize("tls", ["starttls", "tls"])
def test_a_mail_is_sent_encrypted_and_after_a_login(tls):
    with mail_on_loopback(tls, login=tls == "starttls") as box:
        login = {"SMTP_USER": USER, "SMTP_PASSWORD": PASSWORD} if tls == "starttls" else {}
        delivery = Job(box.environ(SMTP_TLS=tls, **TRUSTED, **login)).run(TWO_ORDERS)
        assert delivery.failed == {}
        assert [one.encrypted for one in box.mails] == [True]


@pytest.mark.parametrize("tls", ["starttls", "tls"])
@pytest.mark.parametrize("certificate", ["expired", "elsewhere", "self-signed"])
def test_a_certificate_that_is_not_accepted_gets_no_mail(tls, certificate):
    with mail_on_loopback(tls, certificate) as box:
        delivery = Job(box.environ(SMTP_TLS=tls, **TRUSTED)).run(TWO_ORDERS)
        (error,) = delivery.failed.values()
        assert (error.reason, box.mails) == (errors.TLS, [])


def test_a_server_without_starttls_gets_nothing_in_clear_text():
    with mail_on_loopback() as box:
        delivery = Job(box.environ(SMTP_TLS="starttls")).run(TWO_ORDERS)
        (error,) = delivery.failed.values()
        assert (error.reason, box.mails) == (errors.TLS, [])
        assert "nothing is sent in clear text" in str(error)


def test_a_wrong_password_is_a_failed_login_and_is_written_nowhere():
    with mail_on_loopback("starttls", login=True) as box:
        environ = box.environ(SMTP_TLS="starttls", SMTP_USER=USER, SMTP_PASSWORD="canary-wrong", **TRUSTED)
        delivery = Job(environ).run(TWO_ORDERS)
        (error,) = delivery.failed.values()
        assert (error.reason, box.mails) == (errors.LOGIN, [])
        assert "canary" not in repr(delivery)


def test_a_machine_does_not_tell_its_name():
    with mail_on_loopback() as box:
        Job(box.environ()).run(TWO_ORDERS)
        assert box.greeted == ["[127.0.0.1]"]


# --- recipients -----------------------------------------------------------------------------------------


def test_one_refused_recipient_of_two_is_named_and_only_he_is_tried_again():
    with mail_on_loopback() as box:
        box.refused = {"bob@example.com": "550 5.1.1 <bob@example.com> unknown"}
        job = Job(box.environ("ann@example.com", "bob@example.com"))
        first = job.run(TWO_ORDERS, AT[0])
        (error,) = first.failed.values()
        assert (first.undelivered, error.reason) == (True, errors.RECIPIENT)
        assert str(error) == "recipient 2 of 2: the server refused the recipient with 550"
        assert job.run(TWO_ORDERS, AT[1]).undelivered, "and it stays loud"
        box.refused = {}
        assert not job.run(TWO_ORDERS, AT[2]).undelivered
        assert [len(box.to(f"{name}@example.com")) for name in ("ann", "bob")] == [1, 1]
        assert "example" not in repr(job.deliveries[-1].report.channels)


def test_who_was_told_hears_of_the_end_and_who_was_not_of_what_he_missed():
    with mail_on_loopback() as box:
        box.refused = {"bob@example.com": "550 no"}
        job = Job(box.environ("ann@example.com", "bob@example.com"))
        job.run(TWO_ORDERS, AT[0])
        job.run({}, AT[1])
        box.refused = {}
        job.run({}, AT[2])
        subjects = {
            name: [str(one.mail["subject"]) for one in box.to(f"{name}@example.com")]
            for name in ("ann", "bob")
        }
        assert [text.split()[1] for text in subjects["ann"]] == ["NOTIFY", "RESOLVED"]
        assert [text.split()[1] for text in subjects["bob"]] == ["MISSED"]


# --- the mail -------------------------------------------------------------------------------------------


def test_the_messages_of_an_episode_make_one_thread():
    with mail_on_loopback() as box:
        job = Job(box.environ())
        for patch, at in zip((TWO_ORDERS, THREE_ORDERS, {}, {}), AT, strict=False):
            job.run(patch, at)
        mails = [one.mail for one in box.mails]
        assert [str(one["subject"]).split()[1] for one in mails] == ["NOTIFY", "NOTIFY", "RESOLVED"]
        assert len({one["message-id"] for one in mails}) == 3
        assert len({one["references"] for one in mails}) == 1
        assert {one["in-reply-to"] for one in mails} == {mails[0]["references"]}
        assert {one["auto-submitted"] for one in mails} == {"auto-generated"}
        assert [one["importance"] for one in mails] == [None, "high", None]


def test_a_killed_run_repeats_the_same_mail_under_the_same_id():
    with mail_on_loopback() as box:
        job = Job(box.environ())
        job.run(TWO_ORDERS, AT[0], killed=True)
        job.run(TWO_ORDERS, AT[0])
        job.run(TWO_ORDERS, AT[1])
        first, second = box.mails
        assert first.data == second.data


@pytest.mark.parametrize(
    "text",
    [
        "a\r\nBcc: eve@example.com",
        "a\nSubject: other",
        "\r\n\r\nbody",
        "=?utf-8?q?=0D=0ABcc:_x?=",
        "\u202egnp",
        "x" * 5000,
    ],
)
def test_no_text_of_the_data_makes_a_header(text):
    orders = [{"order_id": "1", "symbol": text, "age_sec": 900, "kind": "entry"}]
    patch = {
        "status_v3": {
            "pending_orders": 1,
            "orders": orders,
            "recent_trades": [{"trade_id": text, "pnl_unknown": True}],
        }
    }
    with mail_on_loopback() as box:
        Job(box.environ()).run(patch)
        (one,) = box.mails
        names = [name.lower() for name, _ in one.mail.items()]
        assert len(names) == len(set(names))
        assert "bcc" not in names
        assert one.recipients == ["ann@example.com"]
        head = one.data.decode("ascii").partition("\r\n\r\n")[0]
        assert all(len(line) < 998 for line in head.split("\r\n"))
        assert not re.search(r"[^\x20-\x7e\r\n\t]", head)


def test_a_mail_has_a_text_and_an_html_part_that_say_the_same():
    with mail_on_loopback() as box:
        Job(box.environ()).run(TWO_ORDERS, run=RunSource("https://github.com/o/r/actions/runs/1"))
        (one,) = box.mails
        for part in ("plain", "html"):
            text = one.part(part)
            assert "2 orders are pending" in text
            assert "https://github.com/o/r/actions/runs/1" in text
        assert one.data.isascii()
        assert max(len(line) for line in one.data.split(b"\r\n")) < 998


def test_a_mail_bears_the_time_of_its_sending_and_the_id_of_its_delivery():
    with mail_on_loopback() as box:
        job = Job(box.environ())
        job.run(TWO_ORDERS, AT[0], killed=True)
        job.run(TWO_ORDERS, AT[0], sent_at="2026-06-16T05:00:00Z")
        prompt, late = (one.mail for one in box.mails)
        assert (prompt["date"], late["date"]) == (
            "Sat, 06 Jun 2026 05:00:00 +0000",
            "Tue, 16 Jun 2026 05:00:00 +0000",
        )
        assert prompt["message-id"] == late["message-id"]
        assert "(SENT 10 d after it was seen)" in box.mails[1].part("plain")


def test_a_dry_run_shows_the_ids_of_a_mail_without_its_domain():
    with mail_on_loopback() as box:
        shown = Job(box.environ()).run(TWO_ORDERS, dry_run=True).previews
        Job(box.environ()).run(TWO_ORDERS)
        (text,), (one,) = shown.values(), box.mails
        for name in ("Message-ID", "In-Reply-To", "References"):
            identity = str(one.mail[name]).partition("@")[0]
            assert f"{name}: {identity}@[the sender's domain]>" in text


def test_a_dry_run_shows_the_mail_without_its_addresses():
    with mail_on_loopback() as box:
        shown = Job(box.environ()).run(TWO_ORDERS, dry_run=True).previews
        (text,) = shown.values()
        assert box.mails == []
        assert "Subject: 🟡 NOTIFY pending_orders_high (WARNING): 2 orders are pending" in text
        assert "First: " in text
        assert "ann@example.com" not in text
        assert "detector@example.org" not in text
