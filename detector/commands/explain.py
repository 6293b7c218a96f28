"""`explain`: one event or one IBKR code in words: what it means, how it ends, what to do."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches

import click

from detector.app.context import Door, Refused
from detector.app.output import show_lines
from detector.app.runbook import runbook
from detector.engine.catalog import load_rules, find_rule
from detector.formats.strict_json import clipped
from detector.ledger.run import OCCURRENCE_LOOKBACK_SEC
from detector.logs.codes import find_code_entry
from detector.render.explain import explain_code, explain_rule, find_section
from detector.settings import Settings

_LONGEST_CODE = 6


@click.command(epilog="Example: python -m detector explain heartbeat_stale")
@click.argument("event", metavar="EVENT|CODE")
@click.option("--env-file", metavar="FILE", help="A file of settings; the environment wins over it.")
@click.pass_obj
def command(door: Door, /, event: str, env_file: str | None) -> int:
    """Explain an event, by its type or its whole signature, or a message code of IBKR, by its number.

    An event with its meaning, its limits in force, how it escalates and ends, and its section of the
    runbook; a code with its class, its meaning, the event that speaks of it, and who says so.
    """
    if event.isdecimal():
        return show_lines(door, _code(event))
    return show_lines(door, _event(event.partition(":")[0], door.settings(env_file)))


def _code(number: str) -> Iterator[str]:
    entry = find_code_entry(int(number)) if len(number) <= _LONGEST_CODE else None
    if entry is None:
        raise Refused(f"no known source says what code {clipped(number)} means")
    return explain_code(entry, find_rule(entry.event) if entry.event else None)


def _event(name: str, settings: Settings) -> Iterator[str]:
    one = find_rule(name)
    if one is None:
        raise Refused(f"no event is named {clipped(name)!r}; the nearest known one is {_nearest(name)!r}")
    yield from explain_rule(one, settings, OCCURRENCE_LOOKBACK_SEC)
    section = find_section(runbook(), name)
    if section:
        yield ""
        yield section


def _nearest(name: str) -> str:
    return get_close_matches(name.lower(), [one.name for one in load_rules()], n=1, cutoff=0.0)[0]
