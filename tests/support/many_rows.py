"""Snapshots of very many rows, a kind of row each: what a bad day may bring."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.support.snapshots import healthy

Rows = list[dict[str, Any]]
DAY = "2026-06-02"


def shares(n: int, first: int = 0, quantity: int = 1, **more: Any) -> Rows:
    """Return shares of that many names."""
    base = {"sec_type": "STK", "quantity": quantity, **more}
    return [{**base, "symbol": f"A{first + i}"} for i in range(n)]


def mere_ids(n: int, first: int = 0, quantity: int = 1, **more: Any) -> Rows:
    """Return rows that have a contract id and no name."""
    return [{"con_id": first + i + 1, "sec_type": "STK", "quantity": quantity, **more} for i in range(n)]


def _name_ids(n: int) -> Rows:
    return [{**row, **name} for row, name in zip(mere_ids(n), shares(n), strict=True)]


def options(n: int, **more: Any) -> Rows:
    """Return options of one symbol and day at that many strikes."""
    base = {"symbol": "SPX", "sec_type": "OPT", "expiry": "20260619", "right": "C", "quantity": 1}
    return [{**base, "strike": 1000 + i, **more} for i in range(n)]


def vague_options(n: int) -> Rows:
    """Return options without a type, a day and a side of the right."""
    return [{"symbol": "SPX", "strike": 1000 + i, "quantity": 1} for i in range(n)]


def without(rows: Rows, *parts: str) -> Rows:
    """Return the rows without some of their parts."""
    return [{key: value for key, value in row.items() if key not in parts} for row in rows]


def in_ended(rows: Rows) -> Rows:
    """Return the rows with an expiry of yesterday."""
    return [{**row, "expiry": "20260601"} for row in rows]


def in_days(rows: Rows) -> Rows:
    """Return the rows with a day of expiry each: 28 in a month, from 2027 on."""
    return [
        {**row, "expiry": f"{2027 + i // 336}{1 + i // 28 % 12:02}{1 + i % 28:02}"}
        for i, row in enumerate(rows)
    ]


def in_years(rows: Rows) -> Rows:
    """Return the rows with a year of expiry each."""
    return [{**row, "expiry": f"{2027 + i}0615"} for i, row in enumerate(rows)]


def bonds(n: int) -> Rows:
    """Return bonds by IBKR's own code."""
    return [{"symbol": f"IBCID{i}", "sec_type": "BOND", "quantity": 1} for i in range(n)]


def bonds_by_cusip(n: int) -> Rows:
    """Return bonds by CUSIP."""
    return [{**row, "symbol": f"9128{i:04}7"} for i, row in enumerate(bonds(n))]


def shares_by_code(n: int) -> Rows:
    """Return shares by ISIN."""
    return [{**row, "symbol": f"US{i:09}0"} for i, row in enumerate(shares(n))]


def in_vendors_words(n: int) -> Rows:
    """Return shares under names that nobody reads."""
    return [{**row, "symbol": f"F:US:A{i}"} for i, row in enumerate(shares(n))]


def lots(n: int, **more: Any) -> Rows:
    """Return one share in that many rows."""
    return [{"symbol": "SPY", "sec_type": "STK", "quantity": 1, **more} for _ in range(n)]


def in_own_accounts(rows: Rows) -> Rows:
    """Return the rows with an account each."""
    return [{**row, "account": f"DU{1_000_000 + i}"} for i, row in enumerate(rows)]


def in_models(rows: Rows) -> Rows:
    """Return the rows with a model of one account each."""
    return [{**row, "account": "DU1000000", "model": f"M{i}"} for i, row in enumerate(rows)]


def futures(n: int) -> Rows:
    """Return futures of one symbol with an id each; most of their years are not read."""
    base = {"symbol": "ES", "sec_type": "FUT", "quantity": 1}
    return [{**base, "con_id": i + 1, "expiry": f"{2027 + i // 12}{1 + i % 12:02}"} for i in range(n)]


def local_futures(n: int) -> Rows:
    """Return futures of one month and many symbols, which IBKR does not have, by their local symbol alone."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    return [
        {"local_symbol": f"{letters[i % 26]}{letters[i // 26 % 26]}{letters[i // 676]}M6", "quantity": 1}
        for i in range(n)
    ]


def combos(n: int) -> Rows:
    """Return combos of many symbols."""
    return [{**row, "sec_type": "BAG"} for row in shares(n)]


def executions(rows: Rows, order: str = "f{}", at: str = "14:00:00") -> Rows:
    """Return an execution of each row; `order` is the number of its order."""
    more = {"side": "BOT", "price": 1, "at": f"{DAY}T{at}Z"}
    return [{**row, **more, "exec_id": f"e{i}", "order_id": order.format(i)} for i, row in enumerate(rows)]


def exits(rows: Rows, first: int = 0, **more: Any) -> Rows:
    """Return a working exit of each row."""
    base = {"side": "SELL", "status": "Submitted", "kind": "exit", **more}
    return [
        {**row, **base, "order_id": str(first + i), "perm_id": str(90_000 + first + i)}
        for i, row in enumerate(rows)
    ]


def brackets(rows: Rows) -> Rows:
    """Return an entry of each row, and an exit of it that waits for the entry."""
    entries = exits(rows, 1, side="BUY", kind="entry")
    return [*entries, *({**row, "parent_id": str(1 + i)} for i, row in enumerate(exits(rows, 100_000)))]


def without_numbers(rows: Rows) -> Rows:
    """Return orders without any number."""
    return without(rows, "order_id", "perm_id")


def document(held: Rows, at_broker: Rows, **more: Rows) -> dict[str, Any]:
    """Return a snapshot whose stores have one list of rows and whose broker has the other."""
    snapshot = healthy()
    trades = [{**row, "trade_id": str(i), "opened_at": f"{DAY}T14:00:10Z"} for i, row in enumerate(held)]
    snapshot["stores"] = {
        "position_state": [{**row, "is_open": 1} for row in held],
        "trades": more.get("trades", trades),
    }
    snapshot["broker"] = {
        "connected": True,
        "as_of": snapshot["taken_at"],
        "positions": at_broker,
        "open_orders": more.get("working", []),
        "executions": more.get("executions", []),
    }
    snapshot["status_v3"]["orders"] = more.get("orders", [])
    return snapshot


def at_time(snapshot: dict[str, Any], clock: str) -> dict[str, Any]:
    """Return the snapshot as it would be at that time of the day."""
    taken_at = f"{DAY}T{clock}:00Z"
    return {**snapshot, "taken_at": taken_at, "broker": {**snapshot["broker"], "as_of": taken_at}}


def everything(held: Rows, at_broker: Rows) -> dict[str, Any]:
    """The rows as positions and trades on one side, and as positions, orders and fills on the other."""
    return document(held, at_broker, working=exits(at_broker), executions=executions(at_broker))


def _close(rows: Rows) -> Rows:
    times = {"opened_at": f"{DAY}T14:00:10Z", "closed_at": f"{DAY}T14:30:00Z", "status": "CLOSED"}
    return [{**row, **times, "trade_id": str(i)} for i, row in enumerate(rows)]


KINDS: dict[str, Callable[[int], dict[str, Any]]] = {
    "the same names": lambda n: everything(shares(n), shares(n)),
    "names beside ids": lambda n: everything(shares(n), mere_ids(n)),
    "ids": lambda n: everything(mere_ids(n), mere_ids(n)),
    "ids beside names": lambda n: everything(mere_ids(n), shares(n)),
    "ids with another part each": lambda n: everything(
        in_days(mere_ids(n, sec_type="OPT", strike=5, right="C")), in_days(options(n, strike=5))
    ),
    "names and ids beside names": lambda n: everything(
        [*_name_ids(n // 2), *shares(n // 2, quantity=2)],
        [*_name_ids(n // 2), *mere_ids(n // 2, first=n, quantity=3)],
    ),
    "ids beside what has ended": lambda n: document(
        [], mere_ids(n, sec_type="OPT"), trades=_close(in_ended(options(n)))
    ),
    "codes beside names": lambda n: everything(shares_by_code(n), shares(n)),
    "codes": lambda n: everything(shares_by_code(n), shares_by_code(n)),
    "names that nobody reads": lambda n: everything(in_vendors_words(n), shares(n)),
    "names that nobody reads, on both sides": lambda n: everything(in_vendors_words(n), in_vendors_words(n)),
    "options of one symbol": lambda n: everything(options(n), options(n)),
    "options without an expiry": lambda n: everything(vague_options(n), options(n)),
    "options without a strike": lambda n: everything(
        without(in_days(options(n)), "strike"), in_days(options(n))
    ),
    "options of many days": lambda n: everything(
        in_days(options(n, strike=5)), in_days(options(n, strike=5))
    ),
    "options of a class": lambda n: everything(options(n), options(n, tradingClass="SPXW")),
    "one share in many lots": lambda n: everything(lots(n), lots(n)),
    "futures of one symbol": lambda n: everything(futures(n), futures(n)),
    "futures by local symbol": lambda n: everything(local_futures(n), local_futures(n)),
    "bonds by other codes": lambda n: everything(bonds(n), bonds_by_cusip(n)),
    "bonds without a maturity": lambda n: everything(in_years(bonds(n)), bonds_by_cusip(n)),
    "combos beside legs": lambda n: everything(combos(n), shares(n)),
    "combos": lambda n: everything(combos(n), combos(n)),
    "combos at work": lambda n: document(shares(n), shares(n), working=exits(combos(n))),
    "many accounts": lambda n: everything(in_own_accounts(lots(n)), in_own_accounts(lots(n))),
    "one share, many accounts at the broker": lambda n: everything(lots(n), in_own_accounts(lots(n))),
    "one share, flat in many accounts at the broker": lambda n: everything(
        lots(n), [{**row, "quantity": 0} for row in in_own_accounts(lots(n))]
    ),
    "shares, many accounts at the broker": lambda n: everything(shares(n), in_own_accounts(shares(n))),
    "many models": lambda n: everything(lots(n), in_models(lots(n))),
    "positions that the broker lacks": lambda n: document(shares(n), []),
    "positions that nothing manages": lambda n: document([], shares(n)),
    "positions of other names": lambda n: everything(shares(n), shares(n, n)),
    "other quantities": lambda n: document(shares(n), shares(n, quantity=2)),
    "other sides": lambda n: document(mere_ids(n), mere_ids(n, quantity=-1)),
    "calls beside puts": lambda n: document(options(n), options(n, right="P")),
    "the same orders on both sides": lambda n: document(
        shares(n), shares(n), orders=exits(shares(n)), working=exits(shares(n))
    ),
    "exits of nothing, other ones on each side": lambda n: document(
        [], [], orders=exits(shares(n)), working=exits(shares(n), n)
    ),
    "exits of one share, other ones on each side": lambda n: document(
        lots(1), lots(1), orders=exits(lots(n)), working=exits(lots(n), n)
    ),
    "exits of one share without numbers": lambda n: document(
        lots(1), lots(1), orders=without_numbers(exits(lots(n))), working=without_numbers(exits(lots(n)))
    ),
    "brackets of one share": lambda n: document(lots(1), lots(1), working=brackets(lots(n))),
    "brackets": lambda n: document(shares(n), shares(n), working=brackets(shares(n))),
    "exits in one group": lambda n: document(lots(1), lots(1), working=exits(lots(n), oca_group="oca")),
    "executions without a trade": lambda n: document([], [], executions=executions(shares(n))),
    "executions of one order": lambda n: document([], lots(1), executions=executions(lots(n), "5")),
    "executions just now": lambda n: document(
        [], lots(n), executions=executions(lots(n), at="14:59:50"), working=exits(lots(n))
    ),
    "trades that closed": lambda n: document(
        [], [], trades=_close(shares(n)), executions=executions(shares(n))
    ),
    "trades of one share that closed": lambda n: document(
        [], [], trades=_close(lots(n)), executions=executions(lots(n, quantity=2))
    ),
}
"""What builds each kind for a number of rows."""
