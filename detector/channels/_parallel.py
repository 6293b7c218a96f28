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

from detector.channels._channel import Channel, Errand, Told
from detector.formats.edge_error import NO_ANSWER, REJECTED, EdgeError

if TYPE_CHECKING:
    from detector.clients.wire import Deadline
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
    """Yield every channel as it answers, and those that did not at the end; nothing is raised.

    All have as many seconds, from when everything that they need is loaded.
    """
    from detector.clients.wire import Deadline

    for channel in messages:
        with suppress(Exception):  # it is raised again, and becomes data, where the channel is told
            channel.load()
    until = Deadline(seconds)
    answers: SimpleQueue[_Part | Outcome] = SimpleQueue()
    parts: dict[str, Told] = {}
    waiting = {channel.name: channel for channel in messages}
    for channel, message in messages.items():
        Thread(target=_tell, args=(channel, message, until, answers), daemon=True).start()
    while waiting:
        try:
            answer = answers.get(timeout=max(0.0, until.get_remaining() + _GRACE_SEC))
        except Empty:
            break
        if isinstance(answer, _Part):
            parts[answer.name] = answer.told
        else:
            del waiting[answer.channel.name]
            yield _with_parts(answer, parts)
    for channel in waiting.values():
        late = EdgeError(f"no yes within {seconds:g} s", reason=NO_ANSWER)
        yield _with_parts(Outcome(channel, error=late), parts)


@dataclass(frozen=True, slots=True)
class _Part:
    """What the channel of that name took so far."""

    name: str
    told: Told


def _with_parts(outcome: Outcome, parts: Mapping[str, Told]) -> Outcome:
    """Return the outcome; one that ended without a yes keeps what was taken before."""
    taken = parts.get(outcome.channel.name)
    return outcome if taken is None or outcome.told is not None else replace(outcome, told=taken)


def _tell(channel: Channel, message: Message, until: Deadline, answers: SimpleQueue[_Part | Outcome]) -> None:
    errand = Errand(until, lambda told: answers.put(_Part(channel.name, told)))
    try:
        outcome = Outcome(channel, channel.notify(message, errand))
    except EdgeError as error:
        outcome = Outcome(channel, error=error)
    except Exception as error:  # noqa: BLE001 - the one place where a broken channel becomes data
        broken = EdgeError(f"the channel itself failed ({type(error).__name__})", reason=REJECTED)
        outcome = Outcome(channel, error=broken)
    answers.put(outcome)
