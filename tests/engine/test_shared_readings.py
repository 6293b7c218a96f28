"""A snapshot is judged with what it shares with the one before exactly as it is judged by itself."""

from __future__ import annotations

import copy
import json
import random
from datetime import timedelta
from typing import Any

import pytest
from msgspec import msgpack

from detector.domain.run_memory import FIRST_RUN, build_next_memory, check_memory_time
from detector.domain.section_reading import keep_equal_parts
from detector.domain.snapshot import build_snapshot
from detector.engine.evaluate import build_report, judge
from detector.engine.gather import SharedReadings
from detector.formats.redaction import redact
from detector.formats.serialize import to_json
from detector.formats.times import format_time
from detector.settings import RUNTIME
from tests.support.merge_patch import apply_patch
from tests.support.snapshots import NOW, ROOT, fixtures, healthy, settings_of

_WHOLE = json.loads((ROOT / "tests/fixtures/snapshots/regular-session.json").read_text())
_PATCHES = [fixture.patch for fixture in fixtures()]
_VALUES: tuple[Any, ...] = (
    None,
    "",
    " ",
    0,
    0.0,
    -0.0,
    1,
    1.0,
    True,
    "1",
    "ok",
    "x",
    -1,
    2**31 - 1,
    1.75e308,
    [],
    {},
    ["a"],
    {"a": 1},
)
_STEPS = 40


def _list_holders(value: Any) -> list[Any]:
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return [value] * bool(inner) + [holder for item in inner for holder in _list_holders(item)]


def _change(document: dict[str, Any], chance: random.Random) -> None:
    """Change a value, a key or a row somewhere in the document."""
    sections = [value for name, value in document.items() if name not in ("taken_at", "runtime")]
    holder = chance.choice([holder for section in sections for holder in _list_holders(section)] or [{}])
    if not holder:
        return
    key = chance.choice(list(holder)) if isinstance(holder, dict) else chance.randrange(len(holder))
    edits = _EDITS_OF_OBJECTS if isinstance(holder, dict) else _EDITS_OF_LISTS
    chance.choice((*edits, *_EDITS))(holder, key, chance)


def _set_time(holder: Any, key: Any, chance: random.Random) -> None:
    moment = NOW + timedelta(seconds=chance.choice((-4000, -300, -1, 0, 1, 60, 110, 130, 4000)))
    holder[key] = format_time(moment)


def _set_value(holder: Any, key: Any, chance: random.Random) -> None:
    holder[key] = chance.choice(_VALUES)


def _add_number(holder: Any, key: Any, chance: random.Random) -> None:
    if isinstance(holder[key], int | float):
        holder[key] += chance.choice((1, 0.5, -1))


def _add_key(holder: Any, key: Any, chance: random.Random) -> None:
    holder[chance.choice(("other", "heartbeat", "ordres", "error"))] = chance.choice(_VALUES)


_EDITS = (_set_time, _set_value, _add_number, lambda holder, key, chance: holder.__delitem__(key))
_EDITS_OF_LISTS = (lambda holder, key, chance: holder.append(copy.deepcopy(holder[key])),)
_EDITS_OF_OBJECTS = (
    _add_key,
    lambda holder, key, chance: holder.update({key[:-1] + key[-1:] * 2: holder.pop(key)}),  # nearly it
    lambda holder, key, chance: holder.update({key: holder.pop(key)}),  # at the end
)


def _iter_history(seed: int) -> Any:
    """Yield snapshots as documents: most times a little changed, at times another one or an earlier time."""
    chance = random.Random(seed)
    document, at = copy.deepcopy(_WHOLE), NOW
    for _ in range(_STEPS):
        if chance.random() < 0.2:
            base = chance.choice((healthy(), _WHOLE))
            document = copy.deepcopy(apply_patch(base, chance.choice(_PATCHES)))
        for _ in range(chance.choice((0, 1, 1, 2, 5))):
            _change(document, chance)
        at += timedelta(seconds=chance.choice((0, 1, 30, 60, 600, 600, 3600, 90_000, -60, -600)))
        yield copy.deepcopy({**document, "taken_at": format_time(at)})


_AT = {"taken_at": "2026-06-02T15:00:00Z"}
_BY_HAND = [
    [{**_AT, "bot_status": {"model": {"a": 1}}}, {**_AT, "bot_status": {"model": {}}}],
    [
        {**_AT, "bot_status": {"pending_orders": 1, "ordres": []}},
        {**_AT, "bot_status": {"pending_orders": 1}},
    ],
    [
        {**_AT, "bot_status": {"open_positions": [{"symbol": "SPY", "quantity": 1, "strike": strike}]}}
        for strike in (727, 0)  # a stock has a strike of 0, which is none
    ],
]


@pytest.mark.parametrize("history", [*range(16), *_BY_HAND], ids=str)
def test_a_history_gives_the_same_reports_with_and_without_what_its_snapshots_share(history):
    settings = settings_of({})
    shared, memory = SharedReadings(), FIRST_RUN
    for document in history if isinstance(history, list) else _iter_history(history):
        alone, together = (
            build_snapshot(redact(copy.deepcopy(document)), now=NOW, runtime=settings[RUNTIME]) for _ in "ab"
        )
        base = check_memory_time(memory, alone.taken_at, now=NOW)
        reports = [
            build_report(
                snapshot, base.memory, settings, judge(snapshot, settings, base.memory.before, shared=parts)
            )
            for snapshot, parts in ((alone, None), (together, shared))
        ]
        if len({msgpack.encode(report) for report in reports}) > 1:
            expected, given = (to_json(report) for report in reports)
            assert [name for name in expected if repr(given[name]) != repr(expected[name])] == []
        if base.can_advance:
            memory = build_next_memory(reports[0], reports[0].conditions)


_PARTS = (*_VALUES, [1, {"a": [2]}], {"a": 1, "b": 2}, {"b": 2, "a": 1})


@pytest.mark.parametrize("new", _PARTS, ids=repr)
@pytest.mark.parametrize("old", _PARTS, ids=repr)
def test_what_is_kept_is_what_was_given(new, old):
    kept = keep_equal_parts(copy.deepcopy(new), old)
    assert repr(kept) == repr(new)
    assert (kept is old) == (repr(new) == repr(old)) or new == 0.0
