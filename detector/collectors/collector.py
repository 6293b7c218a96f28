"""The interface of a collector, and the collectors that exist: found by their files, never listed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import urlsplit

from msgspec import Struct

from detector import collectors
from detector.engine.catalog import load_modules
from detector.settings import SECTIONS_FROM, SOURCES_OFF, Setting, Settings

if TYPE_CHECKING:
    from detector.clients.aws import Aws
    from detector.clients.connection import Connection, NetworkPolicy
    from detector.clients.http_client import Page
    from detector.clients.process import ProcessResult


class GetPage(Protocol):
    """Reads one page over HTTP within the source's deadline; raises ExternalError."""

    def __call__(
        self,
        url: str,
        should_keep: Callable[[Page], bool] = ...,
        socket_path: str | None = ...,
        headers: Mapping[str, str] = ...,
    ) -> Page: ...


class OpenConnection(Protocol):
    """Opens a TCP connection within the source's deadline, or within `seconds`; raises ExternalError."""

    def __call__(self, host: str, port: int, seconds: float = ...) -> Connection: ...


class RunTool(Protocol):
    """Runs a tool of this machine in the C locale and UTC; raises ExternalError where it cannot start."""

    def __call__(self, *command: str) -> ProcessResult: ...


class SourceContext(Struct, frozen=True):
    """What a source is read with: the settings, its clients, the clock, and the start of the log window.

    `logs_since` is the time of the last evaluation that read the logs, None where there was none.
    `logs_missed` is true where an earlier evaluation could not read them, at an unknown time.
    """

    settings: Settings
    clock: Callable[[], datetime]
    get_page: GetPage
    open_aws: Callable[[], Aws]
    open_network: Callable[[], NetworkPolicy]
    open_connection: OpenConnection
    run_tool: RunTool
    environ: Mapping[str, str]
    logs_since: datetime | None = None
    logs_missed: bool = False


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
