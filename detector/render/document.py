"""The report as JSON: the two-key document of stdout, and the whole artifact."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from detector.domain.event import Event
from detector.domain.report import SCHEMA_VERSION, Report
from detector.formats.checksum import checksum_of
from detector.formats.serialize import compact, plain
from detector.formats.strict_json import canonical

SNAPSHOT_MAX_BYTES = 1024 * 1024
_OPTIONAL = ("reason",)


def build_event_document(event: Event) -> dict[str, Any]:
    """Return one event as stdout shows it; `reason` only where there is one."""
    document: dict[str, Any] = plain(event)
    return {key: value for key, value in document.items() if value is not None or key not in _OPTIONAL}


def build_stdout_document(report: Report) -> dict[str, Any]:
    """Return exactly what `python -m detector` prints: `events` and `new_events`."""
    return {
        "events": [build_event_document(event) for event in report.events],
        "new_events": [build_event_document(event) for event in report.new_events],
    }


def build_artifact_document(report: Report, with_snapshot: bool = True) -> dict[str, Any]:
    """Return the whole report with its checksum; the snapshot is cut at 1 MiB and then marked as cut.

    Its keys are sorted, so that a snapshot whose keys came in another order gives the same bytes.
    """
    body: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "generation": report.generation,
        "taken_at": plain(report.taken_at),
        "runtime": report.runtime,
        "run": plain(report.run),
        "decision": plain(report.decision),
        **build_stdout_document(report),
        "resolved_events": [build_event_document(event) for event in report.resolved_events],
        "held": plain(report.held),
        "muted": plain(report.muted),
        "coverage": plain(report.coverage),
        "sources": plain(report.sources),
        "unread": plain(report.unread),
        "gap": plain(report.gap),
        "channels": plain(report.channels),
        "sessions": plain(report.sessions),
        "carried": compact(report.carried),
        "conditions": [compact(report.conditions[key]) for key in sorted(report.conditions)],
    }
    if with_snapshot and report.snapshot is not None:
        body["snapshot"] = json.loads(canonical(_cut_snapshot(plain(report.snapshot))))
    body["checksum"] = checksum_of(body)
    return body


def _cut_snapshot(snapshot: Mapping[str, Any]) -> dict[str, Any]:
    """Return the snapshot, largest sections left out until it fits, and said which."""
    sizes = {key: len(canonical(value)) for key, value in snapshot.items()}
    kept = dict(snapshot)
    left_out: list[str] = []
    while kept and sum(sizes[key] for key in kept) > SNAPSHOT_MAX_BYTES:
        largest = max(kept, key=lambda key: sizes[key])
        del kept[largest]
        left_out.append(largest)
    return {**kept, "cut": sorted(left_out)} if left_out else kept
