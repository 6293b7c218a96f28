"""Whether the rows of the broker section fit together: each list once, all or no position with an account."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from detector.domain.section_reading import Reading
from detector.readers.broker.sections import LISTS, normalize_section

_TITLES = {"broker_positions": "positions", "broker_orders": "open orders", "broker_executions": "executions"}
_FLEX_LISTS = {"broker_positions": "positions_csv", "broker_executions": "trades_csv"}


def find_inconsistency(broker: Any, now: datetime) -> str | None:
    """Return why the rows of the section, in any shape, are ambiguous; None where they are not."""
    if not isinstance(broker, dict):
        return None
    section = normalize_section(broker, Reading("broker", now, 0))
    for fact, title in _TITLES.items():
        if len(_list_names(section, fact)) > 1:
            return f"The broker section lists its {title} twice, under several names."
    rows = [
        row for name in LISTS["broker_positions"] for row in section.get(name) or () if isinstance(row, dict)
    ]
    if len({_has_account(row) for row in rows}) > 1:
        return "Some of the broker's rows name their account and others do not."
    return None


def _list_names(section: Mapping[str, Any], fact: str) -> list[str]:
    statement = section.get("flex")
    text = _FLEX_LISTS.get(fact)
    has_text = isinstance(statement, dict) and text is not None and statement.get(text) is not None
    return [name for name in LISTS[fact] if section.get(name) is not None] + (["flex"] if has_text else [])


def _has_account(row: Mapping[str, Any]) -> bool:
    return any("acc" in key.lower() and value not in (None, "") for key, value in row.items())
