"""What the owner ordered that narrows the watch: closures, mutes that are too long, odd settings."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from fnmatch import fnmatchcase

from msgspec.structs import replace

from detector.domain.acknowledgement import LONGEST_MUTE, Mute, can_match, get_kind, is_in_force, is_most
from detector.domain.facts import Facts
from detector.domain.judgement import Judgement
from detector.domain.lane_memory import MOST_LANES
from detector.domain.profile import Profile
from detector.domain.report import SignalCoverage
from detector.engine.catalog import load_rules
from detector.engine.coverage import group_rules
from detector.market.hours import to_new_york_day
from detector.market.session_plan import describe_override
from detector.settings import MUTES, PROFILE, RUN_LANE, Settings


def list_overrides(facts: Facts) -> tuple[str, ...]:
    """Return the closure that the owner announced for today, as a part of a sentence; empty without one."""
    closure = describe_override(facts.closures, to_new_york_day(facts.taken_at))
    return () if closure is None else (closure,)


def list_warnings(facts: Facts, settings: Settings, mutes: Collection[Mute]) -> tuple[str, ...]:
    """Return a sentence for each mute that mutes nothing, too many lanes, and the doubtful settings."""
    profile: Profile | None = settings.files.get(PROFILE.name)
    names = [rule.name for rule in load_rules()] + [rule.name for rule in (profile.rules if profile else ())]
    aimless = (mute.pattern for mute in mutes if not can_match(mute.pattern, names, facts.runtime))
    own = (
        *_iter_long_mutes(facts, mutes),
        *map(_describe_aimless_mute, aimless),
        *_iter_mute_floods(facts, mutes, names),
    )
    return (*own, *_iter_lane_floods(facts), *settings.doubts)


def _iter_lane_floods(facts: Facts) -> Iterator[str]:
    if len(facts.before.lanes.keys() | {facts.lane}) >= MOST_LANES:
        yield (
            f"{RUN_LANE.name}: {MOST_LANES} lanes or more share this memory, and what older ones saw is"
            " forgotten. What a lane lost is reported only where its name is the same in every run."
        )


def _describe_aimless_mute(pattern: str) -> str:
    return (
        f"{MUTES.name}: the mute of {pattern!r} mutes nothing: no event of this runtime has such a signature"
        " (event:runtime or event:runtime:subject)."
    )


def _iter_long_mutes(facts: Facts, mutes: Collection[Mute]) -> Iterator[str]:
    for mute in mutes:
        if mute.until > facts.taken_at + LONGEST_MUTE:
            yield (
                f"{MUTES.name}: the mute of {mute.pattern!r} is not in force:"
                f" it ends on {mute.until:%Y-%m-%d}, and a mute lasts at most {LONGEST_MUTE.days} days."
            )


def _iter_mute_floods(facts: Facts, mutes: Collection[Mute], names: Collection[str]) -> Iterator[str]:
    kinds = {get_kind(mute.pattern) for mute in mutes if is_in_force(mute, facts.taken_at)}
    muted = sum(any(fnmatchcase(name, kind) for kind in kinds) for name in names)
    if is_most(muted, names):
        yield f"{MUTES.name}: {muted} of {len(names)} rules are muted, at least in part."


def add_overrides(
    coverage: Sequence[SignalCoverage], judgement: Judgement, overrides: Sequence[str]
) -> tuple[SignalCoverage, ...]:
    """Return the coverage in which a signal that a closure keeps from being judged names the closure."""
    return tuple(_add_reason(entry, judgement, overrides) for entry in coverage)


def _add_reason(entry: SignalCoverage, judgement: Judgement, overrides: Sequence[str]) -> SignalCoverage:
    outcomes = (judgement.outcomes.get(name) for name in group_rules()[entry.signal])
    is_off = any(outcome is not None and outcome.verdict == "off hours" for outcome in outcomes)
    if not overrides or not is_off or entry.state == "firing":
        return entry
    return replace(entry, why="; ".join(filter(None, (entry.why, *overrides))))
