"""The lanes as they are written: in the workflow's YAML and in the Worker's configuration, so that neither drifts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final

import yaml

from detector.domain.schedule_windows import DISPATCH, SCHEDULE, Lane, StandBy
from detector.market.hours import MarketUnknown, load_zone
from detector.schedule.cron import CLOUDFLARE, GITHUB, CronError, Dialect, read_cron

EVENT_TYPE: Final = "aws_ibkr_pt_health"
WORKER_SOURCE: Final = "cloudflare-cron:"
"""What the source of a run that the Worker dispatched begins with; its cron follows."""

_ABSENT, _ALWAYS = "absent", "always"
_JSONC: Final = re.compile(r'("(?:[^"\\]|\\.)*")|//[^\n]*|/\*.*?\*/', re.DOTALL)
_COMMA: Final = re.compile(r'("(?:[^"\\]|\\.)*")|,(?=\s*[}\]])', re.DOTALL)


class WrittenError(ValueError):
    """A file of which the schedule cannot be read; the message says what is wrong, not which file."""


def parse_yaml(text: str) -> dict[str, Any]:
    """Return a workflow file's mapping, every scalar as text; raises WrittenError.

    Every scalar as text, because YAML 1.1 reads the key `on` as true.
    """
    try:
        found = yaml.load(text, Loader=yaml.BaseLoader)  # noqa: S506 - it makes texts, lists and mappings, nothing else
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        raise WrittenError(f"is not YAML{where}") from None
    return _mapping(found, "the file")


def parse_jsonc(text: str) -> dict[str, Any]:
    """Return the object of a JSON file with comments and trailing commas; raises WrittenError.

    What stands in a string is no comment. A comment becomes blanks, so that a fault keeps its line.
    """
    bare = _JSONC.sub(lambda found: found[1] or re.sub(r"[^\n]", " ", found[0]), text)
    bare = _COMMA.sub(lambda found: found[1] or " ", bare)
    try:
        return _mapping(json.loads(bare), "the file")
    except json.JSONDecodeError as error:
        raise WrittenError(f"is not JSON (line {error.lineno})") from None
    except RecursionError:
        raise WrittenError("is nested too deep") from None


def title_of_workflow(document: Mapping[str, Any]) -> str:
    """Return what its run-name says before its first expression: so the titles of its runs begin."""
    return str(document.get("run-name") or "").partition("${{")[0]


def lanes_of_workflow(document: Mapping[str, Any]) -> tuple[Lane, ...]:
    """Return the lanes of a workflow's `on.schedule`, in its order; raises WrittenError."""
    triggers = document.get("on")
    entries = triggers.get(SCHEDULE) if isinstance(triggers, dict) else None
    if not isinstance(entries, list) or not entries:
        raise WrittenError("has no on.schedule")
    return _distinct(_of_entry(entry, number) for number, entry in enumerate(entries, 1))


def _of_entry(entry: Any, number: int) -> Lane:
    place = f"on.schedule number {number}"
    cron = entry.get("cron") if isinstance(entry, dict) else None
    if not isinstance(cron, str):
        raise WrittenError(f"{place}: has no cron")
    name = entry.get("timezone") or "UTC"
    if not isinstance(name, str):
        raise WrittenError(f"{place}: timezone is no text")
    try:
        load_zone(name)
    except (MarketUnknown, ValueError, OSError):  # OSError: a folder of zones
        raise WrittenError(f"{place}: timezone {name!r} is not known here") from None
    return Lane(f"{SCHEDULE} {cron}", SCHEDULE, cron, _fires(cron, GITHUB, place), name)


def lanes_of_worker(document: Mapping[str, Any]) -> tuple[Lane, ...]:
    """Return the lanes of a Worker's `triggers.crons`, in its order, and how it stands by; raises WrittenError."""
    triggers = document.get("triggers")
    crons = triggers.get("crons") if isinstance(triggers, dict) else None
    if not isinstance(crons, list) or not crons or not all(isinstance(one, str) for one in crons):
        raise WrittenError("has no list of texts at triggers.crons")
    stand_by = _stand_by(document.get("vars") or {})
    return _distinct(
        Lane(
            f"{DISPATCH} {WORKER_SOURCE}{cron}",
            DISPATCH,
            cron,
            _fires(cron, CLOUDFLARE, f"triggers.crons number {number}"),
            stand_by=stand_by,
        )
        for number, cron in enumerate(crons, 1)
    )


def _fires(cron: str, dialect: Dialect, place: str) -> str:
    try:
        return read_cron(cron, dialect).fires
    except CronError as error:
        raise WrittenError(f"{place}: {error}") from None


def _stand_by(variables: Any) -> StandBy | None:
    """Return how the Worker holds back, out of its `vars`: MODE, two numbers of minutes and WATCH_TO_UTC."""
    mode = _mapping(variables, "vars").get("MODE", _ALWAYS)
    if mode not in {_ABSENT, _ALWAYS}:
        raise WrittenError(f"vars.MODE: {mode!r} is neither {_ABSENT!r} nor {_ALWAYS!r}")
    if mode == _ALWAYS:
        return None
    return StandBy(
        minutes(variables, "PERIOD_MINUTES"),
        minutes(variables, "ON_ITS_WAY_MINUTES"),
        time_of_day(variables, "WATCH_TO_UTC"),
    )


def minutes(variables: Mapping[str, Any], name: str) -> timedelta:
    """Return a variable that is a number of minutes; raises WrittenError."""
    text = str(variables.get(name, ""))
    if not re.fullmatch(r"[0-9]{1,4}", text, re.ASCII):
        raise WrittenError(f"vars.{name}: {text!r} is not a number of minutes")
    return timedelta(minutes=int(text))


def time_of_day(variables: Mapping[str, Any], name: str) -> timedelta:
    """Return a variable such as `22:00` as the time since midnight; raises WrittenError."""
    text = str(variables.get(name, ""))
    if not re.fullmatch(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]", text, re.ASCII):
        raise WrittenError(f"vars.{name}: {text!r} is not a time of day")
    return timedelta(hours=int(text[:2]), minutes=int(text[3:]))


def _distinct(lanes: Iterable[Lane]) -> tuple[Lane, ...]:
    found: dict[str, Lane] = {}
    for lane in lanes:
        if found.setdefault(lane.name, lane) is not lane:
            raise WrittenError(
                f"the cron {lane.cron!r} stands there twice: their runs could not be told apart"
            )
    return tuple(found.values())


def _mapping(found: Any, what: str) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise WrittenError(f"{what} is not a mapping")
    return found
