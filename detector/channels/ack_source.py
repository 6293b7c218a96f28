"""The channels that a person answers on: each returns the acknowledgements since the last run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar, cast, runtime_checkable

from msgspec import Struct, field
from msgspec.structs import replace

from detector.channels.channel import Channel, describe_broken
from detector.clients.fan_out import ParallelRun
from detector.domain.acknowledgement import AckRequest, Via, find_sender
from detector.domain.condition import Condition, MessageRef
from detector.formats.errors import NO_ANSWER, ExternalError
from detector.settings import ACK_FOR_SEC, ACK_FROM, Settings

if TYPE_CHECKING:
    from detector.clients.connection import Deadline

T = TypeVar("T")
_MOST_SEC = 86_400.0
MAX_QUERIES = 20  # of one channel and run: messages or incidents that are asked for


class AckContext(Struct, frozen=True):
    """What a channel needs to read acknowledgements: the conditions, the time, and who may acknowledge.

    `cursor` is the last answer whose acknowledgement is stored; `public` makes names to aliases.
    """

    conditions: Mapping[str, Condition]
    now: datetime
    settings: Settings
    deadline: Deadline
    public: bool = False
    cursor: int | None = None

    @property
    def until(self) -> datetime:
        """When an acknowledgement of now ends."""
        return self.now + timedelta(seconds=min(self.settings[ACK_FOR_SEC], _MOST_SEC))

    def find_sender(self, kind: str, identity: str) -> str | None:
        """Return the name of a sender, or None where it may not acknowledge."""
        return find_sender(self.settings[ACK_FROM], kind, identity, self.public)

    def list_open(self, channel: str) -> list[Condition]:
        """Return the conditions that the channel was notified of and that have not ended."""
        return [
            condition
            for condition in self.conditions.values()
            if condition.phase != "ended" and channel in condition.receipts
        ]

    def list_at(self, ref: MessageRef, channel: str) -> list[str]:
        """Return the signatures whose newest message in the channel is the message at `ref`."""
        return [
            condition.signature
            for condition in self.list_open(channel)
            if condition.receipts[channel].places[:1] == (ref,)
        ]

    def build_requests(self, signatures: Iterable[str], sender: str, via: Via, id_: str) -> list[AckRequest]:
        """Return a request of now for each signature."""
        return [AckRequest(name, sender, self.now, self.until, via, id_) for name in signatures]


class AckAnswer(Struct, frozen=True):
    """The requests of allowed senders, a sentence for each answer that is ignored, and the newest cursor."""

    requests: tuple[AckRequest, ...] = ()
    ignored: tuple[str, ...] = ()
    cursor: int | None = None


@runtime_checkable
class AckSource(Protocol):
    """A channel on which a person can acknowledge."""

    name: str

    def fetch_acknowledgements(self, context: AckContext) -> AckAnswer:
        """Return what arrived since the last stored answer; raises ExternalError."""


@runtime_checkable
class AckTarget(Protocol):
    """A channel that must know of acknowledgements from elsewhere, because it pages on by itself."""

    name: str

    def send_acknowledgement(self, condition: Condition, deadline: Deadline) -> None:
        """Acknowledge there a condition that it was notified of; raises ExternalError."""


class SentAcks(Struct, frozen=True):
    """The conditions with what each channel knows now, and by channel why it could not be sent the rest."""

    conditions: Mapping[str, Condition]
    errors: Mapping[str, ExternalError] = field(default_factory=dict)


def send_all(
    channels: Sequence[Channel], conditions: Mapping[str, Condition], now: datetime, deadline: Deadline
) -> SentAcks:
    """Send each channel the acknowledgements in force that it does not know yet; raises nothing.

    What a channel does not accept is sent again by the next run, as long as it is in force.
    """
    after, errors = dict(conditions), dict[str, ExternalError]()
    for channel in channels:
        unsent = _list_unsent(after, channel.name, now) if isinstance(channel, AckTarget) else {}
        for signature, id_ in unsent.items():
            error = _run(partial(cast("AckTarget", channel).send_acknowledgement, after[signature], deadline))
            if error is not None:
                errors[channel.name] = error
                break
            receipts = after[signature].receipts
            known = replace(receipts[channel.name], acknowledged=id_)
            after[signature] = replace(after[signature], receipts={**receipts, channel.name: known})
    return SentAcks(after, errors)


def _list_unsent(conditions: Mapping[str, Condition], channel: str, now: datetime) -> dict[str, str]:
    """Return by signature the id of each acknowledgement that the channel has to be sent."""
    unsent = {}
    for signature, condition in conditions.items():
        ack, receipt = condition.get_acknowledgement(now), condition.receipts.get(channel)
        if ack is None or receipt is None or receipt.ended or condition.phase == "ended":
            continue
        if channel != ack.via and receipt.acknowledged != ack.id:
            unsent[signature] = ack.id
    return unsent


def _run(task: Callable[[], T]) -> T | ExternalError:
    """Return the result of the task, or its error; a broken channel becomes data."""
    try:
        return task()
    except ExternalError as error:
        return error
    except Exception as error:  # noqa: BLE001 - see above
        return describe_broken(error)


class FetchedAcks(Struct, frozen=True):
    """The answers of all channels by name, and the error of each that could not be asked."""

    answers: Mapping[str, AckAnswer] = field(default_factory=dict)
    errors: Mapping[str, ExternalError] = field(default_factory=dict)


class AckQuery:
    """All channels, asked in parallel until one deadline from now on; nothing here raises anything."""

    def __init__(
        self, channels: Sequence[Channel], contexts: Mapping[str, AckContext], deadline: Deadline
    ) -> None:
        sources = [source for source in channels if source.name in contexts and isinstance(source, AckSource)]
        for channel in channels:
            with suppress(Exception):
                channel.load_client()
        tasks = {
            source.name: partial(_run, partial(source.fetch_acknowledgements, contexts[source.name]))
            for source in sources
        }
        self._running = ParallelRun(tasks, deadline.get_remaining)

    @property
    def waiting(self) -> frozenset[str]:
        """The channels whose answer was not taken yet."""
        return frozenset(self._running.waiting)

    def collect_arrived(self) -> FetchedAcks:
        """Return the answers that are here already."""
        return _gather_answers(self._running.collect_ended())

    def wait(self) -> FetchedAcks:
        """Return all further answers, and an error for each channel that gives none until the deadline."""
        return _gather_answers(self._running)


def _gather_answers(outcomes: Iterable[tuple[str, AckAnswer | ExternalError | None]]) -> FetchedAcks:
    answers: dict[str, AckAnswer] = {}
    errors: dict[str, ExternalError] = {}
    for name, outcome in outcomes:
        if isinstance(outcome, AckAnswer):
            answers[name] = outcome
        else:
            errors[name] = outcome or ExternalError("it did not answer in time", reason=NO_ANSWER)
    return FetchedAcks(answers, errors)


def list_refs(context: AckContext, channel: str) -> Iterator[MessageRef]:
    """Yield the newest message of each open condition, each once, at most MAX_QUERIES."""
    refs = dict.fromkeys(
        condition.receipts[channel].places[0]
        for condition in context.list_open(channel)
        if condition.receipts[channel].places
    )
    yield from list(refs)[:MAX_QUERIES]
