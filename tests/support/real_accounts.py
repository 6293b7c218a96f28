"""Accounts as they are: contracts, holdings, orders and fills, written down as a snapshot in many spellings.

A `World` is the truth: what each account holds, what works there, what has filled and is in no row yet, and
what the runtime believes. `write_snapshot` writes it as the documentation allows: parts of a name left out,
in another spelling, rows in lots or twice, in the shape of this program, of ib_async or of the Client Portal.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

NOW = datetime(2026, 6, 2, 15, 0, tzinfo=UTC)
SHAPES = ("own", "asdict", "tree", "portal")
ACCOUNTS = ("DU1111111", "DU2222222")


@dataclass(frozen=True)
class Contract:
    """One contract with every name that IBKR gives it; `keeps` are the parts of which one must be written."""

    con_id: int
    symbol: str
    sec_type: str
    currency: str = "USD"
    expiry: str = ""
    strike: float = 0.0
    right: str = ""
    multiplier: str = ""
    local: str = ""
    trading_class: str = ""
    keeps: tuple[str, ...] = ()
    unit: float = 1

    @property
    def is_option(self) -> bool:
        """Whether it has a right."""
        return bool(self.right)

    @property
    def has_ended(self) -> bool:
        """Whether its last trading moment is past: the NDX of a day is settled by that day's open."""
        return bool(self.expiry) and self.expiry < ("20260603" if self.trading_class == "NDX" else "20260602")


def _option(
    con_id: int, symbol: str, klass: str, day: str, strike: float, right: str, **more: Any
) -> Contract:
    local = f"{klass:<6}{day[2:]}{right}{round(strike * 1000):08d}"
    return Contract(con_id, symbol, "OPT", "USD", day, strike, right, more.get("multiplier", "100"), local, klass,
                    ("con_id", "trading_class", "local") if klass != symbol or symbol in ("SPX", "VIX") else ())  # fmt: skip


def _future(con_id: int, symbol: str, klass: str, day: str, local: str, multiplier: str, currency: str = "USD",
            keeps: tuple[str, ...] = ()) -> Contract:  # fmt: skip
    return Contract(con_id, symbol, "FUT", currency, day, 0.0, "", multiplier, local, klass, keeps)


FAMILIES: dict[str, tuple[Contract, ...]] = {
    "SPY": (
        Contract(756733, "SPY", "STK", local="SPY", trading_class="SPY", unit=100),
        _option(801, "SPY", "SPY", "20260619", 727.0, "C"),
        _option(802, "SPY", "SPY", "20260619", 727.0, "P"),
        _option(803, "SPY", "SPY", "20260619", 727.5, "C"),
        _option(804, "SPY", "SPY", "20260618", 727.0, "C"),
    ),
    "AAPL": (
        Contract(265598, "AAPL", "STK", local="AAPL", trading_class="NMS", unit=100),
        Contract(265599, "AAPL", "CFD", local="AAPLn", trading_class="AAPL", keeps=("sec_type",), unit=100),
        _option(811, "AAPL", "AAPL", "20260717", 200.0, "C"),
        _option(812, "AAPL", "AAPL1", "20260717", 200.0, "C"),
        _option(813, "AAPL", "AAPL7", "20260717", 200.0, "C", multiplier="10"),
    ),
    "SPX": (
        _option(821, "SPX", "SPX", "20260618", 6000.0, "P"),
        _option(822, "SPX", "SPXW", "20260618", 6000.0, "P"),
        _option(823, "SPX", "SPXW", "20260619", 6000.0, "P"),
    ),
    "ES": (
        _future(831, "ES", "ES", "20260618", "ESM6", "50"),
        _future(832, "ES", "ES", "20260917", "ESU6", "50"),
        _future(833, "MES", "MES", "20260618", "MESM6", "5"),
        Contract(834, "ES", "FOP", "USD", "20260612", 6000.0, "C", "50", "EW2M6 C6000", "EW2"),
        Contract(835, "ES", "FOP", "USD", "20260618", 6000.0, "C", "50", "ESM6 C6000", "ES"),
    ),
    "DAX": (
        _future(841, "DAX", "FDAX", "20260619", "FDAX 20260619 M", "25", "EUR", ("con_id", "trading_class", "multiplier")),
        _future(842, "DAX", "FDXM", "20260619", "FDXM 20260619 M", "5", "EUR", ("con_id", "trading_class", "multiplier")),
        _future(843, "DAX", "FDXS", "20260619", "FDXS 20260619 M", "1", "EUR", ("con_id", "trading_class", "multiplier")),
    ),
    "SAN": (
        Contract(851, "SAN", "STK", "USD", local="SAN", trading_class="SAN", keeps=("con_id", "currency"), unit=100),
        Contract(852, "SAN", "STK", "EUR", local="SAN1", trading_class="SAN", keeps=("con_id", "currency"), unit=100),
    ),
    "BRK B": (
        Contract(861, "BRK B", "STK", local="BRK B", trading_class="BRK B", unit=10),
        Contract(862, "BRK A", "STK", local="BRK A", trading_class="BRK A"),
    ),
    "EUR": (
        Contract(12087792, "EUR", "CASH", "USD", local="EUR.USD", trading_class="EUR.USD", keeps=("sec_type",), unit=10000),
        Contract(14433401, "EUR", "CASH", "JPY", local="EUR.JPY", trading_class="EUR.JPY", keeps=("sec_type",), unit=10000),
        _future(871, "EUR", "6E", "20260615", "6EM6", "125000"),
    ),
    "BTC": (
        Contract(881, "BTC", "CRYPTO", "USD", local="BTC.USD", trading_class="BTC", keeps=("sec_type",), unit=0.25),
    ),
    "700": (Contract(891, "700", "STK", "HKD", local="700", trading_class="700", unit=100),),
}  # fmt: skip
ENDING: tuple[Contract, ...] = (
    _option(901, "QQQ", "QQQ", "20260601", 480.0, "P"),
    _option(902, "XSP", "XSP", "20260601", 590.0, "C"),
    _option(903, "NDX", "NDX", "20260602", 20000.0, "P"),
    _option(904, "QQQ", "QQQ", "20260602", 500.0, "C"),
)
"""Three that cannot be traded any more, one of them settled by this morning's open, and one of this day."""
CONTRACTS = {contract.con_id: contract for family in (*FAMILIES.values(), ENDING) for contract in family}


@dataclass
class Order:
    """A working order at the broker."""

    order_id: int
    perm_id: int
    client_id: int
    account: str
    con_id: int
    side: int
    total: float
    filled: float = 0.0
    parent_id: int = 0
    oca: str = ""
    status: str = "Submitted"
    kind: str = "exit"
    type: str = "LMT"
    group: str = ""
    legs: tuple[tuple[int, int], ...] = ()
    at: float = 600.0
    model: str = ""

    @property
    def remaining(self) -> float:
        """What may still fill."""
        return 0.0 if self.status in ("Filled", "Cancelled") else self.total - self.filled


@dataclass
class Fill:
    """An execution; `in_row` says whether the position row already has it."""

    exec_id: str
    order_id: int
    perm_id: int
    client_id: int
    account: str
    con_id: int
    side: int
    quantity: float
    age: float
    in_row: bool
    model: str = ""


@dataclass
class World:
    """What is true: holdings by (account, model, con_id), orders, fills, and the runtime's own book.

    What the broker lists beside: the `sums` of models, contracts that are `flat`, what all accounts hold. Of
    what is `summed` it lists nothing but the sum.
    """

    accounts: tuple[str, ...] = ACCOUNTS[:1]
    rows: dict[tuple[str, str, int], float] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    book: dict[tuple[str, int], float] = field(default_factory=dict)
    difference: tuple[str, int, str] | None = None
    is_plain: bool = False
    shape: str = "own"
    scope: str = "all"
    sums: set[tuple[str, int]] = field(default_factory=set)
    summed: set[tuple[str, int]] = field(default_factory=set)
    flat: set[tuple[str, int]] = field(default_factory=set)
    consolidated: set[int] = field(default_factory=set)

    def hold(self, account: str, con_id: int) -> float:
        """What the account truly holds, the fills that are in no row yet included."""
        held = sum(q for (acct, _, cid), q in self.rows.items() if (acct, cid) == (account, con_id))
        late = sum(f.side * f.quantity for f in self.fills
                   if not f.in_row and (f.account, f.con_id) == (account, con_id))  # fmt: skip
        return held + late

    def exits(self, account: str, con_id: int, side: int) -> float:
        """How much the working orders may take on that side, an OCA group by its largest member."""
        groups: dict[str, float] = {}
        for order in self.orders:
            if order.account != account and not order.group:
                continue
            sides = order.legs or ((order.con_id, 1),)
            for leg, sign in sides:
                if leg != con_id or order.side * sign != side or not order.remaining:
                    continue
                parent = next((o for o in self.orders if o.order_id == order.parent_id
                               and o.client_id == order.client_id), None)  # fmt: skip
                if parent is not None and not parent.filled and parent.remaining:
                    continue
                key = f"{order.account} {order.oca}" if order.oca else f"#{order.client_id}.{order.order_id}"
                groups[key] = max(groups.get(key, 0.0), order.remaining)
        return sum(groups.values())

    def has_model(self, account: str, con_id: int) -> bool:
        """Whether a model portfolio holds some of it, as far as the broker says so."""
        return (account, con_id) not in self.summed and any(
            model for (acct, model, cid), q in self.rows.items() if (acct, cid) == (account, con_id) and q
        )

    def refuses(self, account: str, con_id: int, side: int, quantity: float) -> str:
        """Why that order would do harm in truth; empty where it closes."""
        held = self.hold(account, con_id)
        if CONTRACTS[con_id].has_ended:
            return f"it has expired: held {held}"
        if held * side >= 0:
            return f"it opens: held {held}"
        if quantity > abs(held) + 1e-9:
            return f"it flips: held {held}"
        exits = self.exits(account, con_id, side)
        if quantity + exits > abs(held) + 1e-9:
            return f"it exits twice: held {held}, exits {exits}"
        if self.has_model(account, con_id):
            return "a model holds it"
        return ""


def _quantity(rng: random.Random, contract: Contract) -> float:
    return rng.choice((1, 2, 3, 5, 10)) * contract.unit * rng.choice((1, 1, 1, -1))


def _build_exits(rng: random.Random, n: int, key: tuple[str, int], quantity: float) -> list[Order]:
    """Return what works at the broker beside a holding, in one of the ways in which people work exits."""
    account, con_id = key
    side, size, contract = (-1 if quantity > 0 else 1), abs(quantity), CONTRACTS[con_id]
    half = max(contract.unit, size // 2 if contract.unit >= 1 else size / 2)

    def work(at: int, amount: float = size, *, sign: int = side, **more: Any) -> Order:
        return Order(n + at, 9000 + n + at, 7, account, con_id, sign, amount, **more)

    def stop(at: int, **more: Any) -> Order:
        return work(at, type="STP", status="PreSubmitted", **more)

    other = Order(n, 9500 + n, 8, account, con_id, -side, size, kind="entry")
    others = [c.con_id for c in CONTRACTS.values() if c.symbol == contract.symbol and c is not contract]
    legs = ((con_id, 1), (rng.choice(others or [0]), -1))
    ways: tuple[list[Order], ...] = (
        [stop(0)],
        [stop(0, oca=f"oca{n}"), work(1, oca=f"oca{n}")],
        [stop(1, parent_id=n), work(2, parent_id=n)],
        [work(0, min(size, half), type="STP")],
        [work(0, type="STP"), other],
        [Order(n, 9000 + n, 7, account, 0, side, size, legs=legs)] if others and contract.is_option else [],
        [Order(n, 9000 + n, 7, "", con_id, side, size, group="Everybody")],
        [work(0, status=rng.choice(("PendingSubmit", "PendingCancel")))],
        [work(0, sign=-side, kind="entry"), stop(1, parent_id=n), work(2, parent_id=n)],
    )
    return rng.choice(ways)


def _add_part_filled(rng: random.Random, world: World, key: tuple[str, int], quantity: float) -> None:
    """An exit of twice the holding has filled a half of it: long ago, or seconds ago and in no row yet."""
    account, con_id = key
    n, side, size = 10 + 10 * len(world.orders), (-1 if quantity > 0 else 1), abs(quantity)
    world.orders.append(Order(n, 9000 + n, 7, account, con_id, side, 2 * size, filled=size))
    is_late = rng.random() < 0.3
    if is_late:
        world.rows[(account, "", con_id)] = 2 * quantity
    age = rng.choice((10, 25)) if is_late else 300
    exec_id = f"0000e.{n}.01.01"
    world.fills.append(Fill(exec_id, n, 9000 + n, 7, account, con_id, side, size, age, in_row=not is_late))


def build_world(rng: random.Random) -> World:
    """Return a random world; about a third of them are plain: nothing at work, every row in full."""
    world = World(shape=rng.choice(SHAPES), is_plain=rng.random() < 0.35)
    world.accounts = ACCOUNTS[: 2 if rng.random() < 0.35 else 1]
    families = rng.sample(sorted(FAMILIES), rng.choice((1, 1, 2)))
    chosen = [
        contract
        for family in families
        for contract in rng.sample(FAMILIES[family], min(len(FAMILIES[family]), rng.choice((1, 1, 2, 3))))
    ]
    for contract in chosen:
        for account in world.accounts if rng.random() < 0.4 else (rng.choice(world.accounts),):
            quantity = _quantity(rng, contract)
            world.rows[(account, "", contract.con_id)] = quantity
            world.book[(account, contract.con_id)] = quantity
            if not world.is_plain:
                _add_activity(rng, world, account, contract, quantity)
    if not world.is_plain and rng.random() < 0.15:
        world.scope = "client"
    if rng.random() < 0.4:
        _add_difference(rng, world)
    _add_ending(random.Random(f"{sorted(world.rows.items())}"), world)
    return world


def _add_ending(rng: random.Random, world: World) -> None:
    """In one world of twelve an option ends: listed until it is settled, closed by the runtime, or gone.

    Its own source of chance leaves the other worlds as they were.
    """
    if rng.random() > 1 / 12:
        return
    contract, account = rng.choice(ENDING), rng.choice(world.accounts)
    quantity = rng.choice((1, 3, -2))
    where = rng.choice(("both", "both", "broker", "runtime"))
    if where == "runtime" and (world.difference is not None or contract.con_id not in (901, 902)):
        where = "both"
    if where == "broker" and contract.trading_class == "QQQ" and not contract.has_ended:
        where = "both"
    if where != "runtime":
        world.rows[(account, "", contract.con_id)] = quantity
    world.book[(account, contract.con_id)] = 0.0 if where == "broker" else quantity
    if where == "runtime":
        world.difference = (account, contract.con_id, "phantom")


def _add_activity(
    rng: random.Random, world: World, account: str, contract: Contract, quantity: float
) -> None:
    key = account, contract.con_id
    chance = rng.random()
    if chance < 0.27:
        world.orders += _build_exits(rng, 10 + 10 * len(world.orders), key, quantity)
    elif chance < 0.3:
        _add_part_filled(rng, world, key, quantity)
    elif chance < 0.35 and world.shape == "own":
        world.rows[(account, "Growth", contract.con_id)] = world.rows.pop((account, "", contract.con_id))
    elif chance < 0.42:
        _add_late_fill(rng, world, account, contract, quantity)


def _add_late_fill(
    rng: random.Random, world: World, account: str, contract: Contract, quantity: float
) -> None:
    """The holding was closed, or opened, seconds ago: the runtime knows it, the broker's row does not."""
    n = 500 + len(world.fills)
    closed = rng.random() < 0.6
    side = (-1 if quantity > 0 else 1) if closed else (1 if quantity > 0 else -1)
    if closed:
        world.book[(account, contract.con_id)] = 0.0
    else:
        world.rows.pop((account, "", contract.con_id))
    size = abs(quantity)
    world.fills.append(Fill(f"0001f.{n}.01.01", n, 8000 + n, 7, account, contract.con_id, side, size,
                            rng.choice((2, 20, 40)), in_row=False))  # fmt: skip
    if rng.random() < 0.5:
        world.orders.append(Order(n, 8000 + n, 7, account, contract.con_id, side, size, size, status="Filled",
                                  kind="exit" if closed else "entry"))  # fmt: skip


def _add_difference(rng: random.Random, world: World) -> None:
    """Make the runtime's book wrong in one contract without an order or a fill of its own."""
    busy = {order.con_id for order in world.orders} | {fill.con_id for fill in world.fills}
    busy |= {leg for order in world.orders for leg, _ in order.legs}
    calm = [key for key in sorted(world.book) if key[1] not in busy and CONTRACTS[key[1]].sec_type != "CASH"]
    calm = [key for key in calm if not world.has_model(*key)]
    if not calm:
        return
    account, con_id = rng.choice(calm)
    unit = CONTRACTS[con_id].unit
    kind = rng.choice(("phantom", "unmanaged", "quantity", "side"))
    held = world.book[(account, con_id)]
    if kind == "phantom":
        world.rows.pop((account, "", con_id))
    elif kind == "unmanaged":
        world.book[(account, con_id)] = 0.0
    elif kind == "quantity":
        world.book[(account, con_id)] = held + (unit if held > 0 else -unit)
    else:
        world.book[(account, con_id)] = -held
    world.difference = (account, con_id, kind)
