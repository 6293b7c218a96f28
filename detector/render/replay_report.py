"""A replay as text and as JSON: a line for each transition, the difference of two histories, a summary."""

from __future__ import annotations

from typing import Any

from detector.formats.times import format_duration, format_time

_NOT_NOTIFIED = "-"


def format_change(change: Any) -> str:
    """Return one transition as a line: time, reason of the notice, severity, new phase, sentence."""
    reason = change.reason or _NOT_NOTIFIED
    return (
        f"{format_time(change.at)}  {reason:<17} {change.severity:<8}  {change.to:<9}  "
        f"{change.signature}: {change.summary}"
    )


def format_difference(side: str, change: Any) -> str:
    """Return one line for a notice that only one of the two settings gives."""
    return f"only {side:<6}  {format_change(change)}"


def build_summary_document(summary: Any) -> dict[str, Any]:
    """Return the summary as JSON values."""
    return {
        "snapshots": summary.snapshots,
        "from": format_time(summary.first) if summary.first else None,
        "to": format_time(summary.last) if summary.last else None,
        "conditions": summary.conditions,
        "told": summary.notified,
        "longest_sec": summary.longest_sec,
        "longest": summary.longest,
        "blind_sec": summary.blind_sec,
        "out_of_order": summary.out_of_order,
    }


def build_change_document(change: Any) -> dict[str, Any]:
    """Return one transition as JSON values."""
    return {
        "at": format_time(change.at),
        "signature": change.signature,
        "severity": change.severity,
        "to": change.to,
        "told": change.reason,
        "summary": change.summary,
    }


def render_summaries(summaries: list[tuple[str, Any]]) -> list[str]:
    """Return the summaries of one or two replays as a table, a column each."""
    rows: list[tuple[str, list[str]]] = [
        ("", [name for name, _ in summaries]),
        ("snapshots", [str(summary.snapshots) for _, summary in summaries]),
        ("conditions", [str(summary.conditions) for _, summary in summaries]),
        ("alerts", [str(summary.notified) for _, summary in summaries]),
        (
            "longest",
            [
                f"{format_duration(summary.longest_sec)}" if summary.longest else "none"
                for _, summary in summaries
            ],
        ),
        ("", [summary.longest or "" for _, summary in summaries]),
        ("blind time in the session", [format_duration(summary.blind_sec) for _, summary in summaries]),
        ("out of order", [str(summary.out_of_order) for _, summary in summaries]),
    ]
    width = max(len(cell) for _, cells in rows for cell in cells) + 2
    lines = [f"{label:<26}" + "".join(f"{cell:<{width}}" for cell in cells) for label, cells in rows]
    return [line.rstrip() for line in lines if line.strip()]
