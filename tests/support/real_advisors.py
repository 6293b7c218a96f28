"""What the account of an advisor has beside plain positions: models, sums, orders for several accounts.

Sources: TWS API reference (`reqPositionsMulti`, Financial Advisors), IBKR Web API (`/portfolio`, `model`).
"""

from __future__ import annotations

import random
from typing import Any

from tests.support.real_accounts import CONTRACTS, Fill, Order, World, build_world

MODELS = ("Growth", "Income")
MODEL_KEYS = {"own": "model", "portal": "model", "asdict": "modelCode", "tree": "modelCode"}


def build_account(rng: random.Random) -> World:
    """Return a random world, in one of four with what only an advisor's has; a broker's flat rows too."""
    world = build_world(rng)
    if not world.is_plain:
        _add_advisor(random.Random(f"advisor {sorted(world.rows.items())} {len(world.orders)}"), world)
    return world


def _add_advisor(rng: random.Random, world: World) -> None:
    held = sorted((account, con_id) for account, model, con_id in world.rows if not model)
    if not held:
        return
    if rng.random() < 1 / 8:
        _add_models(rng, world, *rng.choice(held))
    for order in [order for order in world.orders if order.group and rng.random() < 0.5]:
        _fill_for_all(world, order)
    if len(world.accounts) > 1 and world.shape in ("own", "portal") and rng.random() < 1 / 12:
        world.consolidated = {con_id for _, con_id in held}
    if rng.random() < 1 / 8:
        account, con_id = rng.choice(held)
        family = [c.con_id for c in CONTRACTS.values() if c.symbol == CONTRACTS[con_id].symbol]
        free = [other for other in family if (account, other) not in world.book]
        world.flat = {(account, other) for other in free[:1]}


def _add_models(rng: random.Random, world: World, account: str, con_id: int) -> None:
    """A holding is of one model, of two (which may hedge each other), or in part of none."""
    quantity, unit = world.rows.pop((account, "", con_id)), CONTRACTS[con_id].unit
    step = unit if quantity > 0 else -unit
    first = rng.choice((quantity, step, quantity + step))
    second = rng.choice((0.0, quantity - first, step))
    rest = quantity - first - second
    second += step if second and rest == first + second else 0.0  # else the rest would be what their sum is
    parts = (first, second, quantity - first - second)
    for model, part in zip((*MODELS, ""), parts, strict=True):
        if part:
            world.rows[(account, model, con_id)] = part
    if rng.random() < 0.5:
        world.sums.add((account, con_id))
    elif random.Random(f"sum {account} {con_id} {quantity} {parts}").random() < 0.5:
        world.summed.add((account, con_id))
    rows: list[Order | Fill] = [*world.orders, *world.fills]
    for row in rows:
        if (row.account, row.con_id) == (account, con_id):
            row.model = rng.choice(("", MODELS[0]))


def _fill_for_all(world: World, order: Order) -> None:
    """An order for a group has filled a part in each account that holds it; the positions have it."""
    unit = CONTRACTS[order.con_id].unit
    accounts = [account for account in world.accounts if world.hold(account, order.con_id)]
    if order.total <= unit * len(accounts):
        return
    order.filled = unit * len(accounts)
    for number, account in enumerate(accounts, 1):
        exec_id = f"0002a.{order.order_id}.{number:02}.01"
        world.fills.append(Fill(exec_id, order.order_id, order.perm_id, order.client_id, account, order.con_id,
                                order.side, unit, 300, in_row=True))  # fmt: skip


def list_rows(world: World) -> list[tuple[str, str, int, float]]:
    """Return account, model, contract and quantity of each row that the broker lists.

    A sum stands in the place of what is of no model; `All` is the advisor's list of every account.
    """
    rows = [
        (*key, quantity) for key, quantity in world.rows.items()
        if key[::2] not in world.summed and (key[1] or key[::2] not in world.sums)
    ]  # fmt: skip
    listed = sorted(world.sums | world.summed)
    rows += [(account, "", con_id, _add_up(world, con_id, account)) for account, con_id in listed]
    rows += [(account, "", con_id, 0.0) for account, con_id in sorted(world.flat)]
    return rows + [("All", "", con_id, _add_up(world, con_id)) for con_id in sorted(world.consolidated)]


def _add_up(world: World, con_id: int, account: str | None = None) -> float:
    return sum(quantity for (owner, _, cid), quantity in world.rows.items()
               if cid == con_id and account in (None, owner))  # fmt: skip


def write_model(world: World, model: str) -> dict[str, str]:
    """Return the column of the model; TWS and the Client Portal write it empty where there is none."""
    has_models = any(key[1] for key in world.rows)
    return {MODEL_KEYS[world.shape]: model} if model or (has_models and world.shape != "own") else {}


def write_group(order: Order) -> dict[str, Any]:
    """Return for which accounts an order is, in one of the ways in which advisors send one."""
    if not order.group:
        return {"account": order.account}
    ways: list[dict[str, Any]] = [
        {"account": "", "faGroup": order.group, "faMethod": "NetLiq"},
        {"account": "", "faProfile": order.group},
        {"account": "All"},
        {"account": "DF1111110", "faGroup": order.group, "faPercentage": "50"},
    ]
    return ways[order.perm_id % len(ways)]
