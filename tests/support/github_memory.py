"""A GitHub on loopback that keeps one repository's runs and their artifacts, as the memory is found through
it.

Every request and every answer is held against GitHub's own description. The archives lie on another origin,
as they do in fact: what arrives there is kept apart, so that a test can see what was sent along.
"""

from __future__ import annotations

import io
import json
import socket
import zipfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.support.github_contract import check_answer, check_request, example
from tests.support.loopback import Served, reply, serving
from tests.support.snapshots import NOW

REPOSITORY, REPOSITORY_ID, FORK_ID = "owner/bot", 1001, 2002
WORKFLOW = "notify-aws-ibkr-pt-health.yml"
WORKFLOW_PATH = f".github/workflows/{WORKFLOW}"
NAME, MEMBER = "pt-health-memory-aegis-pt-core", "pt-health.json"
TOKEN = "ghs_loopbackTokenOfThisRun0123456789abcd"
_RUNS = "/repos/{owner}/{repo}/actions/workflows/{workflow_id}/runs"
_ARTIFACTS = "/repos/{owner}/{repo}/actions/artifacts"
_ARCHIVE = "/repos/{owner}/{repo}/actions/artifacts/{artifact_id}/{archive_format}"
_HOME = "/repos/{owner}/{repo}"
_NOT_WHOLE = ("source", "parent", "template_repository")  # in GitHub's own example

Answer = tuple[int, Any, dict[str, str]]


def zipped(content: bytes | str, name: str = MEMBER) -> bytes:
    """An archive with one member, as upload-artifact makes it."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return made.getvalue()


@dataclass
class GitHub:
    """What this GitHub holds, how it misbehaves, and what was asked of it."""

    private: bool = True
    runs: list[dict[str, Any]] = field(default_factory=list)
    artifacts: list[dict[str, Any]] = field(default_factory=list)
    archives: dict[int, bytes] = field(default_factory=dict)
    faults: dict[str, list[int]] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    unsound: list[str] = field(default_factory=list)
    api: Served = field(default_factory=lambda: Served(("", 0)))
    store: Served = field(default_factory=lambda: Served(("", 0)))

    # --- what it holds ---

    def run(
        self, run_id: int, minutes: float = 0, head_repository_id: int = REPOSITORY_ID, **more: Any
    ) -> None:
        """Add a run of the workflow that began so many minutes after NOW."""
        began = stamp(NOW + timedelta(minutes=minutes))
        made: dict[str, Any] = {
            **example(_RUNS)["workflow_runs"][0],
            "id": run_id,
            "head_branch": "main",
            "path": f"{WORKFLOW_PATH}@main",
            "event": "schedule",
            "status": "completed",
            "conclusion": "success",
            "run_attempt": 1,
            "created_at": began,
            "run_started_at": began,
            **more,
        }
        made["repository"]["id"] = REPOSITORY_ID
        made["head_repository"]["id"] = head_repository_id
        self.runs.append(made)

    def upload(self, run_id: int, content: Any, attempt: int = 1, **more: Any) -> None:
        """Add an artifact of that run; bytes are the archive itself, anything else is the document in it."""
        document = (
            content if isinstance(content, str) else "" if isinstance(content, bytes) else json.dumps(content)
        )
        archive = content if isinstance(content, bytes) else zipped(document)
        number = 11 + len(self.artifacts)
        made_by = {
            "id": run_id,
            "repository_id": REPOSITORY_ID,
            "head_repository_id": REPOSITORY_ID,
            "head_branch": "main",
            "head_sha": "328faa0536e6fef19753d9d91dc96a9931694ce3",
            **more.pop("workflow_run", {}),
        }
        self.artifacts.append(
            {
                **example(_ARTIFACTS)["artifacts"][0],
                "id": number,
                "name": f"{NAME}-{run_id}-{attempt}",
                "size_in_bytes": len(archive),
                "digest": f"sha256:{sha256(archive).hexdigest()}",
                "workflow_run": made_by,
                "created_at": next(
                    (run["run_started_at"] for run in self.runs if run["id"] == run_id), stamp(NOW)
                ),
                **more,
            }
        )
        self.archives[number] = archive

    def fails(self, path: str, *statuses: int) -> None:
        """Let what is described at `path` answer with these, one after the other; the last one stays."""
        self.faults[path] = list(statuses)

    def environ(self, run_id: int = 9000, attempt: int = 1) -> dict[str, str]:
        """The variables that the runner sets, for a run of this repository's workflow."""
        return {
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": self.api.url,
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_REPOSITORY": REPOSITORY,
            "GITHUB_WORKFLOW_REF": f"{REPOSITORY}/{WORKFLOW_PATH}@refs/heads/main",
            "GITHUB_RUN_ID": str(run_id),
            "GITHUB_RUN_ATTEMPT": str(attempt),
            "GITHUB_TOKEN": TOKEN,
        }

    # --- how it answers ---

    def behave(self, served: Served, conn: socket.socket, request: bytes) -> None:
        """Answer one request to the API; what GitHub's description does not know is kept in `unsound`."""
        if not request:  # who asked was killed first
            return
        try:
            data = self._answered(request)
        except Exception as error:  # noqa: BLE001 - whatever is wrong with a request is a finding
            self.unsound.append(f"{request[:200]!r}: {error!r}"[:2000])
            data = reply(418, b"{}")
        conn.sendall(data)

    def _answered(self, request: bytes) -> bytes:
        head, _, body = request.partition(b"\r\n\r\n")
        line, *rest = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): text.strip() for name, _, text in (one.partition(":") for one in rest)}
        method, target, _ = line.split()
        path = check_request(method, target, headers, body)
        self.asked[path] += 1
        status, answer, more = self._answer(path, target, headers)
        check_answer(path, method, status, answer)
        return reply(status, b"" if answer is None else json.dumps(answer).encode(), more)

    def _answer(self, path: str, target: str, headers: dict[str, str]) -> Answer:
        statuses = self.faults.get(path, [200])
        status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
        if status != 200:
            return status, {"message": f"made to answer {status}"}, {}
        if headers.get("authorization") != f"Bearer {TOKEN}":
            return 401, {"message": "Bad credentials"}, {}
        parts = urlsplit(target)
        query = dict(parse_qsl(parts.query))
        if path == _ARCHIVE:
            return self._archive(int(parts.path.split("/")[-2]))
        if path == _ARTIFACTS:
            named = [one for one in self.artifacts if one["name"] == query.get("name", one["name"])]
            return _page("artifacts", named, query)
        if path == _RUNS:
            workflow = parts.path.split("/")[-2]
            runs = [one for one in self.runs if workflow in one["path"] and _is_wanted(one, query)]
            return _page("workflow_runs", runs, query)
        assert path == _HOME
        home = {key: value for key, value in example(_HOME).items() if key not in _NOT_WHOLE}
        more = {"id": REPOSITORY_ID, "private": self.private, "default_branch": "main", "language": "Python"}
        return 200, {**home, **more}, {}

    def _archive(self, number: int) -> Answer:
        artifact = next(one for one in self.artifacts if one["id"] == number)
        if artifact["expired"]:
            return 410, {"message": "Artifact has expired"}, {}
        return 302, None, {"location": f"{self.store.url}/archives/{number}?sig=signedForOneMinute"}

    def hand_out(self, served: Served, conn: socket.socket, request: bytes) -> None:
        """Answer one request to the blob store, which refuses a second kind of credentials as the real one
        does.
        """
        if not request:  # who asked was killed first
            return
        if b"\r\nauthorization:" in request.lower():
            conn.sendall(reply(400, b"InvalidAuthenticationInfo", {"content-type": "application/xml"}))
            return
        number = int(request.split()[1].decode().partition("?")[0].rpartition("/")[2])
        conn.sendall(reply(200, self.archives[number], {"content-type": "zip"}))


def _is_wanted(run: dict[str, Any], query: dict[str, str]) -> bool:
    """Whether a run passes the two filters that choose the page; the others the client must not rely on."""
    latest = query.get("created", "").removeprefix("<=")
    return query.get("status") in (None, run["conclusion"]) and (not latest or run["created_at"] <= latest)


def _page(key: str, items: list[dict[str, Any]], query: dict[str, str]) -> Answer:
    """One page, the newest first."""
    size, page = int(query.get("per_page", 30)), int(query.get("page", 1))
    return 200, {"total_count": len(items), key: items[::-1][size * (page - 1) : size * page]}, {}


def stamp(moment: datetime) -> str:
    """A time as GitHub writes it."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


@contextmanager
def github_with_memory(github: GitHub | None = None) -> Iterator[GitHub]:
    """Serve this GitHub, and its archives on an origin of their own."""
    made = github or GitHub()
    with serving(made.behave) as api, serving(made.hand_out) as store:
        made.api, made.store = api, store
        yield made
    assert not made.unsound, made.unsound[0]
