"""The kinds of store in docs/other-bots.md: each is made from its SQL and read through its profile."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from typing import Any

import pytest

from tests.support.program import answer
from tests.support.snapshots import ROOT

_KIND = re.compile(r"^### (.+?)\n\n```toml\n(.+?)```\n\n```sql\n(.+?)```", re.DOTALL | re.MULTILINE)
_PAGE = (ROOT / "docs" / "other-bots.md").read_text("utf-8")
KINDS = {title: (profile, statements) for title, profile, statements in _KIND.findall(_PAGE)}
FILLS = "Fills, of which positions are the sum"
HISTORY = "A history of readings under names of its own (pysystemtrade)"
AT = "2026-06-02T15:00:00Z"
SPY, QQQ = "open_positions_drift:mybot:SPY", "open_positions_drift:mybot:QQQ"


@pytest.fixture
def environ(tmp_path):
    """Settings that name a store of a kind and its profile."""

    def build(kind: str, edit: tuple[str, str] = ("", "")) -> dict[str, str]:
        profile, statements = KINDS[kind]
        (tmp_path / "mybot.toml").write_text(profile.replace(*edit) if edit[0] else profile)
        connection = sqlite3.connect(tmp_path / "store.db")
        connection.executescript(statements)
        connection.close()
        return {
            "AEGIS_PT_STORES_DB": str(tmp_path / "store.db"),
            "AEGIS_PT_PROFILE": str(tmp_path / "mybot.toml"),
            "AEGIS_PT_RUNTIME": "mybot",
        }

    return build


def snapshot(**held: float) -> dict[str, Any]:
    rows = [
        {"account": "DU1234567", "symbol": symbol, "secType": "STK", "currency": "USD", "position": quantity}
        for symbol, quantity in held.items()
    ]
    broker = {"as_of": AT, "connected": True, "positions": rows, "open_orders": [], "executions": []}
    return {"taken_at": AT, "broker": broker}


def list_events(environ: dict[str, str], **held: float) -> list[str]:
    return [
        event["signature"] for event in answer(stdin=snapshot(**held), environ=environ).document["events"]
    ]


def test_the_page_has_at_least_eight_kinds():
    assert len(KINDS) >= 8


@pytest.mark.parametrize("kind", KINDS)
def test_agreement_is_silent_and_each_difference_is_reported(kind, environ):
    settings = environ(kind)
    assert list_events(settings, SPY=39, QQQ=-5) == []
    assert list_events(settings, SPY=40, QQQ=-5) == [SPY]
    assert list_events(settings, SPY=39, QQQ=5) == [QQQ]
    assert list_events(settings, QQQ=-5) == [SPY]
    assert list_events(settings, SPY=39, QQQ=-5, IWM=3) == [SPY.replace("SPY", "IWM")]


@pytest.mark.parametrize("kind", KINDS)
def test_a_column_by_another_name_is_a_failed_source_or_reported(kind, environ):
    column = re.search(r'quantity = "(\w+)"', KINDS[kind][0])
    assert column
    settings = environ(kind, (f'quantity = "{column[1]}"', f'quantity = "{column[1]}x"'))
    events = list_events(settings, SPY=40, QQQ=-5)
    assert any(event.startswith(("source_unavailable", "reading_invalid")) for event in events), events


def test_fills_that_do_not_show_which_of_them_sold_are_no_position(environ):
    settings = environ("Orders, of which the filled quantity counts", ('side = "action"', ""))
    events = list_events(settings, SPY=39, QQQ=-5)
    assert events == ["reading_invalid:mybot:stores.position_state.side"]


@pytest.mark.parametrize(
    ("kind", "rows", "column"),
    [
        (FILLS, [{"symbol": "SPY", "side": "BOT", "zorp": 5}], "zorp"),
        (FILLS, [{"symbol": "SPY", "side": "BOT", "shares": None}], "given"),
        (HISTORY, [{"instrument": "SPY", "zorp": 5}], "zorp"),
        (HISTORY, [{"instrument": "SPY", "position": None}], "given"),
    ],
)  # fmt: skip
def test_a_row_of_fills_or_readings_without_its_quantity_is_reported(kind, rows, column, environ):
    settings = {name: value for name, value in environ(kind).items() if name != "AEGIS_PT_STORES_DB"}
    document = answer(stdin=snapshot(SPY=5) | {"stores": {"position_state": rows}}, environ=settings).document
    faults = {event["signature"]: event["summary"] for event in document["events"]}
    assert column in faults["reading_invalid:mybot:stores.position_state.quantity"]


def test_an_older_reading_that_is_empty_is_no_fault(environ):
    settings = environ(HISTORY)
    rows = [{"instrument": "SPY", "position": quantity} for quantity in (None, 39)]
    del settings["AEGIS_PT_STORES_DB"]
    document = answer(
        stdin=snapshot(SPY=39) | {"stores": {"position_state": rows}}, environ=settings
    ).document
    assert document["events"] == []


DATED = [
    {"instrument": "SPY", "position": 39, "date": None},
    {"instrument": "SPY", "position": 20, "date": None},
]


@pytest.mark.parametrize(
    ("latest", "earlier"),
    [
        ("2026-06-02", "2026-06-01"), ("20260602", "20260601"), (20260630, 20260629),
        ("2026-06-02 10:00:00", "2026-06-02 09:59:59"), ("2026-06-02T15:00:00+09:00", "2026-06-02T05:00:00Z"),
        (1780000000, 1779999999), ("1780000000000", "1779999999000"), (1780000000.5, 1780000000.25),
    ],
)  # fmt: skip
@pytest.mark.parametrize("is_reversed", [False, True])
def test_the_latest_reading_counts_wherever_it_stands(latest, earlier, is_reversed, environ):
    settings = environ(HISTORY)
    del settings["AEGIS_PT_STORES_DB"]
    rows = [{**row, "date": date} for row, date in zip(DATED, (latest, earlier), strict=True)]
    document = snapshot(SPY=39) | {"stores": {"position_state": rows[::-1] if is_reversed else rows}}
    assert answer(stdin=document, environ=settings).document["events"] == []


@pytest.mark.parametrize("dates", [("2026-06-02", None), ("yesterday", "2026-06-02"), (True, "2026-06-02")])
def test_of_readings_whose_order_is_not_known_none_is_compared(dates, environ):
    settings = environ(HISTORY)
    del settings["AEGIS_PT_STORES_DB"]
    rows = [{**row, "date": date} for row, date in zip(DATED, dates, strict=True)]
    other = {"instrument": "QQQ", "position": 5, "date": "2026-06-01"}
    document = snapshot(SPY=39, QQQ=6) | {"stores": {"position_state": [*rows, other]}}
    events = [event["signature"] for event in answer(stdin=document, environ=settings).document["events"]]
    assert "reading_invalid:mybot:stores.position_state.at" in events
    assert SPY not in events, events
    assert QQQ in events, events


def test_rows_that_a_table_lists_newest_first_are_ordered_by_their_time(environ):
    settings = environ(HISTORY)
    with closing(sqlite3.connect(settings["AEGIS_PT_STORES_DB"])) as connection, connection:
        connection.execute("INSERT INTO positions VALUES ('2026-05-01', 'SP500_fund', NULL, 7)")
    assert list_events(settings, SPY=39, QQQ=-5) == []


# --- can-close of each kind ------------------------------------------------------------------------------


def decide_close(environ: dict[str, str], document: dict[str, Any], *words: str) -> str:
    ran = answer("can-close", *words, "--json", stdin=document, environ=environ)
    return str(ran.document["verdict"])


@pytest.mark.parametrize("kind", KINDS)
def test_can_close_by_each_kind(kind, environ):
    settings = environ(kind)
    held = snapshot(SPY=39, QQQ=-5)
    assert decide_close(settings, held, "--symbol", "SPY", "--quantity", "39") == "allow"
    assert decide_close(settings, held, "--symbol", "SPY", "--quantity", "40") == "refuse"
    assert decide_close(settings, held, "--symbol", "QQQ", "--quantity", "5", "--side", "buy") == "allow"
    assert decide_close(settings, held, "--symbol", "QQQ", "--quantity", "5", "--side", "sell") == "refuse"
    assert decide_close(settings, snapshot(QQQ=-5), "--symbol", "SPY", "--quantity", "39") == "refuse"


# --- the tables that freqtrade's own models make --------------------------------------------------------

FREQTRADE_ORDERS = "Orders of freqtrade, of which the filled amount counts"
_MADE = (ROOT / "tests" / "fixtures" / "stores" / "freqtrade.sql").read_text("utf-8")


@pytest.fixture(params=["trades", "orders"])
def freqtrade(request, tmp_path):
    """Settings that name the store that tools/make_freqtrade_store.py made, by each of its tables."""
    connection = sqlite3.connect(tmp_path / "tradesv3.sqlite")
    connection.executescript(_MADE)
    connection.close()
    (tmp_path / "mybot.toml").write_text(KINDS[FREQTRADE_ORDERS][0])
    return {
        "AEGIS_PT_STORES_DB": str(tmp_path / "tradesv3.sqlite"),
        "AEGIS_PT_PROFILE": "freqtrade" if request.param == "trades" else str(tmp_path / "mybot.toml"),
        "AEGIS_PT_RUNTIME": "mybot",
    }


def hold_coins(**held: float) -> dict[str, Any]:
    document = snapshot(**held)
    document["broker"]["positions"] = [
        {**row, "secType": "CRYPTO"} for row in document["broker"]["positions"]
    ]
    return document


def test_the_tables_of_freqtrade_s_own_models_are_read(freqtrade):
    def list_signatures(**held: float) -> list[str]:
        document = answer(stdin=hold_coins(**held), environ=freqtrade).document
        return [event["signature"] for event in document["events"]]

    drift = "open_positions_drift:mybot:"
    assert list_signatures(BTC=0.25, ETH=-2) == []
    assert list_signatures(BTC=0.25, ETH=2) == [f"{drift}ETH"]
    assert list_signatures(BTC=0.75, ETH=-2) == [f"{drift}BTC"]
    assert list_signatures(ETH=-2) == [f"{drift}BTC"]
    words = ("--symbol", "BTC", "--sec-type", "CRYPTO", "--currency", "USD", "--quantity")
    assert decide_close(freqtrade, hold_coins(BTC=0.25, ETH=-2), *words, "0.25") == "allow"
    assert decide_close(freqtrade, hold_coins(BTC=0.25, ETH=-2), *words, "0.5") == "refuse"


# --- documents of pysystemtrade --------------------------------------------------------------------------

((_PROFILE, _DOCUMENTS),) = re.findall(
    r"### pysystemtrade's own documents.+?```toml\n(.+?)```\n\n```json\n(.+?)```", _PAGE, re.DOTALL
)
ORDERS = [
    {"key": "trend/GOLD/20260800", "trade": [4], "fill": [3], "order_id": 1, "broker_account": "DU1234567", "parent": ""},
    {"key": "roll/GOLD/202608_202612", "trade": [1, -1], "fill": [1, -1], "order_id": 2, "broker_account": "DU1234567"},
    {"key": "trend/GOLD/20260800", "trade": [-1], "fill": [-1], "order_id": 3, "broker_account": "DU1234567"},
]  # fmt: skip
_OF_ORDERS = (
    ('rows = "history"', 'rows = "fills"'), ('"contractid"', '"key"'), ('"position"', '"fill"\naccount = "broker_account"'),
)  # fmt: skip


def hold_gold(**held: float) -> dict[str, Any]:
    rows = [
        {"account": "DU1234567", "symbol": "GC", "secType": "FUT", "currency": "USD", "position": quantity,
         "lastTradeDateOrContractMonth": "20260827" if month == "august" else "20261229"}
        for month, quantity in held.items()
    ]  # fmt: skip
    return {"taken_at": AT, "broker": {**snapshot()["broker"], "positions": rows}}


@pytest.mark.parametrize("kind", ["positions", "orders"])
def test_documents_of_pysystemtrade_are_read_as_they_are_dumped(kind, tmp_path):
    profile = _PROFILE
    for old, new in _OF_ORDERS if kind == "orders" else ():
        assert old in profile
        profile = profile.replace(old, new, 1)
    section = json.loads(_DOCUMENTS) if kind == "positions" else {"position_state": ORDERS}
    (tmp_path / "mybot.toml").write_text(profile)
    settings = {"AEGIS_PT_PROFILE": str(tmp_path / "mybot.toml"), "AEGIS_PT_RUNTIME": "mybot"}

    def list_signatures(**held: float) -> list[str]:
        given = {**hold_gold(**held), "stores": {"as_of": AT, **section}}
        document = answer(stdin=given, environ=settings).document
        return [event["signature"] for event in document["events"]]

    assert list_signatures(august=3, december=-1) == []
    (event,) = list_signatures(august=2, december=-1)
    assert event.startswith("open_positions_drift:mybot:GC 2026")
    assert len(list_signatures(august=3, december=1)) == 1
    assert len(list_signatures(december=-1)) == 1


def test_an_order_of_freqtrade_that_does_not_say_what_it_filled_is_reported(environ, tmp_path):
    settings = environ(FREQTRADE_ORDERS)
    connection = sqlite3.connect(tmp_path / "store.db")
    with connection:
        connection.execute("UPDATE orders SET filled = NULL WHERE ft_is_open")
    connection.close()
    assert list_events(settings, SPY=39, QQQ=-5) == ["reading_invalid:mybot:stores.position_state.quantity"]
