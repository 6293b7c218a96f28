"""The `containers` section: the containers of the standby host's Docker Engine, stopped ones included.

Shape: Docker Engine API, `GET /containers/json?all=1` (`Names` with a leading slash, `State` one word).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from detector.domain.columns import CONTAINER_STATE
from detector.domain.profile import ReadContext
from detector.domain.section_reading import Reading
from detector.domain.shape import ANY, OBJECT, Key, Need, Shape
from detector.domain.task_rows import Container, is_at_rest, remove_recreate_ids
from detector.domain.vendor_keys import CONTAINER_CONFIG_KEYS, CONTAINER_KEYS, CONTAINER_STATE_KEYS

SECTIONS = ("containers",)
_INSPECTED_STATE = Shape(
    {"Status": Key(CONTAINER_STATE, "State"), "Running": Key("flag", "State")},
    CONTAINER_STATE_KEYS,
    vendor=True,
    needs=(Need(("State",), CONTAINER_STATE),),
)
_INSPECTED_CONFIG = Shape({"Labels": Key()}, CONTAINER_CONFIG_KEYS, vendor=True)
_SHAPE = Shape(
    {
        "Id": Key("text", "id"),
        "ID": Key("text", "id"),
        "Names": Key(group="name"),
        "Name": Key("text", "name"),
        "State": Key(ANY, inner=_INSPECTED_STATE),
        "Status": Key("text", "State"),
        "Labels": Key(),
        "Config": Key(OBJECT, inner=_INSPECTED_CONFIG),
        "Project": Key("text"),
        "Service": Key("text"),
    },
    CONTAINER_KEYS,
    vendor=True,
    named_by=("name", "id"),
    needs=(Need(("name",), "texts"), Need(("name",), "text"), Need(("State",), CONTAINER_STATE, always=True)),
)


def build_shape(section: str, context: ReadContext, raw: object) -> Shape:
    """Return the known keys of one container in the list, as Docker and Podman write them."""
    return _SHAPE


_SHORT_ID, _LONGEST_NAME = 12, 255
_RUNNING_FLAGS = ("Running", "Paused", "Restarting")
_LABEL = "com.docker.compose."


def read(raw: list[Any], reading: Reading, context: ReadContext) -> None:
    """Read the containers by names and state; an empty list means that there are none."""
    items = reading.read_objects("containers", raw, "containers") or []
    containers = [_read_container(item, reading) for item in items]
    reading.values["containers"] = tuple(container for container in containers if container is not None)


def _read_container(item: Mapping[str, Any], reading: Reading) -> Container | None:
    names = _read_names(item, reading)
    name = _choose_name(names) if names else str(item.get("Id") or item.get("ID") or "")[:_SHORT_ID]
    if not name:
        reading.add_fault("containers.Names", "names no container")
        reading.partial.add("containers")
        return None
    state = _read_state(item, reading)
    if not names and state and not is_at_rest(state):
        reading.add_fault("containers.Names", f"names no container, and {name} is not at rest")
        reading.partial.add("containers")
    if is_at_rest(state) and _is_called_running(item):
        reading.add_fault("containers.State", f"is {state} and yet running")
        state = None
    aliases = tuple(dict.fromkeys(_iter_aliases(name, _read_labels(item), item)))
    return Container(name, None if state is None else state.lower(), aliases)


def _read_state(item: Mapping[str, Any], reading: Reading) -> str | None:
    """Read the state: a word, an object of `docker inspect`, or the sentence of an older `docker ps`."""
    state = item.get("State")
    if isinstance(state, dict):
        if state.get("Status") is None:
            running = reading.read_value("flag", "containers.State.Running", state.get("Running"))
            return None if running is None else "running" if running else "exited"
        text = reading.read_value(CONTAINER_STATE, "containers.State.Status", state["Status"])
    else:
        key = "Status" if state is None else "State"  # Podman's template writes the sentence as the state too
        text = reading.read_value("text", f"containers.{key}", item.get(key))
        word = None if text is None else text.partition(" ")[0]  # Up 2 hours, Exited (0) 3 days ago
        text = reading.read_value(CONTAINER_STATE, f"containers.{key}", word)
    return text or None


def _is_called_running(item: Mapping[str, Any]) -> bool:
    """Whether a flag of `docker inspect`, or the sentence of `docker ps`, shows that the container runs."""
    state = item.get("State")
    flags = [state.get(key) for key in _RUNNING_FLAGS] if isinstance(state, dict) else []
    return True in flags or str(item.get("Status") or "").lower().startswith("up ")


def _read_names(item: Mapping[str, Any], reading: Reading) -> tuple[str, ...] | None:
    """Read the names: a list of the Engine API, a text of `docker ps`, one name of `docker inspect`."""
    names = item.get("Names", item.get("Name"))
    if isinstance(names, str) and not names.startswith(("[", "{")):
        return tuple(name.strip() for name in names.split(",") if name.strip()) or None
    texts: tuple[str, ...] | None = reading.read_value("texts", "containers.Names", names)
    return texts


def _choose_name(names: tuple[str, ...]) -> str:
    """Return the container's own name; a name with a further slash is an alias from a link."""
    plain_names = [name.removeprefix("/") for name in names]
    return next((name for name in plain_names if "/" not in name), plain_names[0])[:_LONGEST_NAME]


def _read_labels(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the labels: an object, or `docker ps`'s text of pairs."""
    config = item.get("Config")
    labels = item.get("Labels") or (config.get("Labels") if isinstance(config, dict) else None)
    if isinstance(labels, str):
        pairs = (pair.partition("=") for pair in labels.split(","))
        return {key.strip(): value.strip() for key, _, value in pairs}
    return labels if isinstance(labels, dict) else {}


def _iter_aliases(name: str, labels: Mapping[str, Any], item: Mapping[str, Any]) -> Iterator[str]:
    """Yield what else Compose calls the container: its name before a recreate, and its service."""
    if (plain_name := remove_recreate_ids(name)) != name:
        yield plain_name
    service = labels.get(f"{_LABEL}service") or item.get("Service")
    project = labels.get(f"{_LABEL}project") or item.get("Project")
    if isinstance(service, str) and service:
        yield service[:_LONGEST_NAME]
        if isinstance(project, str) and project:
            yield f"{project}-{service}"[:_LONGEST_NAME]
