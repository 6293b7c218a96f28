"""Acknowledgements for a run: from the state folder, the dispatch that started it, and the channels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct, ValidationError
from msgspec.structs import replace

from detector import ledger
from detector.app.context import AppContext
from detector.app.job import Job, RunResult, get_rungs
from detector.domain.acknowledgement import AckDocument, AckRequest, find_sender
from detector.domain.condition import Condition, Notice
from detector.domain.report import ChannelError, ChannelHealth, Report
from detector.domain.run_memory import Memory
from detector.formats.errors import ExternalError, InputError
from detector.formats.redaction import redact_text
from detector.formats.serialize import from_json
from detector.formats.strict_json import parse_document, redact_excerpt, to_one_line
from detector.settings import (
    ACK_FROM,
    CHANNEL_TIMEOUT_SEC,
    COLLECT_TIMEOUT_SEC,
    MUTES,
    SOURCE_TIMEOUT_SEC,
    Settings,
    list_secrets,
)
from detector.storage.state_dir import read_acks

if TYPE_CHECKING:
    from detector.channels.ack_source import AckQuery, FetchedAcks
    from detector.channels.channel import Channel

EVENT_TYPE: Final = "aws_ibkr_pt_health_ack"
_MOST_SEC, _MOST_EVENT_BYTES, _LONGEST_NAME, _LONGEST_ERROR = 10.0, 1_048_576, 60, 240


class AckReading(Struct):
    """The requests that were read, the sentences about those that count for nothing, and their files."""

    requests: list[AckRequest]
    notes: list[str]
    files: list[Path]


def start_ack_query(job: Job, memory: Memory) -> AckQuery | None:
    """Start to ask the channels, where a condition is open.

    What is read of the sources meanwhile delays nothing: both end by the same number of seconds. In a dry run
    no channel is asked: Telegram would forget what it answered.
    """
    if job.plan.dry_run or all(condition.phase == "ended" for condition in memory.conditions.values()):
        return None
    from detector.channels.ack_source import AckContext, AckQuery
    from detector.clients.connection import Deadline

    settings = job.settings
    deadline = Deadline(
        min(_get_seconds(settings), settings[SOURCE_TIMEOUT_SEC], settings[COLLECT_TIMEOUT_SEC])
    )
    public = job.backend is not None and job.backend.public
    contexts = {
        name: AckContext(memory.conditions, job.clock(), settings, deadline, public, known.cursor)
        for name, known in _get_health(job, memory.channels).items()
    }
    return AckQuery(job.channels, contexts, deadline)


def apply_arrived(
    job: Job, memory: Memory, runtime: str, query: AckQuery | None
) -> tuple[Memory, AckReading]:
    """Return the memory with the acknowledgements that are here, and what was read."""
    reading = AckReading([], [], [])
    _read_folder(job, runtime, reading)
    _read_dispatch(job, runtime, reading)
    if query is not None:
        channels = _read_channels(job, memory.channels, reading, query.collect_arrived())
        memory = replace(memory, channels=channels)
    return replace(memory, conditions=_apply(job, memory.conditions, reading)), reading


def _apply(job: Job, conditions: Mapping[str, Condition], reading: AckReading) -> Mapping[str, Condition]:
    """Return the conditions after the requests; the notes are of both, and without secrets."""
    later = [channel.name for channel in job.channels if channel.rung.after_sec]
    applied = ledger.apply_acknowledgements(conditions, reading.requests, job.clock(), later)
    secrets = list_secrets(job.settings)
    reading.notes = [to_one_line(redact_text(note, secrets)) for note in (*reading.notes, *applied.notes)]
    return applied.conditions


class LateAcks:
    """The channels that did not answer yet; only what their answers may silence waits for them.

    That is a reminder or a later rung, of a condition that such a channel was notified of.
    """

    def __init__(self, job: Job, memory: Memory, query: AckQuery) -> None:
        self._job = job
        self._memory = memory
        self._query = query
        self._rungs = get_rungs(job.channels)
        self._withheld: dict[str, frozenset[str]] = {}

    def keep_back(self, report: Report) -> Report:
        """Return the report without the due notices that wait."""
        owed = {}
        for name, rung in self._rungs.items():
            waiting = frozenset(
                notice.condition.signature
                for notice in report.owed[name]
                if ledger.is_silenced_by_ack(notice, rung)
                and self._query.waiting & notice.condition.receipts.keys()
            )
            self._withheld |= {name: waiting} if waiting else {}
            owed[name] = [notice for notice in report.owed[name] if notice.condition.signature not in waiting]
        return replace(report, owed={**report.owed, **owed})

    def apply(self, result: RunResult) -> frozenset[str]:
        """Wait for the answers, and apply them to the result, of which they silence what waited.

        Returns the channels that may be due a message now.
        """
        job, report = self._job, result.report
        fetched = self._query.wait()
        reading = AckReading([], [], [])
        channels = _read_channels(job, report.channels, reading, fetched)
        before = self._memory.conditions
        run = ledger.RunContext(report.taken_at, job.settings, report.generation, rungs=self._rungs)
        acknowledged = _apply(job, before, reading)
        conditions = ledger.join_late_acknowledgements(report.conditions, before, acknowledged, run)
        mutes = job.settings.files.get(MUTES.name, ())
        due = ledger.list_due_notices(conditions, run, self._withheld, mutes)
        owed = {
            name: [notice for notice in notices if notice.condition.signature in self._withheld[name]]
            for name, notices in due.items()
        }
        due_elsewhere = _list_signatures(report.owed.values()) | _list_signatures(owed.values())
        silenced = frozenset().union(*self._withheld.values()) - due_elsewhere
        result.report = replace(
            report,
            channels=channels,
            conditions=conditions,
            owed={**dict.fromkeys(report.owed, ()), **owed},
            new_events=tuple(event for event in report.new_events if event.signature not in silenced),
        )
        result.notes += reading.notes
        return frozenset((*(name for name in owed if owed[name]), *fetched.errors))


def _list_signatures(owed: Iterable[Iterable[Notice]]) -> frozenset[str]:
    return frozenset(notice.condition.signature for notices in owed for notice in notices)


def send_onward(job: Job, result: RunResult) -> None:
    """Send the pagers that page on by themselves what was acknowledged elsewhere, after all alerts are out.

    A failure is a note and no fault: such a pager pages once too often, and the next run tries again.
    """
    if job.plan.dry_run or not result.advances or not any(c.acks for c in result.report.conditions.values()):
        return
    from detector.channels.ack_source import send_all
    from detector.clients.connection import Deadline

    deadline = Deadline(_get_seconds(job.settings))
    sent = send_all(job.channels, result.report.conditions, job.clock(), deadline)
    result.report = replace(result.report, conditions=sent.conditions)
    result.notes += [
        f"{name} does not know yet that it is acknowledged, and is asked again: {_describe(job, error).said}."
        for name, error in sent.errors.items()
    ]


def _describe(job: Job, error: ExternalError) -> ChannelError:
    """Return the error as it is kept: one line without secrets."""
    said = to_one_line(redact_text(str(error), list_secrets(job.settings)))
    return ChannelError(job.clock(), error.reason, said[:_LONGEST_ERROR])


def _read_folder(job: Job, runtime: str, reading: AckReading) -> None:
    """Read the files of `ack --state`: who can write the folder may acknowledge."""
    folder = job.backend.ack_folder if job.backend is not None else None
    for path, document in read_acks(folder) if folder is not None else ():
        if document is None:
            reading.notes.append(f"{redact_excerpt(path.name)} is ignored: it is no acknowledgement.")
        elif document.runtime != runtime:
            continue  # of another runtime, whose own run reads it
        else:
            reading.requests.append(_build_request(document, document.by, "command"))
            reading.files.append(path)


def _read_dispatch(job: Job, runtime: str, reading: AckReading) -> None:
    """Read the `repository_dispatch` that started this run, where it is an acknowledgement."""
    event = _read_event(job)
    if event is None or event.get("action") != EVENT_TYPE:
        return
    login = str((event.get("sender") or {}).get("login") or "")
    public = job.backend is not None and job.backend.public
    sender = find_sender(job.settings[ACK_FROM], "github", login, public)
    if sender is None:
        who = "its sender" if public else redact_excerpt(login)
        reading.notes.append(f"An acknowledgement by dispatch is ignored: {ACK_FROM.name} lacks {who}.")
        return
    try:
        payload = {**event["client_payload"]}
        payload.pop("source", None)
        document = from_json(AckDocument, payload)
    except (ValidationError, KeyError, TypeError):
        reading.notes.append("An acknowledgement by dispatch is ignored: its payload cannot be read.")
        return
    if document.runtime != runtime:
        reading.notes.append("An acknowledgement by dispatch is ignored: it is of another runtime.")
        return
    reading.requests.append(_build_request(document, sender, "dispatch"))


def _read_event(job: Job) -> dict[str, Any] | None:
    """Return the event that GitHub describes in the file of GITHUB_EVENT_PATH, or None."""
    environ = job.app.environ
    path = environ.get("GITHUB_EVENT_PATH")
    if not path or environ.get("GITHUB_EVENT_NAME") != "repository_dispatch":
        return None
    try:
        with Path(path).open("rb") as file:
            return parse_document(file.read(_MOST_EVENT_BYTES))
    except (OSError, InputError):
        return None


def _build_request(document: AckDocument, sender: str, via: Any) -> AckRequest:
    name = " ".join(to_one_line(sender).split())[:_LONGEST_NAME] or "somebody"
    return AckRequest(document.signature, name, document.at, document.until, via, f"{via}:{document.id}")


def find_ack_errors(
    app: AppContext, settings: Settings, channels: Sequence[Channel]
) -> Mapping[str, ExternalError]:
    """Return by channel why its acknowledgements cannot be read; what was read stays unconfirmed."""
    if not channels:
        return {}
    from detector.channels.ack_source import AckContext, AckQuery
    from detector.clients.connection import Deadline

    deadline = Deadline(_get_seconds(settings))
    context = AckContext({}, app.clock(), settings, deadline, public=True)
    return AckQuery(channels, {channel.name: context for channel in channels}, deadline).wait().errors


def _get_health(job: Job, channels: Mapping[str, ChannelHealth]) -> dict[str, ChannelHealth]:
    return {channel.name: channels.get(channel.name, ChannelHealth()) for channel in job.channels}


def _get_seconds(settings: Settings) -> float:
    """Return how long a channel may take to be asked or sent acknowledgements."""
    return min(_MOST_SEC, settings[CHANNEL_TIMEOUT_SEC])


def _read_channels(
    job: Job, channels: Mapping[str, ChannelHealth], reading: AckReading, fetched: FetchedAcks
) -> dict[str, ChannelHealth]:
    """Add the channels' answers to what was read; return their health with cursors and failures."""
    for answer in fetched.answers.values():
        reading.requests += answer.requests
        reading.notes += answer.ignored
    known = _get_health(job, channels)
    for name, answer in fetched.answers.items():
        cursor = answer.cursor if answer.cursor is not None else known[name].cursor
        known[name] = replace(known[name], cursor=cursor, ack_error=None, ack_failures=0)
    for name, error in fetched.errors.items():
        failure = _describe(job, error).join_row(known[name].ack_error)
        reading.notes.append(f"Acknowledgements could not be read from {name}: {failure.said}.")
        known[name] = replace(known[name], ack_error=failure, ack_failures=known[name].ack_failures + 1)
    return {**channels, **{name: known[name] for name in (*fetched.answers, *fetched.errors)}}
