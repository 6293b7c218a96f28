"""What decides whether a row of the runtime is open and on which side, and is not understood or not read.

Of such a row the quantity is not known: taken for open and long, it would be a false difference.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from detector.domain.sides import POSITION_SIDE_COLUMNS, SIDE_NAMES, find_side, get_sign
from detector.domain.trade_rows import parse_status
from detector.formats.numbers import is_unset, parse_decimal
from detector.formats.similar_names import normalize_key
from detector.formats.strict_json import redact_excerpt

SIGN, STATE = "sign", "state"
"""Kinds of a column: the side of a quantity without a sign, and the state of what is held."""
STATE_COLUMNS = ("is_open", "status", "closed_at")  # of several the first that was read decides
_CLOSED_FLAGS = {
    "closed": True,
    "isclosed": True,
    "open": False,
    "isopen": False,
    "active": False,
    "isactive": False,
    "deleted": True,
    "isdeleted": True,
}
_STATE_NAMES = ("state", "status", "positionstatus", "positionstate", "tradestatus", "tradestate")
_END_NAMES = frozenset(
    ["closedat", "closeat", "closedate", "closetime", "closedon", "closedtime", "closetimestamp", "exitat",
     "exitdate",
     "exittime", "exitedat", "exittimestamp", "dateclosed", "timeclosed", "deletedat", "deletedon"]
)  # fmt: skip
_END_PRICES = frozenset(["exitprice", "exitrate", "exitfillprice"])  # of what is held there is none yet
Row = Mapping[str, Any]
Problem = tuple[str, str, bool]


def iter_problems(item: Row, raw: Row, row: Row) -> Iterator[Problem]:
    """Yield (column, problem, whether it was reported already) of a row that holds a position.

    `item` is the row as it was written, `raw` its values under our names, `row` the same after reading.
    """
    yield from _iter_states(item, raw, row)
    quantity = row.get("quantity")
    is_empty = raw.get("quantity") is None or is_unset(raw["quantity"])
    if quantity is None and is_empty and _is_left_open(row):
        yield "quantity", "of a row that is not closed is not given", False
    if quantity is not None and quantity > 0:
        yield from _iter_sides(item, raw, row.get("side"))


def remove_state(item: Row, kept: Collection[str]) -> Row:
    """Return a fill or an order without its state, in which no position ends; `kept` are columns to keep."""
    names = {*_STATE_NAMES, *_CLOSED_FLAGS, *_END_NAMES}
    return {key: value for key, value in item.items() if key in kept or normalize_key(key) not in names}


def can_decide(name: str) -> bool:
    """Whether a column of that name may say whether a row is open, or on which side it is."""
    stripped = normalize_key(name)
    return any(
        stripped in names for names in (_STATE_NAMES, _CLOSED_FLAGS, _END_NAMES, _END_PRICES, SIDE_NAMES)
    )


def find_unknown_state(row: Row) -> str | None:
    """Return what is wrong with a row's status where it alone decides and nobody knows its word."""
    status = row.get("status")
    if status is None or parse_status(status) is not None:
        return None
    is_decided = row.get("is_open") is not None or row.get("closed_at") is not None
    return None if is_decided else _describe_label(status, "open nor closed")


def _iter_states(item: Row, raw: Row, row: Row) -> Iterator[Problem]:
    """Yield what leaves the state open: a value that was not read, an unknown word, another column."""
    read = next((name for name in STATE_COLUMNS if row.get(name) is not None), None)
    stronger = STATE_COLUMNS[: STATE_COLUMNS.index(read) if read else None]
    unread = [name for name in stronger if _is_given(raw.get(name)) and (name, raw[name]) != ("closed_at", 0)]
    yield from ((name, "", True) for name in unread)
    if read is None and not unread:
        yield from _iter_ends(item)
    elif read == "status" and (problem := find_unknown_state(row)):
        yield "status", problem, False


def _iter_sides(item: Row, raw: Row, side: str | None) -> Iterator[Problem]:
    """Yield what leaves the side of a quantity without a sign open."""
    if side is not None:
        if side.strip() and get_sign(side) is None:
            yield "side", _describe_label(side, "long nor short"), False
    elif _is_given(raw.get("side")):
        yield "side", "", True
    else:
        name, word = find_side(_strip_names(item)) or ("", "")
        if get_sign(word) == -1:
            yield _find_key(item, name), "says short, and nothing reads it: map it as side", False
        elif name in POSITION_SIDE_COLUMNS and get_sign(word) is None and word.strip() != "-":
            yield _find_key(item, name), _describe_label(word, "long nor short"), False


def _is_left_open(row: Row) -> bool:
    """Whether a row of a store is open, or does not say that it is closed."""
    if "is_open" not in row:  # the runtime's own list has no states
        return False
    state = row["is_open"] if row["is_open"] is not None else parse_status(row["status"])
    return state is True or (state is None and row["closed_at"] is None)


def _iter_ends(item: Row) -> Iterator[Problem]:
    """Yield the cell by which the row is closed, where there is one that nothing reads."""
    for name, value in _strip_names(item).items():
        is_flag = name in _CLOSED_FLAGS and value in (True, False) and bool(value) is _CLOSED_FLAGS[name]
        is_plain_name = name in _STATE_NAMES and isinstance(value, str) and parse_status(value) is False
        is_price = name in _END_PRICES and _is_price(value)
        if is_flag or is_plain_name or is_price or (name in _END_NAMES and value != 0):
            ours = "closed_at" if name in _END_NAMES else "is_open or status"
            yield _find_key(item, name), f"says closed, and nothing reads it: map it as {ours}", False
            return


def _is_price(value: object) -> bool:
    number = parse_decimal(str(value))
    return number is not None and number != 0


def _describe_label(word: str, kinds: str) -> str:
    return f"is {redact_excerpt(word)!r}, which is neither {kinds} ([words] of the profile can name it)"


def _strip_names(item: Mapping[str, Any]) -> dict[str, Any]:
    return {normalize_key(key): value for key, value in item.items() if _is_given(value)}


def _is_given(value: object) -> bool:
    """Whether a cell holds something: of what a program writes for nothing, no fault is reported either."""
    return value is not None and not is_unset(value)


def _find_key(item: Mapping[str, Any], name: str) -> str:
    return next(key for key in item if normalize_key(key) == name)
