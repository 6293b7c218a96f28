"""Delivery: every channel is told what it is owed, side by side, and what it took is written into the report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from detector import ledger
from detector.app.context import Door, Refused
from detector.app.runbook import next_steps
from detector.channels._channel import Channel, Told, World
from detector.channels._parallel import tell_all
from detector.channels._walk import configured, faults
from detector.domain.channel_health import ChannelError, ChannelHealth
from detector.domain.condition import Condition, Notice
from detector.domain.report import Report
from detector.domain.rule import Severity
from detector.domain.session_day import SessionDay
from detector.formats.edge_error import EdgeError
from detector.formats.redaction import redacted_text
from detector.formats.strict_json import one_line
from detector.render.message import Message, cut
from detector.render.message_build import build_message
from detector.render.message_item import MessageContext
from detector.settings import (
    CHANNEL_TIMEOUT_SEC,
    DISPLAY_ZONES,
    MUTES,
    RUNBOOK_URL,
    SESSION_SUMMARY,
    Settings,
    list_secrets,
)

_LONGEST_ERROR, _MOST_CHANNELS = 240, 30


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came of a delivery.

    `report` holds the receipts and the channels' health. `failed` is by channel why it did not take all that it
    was owed, `said` what went wrong beside that, `owed` who was owed anything. `undelivered` says that something
    owed was not taken. `shown` is by channel what a dry run would have sent.
    """

    report: Report
    failed: Mapping[str, EdgeError] = field(default_factory=dict)
    undelivered: bool = False
    said: tuple[str, ...] = ()
    owed: frozenset[str] = frozenset()
    shown: Mapping[str, str] = field(default_factory=dict)


def channels_of(door: Door, settings: Settings) -> tuple[Channel, ...]:
    """Return the configured channels; raises Refused with every contradiction of their settings at once."""
    contradictions = list(faults(settings))
    if contradictions:
        raise Refused(*contradictions)
    return configured(settings, World(door.environ, door.clock))


def floors(channels: tuple[Channel, ...]) -> dict[str, Severity]:
    """Return by name the lowest severity of each channel: what `evaluate` owes to."""
    return {channel.name: channel.least for channel in channels}


def deliver(
    door: Door, settings: Settings, report: Report, link: str | None = None, dry_run: bool = False
) -> Delivery:
    """Tell every configured channel what the report owes it, and return the report with the receipts in it.

    `link` leads to the run. With `dry_run` nothing is sent and the report is as it was; `shown` holds what
    would be sent. Nothing that a channel raises comes out; raises Refused where settings contradict each other.
    """
    owed = _Owed(door, settings, report, link or "")
    names = frozenset(channel.name for channel in owed.messages)
    if dry_run:
        shown = {channel.name: channel.shows(message) for channel, message in owed.messages.items()}
        return Delivery(report, owed=names, shown=shown)
    failed: dict[str, EdgeError] = {}
    said: list[str] = []
    for outcome in tell_all(owed.messages, settings[CHANNEL_TIMEOUT_SEC]):
        name = outcome.channel.name
        told, error = outcome.told, outcome.failed
        if told is not None:
            owed.take(name, told)
            said += [f"{name}: {owed.hidden(told.said)}"] if told.said else []
        if error is not None:
            failed[name] = _safe(error, owed.hidden(str(error)))
        owed.note(name, told, failed.get(name))
    return Delivery(owed.report, failed, bool(failed), tuple(said), names)


class _Owed:
    """What is owed to whom by one report, and the report as the receipts come in."""

    def __init__(self, door: Door, settings: Settings, report: Report, link: str) -> None:
        self._clock = door.clock
        self._secrets = list_secrets(settings)
        self.report = report
        channels = channels_of(door, settings)
        self._notices = _notices(settings, report, floors(channels))
        self._days = {one.name: _days(settings, report, one.name) for one in channels}
        known = {one.name: report.channels[one.name] for one in channels if one.name in report.channels}
        frame = MessageContext(
            report=replace(report, owed=self._notices, channels=known),
            zones=settings[DISPLAY_ZONES],
            steps=next_steps() if channels else {},
            runbook_url=settings[RUNBOOK_URL],
            link=link,
            hide=self.hidden,
            sent_at=door.clock(),
        )
        made = {
            one: build_message(frame, one.name, self._notices[one.name], self._days[one.name])
            for one in channels
        }
        self.messages: dict[Channel, Message] = {one: text for one, text in made.items() if text is not None}

    def hidden(self, text: str) -> str:
        """Return the text without secrets."""
        return redacted_text(text, self._secrets)

    def take(self, name: str, told: Told) -> None:
        """Write the receipts of what the channel took."""
        conditions: Mapping[str, Condition] = self.report.conditions
        for one in self._notices[name]:
            if told.taken is None or one.delivery_id in told.taken:
                place = told.places.get(one.delivery_id)
                conditions = ledger.add_receipts(conditions, (one,), name, self.report.taken_at, place)
        sessions = self.report.sessions
        if told.around:
            sessions = ledger.mark_summarized(sessions, {day.day for day in self._days[name]}, name)
        self.report = replace(self.report, conditions=conditions, sessions=sessions)

    def note(self, name: str, told: Told | None, error: EdgeError | None) -> None:
        """Write how the channel fared."""
        now = self._clock()
        health = self.report.channels.get(name, ChannelHealth())
        if told is not None:
            began = health.since or (now if told.around else None)
            health = replace(health, last_success=now, since=began)
        if error is not None:
            failure = ChannelError(now, error.reason, str(error))
            health = replace(health, last_error=failure, failures=health.failures + 1)
        else:
            health = replace(health, failures=0)
        # Of channels that are configured no more the newest are remembered: they may come back.
        others = [one for one in self.report.channels.items() if one[0] != name][-_MOST_CHANNELS:]
        self.report = replace(self.report, channels={**dict(others), name: health})


def _notices(
    settings: Settings, report: Report, least: Mapping[str, Severity]
) -> dict[str, tuple[Notice, ...]]:
    """Return what is owed to each channel; what the report itself does not say is asked of the ledger."""
    missing = [name for name in least if name not in report.owed]
    run = ledger.RunContext(report.taken_at, settings, generation=report.generation, min_severities=least)
    found = ledger.list_due_notices(report.conditions, run, missing, settings.files.get(MUTES.name, ()))
    return {name: found[name] if name in found else tuple(report.owed[name]) for name in least}


def _days(settings: Settings, report: Report, name: str) -> tuple[SessionDay, ...]:
    if settings[SESSION_SUMMARY] != "1":
        return ()
    health = report.channels.get(name, ChannelHealth())
    return ledger.list_due_days(report.sessions, name, health.since, report.taken_at)


def _safe(error: EdgeError, said: str) -> EdgeError:
    return EdgeError(cut(one_line(said), _LONGEST_ERROR), reason=error.reason, permanent=error.permanent)
