"""GET on real sockets: what is read, what is tried again, what never leaves, and when it ends."""

from __future__ import annotations

import gzip
import time
import tracemalloc
import zlib
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_address

import pytest

from detector.clients.connection import Deadline, NetworkPolicy, is_forbidden_address
from detector.clients.http_client import HttpClient, Page, parse_origin, send_request
from detector.clients.httpx_transport import MAX_BYTES
from detector.clients.json_client import JsonClient
from detector.formats import errors
from detector.formats.errors import ExternalError
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
    tunnel,
)

NOW = datetime(2026, 6, 2, 15, 0, tzinfo=UTC)
OK = says({"a": 1})
LIMIT = 0.8


def web(seconds: float = 20, **more) -> HttpClient:
    reach = {
        name: more.pop(name) for name in ("ca_file", "proxies", "is_forbidden", "resolve") if name in more
    }
    return HttpClient(NetworkPolicy(Deadline(seconds), **reach), lambda: NOW, **more)


def failing(url: str, seconds: float = 20, **more) -> ExternalError:
    """The error of a page that cannot be read, within its deadline."""
    began = time.monotonic()
    with pytest.raises(ExternalError) as caught:
        web(seconds, **more).get(url)
    assert time.monotonic() - began < PATIENCE_SEC
    return caught.value


def header(request: bytes, name: str) -> str | None:
    lines = request.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")[1:]
    return next(
        (line.partition(":")[2].strip() for line in lines if line.lower().startswith(name + ":")), None
    )


# --- what is read -------------------------------------------------------------------------------------


def test_a_page_is_read_whole():
    with serving(OK) as server:
        page = web().get(f"{server.url}/status?format=json")
    assert (page.status, page.body) == (200, b'{"a": 1}')
    assert page.headers["content-type"] == "application/json"
    assert server.requests[0].startswith(b"GET /status?format=json HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        ("gzip", gzip.compress(b'{"a": 1}')),
        ("gzip", gzip.compress(b'{"a"') + gzip.compress(b": 1}")),
        ("deflate", zlib.compress(b'{"a": 1}')),
        ("identity", b'{"a": 1}'),
        ("", b'{"a": 1}'),
    ],
)
def test_a_compressed_body_is_unpacked(encoding, packed):
    with serving(says(packed, headers={"content-encoding": encoding})) as server:
        assert web().get(server.url).body == b'{"a": 1}'


def test_a_body_as_large_as_it_may_be_is_read():
    body = b" " * MAX_BYTES
    with serving(says(body)) as server:
        assert len(web(10).get(server.url).body) == MAX_BYTES


def test_a_chunked_body_and_one_without_length_are_read():
    chunked = b'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\n{"a"\r\n4\r\n: 1}\r\n0\r\n\r\n'
    for data in (chunked, b'HTTP/1.0 200 OK\r\n\r\n{"a": 1}'):
        with serving(sends(data)) as server:
            assert web().get(server.url).body == b'{"a": 1}'


def test_a_page_that_is_kept_is_read_whatever_its_status():
    with serving(says({"a": 1}, 503)) as server:
        assert web().get(server.url, lambda page: page.status == 503).status == 503
    assert len(server.requests) == 1


def test_a_unix_socket_is_read(tmp_path):
    with serving(OK, path=str(tmp_path / "docker.sock")) as server:
        page = web().get("http://docker/containers/json", socket_path=str(tmp_path / "docker.sock"))
    assert page.body == b'{"a": 1}'
    assert server.requests[0].startswith(b"GET /containers/json HTTP/1.1\r\n")


# --- what fails ---------------------------------------------------------------------------------------


def test_a_port_on_which_nothing_listens_is_refused():
    error = failing(f"http://127.0.0.1:{closed_port()}/", 3)
    assert error.reason == errors.REFUSED


def test_a_name_that_nobody_knows():
    assert failing("http://nowhere.invalid/", 4).reason in (errors.DNS, errors.TIMEOUT)
    assert failing("http://a..b/").reason in (errors.DNS, errors.UNREADABLE)


def test_a_connection_that_is_never_accepted():
    with never_accepting() as url:
        error = failing(url, LIMIT)
    assert error.reason == errors.TIMEOUT
    assert "connecting to 127.0.0.1" in str(error)


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        pytest.param(hangs(), errors.TIMEOUT, id="nothing comes"),
        pytest.param(hangs(b"HTTP/1.1 200 OK\r\ncontent-"), errors.TIMEOUT, id="half a header"),
        pytest.param(
            hangs(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"), errors.TIMEOUT, id="half a body"
        ),
        pytest.param(drips(reply(200, b" " * 200), at_once=0), errors.TIMEOUT, id="headers drip"),
        pytest.param(drips(reply(200, b" " * 200), at_once=80), errors.TIMEOUT, id="the body drips"),
        pytest.param(resets(reply(200, b"{", length=99)), errors.RESET, id="a reset in the body"),
        pytest.param(sends(reply(200, b"{", length=99)), errors.RESET, id="an end in the body"),
        pytest.param(resets(b""), errors.RESET, id="a reset in the place of an answer"),
        pytest.param(sends(b""), errors.RESET, id="an end in the place of an answer"),
        pytest.param(sends(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), errors.UNREADABLE, id="another protocol"),
        pytest.param(
            sends(b"HTTP/1.1 200 OK\r\nx: " + b"a" * 200_000), errors.UNREADABLE, id="a huge header"
        ),
        pytest.param(
            says(b"x", headers={"content-encoding": "br"}), errors.ENCODING, id="an encoding not asked for"
        ),
        pytest.param(says(b"x", headers={"content-encoding": "gzip"}), errors.ENCODING, id="no gzip"),
        pytest.param(
            says(gzip.compress(b"a" * 99)[:-12], headers={"content-encoding": "gzip"}),
            errors.ENCODING,
            id="cut gzip",
        ),
        *(
            pytest.param(
                says(gzip.compress(b"{}") + more, headers={"content-encoding": "gzip"}),
                errors.ENCODING,
                id=f"more behind gzip: {name}",
            )
            for name, more in (("text", b"<html>"), ("a cut one", gzip.compress(b"{}")[:-4]))
        ),
        pytest.param(says(b"", 401), errors.CREDENTIALS, id="401"),
        pytest.param(says(b"", 403), errors.DENIED, id="403"),
        pytest.param(says(b"", 404), errors.MISSING, id="404"),
        pytest.param(says(b"", 418), errors.HTTP_STATUS, id="418"),
        pytest.param(says(b"", 302), errors.REDIRECTED, id="a redirect to nowhere"),
    ],
)
def test_what_cannot_be_read_fails_within_its_deadline_and_is_not_tried_again(behaviour, reason):
    with serving(behaviour) as server:
        error = failing(server.url, LIMIT if reason == errors.TIMEOUT else 20)
    assert error.reason == reason
    assert len(server.requests) == (1 if reason != errors.REDIRECTED else 4)


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "chunked"])
def test_a_gigabyte_is_given_up_after_a_few(announced):
    with serving(floods(1024, announced)) as server:
        assert failing(server.url, 5).reason == errors.TOO_LARGE
    assert server.sent < 32 * 1024 * 1024


def test_a_length_that_is_too_large_is_believed_before_anything_is_read():
    with serving(hangs(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999999\r\n\r\n")) as server:
        assert failing(server.url).reason == errors.TOO_LARGE


def test_a_bomb_is_noticed_while_it_is_small():
    packed = bomb(100)
    assert len(packed) < 500_000
    with serving(says(packed, headers={"content-encoding": "gzip"})) as server:
        tracemalloc.start()
        assert failing(server.url, 5).reason == errors.TOO_LARGE
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 6 * MAX_BYTES


# --- TLS ----------------------------------------------------------------------------------------------


def test_a_certificate_of_an_authority_of_ones_own_is_verified():
    with serving(OK, certificate="good") as server:
        assert web(3, ca_file=str(AUTHORITY)).get(server.url).body == b'{"a": 1}'


@pytest.mark.parametrize(
    ("certificate", "ca_file", "words"),
    [
        pytest.param("good", "", "unable to get local issuer", id="of an authority that nobody knows"),
        pytest.param("self-signed", str(AUTHORITY), "self", id="signed by itself"),
        pytest.param("expired", str(AUTHORITY), "expired", id="expired"),
        pytest.param("elsewhere", str(AUTHORITY), "IP address mismatch", id="of another name"),
    ],
)
def test_a_certificate_that_is_not_good_ends_it_before_anything_is_sent(certificate, ca_file, words):
    with serving(OK, certificate=certificate) as server:
        error = failing(server.url, ca_file=ca_file)
    assert error.reason == errors.TLS
    assert words in str(error)
    assert not any(server.requests)


def test_a_server_without_tls_fails_the_handshake():
    with serving(OK) as server:
        assert failing(server.url.replace("http:", "https:")).reason in (errors.TLS, errors.RESET)


def test_a_file_of_authorities_that_is_none_is_told():
    assert "AEGIS_PT_CA_FILE" in str(failing("https://127.0.0.1:1/", ca_file=__file__))


# --- trying again -------------------------------------------------------------------------------------


def test_500_and_then_200_is_a_clean_read():
    with serving(says(b"", 500), OK) as server:
        assert web(3).get(server.url).status == 200
    assert len(server.requests) == 2


def test_500_for_ever_is_tried_three_times():
    with serving(says(b"", 500)) as server:
        assert failing(server.url, 3).reason == errors.HTTP_STATUS
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("asked", "waits"),
    [
        pytest.param("1", 1.0, id="1"),
        pytest.param(format_datetime(NOW + timedelta(seconds=1), usegmt=True), 1.0, id="a date"),
        pytest.param(format_datetime(NOW - timedelta(days=1), usegmt=True), 0.0, id="a date that is past"),
        pytest.param("soon", 0.2, id="garbage"),
        pytest.param("-1", 0.2, id="negative"),
        pytest.param("٣", 0.2, id="other digits"),
        pytest.param("", 0.2, id="nothing"),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_it_waits_as_long_as_it_is_asked_to(status, asked, waits):
    paused: list[float] = []
    with serving(says(b"", status, {"retry-after": asked}), OK) as server:
        assert web(3, pause=paused.append).get(server.url).status == 200
    assert paused == [pytest.approx(waits)]


@pytest.mark.parametrize(
    "asked", ["3600", "999999999999999999999", format_datetime(NOW + timedelta(days=1), usegmt=True)]
)
def test_it_does_not_wait_beyond_its_deadline(asked):
    paused: list[float] = []
    with serving(says(b"", 429, {"retry-after": asked}), OK) as server:
        assert failing(server.url, 3, pause=paused.append).reason == errors.THROTTLED
    assert paused == []
    assert len(server.requests) == 1


def test_a_refused_connection_is_tried_again():
    port = closed_port()
    tries: list[float] = []
    assert failing(f"http://127.0.0.1:{port}/", 3, pause=tries.append).reason == errors.REFUSED
    assert tries == [0.2, 0.8]


# --- redirects and credentials ------------------------------------------------------------------------


def test_a_redirect_on_the_same_origin_is_followed_with_its_credentials():
    with serving(redirects("/login/../status"), OK) as server:
        page = web(credentials={parse_origin(server.url): "Bearer sesame"}).get(f"{server.url}/")
    assert page.status == 200
    assert [header(one, "authorization") for one in server.requests] == ["Bearer sesame"] * 2


def test_another_origin_is_asked_nothing_at_all():
    with serving(OK) as other, serving(redirects(other.url)) as server:
        error = failing(server.url, credentials={parse_origin(server.url): "Bearer sesame"})
    assert error.reason == errors.REDIRECTED
    assert f"127.0.0.1:{other.address[1]}" in str(error)
    assert other.requests == []


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest/meta-data/",
        "http://localhost:1/",
        "https://127.0.0.1/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:70/",
        "http://user:secret@127.0.0.1:1/",
        "//elsewhere.example/",
        "http://[::1",
        "http://127.0.0.1:99999/",
    ],
)
def test_a_redirect_away_from_the_origin_is_not_followed(target):
    with serving(redirects(target)) as server:
        error = failing(server.url)
    assert error.reason == errors.REDIRECTED
    assert "secret" not in str(error)
    assert len(server.requests) == 1


def test_credentials_are_sent_to_their_origin_alone():
    with serving(OK) as home, serving(OK) as other:
        reader = web(credentials={parse_origin(home.url): "Basic dTpw"})
        reader.get(home.url)
        reader.get(other.url)
    assert header(home.requests[0], "authorization") == "Basic dTpw"
    assert header(other.requests[0], "authorization") is None


# --- the fence ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "169.254.169.254", "169.254.170.2", "169.254.0.1", "fe80::1", "fd00:ec2::254", "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "100.100.100.200", "168.63.129.16", "192.0.0.192",
    ],
)  # fmt: skip
def test_an_address_that_is_never_read(text):
    assert is_forbidden_address(ip_address(text))


@pytest.mark.parametrize(
    "text", ["127.0.0.1", "::1", "10.0.0.7", "100.101.102.103", "192.168.1.2", "8.8.8.8"]
)
def test_an_address_that_may_be_read(text):
    assert not is_forbidden_address(ip_address(text))


@pytest.mark.parametrize(
    "host", ["169.254.169.254", "[::ffff:169.254.169.254]", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376"]
)
def test_the_metadata_address_is_refused_however_it_is_written(host):
    assert failing(f"http://{host}/latest/meta-data/").reason in (errors.FORBIDDEN, errors.UNREADABLE)


def test_the_address_counts_to_which_the_socket_is_connected():
    """A name may lead elsewhere when it is looked up again: what is asked is the socket itself."""
    asked: list[str] = []

    def refuses(address) -> bool:
        asked.append(str(address))
        return len(asked) > 1

    with serving(OK) as server:
        error = failing(server.url, is_forbidden=refuses)
    assert error.reason == errors.FORBIDDEN
    assert asked == ["127.0.0.1", "127.0.0.1"]
    assert not any(server.requests)


def test_the_next_address_of_a_name_is_tried():
    def resolve(host, port, **_):
        return [(2, 1, 6, "", ("127.0.0.1", closed_port())), (2, 1, 6, "", server.address)]

    with serving(OK) as server:
        assert web(resolve=resolve).get(f"http://two-addresses:{server.address[1]}/").status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "CONNECT", "TRACE"])
def test_nothing_but_get_leaves(method):
    import httpx

    with serving(OK) as server, pytest.raises(ExternalError) as caught:
        send_request(NetworkPolicy(Deadline(1)), httpx.Request(method, server.url))
    assert caught.value.reason == errors.FORBIDDEN
    assert server.requests == []


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/", "http://", "http://[", "x"])
def test_an_address_of_another_kind_is_not_read(url):
    assert failing(url).reason in (errors.UNREADABLE, errors.DNS)


# --- proxies ------------------------------------------------------------------------------------------


def test_https_passes_through_the_proxy_of_the_environment_and_stays_closed_to_it():
    with serving(OK, certificate="good") as server, serving(tunnel) as proxy:
        reader = web(
            3,
            ca_file=str(AUTHORITY),
            proxies={"HTTPS_PROXY": proxy.url.replace("://", "://u:p@")},
            credentials={parse_origin(server.url): "Bearer sesame"},
        )
        assert reader.get(server.url).status == 200
    assert proxy.requests[0].startswith(b"CONNECT 127.0.0.1:")
    assert header(proxy.requests[0], "proxy-authorization") == "Basic dTpw"
    assert b"sesame" not in proxy.requests[0]
    assert header(server.requests[0], "authorization") == "Bearer sesame"
    assert header(server.requests[0], "proxy-authorization") is None


@pytest.mark.parametrize(
    "no_proxy", ["127.0.0.1", "*", "example.com, 127.0.0.1", "10.0.0.0/8,127.0.0.0/8", "127.0.0.1:{}"]
)
def test_what_no_proxy_names_is_read_directly(no_proxy):
    with serving(OK, certificate="good") as server, serving(tunnel) as proxy:
        names = no_proxy.format(server.address[1])
        web(3, ca_file=str(AUTHORITY), proxies={"https_proxy": proxy.url, "no_proxy": names}).get(server.url)
    assert proxy.requests == []


def test_plain_text_never_passes_through_a_proxy():
    with serving(OK) as server, serving(tunnel) as proxy:
        web(proxies={"all_proxy": proxy.url, "https_proxy": proxy.url}).get(server.url)
    assert proxy.requests == []


@pytest.mark.parametrize(
    "proxy", ["socks5://127.0.0.1:1", "https://127.0.0.1:1", "http://[", f"http://127.0.0.1:{closed_port()}"]
)
def test_a_proxy_that_cannot_be_used_is_told(proxy):
    error = failing("https://127.0.0.1:1/", 3, proxies={"https_proxy": proxy})
    assert error.reason == errors.PROXY
    assert "proxy of the environment" in str(error)


def failing_post(url, **reach):
    client = JsonClient(NetworkPolicy(Deadline(1), **reach), lambda: NOW)
    with pytest.raises(ExternalError) as caught:
        client.send_post(url, b"{}")
    return caught.value


@pytest.mark.parametrize(
    "behaviour",
    [hangs(), sends(b""), sends(b"hello\r\n\r\n"), resets(b"")],
    ids=["it hangs", "it closes", "it is no proxy", "it resets"],
)
def test_a_proxy_that_leads_nowhere_is_the_proxys_fault_and_took_no_message(behaviour):
    with serving(behaviour) as proxy:
        error = failing_post("https://127.0.0.1:1/", proxies={"https_proxy": proxy.url})
    assert (error.reason, "may have been taken" in str(error)) == (errors.PROXY, False)


@pytest.mark.parametrize("behaviour", [hangs(), resets(b""), sends(b"")], ids=["hangs", "resets", "closes"])
def test_a_message_that_ended_in_the_handshake_was_not_taken(behaviour):
    with serving(behaviour) as server:
        error = failing_post(server.url.replace("http://", "https://"))
    assert error.reason in (errors.TIMEOUT, errors.RESET)
    assert "may have been taken" not in str(error)


def test_a_proxy_that_says_no_is_told():
    with serving(says(b"", 407)) as proxy:
        error = failing("https://127.0.0.1:1/", proxies={"https_proxy": proxy.url})
    assert error.reason == errors.PROXY
    assert "407" in str(error)


def test_a_page_is_frozen():
    with pytest.raises(AttributeError):
        Page(200, {}, b"").status = 201  # type: ignore[misc]


def test_a_part_that_nobody_asked_for_is_a_failure():
    with serving(says({"events": []}, status=206, headers={"content-range": "bytes 0-13/900"})) as server:
        error = failing(server.url)
    assert error.reason == errors.UNREADABLE
    assert "206" in str(error)
