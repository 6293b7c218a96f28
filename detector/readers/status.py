"""The two status payloads, through the profile: the dashboard's `status_v3` and the bot's `bot_status`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Any

from msgspec.structs import replace

from detector.domain.columns import ROWS, get_columns
from detector.domain.facts import STATUS_FACTS
from detector.domain.own_rule import read_own_rule
from detector.domain.payload_path import MISSING, Extractor, KeyPath, is_plain_path, list_key_paths
from detector.domain.profile import HEARTBEAT_AGE, ORDER_AGE, Profile, ReadContext
from detector.domain.provenance import Fault
from detector.domain.runtime_rows import Order
from detector.domain.section_reading import Reading, list_kinds
from detector.domain.shape import ANY, LIST, OBJECT, OWN_TIMES, Key, Need, Shape, build_columns, build_needs
from detector.domain.snapshot import STATUS_SECTIONS
from detector.domain.trade_rows import convert_label
from detector.domain.vendor_keys import FOREIGN
from detector.formats.errors import InputError
from detector.formats.times import NEVER

SECTIONS = STATUS_SECTIONS
_NAMED_BY = (
    "symbol",
    "local_symbol",
    "con_id",
    "order_id",
    "perm_id",
    "trade_id",
    "signal_id",
    "position_id",
)
_INSTRUMENT = Need(("symbol", "con_id", "local_symbol"), "text")
_NEEDS = {"open_positions": (_INSTRUMENT,), "orders": (_INSTRUMENT,)}


def build_shape(section: str, context: ReadContext, raw: object) -> Shape:
    """Return the known keys of a payload by the profile: each segment of a dotted path in its own object."""
    return _build_profile_shape(context.profile)


@lru_cache(maxsize=8)
def _build_profile_shape(profile: Profile) -> Shape:
    leaves: dict[KeyPath, Key] = {}
    for fact, key_paths in profile.key_paths.items():
        is_plain = is_plain_path(profile.paths[fact])
        for keys in key_paths:
            leaves.setdefault(keys, _build_fact_key(fact, profile) if is_plain else Key(ANY, ".".join(keys)))
    for rule in profile.rules:
        for keys in rule.key_paths:
            leaves.setdefault(keys, Key(ANY, ".".join(keys)))
    for path in (*OWN_TIMES, *profile.time_paths):
        for keys in list_key_paths(path):
            leaves.setdefault(keys, Key("time", "as_of"))
    return _build_object_shape((), leaves, profile)


def _build_object_shape(prefix: KeyPath, leaves: Mapping[KeyPath, Key], profile: Profile) -> Shape:
    """Return the shape of the object at a path: of a key with keys below it, whatever else it gives."""
    depth = len(prefix)
    below = [keys for keys in leaves if keys[:depth] == prefix and len(keys) > depth]
    reads: dict[str, Key] = {}
    for name in dict.fromkeys(keys[depth] for keys in below):
        path = (*prefix, name)
        has_keys = any(keys[: depth + 1] == path and len(keys) > depth + 1 for keys in below)
        inner = _build_object_shape(path, leaves, profile) if has_keys else None
        reads[name] = leaves[path] if inner is None else Key(OBJECT, inner=inner)
    return Shape(reads, FOREIGN | profile.foreign, times=(*OWN_TIMES, *profile.time_paths))


def _build_fact_key(fact: str, profile: Profile) -> Key:
    group = "heartbeat_at" if fact == HEARTBEAT_AGE else fact
    if fact == HEARTBEAT_AGE:
        return Key("age", group, fact=group)
    spec = STATUS_FACTS[fact]
    if spec["kind"] != ROWS:
        return Key(spec["kind"], group, fact=group)
    mapped = profile.column_paths.get(fact, {})
    names = {column: (path,) for column, path in mapped.items()}
    columns = build_columns(list_kinds(spec["row"]), names)
    if fact == "orders":
        columns |= {mapped.get(ORDER_AGE, ORDER_AGE): Key("age", "submitted_at")}
    needs = build_needs(get_columns(spec["row"])) + _NEEDS.get(fact, ())
    shape = Shape(columns, FOREIGN | profile.foreign, named_by=_NAMED_BY, needs=needs)
    return Key(LIST, group, shape, fact)


def read(raw: Mapping[str, Any], reading: Reading, context: ReadContext) -> None:
    """Read every fact that the profile can find in one payload into `reading.values`."""
    profile = context.profile
    reading.has_text_numbers, reading.words = profile.numbers_as_text, profile.words
    reading.symbols = profile.symbols
    for rule in profile.rules:
        read_own_rule(rule, raw, reading, context.settings)
    values = _extract_values(raw, reading, profile)
    is_ours = any(value is not None for value in values.values())
    for name, constant in (
        profile.constants.items() if is_ours else ()
    ):  # of an empty payload nothing is known
        _keep_fact(name, _read_fact(name, constant, "profile", reading, profile), reading)
    for name, value in values.items():
        if value is not None:
            known = reading.find_known(name, value)
            fact = known.value if known is not None else _read_new(name, value, reading, profile)
            _keep_fact(name, fact, reading)
    if values.get("last_reconcile_at", MISSING) is None and "engine_started_at" in reading.values:
        reading.values["last_reconcile_at"] = NEVER


def _read_new(name: str, value: Any, reading: Reading, profile: Profile) -> Any:
    """Return a fact that the snapshot before did not show; a fault has the line of the profile."""
    start = len(reading.invalid)
    read = partial(_read_fact, name, value, reading.section, reading, profile)
    fact = reading.read_new(name, value, read)
    if len(reading.invalid) > start:
        # A fault has the profile's line by which its fact, or its column, is found.
        reading.invalid[start:] = [
            replace(fault, line=profile.describe_line(name, fault.path.rpartition(".")[2]))
            for fault in reading.invalid[start:]
        ]
    return fact


def _extract_values(raw: Mapping[str, Any], reading: Reading, profile: Profile) -> dict[str, Any]:
    """Return by fact what the payload has in its place."""
    values: dict[str, Any] = {}
    for name, extract in profile.extractors.items():
        try:
            value = extract(raw)
        except InputError as failure:
            line = profile.describe_line(name, "")
            fault = Fault(f"{reading.section}.{name}", f"cannot be read: {failure}", line=line)
            reading.invalid.append(fault)
            continue
        if value is not MISSING:
            values[name] = value
    return values


def _read_fact(name: str, raw: object, holder: str, reading: Reading, profile: Profile) -> Any:
    path = f"{holder}.{name if name in profile.constants else profile.describe_path(name)}"
    if name == HEARTBEAT_AGE:
        return reading.read_value("age", path, raw)
    spec = STATUS_FACTS[name]
    if spec["kind"] != ROWS:
        return reading.read_value(spec["kind"], path, convert_label(name, raw, reading.words))
    raw = _list_rows(raw, profile.row_keys.get(name))
    getter = _build_getter(profile.column_extractors.get(name, {}))
    rows = reading.read_rows(path, raw, name, spec["row"], getter)
    return _apply_ages(rows, raw, path, reading, profile) if name == "orders" and rows else rows


def _keep_fact(name: str, value: Any, reading: Reading) -> None:
    """Keep the value that was read; of two heartbeats the older one."""
    if name in ("heartbeat_at", HEARTBEAT_AGE):
        _keep_older(reading, "heartbeat_at", value)
    elif value is not None:
        reading.values[name] = value


def _list_rows(raw: object, key: str | None) -> object:
    """Return the rows as a list where the payload keeps them in an object: `key` is their column."""
    if key is None or not isinstance(raw, dict):
        return raw
    return [{key: name, **row} if isinstance(row, dict) else row for name, row in raw.items()]


def _keep_older(reading: Reading, name: str, moment: Any) -> None:
    if moment is not None:
        reading.values[name] = min(moment, reading.values.get(name, moment))


def _build_getter(columns: Mapping[str, Extractor]) -> Any:
    if not columns:
        return dict.get

    def get(item: Mapping[str, Any], column: str) -> object:
        if column not in columns:
            return item.get(column)
        value = columns[column](item)
        return None if value is MISSING else value

    return get


def _apply_ages(
    rows: tuple[Order, ...], raw: Any, path: str, reading: Reading, profile: Profile
) -> tuple[Order, ...]:
    """Return the orders with `submitted_at` taken from `age_sec` where that is the older of the two."""
    get = _build_getter(profile.column_extractors.get("orders", {}))
    items = (item for item in raw if isinstance(item, dict))
    aged = []
    for order, item in zip(
        rows, items, strict=False
    ):  # the rows of a list that is too long are cut, the items are not
        since = reading.read_value("age", f"{path}.{ORDER_AGE}", get(item, ORDER_AGE))
        times = [moment for moment in (order.submitted_at, since) if moment is not None]
        aged.append(order.replace_submitted_at(min(times)) if times else order)
    return tuple(aged)
