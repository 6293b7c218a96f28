"""The broker's state for `can-close` and `plan`: facts of a piped snapshot or of a few sources."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from detector.app.context import AppContext, get_clock
from detector.app.job import CollectMode, Job, PipelinePlan
from detector.app.pipeline import GatheredFacts
from detector.domain.facts import Facts
from detector.domain.gate_report import TruthHeader
from detector.domain.profile import Profile
from detector.domain.snapshot import STATUS_SECTIONS
from detector.readers.broker.sections import find_inconsistency
from detector.reconciliation.freshness import (
    DataAge,
    build_truth_header,
    compute_data_age,
    explain_unreliable,
)
from detector.settings import CLOCK_SKEW_SEC, PORTAL_URL, PROFILE, SECTIONS_FROM, TWS_ADDRESS, Settings


class BrokerState(Struct, frozen=True):
    """The facts, the age of the broker's data now, and the redacted ids of the query.

    `doubt` is why the broker's rows are unreliable, None where they are not.
    """

    facts: Facts
    age: DataAge
    header: TruthHeader
    settings: Settings
    doubt: str | None
    ids: Mapping[str, str | None]
    expects_runtime_orders: bool
    inconsistency: str | None


def build_broker_job(
    app: AppContext,
    settings: Settings,
    sections: Iterable[str],
    now: str | None,
    collect: CollectMode,
    at_taken_at: bool,
) -> Job:
    """Return the job of a question about the broker; only these sections are collected for it.

    A piped snapshot is evaluated as it is, and nothing is collected for it. The sources are read where
    standard input is a terminal or empty, or where `collect` is `always`.
    """
    plan = PipelinePlan(collect=collect, sections=frozenset(sections), at_taken_at=at_taken_at, quiet=True)
    return Job(app, settings, get_clock(app, now), plan)


def build_broker_state(gathered: GatheredFacts) -> BrokerState:
    """Return the state of the broker that the gathered facts show."""
    facts, settings, sections = gathered.facts, gathered.settings, gathered.snapshot.sections
    age = compute_data_age(sections, gathered.taken_at, gathered.now, settings[CLOCK_SKEW_SEC])
    return BrokerState(
        facts,
        age,
        build_truth_header(facts, age),
        settings,
        _explain_doubt(gathered),
        gathered.ids,
        _should_have_runtime_orders(facts, settings.files[PROFILE.name]),
        find_inconsistency(sections.get("broker"), gathered.now),
    )


def _explain_doubt(gathered: GatheredFacts) -> str | None:
    """Return why the broker's rows are unreliable, with the settings where no source is configured."""
    doubt = explain_unreliable(gathered.facts)
    is_set = not gathered.is_collected or "broker" in gathered.facts.sources
    if doubt is None or is_set:
        return doubt
    places = f"{TWS_ADDRESS.name}, {PORTAL_URL.name} or {SECTIONS_FROM.name}=broker=PLACE"
    return f"{doubt} No source fills that section: set {places}."


def _should_have_runtime_orders(facts: Facts, profile: Profile) -> bool:
    """Whether the runtime's own orders are expected: a source that lists them is present or was read."""
    order_facts = {"orders", "pending_exits"} & profile.extractors.keys()
    present = {name for name in STATUS_SECTIONS if name in facts.sections}
    queried = {
        name for name in STATUS_SECTIONS if name in facts.sources and facts.sources[name].state != "off"
    }
    return bool(order_facts and (present or queried))
