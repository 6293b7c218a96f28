"""The `containers` section: what the standby host's Docker Engine lists, stopped ones included.

Shape: Docker Engine API, `GET /containers/json?all=1` (`Names` with a leading slash, `State` one word).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detector.domain.read_context import ReadContext
from detector.domain.runtime_rows import Container
from detector.domain.section_reading import Reading

SECTIONS = ("containers",)
_SHORT_ID, _LONGEST_NAME = 12, 255


def read(raw: list[Any], reading: Reading, context: ReadContext) -> None:
    """Read the containers by name and state; a list that was read and is empty says that there are none."""
    found = reading.read_objects("containers", raw, "containers") or []
    named = [_container(item, reading) for item in found]
    reading.values["containers"] = tuple(one for one in named if one is not None)


def _container(item: Mapping[str, Any], reading: Reading) -> Container | None:
    names = reading.read_value("texts", "containers.Names", item.get("Names"))
    name = _own(names) if names else str(item.get("Id") or "")[:_SHORT_ID]
    if not name:
        reading.add_fault("containers.Names", "names no container")
        reading.partial.add("containers")
        return None
    state = reading.read_value("text", "containers.State", item.get("State"))
    return Container(name, None if state is None else state.lower())


def _own(names: tuple[str, ...]) -> str:
    """Return the container's own name; one with another slash is an alias that a link gave it."""
    bare = [name.removeprefix("/") for name in names]
    return next((name for name in bare if "/" not in name), bare[0])[:_LONGEST_NAME]
