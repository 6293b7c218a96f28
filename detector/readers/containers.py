"""The `containers` section: the containers of the standby host's Docker Engine, stopped ones included.

Shape: Docker Engine API, `GET /containers/json?all=1` (`Names` with a leading slash, `State` one word).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detector.domain.profile import ReadContext
from detector.domain.section_reading import Reading
from detector.domain.shape import OBJECT, Key, Shape
from detector.domain.task_rows import Container
from detector.domain.vendor_keys import CONTAINER_CONFIG_KEYS, CONTAINER_KEYS, CONTAINER_STATE_KEYS

SECTIONS = ("containers",)
_LABELS = Shape({"com.docker.compose.project": Key("text"), "com.docker.compose.service": Key("text")})
_INSPECTED_STATE = Shape({"Status": Key("text")}, CONTAINER_STATE_KEYS, vendor=True)
_INSPECTED_CONFIG = Shape({"Labels": Key(inner=None)}, CONTAINER_CONFIG_KEYS, vendor=True)
_SHAPE = Shape(
    {
        "Id": Key("text", "name"),
        "ID": Key("text", "name"),
        "Names": Key(group="name"),
        "Name": Key("text", "name"),
        "State": Key(OBJECT, inner=_INSPECTED_STATE),
        "Labels": Key(),
        "Config": Key(OBJECT, inner=_INSPECTED_CONFIG),
        "Project": Key("text"),
        "Service": Key("text"),
    },
    CONTAINER_KEYS,
    vendor=True,
    named_by=("name",),
)


def build_shape(context: ReadContext, raw: object) -> Shape:
    """Return the known keys of one container in the list, as Docker and Podman write them."""
    return _SHAPE


_SHORT_ID, _LONGEST_NAME = 12, 255


def read(raw: list[Any], reading: Reading, context: ReadContext) -> None:
    """Read the containers by name and state; an empty list means that there are none."""
    items = reading.read_objects("containers", raw, "containers") or []
    containers = [_read_container(item, reading) for item in items]
    reading.values["containers"] = tuple(container for container in containers if container is not None)


def _read_container(item: Mapping[str, Any], reading: Reading) -> Container | None:
    names = reading.read_value("texts", "containers.Names", item.get("Names"))
    name = _choose_name(names) if names else str(item.get("Id") or "")[:_SHORT_ID]
    if not name:
        reading.add_fault("containers.Names", "names no container")
        reading.partial.add("containers")
        return None
    state = reading.read_value("text", "containers.State", item.get("State"))
    return Container(name, None if state is None else state.lower())


def _choose_name(names: tuple[str, ...]) -> str:
    """Return the container's own name; a name with a further slash is an alias from a link."""
    plain_names = [name.removeprefix("/") for name in names]
    return next((name for name in plain_names if "/" not in name), plain_names[0])[:_LONGEST_NAME]
