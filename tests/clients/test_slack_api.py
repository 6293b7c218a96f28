"""Slack's SDK on our wire: its clients ask the two methods that this program answers, whatever release it
is.
"""

from __future__ import annotations

import inspect
import logging
from datetime import UTC, datetime

import pytest
from slack_sdk.web import WebClient
from slack_sdk.webhook import WebhookClient

from detector.clients.connection import Deadline, NetworkPolicy
from detector.clients.slack_api import Slack, build_slack_error
from detector.formats import errors
from detector.formats.errors import REASONS, ExternalError
from tests.support.loopback import closed_port, says, serving, tunnel
from tests.support.slack_server import HOOK, TOKEN, slack_on_loopback

NOW = datetime(2026, 6, 2, 15, 0, tzinfo=UTC)


def slack(seconds: float = 3, **more: object) -> Slack:
    return Slack(NetworkPolicy(Deadline(seconds), **more), lambda: NOW)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("client", "method"),
    [(WebhookClient, "_perform_http_request_internal"), (WebClient, "_perform_urllib_http_request_internal")],
)
def test_the_sdk_still_sends_through_the_method_that_is_answered_here(client, method):
    assert list(inspect.signature(getattr(client, method)).parameters) == ["self", "url", "req"]


def test_a_message_goes_over_this_wire_and_not_over_the_processs_proxy(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port()}")
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{closed_port()}")
    with slack_on_loopback() as server:
        slack().send_webhook(server.hook, {"text": "x"})
        slack().send_api_call(server.api, TOKEN, "chat.postMessage", {"channel": "#alerts", "text": "x"})
        assert len(server.taken) == 2


def test_the_doors_proxy_is_used_for_tls():
    with serving(tunnel) as proxy, serving(says(b"ok"), certificate="good") as server:
        from tests.support.loopback import AUTHORITY

        where = f"https://localhost:{server.address[1]}{HOOK}"
        slack(ca_file=str(AUTHORITY), proxies={"https_proxy": proxy.url}).send_webhook(where, {"text": "x"})
        assert proxy.requests[0].startswith(b"CONNECT localhost:")


def test_a_metadata_address_is_never_posted_to():
    with pytest.raises(ExternalError) as refused:
        slack().send_webhook("http://169.254.169.254/services/x", {"text": "x"})
    assert refused.value.reason == errors.FORBIDDEN


def test_nothing_is_logged_and_no_text_of_an_error_holds_a_secret(caplog, capfd):
    caplog.set_level(logging.DEBUG)
    secrets = (TOKEN, HOOK)
    with serving(says(f"{HOOK} {TOKEN}".encode(), 500)) as server:
        for ask in (
            lambda: slack(0.3).send_webhook(f"{server.url}{HOOK}", {"text": "x"}),
            lambda: slack(0.3).send_api_call(f"{server.url}/api/", TOKEN, "chat.postMessage", {"text": "x"}),
        ):
            with pytest.raises(ExternalError) as refused:
                ask()
            assert not any(secret in repr(refused.value) for secret in secrets)
    assert not any(secret in caplog.text for secret in secrets)
    assert not any(record.levelno > logging.DEBUG for record in caplog.records)
    assert tuple(capfd.readouterr()) == ("", "")


@pytest.mark.parametrize(
    ("status", "said", "reason", "permanent"),
    [
        (404, "no_service", errors.LOGIN, True),
        (403, "invalid_token", errors.LOGIN, True),
        (200, "invalid_auth", errors.LOGIN, True),
        (200, "missing_scope", errors.NOT_ALLOWED, True),
        (410, "channel_is_archived", errors.NO_PLACE, True),
        (200, "ratelimited", errors.THROTTLED, False),
        (429, "", errors.THROTTLED, False),
        (200, "internal_error", errors.REJECTED, False),
        (500, "", errors.REJECTED, False),
        (499, "", errors.REJECTED, True),
        (302, "", errors.REDIRECTED, True),
        (200, "xoxb-1 is no code", errors.REJECTED, True),
    ],
)
def test_every_answer_has_a_reason_and_says_whether_to_ask_again(status, said, reason, permanent):
    error = build_slack_error(status, said, 7)
    assert (error.reason, error.permanent) == (reason, permanent)
    assert error.wait_sec == (None if permanent else 7)
    assert "xoxb" not in str(error)
    assert reason in REASONS
