"""The document of a detector that failed itself: still valid, and a critical event."""

from __future__ import annotations

from datetime import datetime

from detector.domain.event import Event, build_runbook_link
from detector.domain.signature import build_signature
from detector.formats.serialize import to_json
from detector.formats.strict_json import format_document


def build_failure_document(error: Exception, now: datetime) -> str:
    """Return the two-key document with one `detector_error`; it names the kind of error and no data."""
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
