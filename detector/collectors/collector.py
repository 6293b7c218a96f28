"""The interface of a collector, and the collectors that exist: found by their files, never listed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import urlsplit

from msgspec import Struct
from msgspec.structs import replace

from detector import collectors
from detector.engine.catalog import load_modules
from detector.settings import (
    AWS_ACCOUNT,
    AWS_AMBIENT,
    AWS_PROFILE,
    AWS_REGION,
    BOT_STATUS_TOKEN,
    BOT_STATUS_URL,
    COLLECT_TIMEOUT_SEC,
    SECTIONS_FROM,
    SOURCE_TIMEOUT_SEC,
    SOURCES_OFF,
    STATUS_TOKEN,
    STATUS_URL,
    STATUS_USER,
    Setting,
    Settings,
    encode_basic_auth,
)

if TYPE_CHECKING:
    from detector.clients.aws import Aws
    from detector.clients.connection import Connection, NetworkPolicy
    from detector.clients.http_client import Origin, Page
    from detector.clients.process import ProcessResult

_TOOL_FOLDERS = ("/usr/bin", "/bin", "/usr/sbin", "/sbin")


class SourceContext(Struct, frozen=True, dict=True):
    """What a source is read with: the settings, the environment, the clock, and its clients.

    A client is created when it is used: a file source loads no library for it. The deadline is the same for
    all connections of the source, and begins at the first. `logs_since` is the time of the last evaluation
    that read the logs, None where there was none; `logs_missed` is true where an earlier evaluation could not
    read them, at an unknown time.
    """

    settings: Settings
    environ: Mapping[str, str]
    clock: Callable[[], datetime]
    logs_since: datetime | None = None
    logs_missed: bool = False

    @cached_property
    def network(self) -> NetworkPolicy:
        """How this source may connect."""
        from detector.clients.connection import Deadline, build_network_policy

        seconds = min(self.settings[SOURCE_TIMEOUT_SEC], self.settings[COLLECT_TIMEOUT_SEC])
        return build_network_policy(self.settings, self.environ, Deadline(seconds))

    def get_page(self, url: str, *args: Any, **options: Any) -> Page:
        """Read one page over HTTP, with the options of `HttpClient.get`; raises ExternalError."""
        from detector.clients.http_client import HttpClient

        return HttpClient(self.network, self.clock, _build_credentials(self.settings)).get(
            url, *args, **options
        )

    def open_connection(self, host: str, port: int, seconds: float = math.inf) -> Connection:
        """Open a TCP connection within the source's deadline, or `seconds`; raises ExternalError."""
        from detector.clients.connection import Deadline

        deadline = Deadline(min(seconds, self.network.deadline.get_remaining()))
        return replace(self.network, deadline=deadline).open_connection(host, port)

    def run_tool(self, *command: str) -> ProcessResult:
        """Run a tool of this machine in the C locale and UTC; raises ExternalError where it cannot start.

        launchd and cron have a PATH without the folders of such tools.
        """
        from detector.clients.process import run_program

        folders = [self.environ.get("PATH", ""), *_TOOL_FOLDERS]
        environ = {**self.environ, "PATH": ":".join(filter(None, folders))}
        seconds = max(0.1, self.network.deadline.get_remaining())
        return run_program(command, Path("/"), environ, seconds, LC_ALL="C", LANG="C", TZ="UTC")

    def open_aws(self) -> Aws:
        """Return the AWS client of this source."""
        from detector.clients.aws import Aws, AwsIdentity

        settings = self.settings
        identity = AwsIdentity(
            profile=settings[AWS_PROFILE],
            ambient=settings[AWS_AMBIENT] == "1",
            region=settings[AWS_REGION],
            account=settings[AWS_ACCOUNT],
        )
        return Aws(self.network, identity)


def _build_credentials(settings: Settings) -> dict[Origin, str]:
    """Return the `Authorization` header of each origin that has one; it is sent to that origin only."""
    from detector.clients.http_client import parse_origin

    credentials: dict[Origin, str] = {}
    if settings[BOT_STATUS_URL] and settings[BOT_STATUS_TOKEN]:
        credentials[parse_origin(settings[BOT_STATUS_URL])] = f"Bearer {settings[BOT_STATUS_TOKEN]}"
    if settings[STATUS_URL] and settings[STATUS_TOKEN]:
        credentials[parse_origin(settings[STATUS_URL])] = f"Bearer {settings[STATUS_TOKEN]}"
    elif settings[STATUS_URL] and settings[STATUS_USER]:
        credentials[parse_origin(settings[STATUS_URL])] = f"Basic {encode_basic_auth(settings)}"
    return credentials


class Answer(Struct, frozen=True):
    """The response of a source: its section, and a note where it is incomplete.

    `as_of` is when its content was true, None where the source names no time; a time within the section
    itself precedes it.
    """

    section: Any
    as_of: datetime | None
    note: str | None = None


class ConfiguredSource(Struct, frozen=True):
    """One configured source: its section `name`, the setting and the location that it is read from.

    `host` is the setting that determines the host, where that is another one.
    """

    name: str
    setting: Setting[Any]
    location: str
    read: Callable[[SourceContext], Answer]
    host: Setting[Any] | None = None


class SourceOption(Struct, frozen=True):
    """A section that a collector can fill: the settings that it needs, and what it would add.

    The first of `settings` switches it on.
    """

    section: str
    settings: tuple[Setting[Any], ...]
    description: str


class Collector(Protocol):
    """The module of a collector."""

    OPTIONS: tuple[SourceOption, ...]

    def build_sources(self, settings: Settings) -> Iterator[ConfiguredSource]:
        """Yield the sources that the settings switch on."""


def list_collectors() -> tuple[Collector, ...]:
    """Return the module of every collector, ordered by name."""
    return cast("tuple[Collector, ...]", load_modules(collectors, "OPTIONS"))


def list_configured_sources(settings: Settings) -> tuple[ConfiguredSource, ...]:
    """Return the sources that the settings switch on, without those in AEGIS_PT_SOURCES_OFF."""
    off = settings[SOURCES_OFF]
    return tuple(source for source in _iter_sources(settings) if source.name not in off)


def _iter_sources(settings: Settings) -> Iterator[ConfiguredSource]:
    for collector in list_collectors():
        yield from collector.build_sources(settings)


def find_source_conflicts(settings: Settings) -> Iterator[str]:
    """Yield a sentence for each pair of settings that contradict each other."""
    for collector in list_collectors():
        yield from getattr(collector, "find_conflicts", lambda _: ())(settings)
    first_by_section: dict[str, ConfiguredSource] = {}
    for source in _iter_sources(settings):
        first_source = first_by_section.setdefault(source.name, source)
        if first_source is not source:
            both = " and ".join(dict.fromkeys((first_source.setting.name, source.setting.name)))
            yield f"{both}: section {source.name} is to be read from two places; leave one out"


def list_unused_source_options(settings: Settings) -> tuple[SourceOption, ...]:
    """Return the options for sections that no source fills; a collector's own setting precedes a file."""
    off: tuple[str, ...] = settings[SOURCES_OFF]
    filled = {*(source.name for source in _iter_sources(settings)), *off}
    options = [
        option
        for collector in list_collectors()
        for option in collector.OPTIONS
        if option.section not in filled
    ]
    own = {option.section for option in options if option.settings != (SECTIONS_FROM,)}
    return tuple(
        option for option in options if option.settings != (SECTIONS_FROM,) or option.section not in own
    )


def strip_query(url: str) -> str:
    """Return an address for people: without its query, which may hold a token."""
    return url.partition("?")[0].partition("#")[0]


def format_origin(url: str) -> str:
    """Return scheme, host and port of an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def filter_keys(item: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    """Return the named keys of an object; nothing else is collected, so that it cannot leak."""
    return {key: item[key] for key in keys if key in item}
