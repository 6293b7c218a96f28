"""The facts of one moment: each is a value or not seen (None), never a guess.

A fact is declared once, here, with the kind of its value and the direction that is worse;
readers, the merge of the two payloads, profiles, schemas and documentation all follow the declaration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

from msgspec import Struct, field

from detector.domain.broker_rows import AccountValue, BrokerOrder, BrokerPosition, Execution
from detector.domain.columns import (
    COUNT,
    FALSE,
    FIRST,
    FLAG,
    FLAG_OR_COUNT,
    LARGER,
    LENGTH,
    MARKET_DATA,
    MODE,
    NEWER,
    NOT_EMPTY,
    NOT_OK,
    OLDER,
    ROWS,
    TEXT,
    TIME,
    TRUE,
    UNITED,
    build_field,
    get_declarations,
)
from detector.domain.lane_memory import (
    LostFact,
    ObjectKeys,
    SectionContent,
    SeenNow,
    find_section_of,
    is_known_to_any_lane,
)
from detector.domain.previous_run import NO_PREVIOUS_RUN, NoticedGap, PreviousRun
from detector.domain.provenance import Fault, Provenance, SectionSummary, SourceStatus
from detector.domain.runtime_rows import Order, Position, Tick
from detector.domain.task_rows import Container, LocalProcess, Service, Task
from detector.domain.trade_rows import StoredPosition, Trade
from detector.logs.events import LogHistory
from detector.market.hours import Market
from detector.market.maintenance import PlannedRestart, is_in_planned_restart
from detector.market.session_plan import NO_CLOSURES, US_EQUITY, Closures

T = TypeVar("T")


def _build_fact(kind: str, worse: str, doc: str, **more: Any) -> Any:
    return build_field(kind=kind, worse=worse, doc=doc, **more)


def _build_section_fact(doc: str) -> Any:
    return build_field(doc=doc)


def is_ok(status: str) -> bool:
    """Whether the runtime's own status of its market data is ok."""
    return status.strip().lower() == "ok"


def has_trouble(values: Mapping[str, Any]) -> bool:
    """Return whether one of the runtime's own flags or words says that something is wrong."""
    worse = {name: STATUS_FACTS[name]["worse"] for name in values if name in STATUS_FACTS}
    return any(
        (worse[name] in (TRUE, NOT_EMPTY) and bool(values[name]))
        or (worse[name] == FALSE and values[name] is False)
        for name in worse
    )


def known(value: T | None) -> T:
    """Return a fact that the rule declares as required.

    Raises LookupError where it was not: the rule forgot to declare what it reads.
    """
    if value is None:
        raise LookupError("a fact was read that the rule does not declare")
    return value


class Facts(Struct, frozen=True, eq=False):
    """Every fact of one snapshot; None means not seen. `lane` is the key of its lane and profile.

    Facts are compared by identity: what rules compute of them is kept for the next rule that asks.
    """

    taken_at: datetime
    runtime: str
    market: Market
    before: PreviousRun = NO_PREVIOUS_RUN
    lane: str = ""
    provenance: Provenance = Provenance()
    invalid: tuple[Fault, ...] = ()
    skewed: tuple[tuple[str, float], ...] = ()
    stale: Mapping[str, float] = field(default_factory=dict)
    unchanged: frozenset[str] = frozenset()
    contents: Mapping[str, SectionContent] = field(default_factory=dict)
    mismatched: Mapping[str, str] = field(default_factory=dict)
    unproven: frozenset[str] = frozenset()
    summaries: tuple[Callable[[], SectionSummary], ...] = ()
    objects: Mapping[str, ObjectKeys] = field(default_factory=dict)
    hidden_money: frozenset[str] = frozenset()
    seen: SeenNow = SeenNow()
    lost: tuple[LostFact, ...] = ()
    lost_elsewhere: tuple[LostFact, ...] = ()
    sources: Mapping[str, SourceStatus] = field(default_factory=dict)
    sections: frozenset[str] = frozenset()
    carriers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    errors: tuple[tuple[str, str], ...] = ()
    ran: frozenset[str] = frozenset()
    quiet: bool | None = None
    open_unwatched: float | None = None
    closures: Closures = NO_CLOSURES
    restarts: tuple[PlannedRestart, ...] = ()
    expected_processes: tuple[str, ...] = ()
    own: Mapping[str, Any] = field(default_factory=dict)

    heartbeat_at: datetime | None = _build_fact(TIME, OLDER, "when the runtime last said that it is alive")
    pending_orders: int | None = _build_fact(COUNT, LARGER, "working orders of the runtime")
    pending_exits: int | None = _build_fact(COUNT, LARGER, "exits that were sent and are not done")
    stuck_exits: int | None = _build_fact(LENGTH, LARGER, "exits that the runtime itself calls stuck")
    orders: tuple[Order, ...] | None = _build_fact(ROWS, UNITED, "the runtime's working orders", row=Order)
    broker_reconcile_pending: bool | None = _build_fact(FLAG, TRUE, "broker reconciliation is due")
    position_reconcile_pending: bool | None = _build_fact(FLAG, TRUE, "position reconciliation is due")
    entry_blocking_reconcile_pending: bool | None = _build_fact(FLAG, TRUE, "reconciliation blocks entries")
    broker_confirmation_required: bool | None = _build_fact(
        FLAG, TRUE, "an order waits for the broker's confirmation"
    )
    send_outcome_unknown: int | None = _build_fact(
        FLAG_OR_COUNT, LARGER, "orders whose sending has no known outcome"
    )
    unknown_fills: int | None = _build_fact(COUNT, LARGER, "fills that belong to no known order")
    market_data_status: str | None = _build_fact(
        MARKET_DATA, NOT_OK, "the runtime's own word for its market data"
    )
    market_data_10197_recent: int | None = _build_fact(COUNT, LARGER, "recent 10197 notices")
    max_exit_attempt_count: int | None = _build_fact(
        COUNT, LARGER, "largest number of exit attempts of a position"
    )
    open_positions: tuple[Position, ...] | None = _build_fact(
        ROWS, UNITED, "positions held open", row=Position
    )
    recent_trades: tuple[Trade, ...] | None = _build_fact(ROWS, UNITED, "recently closed trades", row=Trade)
    ticks: tuple[Tick, ...] | None = _build_fact(ROWS, UNITED, "last price of each instrument", row=Tick)
    broker_connected: bool | None = _build_fact(FLAG, FALSE, "the runtime's link to the broker is up")
    connection_error: str | None = _build_fact(TEXT, NOT_EMPTY, "why the link to the broker is down")
    open_position_count: int | None = _build_fact(COUNT, LARGER, "number of open positions")
    engine_started_at: datetime | None = _build_fact(TIME, NEWER, "when the engine started")
    last_reconcile_at: datetime | None = _build_fact(TIME, OLDER, "when a reconciliation last completed")
    trading_halted: bool | None = _build_fact(FLAG, TRUE, "trading is halted by the runtime's own switch")
    mode: str | None = _build_fact(MODE, FIRST, "paper or live, as the runtime says")

    service: Service | None = _build_section_fact("the ECS service of the runtime")
    tasks: tuple[Task, ...] | None = _build_section_fact("all tasks of the cluster")
    stopped_tasks: tuple[Task, ...] | None = _build_section_fact("recently stopped tasks of the cluster")
    containers: tuple[Container, ...] | None = _build_section_fact("containers of the standby host")
    logs: LogHistory | None = _build_section_fact(
        "what the log lines say, and from when to when they were seen"
    )
    broker_as_of: datetime | None = _build_section_fact("when what the broker section says was true")
    broker_link: bool | None = _build_section_fact("whether the broker's own export was connected")
    broker_account: str | None = _build_section_fact(
        "the account of the runtime, as an alias that keeps its kind"
    )
    broker_mode: str | None = _build_section_fact("paper or live, as the broker section says")
    broker_port: int | None = _build_section_fact("the API port that the broker section was read through")
    gateway_port: int | None = _build_section_fact("the API port of the gateway that is watched")
    gateway_listening: bool | None = _build_section_fact("whether a process listens on the API port")
    gateway_handshake: str | None = _build_section_fact(
        "how the gateway answered the API handshake: ok, silent or refused"
    )
    gateway_close_wait: int | None = _build_section_fact(
        "connections that the other end closed and the gateway did not"
    )
    processes: tuple[LocalProcess, ...] | None = _build_section_fact("local processes, by their supervisor")
    power_status: tuple[str, ...] | None = _build_section_fact("the state of the UPS, in NUT's words")
    battery_charge: float | None = _build_section_fact("what the UPS's battery holds, in per cent")
    battery_runtime_sec: float | None = _build_section_fact("how long the UPS can still run, in seconds")
    broker_positions: tuple[BrokerPosition, ...] | None = _build_section_fact(
        "what the broker holds; a missing row is flat"
    )
    broker_orders: tuple[BrokerOrder, ...] | None = _build_section_fact("orders that work at the broker")
    broker_executions: tuple[Execution, ...] | None = _build_section_fact("what was executed at the broker")
    broker_bookings: tuple[Execution, ...] | None = _build_section_fact(
        "what the broker booked without an execution: exercises, assignments and expiries of a Flex statement"
    )
    statement_fills: tuple[Execution, ...] | None = _build_section_fact(
        "fills of a statement without execution ids, which may be executions that are listed with theirs"
    )
    account_values: tuple[AccountValue, ...] | None = _build_section_fact(
        "the account's cushion and look-ahead excess liquidity, as the broker computes them"
    )
    store_positions: tuple[StoredPosition, ...] | None = _build_section_fact(
        "the runtime's store of what is open"
    )
    store_trades: tuple[Trade, ...] | None = _build_section_fact("the runtime's store of trades")

    def get_value(self, name: str) -> Any:
        """Return the value of a fact, or what the profile's own rule of that name saw; None: not seen."""
        return getattr(self, name, None) if name in FACT_NAMES else self.own.get(name)

    def list_known(self) -> frozenset[str]:
        """Return the names for which `get_value` has a value."""
        return frozenset(
            [name for name in FACT_NAMES if getattr(self, name) is not None]
            + [name for name, value in self.own.items() if value is not None]
        )

    def age_of(self, moment: datetime) -> float:
        """Return the seconds from `moment` to `taken_at`."""
        return (self.taken_at - moment).total_seconds()

    def is_watched(self, name: str) -> bool:
        """Return whether the fact (heartbeat or positions) is expected.

        A source of it is configured, or an earlier run of the lane saw it and its sources were not all off.
        """
        states = [
            self.sources[source].state for source in self.carriers.get(name, ()) if source in self.sources
        ]
        if any(state != "off" for state in states):
            return True
        is_off = bool(states) and len(states) == len(self.carriers[name])
        return find_section_of(self.before.lanes, self.lane, name) is not None and not is_off

    def find_carrier(self, name: str) -> str | None:
        """Return the section that showed the fact (heartbeat or positions) to this lane, or would show it."""
        configured = (section for section in self.carriers.get(name, ()) if section in self.sources)
        return find_section_of(self.before.lanes, self.lane, name) or next(configured, None)

    def is_watched_anywhere(self, name: str) -> bool:
        """Return whether this lane expects the fact, or another lane saw it within the last week."""
        return self.is_watched(name) or is_known_to_any_lane(self.before.lanes, name, self.taken_at)

    def is_collected(self, section: str) -> bool:
        """Return whether `collect` read the section; a person may also have written it."""
        source = self.sources.get(section)
        return source is not None and source.state == "ok" and section in self.sections

    def is_readable(self, section: str) -> bool:
        """Return whether nothing else explains that a section shows less: it failed, is old or another's."""
        source = self.sources.get(section)
        has_failed = source is not None and source.state == "failed"
        return not (has_failed or section in self.stale or section in self.mismatched)

    def is_blind_without(self, section: str) -> bool:
        """Return whether this section's heartbeat or positions are missing in the regular session."""
        if not self.market.is_open:
            return False
        heartbeat = section in self.carriers.get("heartbeat_at", ()) and self.heartbeat_at is None
        return heartbeat or (section in self.carriers.get("open_positions", ()) and self.exposure is None)

    def measure_gap(self, limit_sec: float) -> NoticedGap | None:
        """Return the gap before this run as the session's noticed one, None within the limit."""
        return self.before.measure_gap(self.taken_at, self.open_unwatched, limit_sec, self.closures)

    @property
    def section_summaries(self) -> tuple[SectionSummary, ...]:
        """What the run made of each section, which takes as long as some rules and is not always asked."""
        return tuple(summarize() for summarize in self.summaries)

    @property
    def is_restarting(self) -> bool:
        """Whether a planned restart of the gateway may be under way."""
        return is_in_planned_restart(self.taken_at, self.restarts)

    @property
    def is_linked(self) -> bool:
        """Whether something that was seen says that the link to the broker is up."""
        return bool(self.broker_connected or self.broker_link or self.gateway_handshake == "ok")

    @property
    def heartbeat_age(self) -> float | None:
        """The heartbeat's age in seconds, 0 where its clock is ahead; None where none was seen."""
        return None if self.heartbeat_at is None else max(self.age_of(self.heartbeat_at), 0)

    @property
    def has_long_session(self) -> bool:
        """Whether the profile's session is another one than the regular US session."""
        return self.closures.plan is not US_EQUITY

    @property
    def runtime_open_count(self) -> int | None:
        """Return the larger of the list's and the count's open positions; None where neither was seen."""
        list_count = (
            None
            if self.open_positions is None
            else sum(position.quantity != 0 for position in self.open_positions)
        )
        counts = [count for count in (list_count, self.open_position_count) if count is not None]
        return max(counts) if counts else None

    @property
    def exposure(self) -> int | None:
        """Return the largest count of open positions of runtime, store and broker; None if none was seen."""
        account, positions = self.broker_account, self.broker_positions
        broker_count = (
            None
            if positions is None
            else sum(row.quantity != 0 and row.is_in_account(account) for row in positions)
        )
        rows = self.store_positions
        store_count = (
            None
            if rows is None
            else sum(row.is_effectively_open is not False and row.signed_quantity != 0 for row in rows)
        )
        counts = [
            count for count in (self.runtime_open_count, broker_count, store_count) if count is not None
        ]
        return max(counts) if counts else None

    @property
    def last_exposure(self) -> int | None:
        """Return the open positions as they are or were last seen; None where they never were.

        None too where none was open before this session's open: the runtime may have traded since.
        """
        if self.exposure is not None or self.before.open_positions != 0:
            return self.before.open_positions if self.exposure is None else self.exposure
        known_at, open_for = self.before.positions_at or self.before.taken_at, self.market.open_for
        is_of_session = open_for is None or (known_at is not None and self.age_of(known_at) <= open_for)
        return 0 if is_of_session else None


EXPOSURE_FACTS = (
    "open_positions", "open_position_count", "broker_positions", "broker_account", "store_positions"
)  # fmt: skip
"""The facts that `exposure` is counted from."""
STATUS_FACTS: Mapping[str, Mapping[str, Any]] = {
    name: details for name, details in get_declarations(Facts).items() if "kind" in details
}
SECTION_FACTS: Mapping[str, tuple[str, ...]] = {
    "ecs": ("service", "tasks", "stopped_tasks"),
    "containers": ("containers",),
    "logs": ("logs",),
    "broker": (
        "broker_positions",
        "broker_orders",
        "broker_executions",
        "broker_link",
        "broker_account",
        "account_values",
    ),
    "stores": ("store_positions", "store_trades"),
    "gateway": ("gateway_port", "gateway_listening", "gateway_handshake", "gateway_close_wait"),
    "processes": ("processes",),
    "power": ("power_status", "battery_charge", "battery_runtime_sec"),
}
RECONCILE_FLAGS = (
    "broker_reconcile_pending",
    "position_reconcile_pending",
    "entry_blocking_reconcile_pending",
)
FACT_NAMES = frozenset(get_declarations(Facts))
