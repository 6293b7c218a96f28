"""A rule of a profile's own: what it sees in a payload, when it fires, and how the engine runs it.

Each payload is judged by itself: all that a rule sees stands in one of them. The reader judges, because a
payload that the rule cannot be applied to is a fault of that payload.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from detector.domain.facts import Facts
from detector.domain.payload_path import MISSING, Extractor, KeyPath, build_extractor, list_key_paths
from detector.domain.rule import (
    ALWAYS,
    OCCURRENCE,
    PAST_GRACE,
    RTH,
    STATE,
    Declaration,
    Finding,
    Hours,
    Lasts,
    Limits,
    Rule,
    RuleResults,
    Severity,
)
from detector.domain.section_reading import Reading
from detector.formats.errors import InputError
from detector.formats.numbers import normalize_number, parse_decimal
from detector.formats.patterns import build_pattern
from detector.formats.strict_json import describe_kind, redact_excerpt
from detector.settings import Setting, Settings

HOURS: Final[Mapping[str, Hours]] = {"always": ALWAYS, "RTH": RTH, "past_grace": PAST_GRACE}
PLACEHOLDER: Final = build_pattern(r"\{(\w+)\}", re.ASCII)


class OwnRule(Struct, frozen=True, eq=False):
    """A rule of a profile.

    `sees` finds its values in a payload, `key_paths` are the keys for that. `fires` gives true or false, and
    `subject` the name of what it is about, over an object of these values and `limits`. `declaration` is that
    of any rule.
    """

    name: str
    sees: Mapping[str, Extractor]
    key_paths: tuple[KeyPath, ...]
    fires: Extractor
    subject: Extractor | None
    severity: Severity
    summary: str
    runbook: str
    limits: Mapping[str, Setting[float]]
    declaration: Declaration


class OwnSight(Struct, frozen=True):
    """What an own rule saw in one payload: whether it fires, about what, and the values."""

    fires: bool
    subject: str | None
    values: Mapping[str, Any]


def read_own_rule(rule: OwnRule, raw: Mapping[str, Any], reading: Reading, settings: Settings) -> None:
    """Judge one payload, where all that the rule sees is in it; what it cannot be applied to is a fault."""
    path = f"{reading.section}.{rule.name}"
    try:
        values = {name: _convert(extract(raw), reading) for name, extract in rule.sees.items()}
        if any(value is MISSING or value is None for value in values.values()):
            return
        judged = values | {name: settings[limit] for name, limit in rule.limits.items()}
        fires = rule.fires(judged)
        subject = rule.subject(judged) if rule.subject else None
    except InputError as failure:
        reading.add_fault(path, f"cannot be judged: {failure}")
        return
    if not isinstance(fires, bool):
        actual = "nothing" if fires is MISSING else describe_kind(fires)
        reading.add_fault(path, f"cannot be judged: `fires` gives {actual}, not true or false")
    elif rule.subject and not isinstance(subject, str | int | float):
        reading.add_fault(path, "cannot be judged: `subject` gives no name")
    else:
        reading.values[rule.name] = OwnSight(fires, None if subject is None else str(subject), values)


def _convert(value: Any, reading: Reading) -> Any:
    """Return a number for a text that is one, where the profile's payloads write numbers so."""
    decimal = parse_decimal(value) if reading.has_text_numbers else None
    return value if decimal is None else float(decimal)


def build_engine_rule(own: OwnRule, index: int) -> Rule:
    """Return the rule as the engine runs it beside the built-in ones."""

    def check(facts: Facts, limits: Limits) -> RuleResults:
        sight = facts.own[own.name]
        if sight.fires:
            yield _build_finding(own, sight, limits, facts)

    return Rule(own.name, own.declaration, check, own.summary, index, own.runbook)


def _build_finding(own: OwnRule, sight: OwnSight, limits: Limits, facts: Facts) -> Finding:
    numbers = [value for value in sight.values.values() if type(value) in (int, float)]
    shown = dict(sight.values) | {name: limits[limit] for name, limit in own.limits.items()}
    is_occurrence = own.declaration.kind == OCCURRENCE
    return Finding(
        own.severity,
        PLACEHOLDER.sub(lambda match: _format(shown[match[1]]), own.summary),
        sight.subject,
        observed=numbers[0] if len(numbers) == 1 else None,
        limit=next(iter(own.limits.values())) if len(own.limits) == 1 else None,
        at=facts.taken_at if is_occurrence else None,
        ongoing=is_occurrence,
    )


def _format(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(normalize_number(value))
    return redact_excerpt(value) if isinstance(value, str) else describe_kind(value)


def build_own_rule(table: Mapping[str, Any]) -> OwnRule:
    """Return the rule of a `[[rule]]`, which has the shape in `app/profile_document`."""
    name, limits = table["name"], table.get("limits", {})
    location = f"[[rule]] {name}"
    settings = {
        key: Setting(limit["setting"], limit["default"], "number", f"A limit of {name}.", parse_limit)
        for key, limit in limits.items()
    }
    return OwnRule(
        name,
        {key: build_extractor(path, f"{location} sees.{key}") for key, path in table["sees"].items()},
        tuple(keys for path in table["sees"].values() for keys in list_key_paths(path)),
        build_extractor(table["fires"], f"{location} fires"),
        build_extractor(table["subject"], f"{location} subject") if "subject" in table else None,
        table["severity"],
        table["summary"],
        table["runbook"],
        settings,
        _build_declaration(table, settings),
    )


def parse_limit(text: str) -> float:
    """Read a number; raises ValueError."""
    decimal = parse_decimal(text)
    if decimal is None:
        raise ValueError("is not a number")
    return float(decimal)


def _build_declaration(table: Mapping[str, Any], limits: Mapping[str, Setting[float]]) -> Declaration:
    """Return the declaration; the rule's own name stands for the fact that it sees."""
    return Declaration(
        table.get("kind", STATE),
        table["severity"],
        sees=(table["name"],),
        during=HOURS[table.get("during", "always")],
        limits=tuple(limits.values()),
        escalates=_build_duration(table, "escalates_sec"),
        listed_after=_build_duration(table, "lasts_sec"),
        confirm=table.get("confirm", False),
        money=table.get("money", False),
    )


def _build_duration(table: Mapping[str, Any], key: str) -> Lasts | None:
    return Lasts(seconds=table[key]) if key in table else None
