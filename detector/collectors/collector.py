"""What a collector's file offers, what it is asked with, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from detector.settings import Setting, Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from detector.clients.aws import Aws
    from detector.clients.http_client import Page


class GetPage(Protocol):
    """Reads one page over HTTP within the source's deadline; raises EdgeError."""

    def __call__(
        self, url: str, should_keep: Callable[[Page], bool] = ..., socket_path: str | None = ...
    ) -> Page: ...


@dataclass(frozen=True, slots=True)
class SourceContext:
    """With what a source is asked: the settings, its clients, the clock, and since when lines are wanted.

    `logs_since` is the time of the last evaluation that saw the logs, None where there was none.
    `logs_missed` says that an earlier one asked for them in vain, so that nothing is known of when.
    """

    settings: Settings
    clock: Callable[[], datetime]
    get_page: GetPage
    open_aws: Callable[[], Aws]
    logs_since: datetime | None = None
    logs_missed: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What a source answered: its section, when that was true, and a note where it is not the whole."""

    section: Any
    as_of: datetime
    note: str | None = None


@dataclass(frozen=True, slots=True)
class ConfiguredSource:
    """One configured source: the section that it fills, the setting and the place that it is read from.

    `host` is the setting that decides which host is asked, where that is another one.
    """

    name: str
    setting: Setting[Any]
    location: str
    read: Callable[[SourceContext], Answer]
    host: Setting[Any] | None = None


@dataclass(frozen=True, slots=True)
class SourceOption:
    """A section that a collector can fill: the settings that it takes, and what it would add.

    The first of `settings` switches it on.
    """

    section: str
    settings: tuple[Setting[Any], ...]
    description: str


class Collector(Protocol):
    """A collector's file as the walk finds it."""

    OPTIONS: tuple[SourceOption, ...]

    def build_sources(self, settings: Settings) -> Iterator[ConfiguredSource]:
        """Yield the sources that the settings switch on."""


def strip_query(url: str) -> str:
    """Return an address for people: without its query, which may hold a token."""
    return url.partition("?")[0].partition("#")[0]


def format_origin(url: str) -> str:
    """Return scheme, host and port of an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def filter_keys(item: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    """Return the named keys of an object; what nobody judges is not collected, and cannot leak."""
    return {key: item[key] for key in keys if key in item}
