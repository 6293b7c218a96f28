"""A message as events of PagerDuty's Events API v2, one for each condition.

Limits (developer.pagerduty.com, PD-CEF): 255 characters of a dedup_key, 1,024 of a summary.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any, Final

from detector.formats.times import format_time
from detector.render.message import Message, MessageItem, cut

SUMMARY_MAX, DEDUP_KEY_MAX = 1_024, 255
_SEVERITY: Final = {"critical": "critical", "warning": "warning"}
_ENDED = ("resolved", "unwatched")
_WORSENINGS: Final = ("worse", "escalated")
_CLIENT = "PT health detector"


def build_dedup_key(signature: str) -> str:
    """Return the key of a condition's alert: its signature, or a hash of a longer one."""
    if len(signature) <= DEDUP_KEY_MAX:
        return signature
    return sha256(signature.encode()).hexdigest()


def build_item_event(message: Message, item: MessageItem, routing_key: str) -> dict[str, Any]:
    """Return the event of one condition: a trigger, or a resolve at its end.

    A condition that began and ended unnoticed has an alert of its own, which a person closes.
    """
    key = build_dedup_key(item.signature)
    if item.kind in _ENDED:
        return build_resolve_event(item, routing_key)
    if item.kind == "missed":
        key = build_dedup_key(f"missed:{item.episode}")
    payload: dict[str, Any] = {
        "summary": cut(f"{item.label} {item.title}: {item.summary}", SUMMARY_MAX),
        "source": message.runtime,
        "severity": _SEVERITY[item.severity],
        "class": item.type,
        "custom_details": dict(_list_details(message, item)),
    }
    if item.subject:
        payload["component"] = item.subject
    if item.event is not None:
        payload["timestamp"] = format_time(item.event.since)
    links = [{"href": item.runbook_url, "text": "Runbook"}] if item.runbook_url else []
    return {**_build_trigger(routing_key, key, payload, message), "links": links + _list_run_link(message)}


def build_resolve_event(item: MessageItem, routing_key: str) -> dict[str, Any]:
    """Return the event that ends a condition's alert."""
    key = build_dedup_key(item.signature)
    return {"routing_key": routing_key, "event_action": "resolve", "dedup_key": key}


def is_worsening(item: MessageItem) -> bool:
    """Return whether the item is about an alert that was sent before and became more urgent."""
    return item.event is not None and item.event.reason in _WORSENINGS


def build_ack_event(signature: str, routing_key: str) -> dict[str, Any]:
    """Return the event that acknowledges a condition's alert, so that PagerDuty pages nobody further."""
    key = build_dedup_key(signature)
    return {"routing_key": routing_key, "event_action": "acknowledge", "dedup_key": key}


def build_message_event(message: Message, routing_key: str) -> dict[str, Any] | None:
    """Return the event of a message without conditions, or None where nobody has to be paged for it."""
    if message.kind not in ("test", "failing", "unchecked"):
        return None
    payload = {
        "summary": cut(message.headline, SUMMARY_MAX),
        "source": message.runtime,
        "severity": "info" if message.kind == "test" else "warning",
        "custom_details": {"notes": list(message.notes), "delivery": message.delivery_id},
    }
    key = f"{message.kind}:{message.delivery_id}"
    return {**_build_trigger(routing_key, key, payload, message), "links": _list_run_link(message)}


def _build_trigger(routing_key: str, key: str, payload: dict[str, Any], message: Message) -> dict[str, Any]:
    client = {"client": _CLIENT, **({"client_url": message.link} if message.link else {})}
    return {
        "routing_key": routing_key, "event_action": "trigger", "dedup_key": key, **client, "payload": payload
    }  # fmt: skip


def _list_run_link(message: Message) -> list[dict[str, str]]:
    return [{"href": message.link, "text": "The run"}] if message.link else []


def _list_details(message: Message, item: MessageItem) -> Iterator[tuple[str, str]]:
    details = {
        "first": item.step,
        "setting": item.setting,
        "since": item.since,
        "why": item.why,
        "decision": message.decision,
        "coverage": message.coverage,
        "signature": item.signature,
        "runbook": item.runbook_url or item.runbook,
        "delivery": item.delivery_id,
    }
    yield from ((name, text) for name, text in details.items() if text)
