"""A world of `real_accounts` written as a snapshot, and as the words of a close order."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

from tests.support.real_accounts import CONTRACTS, NOW, Contract, Fill, Order, World

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
    if contract.expiry and rng.random() < 0.4:
        parts["expiry"] = f"{contract.expiry[:4]}-{contract.expiry[4:6]}-{contract.expiry[6:]}"
    if contract.multiplier:
        parts["multiplier"] = rng.choice((contract.multiplier, float(contract.multiplier)))
    if full:
        return parts
    for name in _DROPPED:
        if rng.random() < 0.45:
            _drop(parts, contract, name)
    if contract.sec_type == "FUT" and rng.random() < 0.2:
        parts["expiry"] = contract.expiry[:6]
    if contract.sec_type == "STK" and contract.symbol.startswith("BRK") and rng.random() < 0.5:
        parts["symbol"] = contract.symbol.replace(" ", rng.choice((".", "/", "-")))
    if contract.sec_type in ("CASH", "CRYPTO") and rng.random() < 0.5:
        parts["symbol"] = f"{contract.symbol}{rng.choice(('.', '/'))}{contract.currency}"
    elif contract.sec_type == "FUT" and contract.local and rng.random() < 0.25 and " " not in contract.local:
        parts["symbol"] = contract.local
    elif contract.sec_type == "OPT" and rng.random() < 0.25:
        parts["symbol"] = rng.choice((contract.trading_class, contract.local))
    elif "con_id" in parts and rng.random() < 0.06:
        parts = {"con_id": contract.con_id}
    return parts


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


def _write_positions(rng: random.Random, world: World) -> list[dict[str, Any]]:
    rows = []
    key = {"own": "account", "portal": "acctId"}.get(world.shape, "account")
    size = {"own": "quantity"}.get(world.shape, "position")
    for (account, model, con_id), quantity in world.rows.items():
        contract = CONTRACTS[con_id]
        lots = [quantity]
        if (
            not world.is_plain
            and abs(quantity) > contract.unit
            and rng.random() < 0.06
            and world.shape == "own"
        ):
            first = contract.unit if quantity > 0 else -contract.unit
            lots = [first, quantity - first]
        for number, lot in enumerate(lots):
            parts = spell(rng, contract, full=world.is_plain)
            if world.shape == "portal":
                parts.setdefault("con_id", con_id)
            row = _row(world.shape, parts, contract)
            row[size] = lot
            row[
                "avgPrice" if world.shape == "portal" else "avg_price" if world.shape == "own" else "avgCost"
            ] = 5.0 + number
            if len(world.accounts) > 1 or world.is_plain or rng.random() < 0.6:
                row[key] = account
            if not world.is_plain and len(world.accounts) > 1 and rng.random() < 0.03:
                row.pop(key)
            if model:
                row["model"] = model
            rows.append(row)
            if not world.is_plain and rng.random() < 0.03:
                rows.append(dict(row))
    rng.shuffle(rows)
    return rows


def _write_order(rng: random.Random, world: World, order: Order) -> dict[str, Any]:
    full = rng.random() < 0.5
    if order.legs:
        symbol = CONTRACTS[order.legs[0][0]].symbol
        parts: dict[str, Any] = {"symbol": symbol, "sec_type": "BAG"}
        contract = None
    else:
        contract = CONTRACTS[order.con_id]
        parts = spell(rng, contract, full=full)
        if world.shape == "portal":
            parts.setdefault("con_id", order.con_id)
    row = _row(world.shape, parts, contract)
    side = "BUY" if order.side > 0 else "SELL"
    if world.shape in ("asdict", "tree"):
        body = {"orderId": order.order_id, "permId": order.perm_id, "clientId": order.client_id, "action": side,
                "totalQuantity": order.total, "orderType": order.type, "parentId": order.parent_id,
                "ocaGroup": order.oca, "account": order.account, "faGroup": order.group}  # fmt: skip
        state = {"orderId": order.order_id, "status": order.status, "filled": order.filled,
                 "remaining": order.total - order.filled, "clientId": order.client_id}  # fmt: skip
        if order.legs:
            holder = row["contract"] if world.shape == "asdict" else row["contract"]["Contract"]
            holder["comboLegs"] = [
                {"conId": leg, "ratio": 1, "action": "BUY" if sign > 0 else "SELL"}
                for leg, sign in order.legs
            ]
        if world.shape == "tree":
            body = {name: value for name, value in body.items() if value}
            state = {name: value for name, value in state.items() if value}
            row |= {"order": {"Order": body}, "orderStatus": {"OrderStatus": state}}
        else:
            row |= {"order": body, "orderStatus": state}
        return {"Trade": row} if world.shape == "tree" else row
    if world.shape == "portal":
        row.pop("assetClass", None)
        row |= {"orderId": order.order_id, "side": side, "totalSize": order.total, "filledQuantity": order.filled,
                "remainingQuantity": order.total - order.filled, "status": order.status, "orderType": order.type,
                "acct": order.account, "secType": "BAG" if order.legs else CONTRACTS[order.con_id].sec_type}  # fmt: skip
        if order.oca:
            row["ocaGroup"] = order.oca
    else:
        row |= {"order_id": order.order_id, "side": side.lower() if rng.random() < 0.3 else side,
                "quantity": order.total, "filled": order.filled, "status": order.status, "order_type": order.type,
                "client_id": order.client_id, "account": order.account, "oca_group": order.oca}  # fmt: skip
        if rng.random() < 0.7:
            row["perm_id"] = order.perm_id
    if order.parent_id:
        row["parentId" if world.shape == "portal" else "parent_id"] = order.parent_id
    if order.group:
        row["faGroup"] = order.group
    if order.legs:
        row["comboLegs"] = [
            {"conId": leg, "ratio": 1, "action": "BUY" if s > 0 else "SELL"} for leg, s in order.legs
        ]
    return {name: value for name, value in row.items() if value != ""}


def _write_fill(rng: random.Random, world: World, fill: Fill) -> list[dict[str, Any]]:
    parts = spell(rng, CONTRACTS[fill.con_id], full=rng.random() < 0.6)
    side = rng.choice(("BOT", "BUY")) if fill.side > 0 else rng.choice(("SLD", "SELL"))
    row = _row("own", parts, None) | {
        "exec_id": fill.exec_id, "order_id": fill.order_id, "perm_id": fill.perm_id, "client_id": fill.client_id,
        "account": fill.account, "side": side, "quantity": fill.quantity, "price": 5.0, "at": _time(10 + fill.age),
    }  # fmt: skip
    rows = [row]
    if fill.exec_id.startswith("0001f") and rng.random() < 0.2:
        rows.append(row | {"exec_id": fill.exec_id[:-1] + "2"})
    return rows


def _write_book(rng: random.Random, world: World) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the rows of `position_state` and `trades`; the number of a trade is its place in the book."""
    positions, trades = [], []
    for number, ((account, con_id), quantity) in enumerate(world.book.items(), 101):
        contract = CONTRACTS[con_id]
        row = _row("own", spell(rng, contract, full=world.is_plain), contract)
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
    for number, fill in enumerate(world.fills, 301):
        if fill.in_row and fill.age > 60:
            contract = CONTRACTS[fill.con_id]
            row = _row("own", spell(rng, contract, full=True), contract)
            ids = {"trade_id": number, "perm_id": fill.perm_id, "order_id": fill.order_id}
            trades.append(row | ids | {"account": fill.account, "status": "CLOSED", "quantity": -fill.side * fill.quantity,
                          "entry_price": 5.0, "exit_price": 5.0, "opened_at": _time(90000), "closed_at": _time(10 + fill.age)})
    return positions, trades


def write_snapshot(rng: random.Random, world: World) -> dict[str, Any]:
    """Return the world as a snapshot that is ten seconds old."""
    broker: dict[str, Any] = {
        "as_of": _time(10),
        "connected": True,
        "positions": _write_positions(rng, world),
    }
    orders = [o for o in world.orders if world.scope == "all" or o.client_id == 7]
    name = {"asdict": "reqAllOpenOrders", "tree": "reqAllOpenOrders"}.get(world.shape, "open_orders")
    if world.scope == "client":
        name = "openTrades" if world.shape in ("asdict", "tree") else name
        broker["open_orders_scope"] = "client"
    broker[name] = [_write_order(rng, world, order) for order in orders]
    if world.fills or rng.random() < 0.5:
        broker["executions"] = [row for fill in world.fills for row in _write_fill(rng, world, fill)]
    document: dict[str, Any] = {"taken_at": _time(0), "broker": broker}
    positions, trades = _write_book(rng, world)
    stores: dict[str, Any] = {"as_of": _time(5), "position_state": positions}
    if rng.random() < 0.7 or any(fill.in_row for fill in world.fills):
        stores["trades"] = trades
    document["stores"] = stores
    if rng.random() < 0.3:
        own = [order for order in world.orders if order.client_id == 7 and order.remaining]
        document["status_v3"] = {
            "heartbeat_at": _time(5), "pending_orders": len(own),
            "orders": [_row("own", {"symbol": "BAG"} if order.legs else spell(rng, CONTRACTS[order.con_id], full=True), None)
                       | {"order_id": order.order_id, "perm_id": order.perm_id, "status": order.status, "kind": order.kind,
                          "order_type": order.type, "side": "BUY" if order.side > 0 else "SELL", "quantity": order.total,
                          "filled": order.filled, "submitted_at": _time(order.at)}
                       for order in own if not order.legs],
        }  # fmt: skip
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
        words: dict[str, Any] = {}
        if self.form == "con_id":
            words["con_id"] = str(contract.con_id)
        elif self.form == "local":
            words["local_symbol"] = contract.local
            if rng.random() < 0.5:
                words["sec_type"] = contract.sec_type
        else:
            words["symbol"] = contract.symbol
            if contract.expiry:
                iso = f"{contract.expiry[:4]}-{contract.expiry[4:6]}-{contract.expiry[6:]}"
                words["expiry"] = (
                    contract.expiry[:6] if contract.sec_type == "FUT" and rng.random() < 0.4 else iso
                )
            if contract.is_option:
                words |= {"strike": contract.strike, "right": contract.right}
            if self.form != "natural" or contract.sec_type not in ("STK", "OPT", "FUT"):
                words |= {"sec_type": contract.sec_type, "currency": contract.currency}
            if self.form == "both":
                words["con_id"] = str(contract.con_id)
            if self.form == "full" and contract.sec_type not in ("STK", "CFD", "CASH", "CRYPTO"):
                words["trading_class"] = contract.trading_class
        return words

    def means(self) -> list[Contract]:
        """Return the contracts that the words may mean: a class that is not named is the one of the symbol."""
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
