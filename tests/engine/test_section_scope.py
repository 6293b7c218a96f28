"""Whose the broker's rows are: AEGIS_PT_ACCOUNT against the accounts that they name, in every spelling."""

from __future__ import annotations

import pytest

from detector.readers.broker.row_columns import COLUMNS
from tests.support.snapshots import evaluated, named, settings_of

NOW = "2026-06-02T15:00:00Z"
OURS, OTHER = "live-1", "live-2"  # as redaction leaves them
COIN, TESLA = {"symbol": "COIN", "sec_type": "STK", "quantity": 10}, {"symbol": "TSLA", "quantity": 5}
FILL = {"exec_id": "e", "symbol": "COIN", "side": "BOT", "quantity": 1, "at": NOW, "account": OTHER}
ORDER = {"order_id": 1, "symbol": "COIN", "side": "BUY", "quantity": 1, "status": "Submitted"}
STATUS = {"heartbeat_at": NOW, "open_positions": [COIN], "open_position_count": 1}
MISMATCH = ["critical source_mismatch:broker"]


def list_events(**lists):
    document = {
        "taken_at": NOW,
        "status_v3": STATUS,
        "broker": {"as_of": NOW, "connected": True, **lists},
    }
    return named(evaluated(document, settings=settings_of({"ACCOUNT": OURS})))


@pytest.mark.parametrize("key", COLUMNS["position"]["account"])
def test_rows_that_are_all_of_another_account_are_not_about_this_runtime(key):
    assert list_events(positions=[{**TESLA, key: OTHER}]) == MISMATCH
    assert list_events(positions=[{**TESLA, key: OTHER}, {**COIN, key: OURS}]) == []


@pytest.mark.parametrize(
    ("lists", "expected"),
    [
        ({"positions": [COIN]}, []),
        ({"positions": [{**COIN, "account": "U***1111"}]}, []),
        ({"positions": [{**COIN, "account": f"{OURS}/GROWTH"}]}, []),
        ({"positions": [{**COIN, "account": OURS}], "executions": [FILL]}, []),
        ({"positions": [], "open_orders": [{**ORDER, "account": OTHER}]}, MISMATCH),
        (
            {"positions": [{**TESLA, "account": OTHER}], "open_orders": [{**ORDER, "account": OURS}]},
            ["critical open_positions_drift:COIN"],
        ),
    ],
    ids=["no account", "masked", "a model", "a fill of another", "orders of another", "flat beside another"],
)
def test_one_row_that_may_be_ours_makes_the_section_ours_and_no_other_accounts_row_counts(lists, expected):
    assert list_events(**lists) == expected
