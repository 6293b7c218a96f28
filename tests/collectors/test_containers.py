"""The standby host's Docker Engine over TCP and over a unix socket.

One GET, and nothing that may hold a secret.
"""

from __future__ import annotations

import pytest

from detector.formats import errors
from tests.support.loopback import AUTHORITY, closed_port, says, serving
from tests.support.program import answer

LIST: list[dict[str, object]] = [
    {
        "Id": "8dfafdbc3a40",
        "Names": ["/aegis-lt-ibkr-trader"],
        "Image": "aegis:1",
        "Command": "run --password hunter2hunter2",
        "Created": 1780000000,
        "State": "exited",
        "Status": "Exited (0) 2 days ago",
        "Labels": {"com.example.dsn": "postgres://u:p@h/d"},
        "Mounts": [{"Source": "/secrets"}],
    },
    {"Id": "9cd87474be90", "Names": ["/aegis-lt-ibkr-gateway"], "State": "exited"},
]


def collected(url, **more):
    ran = answer("collect", environ={"AEGIS_PT_STANDBY_DOCKER_URL": url, **more})
    assert ran.code == 0, ran.err
    return ran.document


def entry(url):
    return collected(url)["sources"]["containers"]


@pytest.fixture
def engine():
    with serving(says(LIST)) as server:
        yield server


def test_a_tcp_address_is_read(engine):
    section = collected(engine.url.replace("http:", "tcp:"))["containers"]
    assert [(one["Names"], one["State"]) for one in section] == [
        (["/aegis-lt-ibkr-trader"], "exited"),
        (["/aegis-lt-ibkr-gateway"], "exited"),
    ]


def test_a_unix_socket_is_read(tmp_path):
    path = str(tmp_path / "docker.sock")
    with serving(says(LIST), path=path) as server:
        document = collected(f"unix://{path}")
    assert len(document["containers"]) == 2
    assert server.requests[0].startswith(b"GET /containers/json?all=1 HTTP/1.1\r\n")


def test_one_get_and_nothing_else_is_asked(engine):
    collected(engine.url + "/docker/")
    assert [one.split(b"\r\n")[0] for one in engine.requests] == [
        b"GET /docker/containers/json?all=1 HTTP/1.1"
    ]


def test_a_proxy_with_tls_is_read():
    with serving(says(LIST), certificate="good") as server:
        assert len(collected(server.url, AEGIS_PT_CA_FILE=str(AUTHORITY))["containers"]) == 2


def test_what_may_hold_a_secret_is_not_collected(engine):
    first = collected(engine.url)["containers"][0]
    assert set(first) == {"Id", "Names", "Image", "State", "Status", "Created"}


def test_a_standby_that_runs_is_an_event():
    with serving(says([{**LIST[0], "State": "running"}, LIST[1]])) as server:
        assert answer("detect", environ={"AEGIS_PT_STANDBY_DOCKER_URL": server.url}).types == [
            "standby_running"
        ]


def test_an_empty_list_was_read_and_says_that_there_is_nothing():
    with serving(says([])) as server:
        assert collected(server.url)["containers"] == []


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        pytest.param(says({"message": "page not found"}, 404), errors.MISSING, id="a path that is not there"),
        pytest.param(says({"message": "no"}, 403), errors.DENIED, id="a proxy that says no"),
        pytest.param(says({"message": "no"}), errors.UNREADABLE, id="an object"),
        pytest.param(says(["x"]), errors.UNREADABLE, id="a list of texts"),
    ],
)
def test_what_is_no_list_of_containers_is_a_failed_source(behaviour, reason):
    with serving(behaviour) as server:
        document = collected(server.url)
    assert document["sources"]["containers"]["reason"] == reason
    assert "containers" not in document


def test_a_socket_that_is_not_there_and_one_that_nobody_serves(tmp_path):
    assert entry(f"unix://{tmp_path}/none.sock")["reason"] == errors.UNREADABLE
    assert entry(f"tcp://127.0.0.1:{closed_port()}")["reason"] == errors.REFUSED
