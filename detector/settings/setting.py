"""What a setting is, and the one list of those that were declared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from detector.settings.parsers import LARGEST, build_int_parser, parse_seconds

T = TypeVar("T")
PREFIX = "AEGIS_PT_"


class SettingsError(ValueError):
    """One or more settings cannot be used; `faults` holds one sentence each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


@dataclass(frozen=True, slots=True, eq=False)
class Setting(Generic[T]):
    """One declared setting: `parse` turns its text into a value or raises ValueError with what is wrong.

    A `source` is switched on by it: without it nothing is collected.
    """

    name: str
    default: T
    unit: str
    help: str
    parse: Callable[[str], T]
    secret: bool = False
    source: bool = False

    def __repr__(self) -> str:
        return self.name


DECLARED: dict[str, Setting[Any]] = {}


def add_setting(
    name: str, default: T, unit: str, help_: str, parse: Callable[[str], T], **flags: bool
) -> Setting[T]:
    """Declare one setting; `more` are its marks, `secret` and `source`."""
    setting = Setting(PREFIX + name, default, unit, help_, parse, **flags)
    DECLARED[setting.name] = setting
    return setting


def add_count(name: str, default: int, help_: str, minimum: int = 1, maximum: int = LARGEST) -> Setting[int]:
    """Declare a setting that is a count."""
    return add_setting(name, default, "count", help_, build_int_parser(minimum, maximum))


def add_seconds(name: str, default: int, help_: str) -> Setting[float]:
    """Declare a setting that is a time in seconds."""
    return add_setting(name, default, "seconds", help_, parse_seconds)
