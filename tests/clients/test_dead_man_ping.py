"""The dead-man's switch: where it is told what, and that nothing it does is worse than a line on stderr."""

from __future__ import annotations

import pytest

from detector.clients.connection import Deadline, NetworkPolicy
from detector.clients.http_client import send_ping
from detector.formats.errors import ExternalError
from tests.support.loopback import closed_port, hangs, redirects, says, serving


def reach(seconds: float = 5) -> NetworkPolicy:
    return NetworkPolicy(Deadline(seconds))


PLACES = {
    "well": ("/u-u-i-d", True, b"POST /u-u-i-d HTTP/1.1"),
    "not well": ("/u-u-i-d", False, b"POST /u-u-i-d/fail HTTP/1.1"),
    "with a slash at its end": ("/u-u-i-d/", False, b"POST /u-u-i-d/fail HTTP/1.1"),
    "with a query": ("/key/slug?create=1", False, b"POST /key/slug/fail?create=1 HTTP/1.1"),
}


@pytest.mark.parametrize(("path", "well", "line"), PLACES.values(), ids=PLACES.keys())
def test_where_it_is_told(path, well, line):
    with serving(says(b"OK")) as switch:
        send_ping(reach(), switch.url + path, well, "observe: 0 events – fine")
    assert switch.requests[0].startswith(line)
    assert switch.requests[0].endswith("observe: 0 events – fine".encode())


@pytest.mark.parametrize("status", [302, 400, 404, 500])
def test_anything_but_a_yes_is_an_error(status):
    with serving(says(b"no", status)) as switch, pytest.raises(ExternalError, match=str(status)):
        send_ping(reach(), f"{switch.url}/u", True, "")


@pytest.mark.parametrize("answer", [b"OK (not found)", b"OK (rate limited)\n"])
def test_a_ping_that_was_ignored_is_an_error_although_it_was_answered(answer):
    with serving(says(answer)) as switch, pytest.raises(ExternalError, match=r"OK \(.*\)"):
        send_ping(reach(), f"{switch.url}/u", True, "")


def test_it_follows_to_no_other_place():
    with serving(says(b"OK")) as other, serving(redirects(other.url)) as switch:
        with pytest.raises(ExternalError):
            send_ping(reach(), f"{switch.url}/u", True, "")
        assert other.requests == []


def test_a_switch_that_is_gone_is_an_error():
    with pytest.raises(ExternalError):
        send_ping(reach(), f"http://127.0.0.1:{closed_port()}/u", True, "")


def test_a_switch_that_hangs_ends_at_the_deadline():
    with serving(hangs()) as switch, pytest.raises(ExternalError, match=r"within 0\.2 s"):
        send_ping(reach(0.2), f"{switch.url}/u", True, "")
