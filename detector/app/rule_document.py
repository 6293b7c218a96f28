"""The shape of a `[[rule]]` of a profile, and its examples, which are its fixture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from detector.app.written_document import Path, Table, Text
from detector.domain.facts import FACT_NAMES
from detector.domain.own_rule import HOURS, PLACEHOLDER, OwnRule, read_own_rule
from detector.domain.payload_path import list_key_paths
from detector.domain.section_reading import Reading
from detector.engine.catalog import load_rules
from detector.settings import DECLARED, PREFIX, Settings

NOT_SEEN = "not seen"
Seconds = Annotated[float, Field(ge=0)]


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
Key = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*$")]


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
