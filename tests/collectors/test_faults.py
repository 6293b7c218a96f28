"""Every way in which a source can fail, on real sockets: it costs nothing but itself, within its deadline.

The dashboard misbehaves; the bot and a file of the broker answer beside it. What they say must be judged as
ever.
"""

from __future__ import annotations

import gzip
import json
import os
import time
from contextlib import contextmanager

import pytest

from detector.formats import errors
from tests.support.loopback import (
    AUTHORITY,
    PATIENCE_SEC,
    bomb,
    closed_port,
    drips,
    floods,
    hangs,
    never_accepting,
    redirects,
    reply,
    resets,
    says,
    sends,
    serving,
)
from tests.support.program import answer
from tests.support.snapshots import NOW

IMPATIENT = {"AEGIS_PT_SOURCE_TIMEOUT_SEC": "1"}  # for what does not end by itself
STATUS = {"heartbeat_at": "2026-06-02T14:59:30Z", "pending_orders": 0}
BOT = {"heartbeat_at": "2026-06-02T14:59:40Z", "pending_orders": 3, "open_position_count": 1}
LOGIN = b"<!DOCTYPE html><html><title>Log in</title></html>"
HTML = {"content-type": "text/html; charset=utf-8"}
OLD = {"age": "301"}


@contextmanager
def place(behaviour, certificate=None):
    if isinstance(behaviour, str):
        yield behaviour
    else:
        with serving(*behaviour, certificate=certificate) as server:
            yield server.url


@pytest.fixture
def broker_file(tmp_path):
    path = tmp_path / "broker.json"
    path.write_text(json.dumps({"as_of": "2026-06-02T14:59:50Z", "positions": []}))
    os.utime(path, (NOW.timestamp(), NOW.timestamp()))
    return path


def collected(url, broker_file, **more):
    """What `collect` makes of the dashboard at that address, and how long it took."""
    with serving(says(BOT)) as bot:
        environ = {
            "AEGIS_PT_STATUS_URL": url,
            "AEGIS_PT_BOT_STATUS_URL": bot.url,
            "AEGIS_PT_SECTIONS": f"broker={broker_file}",
            **more,
        }
        began = time.monotonic()
        ran = answer("collect", environ=environ)
        elapsed = time.monotonic() - began
        assert ran.code == 0, ran.err
        judged = answer("detect", "--offline", stdin=ran.out, environ=environ)
        assert judged.code == 0, judged.err
        return ran.document, elapsed, judged


DEEP = b"[" * 10_000 + b"]" * 10_000
FAULTS = [
    pytest.param([hangs()], errors.TIMEOUT, id="nothing comes"),
    pytest.param([hangs(b"HTTP/1.1 200 OK\r\n")], errors.TIMEOUT, id="the headers hang"),
    pytest.param([drips(reply(200, b" " * 99), every=0.2)], errors.TIMEOUT, id="a byte every 0.2 s"),
    pytest.param([resets(reply(200, b'{"a"', length=99))], errors.RESET, id="a reset in the body"),
    pytest.param([floods(1024, announced=True)], errors.TOO_LARGE, id="a body of 1 GB"),
    pytest.param([floods(1024, announced=False)], errors.TOO_LARGE, id="1 GB in chunks"),
    pytest.param([says(bomb(64), headers={"content-encoding": "gzip"})], errors.TOO_LARGE, id="a gzip bomb"),
    pytest.param([says(LOGIN, headers=HTML)], errors.HTML, id="a login page"),
    pytest.param([says(LOGIN)], errors.HTML, id="a login page that calls itself JSON"),
    pytest.param([says(b"")], errors.EMPTY, id="an empty body"),
    pytest.param([says(b" \r\n")], errors.EMPTY, id="a body of spaces"),
    pytest.param([says(json.dumps(STATUS).encode()[:-1])], errors.NOT_JSON, id="truncated JSON"),
    pytest.param([says(b"[]")], errors.UNREADABLE, id="a list"),
    pytest.param([says(b"null")], errors.UNREADABLE, id="null"),
    pytest.param([says(b'"ok"')], errors.UNREADABLE, id="text"),
    pytest.param([says({})], errors.NO_FACTS, id="an object of nothing"),
    pytest.param([says({"error": "upstream", "detail": "x"})], errors.NO_FACTS, id="an error that says 200"),
    pytest.param([says(b'{"pending_orders": NaN}')], errors.NOT_JSON, id="NaN"),
    pytest.param([says(b'{"pending_orders": 1e400}')], errors.NOT_JSON, id="a number beyond all"),
    pytest.param([says(b'{"pending_orders": 1, "pending_orders": 2}')], errors.NOT_JSON, id="a key twice"),
    pytest.param([says(DEEP)], errors.NOT_JSON, id="10,000 deep"),
    pytest.param([says('{"mode": "ä"}'.encode("latin-1"))], errors.NOT_JSON, id="latin-1"),
    pytest.param([says('{"mode": "a"}'.encode("utf-16"))], errors.NOT_JSON, id="UTF-16"),
    pytest.param([says(STATUS, 401)], errors.CREDENTIALS, id="401"),
    pytest.param([says(STATUS, 403)], errors.DENIED, id="403"),
    pytest.param([says(STATUS, 404)], errors.MISSING, id="404"),
    pytest.param([says(STATUS, 418)], errors.HTTP_STATUS, id="418"),
    pytest.param([says(LOGIN, 503, HTML)], errors.HTTP_STATUS, id="503 with a page"),
    pytest.param([says({"error": "no upstream"}, 503)], errors.HTTP_STATUS, id="503 of a proxy, in JSON"),
    pytest.param([says(STATUS, 500)], errors.HTTP_STATUS, id="500 for ever"),
    pytest.param([says(b"", 429, {"retry-after": "3600"})], errors.THROTTLED, id="429 for an hour"),
    pytest.param(
        [says(b"", 429, {"retry-after": "Wed, 03 Jun 2026 15:00:00 GMT"})],
        errors.THROTTLED,
        id="429 until tomorrow",
    ),
    pytest.param(
        [redirects("http://169.254.169.254/latest/")], errors.REDIRECTED, id="a redirect to metadata"
    ),
    pytest.param(
        [redirects("http://elsewhere.example/")], errors.REDIRECTED, id="a redirect to another host"
    ),
    pytest.param([redirects("/")], errors.REDIRECTED, id="a redirect in a circle"),
    pytest.param([sends(b"220 mail.example ESMTP\r\n\r\n")], errors.UNREADABLE, id="another protocol"),
    pytest.param(
        "http://169.254.169.254/latest/meta-data/", errors.FORBIDDEN, id="the metadata address itself"
    ),
    pytest.param("http://2852039166/", errors.FORBIDDEN, id="the metadata address as a number"),
]
CLEAN = [
    pytest.param([says(STATUS)], id="healthy"),
    pytest.param([says(STATUS, 503)], id="503 of a stale runner, with its facts"),
    pytest.param([says(b"", 500), says(STATUS)], id="500, then 200"),
    pytest.param([says(b"", 429, {"retry-after": "0"}), says(STATUS)], id="429, then 200"),
    pytest.param([says(b"", 429, {"retry-after": "soon"}), says(STATUS)], id="429 with garbage, then 200"),
    pytest.param([says(b"\xef\xbb\xbf" + json.dumps(STATUS).encode())], id="a byte-order mark"),
    pytest.param([says(STATUS, headers={"content-type": "text/plain"})], id="JSON that calls itself text"),
    pytest.param(
        [says(gzip.compress(json.dumps(STATUS).encode()), headers={"content-encoding": "gzip"})], id="gzip"
    ),
    pytest.param([says(STATUS, headers={"age": "300"})], id="kept as long as it may be"),
    pytest.param([says(STATUS, headers={"age": "never"})], id="an Age that is none"),
    pytest.param([says({**STATUS, "as_of": "2026-06-02T14:55:00Z"})], id="made as long ago as it may be"),
    pytest.param([says({**STATUS, "ts": "yesterday"})], id="a time of its own that cannot be read"),
    pytest.param([redirects("/status"), says(STATUS)], id="a redirect on the same host"),
    pytest.param([says(STATUS, after=0.4)], id="slow"),
]


@pytest.mark.parametrize(("behaviour", "reason"), FAULTS)
def test_a_fault_costs_nothing_but_its_source(behaviour, reason, broker_file):
    with place(behaviour) as url:
        more = IMPATIENT if reason == errors.TIMEOUT else {}
        document, elapsed, judged = collected(f"{url}", broker_file, **more)
    assert elapsed < PATIENCE_SEC
    assert document["sources"]["status_v3"]["state"] == "failed"
    assert document["sources"]["status_v3"]["reason"] == reason
    assert "status_v3" not in document
    others_are_intact(document, judged)
    assert "source_unavailable" in judged.types


@pytest.mark.parametrize(
    "behaviour",
    [
        pytest.param(says(STATUS, headers=OLD), id="kept too long by a cache"),
        pytest.param(says({**STATUS, "as_of": "2026-06-02T14:54:59Z"}), id="made too long ago"),
        pytest.param(says({**STATUS, "generated_at": NOW.timestamp() - 2400}), id="rendered 40 min ago"),
        pytest.param(
            says(STATUS, headers={"last-modified": "Tue, 02 Jun 2026 14:20:00 GMT"}), id="written 40 min ago"
        ),
    ],
)
def test_what_is_too_old_is_read_and_ignored_as_on_every_other_route(behaviour, broker_file):
    with place([behaviour]) as url:
        document, _, judged = collected(url, broker_file)
    assert document["sources"]["status_v3"]["state"] == "ok"
    assert "source_stale" in judged.types
    assert "source_unavailable" not in judged.types
    others_are_intact(document, judged)


@pytest.mark.parametrize(
    ("certificate", "words"),
    [("self-signed", "self"), ("expired", "expired"), ("elsewhere", "mismatch")],
)
def test_a_bad_certificate_costs_nothing_but_its_source(certificate, words, broker_file):
    with place([says(STATUS)], certificate) as url:
        document, _, judged = collected(url, broker_file, AEGIS_PT_CA_FILE=str(AUTHORITY))
    entry = document["sources"]["status_v3"]
    assert (entry["reason"], words in entry["detail"]) == (errors.TLS, True)
    others_are_intact(document, judged)


def test_a_port_on_which_nothing_listens_costs_nothing_but_its_source(broker_file):
    document, elapsed, judged = collected(f"http://127.0.0.1:{closed_port()}", broker_file)
    assert document["sources"]["status_v3"]["reason"] == errors.REFUSED
    assert elapsed < PATIENCE_SEC
    others_are_intact(document, judged)


def test_a_name_that_nobody_knows_costs_nothing_but_its_source(broker_file):
    document, elapsed, judged = collected("http://nowhere.invalid/", broker_file, **IMPATIENT)
    assert document["sources"]["status_v3"]["reason"] in (errors.DNS, errors.TIMEOUT)
    assert elapsed < PATIENCE_SEC
    others_are_intact(document, judged)


def test_a_connection_that_is_never_accepted_costs_nothing_but_its_source(broker_file):
    with never_accepting() as url:
        document, elapsed, judged = collected(url, broker_file, **IMPATIENT)
    assert document["sources"]["status_v3"]["reason"] == errors.TIMEOUT
    assert elapsed < PATIENCE_SEC
    others_are_intact(document, judged)


@pytest.mark.parametrize("behaviour", CLEAN)
def test_a_slow_but_whole_answer_is_read(behaviour, broker_file):
    with place(behaviour) as url:
        document, _, judged = collected(url, broker_file)
    assert document["sources"]["status_v3"]["state"] == "ok"
    assert document["status_v3"]["heartbeat_at"] == STATUS["heartbeat_at"]
    others_are_intact(document, judged)
    assert "source_unavailable" not in judged.types


def others_are_intact(document, judged):
    """The bot and the broker were read and are judged, whatever became of the dashboard."""
    assert document["bot_status"] == BOT
    assert document["broker"]["positions"] == []
    assert {name: document["sources"][name]["state"] for name in ("bot_status", "broker")} == {
        "bot_status": "ok",
        "broker": "ok",
    }
    assert "pending_orders_high" in judged.types
