"""smtplib on our wire: one total deadline over a whole conversation, and no word of the server in an
error.
"""

from __future__ import annotations

import time

import pytest

from detector.clients.connection import Deadline, NetworkPolicy
from detector.clients.smtp import Envelope, SmtpClient, SmtpServer
from detector.formats import errors
from detector.formats.errors import ExternalError
from tests.support.loopback import PATIENCE_SEC
from tests.support.smtp_server import mail_on_loopback, speaking

ANN = Envelope("detector@example.org", "ann@example.com")
MAIL = b"Subject: x\r\n\r\n.\r\n.hidden dot\r\nx\r\n"
GREETING = b"220 x\r\n"


def post(port: int, seconds: float = 3) -> SmtpClient:
    return SmtpClient(NetworkPolicy(Deadline(seconds)), SmtpServer("127.0.0.1", port, "none"))


def failing(port: int, seconds: float = 0.5) -> ExternalError:
    with pytest.raises(ExternalError) as failed:
        post(port, seconds).send(ANN, MAIL)
    return failed.value


def test_a_mail_arrives_as_it_was_sent():
    with mail_on_loopback() as box:
        post(box.port).send(ANN, MAIL)
        (one,) = box.mails
        assert (one.sender, one.recipients, one.data) == (ANN.sender, [ANN.recipient], MAIL)


@pytest.mark.parametrize(
    ("words", "every"),
    [
        (b"", 0),
        (GREETING, 0),
        (b"220-x\r\n" * 200, 0.02),
        (b"2", 0),
        (b"220 " + b"x" * 900, 0.02),
    ],
    ids=["silent", "silent after its greeting", "dripping lines", "half a code", "a line without end"],
)
def test_whatever_a_server_does_it_ends_at_the_deadline(words, every):
    with speaking(words, every) as port:
        began = time.monotonic()
        error = failing(port)
        assert time.monotonic() - began < PATIENCE_SEC
        assert error.reason == errors.TIMEOUT


def test_a_server_that_floods_is_left():
    with speaking(b"220-" + b"x" * 20_000 + b"\r\n") as port:
        assert failing(port).reason == errors.REJECTED


@pytest.mark.parametrize(
    ("command", "said"),
    [("MAIL", "553 canary"), ("RCPT", "550 canary"), ("DATA", "554 canary")],
)
def test_no_word_of_the_server_stands_in_an_error(command, said):
    with mail_on_loopback() as box:
        box.says[command] = [said] * 3
        error = failing(box.port)
        assert "canary" not in repr(error)
        assert box.mails == []


@pytest.mark.parametrize(
    ("said", "message"), [("299 hm", None), ("354 hm", "with 354"), ("hm", "cannot be read")], ids=str
)
def test_the_first_digit_decides(said, message):
    """RFC 5321 4.2.1: a mail that was taken with another code than 250 was sent at every run."""
    with mail_on_loopback() as box:
        box.says["DATA"] = [said] * 3
        if message is None:
            post(box.port).send(ANN, MAIL)
        else:
            assert message in str(failing(box.port, 3))


def test_once_the_text_was_sent_an_end_without_an_answer_is_not_repeated():
    with mail_on_loopback() as box:
        box.says["DATA"] = ["lose"]
        assert failing(box.port, 3).reason == errors.NO_ANSWER
        assert len(box.mails) == 1


def test_an_answer_to_the_text_that_comes_too_late_is_not_repeated():
    with mail_on_loopback() as box:
        box.slow["DATA"] = 0.8
        error = failing(box.port)
        assert error.reason == errors.NO_ANSWER
        assert str(error).endswith("it may have been taken")
