"""The shape of a profile as a person writes it; facts, columns and golden signals are the program's."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, create_model, model_validator

from detector.app.rule_document import RuleEntry
from detector.app.written_document import Names, Path, Table, Text, build_check, parse_document_text, to_list
from detector.domain.coercion import ValueReader
from detector.domain.columns import ROWS, get_columns
from detector.domain.facts import STATUS_FACTS
from detector.domain.payload_path import build_extractor
from detector.domain.profile import HEARTBEAT_AGE, ORDER_AGE, ROW_TYPES, Profile, build_zone, parse_profile
from detector.domain.section_reading import WORDS
from detector.engine.coverage import SIGNALS, is_signal
from detector.market.session_plan import PLANS, parse_exception, parse_window


def parse_profile_text(text: str) -> Profile:
    """Return the profile of a TOML text; raises InputError with a line for each fault."""
    return parse_profile(parse_profile_tables(text))


def parse_profile_tables(text: str) -> dict[str, Any]:
    """Return the checked tables of a profile; raises InputError with a line for each fault."""
    return parse_document_text(text, ProfileDocument, {"rules": set()})[0]


def _check_day(text: str) -> None:
    try:
        date.fromisoformat(text)
    except ValueError:
        raise ValueError("is not a day such as 2026-12-25") from None


def _check_signal(name: str) -> None:
    if not is_signal(name):
        known = ", ".join(signal.name for signal in SIGNALS)
        raise ValueError(f"no signal is named {name!r} (there are: {known})")


PathNames = Annotated[list[Path], BeforeValidator(to_list)]
SignalName = Annotated[Text, build_check(_check_signal)]
SignalNames = Annotated[list[SignalName], BeforeValidator(to_list)]
Zone = Annotated[Text, build_check(build_zone)]
Window = Annotated[Text, build_check(parse_window)]
Hours = Annotated[Text, build_check(parse_exception)]
Day = Annotated[str, build_check(_check_day)]
_END_OF_TIME = datetime.max.replace(tzinfo=UTC)


def _build_fact_check(kind: str) -> AfterValidator:
    """Return a check of a fact's entry: a path, or `{ value = … }` with a value that the fact can have."""

    def check(entry: Any) -> Any:
        if isinstance(entry, str) and entry:
            build_extractor(entry)
        elif isinstance(entry, dict) and entry.keys() == {"value"} and kind != ROWS:
            reader = ValueReader(_END_OF_TIME, 0)
            reader.read_value(kind, "value", entry["value"])
            if reader.invalid:
                raise ValueError(f"value {reader.invalid[0].problem}")
        else:
            raise ValueError("is neither a path nor { value = … }")
        return entry

    return AfterValidator(check)


def _build_table(name: str, fields: Mapping[str, Any]) -> type[Table]:
    """Return a table whose keys may all be left out."""
    definitions: dict[str, Any] = {key: (kind | None, None) for key, kind in fields.items()}
    return create_model(name, __base__=Table, **definitions)


class Header(Table):
    """[profile]."""

    name: Text = "unnamed"
    zone: Zone | None = None
    numbers_as_text: bool = False


class Processes(Table):
    """[processes]: what must run."""

    expected: list[Text] | None = None


class Times(Table):
    """[time]: where a payload gives its own time."""

    as_of: PathNames | None = None


class Foreign(Table):
    """[foreign]: keys of other people."""

    keys: Names | None = None


class Identity(Table):
    """[identity]: where a payload names what it is about."""

    runtime: Path | None = None
    account: Path | None = None


class Signals(Table):
    """[signals]: golden signals that this runtime does not have."""

    off: SignalNames | None = None


class Joined(Table):
    """A second table of a store."""

    table: Text
    on: Text
    key: Text


class StoreEntry(Table):
    """A table of a store."""

    table: Text | None = None
    joined: Joined | None = None
    rows: Literal["positions", "fills", "history"] | None = None


class MarketTable(Table):
    """[market]: a session of the program's, or a zone with weekly windows."""

    session: Literal[tuple(PLANS)] | None = None  # type: ignore[valid-type]
    zone: Zone | None = None
    open: Annotated[list[Window], Field(min_length=1)] | None = None
    exceptions: dict[Day, Hours] | None = None

    @model_validator(mode="after")
    def check(self) -> Self:
        """Raise ValueError for a session beside windows, and for windows without a zone."""
        if self.session and (self.zone or self.open or self.exceptions):
            raise ValueError("session names a market; leave zone, open and exceptions out")
        if not self.session and (not self.zone or not self.open):
            raise ValueError('names neither a session nor a zone with open = ["mon-fri 09:00-15:00"]')
        return self


_STATUS = {
    HEARTBEAT_AGE: Path,
    **{name: Annotated[Any, _build_fact_check(spec["kind"])] for name, spec in STATUS_FACTS.items()},
}
_ROWS = {
    name: _build_table(
        name,
        {
            "key": Text,
            **dict.fromkeys((*get_columns(spec["row"]), *((ORDER_AGE,) if name == "orders" else ())), Path),
        },
    )
    for name, spec in STATUS_FACTS.items()
    if spec["kind"] == ROWS
}
_STORES = {
    name: _build_table(name, dict.fromkeys(get_columns(row), Names)) for name, row in ROW_TYPES.items()
}


ProfileDocument: type[Table] = _build_table(
    "ProfileDocument",
    {
        "profile": Header,
        "status": _build_table("Status", _STATUS),
        "rows": _build_table("Rows", _ROWS),
        "store_tables": _build_table("StoreTables", dict.fromkeys(ROW_TYPES, StoreEntry)),
        "stores": _build_table("Stores", _STORES),
        "market": MarketTable,
        "processes": Processes,
        "time": Times,
        "foreign": Foreign,
        "identity": Identity,
        "signals": Signals,
        "words": _build_table("words", dict.fromkeys(WORDS, Names)),
        "symbols": dict[str, Text],
        "rule": list[RuleEntry],
    },
)
"""A whole profile: its tables, each of which may be left out."""
