"""Rules for people and for programs: what a declaration says, in words, with the limits in force."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any

from detector.domain.event import build_runbook_link
from detector.domain.facts import Facts
from detector.domain.rule import OCCURRENCE, STATE, Declaration, Lasts, Limit, Rule
from detector.render.settings import format_setting
from detector.settings import Setting, Settings

FACT_DOCS: Mapping[str, str] = {
    spec.name: spec.metadata["doc"] for spec in fields(Facts) if "doc" in spec.metadata
}
KINDS: Mapping[str, str] = {STATE: "state", OCCURRENCE: "occurrence"}
_ORDINALS = {2: "second", 3: "third"}
_UNITS = {"seconds": " s"}


def build_rules_document(rules: Iterable[Rule], settings: Settings) -> list[dict[str, Any]]:
    """Return every rule as plain JSON values, in the given order."""
    return [build_rule_document(rule, settings) for rule in rules]


def build_rule_document(rule: Rule, settings: Settings) -> dict[str, Any]:
    """Return one rule as plain JSON values: its declaration, its words, and its limits in force."""
    declared = rule.declaration
    return {
        "type": rule.name,
        "kind": KINDS[declared.kind],
        "severity": declared.severity,
        "money": declared.money,
        "fires_when": rule.doc,
        "hours": declared.during.name,
        "escalates": describe_lasts(declared.escalates, settings),
        "worsens": describe_lasts(declared.critical_after, settings),
        "listed": "at once"
        if declared.listed_after is None
        else describe_lasts(declared.listed_after, settings),
        "confirm": declared.confirm,
        "sees": list(declared.sees),
        "any_of": list(declared.any_of),
        "weighs": list(declared.severity_inputs),
        "given": list(declared.given),
        "reads_back_sec": settings[back] if isinstance(back := declared.reads_back, Setting) else back,
        "limits": [
            _build_limit_document(setting, broken, settings) for setting, broken in list_limits(declared)
        ],
        "runbook": build_runbook_link(rule.name),
    }


def _build_limit_document(setting: Setting[Any], broken: str, settings: Settings) -> dict[str, Any]:
    return {
        "setting": setting.name,
        "value": settings[setting],
        "unit": setting.unit,
        "broken": broken or None,
        "from": settings.origins[setting.name],
    }


def render_rules(rules: Sequence[Rule], settings: Settings) -> Iterator[str]:
    """Yield a block of lines for each rule, a blank line between two."""
    for index, rule in enumerate(rules):
        if index:
            yield ""
        yield format_heading(rule)
        yield f"  {rule.doc}"
        yield f"  escalates: {describe_lasts(rule.declaration.escalates, settings)}"
        yield from (f"  limit: {line}" for line in render_limits(rule.declaration, settings))


def format_heading(rule: Rule) -> str:
    """Return the rule's name, kind and severity on one line."""
    return f"{rule.name}  ({KINDS[rule.declaration.kind]}; {describe_severity(rule.declaration)})"


def describe_severity(declared: Declaration) -> str:
    """Return the declared severity, and `money` where the rule is about money."""
    return f"{declared.severity}; money" if declared.money else declared.severity


def list_limits(declared: Declaration) -> Iterator[tuple[Setting[Any], str]]:
    """Yield each setting that the rule reads, and how its limit is broken; empty where it is no limit."""
    for limit in declared.limits:
        if isinstance(limit, Limit):
            yield limit.setting, "reached" if limit.inclusive else "exceeded"
        else:
            yield limit, ""


def render_limits(declared: Declaration, settings: Settings) -> Iterator[str]:
    """Yield one line for each limit: its name, its value in force, and when it is broken."""
    for setting, broken in list_limits(declared):
        how = f", broken when {broken}" if broken else ""
        unit = _UNITS.get(setting.unit, "")
        origin = settings.origins[setting.name]
        yield f"{setting.name} = {format_setting(setting, settings)}{unit}{how} (from: {origin})"


def describe_lasts(need: Lasts | None, settings: Settings, with_setting: bool = True) -> str:
    """Return in words how long a condition must last for something; None is never.

    `named` says which setting holds the seconds.
    """
    if need is None:
        return "never by itself"
    parts = []
    if need.seconds is not None:
        parts.append(f"once it lasted {describe_seconds(need.seconds, settings, with_setting)}")
    if need.observations is not None and need.observations > 1:
        ordinal = _ORDINALS.get(need.observations, f"{need.observations}th")
        parts.append(f"at the {ordinal} observation in a row")
    text = " and ".join(parts) or "at once"
    return f"{text}, when {need.at}" if need.at else text


def describe_seconds(seconds: Setting[float] | float, settings: Settings, with_setting: bool = True) -> str:
    """Return a number of seconds in words, and which setting holds it where `named`."""
    if not isinstance(seconds, Setting):
        return f"{seconds:g} s"
    return f"{format_setting(seconds, settings)} s{f' ({seconds.name})' if with_setting else ''}"
