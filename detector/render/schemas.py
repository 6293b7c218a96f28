"""JSON Schemas (2020-12) of snapshot, output and artifact, generated from the models."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from msgspec import NODEFAULT, Struct, inspect

from detector.domain.condition import Condition, Event
from detector.domain.gate_report import GATE_VERSION, GateReport
from detector.domain.previous_run import PreviousRun
from detector.domain.provenance import SectionSummary, SourceStatus
from detector.domain.report import (
    SCHEMA_VERSION,
    ChannelHealth,
    Decision,
    Gap,
    Report,
    RunInfo,
    SessionDay,
    SignalCoverage,
)
from detector.domain.session_report import REPORT_VERSION, SessionReport
from detector.formats.serialize import to_json
from detector.render.document import HEAD, OPTIONAL, PARTS
from detector.render.message_webhook import WebhookBody
from detector.render.snapshot_schema import Schema, build_snapshot_body

_CHECKSUM = "^sha256:[0-9a-f]{64}$"
DIALECT = "https://json-schema.org/draft/2020-12/schema"
# Written without the fields that still have their defaults (to_json_without_defaults); all others are whole.
_COMPACT = ("PreviousRun", "LaneMemory", "SeenKeys", "Condition", "Receipt")
_NOT_CARRIED = ("taken_at", "lost")
EVENT_FIELDS: Mapping[str, str] = {
    "type": "the rule's name",
    "severity": "how bad it is",
    "signature": "<type>:<runtime> or <type>:<runtime>:<subject>: what it is about, and nothing that changes",
    "subject": "the thing itself, such as a symbol, an order or a source; null when it is the runtime",
    "reason": "why it is reported now; only in what is reported",
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
    "new_events": "what is due now",
    "resolved_events": "the resolutions that are reported now",
    "held": "the signatures of what fires and is not seen now",
    "muted": "the signatures that a mute keeps from being sent",
    "coverage": "each golden signal of the runbook: ok, firing or not seen, and why",
    "sources": "how each source answered",
    "foreign": "the broker's positions that AEGIS_PT_FOREIGN_POSITIONS names: counted as the owner's",
    "reading": "what was made of each section: its age, the facts that were seen, mapped facts that were not,"
    " and how many keys were recognised, are foreign, or are not understood",
    "checked": "how many rules were judged on facts of this run; 0 means that nothing was checked",
    "overrides": "closures that the owner announced for today's session",
    "warnings": "mutes that are not in force, settings that nobody reads, and limits that have no use",
    "gap": "the time since the previous run",
    "channels": "when each channel took its first and its latest message, and its latest error",
    "sessions": "the latest sessions as the runs saw them, and which channels took their summary",
    "carried": "what the next run's rules may compare with",
    "conditions": "the ledger: every condition, without the fields that still have their defaults",
    "snapshot": "the redacted snapshot; sections named in `cut` were left out to stay under 1 MiB",
    "checksum": "SHA-256 of the canonical body without this field",
}


def build_snapshot_schema() -> Schema:
    """Return the schema of standard input."""
    title = "A snapshot: what was seen at one moment, each section in its source's own shape."
    return {**_build_head("snapshot", title), **build_snapshot_body()}


def build_output_schema() -> Schema:
    """Return the schema of standard output: the two-key document."""
    title = "What `python -m detector` prints: what is wrong, and what is newly wrong."
    lists = _build_event_lists("events", "new_events")
    return {**_build_head("output", title), **_build_object(lists), "$defs": _build_definitions(Event)}


def build_webhook_schema() -> Schema:
    """Return the schema of the body that the webhook receives."""
    title = "The body of a webhook's delivery: what is due, and what a message says beside it."
    definitions = _build_definitions(WebhookBody)
    return {**_build_head("webhook", title), **definitions.pop(WebhookBody.__name__), "$defs": definitions}


_RECORDS = (
    Event, Condition, Decision, SignalCoverage, SourceStatus, Gap, RunInfo, PreviousRun, ChannelHealth,
    SessionDay, SectionSummary,
)  # fmt: skip


def build_artifact_schema() -> Schema:
    """Return the schema of the artifact, which is also the report."""
    definitions = _build_definitions(*_RECORDS)
    previous_run = definitions.pop(PreviousRun.__name__)["properties"]
    carried = {name: schema for name, schema in previous_run.items() if name not in _NOT_CARRIED}
    report: Any = inspect.type_info(Report)
    fields = {field.name: field.type for field in report.fields}
    properties: Schema = {
        "schema_version": {"const": SCHEMA_VERSION},
        **{name: _build_type(fields[name]) for name in HEAD},
        **_build_event_lists("events", "new_events", "resolved_events"),
        **{name: _build_type(fields[name]) for name in PARTS},
        "carried": _build_object(carried, optional=carried),
        "conditions": _build_list(_build_ref(Condition)),
        "snapshot": {"type": "object"},
        "checksum": {"type": "string", "pattern": _CHECKSUM},
    }
    properties["generation"]["minimum"], properties["checked"]["minimum"] = 1, 0
    described = {
        name: {**schema, "description": ARTIFACT_FIELDS[name]} for name, schema in properties.items()
    }
    title = "What a run writes and the next one reads: the report and the memory in one."
    return {**_build_head("artifact", title), **_build_object(described, {"snapshot"}), "$defs": definitions}


def build_gate_schema() -> Schema:
    """Return the schema of what `gate --json` prints and `gate --artifact` writes."""
    definitions = _build_definitions(GateReport)
    report = definitions.pop(GateReport.__name__)
    checksum = {"type": "string", "pattern": _CHECKSUM}
    properties = {**report["properties"], "schema_version": {"const": GATE_VERSION}, "checksum": checksum}
    title = "What `gate` prints with --json: each line, its answer and evidence, and the pinned exposure."
    return {**_build_head("gate", title), **_build_object(properties), "$defs": definitions}


def build_report_schema() -> Schema:
    """Return the schema of what `report --format json` prints."""
    definitions = _build_definitions(SessionReport)
    report = definitions.pop(SessionReport.__name__)
    properties = {**report["properties"], "schema_version": {"const": REPORT_VERSION}}
    title = "What `report` prints as JSON: the final line, the tables, and the timeline of a session."
    return {**_build_head("report", title), **_build_object(properties), "$defs": definitions}


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


def _build_definitions(*kinds: type[Struct]) -> Schema:
    """Return the closed schemas of the given records and of all records in them, by name."""
    types: dict[str, inspect.StructType] = {}
    for info in inspect.multi_type_info(kinds):
        _add_records(info, types)
    definitions = {name: _build_record(info) for name, info in sorted(types.items())}
    for field, description in EVENT_FIELDS.items() if Event in kinds else ():
        definitions[Event.__name__]["properties"][field]["description"] = description
    return definitions


def _add_records(info: Any, types: dict[str, inspect.StructType]) -> None:
    """Add the record types within a type, itself among them, by name."""
    if isinstance(info, inspect.StructType) and types.setdefault(info.cls.__name__, info) is info:
        for field in info.fields:
            _add_records(field.type, types)
    for part in (*getattr(info, "types", ()), *_list_item_types(info)):
        _add_records(part, types)


def _list_item_types(info: Any) -> Iterator[inspect.Type]:
    for name in ("item_type", "value_type"):
        if hasattr(info, name):
            yield getattr(info, name)


def _build_record(info: inspect.StructType) -> Schema:
    """Return a closed definition; its description is the docstring.

    Where the program writes every field, every field is required and none has a default.
    """
    is_compact = info.cls.__name__ in _COMPACT
    properties = {
        field.encode_name: _build_type(field.type) | (_build_default(field) if is_compact else {})
        for field in info.fields
    }
    required = [
        field.encode_name
        for field in info.fields
        if (field.required if is_compact else field.encode_name not in OPTIONAL)
    ]
    description = " ".join((info.cls.__doc__ or "").split())
    return {"description": description, **_build_object(properties), "required": required}


def _build_default(field: inspect.Field) -> Schema:
    return {} if field.default is NODEFAULT else {"default": to_json(field.default)}


def _build_type(info: Any) -> Schema:
    """Return the schema of a field's type; raises TypeError for a type that no artifact holds."""
    build = _BUILDERS.get(type(info))
    if build is None:
        raise TypeError(f"no schema for {info}")
    return build(info)


def _build_union(choices: list[Schema]) -> Schema:
    """Return a choice; of simple types as one list of them, where a number includes the integers."""
    if any(choice.keys() != {"type"} for choice in choices):
        return {"anyOf": choices}
    types = [choice["type"] for choice in choices]
    return {"type": [name for name in types if name != "integer" or "number" not in types]}


def _build_array(info: Any) -> Schema:
    return _build_list(_build_type(info.item_type))


_BUILDERS: Mapping[type[inspect.Type], Callable[[Any], Schema]] = {
    inspect.BoolType: lambda _: {"type": "boolean"},
    inspect.DateTimeType: lambda _: {"type": "string", "format": "date-time"},
    inspect.FloatType: lambda _: {"type": "number"},
    inspect.IntType: lambda _: {"type": "integer"},
    inspect.NoneType: lambda _: {"type": "null"},
    inspect.StrType: lambda _: {"type": "string"},
    inspect.LiteralType: lambda info: {"type": "string", "enum": list(info.values)},
    inspect.StructType: lambda info: _build_ref(info.cls),
    inspect.UnionType: lambda info: _build_union([_build_type(part) for part in info.types]),
    inspect.ListType: _build_array,
    inspect.VarTupleType: _build_array,
    inspect.FrozenSetType: lambda info: {**_build_array(info), "uniqueItems": True},
    inspect.DictType: lambda info: {"type": "object", "additionalProperties": _build_type(info.value_type)},
}
