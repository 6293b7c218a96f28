"""The standby host's containers, from its Docker Engine API: one GET, over TCP or a unix socket.

Shape: Docker Engine API, `GET /containers/json?all=1`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from detector.collectors._payload import section_of
from detector.collectors._source import Answer, Ask, Offer, Source, picked, shown
from detector.formats.edge_error import UNREADABLE, EdgeError
from detector.settings import STANDBY_DOCKER_URL, Settings

OFFERS = (
    Offer("containers", (STANDBY_DOCKER_URL,), "the standby guard: no container of the standby host may run"),
)
_LIST = "/containers/json?all=1"
# Labels, mounts, networks and commands stay where they are: they may hold secrets, and nothing judges them.
_KEPT = ("Id", "Names", "Image", "State", "Status", "Created")


def sources(settings: Settings) -> Iterator[Source]:
    """Yield the standby host, where its Docker is named."""
    if settings[STANDBY_DOCKER_URL]:
        yield Source("containers", STANDBY_DOCKER_URL, shown(settings[STANDBY_DOCKER_URL]), _read)


def _read(ask: Ask) -> Answer:
    url = ask.settings[STANDBY_DOCKER_URL].rstrip("/")
    scheme, _, rest = url.partition("://")
    if scheme == "unix":
        page = ask.get(f"http://docker{_LIST}", socket_path=rest)
    else:
        page = ask.get(f"{'http' if scheme == 'tcp' else scheme}://{rest}{_LIST}")
    found = section_of(page.body, "containers", page.headers.get("content-type", ""))
    return Answer([_kept(item) for item in found], ask.clock())


def _kept(item: Any) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise EdgeError("its list has an entry that is no container", reason=UNREADABLE)
    return picked(item, _KEPT)
