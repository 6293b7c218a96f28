"""An account in plain arithmetic: what it holds, what works in it, and what an order would do to it.

It knows nothing of the program. A world is drawn from a seed and written down as a broker's export writes it,
with names left out, rows written again and fills that the rows may lack.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

NOW = datetime(2026, 6, 2, 15, 0, tzinfo=UTC)
AS_OF = NOW - timedelta(seconds=10)
ACCOUNTS = ("DU1111111", "DU2222222")
ACCOUNT_KEYS = ("account", "acctId", "acct", "accountId", "acctNumber", "accountCode")
Contract = dict[str, Any]


def option(con_id: int, symbol: str, strike: float, trading_class: str, day: str = "260619") -> Contract:
    local = f"{trading_class:<6}{day}C{int(strike * 1000):08}"
    named = {"conId": con_id, "symbol": symbol, "secType": "OPT", "currency": "USD", "multiplier": "100"}
    return {**named, "lastTradeDateOrContractMonth": f"20{day}", "strike": strike, "right": "C",
            "tradingClass": trading_class, "localSymbol": local}  # fmt: skip


def future(con_id: int, symbol: str, month: str, local: str, trading_class: str) -> Contract:
    return {"conId": con_id, "symbol": symbol, "secType": "FUT", "lastTradeDateOrContractMonth": month,
            "multiplier": "50", "currency": "USD", "localSymbol": local, "tradingClass": trading_class}  # fmt: skip


CONTRACTS: tuple[Contract, ...] = (
    {
        "conId": 1,
        "symbol": "SPY",
        "secType": "STK",
        "currency": "USD",
        "localSymbol": "SPY",
        "tradingClass": "SPY",
    },
    {
        "conId": 2,
        "symbol": "COIN",
        "secType": "STK",
        "currency": "USD",
        "localSymbol": "COIN",
        "tradingClass": "NMS",
    },
    {
        "conId": 3,
        "symbol": "COIN",
        "secType": "STK",
        "currency": "CAD",
        "localSymbol": "COIN",
        "tradingClass": "COIN",
    },
    option(4, "SPX", 5900.0, "SPXW"),
    option(5, "SPX", 5900.0, "SPX"),
    option(6, "SPY", 727.0, "SPY"),
    option(7, "SPY", 727.0, "SPY", "260626"),
    option(8, "SPY", 727.0, "2SPY"),
    future(9, "ES", "20260618", "ESM6", "ES"),
    future(10, "ES", "20260918", "ESU6", "ES"),
    future(11, "ESTX50", "20260619", "FESX 20260619 M", "FESX"),
)


@dataclass
class World:
    """What is true of the accounts, and the export that was written of it."""

    held: dict[tuple[str, int], int] = field(default_factory=dict)
    orders: list[dict[str, Any]] = field(default_factory=list)
    export: dict[str, Any] = field(default_factory=dict)
    is_plain: bool = True

    def is_wrong_leave(self, account: str, con_id: int, side: str, quantity: int) -> bool:
        """Whether the order, after every exit that works, would open, add or go through flat."""
        position, sign = self.held.get((account, con_id), 0), 1 if side == "BUY" else -1
        if position * sign >= 0:
            return True
        working: dict[Any, int] = {}
        for number, order in enumerate(self.orders):
            if (order["account"], order["con_id"], order["sign"]) == (account, con_id, sign):
                key = order["oca"] or number
                working[key] = max(working.get(key, 0), order["left"])
        return quantity + sum(working.values()) > abs(position)


def draw_world(random: Random) -> World:
    """Return a world of one or two accounts with a few contracts, exits at work and late fills."""
    world = World()
    accounts = ACCOUNTS[: random.choice((1, 1, 2))]
    rows: list[dict[str, Any]] = []
    key = random.choice(ACCOUNT_KEYS)
    executions: list[dict[str, Any]] = []
    for account in accounts:
        for contract in random.sample(CONTRACTS, random.randint(1, 4)):
            quantity = random.choice((-20, -10, -1, 1, 5, 10, 20))
            late = random.choice((0,) * 8 + (-1, 5))
            world.held[account, contract["conId"]] = quantity + late
            if late:
                world.is_plain = False
                at = AS_OF - timedelta(seconds=random.choice((-3, 0, 2, 30, 59)))
                executions.append({**contract, key: account, "execId": f"1.{len(executions)}.1.1",
                                   "side": "BOT" if late > 0 else "SLD", "shares": abs(late), "time": at.isoformat()})  # fmt: skip
            row = {**contract, key: account, "position": quantity}
            rows.append(blur(random, row, world))
            if random.random() < 0.04:
                world.is_plain = False
                rows.append({**rows[-1], "position": random.choice((quantity, quantity + 4))})
            if random.random() < 0.25:
                add_orders(random, world, account, contract, quantity)
    random.shuffle(rows)
    listed = [write_order(random, order, key) for order in world.orders]
    world.export = {"as_of": AS_OF.isoformat(), "connected": True, "positions": rows, "open_orders": listed}
    if executions or random.random() < 0.5:
        world.export["executions"] = executions
    return world


def blur(random: Random, row: dict[str, Any], world: World) -> dict[str, Any]:
    """Return the row with names left out or swapped, most often as it is."""
    if random.random() < 0.75:
        return row
    world.is_plain = False
    drop = random.choice((("conId",), ("tradingClass",), ("localSymbol", "tradingClass"), ("currency",), ("multiplier",),
                          ("conId", "localSymbol"), ("conId", "localSymbol", "tradingClass"), ("symbol",)))  # fmt: skip
    return {name: value for name, value in row.items() if name not in drop}


def add_orders(random: Random, world: World, account: str, contract: Contract, quantity: int) -> None:
    """Add an exit, a pair of which one cancels the other, or an order that adds."""
    world.is_plain = False
    kind = random.choice(("exit", "exit", "pair", "add"))
    sign = (1 if quantity > 0 else -1) * (1 if kind == "add" else -1)
    size = random.randint(1, abs(quantity))
    for _ in range(2 if kind == "pair" else 1):
        number = len(world.orders) + 5
        world.orders.append({"account": account, "con_id": contract["conId"], "contract": contract, "sign": sign,
                             "left": size, "oca": f"oca {account}" if kind == "pair" else "", "number": number})  # fmt: skip


def write_order(random: Random, order: dict[str, Any], key: str) -> dict[str, Any]:
    """Return the order as an export lists it."""
    contract = dict(order["contract"])
    for name in random.choice(((), (), ("conId",), ("localSymbol", "tradingClass"), ("symbol", "conId"))):
        contract.pop(name)
    return {**contract, key: order["account"], "orderId": order["number"], "permId": 900 + order["number"],
            "action": "BUY" if order["sign"] > 0 else "SELL", "totalQuantity": order["left"], "filled": 0,
            "remaining": order["left"], "status": "Submitted", "ocaGroup": order["oca"]}  # fmt: skip


def name_request(random: Random, contract: Contract) -> tuple[dict[str, Any], bool]:
    """Return how a person names the contract, and whether in full."""
    full = {"symbol": contract["symbol"], "sec_type": contract["secType"], "con_id": str(contract["conId"]),
            "expiry": contract.get("lastTradeDateOrContractMonth"), "strike": contract.get("strike"),
            "right": contract.get("right")}  # fmt: skip
    drop = random.choice(((), (), (), ("con_id",), ("sec_type", "con_id"), ("con_id", "expiry")))
    return {name: value for name, value in full.items() if name not in drop and value is not None}, not drop
