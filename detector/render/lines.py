"""Lines for people: the decision with its coverage, and what was resolved."""

from __future__ import annotations

from collections.abc import Iterator

from detector.model.report import Report


def decision_line(report: Report) -> str:
    """Return the one line that says what to do, what holds, and what was not seen."""
    unseen = [covered.title for covered in report.coverage if covered.state == "not seen"]
    total = len(report.coverage)
    count = len(report.events)
    parts = [f"{report.decision.action}: {count} event{'' if count == 1 else 's'}"]
    if report.held:
        parts[0] += f" ({len(report.held)} held)"
    if len(unseen) == total and not report.events:
        parts.append(
            "nothing was checked (no section on standard input says anything, no source is configured)"
        )
    else:
        shown = f" (not seen: {', '.join(unseen)})" if unseen else ""
        parts.append(f"{total - len(unseen)} of {total} golden signals seen{shown}")
    if report.unread:
        parts.append(f"not read by this version: {', '.join(report.unread)}")
    if report.decision.note:
        parts.append(report.decision.note)
    return "; ".join(parts)


def resolved_lines(report: Report) -> Iterator[str]:
    """Yield one line for each condition of which the end is told now."""
    for event in report.resolved_events:
        yield f"{event.signature}: {event.summary}"
