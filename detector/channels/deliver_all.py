"""Delivers the messages of all channels in parallel, until one deadline: no channel waits for another.

A channel that does not end by the deadline keeps what it delivered until then; a later success is no receipt.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from detector.channels.channel import Channel, DeliveryContext, DeliveryResult
from detector.clients.fan_out import ParallelRun
from detector.formats.errors import NO_ANSWER, REJECTED, ExternalError

if TYPE_CHECKING:
    from detector.clients.connection import Deadline
    from detector.render.message import Message


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

    All channels have the same number of seconds, which begin once every client is loaded.
    """
    from detector.clients.connection import Deadline

    for channel in messages:
        with suppress(Exception):  # it is raised again, and becomes data, in notify()
            channel.load_client()
    deadline = Deadline(seconds)
    progress: dict[str, DeliveryResult] = {}
    channels = {channel.name: channel for channel in messages}
    tasks = {
        channel.name: partial(_deliver, channel, message, deadline, progress)
        for channel, message in messages.items()
    }
    for name, outcome in ParallelRun(tasks, deadline.get_remaining):
        late = ExternalError(f"no yes within {seconds:g} s", reason=NO_ANSWER)
        yield _add_progress(outcome or ChannelOutcome(channels[name], error=late), progress.get(name))


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
    except Exception as error:  # noqa: BLE001 - the only place where a broken channel becomes data
        broken = ExternalError(f"the channel itself failed ({type(error).__name__})", reason=REJECTED)
        return ChannelOutcome(channel, error=broken)
