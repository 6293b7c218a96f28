"""Reads the broker's rows, as `list_shapes` leaves them, and its times, into rows of the domain.

A nested object counts as part of its row; the row's own names come first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from detector.domain.broker_rows import (
    ACCOUNT_TAGS,
    ALL_ACCOUNTS,
    AccountValue,
    BrokerOrder,
    BrokerPosition,
    Execution,
)
from detector.domain.runtime_rows import is_done
from detector.domain.section_reading import Reading
from detector.domain.sides import find_side, get_sign
from detector.formats.numbers import format_quantity, is_unset, parse_decimal, to_exact_decimal
from detector.formats.patterns import build_pattern
from detector.formats.redaction import get_account_kind
from detector.formats.secret_kinds import ACCOUNT
from detector.formats.similar_names import normalize_key
from detector.formats.strict_json import redact_excerpt
from detector.market.session_plan import NEW_YORK
from detector.readers.broker.layouts import ACCOUNT_VALUE, EXECUTION, ORDER, PARTS, POSITION
from detector.readers.broker.row_columns import COLUMNS

_DAY, _HOUR = r"(\d{4})-?(\d\d)-?(\d\d)", r"(\d\d):?(\d\d):?(\d\d)"
_TWS = build_pattern(rf"{_DAY}(-| +){_HOUR}(?: +([A-Za-z][\w/+-]{{1,40}}))?", re.ASCII)
_FLEX = build_pattern(rf"{_DAY}[;,] ?{_HOUR}(?: +([A-Za-z][\w/+-]{{1,40}}))?", re.ASCII)
_EPOCH = build_pattern(r"\d{10}(\d{3})?", re.ASCII)  # of ibapi with formatDate=2, as text
_SHORT_NAMES = {
    "EST": NEW_YORK, "EDT": NEW_YORK, "CST": "America/Chicago", "CDT": "America/Chicago",
    "MST": "America/Denver", "MDT": "America/Denver", "PST": "America/Los_Angeles",
    "PDT": "America/Los_Angeles", "BST": "Europe/London", "CEST": "Europe/Paris", "JST": "Asia/Tokyo",
    "HKT": "Asia/Hong_Kong",
}  # fmt: skip
_TIMES = ("submitted_at", "status_at", "at")
# TWS and the Client Portal write 0 for what is missing; a share has a strike of 0.
_ZERO_IS_NONE = ("order_id", "perm_id", "parent_id", "con_id", "strike", "multiplier")
_ZEROS = ("0", "0.0")
_ID_NAMES = ("orderid", "permid", "parentid", "conid")


def read_position(item: Mapping[str, Any], reading: Reading) -> BrokerPosition:
    """Return one position of the broker; its quantity is None where the row contradicts itself."""
    flat = merge_nested(item)
    row, problem = _convert_columns(flat, POSITION, reading), _find_contradiction(flat)
    if problem:
        row["quantity"] = None
    elif _is_left_open(item, row["quantity"]):
        problem = "is not given"
    position = reading.read_row("broker.positions", row, BrokerPosition, _get_column)
    if problem and position.is_named:
        reading.add_fault("broker.positions.quantity", problem)
    return position


def _is_left_open(item: Mapping[str, Any], quantity: object) -> bool:
    """Whether a row has a column of its quantity, with nothing in it."""
    names = COLUMNS[POSITION]["quantity"]
    return (quantity is None or is_unset(quantity)) and any(normalize_key(key) in names for key in item)


def _find_contradiction(flat: Mapping[str, Any]) -> str | None:
    """Return how a position's columns contradict each other (two quantities, side and sign), or None."""
    parsed = (_parse_number(flat.get(key)) for key in COLUMNS[POSITION]["quantity"])
    numbers = [number for number in parsed if number is not None]
    if len(set(numbers)) > 1:
        return f"is {format_quantity(numbers[0])} and {format_quantity(numbers[1])} in one row"
    _, side = find_side(flat) or ("", "")
    sign = get_sign(side)
    is_unknown = sign is None and side.strip() not in ("", "-", "?") and any(number > 0 for number in numbers)
    if is_unknown or (sign is not None and any(number * sign < 0 for number in numbers)):
        return f"is {format_quantity(numbers[0])} on the side {redact_excerpt(side)}"
    return None


def _parse_number(raw: Any) -> Decimal | None:
    if isinstance(raw, int | float) and not isinstance(raw, bool):
        return to_exact_decimal(raw)
    return parse_decimal(raw)


def read_order(item: Mapping[str, Any], reading: Reading) -> BrokerOrder:
    """Return one working order of the broker."""
    flat = merge_nested(item)
    row = _convert_columns(flat, ORDER, reading)
    row |= {name: row[name] or value for name, value in _read_log(item, row["status"]).items()}
    if _parse_number(row["filled"]) == _parse_number(row["remaining"]) == 0 and row["quantity"]:
        row["remaining"] = None  # of an order that the broker has not answered yet, ib_async knows neither
    statuses = (row["status"], merge_nested(item.get("orderStatus")).get("status"))
    sides = [flat.get(name) for name in COLUMNS[ORDER]["side"]]
    for column, values, get_kind in (("status", statuses, is_done), ("side", sides, get_sign)):
        given = {get_kind(str(value)): redact_excerpt(str(value)) for value in values if value}
        if len(given) > 1:
            row[column] = None
            reading.add_fault(f"broker.open_orders.{column}", f"is {' and '.join(given.values())} in one row")
    return reading.read_row("broker.open_orders", row, BrokerOrder, _get_column)


def _read_log(item: Mapping[str, Any], status: object) -> dict[str, Any]:
    """Return from ib_async's log of an order when it was sent, and since when it has its status."""
    log = next((value for key, value in item.items() if normalize_key(key) == "log"), None)
    entries = [
        {normalize_key(key): value for key, value in entry.items()}
        for entry in (log if isinstance(log, list) else ())
        if isinstance(entry, dict)
    ]
    times = [(entry.get("time"), entry.get("status")) for entry in entries if entry.get("time")]
    if not times:
        return {}
    since: object = None
    for time, entry_status in times:
        since = None if entry_status != status else since or time
    return {"submitted_at": normalize_broker_time(times[0][0]), "status_at": normalize_broker_time(since)}


def read_execution(item: Mapping[str, Any], reading: Reading) -> Execution:
    """Return one execution; Flex writes the quantity of a sale with a minus."""
    row = _convert_columns(merge_nested(item), EXECUTION, reading)
    if row["at"] == 0:  # none in other rows; a fill without its time is compared with nothing
        reading.add_fault("broker.executions.at", "is not given")
    return reading.read_row("broker.executions", row, Execution, _get_column)


def read_account_value(item: Mapping[str, Any], reading: Reading) -> AccountValue | None:
    """Return a value of the account that is a number; None for the others, and for what is of no rule."""
    row = _convert_plain(merge_nested(item), ACCOUNT_VALUE, reading)
    if row["tag"] is not None and normalize_key(str(row["tag"])) not in ACCOUNT_TAGS:
        return None
    return reading.read_row("broker.account_values", row, AccountValue, _get_column)


def _get_column(item: Mapping[str, Any], column: str) -> object:
    return item.get(column)


def _convert_columns(flat: Mapping[str, Any], kind: str, reading: Reading) -> dict[str, Any]:
    """Return the cells of a row, as `merge_nested` gives them, under our names and in our forms."""
    row = _convert_plain(flat, kind, reading)
    for column in _ZERO_IS_NONE:
        if row.get(column) in (0, *_ZEROS):
            row[column] = None
    for column in _TIMES:
        row[column] = normalize_broker_time(row.get(column))
    if row.get("leg_con_ids") is not None:
        row["leg_ratios"] = row["leg_ratios"] or _list_ratios(row["leg_con_ids"]) or None
        row["leg_con_ids"] = _parse_legs(row["leg_con_ids"]) or None
    if row["symbol"] is None:
        row["symbol"] = row["local_symbol"] or _find_described_symbol(flat)
    elif row["symbol"] != flat.get("symbol") is not None:
        is_option = row["strike"] or row["right"]
        row["local_symbol"] = row["local_symbol"] or flat["symbol"]
        row["symbol"] = (
            row["symbol"] if is_option else flat["symbol"]
        )  # of an option Flex has the underlying's
    return row


def _find_described_symbol(flat: Mapping[str, Any]) -> Any:
    """Return the first word of the Client Portal's description: `SPX SEP2026 6000 C`."""
    words = str(flat.get("contractdesc") or "").split()
    return words[0] if words else None


def _parse_legs(listed: Any) -> Any:
    """Return the contract ids of a combo's legs; any other value stays as it is, for the reader to refuse."""
    if not isinstance(listed, list):
        return listed
    ids = [merge_nested(leg).get("conid") if isinstance(leg, dict) else leg for leg in listed]
    return [
        str(con_id) if isinstance(con_id, int) and not isinstance(con_id, bool) else con_id for con_id in ids
    ]


def _list_ratios(listed: Any) -> list[str]:
    """Return how many of each leg one combo buys, below 0 where it sells; of TWS's legs that say it all."""
    ratios = []
    for leg in listed if isinstance(listed, list) else ():
        cells = merge_nested(leg) if isinstance(leg, dict) else {}
        sign, con_id, ratio = get_sign(cells.get("action")), cells.get("conid"), cells.get("ratio")
        ratios += [f"{con_id}={sign * ratio}"] if sign and con_id and isinstance(ratio, int) else []
    return ratios


def merge_nested(item: Any) -> dict[str, Any]:
    """Return the cells of a row and of the objects in it, by plain names; the row's own come first.

    What is no object is empty. A commission's currency is not the contract's: a trade in HKD may cost USD.
    """
    flat: dict[str, Any] = {}
    if not isinstance(item, Mapping):
        return flat
    for part_name in (None, *(key for key in PARTS if isinstance(item.get(key), dict))):
        is_commission = "commission" in (part_name or "")
        for key, value in (item if part_name is None else item[part_name]).items():
            name = normalize_key(key)
            is_missing = value is None or (name in _ID_NAMES and value in (0, "0"))
            is_missing |= is_commission and name == "currency"
            if not is_missing and not isinstance(value, dict):
                flat.setdefault(name, value)
    return flat


def _convert_plain(flat: Mapping[str, Any], kind: str, reading: Reading) -> dict[str, Any]:
    """Return the cells of a row under our names; its account is the section's where it names none."""
    row = {column: _find_first(flat, keys) for column, keys in COLUMNS[kind].items()}
    if row["account"] is None:
        row["account"] = reading.values.get("broker_account")
    elif (name := str(row["account"])) == str(flat.get("accountorgroup")):
        is_account = get_account_kind(name) is not None or ACCOUNT.fullmatch(name) is not None
        row["account"] = row["account"] if is_account else ALL_ACCOUNTS  # of a group it is the sum of some
    return row


def _find_first(flat: Mapping[str, Any], keys: tuple[str, ...]) -> Any:
    for key in keys:  # a generator for each of very many cells took a fiftieth of a run
        value = flat.get(key)
        if value is not None and value != "":
            return value
    return None


def normalize_broker_time(raw: Any) -> Any:
    """Return the time as RFC 3339: with its offset where it is known, naive where TWS names no zone.

    TWS: `20260506 14:49:00 US/Central`, and `20260506-19:49:00` in UTC. Flex: `20260506;144900`, in New
    York time unless a zone follows. Any other value is returned as it is; the reader then refuses it.
    """
    if not isinstance(raw, str):
        return raw
    tws, flex = _TWS.fullmatch(raw.strip()), _FLEX.fullmatch(raw.strip())
    if tws:
        year, month, day, separator, hour, minute, second, zone = tws.groups()
        local_time = f"{year}-{month}-{day}T{hour}:{minute}:{second}"
        return f"{local_time}Z" if separator == "-" else _apply_zone(local_time, zone, raw)
    if flex:
        year, month, day, hour, minute, second, zone = flex.groups()
        return _apply_zone(f"{year}-{month}-{day}T{hour}:{minute}:{second}", zone or NEW_YORK, raw)
    return int(raw) if _EPOCH.fullmatch(raw.strip()) else raw


def _apply_zone(local_time: str, zone: str | None, raw: str) -> str:
    if zone is None:
        return local_time
    try:
        moment = datetime.fromisoformat(local_time).replace(tzinfo=ZoneInfo(_SHORT_NAMES.get(zone, zone)))
        return moment.isoformat()
    except (ValueError, ZoneInfoNotFoundError, OSError):
        return raw
