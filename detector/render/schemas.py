"""JSON Schemas (2020-12) of snapshot, output and artifact, generated from the models."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from detector.domain.condition import Condition
from detector.domain.event import Event
from detector.domain.previous_run import PreviousRun
from detector.domain.provenance import SourceStatus
from detector.domain.report import SCHEMA_VERSION, ChannelHealth, Gap, RunInfo, SessionDay
from detector.domain.section_account import SectionAccount
from detector.render.snapshot_schema import Schema, build_snapshot_body

DIALECT = "https://json-schema.org/draft/2020-12/schema"
# Written without the fields that still have their defaults (to_json_without_defaults); all others are whole.
_COMPACT = ("PreviousRun", "Condition", "Receipt")
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
    "reading": "what was made of each section: its age, the facts that were seen, mapped facts that were not,"
    " and how many keys were recognised, are foreign, or are not understood",
    "checked": "how many rules were judged on facts of this run; 0 means that nothing was checked",
    "gap": "the time since the previous run",
    "channels": "when each channel took its first and its latest message, and its latest error",
    "sessions": "the latest sessions as the runs saw them, and which channels took their summary",
    "carried": "what the next run's rules may compare with",
    "conditions": "the ledger: every condition, without the fields that still have their defaults",
    "snapshot": "the redacted snapshot; sections named in `cut` were left out to stay under 1 MiB",
    "checksum": "SHA-256 of the canonical body without this field",
}


def build_snapshot_schema(read_sections: Collection[str]) -> Schema:
    """Return the schema of standard input; `read_sections` are those that this version reads."""
    title = "A snapshot: what was seen at one moment, each section in its source's own shape."
    return {**_build_head("snapshot", title), **build_snapshot_body(read_sections)}


def build_output_schema() -> Schema:
    """Return the schema of standard output: the two-key document."""
    title = "What `python -m detector` prints: what is wrong, and what is newly wrong."
    lists = _build_event_lists("events", "new_events")
    return {**_build_head("output", title), **_build_object(lists), "$defs": _build_definitions(Event)}


_RECORDS = (
    Event, Condition, SourceStatus, Gap, RunInfo, PreviousRun, ChannelHealth, SessionDay, SectionAccount
)  # fmt: skip


def build_artifact_schema(parts: Mapping[str, type]) -> Schema:
    """Return the schema of the artifact, which is also the report.

    `parts` are the types of the report's `decision` and of an entry of its `coverage`.
    """
    definitions = _build_definitions(*_RECORDS, *parts.values())
    previous_run = definitions.pop(PreviousRun.__name__)["properties"]
    carried = {name: schema for name, schema in previous_run.items() if name not in _NOT_CARRIED}
    properties: Schema = {
        "schema_version": {"const": SCHEMA_VERSION},
        "generation": {"type": "integer", "minimum": 1},
        "taken_at": {"type": "string", "format": "date-time"},
        "runtime": {"type": "string"},
        "run": _build_ref(RunInfo),
        "decision": _build_ref(parts["decision"]),
        **_build_event_lists("events", "new_events", "resolved_events"),
        "held": _build_list({"type": "string"}),
        "muted": _build_list({"type": "string"}),
        "coverage": _build_list(_build_ref(parts["coverage"])),
        "sources": {"type": "object", "additionalProperties": _build_ref(SourceStatus)},
        "unread": _build_list({"type": "string"}),
        "reading": _build_list(_build_ref(SectionAccount)),
        "checked": {"type": "integer", "minimum": 0},
        "gap": _build_ref(Gap),
        "channels": {"type": "object", "additionalProperties": _build_ref(ChannelHealth)},
        "sessions": _build_list(_build_ref(SessionDay)),
        "carried": _build_object(carried, optional=carried),
        "conditions": _build_list(_build_ref(Condition)),
        "snapshot": {"type": "object"},
        "checksum": {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"},
    }
    described = {
        name: {**schema, "description": ARTIFACT_FIELDS[name]} for name, schema in properties.items()
    }
    title = "What a run writes and the next one reads: the report and the memory in one."
    return {**_build_head("artifact", title), **_build_object(described, {"snapshot"}), "$defs": definitions}


def _build_head(name: str, title: str) -> Schema:
    return {"$schema": DIALECT, "$id": f"urn:pt-health-detector:{name}", "title": title}


def _build_object(properties: Mapping[str, Schema], optional: Collection[str] = ()) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def _build_list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _build_ref(kind: type) -> Schema:
    return {"$ref": f"#/$defs/{kind.__name__}"}


def _build_event_lists(*names: str) -> Schema:
    """Return the lists of events by name; only an event that is notified has a `reason`."""
    without_reason = _build_list({**_build_ref(Event), "not": {"required": ["reason"]}})
    with_reason = _build_list({**_build_ref(Event), "required": ["reason"]})
    return {name: without_reason if name == "events" else with_reason for name in names}


def _build_definitions(*kinds: type) -> Schema:
    """Return the closed schemas of the given dataclasses and of all types in them, by name."""
    from pydantic import TypeAdapter  # noqa: PLC0415 - slow to import, and only needed for schemas

    inputs: list[Any] = [(kind, "serialization", TypeAdapter(kind)) for kind in kinds]
    _, generated = TypeAdapter.json_schemas(inputs, ref_template="#/$defs/{model}")
    definitions = {
        name: _close_definition(name, schema) for name, schema in sorted(generated["$defs"].items())
    }
    for field, description in EVENT_FIELDS.items():
        definitions[Event.__name__]["properties"][field]["description"] = description
    return definitions


def _close_definition(name: str, schema: Schema) -> Schema:
    """Return a closed definition without the generator's titles.

    Where the program writes every field, every field is required and none has a default.
    """
    is_compact = name in _COMPACT
    properties = {
        field: _strip_schema(part, keep_default=is_compact) for field, part in schema["properties"].items()
    }
    required = (
        schema.get("required", []) if is_compact else [key for key in properties if key not in OPTIONAL]
    )
    description = " ".join(schema.get("description", "").split())
    return {"description": description, **_build_object(properties), "required": required}


def _strip_schema(schema: Schema, keep_default: bool) -> Schema:
    """Return a field's schema without its title, a choice between simple types as one list of types."""
    left_out = {"title"} if keep_default else {"title", "default"}
    stripped = {key: value for key, value in schema.items() if key not in left_out}
    choices = stripped.get("anyOf", ())
    if choices and all(choice.keys() == {"type"} for choice in choices):
        types = [choice["type"] for choice in stripped.pop("anyOf")]
        stripped["type"] = [name for name in types if name != "integer" or "number" not in types]
    return stripped
