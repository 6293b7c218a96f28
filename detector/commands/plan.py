"""`plan`: what would have to change where for the stores and the broker to agree; it changes nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from detector.app.broker_state import STATUS, Look, Seen, seen
from detector.app.context import Door, Refused
from detector.app.output import show_json, show_lines
from detector.domain.previous_run import NO_PREVIOUS_RUN, PreviousRun
from detector.domain.profile import Profile
from detector.engine.catalog import load_rules
from detector.formats.strict_json import DocumentError
from detector.readers.previous import ExpectedMemory, read_previous
from detector.reconciliation.freshness import describe_age, explain_unreliable
from detector.reconciliation.repair_plan.plan import build_items
from detector.reconciliation.repair_plan.reopened import list_exposed, explain_stop
from detector.reconciliation.repair_plan.store_state import explain_incomplete_stores
from detector.render.plan import Plan, build_plan_document, render_plan
from detector.settings import HEARTBEAT_STALE_SEC, PROFILE, TRUTH_MAX_AGE_SEC
from detector.storage import file as local

_AGREE, _DIFFER, _CANNOT_TELL = 0, 1, 3


@click.command(epilog="Example: python -m detector plan --previous last.json < snapshot.json")
@click.option(
    "--previous", metavar="FILE", help="The previous artifact: what was seen closed, and is open again."
)
@click.option("--collect", is_flag=True, help="Ask the sources even where something is piped in.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--now", metavar="TIME", help="The clock at the door, RFC 3339 (for tests and replays).")
@click.option("--env-file", metavar="FILE", help="A file of settings; the environment wins over it.")
@click.pass_obj
def command(
    door: Door, /, previous: str | None, collect: bool, as_json: bool, now: str | None, env_file: str | None
) -> int:
    """Say what would have to change where for the stores and the broker to agree, and in which order.

    For each difference: what each store says, what the broker says with its fills and what it realized, which
    row is wrong and what would agree, what has to stand still first so that a cache does not undo it, and what
    cannot be decided. It changes nothing, and prints nothing that could be run. Exit 0 all agree, 1 something
    differs, 3 the broker or the stores were not read, or not in full.
    """
    settings = door.settings(env_file)
    look = Look(("broker", "stores", *STATUS, "ecs"), now, collect, at_its_own_time=True)
    found = seen(door, settings, look, lambda given: _before(door, previous, given))
    plan = _plan(found)
    told = show_json(door, build_plan_document(plan)) if as_json else show_lines(door, render_plan(plan))
    return told or _code(plan)


def _code(plan: Plan) -> int:
    if plan.doubt is not None or plan.stores_doubt is not None:
        return _CANNOT_TELL
    return _DIFFER if plan.items else _AGREE


def _plan(found: Seen) -> Plan:
    facts, settings = found.facts, found.settings
    doubt = explain_unreliable(facts)
    if doubt is not None:
        facts = replace(facts, broker_positions=None)  # what is not believed is not seen
    listed = build_items(facts)
    return Plan(
        facts.runtime,
        found.at,
        found.age,
        listed,
        explain_stop(facts, listed, settings[HEARTBEAT_STALE_SEC]),
        list_exposed(facts, listed),
        doubt,
        explain_incomplete_stores(facts),
        None if doubt is not None else _too_old(found),
        _own_names(settings.files[PROFILE.name]),
    )


def _too_old(found: Seen) -> str | None:
    """Return why the broker's word is too old to change a row by, None where it is not."""
    limit = found.settings[TRUTH_MAX_AGE_SEC]
    if found.age.seconds is None:
        return f"when its word was true is not known ({found.age.fault})."
    if found.age.seconds > limit:
        return f"its word is {describe_age(found.age.seconds, limit)}."
    return None


def _own_names(profile: Profile) -> dict[str, dict[str, str]]:
    """Return by store the one name that a column of ours has there; of several nobody knows which."""
    return {
        store: {column: names[0] for column, names in columns.items() if len(names) == 1}
        for store, columns in profile.stores.items()
    }


def _before(door: Door, path: str | None, given: Any) -> PreviousRun:
    """Return what the previous run saw, out of the named file or the `previous` section."""
    if path is not None and given is not None:
        raise Refused("--previous and a `previous` section are given together; leave one out")
    raw = given if path is None else local.read(Path(path))
    if raw is None or raw is local.ABSENT:
        return NO_PREVIOUS_RUN
    if isinstance(raw, DocumentError):
        door.say(f"plan: the previous artifact cannot be read ({raw})")
        return NO_PREVIOUS_RUN
    kinds = {one.name: one.declaration.kind for one in load_rules()}
    runtime = raw.get("runtime") if isinstance(raw, dict) else None
    memory = read_previous(raw, ExpectedMemory(str(runtime), door.clock(), kinds))
    if memory.before.lost:
        door.say(f"plan: {memory.before.lost}")
    return memory.before
