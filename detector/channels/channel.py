"""The interface of a channel, the channels that exist (found by their files), and the delivery to all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, cast

from msgspec import Struct, field
from msgspec.structs import replace

from detector import channels
from detector.clients.fan_out import ParallelRun
from detector.domain.condition import MessageRef
from detector.engine.catalog import load_modules
from detector.formats.errors import NO_ANSWER, REASONS, REJECTED, TIMEOUT, ExternalError
from detector.settings import CHANNEL_TIMEOUT_SEC, Rung, Setting, Settings

if TYPE_CHECKING:
    from detector.clients.connection import Deadline, NetworkPolicy
    from detector.render.message import Message

# In place of sentences in errors.REASONS that are about sources.
_SENTENCES = {
    TIMEOUT: f"See what keeps it from answering; {CHANNEL_TIMEOUT_SEC.name} is the time that it has."
}


class ChannelEnvironment(Struct, frozen=True):
    """The process's environment and clock."""

    environ: Mapping[str, str]
    clock: Callable[[], datetime]


class DeliveryResult(Struct, frozen=True):
    """What a channel accepted: the whole message (`accepted` is None), or the items with these delivery ids.

    `extras_accepted` covers the parts beside the items: the sessions, and the notes on memory. `message_refs`
    has, by delivery id, the messages that the channel can edit later. `error` is why the rest was not
    accepted, `warning` describes a failure that loses no item.
    """

    accepted: frozenset[str] | None = None
    extras_accepted: bool = True
    message_refs: Mapping[str, MessageRef] = field(default_factory=dict)
    error: ExternalError | None = None
    warning: str | None = None


class DeliveryContext(Struct, frozen=True):
    """The deadline of one delivery, and the callback for partial results.

    Each call of `on_progress` has everything accepted so far, which counts even if the channel hangs later.
    """

    deadline: Deadline
    on_progress: Callable[[DeliveryResult], None]


def send_parts(
    parts: Sequence[Message], send: Callable[[Message], MessageRef | None], context: DeliveryContext
) -> DeliveryResult:
    """Send the parts of a message in order; return what was accepted until one failed.

    `send` returns the place of a part where the channel can find it again, else None.
    Raises ExternalError where the first part was not accepted.
    """
    accepted: set[str] = set()
    refs: dict[str, MessageRef] = {}
    for part in parts:
        try:
            ref = send(part)
        except ExternalError as error:
            if not accepted:
                raise
            return DeliveryResult(frozenset(accepted), message_refs=refs, error=error)
        delivery_ids = {part.delivery_id, *(item.delivery_id for item in part.items)}
        accepted |= delivery_ids
        refs |= dict.fromkeys(delivery_ids, ref) if ref is not None else {}
        context.on_progress(DeliveryResult(frozenset(accepted), message_refs=dict(refs)))
    return DeliveryResult(message_refs=refs)


class Channel(Protocol):
    """One configured channel."""

    @property
    def name(self) -> str:
        """Its name in receipts: `slack`, `email:1f2e3d4c`; never an address."""

    @property
    def rung(self) -> Rung:
        """What it receives, and after how long without an acknowledgement."""

    @property
    def setting(self) -> Setting[Any]:
        """The setting that switches it on."""

    @property
    def display_name(self) -> str:
        """Its destination for people, without any secret or address of a person."""

    def get_advice(self, reason: str) -> str:
        """Return what a person can do about a failure with that reason."""

    def load_client(self) -> None:
        """Import its client, before any deadline begins."""

    def notify(self, message: Message, context: DeliveryContext) -> DeliveryResult:
        """Send the message and return what was accepted; raises ExternalError where nothing was."""

    def render_preview(self, message: Message) -> str:
        """Return exactly what `notify` would send, as text."""


class Advice(Struct, frozen=True):
    """What a person can do about a channel's failure: its own sentence for a reason, or errors.REASONS.

    `settings` has the setting that a reason is about, `setting` is that of all other reasons.
    """

    setting: Setting[Any]
    settings: Mapping[str, Setting[Any]]
    sentences: Mapping[str, str]

    def get(self, reason: str) -> str:
        """Return the advice for a failure with that reason."""
        sentence = self.sentences.get(reason) or _SENTENCES.get(reason) or REASONS[reason]
        return sentence.format(self.settings.get(reason, self.setting).name)


class ConfiguredChannel:
    """The common part of all channels: what the settings say of one."""

    setting: ClassVar[Setting[Any]]
    rung_setting: ClassVar[Setting[Rung]]
    advice: ClassVar[Advice]

    def __init__(self, settings: Settings, environment: ChannelEnvironment) -> None:
        self.settings = settings
        self.environment = environment

    @property
    def rung(self) -> Rung:
        """What it receives."""
        return self.settings[self.rung_setting]

    def get_advice(self, reason: str) -> str:
        """Return what a person can do about a failure with that reason."""
        return self.advice.get(reason)

    def build_network(self, deadline: Deadline) -> NetworkPolicy:
        """Return the network of what ends at the deadline."""
        from detector.clients.connection import build_network_policy

        return build_network_policy(self.settings, self.environment.environ, deadline)


class ChannelModule(Protocol):
    """The module of a channel."""

    KIND: str
    OPTION: ChannelOption

    def build_channels(self, settings: Settings, environment: ChannelEnvironment) -> Iterator[Channel]:
        """Yield the channels that the settings switch on."""

    def find_conflicts(self, settings: Settings) -> Iterator[str]:
        """Yield a sentence for every two settings that contradict each other."""


class ChannelOption(Struct, frozen=True):
    """How to switch a channel on: the settings that it needs, and its description."""

    settings: tuple[Setting[Any], ...]
    description: str


def load_channel_modules() -> tuple[ChannelModule, ...]:
    """Return the module of every channel, ordered by name."""
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
    """Return the options of those channel modules that have no configured channel."""
    return tuple(
        module.OPTION
        for module in load_channel_modules()
        if not any(module.build_channels(settings, environment))
    )


class ChannelOutcome(Struct, frozen=True):
    """How the delivery to one channel ended: with what it accepted, or with an error."""

    channel: Channel
    result: DeliveryResult | None = None
    error: ExternalError | None = None

    @property
    def failure(self) -> ExternalError | None:
        """Why it did not accept its whole message, or None where it did."""
        return self.error or (self.result.error if self.result is not None else None)


def deliver_all(messages: Mapping[Channel, Message], seconds: float) -> Iterator[ChannelOutcome]:
    """Yield the outcome of each channel as it ends, then of those that did not; raises nothing.

    All channels have the same number of seconds, which begin once every client is loaded. One that does not
    end by then keeps what it delivered; a later success is no receipt.
    """
    from detector.clients.connection import Deadline

    for channel in messages:
        with suppress(Exception):  # it is raised again, and becomes data, in notify()
            channel.load_client()
    deadline = Deadline(seconds)
    progress: dict[str, DeliveryResult] = {}
    by_name = {channel.name: channel for channel in messages}
    tasks = {
        channel.name: partial(_deliver, channel, message, deadline, progress)
        for channel, message in messages.items()
    }
    for name, outcome in ParallelRun(tasks, deadline.get_remaining):
        late = ExternalError(f"no yes within {seconds:g} s", reason=NO_ANSWER)
        yield _add_progress(outcome or ChannelOutcome(by_name[name], error=late), progress.get(name))


def _add_progress(outcome: ChannelOutcome, progress: DeliveryResult | None) -> ChannelOutcome:
    """Return the outcome; where it has no result, with what the channel accepted before."""
    return outcome if progress is None or outcome.result is not None else replace(outcome, result=progress)


def _deliver(
    channel: Channel, message: Message, deadline: Deadline, progress: dict[str, DeliveryResult]
) -> ChannelOutcome:
    """Deliver one message; what the channel accepted so far stands in `progress` by its name meanwhile."""
    context = DeliveryContext(deadline, partial(progress.__setitem__, channel.name))
    try:
        return ChannelOutcome(channel, channel.notify(message, context))
    except ExternalError as error:
        return ChannelOutcome(channel, error=error)
    except Exception as error:  # noqa: BLE001 - a broken channel becomes data
        return ChannelOutcome(channel, error=describe_broken(error))


def describe_broken(error: Exception) -> ExternalError:
    """Return what a channel's own defect is to all others."""
    return ExternalError(f"the channel itself failed ({type(error).__name__})", reason=REJECTED)
