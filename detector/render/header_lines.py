"""The header that `can-close`, `plan` and `gate` print: account, age of the broker's data, the unproven."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from detector.domain.gate_report import TruthHeader
from detector.formats.numbers import normalize_number
from detector.formats.times import format_duration, format_time, format_to_second


def render_header(header: TruthHeader) -> Iterator[str]:
    """Yield the header as two lines: the account with the broker's age, and what is not proven."""
    yield f"account: {header.account or 'not known'}; broker truth: {_describe_age(header)}"
    yield f"not proven: {', '.join(header.unproven) or 'nothing of it'}"


def build_header_document(header: TruthHeader) -> dict[str, Any]:
    """Return the header as an object: `account`, `as_of`, `age_sec`, `unproven`."""
    return {
        "account": header.account,
        "as_of": None if header.as_of is None else format_time(header.as_of),
        "age_sec": None if header.age_sec is None else normalize_number(header.age_sec),
        "age_fault": header.age_fault,
        "unproven": list(header.unproven),
    }


def _describe_age(header: TruthHeader) -> str:
    if header.as_of is None or header.age_sec is None:
        return f"of no known age ({header.age_fault or 'it was not read'})"
    return f"{format_duration(header.age_sec)} old, as of {format_to_second(header.as_of)}"
