"""Which rows of a statement say what is held now: one level of detail, and the newest day.

Flex lists a position as SUMMARY and again as its LOTs, and once for each day where the query breaks out by day.
Source: Flex Query reference, Open Positions (LevelOfDetail, ReportDate).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detector.domain.instrument_names import is_known_expiry, normalize_expiry
from detector.domain.section_reading import Reading
from detector.readers.broker.column_names import normalize_name

Rows = list[Mapping[str, Any]]
_EXECUTION, _SUMMARY, _LOT = "EXECUTION", "SUMMARY", "LOT"
_LEVEL, _DATE = "levelofdetail", "reportdate"


def filter_held_now(rows: Rows, reading: Reading, path: str) -> Rows:
    """Return the summaries in place of single lots, of the newest day alone."""
    levels = {_get_cell(row, _LEVEL) for row in rows}
    kept = [row for row in rows if _get_cell(row, _LEVEL) != _LOT] if _SUMMARY in levels else rows
    return _filter_newest_day(kept, reading, path)


def filter_executions(rows: Rows) -> Rows:
    """Return the executions; orders, lots and summaries of the same are left out."""
    return [row for row in rows if _get_cell(row, _LEVEL) in ("", _EXECUTION)]


def _filter_newest_day(rows: Rows, reading: Reading, path: str) -> Rows:
    days = [_get_cell(row, _DATE) for row in rows]
    if len(set(days)) <= 1:
        return rows
    forms = [normalize_expiry(day) for day in days]
    dates = [form for form in forms if form is not None and is_known_expiry(form)]
    if len(dates) < len(forms):
        reading.add_fault(path, "has a report date that cannot be read beside others")
        reading.partial.add("broker_positions")
        return rows
    return [row for row, form in zip(rows, forms, strict=True) if form == max(dates)]


def _get_cell(row: Mapping[str, Any], name: str) -> str:
    cell = next(
        (value for key, value in row.items() if normalize_name(key) == name and value is not None), ""
    )
    return str(cell).strip().upper()
