"""With what a source is asked: its clients, built when it asks for them, its deadline and its credentials."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from detector.collectors._source import Ask
from detector.settings import (
    AWS_ACCOUNT,
    AWS_AMBIENT,
    AWS_PROFILE,
    AWS_REGION,
    BOT_STATUS_TOKEN,
    BOT_STATUS_URL,
    CA_FILE,
    COLLECT_TIMEOUT_SEC,
    SOURCE_TIMEOUT_SEC,
    STATUS_TOKEN,
    STATUS_URL,
    STATUS_USER,
    Settings,
    encode_basic_auth,
)

if TYPE_CHECKING:
    from detector.clients.aws import Aws
    from detector.clients.web import Origin, Page
    from detector.clients.wire import Reach

_PROXIES = ("https_proxy", "all_proxy", "no_proxy")


@dataclass(frozen=True, slots=True)
class World:
    """The outside world as the door hands it over: its environment and its clock.

    `logs_since` and `logs_missed` are what the previous artifact says of the logs.
    """

    environ: Mapping[str, str]
    clock: Callable[[], datetime]
    logs_since: datetime | None = None
    logs_missed: bool = False


def asked(settings: Settings, world: World) -> Ask:
    """Return what one source is asked with; its deadline begins now."""
    clients = _Clients(settings, world)
    return Ask(settings, world.clock, clients.get, clients.aws, world.logs_since, world.logs_missed)


class _Clients:
    """The clients of one source. A source that needs none, such as a file, loads no library for them."""

    def __init__(self, settings: Settings, world: World) -> None:
        self._settings = settings
        self._world = world

    @cached_property
    def _reach(self) -> Reach:
        from detector.clients.wire import Deadline, Reach

        seconds = min(self._settings[SOURCE_TIMEOUT_SEC], self._settings[COLLECT_TIMEOUT_SEC])
        proxies = {name: text for name, text in self._world.environ.items() if name.lower() in _PROXIES}
        return Reach(Deadline(seconds), self._settings[CA_FILE], proxies)

    def get(self, url: str, *given: Any, **named: Any) -> Page:
        """Read one page."""
        from detector.clients.web import Web

        web = Web(self._reach, self._world.clock, _credentials(self._settings))
        return web.get(url, *given, **named)

    def aws(self) -> Aws:
        """Return AWS as this source may read it."""
        from detector.clients.aws import Aws, Identity

        settings = self._settings
        who = Identity(
            profile=settings[AWS_PROFILE],
            ambient=settings[AWS_AMBIENT] == "1",
            region=settings[AWS_REGION],
            account=settings[AWS_ACCOUNT],
        )
        return Aws(self._reach, who)


def _credentials(settings: Settings) -> dict[Origin, str]:
    """Return the `Authorization` header of each origin that has one; it is sent there and nowhere else."""
    from detector.clients.web import origin_of

    found: dict[Origin, str] = {}
    if settings[BOT_STATUS_URL] and settings[BOT_STATUS_TOKEN]:
        found[origin_of(settings[BOT_STATUS_URL])] = f"Bearer {settings[BOT_STATUS_TOKEN]}"
    if settings[STATUS_URL] and settings[STATUS_TOKEN]:
        found[origin_of(settings[STATUS_URL])] = f"Bearer {settings[STATUS_TOKEN]}"
    elif settings[STATUS_URL] and settings[STATUS_USER]:
        found[origin_of(settings[STATUS_URL])] = f"Basic {encode_basic_auth(settings)}"
    return found
