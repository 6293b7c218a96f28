"""The standby host's containers, from its Docker Engine API: one GET, over TCP or a unix socket.

Shape: Docker Engine API, `GET /containers/json?all=1`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from detector.collectors._payload import parse_section
from detector.collectors.collector import (
    Answer,
    ConfiguredSource,
    SourceContext,
    SourceOption,
    filter_keys,
    strip_query,
)
from detector.formats.errors import UNREADABLE, ExternalError
from detector.settings import STANDBY_DOCKER_URL, Settings

OPTIONS = (
    SourceOption(
        "containers", (STANDBY_DOCKER_URL,), "the standby guard: no container of the standby host may run"
    ),
)
_LIST_PATH = "/containers/json?all=1"
# Other labels, mounts, networks and commands are left out: they may hold secrets, and no rule needs them.
_KEPT_KEYS = ("Id", "Names", "Image", "State", "Status", "Created")
_KEPT_LABELS = ("com.docker.compose.project", "com.docker.compose.service")


def build_sources(settings: Settings) -> Iterator[ConfiguredSource]:
    """Yield the standby host, where its Docker URL is set."""
    if settings[STANDBY_DOCKER_URL]:
        yield ConfiguredSource(
            "containers", STANDBY_DOCKER_URL, strip_query(settings[STANDBY_DOCKER_URL]), _read_containers
        )


def _read_containers(context: SourceContext) -> Answer:
    url = context.settings[STANDBY_DOCKER_URL].rstrip("/")
    scheme, _, rest = url.partition("://")
    if scheme == "unix":
        page = context.get_page(f"http://docker{_LIST_PATH}", socket_path=rest)
    else:
        page = context.get_page(f"{'http' if scheme == 'tcp' else scheme}://{rest}{_LIST_PATH}")
    items = parse_section(page.body, "containers", page.headers.get("content-type", ""))
    return Answer([_filter_container(item) for item in items], context.clock())


def _filter_container(item: Any) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise ExternalError("its list has an entry that is no container", reason=UNREADABLE)
    labels = item.get("Labels")
    kept = filter_keys(labels, _KEPT_LABELS) if isinstance(labels, dict) else {}
    return {**filter_keys(item, _KEPT_KEYS), **({"Labels": kept} if kept else {})}
