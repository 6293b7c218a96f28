"""GitHub's API on real sockets: what is asked, what its answers mean, and where the token goes."""

from __future__ import annotations

import json

import pytest

from detector.clients.connection import Deadline, NetworkPolicy
from detector.clients.github_api import GitHub
from detector.formats import errors
from detector.formats.errors import ExternalError
from tests.support.github_contract import check_request, description, example
from tests.support.loopback import AUTHORITY, closed_port, hangs, redirects, says, sends, serving
from tests.support.snapshots import NOW

TOKEN = "github_pat_11AAAAAAA0123456789_sesame"
ARTIFACT = "/actions/artifacts/7/zip"
RUNS = "/actions/workflows/notify.yml/runs"


def github(
    url: str, seconds: float = 3, token: str = TOKEN, pauses: list[float] | None = None, **reach
) -> GitHub:
    paused = [] if pauses is None else pauses
    return GitHub(
        "owner/name", NetworkPolicy(Deadline(seconds), **reach), lambda: NOW, token, url, pause=paused.append
    )


def refusal(behaviour, call=lambda client: client.get("")) -> ExternalError:
    with serving(behaviour) as server, pytest.raises(ExternalError) as caught:
        call(github(server.url))
    assert "sesame" not in str(caught.value)
    return caught.value


def head(request: bytes) -> tuple[str, dict[str, str]]:
    first, *lines = request.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    return first, {name.lower(): text.strip() for name, _, text in (line.partition(":") for line in lines)}


# ---- what is asked -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "method", "path"),
    [
        (lambda one: one.get("", {}), "get", "/repos/{owner}/{repo}"),
        (lambda one: one.get("/actions/workflows/notify.yml"), "get", "/repos/{owner}/{repo}/actions/workflows/{workflow_id}"),
        (lambda one: list(one.list_pages(RUNS, "workflow_runs", {"created": ">=2026-06-01T17:45:00Z"})), "get", "/repos/{owner}/{repo}/actions/workflows/{workflow_id}/runs"),
        (lambda one: list(one.list_pages("/actions/artifacts", "artifacts", {"name": "x"})), "get", "/repos/{owner}/{repo}/actions/artifacts"),
        (lambda one: one.dispatch("aws_ibkr_pt_health", {"source": "x"}), "post", "/repos/{owner}/{repo}/dispatches"),
    ],
    ids=["the repository", "a workflow", "its runs", "artifacts", "a dispatch"],
)  # fmt: skip
def test_every_request_is_one_that_github_describes_and_every_example_of_its_answer_is_read(
    call, method, path
):
    operation = description()["paths"][path][method]
    answer = says(example(path)) if "200" in operation["responses"] else says(b"", 204)
    with serving(answer) as server:
        call(github(server.url))
    for request in server.requests:
        first, headers = head(request)
        words = first.split(" ")
        assert check_request(words[0], words[1], headers, request.partition(b"\r\n\r\n")[2]) == path
        assert headers["authorization"] == f"Bearer {TOKEN}"


def test_what_is_asked_for_is_encoded_and_a_path_keeps_its_prefix():
    with serving(says({})) as server:
        github(f"{server.url}/api/v3/").get(
            "/x", {"created": "2026-06-01T00:00:00+09:00..2026-06-02", "page": 2}
        )
    assert head(server.requests[0])[0] == (
        "GET /api/v3/repos/owner/name/x?created=2026-06-01T00%3A00%3A00%2B09%3A00..2026-06-02&page=2 HTTP/1.1"
    )


def test_without_a_token_none_is_sent():
    with serving(says({})) as server:
        github(server.url, token="").get("")
    assert "authorization" not in head(server.requests[0])[1]


# ---- lists -------------------------------------------------------------------------------------------------


def page(total: int, count: int):
    return says({"total_count": total, "workflow_runs": [{}] * count})


@pytest.mark.parametrize(
    ("pages", "read"),
    [
        pytest.param([page(0, 0)], [0], id="nothing"),
        pytest.param([page(100, 100)], [100], id="one full page"),
        pytest.param([page(101, 100), page(101, 1)], [100, 1], id="one more"),
        pytest.param([page(250, 100), page(250, 100), page(250, 50)], [100, 100, 50], id="three"),
        pytest.param([page(250, 100), page(250, 0)], [100, 0], id="it ends early: its reader sees the total"),
    ],
)
def test_a_list_is_read_to_its_end(pages, read):
    with serving(*pages) as server:
        found = list(github(server.url).list_pages(RUNS, "workflow_runs"))
    assert [len(items) for _, items in found] == read
    assert [head(one)[0].split("?")[1] for one in server.requests] == [
        f"per_page=100&page={number} HTTP/1.1" for number in range(1, len(read) + 1)
    ]


@pytest.mark.parametrize("answer", [{}, {"total_count": 1}, {"total_count": "1", "workflow_runs": []}, {"total_count": 1, "workflow_runs": {}}])  # fmt: skip
def test_an_answer_without_a_list_is_no_empty_list(answer):
    error = refusal(says(answer), lambda one: list(one.list_pages(RUNS, "workflow_runs")))
    assert error.reason == errors.UNREADABLE


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"a": 1', b'{"a": 1, "a": 2}'])
def test_an_answer_that_is_no_object_is_refused(body):
    assert refusal(says(body)).reason == errors.NOT_JSON


# ---- refusals ----------------------------------------------------------------------------------------------

LIMIT = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1780412400"}


@pytest.mark.parametrize(
    ("status", "body", "headers", "reason", "said"),
    [
        (401, {"message": "Bad credentials"}, {}, errors.CREDENTIALS, "it answered 401: Bad credentials"),
        (403, {"message": "Resource not accessible"}, {}, errors.DENIED, "it answered 403: Resource not accessible"),
        (403, {"message": "API rate limit exceeded"}, LIMIT, errors.THROTTLED, "its rate limit is used up until 15:00:00 UTC"),
        (403, {"message": "x"}, {**LIMIT, "x-ratelimit-reset": "soon"}, errors.THROTTLED, "its rate limit is used up"),
        (403, {"message": "You have exceeded a secondary rate limit"}, {}, errors.THROTTLED, "its secondary rate limit was reached"),
        (404, {"message": "Not Found"}, {}, errors.MISSING, "it answered 404"),
        (410, {}, {}, errors.MISSING, "it answered 410"),
        (422, {"message": "Invalid request.\n\nNo."}, {}, errors.UNREADABLE, "it answered 422: Invalid request. No."),
        (422, b"nothing", {}, errors.UNREADABLE, "it answered 422: not processable"),
        (401, {"message": 7}, {}, errors.CREDENTIALS, "it answered 401"),
    ],
)  # fmt: skip
def test_a_refusal_says_what_github_says(status, body, headers, reason, said):
    error = refusal(says(body, status, headers))
    assert (error.reason, str(error), error.permanent) == (reason, said, True)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_may_pass_is_tried_again(status):
    with serving(says(b"", status), says({"a": 1})) as server:
        assert github(server.url).get("") == {"a": 1}
    assert len(server.requests) == 2


def test_it_ends_at_its_deadline():
    with serving(hangs()) as server, pytest.raises(ExternalError) as caught:
        github(server.url, seconds=0.4).get("")
    assert caught.value.reason == errors.TIMEOUT


# ---- downloads ---------------------------------------------------------------------------------------------


def test_a_download_follows_its_redirect_without_the_token():
    with serving(says(b"PK zip")) as store, serving(redirects(f"{store.url}/blob?sig=x")) as server:
        assert github(server.url).fetch_file(ARTIFACT) == b"PK zip"
    assert head(server.requests[0])[1]["authorization"] == f"Bearer {TOKEN}"
    first, headers = head(store.requests[0])
    assert first == "GET /blob?sig=x HTTP/1.1"
    assert not {"authorization", "x-github-api-version"} & headers.keys()
    assert b"sesame" not in store.requests[0]


def test_a_download_never_leaves_tls():
    with serving(says(b"PK zip")) as plain, serving(redirects(f"{plain.url}/blob"), certificate="good") as server, pytest.raises(ExternalError) as caught:  # fmt: skip
        github(server.url, ca_file=str(AUTHORITY)).fetch_file(ARTIFACT)
    assert caught.value.reason == errors.REDIRECTED
    assert plain.requests == []


@pytest.mark.parametrize("target", ["", "http://", "file:///etc/passwd", "http://[::1"])
def test_a_redirect_to_nowhere_is_refused(target):
    assert refusal(redirects(target), lambda one: one.fetch_file(ARTIFACT)).reason == errors.REDIRECTED


def test_an_artifact_that_is_gone_says_so():
    assert refusal(says({}, 410), lambda one: one.fetch_file(ARTIFACT)).reason == errors.MISSING


# ---- the one thing that is sent ----------------------------------------------------------------------------


def sent(*behaviours, pauses: list[float] | None = None) -> tuple[list[bytes], ExternalError | None]:
    with serving(*behaviours) as server:
        try:
            github(server.url, pauses=pauses).dispatch("aws_ibkr_pt_health", {"source": "x"})
        except ExternalError as error:
            return server.requests, error
    return server.requests, None


def test_a_dispatch_that_was_taken():
    requests, error = sent(says(b"", 204))
    assert error is None
    assert json.loads(requests[0].partition(b"\r\n\r\n")[2]) == {
        "event_type": "aws_ibkr_pt_health", "client_payload": {"source": "x"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("behaviour", "attempts"),
    [
        pytest.param(says(b"", 500), 3, id="500"),
        pytest.param(says(b"", 503, {"retry-after": "0"}), 3, id="503"),
        pytest.param(sends(b""), 3, id="the connection ends"),
        pytest.param(sends(b"SSH-2.0-x\r\n\r\n"), 1, id="no HTTP"),
        pytest.param(says({}, 401), 1, id="401"),
        pytest.param(says({}, 403), 1, id="403"),
        pytest.param(says({}, 403, LIMIT), 1, id="a rate limit"),
        pytest.param(says({}, 404), 1, id="404"),
        pytest.param(says({}, 422), 1, id="422"),
        pytest.param(says({}, 429, {"retry-after": "0"}), 1, id="429"),
        pytest.param(says({}, 200), 1, id="200 is no 204"),
        pytest.param(redirects("http://127.0.0.1:1/"), 1, id="a redirect"),
    ],
)
def test_a_dispatch_is_tried_again_after_network_errors_and_5xx_only(behaviour, attempts):
    requests, error = sent(behaviour)
    assert error is not None
    assert len(requests) == attempts


def test_a_dispatch_to_nobody_is_tried_three_times():
    pauses: list[float] = []
    with pytest.raises(ExternalError) as caught:
        github(f"http://127.0.0.1:{closed_port()}", pauses=pauses).dispatch("x", {})
    assert (caught.value.reason, pauses) == (errors.REFUSED, [0.2, 0.8])


# ---- what GitHub says --------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", [TOKEN, "gh-of-an-enterprise-with-no-known-beginning"])
@pytest.mark.parametrize("before", [0, 150, 180, 199])
def test_a_token_that_github_repeats_is_redacted_before_the_sentence_is_cut(token, before):
    said = f"Bad credentials {'x' * (before - 16)}{token}"
    with serving(says({"message": said}, 401)) as server, pytest.raises(ExternalError) as caught:
        github(server.url, token=token).get("")
    assert token[:6] not in str(caught.value)
    assert len(str(caught.value)) < 240


def test_what_github_says_is_one_line_that_moves_no_cursor():
    assert (
        str(refusal(says({"message": "No\x1b[2J\n::error::x"}, 403))) == "it answered 403: No [2J ::error::x"
    )
