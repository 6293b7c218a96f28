"""The plots of a report's page: inline SVG without script; its numbers stand in a table beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from msgspec import Struct

from detector.domain.session_report import Bar, Mark, Series, SeriesPoint, SessionReport
from detector.formats.numbers import normalize_number
from detector.formats.times import compute_seconds
from detector.render.page_markup import escape_text

_BARS_WIDTH, _PLOT_WIDTH, _PLOT_HEIGHT, _ROW, _TOP = 720, 330, 96, 18, 16
_LEFT, _RIGHT = 8, 8
_TICKS_HOURS = (1, 2, 3, 6, 12, 24)
_TICK_WIDTH = 60  # of a label with its distance


class TimeAxis(Struct, frozen=True):
    """Maps a time to a place between `begins` and `ends`; labels are in UTC, as all times of the page."""

    begins: datetime
    ends: datetime
    width: int = _PLOT_WIDTH

    def compute_x(self, at: datetime) -> float:
        """Return the horizontal place of a time, kept inside the plot."""
        span = max(compute_seconds(self.begins, self.ends), 1)
        share = min(max(compute_seconds(self.begins, at) / span, 0), 1)
        return round(_LEFT + share * (self.width - _LEFT - _RIGHT), 1)

    def list_ticks(self) -> list[tuple[float, str]]:
        """Return the places and labels of whole hours, as many as fit."""
        hours = compute_seconds(self.begins, self.ends) / 3600
        step = next(
            (hours_step for hours_step in _TICKS_HOURS if hours / hours_step <= self.width / _TICK_WIDTH), 24
        )
        at = self.begins.astimezone(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        ticks = []
        while at < self.ends:
            if at.hour % step == 0:
                ticks.append((self.compute_x(at), f"{at:%H:%M}Z"))
            at += timedelta(hours=1)
        return ticks


def render_series(series: Series, axis: TimeAxis, blind: Sequence[Bar]) -> Iterator[str]:
    """Yield one small plot: a step line, its limit, and the blind stretches shaded."""
    values = [point.value for point in series.points if point.value is not None]
    top = max([*values, series.limit or 0, 1])
    height = _PLOT_HEIGHT - 2 * _TOP
    label = _describe_series(series, values)
    yield f'<svg viewBox="0 0 {axis.width} {_PLOT_HEIGHT}" role="img" aria-label="{escape_text(label)}">'
    yield from _render_blind(blind, axis, _PLOT_HEIGHT)
    yield from _render_axis(axis, _PLOT_HEIGHT)
    if series.limit is not None:
        y = round(_TOP + height * (1 - series.limit / top), 1)
        yield f'<line class="limit" x1="{_LEFT}" x2="{axis.width - _RIGHT}" y1="{y}" y2="{y}"/>'
    for run in _split_runs(series.points):
        places = [
            (axis.compute_x(point.at), round(_TOP + height * (1 - (point.value or 0) / top), 1))
            for point in run
        ]
        path = " ".join(f"{x},{y}" for x, y in places)
        yield f'<polyline class="line" points="{path}"/>'
        yield from (f'<circle class="dot" cx="{x}" cy="{y}" r="2"/>' for x, y in places)
    yield "</svg>"


def _describe_series(series: Series, values: Sequence[float]) -> str:
    if not values:
        return f"{series.title}: not seen in any run"
    unit = f" {series.unit}" if series.unit else ""
    limit = "" if series.limit is None else f", limit {normalize_number(series.limit)}{unit}"
    lowest, highest, newest = (normalize_number(value) for value in (min(values), max(values), values[-1]))
    return f"{series.title}: newest {newest}{unit}, from {lowest} to {highest}{unit}{limit}"


def _split_runs(points: Sequence[SeriesPoint]) -> Iterator[list[SeriesPoint]]:
    """Yield the stretches of points that were seen; a run that did not see it breaks the line."""
    stretch: list[SeriesPoint] = []
    for point in points:
        if point.value is not None:
            stretch.append(point)
        elif stretch:
            yield stretch
            stretch = []
    if stretch:
        yield stretch


def render_bars(report: SessionReport) -> Iterator[str]:
    """Yield the timeline: a bar for each condition, the blind stretches, and a mark for each message."""
    axis = TimeAxis(report.begins, report.ends, _BARS_WIDTH)
    bars = [bar for bar in report.bars if bar.severity != "blind"]
    blind = [bar for bar in report.bars if bar.severity == "blind"]
    height = _TOP + _ROW * max(len(bars), 1) + 2 * _ROW
    label = f"{len(bars)} conditions, {len(report.marks)} messages, {len(blind)} stretches without a run"
    yield f'<svg viewBox="0 0 {axis.width} {height}" role="img" aria-label="{escape_text(label)}">'
    yield from _render_blind(blind, axis, height)
    yield from _render_axis(axis, height)
    for number, bar in enumerate(bars):
        y = _TOP + number * _ROW
        left, right = axis.compute_x(bar.start), axis.compute_x(bar.end)
        width = max(round(right - left, 1), 2)
        yield f'<rect class="{bar.severity}" x="{left}" y="{y}" width="{width}" height="6" rx="2"/>'
        place, anchor = (left, "start") if left < axis.width / 2 else (max(right, left), "end")
        yield f'<text x="{place}" y="{y + 15}" text-anchor="{anchor}">{escape_text(bar.label)}</text>'
    yield from _render_marks(report.marks, axis, height - 2 * _ROW + 4)
    yield "</svg>"


def _render_blind(blind: Sequence[Bar], axis: TimeAxis, height: float) -> Iterator[str]:
    for bar in blind:
        left, right = axis.compute_x(bar.start), axis.compute_x(bar.end)
        width = round(right - left, 1)
        yield f'<rect class="blind" x="{left}" y="0" width="{width}" height="{height - _TOP}"/>'


def _render_axis(axis: TimeAxis, height: float) -> Iterator[str]:
    for x, label in axis.list_ticks():
        yield f'<line class="tick" x1="{x}" x2="{x}" y1="0" y2="{height - _TOP}"/>'
        yield f'<text class="hour" x="{x}" y="{height - 4}" text-anchor="middle">{escape_text(label)}</text>'


def _render_marks(marks: Sequence[Mark], axis: TimeAxis, y: float) -> Iterator[str]:
    for x in sorted({axis.compute_x(mark.at) for mark in marks}):
        yield f'<path class="mark" d="M{x},{y} l5,9 h-10 z"/>'
