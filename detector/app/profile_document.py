"""The shape of a profile and its rules as people write them; facts, columns and signals are the program's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, create_model, model_validator

from detector.app.toml_document import Names, Path, Table, Text, build_check, parse_document_text, to_list
from detector.domain.coercion import ValueReader
from detector.domain.columns import ROWS, get_columns
from detector.domain.facts import FACT_NAMES, STATUS_FACTS
from detector.domain.own_rule import HOURS, PLACEHOLDER, OwnRule, read_own_rule
from detector.domain.payload_path import build_extractor, list_key_paths
from detector.domain.profile import HEARTBEAT_AGE, ORDER_AGE, ROW_TYPES, Profile, build_zone, parse_profile
from detector.domain.section_reading import WORDS, Reading
from detector.engine.catalog import load_rules
from detector.engine.coverage import SIGNALS, is_signal
from detector.market.session_plan import PLANS, parse_exception, parse_window
from detector.settings import DECLARED, PREFIX, Settings

NOT_SEEN = "not seen"
Seconds = Annotated[float, Field(ge=0)]
Key = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$")]
PathNames = Annotated[list[Path], BeforeValidator(to_list)]
Zone = Annotated[Text, build_check(build_zone)]
Window = Annotated[Text, build_check(parse_window)]
Hours = Annotated[Text, build_check(parse_exception)]
_END_OF_TIME = datetime.max.replace(tzinfo=UTC)


def _check_name(name: str, info: ValidationInfo) -> str:
    names: set[str] = (info.context or {})["rules"]
    taken = {*FACT_NAMES, *(rule.name for rule in load_rules())}
    if name in names | taken:
        raise ValueError(f"{name} is the name of {'a fact or an event' if name in taken else 'another rule'}")
    names.add(name)
    return name


def _check_setting(name: str) -> str:
    if name in DECLARED:
        raise ValueError(f"{name} is a setting of this program")
    return name


def _check_hours(name: str) -> str:
    if name not in HOURS:
        raise ValueError(f"must be one of {', '.join(HOURS)}")
    return name


def _check_outcome(value: Any) -> Any:
    if not isinstance(value, bool) and value != NOT_SEEN:
        raise ValueError(f'must be true, false or "{NOT_SEEN}"')
    return value


RuleName = Annotated[Text, Field(pattern=r"^[a-z][a-z0-9_]{2,60}$"), AfterValidator(_check_name)]


class LimitEntry(Table):
    """A limit of a rule: the setting that changes it, and its value where nobody does."""

    setting: Annotated[Text, Field(pattern=f"^{PREFIX}[A-Z0-9_]+$"), AfterValidator(_check_setting)]
    default: float


class ExampleEntry(Table):
    """A payload, and what the rule must say of it."""

    payload: dict[str, Any]
    fires: Annotated[Any, AfterValidator(_check_outcome)]


class RuleEntry(Table):
    """One `[[rule]]`."""

    name: RuleName
    sees: Annotated[dict[Key, Path], Field(min_length=1)]
    fires: Path
    severity: Literal["warning", "critical"]
    summary: Text
    runbook: Text
    kind: Literal["state", "occurrence"] = "state"
    during: Annotated[Text, AfterValidator(_check_hours)] = "always"
    lasts_sec: Seconds | None = None
    escalates_sec: Seconds | None = None
    confirm: bool = False
    money: bool = False
    subject: Path | None = None
    limits: Annotated[dict[Key, LimitEntry], Field(default_factory=dict)]
    example: Annotated[list[ExampleEntry], Field(default_factory=list)]

    @model_validator(mode="after")
    def check(self) -> Self:
        """Raise ValueError for a name in `fires`, `subject` or `summary` that the rule does not see."""
        known = self.sees.keys() | self.limits.keys()
        if self.sees.keys() & self.limits.keys():
            raise ValueError("sees and limits share a name")
        for key, path in (("fires", self.fires), ("subject", self.subject or "")):
            for name in [keys[0] for keys in list_key_paths(path)] if path else []:
                if name not in known:
                    raise ValueError(f"{key} names {name}, which is neither in sees nor in limits")
        for name in PLACEHOLDER.findall(self.summary):
            if name not in known:
                raise ValueError(f"summary names {{{name}}}, which is neither in sees nor in limits")
        return self


def find_broken_examples(
    rules: tuple[OwnRule, ...], tables: list[Mapping[str, Any]], settings: Settings
) -> Iterator[str]:
    """Yield a sentence for each example that does not go as it says, and for each rule that lacks one."""
    for rule, table in zip(rules, tables, strict=True):
        examples = table.get("example", [])
        for number, example in enumerate(examples, 1):
            actual, expected = judge_example(rule, example["payload"], settings), example["fires"]
            if actual != expected:
                difference = f"{_format(actual)}, not {_format(expected)}"
                yield f"[[rule]] {rule.name}: example {number} gives {difference}"
        missing = {True, False} - {example["fires"] for example in examples}
        for outcome in sorted(missing, reverse=True):
            yield f"[[rule]] {rule.name}: has no [[rule.example]] with fires = {str(outcome).lower()}"


def _format(outcome: bool | str) -> str:
    return str(outcome).lower() if isinstance(outcome, bool) else f'"{outcome}"'


def judge_example(rule: OwnRule, payload: Mapping[str, Any], settings: Settings) -> bool | str:
    """Return whether the rule fires on a payload, "not seen", or the fault."""
    reading = Reading("example", datetime.max.replace(tzinfo=UTC), 0)
    read_own_rule(rule, payload, reading, settings)
    if reading.invalid:
        return reading.invalid[0].problem
    sight = reading.values.get(rule.name)
    return NOT_SEEN if sight is None else sight.fires


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


SignalName = Annotated[Text, build_check(_check_signal)]
SignalNames = Annotated[list[SignalName], BeforeValidator(to_list)]
Day = Annotated[str, build_check(_check_day)]


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


class Joined(Table):
    """A second table of a store."""

    table: Text
    on: Text
    key: Text


class MarketTable(Table):
    """[market]: a session of the program's, or a zone with weekly windows."""

    session: Literal[tuple(PLANS)] | None = None  # type: ignore[valid-type]  # made of a table
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
_STORE = _build_table(
    "StoreEntry", {"table": Text, "joined": Joined, "rows": Literal["positions", "fills", "history"]}
)
_STORES = {
    name: _build_table(name, dict.fromkeys(get_columns(row), Names)) for name, row in ROW_TYPES.items()
}


ProfileDocument: type[Table] = _build_table(
    "ProfileDocument",
    {
        "profile": Header,
        "status": _build_table("Status", _STATUS),
        "rows": _build_table("Rows", _ROWS),
        "store_tables": _build_table("StoreTables", dict.fromkeys(ROW_TYPES, _STORE)),
        "stores": _build_table("Stores", _STORES),
        "market": MarketTable,
        "processes": _build_table("Processes", {"expected": list[Text]}),
        "time": _build_table("Times", {"as_of": PathNames}),
        "foreign": _build_table("Foreign", {"keys": Names}),
        "identity": _build_table("Identity", {"runtime": Path, "account": Path}),
        "signals": _build_table("Signals", {"off": SignalNames}),
        "words": _build_table("words", dict.fromkeys(WORDS, Names)),
        "symbols": dict[str, Text],
        "rule": list[RuleEntry],
    },
)
"""A whole profile: its tables, each of which may be left out."""
