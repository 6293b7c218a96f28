"""The two status payloads, through the profile: the dashboard's `status_v3` and the bot's `bot_status`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detector.domain.columns import ROWS
from detector.domain.facts import STATUS_FACTS
from detector.domain.profile import HEARTBEAT_AGE, MISSING, ORDER_AGE, Extractor, Profile, ReadContext
from detector.domain.runtime_rows import Order
from detector.domain.section_reading import Reading
from detector.formats.times import NEVER

SECTIONS = ("status_v3", "bot_status")


def read(raw: Mapping[str, Any], reading: Reading, context: ReadContext) -> None:
    """Read every fact that the profile can find in one payload into `reading.values`."""
    profile = context.profile
    reading.has_text_numbers = profile.numbers_as_text
    for name, constant in profile.constants.items():
        _read_fact(name, constant, f"profile.{name}", reading, profile)
    for name, get_value in profile.extractors.items():
        value = get_value(raw)
        if value is not MISSING and value is not None:
            _read_fact(name, value, f"{reading.section}.{profile.paths[name]}", reading, profile)
    is_never = (
        "last_reconcile_at" in profile.extractors and profile.extractors["last_reconcile_at"](raw) is None
    )
    if is_never and "engine_started_at" in reading.values:
        reading.values["last_reconcile_at"] = NEVER


def _read_fact(name: str, raw: object, path: str, reading: Reading, profile: Profile) -> None:
    if name == HEARTBEAT_AGE:
        _keep_older(reading, "heartbeat_at", reading.read_value("age", path, raw))
        return
    spec = STATUS_FACTS[name]
    if spec["kind"] == ROWS:
        raw = _list_rows(raw, profile.row_keys.get(name))
        rows = reading.read_rows(
            path, raw, name, spec["row"], _build_getter(profile.column_extractors.get(name, {}))
        )
        value = _apply_ages(rows, raw, path, reading, profile) if name == "orders" and rows else rows
    else:
        value = reading.read_value(spec["kind"], path, raw)
    if name == "heartbeat_at":
        _keep_older(reading, name, value)
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
