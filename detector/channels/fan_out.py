"""All channels side by side, each in a thread of its own under one deadline: none waits for another.

A channel ends at its deadline by itself. One that cannot, such as a name look-up that hangs, is left behind with
what it handed over until then; its thread ends with the program, and a later yes is not a receipt.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from detector.channels.channel import Channel, DeliveryContext, DeliveryResult
from detector.formats.errors import NO_ANSWER, REJECTED, ExternalError

if TYPE_CHECKING:
    from detector.clients.connection import Deadline
    from detector.render.message import Message

_GRACE_SEC = 0.25  # for a channel to say itself what it waited for


@dataclass(frozen=True, slots=True)
class ChannelOutcome:
    """How one channel answered: with what it took, or with an error."""

    channel: Channel
    result: DeliveryResult | None = None
    error: ExternalError | None = None

    @property
    def failure(self) -> ExternalError | None:
        """Why it did not take all of its message, or None where it did."""
        return self.error or (self.result.error if self.result is not None else None)


def deliver_all(messages: Mapping[Channel, Message], seconds: float) -> Iterator[ChannelOutcome]:
    """Yield every channel as it answers, and those that did not at the end; nothing is raised.

    All have as many seconds, from when everything that they need is loaded.
    """
    from detector.clients.connection import Deadline

    for channel in messages:
        with suppress(Exception):  # it is raised again, and becomes data, where the channel is told
            channel.load_client()
    deadline = Deadline(seconds)
    answers: SimpleQueue[_Progress | ChannelOutcome] = SimpleQueue()
    progress: dict[str, DeliveryResult] = {}
    waiting = {channel.name: channel for channel in messages}
    for channel, message in messages.items():
        Thread(target=_deliver, args=(channel, message, deadline, answers), daemon=True).start()
    while waiting:
        try:
            answer = answers.get(timeout=max(0.0, deadline.get_remaining() + _GRACE_SEC))
        except Empty:
            break
        if isinstance(answer, _Progress):
            progress[answer.name] = answer.result
        else:
            del waiting[answer.channel.name]
            yield _add_progress(answer, progress)
    for channel in waiting.values():
        late = ExternalError(f"no yes within {seconds:g} s", reason=NO_ANSWER)
        yield _add_progress(ChannelOutcome(channel, error=late), progress)


@dataclass(frozen=True, slots=True)
class _Progress:
    """What the channel of that name took so far."""

    name: str
    result: DeliveryResult


def _add_progress(outcome: ChannelOutcome, progress: Mapping[str, DeliveryResult]) -> ChannelOutcome:
    """Return the outcome; one that ended without a yes keeps what was taken before."""
    result = progress.get(outcome.channel.name)
    return outcome if result is None or outcome.result is not None else replace(outcome, result=result)


def _deliver(
    channel: Channel, message: Message, deadline: Deadline, answers: SimpleQueue[_Progress | ChannelOutcome]
) -> None:
    context = DeliveryContext(deadline, lambda result: answers.put(_Progress(channel.name, result)))
    try:
        outcome = ChannelOutcome(channel, channel.notify(message, context))
    except ExternalError as error:
        outcome = ChannelOutcome(channel, error=error)
    except Exception as error:  # noqa: BLE001 - the one place where a broken channel becomes data
        broken = ExternalError(f"the channel itself failed ({type(error).__name__})", reason=REJECTED)
        outcome = ChannelOutcome(channel, error=broken)
    answers.put(outcome)
