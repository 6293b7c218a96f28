"""Rules for people and for programs: what a declaration says, in words, with the limits in force."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from detector.domain.event import build_runbook_link
from detector.domain.facts import Facts
from detector.domain.rule import OCCURRENCE, STATE, Declaration, Lasts, Limit, Rule
from detector.render.settings import shown
from detector.settings import Setting, Settings

FACT_DOCS: Mapping[str, str] = {
    spec.name: spec.metadata["doc"] for spec in fields(Facts) if "doc" in spec.metadata
}
KINDS: Mapping[str, str] = {STATE: "state", OCCURRENCE: "occurrence"}
_ORDINALS = {2: "second", 3: "third"}
_UNITS = {"seconds": " s"}


def rules_document(rules: Iterable[Rule], settings: Settings) -> list[dict[str, Any]]:
    """Return every rule as plain JSON values, in the given order."""
    return [rule_document(one, settings) for one in rules]


def rule_document(one: Rule, settings: Settings) -> dict[str, Any]:
    """Return one rule as plain JSON values: its declaration, its words, and its limits in force."""
    declared = one.declaration
    return {
        "type": one.name,
        "kind": KINDS[declared.kind],
        "severity": declared.severity,
        "money": declared.money,
        "fires_when": one.doc,
        "hours": declared.during.name,
        "escalates": lasts_words(declared.escalates, settings),
        "worsens": lasts_words(declared.critical_after, settings),
        "listed": "at once" if declared.listed_after is None else lasts_words(declared.listed_after, settings),
        "confirm": declared.confirm,
        "sees": list(declared.sees),
        "any_of": list(declared.any_of),
        "weighs": list(declared.severity_inputs),
        "given": list(declared.given),
        "reads_back_sec": settings[back] if isinstance(back := declared.reads_back, Setting) else back,
        "limits": [_limit_document(setting, broken, settings) for setting, broken in limits_of(declared)],
        "runbook": build_runbook_link(one.name),
    }


def _limit_document(setting: Setting[Any], broken: str, settings: Settings) -> dict[str, Any]:
    return {
        "setting": setting.name,
        "value": settings[setting],
        "unit": setting.unit,
        "broken": broken or None,
        "from": settings.origins[setting.name],
    }


def rules_lines(rules: Sequence[Rule], settings: Settings) -> Iterator[str]:
    """Yield a block of lines for each rule, a blank line between two."""
    for index, one in enumerate(rules):
        if index:
            yield ""
        yield heading(one)
        yield f"  {one.doc}"
        yield f"  escalates: {lasts_words(one.declaration.escalates, settings)}"
        yield from (f"  limit: {words}" for words in limit_lines(one.declaration, settings))


def heading(one: Rule) -> str:
    """Return the rule's name, kind and severity on one line."""
    return f"{one.name}  ({KINDS[one.declaration.kind]}; {severity_words(one.declaration)})"


def severity_words(declared: Declaration) -> str:
    """Return the declared severity, and `money` where the rule is about money."""
    return f"{declared.severity}; money" if declared.money else declared.severity


def limits_of(declared: Declaration) -> Iterator[tuple[Setting[Any], str]]:
    """Yield each setting that the rule reads, and how its limit is broken; empty where it is no limit."""
    for limit in declared.limits:
        if isinstance(limit, Limit):
            yield limit.setting, "reached" if limit.inclusive else "exceeded"
        else:
            yield limit, ""


def limit_lines(declared: Declaration, settings: Settings) -> Iterator[str]:
    """Yield one line for each limit: its name, its value in force, and when it is broken."""
    for setting, broken in limits_of(declared):
        how = f", broken when {broken}" if broken else ""
        unit = _UNITS.get(setting.unit, "")
        origin = settings.origins[setting.name]
        yield f"{setting.name} = {shown(setting, settings)}{unit}{how} (from: {origin})"


def lasts_words(need: Lasts | None, settings: Settings, named: bool = True) -> str:
    """Return in words how long a condition must last for something; None is never.

    `named` says which setting holds the seconds.
    """
    if need is None:
        return "never by itself"
    parts = []
    if need.seconds is not None:
        parts.append(f"once it lasted {seconds_words(need.seconds, settings, named)}")
    if need.observations is not None and need.observations > 1:
        ordinal = _ORDINALS.get(need.observations, f"{need.observations}th")
        parts.append(f"at the {ordinal} observation in a row")
    words = " and ".join(parts) or "at once"
    return f"{words}, when {need.at}" if need.at else words


def seconds_words(seconds: Setting[float] | float, settings: Settings, named: bool = True) -> str:
    """Return a number of seconds in words, and which setting holds it where `named`."""
    if not isinstance(seconds, Setting):
        return f"{seconds:g} s"
    return f"{shown(seconds, settings)} s{f' ({seconds.name})' if named else ''}"
