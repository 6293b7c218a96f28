"""What a channel is to the rest: its name, its lowest severity, and one method that tells it something."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, cast

from detector import channels
from detector.domain.condition import MessageRef
from detector.domain.rule import Severity
from detector.formats.errors import REASONS, TIMEOUT, ExternalError
from detector.formats.plugins import load_modules
from detector.settings import CA_FILE, CHANNEL_TIMEOUT_SEC, Setting, Settings

if TYPE_CHECKING:
    from detector.clients.connection import Deadline, NetworkPolicy
    from detector.render.message import Message

# Where the reasons of the edge speak of sources.
_SENTENCES = {
    TIMEOUT: f"See what keeps it from answering; {CHANNEL_TIMEOUT_SEC.name} is the time that it has."
}
_PROXIES = ("https_proxy", "all_proxy", "no_proxy")


@dataclass(frozen=True, slots=True)
class ChannelEnvironment:
    """The outside world as the door hands it over: its environment and its clock."""

    environ: Mapping[str, str]
    clock: Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """A channel's yes: to all of the message, or to the items of these delivery ids.

    `around` says that it took what stands around the items too: the sessions, and what memory starts with.
    `places` says where an item stands now, by delivery id, where the channel can edit it. `failed` is why the
    rest was not taken, `said` what went wrong beside the telling.
    """

    accepted: frozenset[str] | None = None
    extras_accepted: bool = True
    message_refs: Mapping[str, MessageRef] = field(default_factory=dict)
    error: ExternalError | None = None
    warning: str | None = None


@dataclass(frozen=True, slots=True)
class DeliveryContext:
    """One telling: by when it must be done, and who hears at once of every part that was taken.

    Each `took` says all that was taken so far; what a channel that hangs handed over stays taken.
    """

    deadline: Deadline
    on_progress: Callable[[DeliveryResult], None]


class Channel(Protocol):
    """One configured channel. `setting` is the one that leads there, `place` where that is, for people."""

    @property
    def name(self) -> str:
        """Its name in receipts: `slack`, `email:1f2e3d4c`; never an address."""

    @property
    def min_severity(self) -> Severity:
        """The lowest severity that it is told of."""

    @property
    def setting(self) -> Setting[Any]:
        """The setting that leads there."""

    @property
    def display_name(self) -> str:
        """Where it leads, for people; no secret and no address of a person."""

    def get_advice(self, reason: str) -> str:
        """Return what a person can do where it failed for that reason."""

    def load_client(self) -> None:
        """Import what it needs to speak, before any deadline begins."""

    def notify(self, message: Message, context: DeliveryContext) -> DeliveryResult:
        """Send the message and return what was taken; raises ExternalError where nothing was."""

    def render_preview(self, message: Message) -> str:
        """Return exactly what `notify` would send, as text."""


@dataclass(frozen=True, slots=True)
class Advice:
    """What a person can do about a channel's failure, in the words of edge.REASONS or in its own.

    `setting` leads to the channel, `settings` to what a reason is about; `sentences` are its own words by reason.
    """

    setting: Setting[Any]
    settings: Mapping[str, Setting[Any]]
    sentences: Mapping[str, str]

    def get(self, reason: str) -> str:
        """Return the advice on a failure of that reason."""
        sentence = self.sentences.get(reason) or _SENTENCES.get(reason) or REASONS[reason]
        return sentence.format(self.settings.get(reason, self.setting).name)


class ChannelModule(Protocol):
    """A channel's file as the walk finds it."""

    KIND: str
    OPTION: ChannelOption

    def build_channels(self, settings: Settings, environment: ChannelEnvironment) -> Iterator[Channel]:
        """Yield the channels that the settings switch on."""

    def find_conflicts(self, settings: Settings) -> Iterator[str]:
        """Yield a sentence for every two settings that contradict each other."""


@dataclass(frozen=True, slots=True)
class ChannelOption:
    """What switches a channel on: the settings that it takes, the first of them, and what it is."""

    settings: tuple[Setting[Any], ...]
    description: str


def build_network_policy(
    settings: Settings, environment: ChannelEnvironment, deadline: Deadline
) -> NetworkPolicy:
    """Return what one channel may do at the wire until then."""
    from detector.clients.connection import NetworkPolicy

    proxies = {name: text for name, text in environment.environ.items() if name.lower() in _PROXIES}
    return NetworkPolicy(deadline, settings[CA_FILE], proxies)


def is_loopback(host: str | None) -> bool:
    """Whether a host is this machine itself, to which a connection needs no encryption."""
    return host in ("localhost", "127.0.0.1", "::1")


def load_channel_modules() -> tuple[ChannelModule, ...]:
    """Return every channel's file in the order of their names."""
    return cast("tuple[ChannelModule, ...]", load_modules(channels, "KIND"))


def build_configured_channels(settings: Settings, environment: ChannelEnvironment) -> tuple[Channel, ...]:
    """Return the channels that the settings switch on."""
    return tuple(
        channel
        for module in load_channel_modules()
        for channel in module.build_channels(settings, environment)
    )


def find_channel_conflicts(settings: Settings) -> Iterator[str]:
    """Yield a sentence for every two settings that contradict each other."""
    for module in load_channel_modules():
        yield from module.find_conflicts(settings)


def list_unused_options(settings: Settings, environment: ChannelEnvironment) -> tuple[ChannelOption, ...]:
    """Return what would add a channel of a kind that there is none of."""
    return tuple(
        module.OPTION
        for module in load_channel_modules()
        if not any(module.build_channels(settings, environment))
    )
