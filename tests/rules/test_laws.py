"""The laws that hold for every rule without a new test line."""

from __future__ import annotations

import json
import random
import re
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from msgspec.structs import replace

from detector.domain.facts import FACT_NAMES, STATUS_FACTS, Facts
from detector.domain.rule import OCCURRENCE, STATE, Declaration, Limit, Rule
from detector.engine import coverage
from detector.engine.catalog import find_rule, load_rules
from detector.engine.gather import SharedReadings
from detector.reconciliation.lots import _list_accounts, list_names
from detector.render.document import build_stdout_document
from detector.settings import PREFIX
from tests.support.full_snapshot import set_value
from tests.support.merge_patch import apply_patch
from tests.support.snapshots import (
    ROOT,
    Fixture,
    evaluated,
    fixtures,
    healthy,
    later,
    moved,
    named,
    owed,
    remembered,
    report_of,
    settings_of,
)

FIXTURES = fixtures()
BY_NAME = {one.name: one for one in FIXTURES}
RULES = load_rules()
DRIFTS = 1000
WORDS = {"reached": " at ", "exceeded": "over ", "not reached": "below "}
by_fixture = pytest.mark.parametrize("one", FIXTURES, ids=lambda one: one.name)
by_rule = pytest.mark.parametrize("one", RULES, ids=lambda one: one.name)


@cache
def shared_of(fixture: str) -> SharedReadings:
    """Return what the snapshots of a fixture share, which differ in one place each."""
    return SharedReadings()


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
    without = [one.name for one in RULES if one.name not in given.get(one.name, ())]
    assert not without, f"write tests/fixtures/snapshots/NAME.json, in which the rule fires: {without}"


@by_fixture
def test_a_fixture_gives_exactly_its_events(one):
    assert sorted(named(report_of(one.name))) == sorted(one.events)


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
    for event in report_of(one.name).events:
        assert re.fullmatch(r"[^\n\r]*[^.\n\r]\.", event.summary), event.summary
        assert not re.search(r"[.!?] [A-Z]", event.summary), event.summary


@by_fixture
def test_a_limit_that_is_exceeded_reads_over_one_that_is_reached_at_and_a_least_one_below(one):
    for event in report_of(one.name).events:
        limits = [limit for limit in declared(event.type).limits if isinstance(limit, Limit)]
        named = [limit for limit in limits if limit.setting.name == event.setting]
        assert "(limit " not in event.summary, "say how it is broken: over, at or below"
        assert all(WORDS[limit.broken] in event.summary for limit in named), event.summary


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

    def list_own(document: dict[str, Any]) -> set[str]:
        events = one.run(document, shared=shared_of(one.name)).events
        return {event.signature for event in events if event.type == one.name}

    before = list_own(one.document)
    for _ in range(DRIFTS // 50):
        document = one.document
        for _ in range(50):
            document = drifted(document, one.patch, chance)
        assert list_own(document) <= before


_IDENTITY = {
    "symbol",
    "order_id",
    "client_id",
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
MONOTONE = {name: _WORST[spec["worse"]] for name, spec in STATUS_FACTS.items() if spec["worse"] in _WORST}


@by_fixture
@pytest.mark.parametrize("fact", MONOTONE)
def test_making_a_signal_worse_never_removes_an_event(one, fact):
    """Only a contradiction can, what could not be read, and what another rule speaks of then."""
    if fact not in one.document.get("status_v3", {}) or one.document["status_v3"][fact] == []:
        return
    worse = apply_patch(one.document, {"status_v3": {fact: MONOTONE[fact]}})
    spoken = types(named(one.run(worse, shared=shared_of(one.name))))
    silenced = {
        rule.name for rule in FIXTURES if fact in rule.yields_to and rule.yields_to[fact] in (None, *spoken)
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


def facts_away(one: Fixture) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the fixture's snapshot with one value after the other not seen; a row of a list stays a row."""
    document = one.document
    sections = {key: document[key] for key in document if key not in ("taken_at", "previous", "sources")}
    for path in leaves(sections):
        if not isinstance(path[-1], int):
            yield ".".join(map(str, path)), set_value(document, path, None)  # which is: not seen


@by_fixture
def test_taking_a_fact_away_never_makes_a_state_rule_fire(one):
    for path, document in facts_away(one):
        for name in one.find_firing(document, shared_of(one.name)) - types(one.events):
            fires_without = tuple(BY_NAME[name].fires_without)
            assert declared(name).monitor or path.endswith(fires_without), (path, name)


@by_fixture
def test_taking_a_fact_away_never_resolves(one):
    """What fired stays in the list, held or firing, whatever single value is not seen any more."""
    first = report_of(one.name)
    states = {
        event.signature
        for event in first.events
        if declared(event.type).kind == STATE and event.type != "detector_error"
    }
    memory, shared = remembered(first), SharedReadings()
    for path, document in facts_away(one):
        report = evaluated(later(document, 300), memory, settings_of(one.settings), shared)
        assert states <= {event.signature for event in report.events}, path
        if "detector_error" not in one.name:
            assert [event.signature for event in report.resolved_events] == [], path


@by_fixture
def test_what_is_good_but_for_one_unseen_fact_is_not_resolved(one):
    """Everything is healthy again, but the very facts that raised it are not seen."""
    if declared(one.name).monitor or declared(one.name).kind == OCCURRENCE:
        return
    memory = remembered(report_of(one.name))
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
    first = report_of(one.name)
    memory, told = remembered(first), []
    for number in (1, 2, 3):
        good = apply_patch(healthy(), one.good_at(number))
        report = evaluated(later(good, 600 * number), memory, settings_of(one.settings))
        told.append([item for item in owed(report) if item.startswith("resolved")])
        memory = remembered(report)
    noticed = {event.signature for event in first.new_events}
    states = [
        event for event in first.events if declared(event.type).kind == STATE and event.signature in noticed
    ]
    assert [len(items) for items in told] == [0, len(states), 0]


@by_fixture
def test_closing_the_market_never_resolves(one):
    """After the close everything is healthy; what only the session can judge is held until it opens."""
    first = report_of(one.name)
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


def second_limits(name: str, limit: Limit) -> set[str]:
    """The rule's other limits that only make the same finding worse: the settings that end in CRITICAL."""
    names = {other.setting.name for other in declared(name).limits if isinstance(other, Limit)}
    names = {text.removeprefix(PREFIX) for text in names - {limit.setting.name}}
    return {text for text in names if text.endswith("CRITICAL")}


LIMITED = [
    pytest.param(one, event, limit, id=f"{one.name}-{limit.setting.name.removeprefix(PREFIX)}")
    for one in FIXTURES
    for event in report_of(one.name).events
    if (limit := limit_of(event.type, event.setting)) is not None and event.type == one.name
]


@pytest.mark.parametrize(("one", "event", "limit"), LIMITED)
def test_a_limit_is_broken_exactly_as_it_is_declared(one, event, limit):
    """A limit just below the value is broken, just above is not; at it, `reaches` is and `exceeds` not.

    One that a value `falls_below` is the other way round: broken just above the value, and not at it.
    """
    is_least = limit.broken == "not reached"
    observed = event.observed if is_least else int(event.observed)
    step = observed / 100 if is_least else 1
    at = limit.broken == "reached"
    tried = ((observed - step, not is_least), (observed, at), (observed + step, is_least))
    for value, breaks in tried:
        texts = dict.fromkeys(second_limits(event.type, limit), "999") | one.settings
        texts[limit.setting.name.removeprefix(PREFIX)] = f"{value:g}"
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
    own_rows = {f"{one.name}-{setting}" for one in FIXTURES for setting in one.own_rows}
    assert wanted - rows == own_rows, "its fixture's event names the limit, or has `own_rows` for it"


# --- declarations are kept -----------------------------------------------------------------------------


class Watched:
    """Facts that note which of them a rule reads."""

    def __init__(self, facts: Facts, read: set[str]) -> None:
        self._facts, self._read = facts, read

    def __getattr__(self, name: str) -> Any:
        # What an id names, and whose it is, stands in every list; neither is what is held or worked.
        code = sys._getframe(1).f_code
        if code not in (_list_accounts.__code__, list_names.__wrapped__.__code__):
            self._read.add(name)
        found = getattr(type(self._facts), name, None)
        if isinstance(found, property):
            return found.fget(self)  # type: ignore[misc]
        if callable(found):
            return lambda *words: found(self, *words)
        return getattr(self._facts, name)


@pytest.fixture(scope="module")
def read_facts() -> dict[str, set[str]]:
    """The facts that each rule reads, by its name, in all fixtures."""
    read: dict[str, set[str]] = {one.name: set() for one in RULES}

    def watched(one: Rule) -> Rule:
        return replace(one, check=lambda facts, *given: one.check(Watched(facts, read[one.name]), *given))

    rules = [watched(one) for one in RULES]
    for fixture in FIXTURES:
        evaluated(fixture.document, rules=rules)
    return read


@by_rule
def test_a_rule_reads_only_the_facts_that_it_declares(one, read_facts):
    may = {*one.declaration.sees, *one.declaration.any_of, *one.declaration.severity_inputs}
    assert one.declaration.monitor or read_facts[one.name] & FACT_NAMES <= may


def test_no_rule_reads_the_sentence_of_another():
    """A sentence may be worded anew at any time: what a rule needs of another's finding is data."""
    for path in sorted((ROOT / "detector" / "rules").glob("*.py")):
        assert ".summary" not in path.read_text("utf-8"), path.name


@pytest.mark.parametrize(
    "broken", [one for one in RULES if one.name != "detector_error"], ids=lambda r: r.name
)
def test_one_broken_rule_never_hides_the_others(broken):
    gone = {broken.name} | {one.name for one in RULES if broken.name in one.declaration.given}
    assert broken.name in BY_NAME, f"write tests/fixtures/snapshots/{broken.name}.json"
    shown = BY_NAME[broken.name].good_at(0)
    assert named(Fixture("", shown, [], broken=broken.name).run()) == [
        f"critical detector_error:{broken.name}"
    ]
    for one in (one for one in FIXTURES[::4] if one.broken is None):
        found = named(replace(one, broken=broken.name).run(shared=shared_of(one.name)))
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


def test_a_rule_that_names_an_unknown_golden_signal_is_refused(monkeypatch):
    lost = replace(RULES[0], declaration=replace(RULES[0].declaration, signal="heart"))
    monkeypatch.setattr(coverage, "load_rules", lambda: (lost,))
    with pytest.raises(LookupError, match=f"{lost.name} evaluates heart, which is no golden signal"):
        coverage.group_rules.__wrapped__()
