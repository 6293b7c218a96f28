"""Rules, message codes and conditions explained, sections of the runbook, and every rule as JSON."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from shlex import quote
from textwrap import indent
from typing import Any

from detector.domain.columns import get_declarations
from detector.domain.condition import Condition, build_runbook_link
from detector.domain.facts import Facts
from detector.domain.rule import OCCURRENCE, STATE, Declaration, Lasts, Limit, Rule
from detector.formats.numbers import format_list
from detector.formats.patterns import build_pattern
from detector.formats.redaction import redact_text
from detector.formats.times import format_exactly, format_utc
from detector.logs.codes import IBC_EXITS, CodeEntry
from detector.render.settings import format_setting
from detector.settings import (
    AWS_PROFILE,
    AWS_REGION,
    BOT_STATUS_URL,
    ECS_CLUSTER,
    ECS_SERVICE,
    GATEWAY_CONTAINER,
    LOG_GROUP,
    STANDBY_DOCKER_URL,
    STANDBY_PATTERN,
    STATUS_URL,
    TRADER_CONTAINER,
    Setting,
    Settings,
    has_any_source,
)

FACT_DOCS: Mapping[str, str] = {name: details["doc"] for name, details in get_declarations(Facts).items()}
_OWN = "what the profile's rule of that name sees in one payload"
KINDS: Mapping[str, str] = {STATE: "state", OCCURRENCE: "occurrence"}
_ORDINALS = {2: "second", 3: "third"}
_UNITS = {"seconds": " s"}
_LABEL_WIDTH = 13
_LINK = build_pattern(r"\[([^\]]+)\]\([^)]*\)")
# `code`, **strong** and *stressed*
_MARKUP = build_pattern(r"`([^`]+)`|\*\*([^*]+)\*\*|\*([^*\s][^*]*)\*")
_SENTENCE_END = build_pattern(r"(?<=[.!?])\s+(?=[A-Z`*])")
_CASE_NAME = build_pattern(r"`([a-z_]+)`")
# "With `phantom` or `side`: press no button." is a step of those two cases alone
_CASE = build_pattern(r"With `[a-z_]+`(?:(?:, | or )`[a-z_]+`)*: (?=.)")
_WORD = build_pattern(r"[a-z_]+")
_COMMENT = build_pattern(r"^<!-- .* -->\n", re.MULTILINE)


def build_rules_document(rules: Iterable[Rule], settings: Settings) -> list[dict[str, Any]]:
    """Return every rule as plain JSON values, in the given order."""
    return [build_rule_document(rule, settings) for rule in rules]


def build_rule_document(rule: Rule, settings: Settings) -> dict[str, Any]:
    """Return one rule as plain JSON values: its declaration, its sentence, and its limits in force."""
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
        "runbook": rule.runbook or build_runbook_link(rule.name),
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
    """Yield each setting that the rule reads with when it is broken; empty where it is no limit."""
    for limit in declared.limits:
        if isinstance(limit, Limit):
            yield limit.setting, limit.broken
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
    """Return as text how long a condition must last; None means never.

    `with_setting` adds the name of the setting that holds the seconds.
    """
    if need is None:
        return "never by itself"
    parts = []
    if need.seconds is not None:
        parts.append(f"once it lasted {describe_seconds(need.seconds, settings, with_setting)}")
    if need.observations is not None and need.observations > 1:
        ordinal = _ORDINALS.get(need.observations, f"{need.observations}th")
        parts.append(f"at the {ordinal} observation in a row")
    text = (" or " if need.either else " and ").join(parts) or "at once"
    return f"{text}, when {need.at}" if need.at else text


def describe_seconds(seconds: Setting[float] | float, settings: Settings, with_setting: bool = True) -> str:
    """Return a number of seconds as text; `with_setting` adds the name of its setting."""
    if not isinstance(seconds, Setting):
        return format_exactly(seconds)
    return f"{format_exactly(settings[seconds])}{f' ({seconds.name})' if with_setting else ''}"


def explain_rule(rule: Rule, settings: Settings, lookback_sec: float) -> Iterator[str]:
    """Yield the lines that explain one rule's event.

    `lookback_sec` is the time for which an occurrence stays listed.
    """
    declared = rule.declaration
    yield format_heading(rule)
    yield rule.doc
    yield ""
    yield from _add_label("sees", [f"{name}: {FACT_DOCS.get(name, _OWN)}" for name in declared.sees])
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
    yield from _add_label("alerts", [_describe_delivery(declared)])
    if declared.listed_after is not None:
        yield from _add_label("listed", [describe_lasts(declared.listed_after, settings)])
    if declared.critical_after is not None:
        yield from _add_label("critical", [describe_lasts(declared.critical_after, settings)])
    yield from _add_label("escalates", [_describe_escalation(declared, settings)])
    yield from _add_label("ends", [_describe_end(declared, settings, lookback_sec)])
    yield from _add_label("runbook", [rule.runbook or build_runbook_link(rule.name)])


def explain_code(entry: CodeEntry, rule: Rule | None) -> Iterator[str]:
    """Yield the lines that explain one message code; `rule` is the rule that reports it, if any."""
    yield f"{entry.code}  (TWS message code; {entry.kind})"
    yield f"{entry.meaning[0].upper()}{entry.meaning[1:]}."
    yield ""
    yield from _add_label("event", [f"{rule.name}: {rule.doc}"] if rule else ["none of this version"])
    if entry.code in IBC_EXITS:
        yield from _add_label("beware", [f"IBC's exit code of the same number: {IBC_EXITS[entry.code]}"])
    yield from _add_label("source", [entry.source])
    if rule:
        yield from _add_label("runbook", [rule.runbook or build_runbook_link(rule.name)])


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
        return (
            "resolved after two runs in a row that saw it good; "
            "not seen is not good; the market's close ends nothing"
        )
    own = declared.lookback
    longer = f", or {describe_seconds(own, settings)} where that is longer" if own is not None else ""
    over = "; sooner when it was seen to be over" if declared.explicit_good else ""
    leaves = f"it leaves the list {format_exactly(lookback_sec)} after its latest{longer}{over}"
    return f"it happened and never resolves; {leaves}"


def find_section(runbook: str, name: str) -> str | None:
    """Return an event's section of the runbook without its heading and comments, or None."""
    section = _split_sections(runbook).get(f"### `{name}`")
    return None if section is None else _COMMENT.sub("", section).strip()


@lru_cache(maxsize=1)
def _split_sections(runbook: str) -> dict[str, str]:
    """Return by heading the text of each section, all in one pass; the first of two with one heading."""
    # A line of a block of commands may begin with `# `.
    parts = re.split(r"^(#{2,3} .*)\n?", runbook, flags=re.MULTILINE)
    return dict(zip(reversed(parts[1::2]), reversed(parts[2::2]), strict=True))


def render_plain(section: str) -> str:
    """Return a section of the runbook as plain text: commands stand indented, and no markup is left."""
    parts = re.split(r"^```.*\n", section, flags=re.MULTILINE)
    parts[::2] = [
        _MARKUP.sub(lambda match: next(filter(None, match.groups())), _LINK.sub(r"\1", part))
        for part in parts[::2]
    ]
    parts[1::2] = [indent(part, "    ") for part in parts[1::2]]
    return "".join(parts)


# What each command of the runbook asks, by its heading, and the settings of which one names that place.
COMMAND_SETTINGS: Mapping[str, tuple[Setting[Any], ...]] = {
    **dict.fromkeys(("service", "tasks", "stopped tasks"), (ECS_CLUSTER,)),
    "logs": (LOG_GROUP,),
    "status": (STATUS_URL, BOT_STATUS_URL),
    "standby": (STANDBY_DOCKER_URL,),
}


# The runbook's names of the built-in runtime, and the places that its commands leave open.
_NAMES: Mapping[str, Setting[str]] = {
    "aegis-pt-core": ECS_SERVICE,
    "lt-ibkr-trader": TRADER_CONTAINER,
    "ibkr-gateway": GATEWAY_CONTAINER,
}
_PLACES: Mapping[str, Setting[str]] = {
    '"$CLUSTER"': ECS_CLUSTER,
    '"$PROFILE"': AWS_PROFILE,
    '"$LOG_GROUP"': LOG_GROUP,
    '"$STATUS_URL"': STATUS_URL,
    '"ssh://$STANDBY"': STANDBY_DOCKER_URL,
}


def replace_places(section: str, settings: Settings) -> str:
    """Return a section with the names and places of this runtime, as far as the settings know them.

    What would be hidden as a secret stays open, and so does a place that the command does not take.
    """
    for name, setting in _NAMES.items():
        own = settings[setting].replace("\\", r"\\")
        section = re.sub(rf"(?<![\w-]){name}(?![\w-])", own, section)
    section = section.replace("name=aegis-lt-ibkr-", f"name={quote(_get_prefix(settings[STANDBY_PATTERN]))}")
    for place, setting in _PLACES.items():
        value = re.sub(r"^http://", "tcp://", settings[setting]) if "ssh" in place else settings[setting]
        if value and redact_text(value) == value and not ("ssh" in place and value.startswith("https:")):
            section = section.replace(place, quote(value))
    if settings[AWS_REGION]:
        section = section.replace(" --profile ", f" --region {quote(settings[AWS_REGION])} --profile ")
    return section


def _get_prefix(pattern: str) -> str:
    return re.split(r"[*?\[]", pattern, maxsplit=1)[0]


def drop_commands(section: str, settings: Settings) -> str:
    """Return a section without the commands that ask what this bot does not have: no AWS, no standby host.

    Where no source is configured at all, nobody knows what it has, and all of them stay.
    """
    if not has_any_source(settings):
        return section
    unset = {
        name: needed
        for name, needed in COMMAND_SETTINGS.items()
        if not any(settings[setting] for setting in needed)
    }
    for heading, needed in unset.items():
        reason = f"# {heading}: no command, as {format_list(setting.name for setting in needed)} is not set"
        section = re.sub(rf"^# {heading}\n(?:[^#`\n].*\n)+", f"{reason}\n", section, flags=re.MULTILINE)
    return section


def find_next_step(runbook: str, name: str) -> str | None:
    """Return the *Do* part of an event's section of the runbook as one line, or None."""
    match = re.search(r"\*Do:\*\s+(.*?)(?=\n\n|\Z)", find_section(runbook, name) or "", re.DOTALL)
    return " ".join(match[1].split()) if match else None


def choose_case(step: str, observed: object) -> str:
    """Return a step without the sentences of other cases.

    "With `phantom` or `side`: press no button." is of two cases; the observed one loses its introduction.
    """
    if not isinstance(observed, str):
        return step
    kept = ((sentence, _CASE.match(sentence)) for sentence in _SENTENCE_END.split(step))
    return " ".join(
        sentence if case is None else sentence[case.end()].upper() + sentence[case.end() + 1 :]
        for sentence, case in kept
        if case is None or set(_CASE_NAME.findall(case[0])) & set(_WORD.findall(observed))
    )


def explain_condition(condition: Condition, moment: datetime) -> Iterator[str]:
    """Yield the lines of a condition's state at the time of its artifact."""
    yield f"In the artifact of {format_utc(moment)}:"
    ended = f", ended {format_utc(condition.ended_at)}" if condition.ended_at is not None else ""
    yield f"  {condition.severity}, {condition.phase}, since {format_utc(condition.first_seen)}{ended}"
    for name, receipt in sorted(condition.receipts.items()):
        at = format_utc(receipt.at) if receipt.at is not None else "at an unknown time"
        yield f"  notified: {name}, {receipt.content}, {at}"
    in_force = condition.get_acknowledgement(moment)
    for ack in condition.acks:
        state = "in force" if ack is in_force else "no longer in force"
        times = f"at {format_utc(ack.at)} until {format_utc(ack.until)}"
        yield f"  acknowledged: by {ack.by} ({ack.via}) {times}, {state}"
    if in_force is None and condition.waiting_since is not None:
        yield f"  nobody has acknowledged it since {format_utc(condition.waiting_since)}"
