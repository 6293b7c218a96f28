"""One event or one TWS code explained to a person: what it means, its limits in force, how it begins and ends."""

from __future__ import annotations

import re
from collections.abc import Iterator

from detector.domain.event import build_runbook_link
from detector.domain.rule import OCCURRENCE, Declaration, Rule
from detector.logs.codes import IBC_EXITS, CodeEntry
from detector.render.rules import FACT_DOCS, describe_lasts, describe_seconds, format_heading, render_limits
from detector.render.settings import format_setting
from detector.settings import Settings

_LABEL_WIDTH = 13


def explain_rule(rule: Rule, settings: Settings, lookback_sec: float) -> Iterator[str]:
    """Yield the lines that explain one rule's event; `lookback_sec` is how long an occurrence stays listed."""
    declared = rule.declaration
    yield format_heading(rule)
    yield rule.doc
    yield ""
    yield from _add_label("sees", [f"{name}: {FACT_DOCS[name]}" for name in declared.sees])
    yield from _add_label("sees one of", [f"{name}: {FACT_DOCS[name]}" for name in declared.any_of])
    yield from _add_label("weighs", [f"{name}: {FACT_DOCS[name]}" for name in declared.severity_inputs])
    yield from _add_label("given", [f"what {name} found in the same run" for name in declared.given])
    if declared.reads_back:
        yield from _add_label(
            "reads back", [f"log lines of the last {describe_seconds(declared.reads_back, settings)}"]
        )
    if declared.monitor:
        yield from _add_label("sees", ["what the monitor itself could see and could not"])
    yield from _add_label("hours", [declared.during.name])
    yield from _add_label("limits", list(render_limits(declared, settings)))
    yield from _add_label("told", [_describe_delivery(declared)])
    if declared.listed_after is not None:
        yield from _add_label("listed", [describe_lasts(declared.listed_after, settings)])
    if declared.critical_after is not None:
        yield from _add_label("critical", [describe_lasts(declared.critical_after, settings)])
    yield from _add_label("escalates", [_describe_escalation(declared, settings)])
    yield from _add_label("ends", [_describe_end(declared, settings, lookback_sec)])
    yield from _add_label("runbook", [build_runbook_link(rule.name)])


def explain_code(entry: CodeEntry, rule: Rule | None) -> Iterator[str]:
    """Yield the lines that explain one message code; `event` is the rule that speaks of it, where there is one."""
    yield f"{entry.code}  (TWS message code; {entry.kind})"
    yield f"{entry.meaning[0].upper()}{entry.meaning[1:]}."
    yield ""
    yield from _add_label("event", [f"{rule.name}: {rule.doc}"] if rule else ["none of this version"])
    if entry.code in IBC_EXITS:
        yield from _add_label("beware", [f"IBC's exit code of the same number: {IBC_EXITS[entry.code]}"])
    yield from _add_label("source", [entry.source])
    if rule:
        yield from _add_label("runbook", [build_runbook_link(rule.name)])


def _add_label(label: str, lines: list[str]) -> Iterator[str]:
    for number, line in enumerate(lines):
        yield f"{'' if number else f'{label}:':<{_LABEL_WIDTH}} {line}"


def _describe_delivery(declared: Declaration) -> str:
    if declared.money:
        return "at once and again on every return, for it is about money"
    if declared.confirm:
        return "from its second observation on, or at once when the data's own age proves it"
    return "once, and again when it worsens"


def _describe_escalation(declared: Declaration, settings: Settings) -> str:
    text = describe_lasts(declared.escalates, settings)
    return text if declared.escalates is not None else f"{text}, but where its section of the runbook says so"


def _describe_end(declared: Declaration, settings: Settings, lookback_sec: float) -> str:
    if declared.kind != OCCURRENCE:
        return "resolved after two runs in a row that saw it good; not seen is not good; the market's close ends nothing"
    own = declared.lookback
    longer = (
        f", or {format_setting(own, settings)} s ({own.name}) where that is longer" if own is not None else ""
    )
    over = "; sooner when it was seen to be over" if declared.explicit_good else ""
    return f"it happened and never resolves; it leaves the list {lookback_sec:g} s after its latest{longer}{over}"


def find_section(runbook: str, name: str) -> str | None:
    """Return the text of an event's section of the runbook without its heading, or None where there is none."""
    match = re.search(rf"^### `{re.escape(name)}`\n(.*?)(?=^#{{1,3}} |\Z)", runbook, re.DOTALL | re.MULTILINE)
    return match[1].strip() if match else None


def find_next_step(runbook: str, name: str) -> str | None:
    """Return what an event's section of the runbook says to *Do*, as one line, or None."""
    match = re.search(r"\*Do:\*\s+(.*?)(?=\n\n|\Z)", find_section(runbook, name) or "", re.DOTALL)
    return " ".join(match[1].split()) if match else None
