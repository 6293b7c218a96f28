"""A world of `real_accounts` written as a snapshot, and as the words of a close order."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from typing import Any

from tests.support.real_accounts import CONTRACTS, NOW, Contract, Fill, Order, World
from tests.support.real_advisors import MODEL_KEYS, list_rows, write_group, write_model

_OWN = (
    "symbol",
    "con_id",
    "sec_type",
    "currency",
    "expiry",
    "strike",
    "right",
    "multiplier",
    "local",
    "trading_class",
)
_IB = {"symbol": "symbol", "con_id": "conId", "sec_type": "secType", "currency": "currency",
       "expiry": "lastTradeDateOrContractMonth", "strike": "strike", "right": "right", "multiplier": "multiplier",
       "local": "localSymbol", "trading_class": "tradingClass"}  # fmt: skip
_CLASSES = {"STK": "Stock", "OPT": "Option", "FUT": "Future", "FOP": "FuturesOption", "CASH": "Forex", "CFD": "CFD",
            "CRYPTO": "Crypto"}  # fmt: skip
_DROPPED = ("con_id", "currency", "multiplier", "local", "trading_class", "sec_type")


def _time(age: float) -> str:
    moment: datetime = NOW - timedelta(seconds=age)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def spell(rng: random.Random, contract: Contract, *, full: bool) -> dict[str, Any]:
    """Return the parts of a contract's name that are written, each in one of its spellings."""
    parts = {name: getattr(contract, name) for name in _OWN if getattr(contract, name)}
    if contract.is_option:
        parts["right"] = rng.choice((contract.right, {"C": "CALL", "P": "PUT"}[contract.right]))
        parts["strike"] = rng.choice((contract.strike, f"{contract.strike:.2f}"))
    if contract.expiry:
        parts["expiry"] = rng.choice((contract.expiry, write_day(contract)))
        parts["multiplier"] = rng.choice((contract.multiplier, float(contract.multiplier)))
    if full:
        return parts
    for name in _DROPPED:
        if rng.random() < 0.45:
            _drop(parts, contract, name)
    if contract.sec_type == "FUT" and rng.random() < 0.2:
        parts["expiry"] = contract.expiry[:6]
    if rng.random() < 0.06 and "con_id" in parts:
        return {"con_id": contract.con_id}
    return parts | {"symbol": rng.choice((contract.symbol, contract.symbol, *_list_symbols(contract)))}


def write_day(contract: Contract) -> str:
    """Return its expiry with dashes."""
    return f"{contract.expiry[:4]}-{contract.expiry[4:6]}-{contract.expiry[6:]}"


def _list_symbols(contract: Contract) -> list[str]:
    """Return what stands in the place of its symbol elsewhere: a pair, a local symbol, a class."""
    if contract.sec_type == "STK":
        return [contract.symbol.replace(" ", mark) for mark in "./-"] if " " in contract.symbol else []
    if contract.sec_type in ("CASH", "CRYPTO"):
        return [f"{contract.symbol}{mark}{contract.currency}" for mark in "./"]
    if contract.sec_type == "FUT":
        return [] if " " in contract.local else [contract.local]
    return [contract.trading_class, contract.local] if contract.sec_type == "OPT" else []


def list_vendor_names(contract: Contract) -> list[str]:
    """Return its whole name as exchanges, vendors of data and other brokers write it."""
    if contract.sec_type == "STK":
        dotted = contract.symbol.replace(" ", ".")
        american = [
            f"{dotted} US Equity",
            f"{dotted}-STK-SMART-USD",
            f"NASDAQ:{dotted}",
            f"{dotted}.US",
            f"{dotted}.O",
        ]
        return (
            american
            if contract.currency == "USD"
            else [f"{dotted}.XX", f"{dotted} XX Equity", f"XX:{dotted}"]
        )
    if contract.sec_type in ("CASH", "CRYPTO"):
        pair = f"{contract.symbol}{contract.currency}"
        return [
            f"{pair}=X",
            f"FX:{pair}",
            f"{pair} Curncy",
            *([f"{contract.symbol}USDT"] if pair == "BTCUSD" else []),
        ]
    if contract.sec_type == "FUT" and contract.local[-2:-1].isalpha():
        day = date.fromisoformat(contract.expiry)
        return [
            f"/{contract.local}",
            f"{contract.trading_class} {day:%b%y}",
            f"{contract.local} Comdty",
            f"CME:{contract.local}",
        ]
    if contract.sec_type == "FOP":
        return [contract.local, f"./{contract.local.replace(' ', '')}"]
    if contract.is_option:
        day, strike = date.fromisoformat(contract.expiry), f"{contract.strike:g}"
        return [f"{contract.trading_class} US {day:%m/%d/%y} {contract.right}{strike} Equity", f"O:{contract.local.replace(' ', '')}",
                f"{contract.trading_class} {day:%b} {day.day} '{day:%y} {strike} {contract.right}"]  # fmt: skip
    return []


def _drop(parts: dict[str, Any], contract: Contract, name: str) -> None:
    """Leave a part out, unless it is the last one that tells the contract from its namesakes."""
    if name == "sec_type" and contract.sec_type not in ("STK", "OPT", "FUT"):
        return
    left = parts.keys() - {name}
    if contract.keeps and not left & set(contract.keeps):
        return
    if contract.sec_type in ("CASH", "CRYPTO") and name == "currency":
        return
    parts.pop(name, None)


def _row(shape: str, parts: dict[str, Any], contract: Contract | None) -> dict[str, Any]:
    """Return the parts of a contract as that shape writes them."""
    if shape == "own":
        return {("local_symbol" if name == "local" else name): value for name, value in parts.items()}
    if shape == "portal":
        names = {"con_id": "conid", "symbol": "ticker", "sec_type": "assetClass", "right": "putOrCall"}
        kept = {names.get(n, n): v for n, v in parts.items() if n not in ("local", "trading_class")}
        if "putOrCall" in kept:
            kept["putOrCall"] = str(kept["putOrCall"])[0]
        return kept
    named = {_IB[name]: value for name, value in parts.items()}
    if "multiplier" in named:
        named["multiplier"] = f"{float(named['multiplier']):g}"
    if shape == "tree":
        kind = _CLASSES.get(contract.sec_type, "Contract") if contract is not None else "Contract"
        return {"contract": {kind: named}}
    return {"contract": named}


def _write_positions(rng: random.Random, world: World) -> list[Any]:
    chance = random.Random(f"rows {sorted(world.rows.items())} {len(world.fills)}").random()
    rows: list[dict[str, Any]] = []
    flex: list[dict[str, str]] = []
    for account, model, con_id, quantity in list_rows(world):
        contract, is_odd = CONTRACTS[con_id], not world.is_plain and rng.random() < 0.06 and account != "All"
        lots = [quantity]
        if is_odd and abs(quantity) > contract.unit and world.shape == "own":
            first = contract.unit if quantity > 0 else -contract.unit
            lots = [first, quantity - first]
        for number, lot in enumerate(lots):
            row = _write_contract(rng, world, contract, full=world.is_plain)
            size, price, key = _COLUMNS[world.shape]
            row |= {size: lot, price: 5.0 + number}
            is_owned = world.is_plain or rng.random() < (0.6 if len(world.accounts) == 1 else 0.97)
            row |= ({key: account} if is_owned or account == "All" else {}) | write_model(world, model)
            rows += [row, dict(row)] if is_odd and len(lots) == 1 and rng.random() < 0.5 else [row]
        flex += _write_flex(contract, quantity, account, model)
    rng.shuffle(rows)
    if world.shape == "own" and chance < 1 / 4 and not world.consolidated:
        return flex
    return _reshape(chance, rows) if world.shape == "asdict" else rows


def _write_flex(contract: Contract, total: float, account: str, model: str) -> list[dict[str, str]]:
    """Return a position as Flex writes it: all as text, its lots below their sum."""
    derived = {"underlyingSymbol": contract.symbol, "expiry": contract.expiry} if contract.expiry else {}
    row = {
        "accountId": account, "model": model, "currency": contract.currency, "assetCategory": contract.sec_type,
        "symbol": contract.local if contract.expiry else contract.symbol, "conid": str(contract.con_id),
        "multiplier": contract.multiplier or "1", "strike": f"{contract.strike:g}" if contract.strike else "",
        "putCall": contract.right, "expiry": "", "side": "Long" if total > 0 else "Short", "markPrice": "5",
        **derived,
    }  # fmt: skip
    half = total - (contract.unit if total > 0 else -contract.unit)
    levels = [("SUMMARY", total), *(("LOT", lot) for lot in (half, total - half) if half)]
    return [row | {"position": f"{quantity:g}", "levelOfDetail": level} for level, quantity in levels]


def _reshape(chance: float, rows: list[dict[str, Any]]) -> list[Any]:
    """Return positions as a portfolio of ib_async, an advisor's callback or arrays in some of the worlds."""
    has_models = any("modelCode" in row for row in rows)
    if chance < 1 / 4 and not has_models:
        more = {"marketPrice": 5.0, "marketValue": 5.0, "unrealizedPNL": 0.0, "realizedPNL": 0.0}
        return [
            {"averageCost": row["avgCost"], **more} | {k: v for k, v in row.items() if k != "avgCost"}
            for row in rows
        ]
    if chance > 3 / 4:
        return rows
    if chance > 1 / 2:
        return [
            {
                {"account": "accountOrGroup", "position": "pos"}.get(name, name): value
                for name, value in row.items()
            }
            for row in rows
        ]
    names = ("account", "modelCode", "contract", "position", "avgCost")
    fields = names if has_models else [name for name in names if name != "modelCode"]
    return [[*([9001] if has_models else []), *(row.get(name, "") for name in fields)] for row in rows]


_COLUMNS = {
    "own": ("quantity", "avg_price", "account"),
    "portal": ("position", "avgPrice", "acctId"),
    "asdict": ("position", "avgCost", "account"),
    "tree": ("position", "avgCost", "account"),
}


def _write_contract(rng: random.Random, world: World, contract: Contract, *, full: bool) -> dict[str, Any]:
    parts = spell(rng, contract, full=full)
    if world.shape == "portal":
        parts.setdefault("con_id", contract.con_id)
    return _row(world.shape, parts, contract)


def _write_order(rng: random.Random, world: World, order: Order) -> dict[str, Any]:
    if order.legs:
        bag = {"symbol": CONTRACTS[order.legs[0][0]].symbol, "sec_type": "BAG"}
        row = _row(world.shape, bag, None)
    else:
        row = _write_contract(rng, world, CONTRACTS[order.con_id], full=rng.random() < 0.5)
    legs = [{"conId": leg, "ratio": 1, "action": _name_side(sign)} for leg, sign in order.legs]
    if world.shape in ("asdict", "tree"):
        return _write_trade(world.shape, order, row, legs)
    row |= _write_portal_order(order) if world.shape == "portal" else _write_own_order(rng, order)
    if world.shape == "portal":
        row.pop("assetClass", None)
    row |= {name: value for name, value in write_group(order).items() if name != "account"}
    row |= {MODEL_KEYS[world.shape]: order.model}
    row |= {"comboLegs": legs} if legs else {}
    return {name: value for name, value in row.items() if value != ""}


def _name_side(sign: int) -> str:
    return "BUY" if sign > 0 else "SELL"


def _write_trade(shape: str, order: Order, row: dict[str, Any], legs: list[dict[str, Any]]) -> dict[str, Any]:
    """Return an order as a Trade of ib_async; `util.tree` names the classes and leaves defaults out."""
    body = {"orderId": order.order_id, "permId": order.perm_id, "clientId": order.client_id,
            "action": _name_side(order.side), "totalQuantity": order.total, "orderType": order.type,
            "parentId": order.parent_id, "ocaGroup": order.oca, "modelCode": order.model,
            **write_group(order)}  # fmt: skip
    state = {"orderId": order.order_id, "status": order.status, "filled": order.filled,
             "remaining": order.total - order.filled, "clientId": order.client_id}  # fmt: skip
    if legs:
        (row["contract"] if shape == "asdict" else row["contract"]["Contract"])["comboLegs"] = legs
    if shape == "asdict":
        return row | {"order": body, "orderStatus": state}
    body, state = ({name: value for name, value in part.items() if value} for part in (body, state))
    return {"Trade": row | {"order": {"Order": body}, "orderStatus": {"OrderStatus": state}}}


def _write_portal_order(order: Order) -> dict[str, Any]:
    parent = {"parentId": order.parent_id} if order.parent_id else {}
    return parent | {
        "orderId": order.order_id, "side": _name_side(order.side), "totalSize": order.total,
        "filledQuantity": order.filled, "remainingQuantity": order.total - order.filled, "status": order.status,
        "orderType": order.type, "acct": write_group(order)["account"], "ocaGroup": order.oca,
        "secType": "BAG" if order.legs else CONTRACTS[order.con_id].sec_type,
    }  # fmt: skip


def _write_own_order(rng: random.Random, order: Order) -> dict[str, Any]:
    side = _name_side(order.side)
    parent = {"parent_id": order.parent_id} if order.parent_id else {}
    perm = {"perm_id": order.perm_id} if rng.random() < 0.7 else {}
    return parent | perm | {
        "order_id": order.order_id, "side": rng.choice((side, side.lower())), "quantity": order.total,
        "filled": order.filled, "status": order.status, "order_type": order.type, "client_id": order.client_id,
        "account": write_group(order)["account"], "oca_group": order.oca,
    }  # fmt: skip


def _write_fill(rng: random.Random, world: World, fill: Fill) -> list[dict[str, Any]]:
    parts = spell(rng, CONTRACTS[fill.con_id], full=rng.random() < 0.6)
    side = rng.choice(("BOT", "BUY")) if fill.side > 0 else rng.choice(("SLD", "SELL"))
    row = _row("own", parts, None) | {
        "exec_id": fill.exec_id, "order_id": fill.order_id, "perm_id": fill.perm_id, "client_id": fill.client_id,
        "account": fill.account, "side": side, "quantity": fill.quantity, "price": 5.0, "at": _time(10 + fill.age),
    }  # fmt: skip
    row |= {"model": fill.model} if fill.model else {}
    rows = [row]
    if fill.exec_id.startswith("0001f") and rng.random() < 0.2:
        rows.append(row | {"exec_id": fill.exec_id[:-1] + "2"})
    if world.shape == "own" or fill.perm_id % 2:
        return rows
    return [_write_portal_fill(fill) if world.shape == "portal" else _write_ib_fill(world.shape, parts, fill)]


def _write_portal_fill(fill: Fill) -> dict[str, Any]:
    """Return a trade as the Client Portal lists it: an option without its day and strike, and no permId."""
    contract, moment = CONTRACTS[fill.con_id], NOW - timedelta(seconds=10 + fill.age)
    return {
        "execution_id": fill.exec_id, "symbol": contract.symbol, "side": "B" if fill.side > 0 else "S",
        "trade_time": f"{moment:%Y%m%d-%H:%M:%S}", "trade_time_r": int(moment.timestamp() * 1000),
        "size": fill.quantity, "price": "5.0", "account": fill.account, "accountCode": fill.account,
        "sec_type": contract.sec_type, "conid": contract.con_id, "conidex": str(contract.con_id),
        "order_id": fill.order_id,
    }  # fmt: skip


def _write_ib_fill(shape: str, parts: dict[str, Any], fill: Fill) -> dict[str, Any]:
    """Return a Fill of ib_async."""
    execution = {
        "execId": fill.exec_id, "time": _time(10 + fill.age), "acctNumber": fill.account, "exchange": "SMART",
        "side": "BOT" if fill.side > 0 else "SLD", "shares": fill.quantity, "price": 5.0, "permId": fill.perm_id,
        "clientId": fill.client_id, "orderId": fill.order_id, "cumQty": fill.quantity, "avgPrice": 5.0,
        "modelCode": fill.model,
    }  # fmt: skip
    report = {"execId": fill.exec_id, "commission": 1.0, "currency": "USD", "realizedPNL": 0.0}
    row = _row(shape, parts, CONTRACTS[fill.con_id]) | {"time": _time(10 + fill.age)}
    if shape == "asdict":
        return row | {"execution": execution, "commissionReport": report}
    named = {"Execution": {name: value for name, value in execution.items() if value}}
    return row | {"execution": named, "commissionReport": {"CommissionReport": report}}


def _write_book(rng: random.Random, world: World) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the rows of `position_state` and `trades`; the number of a trade is its place in the book."""
    positions, trades = [], []
    for number, ((account, con_id), quantity) in enumerate(world.book.items(), 101):
        contract = CONTRACTS[con_id]
        row = _row("own", spell(rng, contract, full=world.is_plain), contract)
        chance, names = (
            random.Random(f"{con_id} {quantity} {number} {len(world.orders)}"),
            list_vendor_names(contract),
        )
        if names and not world.is_plain and chance.random() < 0.2:
            row = {"symbol": chance.choice(names)}
        row["trade_id"] = number
        if len(world.accounts) > 1:
            row["account"] = account
        state = row | {"is_open": 1 if quantity else 0, "quantity": quantity}
        if quantity and rng.random() < 0.3:
            state |= {"quantity": abs(quantity), "side": "LONG" if quantity > 0 else "SHORT"}
        positions.append(state)
        trade = row | {
            "status": "OPEN" if quantity else "CLOSED",
            "quantity": quantity or world.hold(account, con_id) or 1,
        }
        trade |= {"entry_price": 5.0, "opened_at": _time(90000)}
        if not quantity:
            trade |= {"closed_at": _time(60), "exit_price": 5.0}
        trades.append(trade)
    trades += [
        _write_closed(rng, number, fill)
        for number, fill in enumerate(world.fills, 301)
        if fill.in_row and fill.age > 60
    ]
    return positions, trades


def _write_closed(rng: random.Random, number: int, fill: Fill) -> dict[str, Any]:
    """Return the runtime's own record of a part that it closed."""
    row = _row("own", spell(rng, CONTRACTS[fill.con_id], full=True), None)
    return row | {
        "trade_id": number, "perm_id": fill.perm_id, "order_id": fill.order_id, "account": fill.account,
        "status": "CLOSED", "quantity": -fill.side * fill.quantity, "entry_price": 5.0, "exit_price": 5.0,
        "opened_at": _time(90000), "closed_at": _time(10 + fill.age),
    }  # fmt: skip


def _write_status(rng: random.Random, world: World) -> dict[str, Any]:
    own = [order for order in world.orders if order.client_id == 7 and order.remaining and not order.legs]
    rows = [
        _row("own", spell(rng, CONTRACTS[order.con_id], full=True), None)
        | {"order_id": order.order_id, "perm_id": order.perm_id, "status": order.status, "kind": order.kind,
           "order_type": order.type, "side": _name_side(order.side), "quantity": order.total,
           "filled": order.filled, "submitted_at": _time(order.at)}
        for order in own
    ]  # fmt: skip
    return {"heartbeat_at": _time(5), "pending_orders": len(rows), "orders": rows}


def write_snapshot(rng: random.Random, world: World) -> dict[str, Any]:
    """Return the world as a snapshot, the broker's part ten seconds old."""
    broker: dict[str, Any] = {
        "as_of": _time(10),
        "connected": True,
        "positions": _write_positions(rng, world),
    }
    is_ib, is_part = world.shape in ("asdict", "tree"), world.scope == "client"
    name = "openTrades" if is_ib and is_part else "reqAllOpenOrders" if is_ib else "open_orders"
    orders = [order for order in world.orders if not is_part or order.client_id == 7]
    broker[name] = [_write_order(rng, world, order) for order in orders]
    if is_part:
        broker["open_orders_scope"] = "client"
    if world.fills or rng.random() < 0.5:
        broker["executions"] = [row for fill in world.fills for row in _write_fill(rng, world, fill)]
    positions, trades = _write_book(rng, world)
    stores: dict[str, Any] = {"as_of": _time(5), "position_state": positions}
    if rng.random() < 0.7 or any(fill.in_row for fill in world.fills):
        stores["trades"] = trades
    document = {"taken_at": _time(0), "broker": broker, "stores": stores}
    if rng.random() < 0.3:
        document["status_v3"] = _write_status(rng, world)
    return document


class Question:
    """A close order: the words, what is meant by them, and whether it is plain."""

    def __init__(self, rng: random.Random, world: World) -> None:
        keys = sorted({(account, con_id) for account, _, con_id in world.rows} | set(world.book))
        self.account, con_id = rng.choice(keys)
        family = [c for c in CONTRACTS.values() if c.symbol == CONTRACTS[con_id].symbol]
        if rng.random() < 0.25:
            con_id = rng.choice(family).con_id
        if len(world.accounts) > 1 and rng.random() < 0.2:
            self.account = rng.choice(world.accounts)
        self.contract = contract = CONTRACTS[con_id]
        held = world.hold(self.account, con_id)
        side = -1 if held > 0 else 1
        if rng.random() < 0.1:
            side = -side
        self.side = side
        self.quantity = abs(held) or contract.unit
        if rng.random() < 0.15:
            self.quantity += contract.unit
        elif rng.random() < 0.3 and self.quantity > contract.unit:
            self.quantity -= contract.unit
        self.form = rng.choice(("con_id", "both", "full", "full", "natural", "local"))
        self.names_account = len(world.accounts) > 1 and rng.random() < 0.85
        self.names_side = rng.random() < 0.6
        self.is_plain = (
            world.is_plain
            and not world.refuses(self.account, con_id, side, self.quantity)
            and (self.form in ("con_id", "both") or (self.form == "full" and world.shape != "portal"))
            and (self.names_account or len(world.accounts) == 1)
            and contract.trading_class not in ("AAPL1", "AAPL7")
        )
        self.words = self._write(rng)

    def _write(self, rng: random.Random) -> dict[str, Any]:
        contract = self.contract
        by_id, by_type = {"con_id": str(contract.con_id)}, {"sec_type": contract.sec_type}
        if self.form == "con_id":
            return by_id
        if self.form == "local":
            return {"local_symbol": contract.local} | (by_type if rng.random() < 0.5 else {})
        words: dict[str, Any] = {"symbol": contract.symbol}
        if contract.expiry:
            is_month = contract.sec_type == "FUT" and rng.random() < 0.4
            words["expiry"] = contract.expiry[:6] if is_month else write_day(contract)
        words |= {"strike": contract.strike, "right": contract.right} if contract.is_option else {}
        if self.form != "natural" or contract.sec_type not in ("STK", "OPT", "FUT"):
            words |= by_type | {"currency": contract.currency}
        if self.form == "full" and contract.expiry:
            words["trading_class"] = contract.trading_class
        return words | (by_id if self.form == "both" else {})

    def means(self) -> list[Contract]:
        """Return the contracts that the words may mean.

        A class that is not named is the one of the symbol.
        """
        if self.form in ("con_id", "both", "full"):
            return [self.contract]
        if self.form == "local":
            return [c for c in CONTRACTS.values() if c.local == self.contract.local and (
                self.words.get("sec_type") in (None, c.sec_type))]  # fmt: skip
        month = str(self.words.get("expiry", "")).replace("-", "")
        named = [c for c in CONTRACTS.values() if c.symbol == self.contract.symbol and c.sec_type == self.contract.sec_type
                 and c.expiry.startswith(month) and (c.strike, c.right) == (self.contract.strike, self.contract.right)]  # fmt: skip
        if self.contract.sec_type == "OPT":
            named = [c for c in named if c.trading_class == c.symbol]
        if "currency" in self.words:
            named = [c for c in named if c.currency == self.words["currency"]]
        return named
