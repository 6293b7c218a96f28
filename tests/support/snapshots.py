"""What the tests share: fixtures as patches onto the healthy snapshot, and one way to evaluate a document."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from detector.app.mutes_and_closures import parse_closures, parse_mutes
from detector.app.profile_document import parse_profile_text
from detector.domain.condition import STDOUT
from detector.domain.profile import parse_profile
from detector.domain.report import Report
from detector.domain.rule import Lasts, Rule, RuleResults
from detector.domain.run_memory import FIRST_RUN, Memory
from detector.domain.snapshot import Snapshot, build_snapshot
from detector.engine.catalog import load_rules
from detector.engine.evaluate import build_report, evaluate, judge
from detector.engine.gather import SharedReadings
from detector.formats.errors import InputError
from detector.formats.redaction import redact
from detector.ledger import add_receipts
from detector.market.session_plan import NO_CLOSURES
from detector.profiles import load_builtin_profile
from detector.readers.previous import ExpectedMemory, read_previous
from detector.render.document import build_artifact_document
from detector.settings import (
    MARKET_CLOSURES,
    MUTES,
    PROFILE,
    RUNTIME,
    Settings,
    find_unknown,
    resolve_settings,
)
from tests.support.merge_patch import apply_patch, apply_time_shift

ROOT = Path(__file__).resolve().parents[2]
SNAPSHOTS = ROOT / "tests" / "fixtures" / "snapshots"
AEGIS = parse_profile(load_builtin_profile("aegis") or {})
MONEY = [one.name for one in load_rules() if one.declaration.money]
NOW = datetime(2026, 6, 2, 15, 0, tzinfo=UTC)


def settings_of(texts: dict[str, str] | None = None, **files: str) -> Settings:
    """Return settings from `AEGIS_PT_` names without their prefix, with the aegis profile.

    A name that is no setting is refused, as in an env file.
    """
    named = {f"AEGIS_PT_{name}": text for name, text in (texts or {}).items()}
    return _build_settings(tuple(named.items()), tuple(files.items()))


@lru_cache(maxsize=64)  # the program keeps what it derives from settings as long as they are the same object
def _build_settings(texts: tuple[tuple[str, str], ...], contents: tuple[tuple[str, str], ...]) -> Settings:
    named, files = dict(texts), dict(contents)
    if unknown := list(find_unknown("test", named)):
        raise InputError(*unknown)
    made = resolve_settings(("test", named))
    parsed: dict[str, Any] = {
        PROFILE.name: parse_profile_text(files["profile"]) if "profile" in files else AEGIS,
        MARKET_CLOSURES.name: NO_CLOSURES,
        MUTES.name: (),
    }
    if "closures" in files:
        parsed[MARKET_CLOSURES.name] = parse_closures(files["closures"])
    if "mutes" in files:
        parsed[MUTES.name] = parse_mutes(files["mutes"], MONEY)
    return replace(made, files=parsed)


DEFAULTS = settings_of()


def healthy() -> dict[str, Any]:
    """Return a fresh copy of the healthy snapshot."""
    made: dict[str, Any] = json.loads((SNAPSHOTS / "healthy.json").read_text())
    return made


def moved(text: str, seconds: float) -> str:
    """Return the time moved by so many seconds."""
    return str(apply_time_shift(text, timedelta(seconds=seconds)))


def later(document: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Return the document as if it was taken that much later, every time in it moved along."""
    made: dict[str, Any] = apply_time_shift(document, timedelta(seconds=seconds))
    return {key: value for key, value in made.items() if key != "previous"}


def healthy_at(moment: str, patch: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the healthy snapshot as it would be at that moment, with a patch."""
    ahead = (datetime.fromisoformat(moment) - NOW).total_seconds()
    made: dict[str, Any] = apply_patch(later(healthy(), ahead), patch or {})
    return made


def status_at(moment: str, status: dict[str, Any]) -> dict[str, Any]:
    """Return the healthy status alone as it would be at that moment, with a patch.

    It is for laws of long histories that look at conditions of the status: the other sections are most of the work.
    """
    made = healthy_at(moment, {"status_v3": status})
    return {name: made[name] for name in ("taken_at", "status_v3")}


class Fixture(Struct, frozen=True):
    """A rule's fixture: the smallest patch onto the healthy snapshot, and exactly what it must give.

    `history` are patches evaluated before it, each remembered by the next. `broken` names a rule that raises.
    The rule's own exceptions from the laws: `good` is what the healthy snapshot must also show for the rule
    to see that all is well, or a list of it for each run; `fires_without` are facts whose absence is what the
    rule reports; `yields_to` are facts that, when worse, are reported by another rule, or by nobody (null);
    `own_rows` are its second limits, and limits on times within a row, which its own test tries.
    """

    name: str
    patch: dict[str, Any]
    events: list[str]
    settings: dict[str, str] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    broken: str | None = None
    good: dict[str, Any] | list[dict[str, Any]] = field(default_factory=dict)
    fires_without: list[str] = field(default_factory=list)
    yields_to: dict[str, str | None] = field(default_factory=dict)
    own_rows: list[str] = field(default_factory=list)

    def good_at(self, number: int) -> dict[str, Any]:
        """The patch onto the healthy snapshot in which the rule sees at that run that all is well."""
        return self.good[number] if isinstance(self.good, list) else self.good

    @property
    def document(self) -> dict[str, Any]:
        """The whole snapshot."""
        made: dict[str, Any] = apply_patch(healthy(), self.patch)
        return made

    def run(
        self,
        document: dict[str, Any] | None = None,
        settings: Settings | None = None,
        shared: SharedReadings | None = None,
    ) -> Report:
        """Evaluate the fixture, or another document in its place, after its history."""
        chosen = settings or settings_of(self.settings)
        memory = _remember_history(json.dumps(self.history), chosen)
        made = self.document if document is None else document
        return evaluated(made, memory, chosen, shared=shared, rules=self.rules)

    def find_firing(self, document: dict[str, Any], shared: SharedReadings) -> set[str]:
        """Return the rules that find, in another document in its place, what need not last to be an event."""
        chosen = settings_of(self.settings)
        snapshot = build_snapshot_of(document, chosen)
        memory = _choose_memory(document, snapshot, _remember_history(json.dumps(self.history), chosen))
        outcomes = judge(snapshot, chosen, memory.before, self.rules, shared).outcomes
        return {
            name
            for name, outcome in outcomes.items()
            if any(not isinstance(signed.finding.listed_after, Lasts) for signed in outcome.findings.values())
        }

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The catalog's rules, of which one may raise."""
        return tuple(_broken(one) if one.name == self.broken else one for one in load_rules())


@lru_cache
def _remember_history(patches: str, settings: Settings) -> Memory:
    memory = FIRST_RUN
    for patch in json.loads(patches):
        memory = remembered(evaluated(apply_patch(healthy(), patch), memory, settings))
    return memory


@lru_cache
def _broken(one: Rule) -> Rule:
    def check(*given: object) -> RuleResults:
        yield from (1 / 0 for _ in given)  # type: ignore[misc]  # it raises before it can speak

    return replace(one, check=check)


def fixture(name: str) -> Fixture:
    """Return one fixture by its file's name."""
    return Fixture(name, **json.loads((SNAPSHOTS / f"{name}.json").read_text()))


@cache
def report_of(name: str) -> Report:
    """Return the report on a fixture as it is written, for all who only look at it."""
    return fixture(name).run()


def fixtures() -> list[Fixture]:
    """Return every fixture that is a patch (all but the whole snapshots)."""
    names = sorted(path.stem for path in SNAPSHOTS.glob("*.json"))
    return [fixture(name) for name in names if name not in ("healthy", "regular-session")]


def build_snapshot_of(document: dict[str, Any], settings: Settings = DEFAULTS) -> Snapshot:
    """Return a document as the engine reads it."""
    return build_snapshot(redact(document), now=NOW, runtime=settings[RUNTIME])


def evaluated(
    document: dict[str, Any],
    memory: Memory | None = None,
    settings: Settings = DEFAULTS,
    shared: SharedReadings | None = None,
    **more: Any,
) -> Report:
    """Evaluate a document as the door does; `memory` wins over a `previous` section.

    A law that evaluates thousands of snapshots of one time, which differ in one place each, hands over what
    they share, as a replay does.
    """
    snapshot = build_snapshot_of(document, settings)
    memory = _choose_memory(document, snapshot, memory)
    if shared is None:
        return evaluate(snapshot, memory, settings, **more)
    judgement = judge(snapshot, settings, memory.before, more.pop("rules", None), shared)
    return build_report(snapshot, memory, settings, judgement, **more)


def _choose_memory(document: dict[str, Any], snapshot: Snapshot, memory: Memory | None) -> Memory:
    if memory is None or (memory is FIRST_RUN and "previous" in document):
        kinds = {one.name: one.declaration.kind for one in load_rules()}
        memory = read_previous(
            document.get("previous"), ExpectedMemory(snapshot.runtime, snapshot.taken_at, kinds)
        )
    return memory


def remembered(report: Report, printed: bool = True) -> Memory:
    """Return what the next run reads: the artifact, through JSON, with the receipt of stdout."""
    if printed:
        told = add_receipts(report.conditions, report.owed.get(STDOUT, ()), STDOUT, report.taken_at)
        report = replace(report, conditions=told)
    # Nothing of the snapshot is read again: a large memory is stored without it.
    document = json.loads(json.dumps(build_artifact_document(report, with_snapshot=False)))
    kinds = {one.name: one.declaration.kind for one in load_rules()}
    memory = read_previous(document, ExpectedMemory(report.runtime, report.taken_at, kinds))
    assert memory.kept, memory.before.lost
    return memory


def named(report: Report) -> list[str]:
    """Return the events as `severity type[:subject]`, in their order."""
    return [
        f"{event.severity} {event.type}" + (f":{event.subject}" if event.subject is not None else "")
        for event in report.events
    ]


def owed(report: Report) -> list[str]:
    """Return what is newly told as `reason type[:subject]`, in its order."""
    return [
        f"{event.reason} {event.type}" + (f":{event.subject}" if event.subject is not None else "")
        for event in (*report.new_events, *report.resolved_events)
    ]


def given(
    patch: dict[str, Any], settings: dict[str, str] | None = None, memory: Memory | None = None
) -> list[str]:
    """Return the events of the healthy snapshot at the patch's time, as `severity type[:subject]`."""
    moment = str(patch.get("taken_at", "2026-06-02T15:00:00Z"))
    return named(evaluated(healthy_at(moment, patch), memory, settings_of(settings)))
