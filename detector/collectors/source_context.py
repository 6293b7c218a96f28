"""With what a source is asked: its clients, built when it asks for them, its deadline and its credentials."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from detector.collectors.collector import SourceContext
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
    from detector.clients.connection import NetworkPolicy
    from detector.clients.http_client import Origin, Page

_PROXIES = ("https_proxy", "all_proxy", "no_proxy")


@dataclass(frozen=True, slots=True)
class SourceEnvironment:
    """The outside world as the door hands it over: its environment and its clock.

    `logs_since` and `logs_missed` are what the previous artifact says of the logs.
    """

    environ: Mapping[str, str]
    clock: Callable[[], datetime]
    logs_since: datetime | None = None
    logs_missed: bool = False


def build_source_context(settings: Settings, environment: SourceEnvironment) -> SourceContext:
    """Return what one source is asked with; its deadline begins now."""
    clients = _Clients(settings, environment)
    return SourceContext(
        settings,
        environment.clock,
        clients.get,
        clients.open_aws,
        environment.logs_since,
        environment.logs_missed,
    )


class _Clients:
    """The clients of one source. A source that needs none, such as a file, loads no library for them."""

    def __init__(self, settings: Settings, environment: SourceEnvironment) -> None:
        self._settings = settings
        self._environment = environment

    @cached_property
    def _network(self) -> NetworkPolicy:
        from detector.clients.connection import Deadline, NetworkPolicy

        seconds = min(self._settings[SOURCE_TIMEOUT_SEC], self._settings[COLLECT_TIMEOUT_SEC])
        proxies = {name: text for name, text in self._environment.environ.items() if name.lower() in _PROXIES}
        return NetworkPolicy(Deadline(seconds), self._settings[CA_FILE], proxies)

    def get(self, url: str, *args: Any, **kwargs: Any) -> Page:
        """Read one page."""
        from detector.clients.http_client import HttpClient

        client = HttpClient(self._network, self._environment.clock, _build_credentials(self._settings))
        return client.get(url, *args, **kwargs)

    def open_aws(self) -> Aws:
        """Return AWS as this source may read it."""
        from detector.clients.aws import Aws, AwsIdentity

        settings = self._settings
        identity = AwsIdentity(
            profile=settings[AWS_PROFILE],
            ambient=settings[AWS_AMBIENT] == "1",
            region=settings[AWS_REGION],
            account=settings[AWS_ACCOUNT],
        )
        return Aws(self._network, identity)


def _build_credentials(settings: Settings) -> dict[Origin, str]:
    """Return the `Authorization` header of each origin that has one; it is sent there and nowhere else."""
    from detector.clients.http_client import parse_origin

    credentials: dict[Origin, str] = {}
    if settings[BOT_STATUS_URL] and settings[BOT_STATUS_TOKEN]:
        credentials[parse_origin(settings[BOT_STATUS_URL])] = f"Bearer {settings[BOT_STATUS_TOKEN]}"
    if settings[STATUS_URL] and settings[STATUS_TOKEN]:
        credentials[parse_origin(settings[STATUS_URL])] = f"Bearer {settings[STATUS_TOKEN]}"
    elif settings[STATUS_URL] and settings[STATUS_USER]:
        credentials[parse_origin(settings[STATUS_URL])] = f"Basic {encode_basic_auth(settings)}"
    return credentials
