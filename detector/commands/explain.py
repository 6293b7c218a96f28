"""`explain`: one event or one IBKR code: its meaning, its end and the steps to take."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from detector.app.context import AppContext, print_lines
from detector.app.input_documents import load_report, read_runbook
from detector.commands import env_file_option
from detector.engine.catalog import find_rule
from detector.engine.evaluate import list_rules
from detector.formats.errors import InputError
from detector.formats.similar_names import describe_nearest_name
from detector.formats.strict_json import redact_excerpt
from detector.ledger.not_firing import OCCURRENCE_LOOKBACK_SEC
from detector.logs.codes import find_code_entry
from detector.render.rules import (
    drop_commands,
    explain_code,
    explain_condition,
    explain_rule,
    find_section,
    render_plain,
    replace_places,
)
from detector.settings import Settings

_LONGEST_CODE = 6
_MOST_SIGNATURES = 20


@click.command(epilog="Example: python -m detector explain heartbeat_stale")
@click.argument("event", metavar="EVENT|CODE")
@click.option(
    "--artifact",
    metavar="FILE",
    help="Add the state of a whole signature in this artifact: since, delivered, acknowledged.",
)
@env_file_option
@click.pass_obj
def command(app: AppContext, /, event: str, artifact: str | None, env_file: str | None) -> int:
    """Explain an event or a message code of IBKR.

    An event by its type or its whole signature, with its meaning, its limits in force, how it escalates and
    ends, and its section of the runbook; a code by its number, with its class, its meaning, the event that
    speaks of it, and who says so.
    """
    if event.isdecimal():
        return print_lines(app, _explain_code(event))
    lines = list(_explain_event(event.partition(":")[0], app.load_settings(env_file)))
    if artifact is not None:
        lines += ["", *_explain_state(app, event, artifact)]
    return print_lines(app, lines)


def _explain_code(number: str) -> Iterator[str]:
    entry = find_code_entry(int(number)) if len(number) <= _LONGEST_CODE else None
    if entry is None:
        raise InputError(
            f"no known source says what code {redact_excerpt(number)} means:"
            " read its line, and look it up in IBKR's API message codes"
        )
    return explain_code(entry, find_rule(entry.event) if entry.event else None)


def _explain_state(app: AppContext, signature: str, artifact: str) -> Iterator[str]:
    """Yield the state of a condition in an artifact; raises InputError where it is not there."""
    _, report = load_report(Path(artifact), app.clock())
    condition = report.conditions.get(signature)
    if condition is None:
        known = ", ".join(sorted(report.conditions)[:_MOST_SIGNATURES]) or "none"
        raise InputError(f"{artifact} holds no condition {redact_excerpt(signature)} (it holds: {known})")
    yield from explain_condition(condition, report.taken_at)


def _explain_event(name: str, settings: Settings) -> Iterator[str]:
    rules = {rule.name: rule for rule in list_rules(settings)}
    if name not in rules:
        raise InputError(
            f"no event is named {redact_excerpt(name)!r}; {describe_nearest_name(name, rules, 'rules')}"
        )
    rule = rules[name]
    yield from explain_rule(rule, settings, OCCURRENCE_LOOKBACK_SEC)
    section = find_section(read_runbook(), name)
    if section:
        yield ""
        yield render_plain(replace_places(drop_commands(section, settings), settings))
