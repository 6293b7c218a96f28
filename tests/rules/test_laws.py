"""The laws that hold for every rule without a new test line."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from detector.domain.facts import FACT_NAMES, STATUS_FACTS, Facts
from detector.domain.rule import OCCURRENCE, STATE, Declaration, Limit, Rule
from detector.engine.catalog import find_rule, load_rules
from detector.formats.merge_patch import apply_patch
from detector.render.document import build_stdout_document
from detector.settings import PREFIX
from tests.support.snapshots import (
    Fixture,
    evaluated,
    fixtures,
    healthy,
    later,
    moved,
    named,
    owed,
    remembered,
    settings_of,
)

FIXTURES = fixtures()
RULES = load_rules()
DRIFTS = 1000
by_fixture = pytest.mark.parametrize("one", FIXTURES, ids=lambda one: one.name)
by_rule = pytest.mark.parametrize("one", RULES, ids=lambda one: one.name)


def declared(name: str) -> Declaration:
    found = find_rule(name)
    assert found is not None, name
    return found.declaration


def types(events: list[str]) -> set[str]:
    """The event types out of `severity type[:subject]`."""
    return {event.split(" ")[1].split(":")[0] for event in events}


# --- its own fixture, silence, one sentence -----------------------------------------------------------


def test_every_rule_has_its_fixture_and_gives_its_event_there():
    given = {one.name: types(one.events) for one in FIXTURES}
    assert [one.name for one in RULES if one.name not in given.get(one.name, ())] == []


@by_fixture
def test_a_fixture_gives_exactly_its_events(one):
    assert sorted(named(one.run())) == sorted(one.events)


def test_the_patches_are_small(capsys):
    sizes = {one.name: len(json.dumps(one.patch, separators=(",", ":"))) for one in FIXTURES}
    largest = max(sizes, key=lambda name: sizes[name])
    with capsys.disabled():
        print(
            f"\nfixtures: {len(sizes)}, median patch {sorted(sizes.values())[len(sizes) // 2]} bytes,",
            end=" ",
        )
        print(f"largest {largest} with {sizes[largest]}")
    assert sizes[largest] < 2_000


@pytest.mark.parametrize("document", [healthy(), {}], ids=["healthy", "nothing"])
def test_every_rule_is_silent(document):
    assert named(evaluated(document)) == []


@by_fixture
def test_a_summary_is_one_sentence(one):
    for event in one.run().events:
        assert re.fullmatch(r"[^\n\r]*[^.\n\r]\.", event.summary), event.summary
        assert not re.search(r"[.!?] [A-Z]", event.summary), event.summary


@by_rule
def test_a_rule_says_in_one_sentence_when_it_fires(one):
    assert re.fullmatch(r"[A-Z][^.]*\.", one.doc), one.doc


def test_an_occurrence_is_judged_at_any_hour():
    hours = {one.name: one.declaration.during.name for one in RULES if one.declaration.kind == OCCURRENCE}
    assert {name for name, during in hours.items() if during != "always"} == set()


def test_the_same_arguments_give_the_same_document():
    for one in FIXTURES:
        assert build_stdout_document(one.run()) == build_stdout_document(one.run())


# --- signatures ----------------------------------------------------------------------------------------


@by_fixture
def test_signatures_stay_while_numbers_times_and_wordings_drift(one):
    """Counts, ages, times, prices and texts of the firing snapshot drift a thousand times."""
    chance = random.Random(one.name)
    before = own_signatures(one, one.document)
    for _ in range(DRIFTS // 50):
        document = one.document
        for _ in range(50):
            document = drifted(document, one.patch, chance)
        assert own_signatures(one, document) <= before


def own_signatures(one: Fixture, document: dict[str, Any]) -> set[str]:
    return {event.signature for event in one.run(document).events if event.type == one.name}


_IDENTITY = {
    "symbol",
    "order_id",
    "trade_id",
    "taskArn",
    "Names",
    "name",
    "group",
    "serviceName",
    "kind",
    "tags",
    "id",
    "con_id",
    "expiry",
    "strike",
    "exec_id",
}
_WORDING = {"detail", "reason", "connection_error", "stoppedReason"}


def drifted(document: Any, patch: Any, chance: random.Random, key: str = "") -> Any:
    """Return the document with one step of drift in what the patch set: never in what names a thing."""
    if key in _IDENTITY:
        return document
    if isinstance(patch, dict) and isinstance(document, dict):
        return {k: drifted(v, patch[k], chance, k) if k in patch else v for k, v in document.items()}
    if isinstance(patch, list) and isinstance(document, list):
        return [drifted(v, p, chance, key) for v, p in zip(document, patch, strict=True)]
    if isinstance(document, bool) or document is None:
        return document
    if isinstance(document, int | float):
        return max(0, document + chance.choice((-1, 0, 0, 1)))
    if key in _WORDING:
        return "".join(chance.choice("abc ") for _ in range(6)) + "x"
    return moved(document, chance.uniform(-1, 0.5)) if re.match(r"\d{4}-\d\d-\d\dT", document) else document


# --- worse is never better -----------------------------------------------------------------------------

_WORST: dict[str, Any] = {
    "older": "2026-05-01T00:00:00Z",
    "larger": 50,
    "true": True,
    "false": False,
    "not ok": "down",
    "not empty": "TimeoutError()",
}
# reconcile_pending covers blocked entries; market_data_degraded lists data with another status after a while.
SPOKEN_FOR: dict[tuple[str, str], str | None] = {
    ("startup_reconcile_missing", "entry_blocking_reconcile_pending"): "reconcile_pending",
    ("feed_frozen", "market_data_status"): None,
}
MONOTONE = {name: _WORST[spec["worse"]] for name, spec in STATUS_FACTS.items() if spec["worse"] in _WORST}


@by_fixture
@pytest.mark.parametrize("fact", MONOTONE)
def test_making_a_signal_worse_never_removes_an_event(one, fact):
    """Only a contradiction can, what could not be read, and what another rule speaks of then."""
    if fact not in one.document.get("status_v3", {}) or one.document["status_v3"][fact] == []:
        return
    worse = apply_patch(one.document, {"status_v3": {fact: MONOTONE[fact]}})
    spoken = types(named(one.run(worse)))
    silenced = {
        mine for (mine, by), other in SPOKEN_FOR.items() if by == fact and (other is None or other in spoken)
    }
    assert types(one.events) - {"impossible_state", "reading_invalid"} - silenced <= spoken


# --- what was seen and then lost -----------------------------------------------------------------------


def leaves(document: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value, of sections, lists and rows as well."""
    items = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in items:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from leaves(value, (*path, key))


def without(document: dict[str, Any], path: tuple[Any, ...]) -> dict[str, Any]:
    """Return the document with that value null, which is: not seen."""
    made: dict[str, Any] = json.loads(json.dumps(document))
    holder: Any = made
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = None
    return made


def facts_away(one: Fixture) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the fixture's snapshot with one value after the other not seen; a row of a list stays a row."""
    sections = {
        key: one.document[key] for key in one.document if key not in ("taken_at", "previous", "sources")
    }
    for path in leaves(sections):
        if not isinstance(path[-1], int):
            yield ".".join(map(str, path)), without(one.document, path)


# Facts in whose absence a rule takes the place of another rule or subject.
STANDS_IN_FOR = {
    "ecs_task_count_mismatch": ("service",),
    "pending_order_stale": ("orders",),
    "trade_reopened": ("broker_positions",),
}


@by_fixture
def test_taking_a_fact_away_never_makes_a_state_rule_fire(one):
    for path, document in facts_away(one):
        for name in types(named(one.run(document))) - types(one.events):
            stands_in = any(fact in path or fact == "service" for fact in STANDS_IN_FOR.get(name, ()))
            # EVENTS: no health is UNKNOWN, which is a warning once the task is old enough.
            no_health = name == "gateway_unhealthy" and path.endswith("healthStatus")
            assert declared(name).monitor or stands_in or no_health, (path, name)


@by_fixture
def test_taking_a_fact_away_never_resolves(one):
    """What fired stays in the list, held or firing, whatever single value is not seen any more."""
    first = one.run()
    states = {
        event.signature
        for event in first.events
        if declared(event.type).kind == STATE and event.type != "detector_error"
    }
    memory = remembered(first)
    for path, document in facts_away(one):
        report = evaluated(later(document, 300), memory, settings_of(one.settings))
        assert states <= {event.signature for event in report.events}, path
        if "detector_error" not in one.name:
            assert [event.signature for event in report.resolved_events] == [], path


@by_fixture
def test_what_is_good_but_for_one_unseen_fact_is_not_resolved(one):
    """Everything is healthy again, but the very facts that raised it are not seen."""
    if declared(one.name).monitor or declared(one.name).kind == OCCURRENCE:
        return
    memory = remembered(one.run())
    states = {s for s, c in memory.conditions.items() if c.kind == STATE and c.is_active}
    for number in (1, 2, 3):
        document = later(without_all(healthy(), memory.conditions[min(states)].evidence), 600 * number)
        report = evaluated(document, memory)
        assert min(states) in {event.signature for event in report.events if event.held}
        memory = remembered(report)


def without_all(document: dict[str, Any], evidence: tuple[str, ...]) -> dict[str, Any]:
    """Return the document without the facts that the evidence names."""
    places = {"service": "services"}
    for entry in evidence:
        section, _, fact = entry.partition(":")
        if isinstance(document.get(section), dict):
            document[section].pop(places.get(fact, fact), None)
        else:
            document.pop(section, None)
    return document


# --- time ----------------------------------------------------------------------------------------------


@by_fixture
def test_a_state_resolves_after_two_good_looks_and_an_occurrence_never_says_so(one):
    first = one.run()
    memory, told = remembered(first), []
    for number in (1, 2, 3):
        good = apply_patch(healthy(), seen_good(one.name, number))
        report = evaluated(later(good, 600 * number), memory)
        told.append([item for item in owed(report) if item.startswith("resolved")])
        memory = remembered(report)
    states = [event for event in first.events if declared(event.type).kind == STATE]
    assert [len(items) for items in told] == [0, len(states), 0]


# What the healthy snapshot must also show for a rule about the monitor to see that all is well again.
_ANSWERED = {"sources": {"bot_status": {"state": "ok"}}, "bot_status": {}}
_READ = {"status_v3": {"trading_halted": False, "engine_started_at": "2026-06-02T12:00:00Z"}}
_FLAT = {"broker": {"connected": True, "positions": [], "open_orders": [], "executions": []}}
_CLOSED = {
    "stores": {
        "position_state": [{"trade_id": 162, "symbol": "SPY", "is_open": 0, "contracts_remaining": 0}],
        "trades": [{"id": 162, "symbol": "SPY", "status": "CLOSED"}],
    }
}
SEEN_GOOD: dict[str, dict[str, Any]] = {
    "gateway_unresponsive": {"gateway": {"port": 4002, "listening": True, "close_wait": 0}},
    "process_down": {"processes": [{"name": "gateway", "running": True}]},
    "process_restart_loop": {"processes": [{"name": "trader", "running": True, "starts_recent": 1}]},
    "halted_but_running": {"status_v3": {"trading_halted": False}},
    "power_on_battery": {"power": {"status": "OL CHRG"}},
    "open_positions_drift": _FLAT,
    "exit_would_open_position": _FLAT,
    "unprotected_position": _FLAT,
    "state_stores_disagree": _CLOSED,
    "trade_reopened": _CLOSED,
    "startup_reconcile_missing": {
        "status_v3": {
            "engine_started_at": "2026-06-02T14:00:00Z",
            "last_reconcile_at": "2026-06-02T14:01:00Z",
        }
    },
    "missed_fill": _FLAT,
    "wrong_environment": {"broker": {"connected": True, "account": "DU1234567"}},
    "source_unavailable": _ANSWERED,
    "source_stale": _ANSWERED,
    "reading_missing": _ANSWERED,
    "reading_invalid": _READ,
    "clock_skew": _READ,
}


def seen_good(name: str, look: int) -> dict[str, Any]:
    """The healthy snapshot with what that rule needs to be good; prices move with each run."""
    if name != "feed_frozen":
        return SEEN_GOOD.get(name, {})
    prices = {"SPY": 724.5 + look, "QQQ": 610.25 - look}
    ticks = [
        {"symbol": symbol, "price": price, "at": "2026-06-02T14:59:00Z"} for symbol, price in prices.items()
    ]
    return {"status_v3": {"ticks": ticks}}


@by_fixture
def test_closing_the_market_never_resolves(one):
    """After the close everything is healthy; what only the session can judge is held until it opens."""
    first = one.run()
    memory = remembered(first)
    in_session = {
        event.signature
        for event in first.events
        if declared(event.type).kind == STATE and "session" in declared(event.type).during.name
    }
    for number in range(3):
        report = evaluated(later(healthy(), 6 * 3600 + number * 600), memory)
        assert in_session <= {event.signature for event in report.events if event.held}
        assert in_session.isdisjoint(event.signature for event in report.resolved_events)
        memory = remembered(report)


# --- limits --------------------------------------------------------------------------------------------


def limit_of(name: str, setting: str | None) -> Limit | None:
    """The limit of that setting, where the rule compares it by size."""
    limits = [limit for limit in declared(name).limits if isinstance(limit, Limit)]
    return next((limit for limit in limits if limit.setting.name == setting), None)


LIMITED = [
    pytest.param(one, event, limit, id=f"{one.name}-{limit.setting.name.removeprefix(PREFIX)}")
    for one in FIXTURES
    for event in one.run().events
    if (limit := limit_of(event.type, event.setting)) is not None and event.type == one.name
]


@pytest.mark.parametrize(("one", "event", "limit"), LIMITED)
def test_a_limit_is_broken_exactly_as_it_is_declared(one, event, limit):
    """A limit just below the value is broken, just above is not; at it, `reaches` is and `exceeds` not."""
    observed = int(event.observed)
    for value, breaks in ((observed - 1, True), (observed, limit.inclusive), (observed + 1, False)):
        texts = {"PENDING_ORDER_CRITICAL": "999", "HIGH_EXIT_ATTEMPT_CRITICAL": "999", **one.settings}
        texts[limit.setting.name.removeprefix(PREFIX)] = str(value)
        found = {(e.signature, e.setting) for e in one.run(settings=settings_of(texts)).events}
        assert ((event.signature, event.setting) in found) is breaks, value


def test_every_limit_that_is_compared_by_size_has_a_row():
    rows = {str(row.id) for row in LIMITED}
    wanted = {
        f"{one.name}-{limit.setting.name.removeprefix(PREFIX)}"
        for one in RULES
        for limit in one.declaration.limits
        if isinstance(limit, Limit)
    }
    # Second limits, and limits on times within a row, have rows of their own in the rule's test.
    own_rows = {
        "pending_orders_high-PENDING_ORDER_CRITICAL",
        "high_exit_attempts-HIGH_EXIT_ATTEMPT_CRITICAL",
        "gateway_unhealthy-START_GRACE_SEC",
    }
    assert wanted - rows <= own_rows


# --- declarations are kept -----------------------------------------------------------------------------


class Watched:
    """Facts that note which of them a rule reads."""

    def __init__(self, facts: Facts, read: set[str]) -> None:
        self._facts, self._read = facts, read

    def __getattr__(self, name: str) -> Any:
        self._read.add(name)
        found = getattr(type(self._facts), name, None)
        if isinstance(found, property):
            return found.fget(self)  # type: ignore[misc]
        if callable(found):
            return lambda *words: found(self, *words)
        return getattr(self._facts, name)


@by_rule
def test_a_rule_reads_only_the_facts_that_it_declares(one):
    read: set[str] = set()
    looked = replace(one, check=lambda facts, *given: one.check(Watched(facts, read), *given))
    for fixture in FIXTURES:
        evaluated(fixture.document, rules=[looked if r.name == one.name else r for r in RULES])
    may = {*one.declaration.sees, *one.declaration.any_of, *one.declaration.severity_inputs}
    assert one.declaration.monitor or read & FACT_NAMES <= may


@pytest.mark.parametrize(
    "broken", [one for one in RULES if one.name != "detector_error"], ids=lambda r: r.name
)
def test_one_broken_rule_never_hides_the_others(broken):
    gone = {broken.name} | {one.name for one in RULES if broken.name in one.declaration.given}
    shown = seen_good(broken.name, 0)
    assert named(Fixture("", shown, [], broken=broken.name).run()) == [
        f"critical detector_error:{broken.name}"
    ]
    for one in (one for one in FIXTURES[::4] if one.broken is None):
        found = named(replace(one, broken=broken.name).run())
        assert {event for event in one.events if types([event]).isdisjoint(gone)} <= set(found)


def test_a_rule_that_names_an_unknown_fact_is_refused():
    from detector.domain.rule import rule

    with pytest.raises(ValueError, match="unknown facts: hearbeat_at"):
        rule(STATE, "critical", sees=["hearbeat_at"])


def test_a_rule_that_reads_an_undeclared_fact_is_an_error_of_the_detector():
    one = next(r for r in RULES if r.name == "stuck_exits")
    careless = Rule("stuck_exits", replace(one.declaration, sees=()), one.check, one.doc)
    report = evaluated({}, rules=[careless, *(r for r in RULES if r.name == "detector_error")])
    assert named(report) == ["critical detector_error:stuck_exits"]
