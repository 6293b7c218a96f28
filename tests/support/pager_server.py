"""The receivers of the pagers on loopback.

Webhook, ntfy, PagerDuty and Telegram, each with its documented answers.

A body that its documented schema refuses, or that breaks a limit in bytes, stands in `faults`: no test can
overlook it.
"""

from __future__ import annotations

import hmac
import json
import socket
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from jsonschema import Draft202012Validator

from detector.commands.schema import SCHEMAS
from tests.support.loopback import Behaviour, Served, reply, serving
from tests.support.snapshots import ROOT

KINDS = ("webhook", "ntfy", "pagerduty", "telegram")
SECRETS = {
    "webhook": "canary-webhook-key-7d1f04b2",
    "ntfy": "tk_canary7d1f04b2ntfy",
    "pagerduty": "canary7d1f04b2canary7d1f04b2key1",
    "telegram": "4711:canary-telegram-7d1f04b2",
}
TOPIC, CHAT = "canary-topic-7d1f04b2", -1001234567890
_FOLDER = ROOT / "tests" / "fixtures" / "vendor_schemas"


def vendor_schema(name: str) -> Any:
    """The documented schema of a vendor's request."""
    return json.loads((_FOLDER / f"{name}.schema.json").read_text("utf-8"))


VALIDATORS = {
    "webhook": Draft202012Validator(SCHEMAS["webhook"]()),
    "ntfy": Draft202012Validator(vendor_schema("ntfy_publish")),
    "pagerduty": Draft202012Validator(vendor_schema("pagerduty_enqueue")),
    "telegram": Draft202012Validator(vendor_schema("telegram_sendMessage")),
}
_CALLS = {"getUpdates": Draft202012Validator(vendor_schema("telegram_getUpdates"))}


@dataclass
class Pager:
    """One receiver: the bodies that it took, how it answers next, and what was wrong with a request."""

    kind: str
    served: Served
    taken: list[dict[str, Any]] = field(default_factory=list)
    heads: list[dict[str, str]] = field(default_factory=list)
    answers: list[Behaviour] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    calls: dict[str, Callable[[dict[str, Any]], Any]] = field(default_factory=dict)
    updates: list[dict[str, Any]] = field(default_factory=list)
    offsets: list[int | None] = field(default_factory=list)
    when_taken: Callable[[dict[str, Any]], None] = lambda body: None

    def then(self, *behaviours: Behaviour) -> None:
        """Answer the next requests so, one each; healthy again after them."""
        self.answers += behaviours

    @property
    def environ(self) -> dict[str, str]:
        """The settings that lead here."""
        url, secret = self.served.url, SECRETS[self.kind]
        settings = {
            "webhook": {"WEBHOOK_URL": f"{url}/hook/canary-path-7d1f04b2", "WEBHOOK_SECRET": secret},
            "ntfy": {"NTFY_URL": url, "NTFY_TOPIC": TOPIC, "NTFY_TOKEN": secret},
            "pagerduty": {"PAGERDUTY_EVENTS_URL": f"{url}/v2/enqueue", "PAGERDUTY_ROUTING_KEY": secret},
            "telegram": {"TELEGRAM_API_URL": url, "TELEGRAM_TOKEN": secret, "TELEGRAM_CHAT": str(CHAT)},
        }[self.kind]
        return {f"AEGIS_PT_{name}": text for name, text in settings.items()}

    def told_of(self, name: str) -> int:
        """How many of the bodies that were taken tell of the event."""
        return sum(
            name in json.dumps(body)
            for body in self.taken
            if body.get("event_action", "trigger") == "trigger"
        )


@contextmanager
def pager_on_loopback(kind: str) -> Iterator[Pager]:
    """Yield a receiver that runs; at the end nothing that it was sent may have broken its documentation."""
    pager: Pager

    def behave(served: Served, conn: socket.socket, request: bytes) -> None:
        if not request:  # who asked was killed first
            return
        if pager.answers:
            pager.answers.pop(0)(served, conn, request)
        else:
            conn.sendall(answer_of(pager, request))

    with serving(behave) as served:
        pager = Pager(kind, served)
        yield pager
    assert pager.faults == []


def answer_of(pager: Pager, request: bytes) -> bytes:
    """Take the request and return the documented answer."""
    head, _, data = request.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): text.strip() for name, _, text in (line.partition(":") for line in lines)}
    verb, path, _ = first.split(" ", 2)
    if verb != "POST" or headers.get("content-type") != "application/json":
        pager.faults.append(f"{verb} with {headers.get('content-type')}")
    body = json.loads(data)
    method = path.rpartition("/")[2]
    if pager.kind == "telegram" and method in pager.calls:
        pager.faults += [error.message for error in _CALLS[method].iter_errors(body)]
        result = pager.calls[method](body)
        return result if isinstance(result, bytes) else _succeed(result)
    pager.faults += [error.message for error in VALIDATORS[pager.kind].iter_errors(body)]
    pager.faults += _FAULTS[pager.kind](path, headers, data)
    pager.taken.append(body)
    pager.heads.append(headers)
    pager.when_taken(body)
    return reply(_STATUS.get(pager.kind, 200), json.dumps(_answer(pager, body)).encode())


def _succeed(result: Any) -> bytes:
    return reply(200, json.dumps({"ok": True, "result": result}).encode())


@dataclass
class Incidents:
    """What PagerDuty makes of the events that it took: who was paged for what, and what is open."""

    pager: Pager
    open: dict[str, str] = field(default_factory=dict)
    pages: list[str] = field(default_factory=list)
    seen: int = 0

    def refresh(self, upto: int | None = None) -> None:
        """Take the events since the last call; nobody is paged for a trigger of an open alert."""
        events = self.pager.taken[self.seen :][:upto]
        for event in events:
            key, action = event["dedup_key"], event["event_action"]
            if action == "trigger" and key not in self.open:
                self.open[key] = "triggered"
                self.pages.append(key)
            elif action == "resolve":
                self.open.pop(key, None)
            elif action == "acknowledge" and key in self.open:
                self.open[key] = "acknowledged"
        self.seen += len(events)

    def acknowledge(self) -> None:
        """Acknowledge all that is open, as a person does."""
        self.refresh()
        self.open = dict.fromkeys(self.open, "acknowledged")


_STATUS = {"pagerduty": 202}


def _answer(pager: Pager, body: dict[str, Any]) -> Any:
    if pager.kind == "pagerduty":
        return {"status": "success", "message": "Event processed", "dedup_key": body.get("dedup_key")}
    if pager.kind == "telegram":
        chat = {"id": CHAT, "type": "supergroup"}
        return {"ok": True, "result": {"message_id": 100 + len(pager.taken), "chat": chat, "date": 1}}
    return {"id": f"m{len(pager.taken)}", "event": "message"} if pager.kind == "ntfy" else {}


def _webhook_faults(path: str, headers: dict[str, str], data: bytes) -> list[str]:
    # standardwebhooks.com: base64 of HMAC-SHA256 over id.timestamp.body.
    text = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + data
    digest = hmac.new(SECRETS["webhook"].encode(), text, sha256).digest()
    good = headers["webhook-signature"] == f"v1,{b64encode(digest).decode()}"
    return [] if good and headers["webhook-id"] == json.loads(data)["id"] else ["the signature is wrong"]


def _ntfy_faults(path: str, headers: dict[str, str], data: bytes) -> list[str]:
    faults = [] if path == "/" else [f"the path {path}"]
    faults += [] if headers.get("authorization") == f"Bearer {SECRETS['ntfy']}" else ["no token"]
    body = json.loads(data)
    return faults + (
        ["over 4,096 bytes"] if len(body["message"].encode()) > 4096 or len(data) > 32_768 else []
    )


def _pagerduty_faults(path: str, headers: dict[str, str], data: bytes) -> list[str]:
    return [] if len(data) <= 512_000 and path == "/v2/enqueue" else ["over 512 KB, or another path"]


def _telegram_faults(path: str, headers: dict[str, str], data: bytes) -> list[str]:
    text = json.loads(data)["text"]
    fits = len(text.encode("utf-16-le")) // 2 <= 4096
    return (
        [] if fits and path == f"/bot{SECRETS['telegram']}/sendMessage" else ["over 4,096, or another path"]
    )


_FAULTS = {
    "webhook": _webhook_faults,
    "ntfy": _ntfy_faults,
    "pagerduty": _pagerduty_faults,
    "telegram": _telegram_faults,
}


def takes_and_breaks_off(pager: Pager) -> Behaviour:
    """Take the message, and break the connection off before the answer arrives."""

    def behave(served: Served, conn: socket.socket, request: bytes) -> None:
        answer_of(pager, request)
        time.sleep(0.02)
        conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        conn.close()

    return behave
