"""The shape of the owner's file of closures, as a person writes it.

The generated table of days cannot know a day of mourning (2025-01-09 was one) or a storm.
"""

from __future__ import annotations

from datetime import date, time
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from detector.app.written_document import Table, parse_document_text
from detector.formats.errors import InputError
from detector.market.closures import CLOSES, OPENS, Closures, check_closure_day, check_closure_number


def parse_closures(text: str) -> Closures:
    """Return the closures of a TOML text; raises InputError with a line for each fault."""
    document = parse_document_text(text, ClosuresDocument, {"days": set()})[1]
    try:
        check_closure_number([entry.date for entry in (*document.closed, *document.early_close)])
    except ValueError as error:
        raise InputError(str(error)) from None
    return Closures(
        frozenset(entry.date for entry in document.closed),
        {entry.date: entry.closes for entry in document.early_close},
    )


def _check_day(day: date, info: ValidationInfo) -> date:
    days: set[date] = (info.context or {})["days"]
    if day in days:
        raise ValueError(f"{day} stands in another entry already")
    days.add(day)
    check_closure_day(day)
    return day


def _parse_early_close(text: object) -> time:
    try:
        closes = time.fromisoformat(text if isinstance(text, str) else "")
    except ValueError:
        closes = CLOSES
    if f"{closes:%H:%M}" != text or not OPENS < closes < CLOSES:
        raise ValueError(f'must be "HH:MM" in New York, after 09:30 and before 16:00, not {text!r}')
    return closes


Day = Annotated[date, AfterValidator(_check_day)]


class ClosedEntry(Table):
    """One `[[closed]]`; the reason is for people."""

    date: Day
    reason: str = ""


class EarlyCloseEntry(ClosedEntry):
    """One `[[early_close]]`."""

    closes: Annotated[time, BeforeValidator(_parse_early_close)]


class ClosuresDocument(Table):
    """A whole file of closures."""

    closed: list[ClosedEntry] = Field(default_factory=list)
    early_close: list[EarlyCloseEntry] = Field(default_factory=list)
