"""Builds from a report the one message that a channel has to receive, with the summary of each session."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from hashlib import sha256

from detector.domain.condition import Condition, Notice
from detector.domain.report import ChannelHealth, Report, SessionDay, list_lasting_failures
from detector.domain.rule import RANK
from detector.formats.numbers import format_count
from detector.formats.times import compute_seconds, format_utc
from detector.render.lines import format_signals_seen, render_days
from detector.render.message import ENDED, EarlierMessage, Kind, Message, MessageItem, get_kind_without_items
from detector.render.message_item import (
    SHORT_MAX,
    MessageContext,
    build_notice_item,
    get_sort_key,
    group_items_by_message,
)

_NOTE_MAX = 300
_LOST = "memory_lost"
_LATELY_SEC = 1500  # the longest time between two runs that is no gap


def build_message(
    context: MessageContext, channel: str, notices: Sequence[Notice], days: Sequence[SessionDay] = ()
) -> Message | None:
    """Return the one message of this run for a channel, or None where nothing is due.

    The first message to a channel describes the state at the start. Where nothing else is due, a message
    still reports a failure that lasts: the next alert may be due on the failing channel only.
    """
    report = context.report
    health = report.channels.get(channel)
    is_first = not context.unread and (health is None or health.since is None)
    preopen = _get_preopen(context, health)
    failing = () if notices or days or is_first or preopen else _list_unreported(report, channel)
    if not (notices or days or is_first or failing or preopen):
        return None
    shown, hidden = _split_repeated(context, notices)
    items = sorted((build_notice_item(context, notice, channel) for notice in shown), key=get_sort_key)
    no_signal = _has_no_signal(report)
    extra = (*failing, *preopen[:1]) or (("first",) if is_first else ())
    bare: Kind = "preopen" if preopen else get_kind_without_items(bool(days), no_signal)
    notes = (*_describe_unread(context, hidden), *_list_notes(context, channel, is_first))
    lines = (*preopen, *render_days(days, report.channels))
    return Message(
        kind=items[0].kind
        if items
        else _get_worst_kind(hidden)
        if hidden
        else "failing"
        if failing
        else bare,
        runtime=context.to_safe_line(report.runtime, SHORT_MAX),
        items=tuple(items),
        delivery_id=_compute_delivery_id(report, notices, days, extra),
        sent_at=context.sent,
        at=context.snapshot_time,
        action=_get_action(report),
        decision=_describe_decision(report),
        coverage=_describe_coverage(report),
        notes=tuple(context.to_safe_line(note, _NOTE_MAX) for note in notes),
        days=tuple(context.to_safe_line(line, 2 * _NOTE_MAX) for line in lines),
        link=context.to_safe_url(context.link),
        earlier=tuple(_list_earlier(context, items, channel)),
        is_first=is_first,
        no_signal=no_signal,
    )


def _list_unreported(report: Report, channel: str) -> list[str]:
    """Return the lasting failures that this channel took no message about."""
    reported = report.channels.get(channel, ChannelHealth()).reported
    return [name for name in list_lasting_failures(report.channels, channel) if name not in reported]


def _get_preopen(context: MessageContext, health: ChannelHealth | None) -> tuple[str, ...]:
    """Return the lines of the message before the open, where this channel did not take it yet."""
    notice = context.preopen
    is_due = notice is not None and (health is None or health.preopen != notice.session)
    return notice.lines if notice is not None and is_due else ()


def _split_repeated(
    context: MessageContext, notices: Sequence[Notice]
) -> tuple[Sequence[Notice], Sequence[Notice]]:
    """Return the notices to show, and the others, which were sent before as far as anybody knows.

    While the memory cannot be read, shown are those that began lately by the data's own times, those that
    escalate, and what is about money.
    """
    if not context.unread:
        return notices, ()
    others = [notice for notice in notices if notice.condition.type != _LOST]
    shown = [notice for notice in others if _is_worth_repeating(notice.condition, context.report.taken_at)]
    return shown, [notice for notice in notices if notice not in shown]


def _is_worth_repeating(condition: Condition, at: datetime) -> bool:
    began = condition.occurred_at
    is_late = began is not None and compute_seconds(began, at) <= _LATELY_SEC
    return is_late or condition.money or condition.escalated


def _get_worst_kind(notices: Sequence[Notice]) -> Kind:
    return max((notice.condition.severity for notice in notices), key=lambda severity: RANK[severity])


def _describe_unread(context: MessageContext, hidden: Sequence[Notice]) -> Iterator[str]:
    """Yield, while the memory cannot be read, how many conditions are not shown, and since when it is so."""
    if not context.unread:
        return
    names = sorted({notice.condition.type for notice in hidden if notice.condition.type != _LOST})
    count = sum(notice.condition.type != _LOST for notice in hidden)
    others = f"and {count} as before ({', '.join(names)}); " if names else ""
    last_read = timedelta(seconds=context.report.gap.seconds or 0)
    since = format_utc(context.report.taken_at - last_read)
    yield f"{others}the memory has not been readable since {since}: {context.unread}"


def _compute_delivery_id(
    report: Report, notices: Iterable[Notice], days: Iterable[SessionDay], extra: Iterable[str] = ()
) -> str:
    """Return an id that stays the same until the channel accepts this; `extra` counts without notices."""
    delivery_ids = sorted(notice.delivery_id for notice in notices)
    parts = (
        report.runtime,
        *delivery_ids,
        *(day.day for day in days),
        "" if delivery_ids else " ".join(extra),
    )
    return sha256("|".join(parts).encode()).hexdigest()[:16]


def _get_action(report: Report) -> str:
    return str(report.decision.action).upper()


def _describe_decision(report: Report) -> str:
    action = _get_action(report)
    return f"{action}. {report.decision.note}" if report.decision.note else action


def _describe_coverage(report: Report) -> str:
    missing = report.unseen_signals
    return format_signals_seen(report) + (f" (not seen: {', '.join(missing)})" if missing else "")


def _list_notes(context: MessageContext, channel: str, is_first: bool) -> Iterator[str]:
    report = context.report
    lost = next((event for event in report.events if event.type == _LOST and not context.unread), None)
    due = {notice.condition.signature for notice in report.owed.get(channel, ())}
    if lost is not None and (is_first or lost.signature in due):
        yield f"{lost.summary} What follows is not necessarily news."
    elif is_first:
        occasion = "First run" if report.generation == 1 else "First message to this channel"
        start = _describe_start_without_signal if _has_no_signal(report) else _describe_start
        yield f"{occasion}: {start(report)}"
    for name, health in report.channels.items():
        if name != channel and health.failures and health.last_error is not None:
            error = health.last_error
            yield f"Channel {name} fails ({error.reason}: {error.said}); its alerts will be sent again."
        if health.ack_error is not None:
            yield (
                f"No acknowledgement of {name} is read ({health.ack_error.reason}: {health.ack_error.said});"
                " an answer there has no effect, and the next rung is alerted as if nobody had answered."
            )


def _has_no_signal(report: Report) -> bool:
    return all(covered.state == "not seen" for covered in report.coverage)


def _describe_start(report: Report) -> str:
    state = _describe_conditions(report) if report.events else "nothing wrong"
    return f"monitoring starts with {state}; from now on no message means that nothing new is wrong."


def _describe_start_without_signal(report: Report) -> str:
    has_source = any(source.state != "off" for source in report.sources.values())
    why = "no source that was asked shows one" if has_source else "no source is configured"
    state = f"monitoring starts with {_describe_conditions(report)}; " if report.events else ""
    hint = "`python -m detector doctor` says what to set"
    return f"NO SIGNAL WAS SEEN ({why}); {state}no message means nothing until one is: {hint}."


def _describe_conditions(report: Report) -> str:
    critical = sum(event.severity == "critical" for event in report.events)
    counts = f"{critical} critical, {len(report.events) - critical} warning"
    return f"{format_count(len(report.events), 'condition')} ({counts})"


def _list_earlier(
    context: MessageContext, items: Iterable[MessageItem], channel: str
) -> Iterator[EarlierMessage]:
    """Yield each earlier message with a condition that ended now, rebuilt from all its conditions."""
    refs = {ref for item in items if item.kind in ENDED for ref in item.refs}
    grouped = group_items_by_message(context, refs, channel)
    for ref in sorted(refs, key=lambda ref: (ref.channel, ref.ts)):
        current = sorted(grouped[ref], key=get_sort_key)
        yield EarlierMessage(
            ref,
            Message(
                kind=current[0].kind,
                runtime=context.to_safe_line(context.report.runtime, SHORT_MAX),
                items=tuple(current),
                delivery_id=_compute_delivery_id(context.report, (), ()),
                action=_get_action(context.report),
                sent_at=context.sent,
                at=context.snapshot_time,
                link=context.to_safe_url(context.link),
            ),
        )
