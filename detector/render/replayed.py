"""A replay for people and for programs: a line a transition, two histories side by side, a summary."""

from __future__ import annotations

from typing import Any

from detector.formats.times import span, text_of

_NOT_TOLD = "-"


def change_line(change: Any) -> str:
    """Return one transition as a line: time, what was told and why, severity, what it became, the sentence."""
    told = change.told or _NOT_TOLD
    return (
        f"{text_of(change.at)}  {told:<17} {change.severity:<8}  {change.to:<9}  "
        f"{change.signature}: {change.summary}"
    )


def difference_line(side: str, change: Any) -> str:
    """Return one line for what was told under only one of the two settings."""
    return f"only {side:<6}  {change_line(change)}"


def summary_document(summary: Any) -> dict[str, Any]:
    """Return the summary for programs."""
    return {
        "snapshots": summary.snapshots,
        "from": text_of(summary.first) if summary.first else None,
        "to": text_of(summary.last) if summary.last else None,
        "conditions": summary.conditions,
        "told": summary.told,
        "longest_sec": summary.longest_sec,
        "longest": summary.longest,
        "blind_sec": summary.blind_sec,
        "out_of_order": summary.out_of_order,
    }


def change_document(change: Any) -> dict[str, Any]:
    """Return one transition for programs."""
    return {
        "at": text_of(change.at),
        "signature": change.signature,
        "severity": change.severity,
        "to": change.to,
        "told": change.told,
        "summary": change.summary,
    }


def summary_lines(named: list[tuple[str, Any]]) -> list[str]:
    """Return the summaries of one or two replays as a table, a column each."""
    rows: list[tuple[str, list[str]]] = [
        ("", [name for name, _ in named]),
        ("snapshots", [str(one.snapshots) for _, one in named]),
        ("conditions", [str(one.conditions) for _, one in named]),
        ("told", [str(one.told) for _, one in named]),
        ("longest", [f"{span(one.longest_sec)}" if one.longest else "none" for _, one in named]),
        ("", [one.longest or "" for _, one in named]),
        ("blind time in the session", [span(one.blind_sec) for _, one in named]),
        ("out of order", [str(one.out_of_order) for _, one in named]),
    ]
    width = max(len(cell) for _, cells in rows for cell in cells) + 2
    lines = [f"{label:<26}" + "".join(f"{cell:<{width}}" for cell in cells) for label, cells in rows]
    return [line.rstrip() for line in lines if line.strip()]


def step_line(ran: Any) -> str:
    """Return one step of a timeline: when, what was told, and how it differs from the script."""
    verdict = "ok  " if not ran.faults else "FAIL"
    told = ", ".join(ran.told) or "nothing"
    shown = "".join(f"\n      {fault}" for fault in ran.faults)
    return f"{verdict}  step {ran.step.number:>3}  {text_of(ran.at)}  {ran.decision:<8}  told: {told}{shown}"
