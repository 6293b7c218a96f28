"""JSON Schemas (2020-12) of what goes in and what comes out, generated from the models."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from detector.domain.channel_health import ChannelHealth
from detector.domain.condition import Condition
from detector.domain.event import Event
from detector.domain.facts import SourceStatus
from detector.domain.previous_run import PreviousRun
from detector.domain.report import SCHEMA_VERSION, Gap, RunInfo
from detector.domain.session_day import SessionDay
from detector.render.snapshot_schema import Schema, snapshot_body

DIALECT = "https://json-schema.org/draft/2020-12/schema"
# Written without the fields that still have their defaults (model.plain.compact); the rest is written whole.
_COMPACT = ("Before", "Condition", "Receipt")
_NOT_CARRIED = ("taken_at", "lost")
OPTIONAL = ("reason",)
EVENT_FIELDS: Mapping[str, str] = {
    "type": "the rule's name",
    "severity": "how bad it is",
    "signature": "<type>:<runtime> or <type>:<runtime>:<subject>: what it is about, and nothing that changes",
    "subject": "the thing itself, such as a symbol, an order or a source; null when it is the runtime",
    "reason": "why it is told now; only in what is told",
    "summary": "one sentence with the number and its limit",
    "observed": "the number that was seen; null where there is none",
    "limit": "the number that it broke; null where there is none",
    "setting": "the name of the setting that holds the limit; null where there is none",
    "since": "when this episode of the condition was first seen",
    "held": "true when its facts are not seen now",
    "because_of": "the signature of its cause, where it is a symptom",
    "runbook": "where the runbook speaks of it",
}
ARTIFACT_FIELDS: Mapping[str, str] = {
    "schema_version": "the version of this format; an artifact of a newer one is lost memory",
    "generation": "one more than the previous artifact's",
    "taken_at": "when the snapshot was taken",
    "runtime": "what is watched",
    "run": "which run this was, where a scheduler says so",
    "decision": "observe, notify or escalate, and the signatures that say so",
    "events": "all conditions that hold now, worst first",
    "new_events": "what is owed now",
    "resolved_events": "the ends that are told now",
    "held": "the signatures of what fires and is not seen now",
    "muted": "the signatures of what a mute keeps from being told",
    "coverage": "each golden signal of the runbook: ok, firing or not seen, and why",
    "sources": "how each source answered",
    "unread": "sections that were given and that this version does not read",
    "gap": "the time since the previous run",
    "channels": "when each channel took its first and its latest message, and its latest error",
    "sessions": "the latest sessions as the runs saw them, and which channels took their summary",
    "carried": "what the next run's rules may compare with",
    "conditions": "the ledger: every condition, without the fields that still have their defaults",
    "snapshot": "the redacted snapshot; sections named in `cut` were left out to stay under 1 MiB",
    "checksum": "SHA-256 of the canonical body without this field",
}


def snapshot_schema(read: Collection[str]) -> Schema:
    """Return the schema of standard input; `read` are the sections that this version reads."""
    title = "A snapshot: what was seen at one moment, each section in its source's own shape."
    return {**_head("snapshot", title), **snapshot_body(read)}


def output_schema() -> Schema:
    """Return the schema of standard output: the two-key document."""
    title = "What `python -m detector` prints: what is wrong, and what is newly wrong."
    lists = _event_lists("events", "new_events")
    return {**_head("output", title), **_object(lists), "$defs": _definitions(Event)}


def artifact_schema(parts: Mapping[str, type]) -> Schema:
    """Return the schema of the artifact, which is the report too.

    `parts` are the types of the report's `decision` and of an entry of its `coverage`.
    """
    definitions = _definitions(
        Event, Condition, SourceStatus, Gap, RunInfo, PreviousRun, ChannelHealth, SessionDay, *parts.values()
    )
    before = definitions.pop(PreviousRun.__name__)["properties"]
    carried = {name: schema for name, schema in before.items() if name not in _NOT_CARRIED}
    properties: Schema = {
        "schema_version": {"const": SCHEMA_VERSION},
        "generation": {"type": "integer", "minimum": 1},
        "taken_at": {"type": "string", "format": "date-time"},
        "runtime": {"type": "string"},
        "run": _ref(RunInfo),
        "decision": _ref(parts["decision"]),
        **_event_lists("events", "new_events", "resolved_events"),
        "held": _list({"type": "string"}),
        "muted": _list({"type": "string"}),
        "coverage": _list(_ref(parts["coverage"])),
        "sources": {"type": "object", "additionalProperties": _ref(SourceStatus)},
        "unread": _list({"type": "string"}),
        "gap": _ref(Gap),
        "channels": {"type": "object", "additionalProperties": _ref(ChannelHealth)},
        "sessions": _list(_ref(SessionDay)),
        "carried": _object(carried, optional=carried),
        "conditions": _list(_ref(Condition)),
        "snapshot": {"type": "object"},
        "checksum": {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"},
    }
    described = {
        name: {**schema, "description": ARTIFACT_FIELDS[name]} for name, schema in properties.items()
    }
    title = "What a run writes and the next one reads: the report and the memory in one."
    return {**_head("artifact", title), **_object(described, {"snapshot"}), "$defs": definitions}


def _head(name: str, title: str) -> Schema:
    return {"$schema": DIALECT, "$id": f"urn:pt-health-detector:{name}", "title": title}


def _object(properties: Mapping[str, Schema], optional: Collection[str] = ()) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _ref(kind: type) -> Schema:
    return {"$ref": f"#/$defs/{kind.__name__}"}


def _event_lists(*names: str) -> Schema:
    """Return the lists of events by name; an event says why it is told, and only where it is told."""
    listed = _list({**_ref(Event), "not": {"required": ["reason"]}})
    told = _list({**_ref(Event), "required": ["reason"]})
    return {name: listed if name == "events" else told for name in names}


def _definitions(*kinds: type) -> Schema:
    """Return the closed schemas of the given dataclasses and of all that they hold, by name."""
    from pydantic import TypeAdapter  # noqa: PLC0415 - only who asks for a schema pays for it

    wanted: list[Any] = [(kind, "serialization", TypeAdapter(kind)) for kind in kinds]
    _, made = TypeAdapter.json_schemas(wanted, ref_template="#/$defs/{model}")
    definitions = {name: _closed(name, schema) for name, schema in sorted(made["$defs"].items())}
    for field, words in EVENT_FIELDS.items():
        definitions[Event.__name__]["properties"][field]["description"] = words
    return definitions


def _closed(name: str, schema: Schema) -> Schema:
    """Return a definition without the generator's titles, in which nothing else may stand.

    Where the program writes every field, every field is required and none has a default.
    """
    compact = name in _COMPACT
    properties = {field: _plainer(part, keep_default=compact) for field, part in schema["properties"].items()}
    required = schema.get("required", []) if compact else [key for key in properties if key not in OPTIONAL]
    words = " ".join(schema.get("description", "").split())
    return {"description": words, **_object(properties), "required": required}


def _plainer(schema: Schema, keep_default: bool) -> Schema:
    """Return a field's schema without its title, a choice between simple types as one list of types."""
    left_out = {"title"} if keep_default else {"title", "default"}
    made = {key: value for key, value in schema.items() if key not in left_out}
    choices = made.get("anyOf", ())
    if choices and all(choice.keys() == {"type"} for choice in choices):
        types = [choice["type"] for choice in made.pop("anyOf")]
        made["type"] = [name for name in types if name != "integer" or "number" not in types]
    return made
