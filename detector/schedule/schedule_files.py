"""Parses the lanes from the workflow's YAML and from the Worker's configuration."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

import yaml

from detector.domain.run_windows import DISPATCH, SCHEDULE, Lane, StandBy
from detector.formats.errors import InputError
from detector.formats.patterns import build_pattern
from detector.market.hours import MarketUnknown, load_zone
from detector.schedule.cron import CLOUDFLARE, GITHUB, Dialect, read_cron

EVENT_TYPE: Final = "aws_ibkr_pt_health"
WORKER_SOURCE: Final = "cloudflare-cron:"
"""The prefix of the source in a run that the Worker dispatched; its cron follows."""

_ABSENT, _ALWAYS = "absent", "always"
_JSONC: Final = build_pattern(r'("(?:[^"\\]|\\.)*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
_COMMA: Final = build_pattern(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])', re.DOTALL)


def parse_yaml(text: str) -> dict[str, Any]:
    """Return a workflow file's mapping, every scalar as text; raises InputError.

    Every scalar as text, because YAML 1.1 reads the key `on` as true.
    """
    try:
        document = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - texts, lists, mappings only
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        position = f" (line {mark.line + 1})" if mark else ""
        raise InputError(f"is not YAML{position}") from None
    return _check_mapping(document, "the file")


def parse_jsonc(text: str) -> dict[str, Any]:
    """Return the object of a JSON file with comments and trailing commas; raises InputError.

    A comment is replaced by blanks, so that the lines of errors stay correct.
    """
    bare = _JSONC.sub(lambda match: match[1] or re.sub(r"[^\n]", " ", match[0]), text)
    bare = _COMMA.sub(lambda match: match[1] or " ", bare)
    try:
        return _check_mapping(json.loads(bare), "the file")
    except json.JSONDecodeError as error:
        raise InputError(f"is not JSON (line {error.lineno})") from None
    except RecursionError:
        raise InputError("is nested too deep") from None


def get_title_prefix(document: Mapping[str, Any]) -> str:
    """Return the text of run-name before its first expression, with which the titles of its runs begin."""
    return str(document.get("run-name") or "").partition("${{")[0]


def parse_workflow_lanes(document: Mapping[str, Any]) -> tuple[Lane, ...]:
    """Return the lanes of a workflow's `on.schedule`, in its order; raises InputError."""
    triggers = document.get("on")
    entries = triggers.get(SCHEDULE) if isinstance(triggers, dict) else None
    if not isinstance(entries, list) or not entries:
        raise InputError("has no on.schedule")
    return _check_distinct(_parse_entry(entry, number) for number, entry in enumerate(entries, 1))


def _parse_entry(entry: Any, number: int) -> Lane:
    location = f"on.schedule number {number}"
    cron = entry.get("cron") if isinstance(entry, dict) else None
    if not isinstance(cron, str):
        raise InputError(f"{location}: has no cron")
    name = entry.get("timezone") or "UTC"
    if not isinstance(name, str):
        raise InputError(f"{location}: timezone is no text")
    try:
        load_zone(name)
    except (MarketUnknown, ValueError, OSError):  # OSError: a folder of zones
        raise InputError(f"{location}: timezone {name!r} is not known here") from None
    return Lane(f"{SCHEDULE} {cron}", SCHEDULE, cron, _convert_cron(cron, GITHUB, location), name)


def parse_worker_lanes(document: Mapping[str, Any]) -> tuple[Lane, ...]:
    """Return the lanes of a Worker's `triggers.crons`, in order; raises InputError."""
    triggers = document.get("triggers")
    crons = triggers.get("crons") if isinstance(triggers, dict) else None
    if not isinstance(crons, list) or not crons or not all(isinstance(entry, str) for entry in crons):
        raise InputError("has no list of texts at triggers.crons")
    stand_by = _parse_stand_by(document.get("vars") or {})
    return _check_distinct(
        Lane(
            f"{DISPATCH} {WORKER_SOURCE}{cron}",
            DISPATCH,
            cron,
            _convert_cron(cron, CLOUDFLARE, f"triggers.crons number {number}"),
            stand_by=stand_by,
        )
        for number, cron in enumerate(crons, 1)
    )


def _convert_cron(cron: str, dialect: Dialect, location: str) -> str:
    try:
        return read_cron(cron, dialect).fires
    except InputError as error:
        raise InputError(f"{location}: {error}") from None


def _parse_stand_by(variables: Any) -> StandBy | None:
    """Return the Worker's stand-by from its `vars`: MODE, two numbers of minutes and WATCH_TO_UTC."""
    mode = _check_mapping(variables, "vars").get("MODE", _ALWAYS)
    if mode not in {_ABSENT, _ALWAYS}:
        raise InputError(f"vars.MODE: {mode!r} is neither {_ABSENT!r} nor {_ALWAYS!r}")
    if mode == _ALWAYS:
        return None
    return StandBy(
        parse_minutes(variables, "PERIOD_MINUTES"),
        parse_minutes(variables, "ON_ITS_WAY_MINUTES"),
        parse_time_of_day(variables, "WATCH_TO_UTC"),
    )


def parse_minutes(variables: Mapping[str, Any], name: str) -> timedelta:
    """Return a variable that is a number of minutes; raises InputError."""
    text = str(variables.get(name, ""))
    if not re.fullmatch(r"[0-9]{1,4}", text, re.ASCII):
        raise InputError(f"vars.{name}: {text!r} is not a number of minutes")
    return timedelta(minutes=int(text))


def parse_time_of_day(variables: Mapping[str, Any], name: str) -> timedelta:
    """Return a variable such as `22:00` as the time since midnight; raises InputError."""
    text = str(variables.get(name, ""))
    if not re.fullmatch(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]", text, re.ASCII):
        raise InputError(f"vars.{name}: {text!r} is not a time of day")
    return timedelta(hours=int(text[:2]), minutes=int(text[3:]))


def _check_distinct(lanes: Iterable[Lane]) -> tuple[Lane, ...]:
    by_name: dict[str, Lane] = {}
    for lane in lanes:
        if by_name.setdefault(lane.name, lane) is not lane:
            raise InputError(f"the cron {lane.cron!r} is there twice: their runs could not be distinguished")
    return tuple(by_name.values())


def _check_mapping(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InputError(f"{name} is not a mapping")
    return value
