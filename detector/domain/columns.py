"""How facts and columns are declared: the kind of each value, which way is worse, and the known words."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Any

from msgspec import Struct, field

from detector.domain.instrument_names import OPTIONS, STOCK, TYPES, normalize_label, normalize_type

# Kinds of value, as they stand in a payload.
TIME, COUNT, FLAG, FLAG_OR_COUNT, LENGTH, TEXT, ROWS = (
    "time", "count", "flag", "flag or count", "count or list", "text", "rows"
)  # fmt: skip
# Directions that are worse, where two payloads carry a fact.
OLDER, NEWER, LARGER, TRUE, FALSE, NOT_OK, NOT_EMPTY, FIRST, UNITED = (
    "older", "newer", "larger", "true", "false", "not ok", "not empty", "first", "united"
)  # fmt: skip


class _Declaration(Struct, frozen=True):
    """The details of a field; msgspec keeps them as the maker of its default, which is None."""

    details: Mapping[str, Any]

    def __call__(self) -> None:
        return None


def build_field(**details: Any) -> Any:
    """Declare a field that is None by default, with details that `get_declarations` returns."""
    return field(default_factory=_Declaration(details))


def get_declarations(record: type[Struct]) -> Mapping[str, Mapping[str, Any]]:
    """Return the details of every field that was declared with them, by name."""
    defaults = record.__struct_defaults__
    names = record.__struct_fields__[len(record.__struct_fields__) - len(defaults) :]
    makers = (
        (name, getattr(default, "factory", None)) for name, default in zip(names, defaults, strict=True)
    )
    return {name: maker.details for name, maker in makers if isinstance(maker, _Declaration)}


def build_column(kind: str, worse: str = "first", doc: str = "", **needs: Any) -> Any:
    """Declare one column of a row: the kind of its value and, where two payloads list it, which is worse.

    `needed` are the columns, its own first, of which a row must have one to be judged; with `beside`, only
    where it has one of those; with `always`, whatever else the row has.
    """
    return build_field(
        **{"kind": kind, "worse": worse, "doc": doc, "needed": (), "beside": (), "always": False, **needs}
    )


def get_columns(row: type[Any]) -> Mapping[str, Mapping[str, Any]]:
    """Return the declared columns of a row type: name to kind and worse direction."""
    return {name: details for name, details in get_declarations(row).items() if "kind" in details}


# Words. Sources: TWS API reference and ib_async, FIX 4.4, Amazon's service model of ECS, Docker's,
# API references, Network UPS Tools; the rest are words of known runtimes.
MODE, MARKET_DATA, ORDER_STATUS, ORDER_KIND, ORDER_TYPE = (
    "mode", "market data status", "order status", "order kind", "order type"
)  # fmt: skip
SECURITY_TYPE, RIGHT, OPENING, SCOPE, HANDSHAKE, SOURCE_STATE, UPS_STATUS = (
    "security type", "right", "open or close", "scope", "handshake", "source state", "UPS status"
)  # fmt: skip
SERVICE_STATUS, TASK_STATUS, STOP_CODE, HEALTH, ROLLOUT, CONTAINER_STATE = (
    "service status", "task status", "stop code", "health status", "rollout state", "container state"
)  # fmt: skip


class TermList(Struct, frozen=True, eq=False, dict=True):
    """The known words of one kind.

    `words` are texts of words with a comma between them, `others` by a form its other words. `may_be_blank`:
    empty text says that there is nothing to say. `signs` are the forms that show which kind a word is of
    without its key; empty for any.
    """

    words: tuple[str, ...] = ()
    others: Mapping[str, str] = field(default_factory=dict)
    may_be_blank: bool = False
    signs: frozenset[str] = frozenset()

    @cached_property
    def forms(self) -> Mapping[str, str]:
        """Return the form of each word by its letters and digits alone; most kinds are never asked for."""
        listed = [word.strip() for text in self.words for word in text.split(",")]
        known = {
            _strip_label(word): form
            for form, others in self.others.items()
            for word in (form, *others.split(","))
        }
        return known | {_strip_label(word): word for word in listed}

    def find(self, text: str) -> str | None:
        """Return the form of a word in any case and punctuation; None where it is unknown."""
        letters = _strip_label(text)
        return text.strip() if not letters and self.may_be_blank else self.forms.get(letters)


@lru_cache(maxsize=4096)
def _strip_label(text: str) -> str:
    return "".join(letter for letter in normalize_label(text).lower() if letter.isalnum() or letter > "~")


def _build_terms(*words: str, blank: bool = False, signs: str = "", **forms: str) -> TermList:
    """Return the list of words, separated by a comma; those of `forms` have another word's form."""
    return TermList(words, forms, blank, frozenset(word.strip() for word in signs.split(",") if signs))


VOCABULARIES: Mapping[str, TermList] = {
    MODE: _build_terms(
        "dry run, backtest, backtesting, replay, shadow, manual, auto, automatic, normal, off",
        paper="paper trading, paper money, paper account, simulated, simulation, demo",
        live="live trading, live account, real, real money, production",
        signs="paper, live",
    ),
    MARKET_DATA: _build_terms(
        """degraded, stale, delayed, frozen, delayed frozen, down, error, failed, bad, lost, disconnected,
        unavailable, missing, none, no data, unknown, unsubscribed, not entitled, competing, partial,
        warning, critical, halted, closed, off, paused, pending, connecting, reconnecting, starting,
        initializing, slow, lagging, broken, blocked, offline, idle""",
        ok="okay",
    ),
    ORDER_STATUS: _build_terms(
        """PendingSubmit, PendingCancel, PreSubmitted, Submitted, ApiPending, ApiCancelled, ApiCanceled,
        ApiUpdate, Cancelled, Canceled, Filled, Inactive, ValidationError, Unknown, WarnState, New,
        PartiallyFilled, Partial, PartialFill, DoneForDay, Replaced, Stopped, Rejected, Denied, Suspended,
        PendingNew, Calculated, Expired, AcceptedForBidding, PendingReplace, PendingUpdate, Initialized,
        Emulated, Released, Accepted, Triggered, CancelPending, UpdateSubmitted, Invalid, None, Open,
        Working, Live, Active, Pending, Sent, Sending, Acknowledged, Acked, Ack, Queued, Held, Hold, Parked,
        Created, Transmitted, Routed, Placed, Modified, Resting, Waiting, Staged, Closed, Completed,
        Complete, Done, Executed, Failed, Error, In Flight, Cancelling, Canceling, Cancel Requested, Pending
        Fill, Unfilled, Not Transmitted""",
        blank=True,
        signs="PendingSubmit, PendingCancel, PreSubmitted, Submitted, ApiPending, Cancelled, Filled,"
        " PartiallyFilled",
    ),
    ORDER_KIND: _build_terms(
        """entry, open, opening, enter, scale in, add, exit, close, closing, stop, stop loss, sl, take profit,
        target, profit target, tp, trail, trailing, trailing stop, flatten, liquidation, liquidate,
        protective, protective stop, scale out, reduce, increase, hedge, adjust, adjustment, roll,
        rebalance, parent, child, bracket, manual, other, unknown, none, market, limit, LMT, MKT, STP""",
        blank=True,
        signs="entry, exit, enter, stop loss, take profit, protective stop",
    ),
    ORDER_TYPE: _build_terms(
        """MKT, LMT, STP, STP LMT, TRAIL, TRAIL LIMIT, TRAIL LMT, TRAIL LIT, TRAIL MIT, TRAIL
        LMT + MKT, MIT, LIT, MOC, LOC, MOO, LOO, MTL, MKT PRT, MKTPRT, STP PRT, STPPRT, REL, PEG MKT, PEG
        MID, PEG PRIM, PEG BEST, PEG BENCH, PEG STK, PEGMKT, PEGMID, MIDPX, MIDPRICE, VWAP, TWAP, BOX TOP,
        BOXTOP, SNAP MKT, SNAP MID, SNAP PRIM, PASSV REL, AUCTION, AUC, AUC LMT, VOL, IBALGO, ALGO, REL +
        LMT, REL + MKT, LMT + MKT, COMBO, BRACKET, OCO, OTO, BAG, NONE, DEFAULT, Limit, Market, Stop, Stop
        Limit, Stop Market, Stop Loss, Stop Loss Limit, Trailing Stop, Trailing Stop Limit, Trailing Stop
        Market, Take Profit, Take Profit Limit, Market On Close, Market On Open, Limit On Close, Limit On
        Open, Market If Touched, Limit If Touched, Market To Limit, Adaptive, Adaptive LMT, Adaptive MKT,
        Midpoint, Relative, Pegged, Iceberg, FOK, IOC, GTC, ComboMarket, ComboLimit, ComboLegLimit,
        OptionExercise, TrailingStopPercent, FUNARI, QUOTE, EX, WHAT IF""",
        blank=True,
        signs="MKT, LMT, STP, STP LMT, TRAIL, TRAIL LIMIT, MIT, LIT, MOC, LOC, Limit, Market, Stop Limit",
    ),
    SECURITY_TYPE: TermList(may_be_blank=True, signs=TYPES),
    RIGHT: _build_terms("C, P, CALL, PUT, 0, N, NONE, NA", blank=True, signs="C, P, CALL, PUT"),
    OPENING: _build_terms("O, C, C;O, O;C, CO, OC, open, close, SAME, N, NA, -", blank=True),
    SCOPE: _build_terms("all, client, cache"),
    HANDSHAKE: _build_terms("ok, silent, refused, not_tried"),
    SOURCE_STATE: _build_terms("ok, failed, off"),
    UPS_STATUS: _build_terms(
        """OL, OB, LB, HB, RB, CHRG, DISCHRG, BYPASS, CAL, OFF, OVER, TRIM, BOOST, FSD, ALARM, ECO, TEST,
        WAIT, OVERHEAT, COMM, NOCOMM, NOBATT, COMMBAD"""
    ),
    SERVICE_STATUS: _build_terms("ACTIVE, DRAINING, INACTIVE"),
    TASK_STATUS: _build_terms(
        "PROVISIONING, PENDING, ACTIVATING, RUNNING, DEACTIVATING, STOPPING, DEPROVISIONING, STOPPED, DELETED"
    ),
    STOP_CODE: _build_terms(
        """TaskFailedToStart, EssentialContainerExited, UserInitiated, ServiceSchedulerInitiated,
        SpotInterruption, TerminationNotice, InfrastructureHealth""",
        blank=True,
    ),
    HEALTH: _build_terms("HEALTHY, UNHEALTHY, UNKNOWN"),
    ROLLOUT: _build_terms("COMPLETED, FAILED, IN_PROGRESS"),
    CONTAINER_STATE: _build_terms(
        """created, running, paused, restarting, removing, exited, dead, stopped, stopping, configured,
        initialized, unknown, up, removal, exit"""
    ),
}
"""By the kind of a value: its known words."""


KEPT = frozenset([SECURITY_TYPE, SCOPE, SERVICE_STATUS, TASK_STATUS, HEALTH, CONTAINER_STATE])
"""Of these an unknown word stays what it is, because any word but the good one is bad."""


def find_term(kind: str, text: str) -> str | None:
    """Return the form of a known word of that kind; None where nobody knows it."""
    if kind == SECURITY_TYPE:  # Flex and runtimes write a dozen names of each; one place knows them
        form = normalize_type(text)
        return text if form is None else form if form in TYPES else None
    return VOCABULARIES[kind].find(text)


def is_sign_of(kind: str, text: str) -> bool:
    """Return whether a word shows by itself that it is of that kind."""
    word, signs = find_term(kind, text), VOCABULARIES[kind].signs
    return bool(word and word.strip()) and (word in signs or not signs)


def list_terms(kind: str) -> list[str]:
    """Return the forms that words of a kind have, the usual ones first."""
    return list(dict.fromkeys(VOCABULARIES[kind].forms.values())) or [STOCK, *OPTIONS]
