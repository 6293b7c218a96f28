"""The kinds of store in docs/other-bots.md: each is made from its SQL and read through its profile."""

from __future__ import annotations

import re
import sqlite3
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
