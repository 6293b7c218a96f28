"""GitHub on loopback: it lists runs with GitHub's filter, pages and limit, takes dispatches, and can be at
fault.

Every request is checked with GitHub's own description, and so is every answer.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.support.github_contract import check_answer, check_request, example
from tests.support.loopback import Served, reply, serving

RUNS = "/repos/{owner}/{repo}/actions/workflows/{workflow_id}/runs"
WORKFLOW = "/repos/{owner}/{repo}/actions/workflows/{workflow_id}"
DISPATCHES = "/repos/{owner}/{repo}/dispatches"
MOST = 1000
Fault = Callable[["Asked"], tuple[int, Any, dict[str, str]] | None]


@dataclass
class Asked:
    """One request: its method, path, query, headers by lower-case name, and body."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any
    number: int


@dataclass
class FakeGitHub:
    """What it lists, what it was asked, and what is wrong with it: `fault` may answer in its place."""

    runs: list[dict[str, Any]] = field(default_factory=list)
    fault: Fault = lambda asked: None
    state: str = "active"
    asked: list[Asked] = field(default_factory=list)
    broken: list[BaseException] = field(default_factory=list)
    url: str = ""

    @property
    def dispatched(self) -> list[Any]:
        """The bodies of the dispatches that were asked for."""
        return [one.body for one in self.asked if one.method == "POST"]

    def answer(self, asked: Asked, path: str) -> tuple[int, Any, dict[str, str]]:
        """Return status, body and headers."""
        wrong = self.fault(asked)
        if wrong is not None:
            return wrong
        if path == DISPATCHES:
            return 204, None, {}
        if path == WORKFLOW:
            return 200, {**example(WORKFLOW), "state": self.state}, {}
        return 200, self._page(asked.query), {}

    def _page(self, query: dict[str, str]) -> Any:
        found = [one for one in self.runs if _within(one["created_at"], query.get("created", ""))]
        found.sort(key=lambda one: str(one["created_at"]), reverse=True)
        size, page = int(query.get("per_page", 30)), int(query.get("page", 1))
        listed = found[:MOST][(page - 1) * size : page * size]
        return {"total_count": len(found), "workflow_runs": listed}


def listed(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the runs as whole as GitHub gives them, each with an id."""
    whole = example(RUNS)["workflow_runs"][0]
    return [{**whole, "id": 1000 + index, **one} for index, one in enumerate(items)]


def _within(created: str, wanted: str) -> bool:
    if not wanted:
        return True
    if ".." in wanted:
        first, last = wanted.split("..")
        return _time(first) <= _time(created) <= _time(last)
    assert wanted.startswith(">="), wanted
    return _time(created) >= _time(wanted[2:])


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@contextmanager
def github_on_loopback(*runs: dict[str, Any]) -> Iterator[FakeGitHub]:
    """Serve it; at the end no request may have been one that GitHub does not know."""
    github = FakeGitHub(listed(list(runs)))

    def behave(served: Served, conn: socket.socket, request: bytes) -> None:
        try:
            conn.sendall(_answered(github, request))
        except BaseException as error:
            github.broken.append(error)
            raise

    with serving(behave) as served:
        github.url = served.url
        yield github
    assert github.broken == []


def _answered(github: FakeGitHub, request: bytes) -> bytes:
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = {name.lower(): text.strip() for name, _, text in (line.partition(":") for line in lines)}
    path = check_request(method, target, headers, body)
    query = dict(parse_qsl(urlsplit(target).query))
    asked = Asked(
        method,
        urlsplit(target).path,
        query,
        headers,
        json.loads(body) if body else None,
        len(github.asked) + 1,
    )
    github.asked.append(asked)
    status, answer, more = github.answer(asked, path)
    check_answer(path, method, status, _sample(answer))
    return reply(status, b"" if answer is None else json.dumps(answer).encode(), more)


def _sample(answer: Any) -> Any:
    """Return a page with its first two runs.

    The others are made as they are, and a thousand take seconds to check.
    """
    if isinstance(answer, dict) and "workflow_runs" in answer:
        return {**answer, "workflow_runs": answer["workflow_runs"][:2]}
    return answer


def rate_limited(message: str = "API rate limit exceeded for installation ID 1.") -> Any:
    """GitHub's answer where the rate limit is used up."""
    headers = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "1780412400"}
    return 403, {"message": message, "documentation_url": "https://docs.github.com/rest"}, headers
