"""Spells: states that a log line begins and only a counterpart ends, over any number of runs.

Trading is blocked until an order is accepted, and a login is due until one completes. Silence ends neither.
"""

from __future__ import annotations

from msgspec.structs import replace

from detector.logs.events import (
    LOGGED_IN,
    LOGIN_DUE,
    ORDER_WORKING,
    SECOND_FACTOR_ASKED,
    TRADING_ALLOWED,
    TRADING_BLOCKED,
    LogEvent,
    LogHistory,
    LogIncident,
)


def find_trading_blocks(history: LogHistory) -> list[LogIncident]:
    """Return the spells in which the account or the API could not trade, oldest first."""
    return _find_spells(history, TRADING_BLOCKED, (TRADING_BLOCKED,), (TRADING_ALLOWED, ORDER_WORKING))


def find_logins_due(history: LogHistory) -> list[LogIncident]:
    """Return the spells in which a login was due that does not come by itself, oldest first.

    A second factor that was asked for begins one too; its `note` is the kind of that event until a line
    states that it was not completed.
    """
    return _find_spells(history, LOGIN_DUE, (LOGIN_DUE, SECOND_FACTOR_ASKED), (LOGGED_IN,))


def _find_spells(
    history: LogHistory, kind: str, beginnings: tuple[str, ...], ends: tuple[str, ...]
) -> list[LogIncident]:
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
    is_named = event.note != "" and spell.note == SECOND_FACTOR_ASKED
    note, key = (event.note, event.key) if is_named else (spell.note, spell.key)
    return replace(spell, last=max(spell.last, event.at), note=note, key=key)
