"""All channels side by side, each in a thread of its own under its own deadline: none waits for another.

A channel ends at its deadline by itself. One that cannot, such as a name look-up that hangs, is left behind; its
thread ends with the program, and a late yes is not a receipt.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from detector.channels._channel import Channel, Told
from detector.model.edge import NO_ANSWER, REJECTED, EdgeError

if TYPE_CHECKING:
    from detector.render.message import Message

_GRACE_SEC = 0.25  # for a channel to say itself what it waited for


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one channel answered: with what it took, or with an error."""

    channel: Channel
    told: Told | None = None
    error: EdgeError | None = None

    @property
    def failed(self) -> EdgeError | None:
        """Why it did not take all of its message, or None where it did."""
        return self.error or (self.told.failed if self.told is not None else None)


def tell_all(messages: Mapping[Channel, Message], seconds: float) -> Iterator[Outcome]:
    """Yield every channel as it answers, and those that did not at the end; nothing is raised."""
    answers: SimpleQueue[Outcome] = SimpleQueue()
    waiting = {channel.name: channel for channel in messages}
    for channel, message in messages.items():
        Thread(target=_tell, args=(channel, message, answers), daemon=True).start()
    end = time.monotonic() + seconds + _GRACE_SEC
    while waiting:
        try:
            outcome = answers.get(timeout=max(0.0, end - time.monotonic()))
        except Empty:
            break
        del waiting[outcome.channel.name]
        yield outcome
    for channel in waiting.values():
        yield Outcome(channel, error=EdgeError(f"no yes within {seconds:g} s", reason=NO_ANSWER))


def _tell(channel: Channel, message: Message, answers: SimpleQueue[Outcome]) -> None:
    try:
        outcome = Outcome(channel, channel.notify(message))
    except EdgeError as error:
        outcome = Outcome(channel, error=error)
    except Exception as error:  # noqa: BLE001 - the one place where a broken channel becomes data
        broken = EdgeError(f"the channel itself failed ({type(error).__name__})", reason=REJECTED)
        outcome = Outcome(channel, error=broken)
    answers.put(outcome)
