"""Lists the runs of one workflow between two times, completely; spans that could not be read are reported."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Any

from msgspec import Struct

from detector.clients.github_api import GitHub
from detector.domain.run_windows import UnreadSpan, WorkflowRun
from detector.formats.errors import ExternalError, InputError
from detector.formats.strict_json import redact_excerpt
from detector.formats.times import format_time, format_utc
from detector.schedule.run_list import MOST_LISTED, Listing, parse_run, sort_runs

_SECOND, _SHORTEST_SPAN = timedelta(seconds=1), timedelta(minutes=1)
_DAY = timedelta(days=1)


def _drop_progress(_moment: datetime) -> None:
    pass


class WorkflowRuns(Struct):
    """Lists a workflow's runs; `workflow` is its file name, `on_progress` receives the start of each span."""

    github: GitHub
    workflow: str
    on_progress: Callable[[datetime], None] = _drop_progress
    _failure: tuple[str, str] | None = None

    def list_between(self, start: datetime, end: datetime) -> Listing:
        """Return the runs created in [start, end]; raises nothing, `unread` lists what is missing and why.

        A span with more runs than GitHub lists is read day by day, and a day with more in halves.
        """
        runs: list[WorkflowRun] = []
        unread: list[UnreadSpan] = []
        for part in self._list_span(start.replace(microsecond=0), end.replace(microsecond=0)):
            if isinstance(part, UnreadSpan):
                unread.append(part)
            else:
                runs += part
        return Listing(sort_runs(runs), tuple(sorted(unread, key=lambda span: span.start)))

    def get_state(self) -> str:
        """Return the state of the workflow: `active`, `disabled_inactivity`, ...; raises ExternalError."""
        return redact_excerpt(str(self.github.get(f"/actions/workflows/{self.workflow}").get("state")))

    def _list_span(self, start: datetime, end: datetime) -> Iterator[list[WorkflowRun] | UnreadSpan]:
        if self._failure:
            yield UnreadSpan(start, end, *self._failure)
            return
        self.on_progress(start)
        try:
            parts = self._fetch_span(start, end)
        except ExternalError as error:
            # One error is enough: the next request would meet the same limit, refusal or deadline.
            self._failure = f"GitHub's list of runs from {format_utc(start)} on: {error}", error.reason
            yield UnreadSpan(start, end, *self._failure)
            return
        except InputError as error:
            yield UnreadSpan(start, end, f"GitHub's list of runs from {format_utc(start)} on: {error}")
            return
        if parts is not None:
            yield from parts
        elif end - start <= _SHORTEST_SPAN:
            yield UnreadSpan(
                start, end, f"{MOST_LISTED} runs or more within a minute, at {format_utc(start)}"
            )
        else:
            for part in reversed(list(_split_span(start, end))):
                yield from self._list_span(*part)

    def _fetch_span(self, start: datetime, end: datetime) -> list[list[WorkflowRun] | UnreadSpan] | None:
        """Return the runs of a span, or None where it may hold more runs than GitHub lists."""
        items: list[Any] = []
        max_total = 0
        params = {"created": f"{format_time(start)}..{format_time(end)}", "exclude_pull_requests": "true"}
        for total, page in self.github.list_pages(
            f"/actions/workflows/{self.workflow}/runs", "workflow_runs", params
        ):
            if total >= MOST_LISTED:
                return None
            items += page
            max_total = max(max_total, total)
        runs = sort_runs(parse_run(item) for item in items)
        if len(runs) != max_total:
            return [
                list(runs),
                UnreadSpan(
                    start, end, f"GitHub listed {len(runs)} of {max_total} runs from {format_utc(start)} on"
                ),
            ]
        return [list(runs)]


def _split_span(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Split a span, both ends included, at the midnights of UTC; a day or less in its middle."""
    if end - start < _DAY:
        middle = start + (end - start) // 2
        middle = middle.replace(microsecond=0)
        yield start, middle
        yield middle + _SECOND, end
        return
    while start <= end:
        midnight = datetime.combine(start.date() + _DAY, time(), UTC)
        yield start, min(end, midnight - _SECOND)
        start = midnight
