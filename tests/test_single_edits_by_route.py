"""An edit of a key is read or told on every route as on standard input, and under any profile's names."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path as File
from random import Random
from typing import Any

import pytest

from detector.domain.facts import FACT_NAMES
from detector.domain.previous_run import NO_PREVIOUS_RUN
from detector.domain.run_memory import FIRST_RUN
from detector.domain.vendor_keys import FOREIGN
from detector.engine.evaluate import build_report, judge
from detector.settings import Settings
from tests.support.full_snapshot import (
    Path,
    build_full_snapshot,
    iter_edits,
    iter_keys,
    remove_key,
    rename_key,
)
from tests.support.loopback import says, serving
from tests.support.program import Answer, answer
from tests.support.snapshots import NOW, ROOT, build_snapshot_of, named, settings_of

Document = dict[str, Any]
FULL = build_full_snapshot()
SECTIONS = [name for name in FULL if name not in ("taken_at", "sources")]
URLS = {"status_v3": "AEGIS_PT_STATUS_URL", "bot_status": "AEGIS_PT_BOT_STATUS_URL"}


# --- the routes of a section --------------------------------------------------------------------------------


def iter_edited(section: str, random: Random) -> Iterator[Any]:
    """Yield the section, and some in which one key is misspelt or gone."""
    yield FULL[section]
    for path in random.sample([path for path in iter_keys(FULL) if path[0] == section and len(path) > 1], 2):
        document = rename_key(FULL, path, random.choice(list(iter_edits(str(path[-1])))))
        yield (document or remove_key(FULL, path))[section]
        yield remove_key(FULL, path)[section]


def write(file: File, value: Any) -> str:
    file.write_text(json.dumps(value))
    os.utime(file, (NOW.timestamp(), NOW.timestamp()))
    return str(file)


def list_faults(ran: Answer) -> list[str]:
    """Return what is told of the reading; what is configured and not seen is another matter."""
    assert ran.code in (0, 3), ran.err  # 3: the job tells that nothing was checked
    events = [event for event in ran.document["events"] if event["type"] in ("reading_invalid", "clock_skew")]
    return sorted(f"{event['type']} {event['subject']} {event['summary']}" for event in events)


def run_by_address(section: str, value: Any, name: str) -> Answer:
    with serving(says(value)) as server:
        prefix = "" if name != "AEGIS_PT_SECTIONS" else f"{section}="
        return answer("detect", environ={name: f"{prefix}{server.url}/x"})


@pytest.mark.parametrize("section", SECTIONS)
def test_an_edit_is_told_alike_on_every_route(tmp_path, section):
    for number, value in enumerate(iter_edited(section, Random(section))):
        document = {"taken_at": FULL["taken_at"], section: value}
        file, snapshot = write(tmp_path / "section.json", value), write(tmp_path / "snapshot.json", document)
        job = ("run", "--stdout", "--state", str(tmp_path / f"state{number}"), "--snapshot", snapshot)
        routes = {
            "stdin": answer("detect", "--offline", stdin=document),
            "run --snapshot FILE": answer(*job),
            "a file": answer("detect", environ={"AEGIS_PT_SECTIONS": f"{section}={file}"}),
            "a URL": run_by_address(section, value, "AEGIS_PT_SECTIONS"),
        }
        if section in URLS:
            routes["its own URL"] = run_by_address(section, value, URLS[section])
        told = {route: list_faults(ran) for route, ran in routes.items()}
        assert told == dict.fromkeys(routes, told["stdin"]), value


# --- the names of a profile ---------------------------------------------------------------------------------

DOTTED = """
[profile]
name = "dotted"

[status]
heartbeat_at = "engine.heartbeat.at"
engine_started_at = "engine.started.at"
stuck_exits = "trading.exits.stuck"
pending_exits = "trading.exits.pending"
pending_orders = "trading.orders.pending.count"
broker_connected = "broker.link.connected"
open_positions = "portfolio.positions"
open_position_count = "portfolio.size"
mode = "account.mode"

[rows.open_positions]
quantity = "qty"
"""
SPY = {"symbol": "SPY", "sec_type": "STK", "qty": 3}
TRADE = {"id": 162, "ticker": "SPY", "status": "open", "contracts": 3, "contracts_remaining": 3, "entry_price": 5.5,
         "entry_time": "2026-06-02 09:10:00", "option_type": "C", "expiration": "20260605", "strike": 727,
         "multiplier": 100, "signal_id": 9}  # fmt: skip
LEG = {"position_id": 301, "trade_id": 162, "ticker": "SPY", "option_type": "C", "expiration": "20260605",
       "strike": 727, "multiplier": 100, "contracts_remaining": 3, "is_open": 1, "entry_price": 5.5}  # fmt: skip
COIN = {
    "id": 5,
    "pair": "BTC/USDT",
    "amount": 0.5,
    "is_short": 0,
    "is_open": 1,
    "open_rate": 60000,
    "close_date": None,
}
AS_OF = "2026-06-02T14:59:50Z"
PAYLOADS: Mapping[str, Document] = {
    "dotted": {
        "status_v3": {
            "engine": {"heartbeat": {"at": AS_OF}, "started": {"at": "2026-06-02T12:01:00Z"}},
            "trading": {"exits": {"stuck": 0, "pending": 0}, "orders": {"pending": {"count": 1}}},
            "broker": {"link": {"connected": True}},
            "portfolio": {"positions": [SPY], "size": 1},
            "account": {"mode": "paper"},
        }
    },
    "aegis": {name: FULL[name] for name in ("status_v3", "bot_status", "stores")},
    "cortana": {
        "status_v3": {
            key: value for key, value in FULL["status_v3"].items()
            if key in ("heartbeat_at", "open_positions", "orders", "broker_connected", "market_data_status", "mode")
        },
        "stores": {"as_of": AS_OF, "position_state": [LEG], "trades": [TRADE]},
    },
    "freqtrade": {
        "status_v3": {"current": 1, "max": 3, "total_stake": 100.0},
        "stores": {
            "as_of": AS_OF,
            "position_state": [COIN],
            "trades": [
                {**COIN, "open_date": "2026-06-02 10:00:00", "close_rate": None, "close_profit_abs": None,
                 "exit_reason": None}
            ],
        },
    },
    "robo_trader": {
        "status_v3": {
            "trading_status": {"api_connected": True, "message": "", "detail": "", "mode": "paper"},
            "positions_count": 1,
        },
        "bot_status": {"last_update_seconds_ago": 10},
        "stores": {"as_of": AS_OF, "position_state": [{"symbol": "SPY", "quantity": 3, "avg_cost": 55.1}]},
    },
}  # fmt: skip


def settings_for(profile: str) -> Settings:
    file = ROOT / "detector" / "profiles" / f"{profile}.toml"
    return settings_of(profile=file.read_text() if file.exists() else DOTTED)


def look(document: Document, settings: Settings) -> tuple[dict[str, Any], set[str]]:
    """Return the facts and the events of a first run."""
    snapshot = build_snapshot_of(document, settings)
    judgement = judge(snapshot, settings, NO_PREVIOUS_RUN)
    report = build_report(snapshot, FIRST_RUN, settings, judgement)
    return {name: getattr(judgement.facts, name) for name in FACT_NAMES}, set(named(report))


@pytest.mark.parametrize("profile", PAYLOADS)
def test_an_edit_of_a_name_of_a_profile_is_told_or_changes_no_fact(profile):
    settings, random = settings_for(profile), Random(profile)
    full: Document = {"taken_at": FULL["taken_at"], **PAYLOADS[profile]}
    facts, events = look(full, settings)
    assert not events
    # Names of two letters are silent by right: one edit makes another word of them.
    keys: list[Path] = [path for path in iter_keys(full) if len(path) > 1 and len(str(path[-1])) > 2]
    silent = []
    for path in keys:
        edits = [edit for edit in iter_edits(str(path[-1])) if edit not in FOREIGN]
        for edit in random.sample(edits, 2 if len(keys) > 60 else 8):
            document = rename_key(full, path, edit)
            seen = look(document, settings) if document is not None else (facts, events)
            if not seen[1] and seen[0] != facts:
                silent.append((".".join(map(str, path)), edit))
    assert silent == []


@pytest.mark.parametrize("name", ["trade", "engines2", "model", "recording", "brokers_seen"])
def test_an_object_of_another_name_or_without_a_known_key_is_foreign(name):
    document = {"taken_at": FULL["taken_at"], **deepcopy(PAYLOADS["dotted"])}
    document["status_v3"] |= {name: {"heartbeat": {"at": AS_OF}, "exits": 1}, "trding": {"volume": 3}}
    assert look(document, settings_for("dotted"))[1] == set()
