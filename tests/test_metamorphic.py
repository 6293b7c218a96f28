"""Changes to a document that say nothing new give the same bytes."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.domain.facts import STATUS_FACTS
from tests.support.program import answer
from tests.support.snapshots import SNAPSHOTS, Fixture, fixtures, healthy

PAYLOADS = ("status_v3", "bot_status")
FIXTURES = {one.name: one for one in fixtures()}
EVENTFUL: dict[str, Any] = {
    **healthy(),
    "status_v3": {
        **healthy()["status_v3"],
        "heartbeat_at": "2026-06-02T14:50:00Z",
        "pending_orders": 3,
        "pending_exits": 1,
        "stuck_exits": [{"symbol": "SPY"}],
        "orders": [
            {"order_id": 7, "symbol": "SPY", "kind": "exit", "age_sec": 700, "status": "Submitted"},
            {"order_id": 8, "symbol": "QQQ", "kind": "entry", "age_sec": 301},
        ],
        "open_positions": [{"symbol": "SPY", "quantity": 2, "tags": ["Broker"], "exit_attempt_count": 12}],
        "open_position_count": 1,
        "recent_trades": [{"trade_id": 162, "symbol": "SPY", "pnl_unknown": True}],
        "broker_reconcile_pending": True,
        "send_outcome_unknown": 2,
        "unknown_fills": 1,
        "broker_connected": False,
        "connection_error": "API connection failed: TimeoutError()",
        "market_data_status": "degraded",
        "market_data_10197_recent": 10,
        "max_exit_attempt_count": 20,
    },
    "containers": [{"Names": ["/aegis-lt-ibkr-trader"], "State": "running"}],
}
DOCUMENTS: dict[str, Any] = {
    "eventful": EVENTFUL,
    "healthy": healthy(),
    "regular-session": json.loads((SNAPSHOTS / "regular-session.json").read_text()),
    **{name: one.document for name, one in FIXTURES.items()},
}
by_document = pytest.mark.parametrize("name", DOCUMENTS)


def out(name: str, document: dict[str, Any]) -> bytes:
    """What the program prints of a document, with the settings of the fixture."""
    one = FIXTURES.get(name, Fixture(name, {}, []))
    environ = {f"AEGIS_PT_{key}": text for key, text in one.settings.items()}
    given = answer("--quiet", stdin=document, environ=environ)
    assert given.code in (0, 4)
    return given.out


def shuffled(value: Any, chance: random.Random) -> Any:
    """The same value with the keys of every object in another order."""
    if isinstance(value, dict):
        keys = list(value)
        chance.shuffle(keys)
        return {key: shuffled(value[key], chance) for key in keys}
    return [shuffled(item, chance) for item in value] if isinstance(value, list) else value


def with_strangers(value: Any) -> Any:
    """The same value with a key of other people in every object below the sections."""
    if (
        isinstance(value, dict) and value
    ):  # with nothing else in it, it would be content of which nothing is known
        return {
            "zz_unknown": {"x": [1, None, "é"]},
            **{key: with_strangers(item) for key, item in value.items()},
        }
    return [with_strangers(item) for item in value] if isinstance(value, list) else value


def without_rows(section: Any, name: str) -> Any:
    """The section with plain text under the stranger's key where it is an envelope, in which rows are a
    fault.
    """
    return section if name in PAYLOADS or isinstance(section, list) else {**section, "zz_unknown": "é"}


def test_the_eventful_document_is():
    assert len(json.loads(out("eventful", EVENTFUL))["events"]) > 12


@by_document
@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_keys_says_nothing(name, seed):
    document = DOCUMENTS[name]
    assert out(name, shuffled(document, random.Random(seed))) == out(name, document)


@by_document
def test_an_unknown_field_says_nothing(name):
    document = DOCUMENTS[name]
    strange = {
        key: without_rows(with_strangers(value), key)
        if key not in ("taken_at", "runtime", "sources", "previous", "logs", "processes")
        else value
        for key, value in document.items()
    }
    assert out(name, strange) == out(name, document)


def said_twice(document: dict[str, Any]) -> dict[str, Any]:
    """The document with every readable fact of one payload in the other one too."""
    both = {**document.get("bot_status", {}), **document.get("status_v3", {})}
    return {**document, **dict.fromkeys(PAYLOADS, both)}


TOLD_BY_PATH = (
    "reading_invalid",
    "clock_skew",
    "source_",
    "reading_missing",
    "exposure_unwatched",
    "impossible_state",
)
"""What a fault, a time ahead or a source is about is its path, which names the payload."""
SPREAD = [
    name
    for name, document in DOCUMENTS.items()
    if "status_v3" in document and not name.startswith(TOLD_BY_PATH) and "sources" not in document
]


@pytest.mark.parametrize("name", SPREAD)
def test_a_payload_under_its_other_name_says_the_same(name):
    document = DOCUMENTS[name]
    moved = {
        **{key: value for key, value in document.items() if key != "status_v3"},
        "bot_status": document["status_v3"],
    }
    if "bot_status" not in document:
        assert out(name, moved) == out(name, document)


@pytest.mark.parametrize("name", SPREAD)
def test_saying_everything_twice_says_the_same(name):
    assert out(name, said_twice(DOCUMENTS[name])) == out(name, DOCUMENTS[name])


@given(data=st.data())
def test_spreading_facts_over_the_two_payloads_says_the_same(data):
    name = data.draw(st.sampled_from([one for one in SPREAD if "bot_status" not in DOCUMENTS[one]]))
    document, facts = DOCUMENTS[name], dict(DOCUMENTS[name]["status_v3"])
    places = {key: data.draw(st.sampled_from([(True, False), (False, True), (True, True)])) for key in facts}
    if "last_reconcile_at" in facts:  # null beside a seen start means never: the two belong together
        places["last_reconcile_at"] = places.get("engine_started_at", (True, False))
    spread = {
        **document,
        "status_v3": {key: value for key, value in facts.items() if places[key][0]},
        "bot_status": {key: value for key, value in facts.items() if places[key][1]},
    }
    assert out(name, spread) == out(name, document)


BETTER: dict[str, Any] = {
    "heartbeat_at": "2026-06-02T14:59:59Z",
    "pending_orders": 0,
    "pending_exits": 0,
    "stuck_exits": [],
    "broker_reconcile_pending": False,
    "send_outcome_unknown": False,
    "unknown_fills": 0,
    "market_data_status": "ok",
    "market_data_10197_recent": 0,
    "max_exit_attempt_count": 0,
    "broker_connected": True,
    "connection_error": "",
    "orders": [],
    "open_positions": [],
    "recent_trades": [],
    "trading_halted": False,
}


@pytest.mark.parametrize("fact", BETTER)
@pytest.mark.parametrize("section", PAYLOADS)
def test_a_better_value_in_the_other_payload_takes_nothing_back(fact, section):
    facts = EVENTFUL["status_v3"]
    one, other = PAYLOADS if section == "bot_status" else reversed(PAYLOADS)
    document = {key: value for key, value in EVENTFUL.items() if key != "status_v3"}
    assert fact in STATUS_FACTS
    assert out("eventful", {**document, one: facts, other: {fact: BETTER[fact]}}) == out("eventful", EVENTFUL)


@by_document
def test_null_and_missing_say_the_same(name):
    document = json.loads(json.dumps(DOCUMENTS[name]))
    before = out(name, document)
    for payload in PAYLOADS:
        if payload in document:
            missing = [
                fact for fact in STATUS_FACTS if fact not in document[payload] and fact != "last_reconcile_at"
            ]
            document[payload] |= dict.fromkeys(missing)
    for section in ("broker", "power", "gateway", "logs", "sources", "previous"):
        document.setdefault(section, None)
    assert out(name, document) == before


@by_document
def test_the_same_document_gives_the_same_bytes(name):
    assert out(name, DOCUMENTS[name]) == out(name, json.loads(json.dumps(DOCUMENTS[name])))
