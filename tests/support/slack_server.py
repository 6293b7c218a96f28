"""A Slack on loopback: an incoming webhook and the Web API, which refuse what Slack's documentation refuses.

Limits: docs.slack.dev (block kit reference, chat.postMessage, chat.update, incoming webhooks). A request that
breaks one is answered as Slack answers it, and stands in `faults`, so that no test can overlook it.
"""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from tests.support.loopback import Behaviour, Served, reply, serving

HOOK = "/services/T00000000/B00000000/kEeP0fF7hEgRaSs1234567"
TOKEN = "xoxb-000000000000-keepoffthegrass"
CHANNEL_ID = "C0123456789"
_MOST_TEXT, _MOST_BLOCKS, _MOST_IN_ALL = 40_000, 50, 13_200
_BAD_ESCAPE = re.compile(r"&(?!amp;|lt;|gt;)")
# Of mrkdwn's angle brackets only links to the web are ever meant by this program.
_LINK = re.compile(r"<https?://[^<>|\s]+\|[^<>|]+>")
_TYPES = {"header", "section", "context", "divider"}


@dataclass
class Slack:
    """What the server was told, in its order, and how it answers."""

    served: Served
    posts: list[dict[str, Any]] = field(default_factory=list)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    answers: list[Behaviour] = field(default_factory=list)
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    archived: list[str] = field(default_factory=list)
    reactions: list[dict[str, Any]] = field(default_factory=list)
    asked: list[dict[str, list[str]]] = field(default_factory=list)
    when_asked: Callable[[], object] = lambda: None

    @property
    def hook(self) -> str:
        """The webhook's address."""
        return f"{self.served.url}{HOOK}"

    @property
    def api(self) -> str:
        """The Web API's address."""
        return f"{self.served.url}/api/"

    def then(self, *behaviours: Behaviour) -> None:
        """Answer the next requests so, one each; healthy again after them."""
        self.answers += behaviours

    @property
    def texts(self) -> list[str]:
        """The notification's text of every message that was taken, in their order."""
        return [str(one["text"]) for one in self.taken]

    @property
    def taken(self) -> list[dict[str, Any]]:
        """Every message that was taken, by webhook or by token, edits left out."""
        return [*self.posts, *(body for method, body in self.calls if method == "chat.postMessage")]


def everything(message: dict[str, Any]) -> str:
    """Return all the text of one message, a line a text object."""
    return "\n".join(text for _, text in _texts(message))


@contextmanager
def slack_on_loopback(certificate: str | None = None) -> Iterator[Slack]:
    """Yield a Slack that runs; at the end nothing that it was sent may have broken a limit."""
    slack: Slack

    def behave(served: Served, conn: socket.socket, request: bytes) -> None:
        if not request:  # who asked was killed first
            return
        if slack.answers:
            slack.answers.pop(0)(served, conn, request)
        else:
            conn.sendall(answer_of(slack, request))

    with serving(behave, certificate=certificate) as served:
        slack = Slack(served)
        yield slack
    assert slack.faults == []


def answer_of(slack: Slack, request: bytes) -> bytes:
    """Return how a Slack that is well answers."""
    head, _, data = request.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    verb, path, _ = first.split(" ", 2)
    headers = {name.lower(): text.strip() for name, _, text in (line.partition(":") for line in lines)}
    if path == "/api/reactions.get":
        known = headers.get("authorization") == f"Bearer {TOKEN}"
        return _reacted(slack, data.decode()) if known else _said(error="invalid_auth")
    if verb != "POST" or not headers.get("content-type", "").startswith("application/json"):
        slack.faults.append(f"{verb} {path} with {headers.get('content-type')}")
        return reply(400, b"invalid_payload", {"content-type": "text/html"})
    try:
        body = json.loads(data)
    except ValueError:
        slack.faults.append("a body that is no JSON")
        return reply(400, b"invalid_payload", {"content-type": "text/html"})
    if path == HOOK:
        return _hooked(slack, body)
    if path.startswith("/api/"):
        known = headers.get("authorization") == f"Bearer {TOKEN}"
        return _called(slack, path.removeprefix("/api/"), body) if known else _said(error="invalid_auth")
    return reply(404, b"no_service", {"content-type": "text/html"})


def _reacted(slack: Slack, form: str) -> bytes:
    slack.asked.append(parse_qs(form))
    slack.when_asked()
    (ts,) = slack.asked[-1]["timestamp"]
    if ts not in slack.messages:
        return _said(error="message_not_found")
    return _said(
        type="message", message={"ts": ts, **({"reactions": slack.reactions} if slack.reactions else {})}
    )


def _hooked(slack: Slack, body: dict[str, Any]) -> bytes:
    wrong = faults_of(body)
    if wrong:
        slack.faults += wrong
        return reply(400, b"invalid_blocks", {"content-type": "text/html"})
    slack.posts.append(body)
    return reply(200, b"ok", {"content-type": "text/html"})


def _called(slack: Slack, method: str, body: dict[str, Any]) -> bytes:
    wrong = faults_of(body)
    if wrong or method not in ("chat.postMessage", "chat.update"):
        slack.faults += wrong or [f"method {method}"]
        return _said(error="invalid_blocks")
    if body.get("channel") not in ("#alerts", CHANNEL_ID):
        return _said(error="channel_not_found")
    if body["channel"] in slack.archived:
        return _said(error="is_archived")
    if method == "chat.update" and body.get("ts") not in slack.messages:
        return _said(error="message_not_found")
    if "thread_ts" in body and body["thread_ts"] not in slack.messages:
        return _said(error="thread_not_found")
    slack.calls.append((method, body))
    ts = body.get("ts") or f"17000000{len(slack.calls):02d}.000100"
    slack.messages[ts] = body
    return _said(channel=CHANNEL_ID, ts=ts)


def _said(**answer: Any) -> bytes:
    return reply(200, json.dumps({"ok": "error" not in answer, **answer}).encode())


def faults_of(message: dict[str, Any]) -> list[str]:
    """Return every way in which a message breaks Slack's limits, or could ping or break out."""
    faults = []
    if not str(message.get("text", "")).strip():
        faults.append("no text for notifications")
    if len(str(message.get("text"))) > _MOST_TEXT:
        faults.append("text too long")
    attachments = message.get("attachments", [])
    blocks = [*message.get("blocks", []), *(b for one in attachments for b in one["blocks"])]
    if len(blocks) > _MOST_BLOCKS:
        faults.append(f"{len(blocks)} blocks")
    if any(not one["blocks"] for one in attachments):
        faults.append("an attachment without blocks")
    faults += [fault for block in blocks for fault in _faults_of_block(block)]
    found = list(_texts(message))
    if sum(len(text) for _, text in found) > _MOST_IN_ALL:
        faults.append("more text than a message holds")
    return faults + [fault for place, text in found for fault in _faults_of_text(place, text)]


def _faults_of_block(block: dict[str, Any]) -> list[str]:
    kind = block.get("type")
    if kind not in _TYPES:
        return [f"a block of type {kind}"]
    if kind == "header":
        fits = block["text"]["type"] == "plain_text" and 0 < len(block["text"]["text"]) <= 150
        return [] if fits else ["a header that does not fit"]
    if kind == "section":
        return [] if 0 < len(block["text"]["text"]) <= 3000 else ["a section that does not fit"]
    if kind == "context":
        fits = 0 < len(block["elements"]) <= 10 and all(one["text"] for one in block["elements"])
        return [] if fits else ["a context that does not fit"]
    return []


def _faults_of_text(place: str, text: str) -> list[str]:
    bare = _LINK.sub("", text)
    faults = []
    if "<" in bare or ">" in bare or _BAD_ESCAPE.search(bare):
        faults.append(f"{place}: a sign that is not escaped: {bare[:80]!r}")
    if any(not (one.isprintable() or one == "\n") for one in text):
        faults.append(f"{place}: a control or bidi character")
    return faults


def _texts(value: Any, place: str = "message") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "text" and isinstance(item, str):
                yield place, item
            else:
                yield from _texts(item, f"{place}.{key}")
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, place)


def takes_and_loses(slack: Slack) -> Behaviour:
    """Take the message, and break the connection off before the yes arrives."""

    def behave(served: Served, conn: socket.socket, request: bytes) -> None:
        answer_of(slack, request)
        time.sleep(0.02)
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        conn.close()

    return behave
