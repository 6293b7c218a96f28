"""Canary secrets in every setting of the pagers and in what their servers answer.

None in any output, memory, error, log or process list.
"""

from __future__ import annotations

import json
import subprocess
from contextlib import ExitStack

import pytest

from detector.settings import DECLARED
from tests.support.acks import PENDING, Night
from tests.support.deliveries import THREE_ORDERS
from tests.support.loopback import hangs, redirects, says, sends, serving
from tests.support.pager_server import CHAT, KINDS, SECRETS, TOPIC, pager_on_loopback
from tests.support.program import answer

LEAKS = ("canary", TOPIC, str(CHAT)[1:], *(secret[-16:] for secret in SECRETS.values()))
EVERYTHING = {f"AEGIS_PT_{kind.upper()}_MIN": "warning" for kind in KINDS}
OTHERS = {
    "AEGIS_PT_PAGERDUTY_TOKEN": "canary-read-7d1f04b2",
    "AEGIS_PT_ACK_FROM": "canary-ann=telegram:42,canary-bob=github:canary-login",
}
# What a server says of itself, with each secret in it, in every way in which an answer fails.
ECHO = json.dumps(
    {"ok": False, "error_code": 400, "description": " ".join(SECRETS.values()), "errors": [TOPIC]}
).encode()
ANSWERS = {
    "400": says(ECHO, 400),
    "401": says(ECHO, 401),
    "409": says(ECHO, 409),
    "500": says(ECHO, 500),
    "200 with a page": says(b"<html>" + ECHO),
    "a redirect": redirects(f"https://{SECRETS['ntfy']}.example/{TOPIC}"),
    "no HTTP": sends(ECHO),
    "nothing": hangs(),
}


def assert_no_leak(*texts: str) -> None:
    for text in texts:
        for secret in LEAKS:
            assert secret not in text, text[max(0, text.index(secret) - 80) :][:160]


def test_every_secret_of_the_pagers_is_planted_here():
    with ExitStack() as stack:
        planted = set(OTHERS)
        for kind in KINDS:
            planted |= set(stack.enter_context(pager_on_loopback(kind)).environ)
    prefixes = (*(f"AEGIS_PT_{kind.upper()}_" for kind in KINDS), "AEGIS_PT_ACK_")
    secret = {name for name, one in DECLARED.items() if one.secret and name.startswith(prefixes)}
    assert secret <= planted


@pytest.mark.parametrize("name", ANSWERS)
def test_no_secret_reaches_an_output_a_memory_a_log_or_another_process(name, tmp_path, caplog, monkeypatch):
    caplog.set_level("DEBUG")  # the libraries' own lines too: the path of Telegram holds its token
    monkeypatch.setattr(
        subprocess, "Popen", pytest.fail
    )  # a list of processes shows what one is started with
    with ExitStack() as stack:
        pagers = [stack.enter_context(pager_on_loopback(kind)) for kind in KINDS]
        api = stack.enter_context(serving(ANSWERS[name]))
        environ = {**EVERYTHING, **OTHERS, "AEGIS_PT_PAGERDUTY_API_URL": api.url}
        for pager in pagers:
            environ |= pager.environ
            pager.calls["getUpdates"] = lambda _: []
            pager.answers[:] = [ANSWERS[name]] * 4
        night = Night(tmp_path / "memory", {**environ, "AEGIS_PT_CHANNEL_TIMEOUT_SEC": "1"})
        outputs = [night.run("15:00", THREE_ORDERS)]
        for pager in pagers:
            pager.answers.clear()
        outputs.append(night.run("15:10", THREE_ORDERS))
        for pager in pagers:
            pager.answers[:] = [ANSWERS[name]] * 4
        outputs.append(night.run("15:20", THREE_ORDERS))
        outputs += [
            answer(*words, environ={**environ, "AEGIS_PT_CHANNEL_TIMEOUT_SEC": "1"})
            for words in (
                ["test-notify"],
                ["test-notify", "--dry-run"],
                ["doctor"],
                ["settings"],
                ["settings", "--json"],
            )
        ]
        outputs.append(night.ack("15:21", PENDING))
    assert_no_leak(*(f"{one.out.decode()}{one.err}" for one in outputs))
    assert_no_leak(caplog.text)
    assert_no_leak(*(path.read_text() for path in night.folder.iterdir() if path.suffix == ".json"))


def test_no_name_of_a_sender_stands_in_a_refusal():
    ran = answer(
        "settings", environ={"AEGIS_PT_ACK_FROM": "canary-ann=email:x", "AEGIS_PT_TELEGRAM_TOKEN": "canary"}
    )
    assert ran.code == 2
    assert_no_leak(ran.err)
