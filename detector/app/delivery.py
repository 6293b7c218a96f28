"""Delivery: every channel gets its due notices, in parallel, and the receipts are written into the report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct, field
from msgspec.structs import replace

from detector import ledger
from detector.app.context import AppContext
from detector.app.input_documents import list_next_steps
from detector.app.job import get_rungs
from detector.channels.channel import (
    Channel,
    ChannelEnvironment,
    DeliveryResult,
    build_configured_channels,
    deliver_all,
    find_channel_conflicts,
    list_unused_options,
)
from detector.domain.condition import Condition, Notice
from detector.domain.report import ChannelError, ChannelHealth, Report, SessionDay, list_lasting_failures
from detector.formats.errors import ExternalError, InputError
from detector.formats.numbers import format_list
from detector.formats.redaction import redact_text
from detector.formats.strict_json import to_one_line
from detector.render.message import Message, cut
from detector.render.message_build import build_message
from detector.render.message_item import MessageContext, PreopenNotice
from detector.settings import (
    CHANNEL_TIMEOUT_SEC,
    DISPLAY_ZONES,
    MUTES,
    RUNBOOK_URL,
    SESSION_SUMMARY,
    Rung,
    Settings,
    list_secrets,
)

_LONGEST_ERROR, _MOST_CHANNELS = 240, 30


class RunSource(Struct, frozen=True):
    """The address of the run, why its memory could not be read this time, and the message before the open.

    `only` are the channels to deliver to, None for all.
    """

    link: str | None = None
    unread: str | None = None
    preopen: PreopenNotice | None = None
    only: frozenset[str] | None = None


NO_SOURCE = RunSource()


class Delivery(Struct, frozen=True):
    """The result of a delivery.

    `report` holds the receipts and the channels' health. `failed` is by channel the error of a notice that
    was not delivered, `undelivered` whether there is any; `notes` are the channels' warnings, `due` the names
    of the channels with a due notice, `previews` by channel the message that a dry run would have sent.
    """

    report: Report
    failed: Mapping[str, ExternalError] = field(default_factory=dict)
    undelivered: bool = False
    notes: tuple[str, ...] = ()
    due: frozenset[str] = frozenset()
    previews: Mapping[str, str] = field(default_factory=dict)


def load_channels(app: AppContext, settings: Settings) -> tuple[Channel, ...]:
    """Return the configured channels; raises InputError with every contradiction of their settings."""
    contradictions = list(find_channel_conflicts(settings))
    if contradictions:
        raise InputError(*contradictions)
    return build_configured_channels(settings, ChannelEnvironment(app.environ, app.clock))


def load_required_channels(app: AppContext, settings: Settings) -> tuple[Channel, ...]:
    """Return the configured channels; raises InputError where there is none."""
    channels = load_channels(app, settings)
    if not channels:
        raise InputError(f"no channel is configured: set {list_channel_settings(app, settings)}")
    return channels


def list_channel_settings(app: AppContext, settings: Settings) -> str:
    """Return as text the settings that would add a channel of a kind that is not configured yet."""
    options = list_unused_options(settings, ChannelEnvironment(app.environ, app.clock))
    names = [[setting.name for setting in option.settings] for option in options]
    return " or ".join(
        f"{first} (with {format_list(others)})" if others else first for first, *others in names
    )


def render_previews(channels: Sequence[Channel], previews: Mapping[str, str]) -> Iterator[str]:
    """Yield for each channel exactly what would be sent."""
    for channel in channels:
        yield f"=== {channel.name}: {channel.display_name}"
        yield previews.get(channel.name, "everything is delivered")


def deliver(
    app: AppContext, settings: Settings, report: Report, run: RunSource = NO_SOURCE, dry_run: bool = False
) -> Delivery:
    """Deliver the report's due notices to every configured channel; return the report with the receipts.

    With `dry_run` nothing is sent, the report is unchanged and `previews`
    holds the messages. A channel's error is data; raises InputError where settings contradict each other.
    """
    pending = _PendingDelivery(app, settings, report, run)
    names = frozenset(channel.name for channel in pending.messages)
    if dry_run:
        previews = {
            channel.name: channel.render_preview(message) for channel, message in pending.messages.items()
        }
        return Delivery(report, due=names, previews=previews)
    failed: dict[str, ExternalError] = {}
    notes: list[str] = []
    for outcome in deliver_all(pending.messages, settings[CHANNEL_TIMEOUT_SEC]):
        name = outcome.channel.name
        result, error = outcome.result, outcome.failure
        if result is not None:
            pending.record_receipts(name, result)
            notes += [f"{name}: {pending.redact(result.warning)}"] if result.warning else []
        if error is not None:
            failed[name] = _cut_error(error, pending.redact(str(error)))
        pending.record_health(name, result, failed.get(name))
    return Delivery(pending.report, failed, bool(failed), tuple(notes), names)


class _PendingDelivery:
    """One report's due notices and messages by channel, and the report as the receipts come in."""

    def __init__(self, app: AppContext, settings: Settings, report: Report, run: RunSource) -> None:
        self._clock = app.clock
        self._secrets = list_secrets(settings)
        self._preopen = run.preopen
        self.report = report
        channels = load_channels(app, settings)
        self._notices = _list_notices(settings, report, get_rungs(channels))
        self._days = {channel.name: _list_unsent_days(settings, report, channel.name) for channel in channels}
        health = {
            channel.name: report.channels[channel.name]
            for channel in channels
            if channel.name in report.channels
        }
        frame = MessageContext(
            report=replace(report, owed=self._notices, channels=health),
            zones=settings[DISPLAY_ZONES],
            steps=list_next_steps() if channels else {},
            runbook_url=settings[RUNBOOK_URL] or _build_runbook_url(app),
            link=run.link or "",
            unread=run.unread or "",
            preopen=run.preopen,
            hide=self.redact,
            sent_at=app.clock(),
        )
        self._lasting = {channel.name: list_lasting_failures(health, channel.name) for channel in channels}
        built = {
            channel: build_message(frame, channel.name, self._notices[channel.name], self._days[channel.name])
            for channel in channels
        }
        self.messages: dict[Channel, Message] = {
            channel: message
            for channel, message in built.items()
            if message is not None and (run.only is None or channel.name in run.only)
        }

    def redact(self, text: str) -> str:
        """Return the text without secrets."""
        return redact_text(text, self._secrets)

    def record_receipts(self, name: str, result: DeliveryResult) -> None:
        """Write the receipts of the notices that the channel took."""
        conditions: Mapping[str, Condition] = self.report.conditions
        for notice in self._notices[name]:
            if result.accepted is None or notice.delivery_id in result.accepted:
                message_ref = result.message_refs.get(notice.delivery_id)
                conditions = ledger.add_receipts(
                    conditions, (notice,), name, self.report.taken_at, message_ref
                )
        sessions = self.report.sessions
        if result.extras_accepted:
            sessions = ledger.mark_summarized(sessions, {day.day for day in self._days[name]}, name)
        self.report = replace(self.report, conditions=conditions, sessions=sessions)

    def record_health(self, name: str, result: DeliveryResult | None, error: ExternalError | None) -> None:
        """Write the channel's health after this delivery."""
        now = self._clock()
        health = self.report.channels.get(name, ChannelHealth())
        if result is not None:
            since = health.since or (now if result.extras_accepted else None)
            health = replace(health, last_success=now, since=since)
            if result.extras_accepted:
                health = replace(health, reported=self._lasting[name])
            if self._preopen is not None and result.extras_accepted:
                health = replace(health, preopen=self._preopen.session)
        if error is not None:
            failure = ChannelError(now, error.reason, str(error)).join_row(
                health.last_error if health.failures else None
            )
            health = replace(health, last_error=failure, failures=health.failures + 1)
        else:
            health = replace(health, failures=0)
        # The newest of the channels that are no longer configured are remembered: they may come back.
        remembered = [entry for entry in self.report.channels.items() if entry[0] != name][-_MOST_CHANNELS:]
        self.report = replace(self.report, channels={**dict(remembered), name: health})


def _list_notices(
    settings: Settings, report: Report, rungs: Mapping[str, Rung]
) -> dict[str, tuple[Notice, ...]]:
    """Return by channel its due notices: those of the report, else computed by the ledger."""
    missing = [name for name in rungs if name not in report.owed]
    run = ledger.RunContext(report.taken_at, settings, generation=report.generation, rungs=rungs)
    due = ledger.list_due_notices(report.conditions, run, missing, settings.files.get(MUTES.name, ()))
    return {name: due[name] if name in due else tuple(report.owed[name]) for name in rungs}


def _list_unsent_days(settings: Settings, report: Report, name: str) -> tuple[SessionDay, ...]:
    if settings[SESSION_SUMMARY] != "1":
        return ()
    health = report.channels.get(name, ChannelHealth())
    return ledger.list_due_days(report.sessions, name, health.since, report.taken_at)


def _build_runbook_url(app: AppContext) -> str:
    """Return the address of RUNBOOK.md at the commit of this workflow run; empty outside of one."""
    names = ("GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_SHA")
    server, repository, commit = (app.environ.get(name, "") for name in names)
    return f"{server}/{repository}/blob/{commit}/RUNBOOK.md" if server and repository and commit else ""


def _cut_error(error: ExternalError, text: str) -> ExternalError:
    return ExternalError(
        cut(to_one_line(text), _LONGEST_ERROR), reason=error.reason, permanent=error.permanent
    )
