"""What the reader makes of ib_async's objects, beside what they hold; and the table of it for the docs."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from detector.domain.previous_run import NO_PREVIOUS_RUN
from detector.domain.profile import ReadContext, parse_profile
from detector.domain.section_reading import Reading
from detector.formats.redaction import redact
from detector.readers.broker import read
from tests.support.ib_objects import AT, BUILDERS, CONTRACTS, QUANTITIES, WAYS
from tests.support.snapshots import NOW, settings_of

CONTEXT = ReadContext(settings_of(), parse_profile({}), NO_PREVIOUS_RUN)
FACTS = {
    "positions": "broker_positions",
    "portfolio": "broker_positions",
    "openTrades": "broker_orders",
    "fills": "broker_executions",
}


def reading(section: dict[str, Any]) -> Reading:
    made = Reading("broker", NOW, 120)
    read(redact(section), made, CONTEXT)
    return made


def contract_columns(kind: str) -> dict[str, Any]:
    """What every row must show of its contract, taken from ib_async's own object."""
    contract = CONTRACTS[kind]
    return {
        "symbol": contract.symbol,
        "con_id": str(contract.conId),
        "sec_type": contract.secType,
        "expiry": contract.lastTradeDateOrContractMonth or None,
        "strike": contract.strike or None,
        "right": contract.right or None,
        "multiplier": float(contract.multiplier) if contract.multiplier else None,
        "local_symbol": contract.localSymbol or None,
        "trading_class": contract.tradingClass or None,
        "currency": contract.currency,
        "account": "paper-1",
    }


def expected_columns(listed: str, kind: str) -> dict[str, Any]:
    """Every column of a row, by the list that it stands in."""
    quantity = Decimal(str(QUANTITIES.get(kind, 39)))
    own: dict[str, dict[str, Any]] = {
        "positions": {"quantity": quantity, "avg_cost": 550.0, "realized_pnl": None},
        "portfolio": {"quantity": quantity, "avg_cost": 550.0, "realized_pnl": 7.25},
        "openTrades": {
            "order_id": "5", "perm_id": "990011", "client_id": "7", "parent_id": "4", "oca_group": "oca-1",
            "group": "family", "model": "growth", "side": "SELL", "order_type": "LMT", "status": "Submitted",
            "quantity": quantity, "filled": quantity / 4, "remaining": quantity * 3 / 4,
            "submitted_at": AT, "status_at": AT.replace(second=1),
            "leg_con_ids": ("811", "813") if kind == "combo" else None,
            "leg_ratios": ("811=1", "813=-1") if kind == "combo" else None,
        },
        "fills": {
            "exec_id": "0000e0d5.69fb5dd0.01.01", "perm_id": "990011", "order_id": "5", "client_id": "7",
            "model": "growth", "side": "BOT", "quantity": quantity, "price": 5.5, "at": AT,
            "realized_pnl": 7.25,
        },
    }  # fmt: skip
    return {**contract_columns(kind), **own[listed]}


def count_read(listed: str, way: str) -> tuple[int, int, int]:
    """Return the kinds of contract of which every field was read, all kinds, and the number of fields."""
    whole = fields = 0
    for kind in CONTRACTS:
        made = reading({listed: WAYS[way]([BUILDERS[listed](kind)])})
        expected = expected_columns(listed, kind)
        rows = made.values.get(FACTS[listed], ())
        fields = len(expected)
        is_read = [{name: getattr(row, name) for name in expected} for row in rows] == [expected]
        whole += is_read and not made.invalid
    return whole, len(CONTRACTS), fields


def list_shape_rows() -> Iterator[tuple[str, ...]]:
    """Yield the rows of the table: a way of writing, and for each list what was read whole."""
    for way in WAYS:
        counts = (count_read(listed, way) for listed in BUILDERS)
        yield (way, *(f"{whole} of {kinds} kinds, {fields} fields" for whole, kinds, fields in counts))
