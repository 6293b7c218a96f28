"""Never silently blind: whatever is given and not understood, or lost, or of another time, adds an event.

Nothing else does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from functools import reduce
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detector.domain.broker_rows import BrokerOrder, BrokerPosition, Execution
from detector.domain.columns import VOCABULARIES, find_term, get_columns, list_terms
from detector.domain.facts import FACT_NAMES, STATUS_FACTS
from detector.domain.previous_run import NO_PREVIOUS_RUN
from detector.domain.profile import ReadContext
from detector.domain.shape import CELL, LIST, Key, Shape
from detector.domain.snapshot import PARTS, SECTIONS
from detector.domain.vendor_keys import FOREIGN
from detector.engine.catalog import find_reader
from detector.engine.evaluate import judge
from detector.engine.key_comparison import KeyComparison
from detector.render.lines import format_signals_seen
from tests.support.full_snapshot import (
    Path,
    build_full_snapshot,
    iter_edits,
    iter_keys,
    move,
    remove_key,
    rename_key,
)
from tests.support.snapshots import (
    AEGIS,
    DEFAULTS,
    build_snapshot_of,
    evaluated,
    healthy,
    healthy_at,
    named,
    remembered,
    settings_of,
)

FULL = build_full_snapshot()
KEYS = [path for path in iter_keys(FULL) if len(path) > 1]
STEP = 600.0
Document = dict[str, Any]


def look(document: Document) -> tuple[list[str], dict[str, tuple[str, ...]]]:
    """Return the events and the facts that the account found, by section."""
    report = evaluated(document)
    return named(report), {account.section: account.facts for account in report.reading}


BASE = look(FULL)


def get_at(document: Document, path: Path) -> Any:
    value: Any = document
    for part in path:
        value = value[part]
    return value


# --- a key that is wrong by one edit ------------------------------------------------------------------------


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(KEYS), st.data())
def test_any_single_edit_of_any_known_key_adds_an_event_or_changes_nothing(path, data):
    edit = data.draw(st.sampled_from(list(iter_edits(str(path[-1])))))
    document = rename_key(FULL, path, edit)
    if document is not None and edit not in FOREIGN:
        events, facts = look(document)
        assert set(events) - set(BASE[0]) or (events, facts) == BASE, (path, edit)


@pytest.mark.parametrize("section", [name for name in FULL if name not in ("taken_at", "sources")])
def test_no_edit_of_a_sections_own_keys_is_silent(section):
    value = FULL[section]
    silent = []
    for path in (
        [(section, key) for key in value]
        if isinstance(value, dict)
        else [(section, 0, key) for key in value[0]]
    ):
        for edit in list(iter_edits(path[-1]))[::9]:
            document = rename_key(FULL, path, edit)
            if document is not None and edit not in FOREIGN:
                events, facts = look(document)
                if events == BASE[0] and facts != BASE[1]:
                    silent.append((path, edit))
    assert silent == []


NEEDED: list[Path] = [
    ("status_v3", "open_positions", 0, "quantity"), ("status_v3", "open_positions", 0, "symbol"),
    ("status_v3", "orders", 0, "side"), ("status_v3", "orders", 0, "quantity"),
    ("status_v3", "recent_trades", 0, "entry_price"), ("status_v3", "recent_trades", 0, "trade_id"),
    ("status_v3", "ticks", 0, "price"), ("status_v3", "ticks", 0, "at"),
    ("broker", "positions", 0, "quantity"), ("broker", "positions", 0, "strike"),
    ("broker", "open_orders", 0, "action"), ("broker", "open_orders", 0, "totalQuantity"),
    ("broker", "executions", 0, "side"), ("broker", "executions", 0, "at"),
    ("stores", "position_state", 0, "quantity"), ("stores", "trades", 0, "status"),
    ("ecs", "services", 0, "runningCount"), ("ecs", "tasks", 0, "lastStatus"), ("ecs", "tasks", 0, "containers"),
    ("ecs", "tasks", 0, "containers", 0, "name"), ("containers", 0, "State"), ("containers", 0, "Names"),
    ("processes", 0, "running"), ("gateway", "listening"), ("power", "status"), ("logs", "events", 0, "timestamp"),
]  # fmt: skip


@pytest.mark.parametrize("path", NEEDED, ids=lambda path: ".".join(map(str, path)))
def test_a_needed_column_under_a_strange_name_is_told_with_what_it_may_be(path):
    document = rename_key(FULL, path, "zorp")
    assert document is not None
    report = evaluated(document)
    told = [event.summary for event in report.events if event.type == "reading_invalid"]
    assert any("zorp" in summary or "nothing is recognised" in summary for summary in told), told


@pytest.mark.parametrize("name", ["shares", "totalQuantity", "totalSize", "contracts", "amount"])
def test_a_position_of_the_broker_whose_quantity_has_another_name_is_told(name):
    document = rename_key(FULL, ("broker", "positions", 0, "quantity"), name)
    assert document is not None
    assert any("reading_invalid" in event for event in look(document)[0])


ALWAYS: list[Path] = [
    ("broker", "positions", 0, "quantity"), ("broker", "executions", 0, "side"),
    ("broker", "executions", 0, "quantity"), ("broker", "executions", 0, "at"),
    ("stores", "position_state", 0, "quantity"), ("ecs", "services", 0, "runningCount"),
    ("ecs", "tasks", 0, "lastStatus"), ("ecs", "tasks", 0, "containers", 0, "lastStatus"),
    ("containers", 0, "State"),
]  # fmt: skip


@pytest.mark.parametrize("value", [None, "", "gone"])
@pytest.mark.parametrize("path", ALWAYS, ids=lambda path: ".".join(map(str, path)))
def test_a_row_without_what_its_source_always_gives_is_told(path, value):
    document = remove_key(FULL, path)
    if value != "gone":
        get_at(document, path[:-1])[path[-1]] = value
    assert any("reading_invalid" in event for event in look(document)[0])


USUAL = [
    "heartbeat_at", "pending_orders", "pending_exits", "stuck_exits", "broker_reconcile_pending",
    "position_reconcile_pending", "entry_blocking_reconcile_pending", "broker_confirmation_required",
    "send_outcome_unknown", "unknown_fills", "market_data_status", "market_data_10197_recent",
    "max_exit_attempt_count", "broker_connected", "open_positions", "recent_trades", "orders", "mode",
]  # fmt: skip


@pytest.mark.parametrize("name", USUAL)
def test_a_usual_fact_under_a_strange_name_is_told_by_the_first_run(name):
    document = rename_key(FULL, ("status_v3", name), "zorp")
    assert document is not None
    document.pop("bot_status")
    told = [event for event in evaluated(document).events if event.type == "reading_invalid"]
    assert [event.subject for event in told] == ["status_v3.zorp"]
    assert name in told[0].summary


SMALL: list[tuple[str, Any, str]] = [
    ("heartbeat", "2026-06-02T14:00:00Z", "heartbeat_at"), ("heartbeatTime", 1780408400, "heartbeat_at"),
    ("last_heartbeat_at", "20 minutes ago", "heartbeat_at"), ("heartbeat_age", 3000, "heartbeat_at"),
    ("heartbeat", {"age": 3000}, "heartbeat_at"), ("last_seen", "2026-06-02T12:00:00Z", "heartbeat_at"),
    ("exits_stuck", 3, "stuck_exits"), ("n_stuck", 3, "stuck_exits"), ("stuckExits", "none", "stuck_exits"),
    ("pending_order", "many", "pending_orders"), ("orders_pending", 12, "pending_orders"),
    ("counts", {"pendingOrders": 3}, "pending_orders"), ("exitsPending", 2, "pending_exits"),
    ("ib_connected", False, "broker_connected"), ("isConnected", False, "broker_connected"),
    ("errors_10197", 5, "market_data_10197_recent"), ("exit_attempts", 9, "max_exit_attempt_count"),
    ("reconcile_pending", True, "broker_reconcile_pending"), ("is_halted", True, "trading_halted"),
    ("reconciled_at", "2026-06-02T12:00:00Z", "last_reconcile_at"), ("fills_unknown", 1, "unknown_fills"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value", "meant"), SMALL)
def test_a_key_in_the_words_of_a_missing_fact_is_told_in_a_payload_of_any_size(key, value, meant):
    document = {"taken_at": FULL["taken_at"], "status_v3": {"recent_trades": [], key: value}}
    told = [event for event in evaluated(document).events if event.type == "reading_invalid"]
    assert [event.subject for event in told] == [f"status_v3.{key}"]
    assert meant in told[0].summary


def test_a_number_with_a_unit_is_no_missing_count_and_another_number_may_be():
    def list_told(**more: Any) -> list[str]:
        gateway = {"port": 4002, "listening": True, "handshake": "ok", **more}
        document = {"taken_at": FULL["taken_at"], "gateway": gateway}
        return [event.subject for event in evaluated(document).events if event.subject]

    assert list_told(latency_ms=41, uptime_sec=900) == []
    assert list_told(zorp=4) == ["gateway.close_wait"]


BEFORE: Document = {"heartbeat_age_sec": 5, "open_positions": []}
TROUBLED: list[tuple[str, Any, Any, str]] = [
    ("exits", {"stuck": 2}, {"stuck": 0}, "stuck_exits"), ("has_stuck_exits", True, False, "stuck_exits"),
    ("exits", {"pending": 0, "stuck": 1}, {"tp": 9, "sl": 5}, "stuck_exits"),
    ("stuck_exit_ids", [7], [], "stuck_exits"), ("unknown_fill_ids", ["e1"], [], "unknown_fills"),
    ("fills", {"known": 12, "unknown": 1}, {"known": 12, "unknown": 0}, "unknown_fills"),
    ("send_outcome", "UNKNOWN", "KNOWN", "send_outcome_unknown"),
    ("broker_confirmation", "required", "none", "broker_confirmation_required"),
    ("broker_reconcile", "pending", "done", "broker_reconcile_pending"),
    ("flags", ["broker_reconcile_pending"], ["paper"], "broker_reconcile_pending"),
    ("broker_link", "down", "up", "broker_connected"), ("broker_disconnected", True, False, "broker_connected"),
    ("connection_state", "DISCONNECTED", "CONNECTED", "broker_connected"),
    ("kill_switch_active", True, False, "trading_halted"), ("kill_switch", {"state": "on"}, {"state": "off"}, "halted"),
    ("trading_suspended", True, False, "trading_halted"), ("competing", True, False, "session"),
    ("session", {"authenticated": True, "competing": True}, {"authenticated": True, "competing": False}, "session"),
    ("iserver", {"authStatus": {"authenticated": False, "competing": False}}, {"authStatus": None}, "session"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "trouble", "well", "meant"), TROUBLED)
def test_a_key_that_says_trouble_is_told_whoevers_it_is_and_only_then(key, trouble, well, meant):
    def list_told(value: Any, **more: Any) -> list[str]:
        status = {**BEFORE, key: value, **more}
        return [
            event.summary for event in evaluated({"taken_at": FULL["taken_at"], "status_v3": status}).events
        ]

    told = list_told(trouble)
    assert len(told) == 1, told
    assert f"status_v3.{key} " in told[0]
    assert meant in told[0]
    assert list_told(well) == []
    if meant in STATUS_FACTS:  # what the runtime says in the place that is known counts
        known = {"count": 0, "flag": False}.get(STATUS_FACTS[meant]["kind"], 0)
        assert list_told(trouble, **{meant: meant == "broker_connected" or known}) == []


@pytest.mark.parametrize("key", ["heartbeat_ok", "heartbeat_alive"])
def test_a_heartbeat_that_is_called_dead_is_told_where_its_time_is_not_there(key):
    document: Document = {"taken_at": FULL["taken_at"], "status_v3": {"open_positions": [], key: False}}
    assert [event.subject for event in evaluated(document).events] == [f"status_v3.{key}"]
    document["status_v3"]["heartbeat_age_sec"] = 5
    assert evaluated(document).events == ()


def test_the_same_keys_that_begin_to_say_trouble_are_told_in_a_replay():
    comparison = KeyComparison("status_v3", lambda kind, value: True)
    reader = find_reader("status_v3")
    assert reader is not None
    shape = reader.build_shape("status_v3", ReadContext(DEFAULTS, AEGIS, NO_PREVIOUS_RUN), {})
    assert not comparison.is_alike({"exits": {"stuck": 2}}, {"exits": {"stuck": 0}}, shape)
    assert comparison.is_alike({"exits": {"tp": 2}}, {"exits": {"tp": 1}}, shape)


OTHER_FACTS: dict[str, Any] = {
    "heartbeat_interval": 30, "heartbeat_timeout_sec": 300, "heartbeat_ok": True, "heartbeats": 512,
    "max_pending_orders": 3, "pending_order_limit": 5, "stuck_exit_threshold": 3, "connected_clients": 4,
    "connected_since": "2026-06-02T12:00:00Z", "redis": {"connected": True},
    "reconcile_interval": 60, "exit_attempt_limit": 5,
    "halted_reason": "", "order": "asc", "unknown_fill_ids": [],
    "limits": {"pending_orders": 3, "stuck_exits": 1}, "yesterday": {"stuck_exits": 2},
    "competing_strategies": 3, "exit_strategy": "stuck_hunter", "lifetime": {"stuck_exits_total": 12},
    "vpn": {"link": "down"}, "news": {"connected": False}, "telegram_status": "disconnected",
    "config": {"exits": {"stuck": 3}}, "authenticated": False, "exits": {"today": 14, "note": "none stuck"},
    "stuck_exit_ids": 7, "engine_status": "stopped", "order_confirmation": "pending",
}  # fmt: skip


@pytest.mark.parametrize("key", OTHER_FACTS)
def test_a_limit_or_another_fact_in_the_same_words_is_quiet(key):
    document = {"taken_at": FULL["taken_at"], "status_v3": {"recent_trades": [], key: OTHER_FACTS[key]}}
    assert [event for event in evaluated(document).events if event.type == "reading_invalid"] == []


ROWS = [{"symbol": "AAPL", "qty": 100}]
BY_KEY = {"AAPL": {"ticker": "AAPL", "shares": 100}}


@pytest.mark.parametrize(
    ("key", "value", "meant"),
    [
        pytest.param("positions", ROWS, "open_positions", id="another bot's name"),
        pytest.param("Holdings", {"AAPL": 100}, "open_positions", id="numbers by their symbol"),
        pytest.param("positions", [], "open_positions", id="none now"),
        pytest.param("book", ROWS, "open_positions", id="rows under any name"),
        pytest.param("book", BY_KEY, "open_positions", id="rows by their key"),
        pytest.param("account", {"book": ROWS}, "open_positions", id="rows in an object"),
        pytest.param(
            "book", [{"contract": {"symbol": "A"}, "position": 1}], "open_positions", id="a contract"
        ),
        pytest.param("trades", [], "recent_trades", id="trades"),
        pytest.param("openOrders", ROWS, "orders", id="orders"),
        pytest.param("result", {"stuck_exits": 2}, "stuck_exits", id="a wrapper"),
        pytest.param("broker", {"connected": False}, "broker_connected", id="a name in two parts"),
        pytest.param("metrics", {"exit": {"stuckExits": 0}}, "stuck_exits", id="two objects deep"),
        pytest.param("recent", {"trades": []}, "recent_trades", id="a list in an object"),
    ],
)
def test_a_fact_in_another_bots_words_is_told_where_nothing_else_shows_it(key, value, meant):
    status = {"heartbeat_at": "2026-06-02T14:59:50Z", key: value}
    events = evaluated({"taken_at": FULL["taken_at"], "status_v3": status}).events
    assert [event.subject for event in events] == [f"status_v3.{key}"]
    assert meant in events[0].summary


@pytest.mark.parametrize(
    "value",
    [{"AAPL": 7, "mode": "x", "connected": True}, {"risk": {"size": 5}}, [{"name": "SPY"}], ["AAPL"], 3, []],
)
def test_an_unknown_value_that_shows_nothing_of_ours_is_quiet(value):
    status = {"heartbeat_at": "2026-06-02T14:59:50Z", "book": value}
    assert evaluated({"taken_at": FULL["taken_at"], "status_v3": status}).events == ()


def test_a_fact_that_a_runtime_never_had_is_quiet_beside_many_keys_of_its_own_or_none():
    few = {name: FULL["status_v3"][name] for name in ("heartbeat_at", "pending_orders", "mode")}
    many = {**FULL["status_v3"], **{f"own_{number}": number for number in range(40)}}
    for status in (few, {**few, "loops": 7, "warm": True}, many):
        document = {"taken_at": FULL["taken_at"], "status_v3": dict(status)}
        document["status_v3"].pop("stuck_exits", None)
        assert [event for event in look(document)[0] if "reading_invalid" in event] == []


@pytest.mark.parametrize("name", ["stuck_exits_2", "stuck_exits_v2", "stuck_exits2", "unstuck_exits"])
def test_a_name_that_differs_in_a_digit_or_by_a_negation_is_another_fact(name):
    document = rename_key(FULL, ("status_v3", "stuck_exits"), name)
    assert document is not None
    document.pop("bot_status")
    assert [event for event in look(document)[0] if "reading_invalid" in event] == []


# --- any key, any value -------------------------------------------------------------------------------------

VALUES: list[Any] = ["NaN", ["x"], {"value": 1}, True, "zorp", "300s", -1e20, 1e30, "yes", "0"]
EXPORTS = ("broker", "stores", "power")  # in which `NaN` is how a program writes nothing
TEXT_NUMBERS = (
    "number",
    "contract number",
    "quantity",
)  # which exports, and TWS of a contract, write as text
FREE = {"id", "contract id", "text", "any"}  # kinds of which any text is one


def list_facts(document: Document) -> dict[str, Any]:
    facts = judge(build_snapshot_of(document), DEFAULTS, NO_PREVIOUS_RUN).facts
    return {name: getattr(facts, name) for name in FACT_NAMES}


def find_kind(path: Path) -> str:
    kinds = {tuple(part for part in place if part != 0): key.kind for place, key in DECLARED}
    return kinds.get(tuple(part for part in path if part != 0), CELL)


def test_any_value_of_another_kind_is_told_or_changes_no_fact():
    """Of ids and free texts any value is one; what a row of a broker holds is tried by its columns."""
    random, base, silent = Random(7), list_facts(FULL), []
    for path in random.sample([path for path in KEYS if find_kind(path) not in {*FREE, CELL}], 60):
        for value in random.sample(VALUES[path[0] in EXPORTS :], 4):
            document = deepcopy(FULL)
            get_at(document, path[:-1])[path[-1]] = value
            is_number = value == "0" and find_kind(path) in TEXT_NUMBERS
            is_told = is_number or bool(set(look(document)[0]) - set(BASE[0]))
            if not is_told and list_facts(document) != base and type(value) is not type(get_at(FULL, path)):
                silent.append((path, value, find_kind(path)))
    assert silent == []


def test_a_row_without_a_needed_column_is_quiet_where_no_strange_key_could_be_it():
    document = remove_key(FULL, ("status_v3", "open_positions", 0, "quantity"))
    document["status_v3"]["open_positions"][0] |= {"strategy": "condor", "is_hedge": True, "legs": ["a"]}
    assert [event for event in look(document)[0] if "reading_invalid" in event] == []


@pytest.mark.parametrize(
    ("path", "edit"),
    [
        (("status_v3", "stuck_exits"), "stuck_exit"),
        (("bot_status", "pending_exits"), "pendingExits"),
        (("status_v3", "open_positions", 0, "quantity"), "quantty"),
        (("broker", "open_orders", 0, "orderId"), "ordrId"),
        (("gateway", "listening"), "listenig"),
        (("ecs", "services", 0, "runningCount"), "running_count"),
    ],
)
def test_a_known_key_that_is_null_beside_a_misspelling_with_a_value_is_told(path, edit):
    document = rename_key(FULL, path, edit)
    assert document is not None
    get_at(document, path[:-1])[path[-1]] = None
    assert any("reading_invalid" in event for event in look(document)[0])


@pytest.mark.parametrize("name", ["cur_stuck_exits", "stuck_exits_value", "stuckExitsNow"])
def test_a_fact_whose_name_stands_whole_in_a_longer_one_is_told(name):
    document = rename_key(FULL, ("status_v3", "stuck_exits"), name)
    assert document is not None
    document.pop("bot_status")
    assert any("reading_invalid" in event for event in look(document)[0])


@pytest.mark.parametrize(
    "name", ["stuck_exits_limit", "max_stuck_exits", "stuck_exits_at", "stuck_exits_24h"]
)
def test_a_longer_name_that_means_another_fact_is_quiet(name):
    document = rename_key(FULL, ("status_v3", "stuck_exits"), name)
    assert document is not None
    document.pop("bot_status")
    assert [event for event in look(document)[0] if "reading_invalid" in event] == []


@pytest.mark.parametrize("path", [("status_v3", "orders", 0, "side"), ("broker", "executions", 0, "side")])
@pytest.mark.parametrize("side", ["CALL", 7, True, {"value": "BUY"}], ids=str)
def test_a_side_that_is_not_known_is_told_and_never_taken_for_long(path, side):
    document = deepcopy(FULL)
    get_at(document, path[:-1])["side"] = side
    assert any("reading_invalid" in event for event in look(document)[0])


# --- a word that nobody knows -------------------------------------------------------------------------------

WORD_KINDS = {*VOCABULARIES, "side", "sign", "state"}
FREE_TEXTS = {
    "connection_error", "exit_reason", "ID", "Id", "Name", "Names", "Project", "Service", "Status", "Labels",
    "arn", "clusterArn", "serviceArn", "serviceName", "taskArn", "group", "detail-type", "message", "reason",
    "stoppedReason", "host", "error", "logStreamName", "oca_group", "notes", "why_held",
    "nextToken", "NextToken",
}  # fmt: skip
"""Texts of which every one is right; the first word of a container's `Status` is tried beside the others."""
BROKER_ROWS = {"positions": BrokerPosition, "open_orders": BrokerOrder, "executions": Execution}


def iter_leaves(shape: Shape, path: Path, seen: tuple[Shape, ...] = ()) -> Iterator[tuple[Path, Key]]:
    """Yield the path and the declaration of every key that holds a value."""
    for name, key in shape.reads.items():
        if key.inner is None:
            yield (*path, name), key
        elif key.inner not in seen:
            inner = (*path, name, 0) if key.kind == LIST else (*path, name)
            yield from iter_leaves(key.inner, inner, (*seen, key.inner))


def iter_declared() -> Iterator[tuple[Path, Key]]:
    context = ReadContext(DEFAULTS, AEGIS, NO_PREVIOUS_RUN)
    for section in (*SECTIONS, *PARTS):
        reader = find_reader(section)
        if reader is None:
            continue
        section_path: Path = tuple(section.split("."))
        path: Path = (*section_path, 0) if isinstance(FULL.get(section), list) else section_path
        yield from iter_leaves(reader.build_shape(section, context, FULL.get(section, {})), path)
    for name, row in BROKER_ROWS.items():
        for column, spec in get_columns(row).items():
            yield ("broker", name, 0, column), Key(spec["kind"])


DECLARED = [(path, key) for path, key in iter_declared() if key.kind != CELL]
WORDS = [path for path, key in DECLARED if key.kind in WORD_KINDS] + [("containers", 0, "Status")]


def nest(path: Path, value: Any) -> Any:
    """Return the smallest document with that value there; a row has a name and a quantity too."""

    def wrap(inner: Any, part: str | int) -> Any:
        return [{"symbol": "SPY", "quantity": 3, "Names": ["/a"], **inner}] if part == 0 else {part: inner}

    return reduce(wrap, reversed(path), value)


@pytest.mark.parametrize("path", WORDS, ids=lambda path: ".".join(map(str, path)))
def test_a_word_that_nobody_knows_is_told_in_every_fact_that_is_one(path):
    report = evaluated({"taken_at": FULL["taken_at"], **nest(path, "zorp")})
    told = [event.summary for event in report.events if event.type == "reading_invalid"]
    assert any("zorp" in summary for summary in told), told


def test_every_text_that_is_declared_is_a_word_or_is_known_to_be_free():
    assert len(WORDS) > 40
    assert {str(path[-1]) for path, key in DECLARED if key.kind in ("text", "any")} == FREE_TEXTS


@pytest.mark.parametrize("kind", VOCABULARIES)
def test_a_known_word_is_read_in_any_case_and_punctuation(kind):
    for word in list_terms(kind):
        assert find_term(kind, word) == find_term(kind, word.swapcase()) is not None


@pytest.mark.parametrize(
    ("fact", "own"), [("mode", "practice"), ("market_data_status", "streaming"), ("kind", "ouverture")]
)
def test_a_profile_may_have_words_of_its_own_for_a_fact(fact, own):
    document = healthy()
    status = document["status_v3"]
    if fact == "kind":
        status["orders"] = [{**FULL["status_v3"]["orders"][0], fact: own}]
        status["pending_orders"] = 1
    else:
        status[fact] = own
    words = '[words]\npaper = ["practice"]\nok = ["streaming"]\nentry = ["ouverture"]\n'
    paths = "\n".join(f'{name} = "{name}"' for name in STATUS_FACTS)
    own_profile = f'[profile]\nname = "x"\n[status]\n{paths}\n{words}'
    told = named(evaluated(document, settings=settings_of(profile=own_profile)))
    untold = named(evaluated(document))
    assert ([event for event in told if "reading" in event], untold != []) == ([], True)


@pytest.mark.parametrize("status", ["ONBATT", "zorp", "OL zorp"])
def test_a_power_status_in_no_word_of_nut_is_told(status):
    assert look(FULL | {"power": {"status": status}})[0] == ["warning reading_invalid:power.status"]


OWNER = {"RUNTIME": "aegis-pt-core", "AWS_REGION": "us-east-1", "ECS_CLUSTER": "prod", "ECS_SERVICE": "bot"}


@pytest.mark.parametrize(
    ("section", "key", "own"),
    [
        *[
            (section, "runtime", "aegis-pt-core")
            for section in ("broker", "stores", "gateway", "power", "logs")
        ],
        ("logs", "region", "us-east-1"),
        ("logs", "cluster", "arn:aws:ecs:us-east-1:123456789012:cluster/prod"),
        ("logs", "service", "bot"),
    ],
)
def test_what_a_section_says_of_its_owner_is_held_against_the_settings(section, key, own):
    def list_events(name: str) -> list[str]:
        document = {"taken_at": FULL["taken_at"], section: FULL[section] | {key: name}}
        return named(evaluated(document, settings=settings_of(OWNER)))

    assert list_events(own) == []
    assert list_events("another") == [f"critical source_mismatch:{section}"]


def test_the_full_snapshot_is_healthy_and_every_section_shows_something():
    assert BASE[0] == []
    assert all(BASE[1].values())


# --- what was seen and is lost ------------------------------------------------------------------------------


def run_on(documents: list[Document], texts: dict[str, str] | None = None) -> list[list[str]]:
    """Return what each of the runs tells, ten minutes apart: `type subject`."""
    memory, told = None, []
    for number, document in enumerate(documents):
        report = evaluated(move(document, number * STEP), memory, settings_of(texts or {}))
        told.append([f"{event.type} {event.subject}" for event in report.new_events])
        memory = remembered(report)
    return told


def at_session(document: Document) -> Document:
    """Return the document as of a time of the session with room for some runs."""
    return move(document, -1800)


LOSABLE = [name for name in FULL if name not in ("taken_at", "sources", "bot_status")]


@pytest.mark.parametrize("section", LOSABLE)
def test_a_section_that_is_lost_after_three_runs_is_told_within_two_and_once(section):
    full = at_session(FULL)
    without = {key: value for key, value in full.items() if key not in (section, "sources")}
    told = run_on([full] * 3 + [without] * 4)
    assert told[:3] == [[]] * 3
    assert told[3] or told[4], "nobody was told"
    counts = Counter(name for run in told[3:] for name in run)
    assert [name for name, times in counts.items() if times > 2] == []  # once, and once more where it worsens
    assert told[6] == []


@pytest.mark.parametrize("name", [key for key in FULL["status_v3"] if key not in ("ticks", "orders", "mode")])
def test_a_fact_that_is_lost_after_three_runs_is_told_within_two_where_a_critical_rule_needs_it(name):
    full = at_session(FULL)
    full.pop("bot_status")
    told = run_on([full] * 3 + [remove_key(full, ("status_v3", name))] * 4)
    needed = name not in (
        "market_data_10197_recent", "open_position_count", "connection_error", "max_exit_attempt_count",
        "engine_started_at", "broker_connected", "last_reconcile_at", "trading_halted", "open_positions",
    )  # fmt: skip
    assert told[:3] == [[]] * 3
    assert bool(told[3] or told[4]) or not needed
    assert told[5:] == [[], []]


@pytest.mark.parametrize(("seen", "is_told"), [(1, False), (2, False), (3, True)])
def test_a_key_that_came_later_is_missed_once_three_runs_saw_it(seen, is_told):
    full, later = at_session(deepcopy(FULL)), at_session(deepcopy(FULL))
    for row in later["status_v3"]["open_positions"]:
        row["signal_id"] = "s1"
    told = run_on([full] * 3 + [later] * seen + [full] * 3)
    assert told[: 3 + seen] == [[]] * (3 + seen)
    assert any(told[3 + seen :]) is is_told


LISTED_LESS: dict[str, tuple[str, Any, str]] = {
    "no container is a standby": ("containers", [{"Names": ["/x"], "State": "exited"}], "standby_guard"),
    "no container is listed": ("containers", [], "standby_guard"),
    "the log is cut": ("logs", {**FULL["logs"], "truncated": True}, "severe_signals"),
    "the log has another page": ("logs", {**FULL["logs"], "nextToken": "x"}, "severe_signals"),
    "the log has another page of the command line": ("logs", {**FULL["logs"], "NextToken": "x"}, "severe_signals"),
    "a process is not listed": ("processes", [], "processes.name.engine"),
}  # fmt: skip


@pytest.mark.parametrize("case", LISTED_LESS)
def test_a_list_that_no_longer_proves_what_it_proved_is_told_within_two_runs_once_and_ends(case):
    full = at_session(FULL)
    section, value, subject = LISTED_LESS[case]
    less = at_session({**FULL, section: value})
    told = run_on([full] * 3 + [less] * 4 + [full] * 2)
    assert told == [[]] * 4 + [[f"signal_lost {subject}"]] + [[]] * 4


def test_a_process_that_comes_and_goes_is_missed_by_nobody_and_an_expected_one_alone_is_watched():
    full = at_session(FULL)
    engine = full["processes"][0]
    more = {**full, "processes": [engine, {**engine, "name": "backup"}]}
    assert quiet([full, more, full, more, more, full, full])
    mine = {"PROCESSES": "engine=command:java"}
    assert quiet([more] * 3 + [full] * 3, mine)
    lost = [[], ["reading_invalid processes.name"], []]
    assert run_on([full, {**full, "processes": []}, full], mine) == lost


@pytest.mark.parametrize(("status", "is_checked"), [({}, False), ({"zorp": 1}, False), ({"n": 0}, True)])
def test_constants_of_a_profile_are_no_facts_beside_a_payload_that_shows_none(status, is_checked):
    own = settings_of(
        profile='[profile]\nname = "x"\n[status]\npending_orders = "n"\nstuck_exits = { value = 0 }\n'
    )
    report = evaluated({"taken_at": FULL["taken_at"], "status_v3": status}, settings=own)
    assert (report.checked > 0) is is_checked


# --- healthy days -------------------------------------------------------------------------------------------


def quiet(documents: list[Document], texts: dict[str, str] | None = None) -> bool:
    return run_on(documents, texts) == [[]] * len(documents)


@pytest.mark.parametrize(
    "moment",
    ["2026-06-06T15:00:00Z", "2026-07-03T15:00:00Z", "2026-06-02T12:35:00Z", "2026-06-02T06:00:00Z"],
    ids=["a weekend", "a holiday", "the hour before the open", "the night"],
)
def test_a_day_without_a_session_and_the_hours_before_one_are_quiet(moment):
    assert quiet([healthy_at(moment)] * 3)


@pytest.mark.parametrize("hours", [1, 3, 6], ids=lambda hours: f"every {hours} h")
def test_a_slow_schedule_of_healthy_runs_tells_nothing_but_its_gaps(hours):
    memory, told = None, set()
    for number in range(8):
        report = evaluated(move(FULL, number * hours * 3600), memory)
        told |= {event.type for event in report.new_events}
        memory = remembered(report)
    assert told <= {"watch_gap"}


def test_fifty_foreign_keys_near_ours_are_quiet():
    document = deepcopy(FULL)
    names = [name for name in sorted(FOREIGN) if name not in document["status_v3"]]
    assert len(names) >= 50
    document["status_v3"] |= dict.fromkeys(names, 7)
    document["status_v3"]["open_positions"][0] |= dict.fromkeys(["trader_id", "size", "model", "tick"], "x")
    assert look(document)[0] == []
    bare = {
        "status_v3": {"heartbeat_at": "2026-06-02T14:59:50Z", **dict.fromkeys(names, 7)},
        "taken_at": FULL["taken_at"],
    }
    assert [event for event in look(bare)[0] if "reading_invalid" in event] == []


NEXT_YEAR = {"futureThing": {"a": 1}, "zonalShift": "x", "placementScore": 0.7, "newRows": [{"k": 1}]}
VENDOR_ROWS: list[Path] = [
    ("ecs", "services", 0), ("ecs", "tasks", 0), ("ecs", "tasks", 0, "containers", 0), ("containers", 0),
    ("logs", "events", 0), ("broker", "positions", 0), ("broker", "open_orders", 0), ("broker", "executions", 0),
]  # fmt: skip


@pytest.mark.parametrize("path", VENDOR_ROWS, ids=lambda path: ".".join(map(str, path)))
def test_keys_of_next_year_in_a_vendors_rows_are_quiet(path):
    document = deepcopy(FULL)
    get_at(document, path).update(NEXT_YEAR)
    assert look(document) == BASE


def test_a_box_lane_that_sees_none_of_the_eleven_signals_is_quiet():
    box = {key: FULL[key] for key in ("taken_at", "gateway", "processes", "power", "stores")}
    assert quiet([at_session(box)] * 4)


def pick(document: Document, *sections: str) -> Document:
    return {key: document[key] for key in ("taken_at", *sections)}


BOX = ("gateway", "processes", "power")
REMOTE = ("status_v3", "ecs", "containers", "logs")
LANES = [(BOX, REMOTE), ((*BOX, "stores"), REMOTE), (("logs",), ("status_v3", "broker")), (BOX, ("broker",))]


def tell_by_lane(runs: list[tuple[str, Document]]) -> list[list[str]]:
    """Return what each run tells, of one memory, five minutes apart.

    `reason type`, resolved ones included.
    """
    memory, told = None, []
    for number, (lane, document) in enumerate(runs):
        report = evaluated(move(document, number * 300), memory, settings_of({"RUN_LANE": lane}))
        told.append(
            [f"{event.reason} {event.type}" for event in (*report.new_events, *report.resolved_events)]
        )
        memory = remembered(report)
    return told


@pytest.mark.parametrize(("first", "second"), LANES)
def test_two_lanes_with_one_memory_read_different_sections_with_positions_open(first, second):
    full = at_session(FULL)
    runs = [("box", pick(full, *first)), ("remote", pick(full, *second))] * 3
    assert tell_by_lane(runs) == [[]] * 6


@pytest.mark.parametrize("sections", [("containers",), ("gateway", "logs"), ("stores",), ("ecs", "power")])
def test_a_run_by_hand_between_scheduled_ones_is_quiet_with_positions_open(sections):
    full = at_session(FULL)
    scheduled, by_hand = ("schedule", full), ("by hand", pick(full, *sections))
    assert tell_by_lane([scheduled, by_hand, scheduled, by_hand, by_hand, scheduled]) == [[]] * 6


@pytest.mark.parametrize(("first", "second"), LANES[:3])
def test_the_lane_that_sees_the_runtime_tells_its_dark_once_and_no_other_lane_ends_it(first, second):
    full = at_session(FULL)
    box = ("box", pick(full, *first))
    remote, dark = ("remote", pick(full, *second)), ("remote", pick(full, *(second[1:] or ("power",))))
    told = tell_by_lane([box, remote, box, dark, box, dark, box, dark, box, remote, remote])
    assert told[:3] == [[]] * 3
    assert "new exposure_unwatched" in told[3]
    counts = Counter(text for run in told[3:9] for text in run)
    assert [text for text, times in counts.items() if times > 1 or text.startswith("resolved")] == []
    assert "new signal_lost" in counts, "the box lane's run forgives the remote lane nothing"
    assert {"resolved exposure_unwatched", "resolved signal_lost"} == set(told[10])
    assert told[9] == []


@pytest.mark.parametrize(("first", "second"), LANES)
def test_what_is_wrong_in_one_lane_lasts_and_ends_although_another_lane_runs_in_between(first, second):
    """A run of a lane that does not read the section is neither a good verdict nor an unseen one."""
    full = at_session(FULL)
    if "status_v3" not in second:
        second = (*second, "status_v3")
    box = ("box", pick(full, *first))
    good, bad = pick(full, *second), pick(full, *second)
    bad["status_v3"] = {**bad["status_v3"], "stuck_exits": 1, "pending_orders": 3}
    told = tell_by_lane([("remote", good), box, *[("remote", bad), box] * 2, *[("remote", good), box] * 3])
    assert told[:2] == [[]] * 2
    assert {"new stuck_exits", "new pending_orders_high"} <= set(told[2])
    assert "escalated pending_orders_high" in told[4], "the runs in between stop no clock"
    ended = [text for run in told[6:] for text in run if text.startswith("resolved")]
    assert {"resolved stuck_exits", "resolved pending_orders_high"} <= set(ended)
    assert told[-1] == []


@pytest.mark.parametrize(("first", "second"), LANES[:3])
def test_what_a_lane_lost_ends_although_another_lane_runs_in_between(first, second):
    full = at_session(FULL)
    box, remote = ("box", pick(full, *first)), ("remote", pick(full, *second))
    dark = ("remote", pick(full, *(second[1:] or ("power",))))
    told = tell_by_lane([box, remote, *[box, dark] * 3, *[box, remote] * 3])
    ended = {text for run in told[8:] for text in run if text.startswith("resolved")}
    assert {"resolved exposure_unwatched", "resolved signal_lost"} <= ended


@pytest.mark.parametrize("lanes", [7, 8, 12])
def test_lanes_that_are_more_than_a_memory_holds_are_one_warning(lanes):
    full = at_session(FULL)
    report = evaluated(full, settings=settings_of({"RUN_LANE": "run 0"}))
    for number in range(1, lanes):
        own = settings_of({"RUN_LANE": f"run {number}"})
        report = evaluated(move(full, number * STEP), remembered(report), own)
    told = [warning for warning in report.warnings if warning.startswith("AEGIS_PT_RUN_LANE")]
    assert len(told) == (lanes >= 8)


def test_a_signal_whose_conditions_are_only_held_is_not_counted_as_seen():
    full = at_session(FULL)
    bad = {**full, "status_v3": {**full["status_v3"], "unknown_fills": 1}}
    report = evaluated(bad)
    assert {entry.signal: entry.state for entry in report.coverage}["exit_safety"] == "firing"
    held = evaluated(move({"taken_at": full["taken_at"]}, STEP), remembered(report))
    assert any("unknown_fill" in signature for signature in held.held)
    assert format_signals_seen(held) == "0 of 11 signals seen"


def test_another_profile_and_a_run_by_hand_expect_what_they_saw_themselves():
    full = at_session(healthy())
    memory = remembered(evaluated(full))
    other = settings_of({"PROFILE": "cortana"})
    report = evaluated(move({"taken_at": full["taken_at"], "ecs": full["ecs"]}, STEP), memory, other)
    assert [event.type for event in report.new_events] == []
    by_hand = settings_of({"RUN_LANE": "by hand"})
    report = evaluated(
        move({"taken_at": full["taken_at"], "containers": full["containers"]}, 2 * STEP),
        remembered(report),
        by_hand,
    )
    assert [event.type for event in report.new_events] == []
    assert [event.type for event in evaluated(move(full, 3 * STEP), remembered(report)).new_events] == []


def test_a_deployment_is_quiet_about_what_is_not_understood():
    document = healthy()
    document["ecs"]["services"][0]["deployments"] = [
        {"id": "d", "status": "PRIMARY", "rolloutState": "IN_PROGRESS", "createdAt": "2026-06-02T14:58:00Z"}
    ]
    assert [event for event in look(document)[0] if "reading" in event or "lost" in event] == []


@pytest.mark.parametrize(("column", "name"), [("expiry", "last_day")])
def test_a_key_that_the_profile_calls_foreign_is_quiet_in_every_section(column, name):
    document = rename_key(pick(FULL, "broker"), ("broker", "positions", 0, column), name)
    assert document is not None
    for foreign, is_told in (("other", True), (name, False)):
        own = settings_of(
            profile=f'[profile]\nname = "x"\n[status]\nmode = "mode"\n[foreign]\nkeys = ["{foreign}"]\n'
        )
        assert ("reading_invalid" in str(named(evaluated(document, settings=own)))) is is_told
