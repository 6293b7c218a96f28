"""The files that an owner writes: mutes, and closures that the market's table cannot know."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime, time
from fnmatch import fnmatchcase
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, field_validator

from detector.app.toml_document import Table, Text, parse_document_text
from detector.domain.acknowledgement import Mute, check_pattern
from detector.formats.errors import InputError
from detector.formats.similar_names import find_nearest_name
from detector.formats.strict_json import redact_excerpt
from detector.formats.times import parse_rfc3339
from detector.market.session_plan import CLOSES, OPENS, Closures, check_closure_day, check_closure_number


def parse_mutes(text: str, money_rules: Collection[str], names: Collection[str] = ()) -> tuple[Mute, ...]:
    """Return the mutes of a TOML text; raises InputError with a line for each fault.

    A mute whose pattern can match one of `money_rules` needs `even_money = true`. One that matches none of
    the events' `names` and is nearly one of them is a slip; any other name may be another profile's rule.
    """
    context = {"money_rules": sorted(money_rules), "names": names}
    return parse_document_text(text, MuteDocument, context)[1].build_mutes()


def _parse_end(value: Any) -> datetime:
    """Return a TOML time, or a text, as a time with an offset."""
    text = value.isoformat() if isinstance(value, datetime) else value
    if not isinstance(text, str):
        raise ValueError("must be a time such as 2026-06-06T06:00:00Z")
    return parse_rfc3339(text)


class MuteEntry(Table):
    """One `[[mute]]`."""

    even_money: bool = False
    signature: Text
    until: Annotated[datetime, BeforeValidator(_parse_end)]
    reason: Text
    by: Text

    @field_validator("signature")
    @classmethod
    def check_money(cls, signature: str, info: ValidationInfo) -> str:
        """Raise ValueError where a money rule would be muted by the way, or everything."""
        rules = (info.context or {})["money_rules"]
        kind = signature.partition(":")[0]
        money = next((name for name in rules if fnmatchcase(name, kind)), None)
        if money and not info.data.get("even_money"):
            raise ValueError(
                f"{signature!r} would mute {money}, which is about money; "
                "say even_money = true if that is meant"
            )
        names: Collection[str] = (info.context or {}).get("names", ())
        nearest = None if any(fnmatchcase(name, kind) for name in names) else find_nearest_name(kind, names)
        if nearest:
            raise ValueError(f"no event is named {redact_excerpt(kind)!r}; did you mean {nearest}?")
        check_pattern(signature, names)
        return signature


class MuteDocument(Table):
    """A whole file of mutes."""

    mute: list[MuteEntry] = Field(default_factory=list)

    def build_mutes(self) -> tuple[Mute, ...]:
        """Return the mutes; the reason and the name are for whoever reads the file."""
        return tuple(Mute(entry.signature, entry.until, entry.even_money) for entry in self.mute)


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
