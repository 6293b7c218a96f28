"""Patterns that are compiled at their first use: most runs use few of the hundreds that the rooms declare."""

from __future__ import annotations

import re
from typing import Any, AnyStr, cast


class _LazyPattern:
    """Stands for a compiled pattern; its attributes become its own once it is compiled."""

    def __init__(self, text: Any, flags: int) -> None:
        self._source = text, flags

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what a copy asks for before the pattern has its parts
            raise AttributeError(name)
        value = getattr(re.compile(*self._source), name)
        setattr(self, name, value)
        return value


def build_pattern(text: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """Return a pattern with the methods of a compiled one; an invalid text is raised at the first use."""
    return cast("re.Pattern[AnyStr]", _LazyPattern(text, flags))
