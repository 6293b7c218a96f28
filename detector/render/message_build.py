"""A message made out of a report: what a channel is owed, in words that a person at 3 a.m. can act upon."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256

from detector.domain.condition import Condition, Notice, MessageRef, Reason
from detector.domain.report import Report
from detector.domain.rule import RANK
from detector.domain.session_day import SessionDay
from detector.formats.plural import counted
from detector.formats.times import text_of
from detector.render.message import ORDER, Earlier, Item, Kind, Message, kind_around
from detector.render.message_item import SHORT_MOST, Frame, item_of, item_of_notice
from detector.render.message_session import day_lines

_NOTE_MOST = 300
_LOST = "memory_lost"
_FAILS_FROM = 3  # in a row: half an hour at the schedule's pace; fewer are a disturbance that mends itself


def message_of(
    frame: Frame, channel: str, notices: Sequence[Notice], days: Sequence[SessionDay] = ()
) -> Message | None:
    """Return the one message that a channel is owed by this run, or None where it is owed nothing.

    The first message that a channel takes says what memory starts with. Where nothing is owed, the third failure in
    a row of another channel is told all the same: the next alert may come there alone.
    """
    report = frame.report
    health = report.channels.get(channel)
    begins = health is None or health.since is None
    silent = () if notices or days or begins else _fallen_silent(report, channel)
    if not (notices or days or begins or silent):
        return None
    items = sorted((item_of_notice(frame, one, channel) for one in notices), key=_place_in_order)
    blind = _sees_nothing(report)
    return Message(
        kind=items[0].kind if items else "failing" if silent else kind_around(bool(days), blind),
        runtime=frame.words(report.runtime, SHORT_MOST),
        items=tuple(items),
        delivery_id=_id_of(report, notices, days, silent or (("first",) if begins else ())),
        sent_at=frame.sent,
        at=frame.seen,
        decision=_decision(report),
        coverage=_coverage(report),
        notes=tuple(frame.words(note, _NOTE_MOST) for note in _notes(report, channel, begins)),
        days=tuple(frame.words(line, 2 * _NOTE_MOST) for line in day_lines(days, report.channels)),
        link=frame.address(frame.link),
        earlier=tuple(_earlier(frame, items, channel)),
        first=begins,
        blind=blind,
    )


def _fallen_silent(report: Report, channel: str) -> tuple[str, ...]:
    """Return which others have not taken their messages for so long that this one has to hear of it, and since when."""
    return tuple(
        f"{name} {text_of(one.last_error.at)}"
        for name, one in report.channels.items()
        if name != channel and one.failures == _FAILS_FROM and one.last_error is not None
    )


def _place_in_order(item: Item) -> tuple[int, int, bool, bool, str]:
    """Return what comes first: the worst, of these what escalates, of these what is about money."""
    return ORDER[item.kind], -RANK[item.severity], not item.escalates, not item.money, item.signature


def _id_of(
    report: Report, notices: Iterable[Notice], days: Iterable[SessionDay], words: Iterable[str] = ()
) -> str:
    """Return an id that stays the same until the channel took exactly this; `words` count where nothing is owed."""
    told = sorted(one.delivery_id for one in notices)
    named = (report.runtime, *told, *(day.day for day in days), "" if told else " ".join(words))
    return sha256("|".join(named).encode()).hexdigest()[:16]


def _decision(report: Report) -> str:
    said = str(report.decision.action).upper()
    return f"{said}. {report.decision.note}" if report.decision.note else said


def _coverage(report: Report) -> str:
    unseen = [covered.title for covered in report.coverage if covered.state == "not seen"]
    total = len(report.coverage)
    if not unseen:
        return f"all {total} golden signals seen"
    return f"{len(unseen)} of {total} signals not seen: {', '.join(unseen)}"


def _notes(report: Report, channel: str, begins: bool) -> Iterator[str]:
    lost = next((one for one in report.events if one.type == _LOST), None)
    if lost is not None and (begins or lost.signature in _owed_to(report, channel)):
        yield f"{lost.summary} What follows is not necessarily news."
    elif begins:
        first = "First run" if report.generation == 1 else "First message to this channel"
        yield f"{first}: {_unseen_now(report) if _sees_nothing(report) else _seen_now(report)}"
    for name, health in report.channels.items():
        if name != channel and health.failures and health.last_error is not None:
            error = health.last_error
            yield f"Channel {name} does not take its messages ({error.reason}: {error.said}); they stay owed."


def _owed_to(report: Report, channel: str) -> set[str]:
    return {one.condition.signature for one in report.owed.get(channel, ())}


def _sees_nothing(report: Report) -> bool:
    return all(covered.state == "not seen" for covered in report.coverage)


def _seen_now(report: Report) -> str:
    held = _held_now(report) if report.events else "nothing wrong"
    return f"memory starts with {held}; from now on silence means that nothing new is owed."


def _unseen_now(report: Report) -> str:
    asked = any(source.state != "off" for source in report.sources.values())
    why = "no source that was asked shows one" if asked else "no source is configured"
    held = f"memory starts with {_held_now(report)}; " if report.events else ""
    mends = "`python -m detector doctor` says what to set"
    return f"NO SIGNAL WAS SEEN ({why}); {held}silence means nothing until one is: {mends}."


def _held_now(report: Report) -> str:
    critical = sum(event.severity == "critical" for event in report.events)
    counts = f"{critical} critical, {len(report.events) - critical} warning"
    return f"{counted(len(report.events), 'condition')} ({counts})"


def _earlier(frame: Frame, items: Iterable[Item], channel: str) -> Iterator[Earlier]:
    """Yield the messages in which something has ended now, made again of all conditions that were told in them."""
    places = {place for item in items if item.kind in ("resolved", "unwatched") for place in item.places}
    for place in sorted(places, key=lambda one: (one.channel, one.ts)):
        told = sorted(_told_at(frame, place, channel), key=_place_in_order)
        yield Earlier(
            place,
            Message(
                kind=told[0].kind,
                runtime=frame.words(frame.report.runtime, SHORT_MOST),
                items=tuple(told),
                delivery_id=_id_of(frame.report, (), ()),
                sent_at=frame.sent,
                at=frame.seen,
                link=frame.address(frame.link),
            ),
        )


def _told_at(frame: Frame, place: MessageRef, channel: str) -> Iterator[Item]:
    for condition in frame.report.conditions.values():
        receipt = condition.get_receipt(channel)
        if receipt is not None and place in receipt.places:
            reason, kind = _standing(condition)
            yield item_of(frame, condition, kind, (reason, "", receipt.delivery_id or ""), channel)


def _standing(condition: Condition) -> tuple[Reason | None, Kind]:
    if condition.phase != "ended" or condition.ending == "passed":
        return None, condition.severity
    if condition.ending == "resolved":
        return "resolved", "resolved"
    return ("no longer watched" if condition.ending == "unwatched" else "retired"), "unwatched"
