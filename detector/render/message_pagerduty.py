"""A message as events of PagerDuty's Events API v2, one for each condition.

PagerDuty alerts nobody to a trigger while its alert is acknowledged. So what worsens, escalates or returns
pages by an alert of its own, and the alert before it is resolved after that. The keys of a condition's alerts
are few and fixed: what a killed run could not record is repeated by the same key, and the end resolves all.

Limits (developer.pagerduty.com, PD-CEF): 255 characters of a dedup_key, 1,024 of a summary.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import chain
from typing import Any, Final

from detector.domain.condition import MessageRef
from detector.formats.times import format_time
from detector.render.message import ENDED, Message, MessageItem, cut

SUMMARY_MAX, DEDUP_KEY_MAX = 1_024, 255
_SEVERITY: Final = {"critical": "critical", "warning": "warning"}
_FIRST: Final = ("new", "owed")
_SUFFIXES: Final[Mapping[str, tuple[str, ...]]] = {
    "worse": ("worse",),
    "escalated": ("escalated",),
    "again": ("again", "again-2"),
}
"""By reason the ends of the keys for what pages again; a return takes the other than the return before it."""
_CLIENT = "PT health detector"


def list_recorded_keys(signature: str, places: Sequence[MessageRef]) -> list[str]:
    """Return the keys of the alerts of a condition that PagerDuty accepted, the newest first.

    A receipt without any is of an earlier version, whose only key was the signature.
    """
    return [place.ts for place in places] or [_limit_key(signature)]


def build_item_events(message: Message, item: MessageItem, routing_key: str) -> Iterator[dict[str, Any]]:
    """Yield the events of one condition: a trigger, or at its end a resolve of each recorded alert."""
    if item.kind in ENDED:
        yield from (build_event("resolve", key, routing_key) for key in _list_recorded(item))
    else:
        yield _build_item_trigger(message, item, routing_key)


def build_item_key(item: MessageItem) -> str:
    """Return the key of an item's alert: of an earlier one, unless it pages again.

    An occurrence has alerts of its own in each episode, because no end resolves them; a person does, and so
    with what began and ended unnoticed.
    """
    if item.kind == "missed":
        return _limit_key(f"missed:{item.episode}")
    reason = item.event.reason if item.event is not None else None
    if reason in _FIRST or reason is None:
        return _build_key(item, "")
    newest = _list_recorded(item)[0]
    if reason not in _SUFFIXES:
        return newest
    keys = (_build_key(item, suffix) for suffix in _SUFFIXES[reason])
    return next((key for key in keys if key != newest), newest)


def list_outdated_keys(item: MessageItem) -> list[str]:
    """Return the keys that are to be resolved once the events of the item are accepted: all others.

    One that is not recorded may be open where a run was killed, or its memory lost; PagerDuty ignores the
    resolve of an alert that is not open.
    """
    is_end = item.kind in ENDED
    is_missed = item.kind == "missed" and not item.is_occurrence
    if not (is_end or is_missed) and (item.event is None or item.event.reason not in _SUFFIXES):
        return []
    suffixes = ("", *chain.from_iterable(_SUFFIXES.values()))
    keys = dict.fromkeys([*_list_recorded(item), *(_build_key(item, suffix) for suffix in suffixes)])
    done = _list_recorded(item) if is_end else [build_item_key(item)]
    return [key for key in keys if key not in done]


def build_event(action: str, key: str, routing_key: str) -> dict[str, Any]:
    """Return the event that resolves or acknowledges an alert."""
    return {"routing_key": routing_key, "event_action": action, "dedup_key": key}


def _list_recorded(item: MessageItem) -> list[str]:
    return list_recorded_keys(_get_signature(item), item.refs)


def _get_signature(item: MessageItem) -> str:
    """Return the whole signature: the one that is shown may be cut."""
    return item.event.signature if item.event is not None else item.signature


def _build_key(item: MessageItem, suffix: str) -> str:
    parts = (_get_signature(item), item.episode if item.is_occurrence else "", suffix)
    return _limit_key("::".join(part for part in parts if part))


def _limit_key(key: str) -> str:
    return key if len(key) <= DEDUP_KEY_MAX else sha256(key.encode()).hexdigest()


def _build_item_trigger(message: Message, item: MessageItem, routing_key: str) -> dict[str, Any]:
    lead, state = message.get_lead(item)
    title = f"{lead} {item.short_title}{f' ({state})' if state else ''}"
    payload: dict[str, Any] = {
        "summary": cut(f"{title}: {item.summary}", SUMMARY_MAX),
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
    trigger = _build_trigger(routing_key, build_item_key(item), payload, message)
    return {**trigger, "links": links + _list_run_link(message)}


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
