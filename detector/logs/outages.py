"""Outages and other spells: what one log line begins and only its counterpart ends, over any number of runs.

The link to IBKR and each data farm are out until the logged recovery; trading is blocked until an order is
accepted; a login is due until one completes. Pure functions of this run's events and of what earlier runs
carried over: however the lines are spread over runs, the result is the same. Silence ends nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from detector.logs import events
from detector.logs.bursts import find_latest_begun
from detector.logs.events import LogEvent, LogHistory, LogIncident

SAME_RECOVERY: Final = timedelta(seconds=60)
"""One recovery is logged by every client and by the gateway itself."""

_FLAP_WITHIN: Final = timedelta(seconds=600)
_MAX_AGE: Final = timedelta(hours=6)
_ENDINGS: Final = {events.LOGGED_IN: "login", events.LINK_SEEN: events.BY_RUNTIME}


def find_link_outages(history: LogHistory, linked_at: datetime | None = None) -> list[LogIncident]:
    """Return every outage of the link, oldest first; the last one may be open.

    A line on the restored link ends it, and so does the login of a new gateway session, or that the runtime
    was seen linked from `linked_at` on, until a line contradicts it. A restored link without a loss before it
    is an outage whose beginning was not logged.
    """
    if not history.has_any(events.LINK, events.LINK_LOST, events.LINK_RESTORED):
        return []
    outages: list[LogIncident] = []
    for event in _merge_events(
        (
            *_to_link_events(history.list_carried(events.LINK)),
            *([LogEvent(linked_at, events.LINK_SEEN)] if linked_at else ()),
        ),
        history.list_events(events.LINK_LOST, events.LINK_RESTORED, events.LOGGED_IN),
    ):
        latest = outages[-1] if outages else None
        is_open = latest is not None and (latest.until is None or latest.is_seen_linked)
        if event.kind == events.LINK_LOST:
            if latest is not None and is_open:
                outages[-1] = replace(latest, last=event.at, until=None, key="")
            else:
                outages.append(LogIncident(events.LINK, event.at, event.at, event.at, note=event.note))
        elif latest is not None and is_open:
            outages[-1] = _close_outage(latest, event)
        elif event.kind == events.LINK_RESTORED:
            if latest is not None and latest.until and event.at - latest.until <= SAME_RECOVERY:
                outages[-1] = _add_recovery(latest, event)
            else:
                recovery = LogIncident(
                    events.LINK, event.at, event.at, event.at, event.at, note=event.note, alone=True
                )
                outages.append(_add_recovery(recovery, event))
    return outages


def _to_link_events(outages: Iterable[LogIncident]) -> Iterator[LogEvent]:
    for outage in outages:
        if not outage.alone:
            yield LogEvent(outage.since, events.LINK_LOST, note=outage.note)
            yield LogEvent(outage.last, events.LINK_LOST, note=outage.note)
        if outage.until is not None:
            kinds = (kind for kind, ending in _ENDINGS.items() if ending == outage.key)
            kind = next(kinds, events.LINK_RESTORED)
            yield LogEvent(
                outage.until,
                kind,
                events.DATA_LOST if outage.data_lost else "",
                outage.note,
                farms=outage.farms,
            )


def _close_outage(outage: LogIncident, event: LogEvent) -> LogIncident:
    closed = replace(outage, until=event.at, key=_ENDINGS.get(event.kind, ""))
    return _add_recovery(closed, event)


def _add_recovery(outage: LogIncident, event: LogEvent) -> LogIncident:
    return replace(
        outage,
        data_lost=outage.data_lost or event.key == events.DATA_LOST,
        farms=tuple(dict.fromkeys((*outage.farms, *event.farms))),
    )


def _merge_events(carried: Iterable[LogEvent], current: Iterable[LogEvent]) -> list[LogEvent]:
    """Return the events by time, each once; at the same moment the carried ones come first."""
    unique: dict[object, LogEvent] = {}
    for event in (*carried, *current):
        unique.setdefault((event.at, event.kind, event.key, event.farms), event)
    return sorted(unique.values(), key=lambda event: event.at)


def find_farm_outages(history: LogHistory) -> list[LogIncident]:
    """Return every outage of every farm, oldest first; only a line on that farm, or on all farms, ends it."""
    if not history.has_any(events.FARM, events.FARM_DOWN):
        return []
    ended: list[LogIncident] = []
    broken: dict[str, LogIncident] = {}
    for event in _merge_events(
        _to_farm_events(history.list_carried(events.FARM)),
        history.list_events(events.FARM_DOWN, events.FARM_UP, events.ALL_FARMS_UP),
    ):
        if event.kind == events.FARM_DOWN:
            old = broken.get(event.key)
            new = LogIncident(events.FARM, event.at, event.at, event.at, key=event.key, note=event.note)
            broken[event.key] = replace(old, last=event.at) if old else new
        else:
            for farm in [event.key] if event.kind == events.FARM_UP else list(broken):
                if farm in broken:
                    ended.append(replace(broken.pop(farm), until=event.at))
    return sorted((*ended, *broken.values()), key=lambda outage: (outage.since, outage.key))


def _to_farm_events(outages: Iterable[LogIncident]) -> Iterator[LogEvent]:
    for outage in outages:
        yield LogEvent(outage.since, events.FARM_DOWN, outage.key, outage.note)
        yield LogEvent(outage.last, events.FARM_DOWN, outage.key, outage.note)
        if outage.until is not None:
            yield LogEvent(outage.until, events.FARM_UP, outage.key)


def find_dead_streams(history: LogHistory) -> list[LogIncident]:
    """Return each death of live streams (code 10182), oldest first, with the farm that was down just before.

    A farm's recovery does not restore its streams. Several streams die with one farm.
    """
    if not history.has_any(events.STREAM_DEAD):
        return []
    farm_outages = find_farm_outages(history)
    deaths = sorted(history.list_carried(events.STREAM_DEAD), key=lambda death: death.since)
    for event in sorted(history.list_events(events.STREAM_DEAD), key=lambda event: event.at):
        index = find_latest_begun(deaths, event.at)
        if index is not None and event.at <= deaths[index].last + SAME_RECOVERY:
            deaths[index] = replace(deaths[index], last=max(deaths[index].last, event.at))
            continue
        key = _find_broken_farm(farm_outages, event.at) or event.key or events.UNNAMED
        new = LogIncident(events.STREAM_DEAD, event.at, event.at, event.at, key=key, note=event.note)
        deaths.insert(0 if index is None else index + 1, new)
    return deaths


def _find_broken_farm(outages: list[LogIncident], at: datetime) -> str | None:
    """Return the farm that broke last before that time and had not recovered long before it, or None."""
    index = find_latest_begun(outages, at)
    while index is not None and index >= 0 and at - outages[index].since <= _MAX_AGE:
        if at <= (outages[index].until or at) + _FLAP_WITHIN:
            return outages[index].key
        index -= 1
    return None


def find_trading_blocks(history: LogHistory) -> list[LogIncident]:
    """Return the spells in which the account or the API could not trade, oldest first."""
    return _find_spells(
        history,
        events.TRADING_BLOCKED,
        (events.TRADING_BLOCKED,),
        (events.TRADING_ALLOWED, events.ORDER_WORKING),
    )


def find_logins_due(history: LogHistory) -> list[LogIncident]:
    """Return the spells in which a login was due that does not come by itself, oldest first.

    A second factor that was asked for begins one too; its `note` is the kind of that event until a line
    states that it was not completed.
    """
    return _find_spells(
        history, events.LOGIN_DUE, (events.LOGIN_DUE, events.SECOND_FACTOR_ASKED), (events.LOGGED_IN,)
    )


def _find_spells(
    history: LogHistory, kind: str, beginnings: tuple[str, ...], ends: tuple[str, ...]
) -> list[LogIncident]:
    if not history.has_any(kind, *beginnings):
        return []
    spells = sorted(history.list_carried(kind), key=lambda spell: spell.since)
    handled_until = max((spell.until or spell.last for spell in spells), default=None)
    for event in sorted(history.list_events(*beginnings, *ends), key=lambda event: event.at):
        if handled_until is not None and event.at < handled_until:
            continue
        latest = spells[-1] if spells and spells[-1].until is None else None
        if event.kind in ends:
            if latest is not None:
                spells[-1] = replace(latest, until=event.at)
        elif latest is not None:
            spells[-1] = _add_event(latest, event)
        else:
            spells.append(
                LogIncident(kind, event.at, event.at, event.at, key=event.key, note=event.note or event.kind)
            )
    return spells


def _add_event(spell: LogIncident, event: LogEvent) -> LogIncident:
    is_named = event.note != "" and spell.note == events.SECOND_FACTOR_ASKED
    note, key = (event.note, event.key) if is_named else (spell.note, spell.key)
    return replace(spell, last=max(spell.last, event.at), note=note, key=key)
