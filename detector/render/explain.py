"""One event or one TWS code explained to a person: what it means, its limits in force, how it begins and ends."""

from __future__ import annotations

import re
from collections.abc import Iterator

from detector.domain.event import build_runbook_link
from detector.domain.rule import OCCURRENCE, Declaration, Rule
from detector.logs.codes import IBC_EXITS, CodeEntry
from detector.render.rules import FACT_DOCS, heading, lasts_words, limit_lines, seconds_words
from detector.render.settings import shown
from detector.settings import Settings

_LABEL_WIDTH = 13


def explain_lines(one: Rule, settings: Settings, lookback_sec: float) -> Iterator[str]:
    """Yield the lines that explain one rule's event; `lookback_sec` is how long an occurrence stays listed."""
    declared = one.declaration
    yield heading(one)
    yield one.doc
    yield ""
    yield from _labelled("sees", [f"{name}: {FACT_DOCS[name]}" for name in declared.sees])
    yield from _labelled("sees one of", [f"{name}: {FACT_DOCS[name]}" for name in declared.any_of])
    yield from _labelled("weighs", [f"{name}: {FACT_DOCS[name]}" for name in declared.severity_inputs])
    yield from _labelled("given", [f"what {name} found in the same run" for name in declared.given])
    if declared.reads_back:
        yield from _labelled(
            "reads back", [f"log lines of the last {seconds_words(declared.reads_back, settings)}"]
        )
    if declared.monitor:
        yield from _labelled("sees", ["what the monitor itself could see and could not"])
    yield from _labelled("hours", [declared.during.name])
    yield from _labelled("limits", list(limit_lines(declared, settings)))
    yield from _labelled("told", [_told(declared)])
    if declared.listed_after is not None:
        yield from _labelled("listed", [lasts_words(declared.listed_after, settings)])
    if declared.critical_after is not None:
        yield from _labelled("critical", [lasts_words(declared.critical_after, settings)])
    yield from _labelled("escalates", [_escalates(declared, settings)])
    yield from _labelled("ends", [_ends(declared, settings, lookback_sec)])
    yield from _labelled("runbook", [build_runbook_link(one.name)])


def code_lines(entry: CodeEntry, event: Rule | None) -> Iterator[str]:
    """Yield the lines that explain one message code; `event` is the rule that speaks of it, where there is one."""
    yield f"{entry.code}  (TWS message code; {entry.kind})"
    yield f"{entry.meaning[0].upper()}{entry.meaning[1:]}."
    yield ""
    yield from _labelled("event", [f"{event.name}: {event.doc}"] if event else ["none of this version"])
    if entry.code in IBC_EXITS:
        yield from _labelled("beware", [f"IBC's exit code of the same number: {IBC_EXITS[entry.code]}"])
    yield from _labelled("source", [entry.source])
    if event:
        yield from _labelled("runbook", [build_runbook_link(event.name)])


def _labelled(label: str, lines: list[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        yield f"{'' if number else f'{label}:':<{_LABEL_WIDTH}} {line}"


def _told(declared: Declaration) -> str:
    if declared.money:
        return "at once and again on every return, for it is about money"
    if declared.confirm:
        return "from its second observation on, or at once when the data's own age proves it"
    return "once, and again when it worsens"


def _escalates(declared: Declaration, settings: Settings) -> str:
    words = lasts_words(declared.escalates, settings)
    return (
        words if declared.escalates is not None else f"{words}, but where its section of the runbook says so"
    )


def _ends(declared: Declaration, settings: Settings, lookback_sec: float) -> str:
    if declared.kind != OCCURRENCE:
        return "resolved after two runs in a row that saw it good; not seen is not good; the market's close ends nothing"
    own = declared.lookback
    longer = f", or {shown(own, settings)} s ({own.name}) where that is longer" if own is not None else ""
    over = "; sooner when it was seen to be over" if declared.explicit_good else ""
    return f"it happened and never resolves; it leaves the list {lookback_sec:g} s after its latest{longer}{over}"


def section_of(runbook: str, name: str) -> str | None:
    """Return the text of an event's section of the runbook without its heading, or None where there is none."""
    found = re.search(rf"^### `{re.escape(name)}`\n(.*?)(?=^#{{1,3}} |\Z)", runbook, re.DOTALL | re.MULTILINE)
    return found[1].strip() if found else None


def next_step(runbook: str, name: str) -> str | None:
    """Return what an event's section of the runbook says to *Do*, as one line, or None."""
    found = re.search(r"\*Do:\*\s+(.*?)(?=\n\n|\Z)", section_of(runbook, name) or "", re.DOTALL)
    return " ".join(found[1].split()) if found else None
