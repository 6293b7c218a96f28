"""Builds the report of a session from its runs: window, final line, conditions, tables and timeline."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

from msgspec import Struct, field

from detector.domain.condition import Condition, Event
from detector.domain.facts import Facts
from detector.domain.report import Report
from detector.domain.rule import OCCURRENCE
from detector.domain.session_report import (
    CONTINUE,
    ESCALATE,
    NOTIFY,
    REPLAY,
    REPORT_VERSION,
    Bar,
    ConditionCard,
    FinalLine,
    ReportTable,
    SessionReport,
)
from detector.formats.numbers import format_count
from detector.formats.times import compute_seconds, format_duration, format_utc
from detector.market.hours import MarketUnknown, Session, find_begun_session, get_market_at, get_session_on
from detector.market.session_plan import Closures
from detector.reconciliation.freshness import DataAge, build_truth_header
from detector.render.lines import format_in_zones
from detector.render.rules import choose_case
from detector.report.report_tables import (
    build_condition_table,
    build_kpi_table,
    build_tables,
    describe_open,
    describe_undelivered,
)
from detector.report.run_record import RunHistory, RunRecord, describe_missing_snapshots
from detector.report.timeline import build_bars, build_series, list_blind_spans, list_marks
from detector.settings import DISPLAY_ZONES, GAP_SEC, Settings

_MARGIN = timedelta(hours=1)  # of a session's window, before its open and after its close
_DAY = timedelta(days=1)
_MOST_REASONS = 3
_GAP = "watch_gap"  # the event that speaks of the stretches without a run


class SessionInput(Struct, frozen=True):
    """What a report is built from, beside its runs.

    `made_at` is the clock of the process. `day` is the session that was asked for; None means that of the
    newest run. `steps` are the runbook's next steps by event type, `evidence` further tables (schedule gaps,
    scheduler proof).
    """

    made_at: datetime
    settings: Settings
    closures: Closures
    day: date | None = None
    steps: Mapping[str, str] = field(default_factory=dict)
    evidence: tuple[ReportTable, ...] = ()


def choose_window(
    history: RunHistory, given: SessionInput
) -> tuple[Session | None, tuple[datetime, datetime], str]:
    """Return the session, the bounds of the timeline and the session's name; raises nothing.

    Without a session on the day, or a calendar that knows it, the window is the day before the newest run.
    Where no day was asked for, it reaches to the newest run: at the weekend that is long after the close.
    """
    newest = history.runs[-1].at if history.runs else given.made_at
    session, day = _find_session(given.day, newest, given.closures)
    if session is None:
        label = f"{given.day.isoformat()}: no session" if given.day else "no session near the newest run"
        start = datetime.combine(given.day, datetime.min.time(), UTC) if given.day else newest - _DAY
        return None, (start, start + _DAY), label
    ends = session.closes + _MARGIN
    ends = ends if given.day else max(ends, newest)
    return session, (session.opens - _MARGIN, ends), day.isoformat()


def _find_session(day: date | None, newest: datetime, closures: Closures) -> tuple[Session | None, date]:
    """Return the session of the day; without one, the newest that had begun at `newest`."""
    try:
        if day is not None:
            return get_session_on(day, closures), day
        begun = find_begun_session(newest + _MARGIN, closures)
    except MarketUnknown:
        begun = None
    return (begun[1], begun[0]) if begun is not None else (None, day or newest.date())


def build_session_report(
    history: RunHistory, facts: Mapping[datetime, Facts], age: DataAge, given: SessionInput
) -> SessionReport:
    """Return the report of a session.

    `facts` are by run those of its kept snapshot, of the newest run in full; `age` is that of its broker
    section now.
    """
    session, (begins, ends), label = choose_window(history, given)
    settings = given.settings
    inside = [run for run in history.runs if begins <= run.at <= ends]
    newest = inside[-1] if inside else None
    newest_facts = facts.get(newest.at) if newest else None
    looked_until = min(given.made_at, session.closes if session else ends)
    blind = list_blind_spans(inside, session.opens, looked_until, settings[GAP_SEC]) if session else ()
    marks = list_marks(inside, begins)
    series = build_series(inside, facts, settings)
    bars = (*blind, *build_bars(inside, looked_until))
    seen = [facts.get(run.at) for run in reversed(inside)]
    tables = tuple(build_tables(newest, seen, settings, marks))
    kpi = build_kpi_table(series, newest_facts, history.runs)
    market = get_market_at(newest.at if newest else given.made_at, given.closures)
    return SessionReport(
        schema_version=REPORT_VERSION,
        runtime=history.runtime,
        made_at=given.made_at,
        session=label,
        market={True: "open", False: "closed", None: "unknown"}[market.is_open],
        session_opens=session.opens if session else None,
        session_closes=session.closes if session else None,
        begins=begins,
        ends=ends,
        newest_run=newest.at if newest else None,
        runs=len(inside),
        final=decide_final(newest, _describe_blind_end(newest, looked_until, settings)),
        header=build_truth_header(newest_facts or Facts(given.made_at, history.runtime, market), age),
        conditions=tuple(_list_cards(newest, given, blind)) if newest else (),
        tables=(*tables, build_condition_table(bars), kpi, *given.evidence),
        series=series,
        bars=bars,
        marks=marks,
        **describe_open(tables),
        recovering=tuple(f"{bar.label}: {bar.state}" for bar in bars if bar.phase == "recovering"),
        remarks=tuple(_iter_remarks(history, inside, blind)),
    )


def decide_final(run: RunRecord | None, blind: str | None) -> FinalLine:
    """Return the final line: continue only where every golden signal was seen and nothing is wrong.

    `blind` is why the newest run says nothing about now, or about the end of the session.
    """
    if run is None:
        return FinalLine(NOTIFY, "no run of this session is at hand", ("everything",))
    report = run.report
    unproven = [*report.unseen_signals, *([blind] if blind else [])]
    if report.decision.action == "escalate":
        reasons = _list_reasons(report, report.decision.because)
        return FinalLine(ESCALATE, f"{reasons} {report.decision.note or ''}".strip(), tuple(unproven))
    if report.events:
        return FinalLine(NOTIFY, _list_reasons(report, report.decision.because), tuple(unproven))
    if unproven or not report.checked:
        return FinalLine(
            NOTIFY, "nothing is wrong in what was seen, and not everything was seen", tuple(unproven)
        )
    if not report.coverage:
        return FinalLine(CONTINUE, "nothing is wrong in what was seen, and no golden signal is watched")
    return FinalLine(CONTINUE, "every golden signal was seen and nothing is wrong")


def _list_reasons(report: Report, signatures: Sequence[str]) -> str:
    events = [event for event in report.events if event.signature in signatures]
    text = " ".join(event.summary for event in events[:_MOST_REASONS])
    more = len(events) - _MOST_REASONS
    return f"{text} And {format_count(more, 'further condition')}." if more > 0 else text


def _describe_blind_end(run: RunRecord | None, until: datetime, settings: Settings) -> str | None:
    if run is None:
        return None
    silent = compute_seconds(run.at, until)
    return f"the last {format_duration(silent)}" if silent > settings[GAP_SEC] else None


def _iter_remarks(history: RunHistory, inside: Sequence[RunRecord], blind: Sequence[Bar]) -> Iterator[str]:
    yield from history.remarks
    outside = len(history.runs) - len(inside)
    yield from [f"{format_count(outside, 'run')} outside this session"] if outside else []
    yield from describe_missing_snapshots(inside)
    yield from _describe_blind(blind)
    yield from inside[-1].report.warnings if inside else ()


def _describe_blind(blind: Sequence[Bar]) -> list[str]:
    total = sum(compute_seconds(bar.start, bar.end) for bar in blind)
    if not blind:
        return []
    stretches = format_count(len(blind), "stretch", "stretches")
    return [f"no run is at hand for {format_duration(total)} of the session, in {stretches}"]


def _list_cards(run: RunRecord, given: SessionInput, blind: Sequence[Bar]) -> list[ConditionCard]:
    return sorted(_iter_cards(run, given, blind), key=lambda card: not card.escalates)


def _iter_cards(run: RunRecord, given: SessionInput, blind: Sequence[Bar]) -> Iterator[ConditionCard]:
    gaps = ", ".join(f"{format_utc(bar.start)} to {format_utc(bar.end)}" for bar in blind)
    steps, zones = given.steps, given.settings[DISPLAY_ZONES]
    conditions = run.report.conditions
    for event in run.report.events:
        condition = conditions.get(event.signature)
        occurred = condition.last_seen if condition is not None and condition.kind == OCCURRENCE else None
        lasted = f"{format_duration(compute_seconds(event.since, run.at))} before the newest run"
        if occurred is not None:
            lasted = f"last occurred {format_in_zones(occurred, zones)}"
        elif event.since >= run.at:
            lasted = "the newest run"
        yield ConditionCard(
            signature=event.signature,
            severity=event.severity,
            summary=event.summary,
            since=f"first seen by a run at {format_in_zones(event.since, zones)}, {lasted}",
            held=event.held,
            escalates=condition is not None and condition.escalated,
            told=_describe_receipts(condition, event, run.report.muted),
            step=choose_case(steps.get(event.type, ""), event.observed),
            runbook=event.runbook,
            acknowledged=_describe_acknowledgement(condition, run.at),
            undelivered=describe_undelivered(condition, run.report),
            first_seen=event.since,
            last_occurred=occurred,
            gaps=gaps if event.type == _GAP else "",
        )


def _describe_acknowledgement(condition: Condition | None, at: datetime) -> str:
    if condition is None or not condition.acks:
        return "by nobody"
    newest = condition.acks[0]
    if condition.get_acknowledgement(at) is None:
        return f"by {newest.by} at {format_utc(newest.at)}, no longer in force"
    return f"by {newest.by} until {format_utc(newest.until)}"


def _describe_receipts(condition: Condition | None, event: Event, muted: Collection[str]) -> str:
    """Return which channels received what about the condition, and when, and whether it is muted."""
    if event.because_of is not None:
        return f"not on its own: because of {event.because_of}"
    channels: dict[str, list[str]] = {}
    for channel, receipt in [] if condition is None else sorted(condition.receipts.items()):
        moment = f"{format_utc(receipt.at) if receipt.at else 'an unknown time'} ({receipt.content})"
        channels.setdefault(moment, []).append("nobody, due" if channel == REPLAY else channel)
    received = "; ".join(f"{', '.join(names)} at {moment}" for moment, names in channels.items())
    mute = "; muted, so that nothing more is sent for now" if event.signature in muted else ""
    return f"{received or 'nobody yet'}{mute}"
