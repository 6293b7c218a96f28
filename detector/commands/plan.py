"""`plan`: the changes that would make the stores and the broker agree; it changes nothing."""

from __future__ import annotations

from typing import Any

import click
from msgspec.structs import replace

from detector.app.broker_state import BrokerState, build_broker_job, build_broker_state
from detector.app.context import AppContext, ExitCode, print_json, print_lines
from detector.app.input_documents import load_previous
from detector.app.job import CollectMode
from detector.app.pipeline import gather
from detector.commands import collect_option, env_file_option, now_option
from detector.domain.previous_run import PreviousRun
from detector.domain.profile import Profile
from detector.domain.snapshot import STATEMENT, STATUS_SECTIONS
from detector.readers.previous import ExpectedMemory
from detector.reconciliation.freshness import describe_age
from detector.reconciliation.repair_plan.items import explain_stop, list_exposed
from detector.reconciliation.repair_plan.trade_cases import build_items
from detector.reconciliation.repair_plan.trade_claims import explain_incomplete_stores
from detector.render.plan import Plan, build_plan_document, render_plan
from detector.settings import FOREIGN_POSITIONS, HEARTBEAT_STALE_SEC, PROFILE, TRUTH_MAX_AGE_SEC


@click.command(epilog="Example: python -m detector plan")
@click.option(
    "--previous", metavar="FILE", help="The previous artifact: what was seen closed, and is open again."
)
@collect_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@now_option
@env_file_option
@click.pass_obj
def command(
    app: AppContext,
    /,
    previous: str | None,
    collect: CollectMode,
    as_json: bool,
    now: str | None,
    env_file: str | None,
) -> int:
    """Say what would have to change for stores and broker to agree.

    In which order, and for each difference: what each store says, what the broker says with its fills and
    what it realized, which row is wrong and what would agree, what has to stand still first so that a cache
    does not undo it, and what cannot be decided. It changes nothing, and prints nothing that could be run.
    Exit 0 all agree, 1 something differs, 3 the broker or the stores were not read, or not in full.
    """
    settings = app.load_settings(env_file)
    sections = ("broker", STATEMENT, "stores", *STATUS_SECTIONS, "ecs")
    job = build_broker_job(app, settings, sections, now, collect, at_taken_at=True)
    plan = _build_plan(
        build_broker_state(
            gather(job, lambda section, expected: _load_previous_run(app, previous, section, expected))
        )
    )
    output_code = (
        print_json(app, build_plan_document(plan)) if as_json else print_lines(app, render_plan(plan))
    )
    return output_code or _compute_exit_code(plan)


def _compute_exit_code(plan: Plan) -> ExitCode:
    if plan.doubt is not None or plan.stores_doubt is not None:
        return ExitCode.UNDECIDED
    return ExitCode.FINDING if plan.items else ExitCode.OK


def _build_plan(state: BrokerState) -> Plan:
    facts, settings = state.facts, state.settings
    if state.doubt is not None:
        facts = replace(facts, broker_positions=None)  # unreliable positions count as missing
    plan_items = build_items(facts, settings[FOREIGN_POSITIONS])
    return Plan(
        facts.runtime,
        facts.taken_at,
        state.age,
        state.header,
        plan_items,
        explain_stop(facts, plan_items, settings[HEARTBEAT_STALE_SEC]),
        list_exposed(facts, plan_items),
        state.doubt,
        explain_incomplete_stores(facts),
        None if state.doubt is not None else _explain_age(state),
        _get_own_names(settings.files[PROFILE.name]),
    )


def _explain_age(state: BrokerState) -> str | None:
    """Return why the broker's data is too old to change a row by, None where it is not."""
    limit = state.settings[TRUTH_MAX_AGE_SEC]
    if state.age.seconds is None:
        return f"the time of its reading is not known ({state.age.fault})."
    if state.age.seconds > limit:
        return f"its reading is {describe_age(state.age.seconds, limit)}."
    return None


def _get_own_names(profile: Profile) -> dict[str, dict[str, str]]:
    """Return by store the profile's name of each column, where it has exactly one."""
    return {
        store: {column: names[0] for column, names in columns.items() if len(names) == 1}
        for store, columns in profile.stores.items()
    }


def _load_previous_run(
    app: AppContext, path: str | None, section: Any, expected: ExpectedMemory
) -> PreviousRun:
    """Return the previous run, from the named file or the `previous` section."""
    previous = load_previous(path, section)
    unused = previous.explain_unused(expected)
    if unused is not None:
        app.print_stderr(f"plan: {unused}")
    return previous.read(expected).before
