"""Patterns that are compiled at their first use: most runs use few of the hundreds that the rooms declare."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, AnyStr, cast


class _LazyPattern:
    """Stands for a compiled pattern; its attributes become its own once it is compiled."""

    def __init__(self, text: Any, flags: int) -> None:
        self._source = text, flags
        self.pattern = text

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what a copy asks for before the pattern has its parts
            raise AttributeError(name)
        value = getattr(re.compile(*self._source), name)
        setattr(self, name, value)
        return value


def build_pattern(text: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """Return a pattern with the methods of a compiled one; an invalid text is raised at the first use."""
    return cast("re.Pattern[AnyStr]", _LazyPattern(text, flags))


def has_any(texts: Iterable[str], body: str) -> bool:
    """Whether the body contains one of the texts; much cheaper than a pattern."""
    for text in texts:  # noqa: SIM110 - any() of a generator costs twice as much, for each of 100,000 lines
        if text in body:
            return True
    return False
