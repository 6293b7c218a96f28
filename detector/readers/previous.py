"""The `previous` section: an earlier artifact, report or stdout, read into the memory.

An unusable document becomes a lost memory with its reason, never an error and never an empty memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from detector.domain.condition import ANY_CHANNEL, Condition, encode_part
from detector.domain.previous_run import PreviousRun
from detector.domain.report import SCHEMA_VERSION, ChannelHealth, SessionDay
from detector.domain.rule import STATE, Kind
from detector.domain.run_memory import FIRST_RUN, Memory, build_lost_memory, join_lineages
from detector.formats.redaction import redact
from detector.formats.serialize import compute_checksum, from_json
from detector.formats.strict_json import describe_kind, redact_excerpt

_STDOUT_KEYS = {"events", "new_events"}


class ExpectedMemory(Struct, frozen=True):
    """The values that the memory must fit: the runtime, this run's time, the kind of each event type."""

    runtime: str
    taken_at: datetime
    kinds: Mapping[str, Kind]


def read_previous(raw: Any, expected: ExpectedMemory) -> Memory:
    """Return the memory: FIRST_RUN for None, and a lost memory with its reason for an unusable document."""
    if raw is None:
        return FIRST_RUN
    reason = _explain_unusable(raw)
    if reason is not None:
        return build_lost_memory(reason)
    try:
        if raw.get("schema_version", 0) == SCHEMA_VERSION:
            return _read_artifact(raw, expected)
        return _read_older_format(redact(raw), expected)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        return build_lost_memory(f"the previous artifact cannot be read ({type(error).__name__})")


def is_of_another_runtime(raw: Any, runtime: str) -> bool:
    """Return whether a document is a whole artifact that another runtime's detector wrote."""
    if not isinstance(raw, dict) or raw.get("schema_version") != SCHEMA_VERSION:
        return False
    return (
        isinstance(raw.get("runtime"), str) and raw["runtime"] != runtime and _explain_unusable(raw) is None
    )


def _explain_unusable(raw: Any) -> str | None:
    """Return why the document cannot be a memory, or None."""
    if not isinstance(raw, dict):
        return f"the previous artifact is {describe_kind(raw)}, not an object"
    if "schema_version" not in raw:
        is_output = "events" in raw and not raw.keys() - _STDOUT_KEYS
        return None if is_output else "the previous document is no artifact and no output of this program"
    version = raw["schema_version"]
    if not isinstance(version, int) or isinstance(version, bool) or version < 0:
        return "the previous artifact has no readable schema version"
    if version > SCHEMA_VERSION:
        return f"the previous artifact is of schema version {version}, newer than {SCHEMA_VERSION}"
    has_checksum = version == SCHEMA_VERSION or "checksum" in raw
    is_mismatch = has_checksum and raw.get("checksum") != compute_checksum(raw)
    return "the previous artifact's checksum does not match its content" if is_mismatch else None


def _read_artifact(raw: Mapping[str, Any], expected: ExpectedMemory) -> Memory:
    if raw["runtime"] != expected.runtime:
        return build_lost_memory(
            f"the previous artifact is of another runtime ({redact_excerpt(str(raw['runtime']))})"
        )
    conditions = [from_json(Condition, entry) for entry in raw["conditions"]]
    taken_at: datetime = from_json(datetime, raw["taken_at"])
    before = from_json(PreviousRun, raw["carried"])
    return Memory(
        kept=True,
        taken_at=taken_at,
        generation=raw["generation"],
        before=replace(
            before, taken_at=taken_at, lost=None, lineage=join_lineages((raw["checksum"],), before.lineage)
        ),
        conditions={condition.signature: condition for condition in conditions},
        channels={name: from_json(ChannelHealth, health) for name, health in raw["channels"].items()},
        sessions=tuple(from_json(SessionDay, day) for day in raw.get("sessions", ())),
    )


def _read_older_format(raw: Mapping[str, Any], expected: ExpectedMemory) -> Memory:
    """Return the memory of an older or bare format: delivered, time unknown."""
    conditions: dict[str, Condition] = {}
    for event in raw["events"]:
        condition = _build_condition(event, expected)
        if condition.signature.split(":")[1] != encode_part(expected.runtime):
            return build_lost_memory("the previous output is of another runtime")
        conditions[condition.signature] = condition
    return Memory(kept=True, conditions=conditions)


def _build_condition(event: Mapping[str, Any], expected: ExpectedMemory) -> Condition:
    since = event.get("since")
    first_seen = min(from_json(datetime, since), expected.taken_at) if since else expected.taken_at
    severity = event["severity"]
    kind = expected.kinds.get(event["type"], STATE)
    condition: Condition = from_json(
        Condition,
        {
            "signature": event["signature"],
            "type": event["type"],
            "kind": kind,
            "subject": event.get("subject"),
            "severity": severity,
            "peak": severity,
            "summary": event.get("summary") or event["type"],
            "first_seen": first_seen,
            "last_seen": first_seen,
            "noticed_at": expected.taken_at,
            "occurred_at": None if kind == STATE else expected.taken_at,
            "confirmed": True,
            "receipts": {ANY_CHANNEL: {"severity": severity}},
        },
    )
    return condition
