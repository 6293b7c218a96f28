"""Any single edit of any key of the full snapshot: told, without effect, or silent by a row of the table.

The table is *Silent by right* in docs/evidence.md.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from random import Random
from typing import Any, NamedTuple

import pytest

from detector.domain.facts import FACT_NAMES
from detector.domain.lane_memory import MAY_BE_ABSENT, MAY_BE_NULL
from detector.domain.previous_run import NO_PREVIOUS_RUN
from detector.domain.report import Report
from detector.domain.run_memory import FIRST_RUN, Memory
from detector.domain.vendor_keys import FOREIGN
from detector.engine.evaluate import build_report, gather, judge
from detector.engine.gather import SharedReadings
from tests.support.full_snapshot import (
    Path,
    build_full_snapshot,
    iter_keys,
    move,
    remove_key,
    rename_key,
    set_value,
)
from tests.support.snapshots import (
    DEFAULTS,
    ROOT,
    build_snapshot_of,
    evaluated,
    named,
    remembered,
)

Document = dict[str, Any]
Edit = Callable[[str], str]
FULL = build_full_snapshot()
KEYS = [path for path in iter_keys(FULL) if len(path) > 1 and path[0] not in ("taken_at", "sources")]
STEP = 600.0
RANDOM = Random(11)


def get_at(document: Document, path: Path) -> Any:
    value: Any = document
    for part in path:
        value = value[part]
    return value


class Look(NamedTuple):
    """What a first run makes of a document: the values of the facts, the events, the account."""

    facts: dict[str, Any]
    events: set[str]
    account: list[Any]

    @property
    def is_told(self) -> bool:
        return bool(self.events - FULL_LOOK.events)

    @property
    def is_silent(self) -> bool:
        return not self.is_told and self.facts != FULL_LOOK.facts


def look(document: Document) -> Look:
    snapshot = build_snapshot_of(document)
    judgement = judge(snapshot, DEFAULTS, NO_PREVIOUS_RUN, shared=SHARED)
    report = build_report(snapshot, FIRST_RUN, DEFAULTS, judgement)
    parts = [
        (part.section, part.facts, part.missing, part.columns, part.unread, part.unknown)
        for part in report.reading
    ]
    return Look({name: getattr(judgement.facts, name) for name in FACT_NAMES}, set(named(report)), parts)


SHARED = SharedReadings()  # every edit changes one section, and the others are read once
FULL_LOOK = look(FULL)
SECTIONS = [name for name in FULL if name not in ("taken_at", "sources")]


def iter_keys_of(section: str) -> Iterator[tuple[int, Path]]:
    """Yield the section's keys, each with its number among all: the kinds of edits take turns by it."""
    return ((number, path) for number, path in enumerate(KEYS) if path[0] == section)


# --- a typing error of one letter, in the very first run ----------------------------------------------------


def camel(key: str) -> str:
    first, *others = key.split("_")
    return first + "".join(part.title() for part in others)


def snake(key: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda match: f"_{match[1]}", key).lower()


STYLES: list[Edit] = [
    str.upper, str.lower, str.title, camel, snake,
    lambda key: snake(key).replace("_", "-"), lambda key: snake(key).replace("_", " "),
    lambda key: key.removesuffix("s") if key.endswith("s") else f"{key}s",
]  # fmt: skip


def iter_typos(key: str) -> Iterator[str]:
    """Yield one edit of each kind at a drawn place: a letter less, more, twice, swapped, another."""
    at, letter = RANDOM.randrange(len(key)), RANDOM.choice("aeknotwz")
    yield from (
        key[:at] + key[at + 1 :],
        key[:at] + letter + key[at:],
        key[:at] + key[at] + key[at:],
        key[:at] + key[at + 1 : at + 2] + key[at] + key[at + 2 :],
        key[:at] + letter + key[at + 1 :],
        RANDOM.choice(STYLES)(key),
    )


@pytest.mark.parametrize("section", SECTIONS)
def test_a_typing_error_in_any_key_is_told_or_changes_no_fact(section):
    silent = []
    for number, path in iter_keys_of(section):
        for typo in list(iter_typos(str(path[-1])))[number % 3 :: 3]:
            document = rename_key(FULL, path, typo) if typo and typo != path[-1] else None
            if document is not None and typo not in FOREIGN and look(document).is_silent:
                silent.append((path, typo))
    assert silent == []


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_that_lies_one_object_deeper_is_told(section):
    inner = FULL[section]
    deeper = [{"data": row} for row in inner] if isinstance(inner, list) else {"data": inner}
    assert look({**FULL, section: deeper}).is_told


@pytest.mark.parametrize("section", SECTIONS)
def test_a_value_that_lies_in_an_object_a_list_or_a_text_is_told_or_changes_no_fact(section):
    silent = []
    for number, path in iter_keys_of(section):
        value = get_at(FULL, path)
        wrapped = [{"value": value}, json.dumps(value), [value], {"items": value}]
        new = [one for one in wrapped[number % 2 :: 2] if type(one) is not type(value)]
        silent += [(path, one) for one in new if look(set_value(FULL, path, one)).is_silent]
    assert silent == []


@pytest.mark.parametrize(
    "name",
    [
        "engine_started_at",
        "last_reconcile_at",
        "trading_halted",
        "open_position_count",
        "stuck_exits",
        "mode",
    ],
)
def test_the_only_key_that_nobody_knows_is_the_only_fact_that_is_missing(name):
    document = rename_key(FULL, ("status_v3", name), "wibble")
    assert document is not None
    document.pop("bot_status")
    told = [event for event in evaluated(document).events if event.type == "reading_invalid"]
    assert [event.subject for event in told] == ["status_v3.wibble"]
    assert name in told[0].summary


@pytest.mark.parametrize("how", ["gone", None])
@pytest.mark.parametrize("section", SECTIONS)
def test_what_the_first_run_lacks_is_told_or_stands_in_the_account(section, how):
    for number, path in iter_keys_of(section):
        if how is None and number % 2:
            continue
        seen = look(remove_key(FULL, path) if how else set_value(FULL, path, how))
        if seen.is_silent:
            is_answer = how is None and path[-1] in {"orderId", "permId", *MAY_BE_NULL}
            is_optional = path[-1] in MAY_BE_ABSENT or path[-1] in ("from", "as_of") or is_answer
            others = len(get_at(FULL, path[:-2])) > 1 if isinstance(path[-2], int) else False
            assert seen.account != FULL_LOOK.account or is_optional or others, path


# --- what three runs showed, and the next ones do not -------------------------------------------------------


def list_facts(document: Document) -> dict[str, Any]:
    facts = gather(build_snapshot_of(document), DEFAULTS, shared=SHARED)
    return {name: getattr(facts, name) for name in FACT_NAMES}


def build_memory() -> Memory:
    memory: Memory | None = None
    for number in range(3):
        report = evaluated(move(FULL, number * STEP - 1800), memory)
        assert report.new_events == ()
        memory = remembered(report)
    assert memory is not None
    return memory


MEMORY = build_memory()
SHARED_BY_RUN = {number: SharedReadings() for number in range(3, 6)}


def run_after(document: Document, runs: int) -> list[list[str]]:
    """Return what each of the runs tells after three that showed everything, resolved conditions included."""
    memory, told = MEMORY, []
    for number in range(3, 3 + runs):
        report = evaluated(move(document, number * STEP - 1800), memory, shared=SHARED_BY_RUN[number])
        told.append(
            [f"{event.reason} {event.signature}" for event in (*report.new_events, *report.resolved_events)]
        )
        if number < 2 + runs:
            memory = remembered(report)
    return told


GONE = frozenset(["ecs.tasks.startedAt", "status_v3.connection_error", "status_v3.recent_trades.multiplier"])
RIGHT: dict[str, frozenset[str]] = {
    "gone": GONE,
    "renamed": GONE,
    "null": GONE | {
        "broker.open_orders.orderId", "broker.open_orders.permId", "processes.pid", "processes.started_at",
        "status_v3.open_positions.trade_id", "status_v3.orders.order_id",
        "status_v3.orders.perm_id", "status_v3.orders.submitted_at", "status_v3.recent_trades.fees",
        "stores.position_state.trade_id", "stores.trades.order_id",
    },
}  # fmt: skip
"""All that is silent by right after three runs, and why by the table: left out, or null as an answer."""


@pytest.mark.parametrize("how", ["gone", "null", "renamed"])
@pytest.mark.parametrize("section", SECTIONS)
def test_what_three_runs_showed_is_missed_within_two_and_told_once(section, how):
    silent, again = [], []
    for _, path in iter_keys_of(section):
        document = rename_key(FULL, path, "wibble_factor") if how == "renamed" else remove_key(FULL, path)
        if how == "null":
            document = set_value(FULL, path, None)
        assert document is not None
        place = ".".join(part for part in path if isinstance(part, str))
        holder = get_at(FULL, path[:-2]) if isinstance(path[-2], int) else ()
        if len(holder) > 1 or list_facts(document) == FULL_LOOK.facts:  # another row still has it
            continue
        told = run_after(document, 2 + (how == "gone"))
        if not told[0] and not told[1]:
            silent.append(place)
        texts = [text for run in told for text in run]
        again += [(place, text) for text in texts if texts.count(text) > 1 or "resolved" in text]
    allowed = {place for place in RIGHT[how] if place.startswith(f"{section}.")}
    assert (set(silent), again) == (allowed, [])


@pytest.mark.parametrize(("value", "is_missed"), [("", False), (None, True), ("x", False)])
def test_a_key_that_is_written_although_it_says_nothing_is_always_written(value, is_missed):
    full = deepcopy(FULL)
    full["status_v3"]["connection_error"] = value
    memory, told = None, []
    for number, document in enumerate(
        [*[full] * 3, *[remove_key(FULL, ("status_v3", "connection_error"))] * 2]
    ):
        assert document is not None
        report = evaluated(move(document, number * STEP - 1800), memory)
        told += [event.subject for event in report.new_events if event.type == "signal_lost"]
        memory = remembered(report)
    assert told == ["status_v3.connection_error"] * is_missed


def test_what_is_lost_stays_lost_while_no_row_could_show_it_and_ends_when_it_is_back():
    path = ("status_v3", "open_positions", 0, "exit_attempt_count")
    lost, flat = remove_key(FULL, path), deepcopy(FULL)
    flat["status_v3"] |= {"open_positions": [], "open_position_count": 0}
    flat["stores"] |= {"position_state": [], "trades": []}
    flat["broker"] |= {"positions": [], "executions": []}
    memory, told = MEMORY, []
    for number, document in enumerate([lost, lost, flat, flat, FULL, FULL], 3):
        report = evaluated(move(document, number * STEP - 1800), memory)
        memory = remembered(report)
        texts = [f"{event.reason} {event.subject}" for event in (*report.new_events, *report.resolved_events)]
        told.append([text for text in texts if "exit_attempt_count" in text])
    subject = "status_v3.open_positions.exit_attempt_count"
    assert told == [[], [f"new {subject}"], [], [], [], [f"resolved {subject}"]]


# --- days on which rows come and go -------------------------------------------------------------------------

OPTIONAL_KEYS = {"queue_depth": 3, "gc_pause_ms": 1.5, "loop": {"lag": 0.1}, "plugins": ["a"], "warmed": True}


def draw_rows(random: Random, status: Document) -> None:
    """Let positions, orders and trades come and go, as options and as stock, with what they have then."""
    option = status["open_positions"][0]
    stock = {**option, "symbol": "COIN", "sec_type": "STK", "multiplier": None, "trade_id": None}
    stock |= dict.fromkeys(("expiry", "strike", "right"))
    trade = status["recent_trades"][0]
    running = {**trade, "trade_id": 170, "closed_at": None, "exit_price": None, "exit_reason": None}
    running |= {"realized_pnl": None, "fees": None}
    order = status["orders"][0]
    new = {**order, "order_id": 8, "perm_id": None}
    status["open_positions"] = random.choice([[], [option], [stock], [option, stock]])
    status["open_position_count"] = len(status["open_positions"])
    status["recent_trades"] = random.choice([[], [trade], [running], [trade, running]])
    status["orders"] = random.choice([[], [order], [new]])
    status["pending_orders"] = len(status["orders"])


@pytest.mark.parametrize("seed", range(6))
def test_a_day_on_which_rows_come_and_go_beside_keys_that_nobody_listed_misses_nothing(seed):
    random, memory, told = Random(seed), None, []
    for number in range(14):
        document = {
            key: deepcopy(FULL[key]) for key in ("taken_at", "status_v3", "ecs", "logs", "containers")
        }
        draw_rows(random, document["status_v3"])
        document["status_v3"] |= random.choice([{}, OPTIONAL_KEYS])
        for row in document["ecs"]["tasks"]:
            row["futureThing"] = {"a": number}
        report: Report = evaluated(move(document, number * STEP - 1800), memory)
        told += [f"{event.type} {event.subject}" for event in report.new_events]
        memory = remembered(report)
    assert [text for text in told if text.startswith(("signal_lost", "reading"))] == []


def test_a_column_that_only_some_rows_have_is_missed_by_nobody():
    memory, told = MEMORY, []
    position = FULL["status_v3"]["open_positions"][0]
    bare = {key: value for key, value in position.items() if key != "exit_attempt_count"}
    for number, rows in enumerate([[position, bare], [position], [position], [bare], [bare], [bare]], 3):
        status = {**FULL["status_v3"], "open_positions": rows, "open_position_count": len(rows)}
        report = evaluated(move({**FULL, "status_v3": status}, number * STEP - 1800), memory)
        told += [str(event.subject) for event in report.new_events if event.type == "signal_lost"]
        memory = remembered(report)
    assert told == []


def read_table() -> dict[str, str]:
    text = (
        (ROOT / "docs" / "evidence.md").read_text().partition("## Silent by right\n")[2].partition("\n## ")[0]
    )
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| ")]
    return {row[0].strip(): row[1] for row in rows[1:]}


def test_the_table_names_every_key_that_may_be_left_out_or_null():
    table = read_table()
    names = {kind: set(re.findall(r"`([^`]+)`", text)) for kind, text in table.items()}
    assert names["null under a key whose null is an answer"] == MAY_BE_NULL
    assert names["a key that its source leaves out by right"] == MAY_BE_ABSENT
