"""The report as JSON: the document for stdout, the artifact, and the document of a detector that failed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from detector.domain.condition import Event, build_runbook_link, build_signature
from detector.domain.report import SCHEMA_VERSION, Report
from detector.formats.serialize import (
    compute_checksum,
    format_canonical,
    format_document,
    to_json,
    to_json_without_defaults,
)

SNAPSHOT_MAX_BYTES = 1024 * 1024
OPTIONAL = ("reason",)  # of an event: left out where it has none
# Fields of a report that the artifact holds as they are, before and after the events.
HEAD = ("generation", "taken_at", "runtime", "run", "decision")
PARTS = (
    "held", "muted", "coverage", "sources", "foreign", "reading", "checked", "overrides",
    "warnings", "gap", "channels", "sessions",
)  # fmt: skip


def build_event_document(event: Event) -> dict[str, Any]:
    """Return one event as stdout prints it; `reason` only where there is one."""
    document: dict[str, Any] = to_json(event)
    return {key: value for key, value in document.items() if value is not None or key not in OPTIONAL}


def build_stdout_document(report: Report) -> dict[str, Any]:
    """Return the document that `python -m detector` prints: `events` and `new_events`."""
    return {
        "events": [build_event_document(event) for event in report.events],
        "new_events": [build_event_document(event) for event in report.new_events],
    }


def build_artifact_document(report: Report, with_snapshot: bool = True) -> dict[str, Any]:
    """Return the whole report with its checksum; a snapshot over 1 MiB is cut and marked as cut.

    The snapshot's keys are sorted, so that their order on input does not change the bytes.
    """
    body: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        **{name: to_json(getattr(report, name)) for name in HEAD},
        **build_stdout_document(report),
        "resolved_events": [build_event_document(event) for event in report.resolved_events],
        **{name: to_json(getattr(report, name)) for name in PARTS},
        "carried": to_json_without_defaults(report.carried),
        "conditions": [to_json_without_defaults(report.conditions[key]) for key in sorted(report.conditions)],
    }
    if with_snapshot and report.snapshot is not None:
        body["snapshot"] = json.loads(format_canonical(_cut_snapshot(to_json(report.snapshot))))
    body["checksum"] = compute_checksum(body)
    return body


def _cut_snapshot(snapshot: Mapping[str, Any]) -> dict[str, Any]:
    """Return the snapshot without its largest sections until it fits; `cut` names the sections left out."""
    sizes = {key: len(format_canonical(value)) for key, value in snapshot.items()}
    kept = dict(snapshot)
    left_out: list[str] = []
    while kept and sum(sizes[key] for key in kept) > SNAPSHOT_MAX_BYTES:
        largest = max(kept, key=lambda key: sizes[key])
        del kept[largest]
        left_out.append(largest)
    return {**kept, "cut": sorted(left_out)} if left_out else kept


def build_failure_document(error: Exception, now: datetime) -> str:
    """Return the document for stdout with one `detector_error`: the type of the error and no data."""
    name = "detector_error"
    event = Event(
        type=name,
        severity="critical",
        signature=build_signature(name, "detector", None),
        subject=None,
        reason="new",
        summary=f"The detector itself failed with {type(error).__name__}; nothing was judged.",
        observed=None,
        limit=None,
        setting=None,
        since=now,
        held=False,
        because_of=None,
        runbook=build_runbook_link(name),
    )
    new = to_json(event)
    return format_document({"events": [{k: v for k, v in new.items() if k != "reason"}], "new_events": [new]})
