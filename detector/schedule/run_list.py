"""Parses the runs that GitHub lists: single runs, and a listing with the spans that it lacks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any, Final

from msgspec import Struct

from detector.domain.run_windows import COMPLETED, UnreadSpan, WorkflowRun
from detector.formats.errors import InputError
from detector.formats.numbers import format_count
from detector.formats.strict_json import redact_excerpt
from detector.formats.times import NEVER, RUNS_UNTIL, format_utc, parse_run_time

MOST_LISTED: Final = 1000
"""GitHub lists at most this many runs under a filter, and may report no higher total."""

_IN_GH: Final = {  # the names that `gh run list --json` gives the same fields
    "created_at": "createdAt",
    "run_started_at": "startedAt",
    "updated_at": "updatedAt",
    "display_title": "displayTitle",
    "run_attempt": "attempt",
    "id": "databaseId",
}
_BEGINS_WITHIN = timedelta(minutes=1)  # of its run's creation: only a first attempt


class WorkflowFile(Struct, frozen=True):
    """A workflow: the name of its file, and the name inside it."""

    file: str
    name: str


class Listing(Struct, frozen=True):
    """The listed runs, each once, in the order of their creation, and the spans that were not read.

    `left_out` has the workflow of each run that belongs to another one.
    """

    runs: tuple[WorkflowRun, ...]
    unread: tuple[UnreadSpan, ...] = ()
    left_out: tuple[str, ...] = ()


def parse_run(item: Any) -> WorkflowRun:
    """Return one item of "list workflow runs", or of `gh run list --json`; raises InputError.

    Missing fields are not guessed. `status` may be null by GitHub's description: such a run is not completed,
    unless it has a conclusion.
    """
    if not isinstance(item, Mapping):
        raise InputError("a run is not an object")
    created, started = _parse_time(item, "created_at"), _parse_time(item, "run_started_at")
    if created is None:
        raise InputError("a run has no created_at")
    number = _get_field(item, "id")
    event, conclusion = _get_text(item, "event"), _get_text(item, "conclusion")
    if "status" not in item or not event:
        raise InputError(f"a run has no {'event' if 'status' in item else 'status'}: list it with that field")
    return WorkflowRun(
        created_at=created,
        event=event,
        title=str(_get_field(item, "display_title") or ""),
        status=_get_text(item, "status") or (COMPLETED if conclusion else ""),
        conclusion=redact_excerpt(conclusion) or None,
        attempt=_parse_attempt(item, created, started),
        started_at=started,
        updated_at=_parse_time(item, "updated_at"),
        number=number if isinstance(number, int) else None,
    )


def _parse_attempt(item: Mapping[str, Any], created: datetime, started: datetime | None) -> int:
    """Return the number of the attempt; without it, 2 for a run that began long after its creation."""
    attempt = _get_field(item, "run_attempt")
    if attempt is None:
        if started is None:
            raise InputError(
                "a run has neither run_attempt nor run_started_at: a re-run could not be recognized"
            )
        return 1 if started - created <= _BEGINS_WITHIN else 2
    if not isinstance(attempt, int) or isinstance(attempt, bool) or attempt < 1:
        raise InputError("a run's run_attempt is not a whole number from 1 on")
    return attempt


def sort_runs(runs: Iterable[WorkflowRun]) -> tuple[WorkflowRun, ...]:
    """Return the runs by creation, each once: pages that change while they are read repeat some."""
    unique = {
        ("id", run.number) if run.number is not None else ("index", i): run for i, run in enumerate(runs)
    }
    return tuple(sorted(unique.values(), key=lambda run: (run.created_at, run.number or 0)))


def parse_listing(document: Any, listed_at: datetime | None, workflow: WorkflowFile | None = None) -> Listing:
    """Return the listing that a file holds: one answer of the API, a list of them, or a list of runs.

    Where `listed_at` is None, the time after the newest run is unread. So are the missing part of a list
    whose total is higher, and the time before the oldest run of a bare list, which has no total. Runs of
    another workflow are left out. Raises InputError, also where that leaves none.
    """
    items, total = _read_items(document)
    runs = sort_runs(parse_run(item) for item in items)
    unread = list(_find_unread(items, runs, total))
    if listed_at is None:
        newest = runs[-1].created_at if runs else NEVER
        why = "nobody says when the file of runs was listed (--listed-at)"
        unread.insert(0, UnreadSpan(newest, RUNS_UNTIL, why))
    own_items, left_out = _split_by_workflow(items, workflow)
    return Listing(sort_runs(parse_run(item) for item in own_items), tuple(unread), left_out)


def _find_unread(items: list[Any], runs: tuple[WorkflowRun, ...], total: int | None) -> Iterator[UnreadSpan]:
    """Yield the unread spans before the listing; raises InputError for a list that contradicts itself."""
    if total is not None and len(runs) > total:
        raise InputError(f"it holds {len(runs)} runs and says that there are {total} (total_count)")
    if total is not None and len(runs) == total != MOST_LISTED:
        return
    complete_from = _find_complete_from(items, runs)
    if total is not None:
        why = f"the file holds {len(runs)} of {total} runs"
        if len(runs) == total:
            why = f"the file holds {total} runs, and GitHub lists no more under a filter"
    elif complete_from == RUNS_UNTIL:
        why = "a bare list of runs that is empty, or not newest first, does not say what it lacks"
    else:
        why = (
            f"a bare list does not say whether there are older runs than that of {format_utc(complete_from)}"
        )
    yield UnreadSpan(NEVER, complete_from, why)


def _read_items(document: Any) -> tuple[list[Any], int | None]:
    """Return the items, and GitHub's total; None in a bare list."""
    pages = document if isinstance(document, list) else [document]
    if any(isinstance(page, Mapping) and "workflow_runs" in page for page in pages):
        items = [item for page in pages for item in _get_page_items(page)]
        return items, max(page["total_count"] for page in pages)
    if not isinstance(document, list):
        raise InputError("it is neither a list of runs nor an object with workflow_runs")
    return pages, None


def _get_page_items(page: Any) -> list[Any]:
    items = page.get("workflow_runs") if isinstance(page, Mapping) else None
    total = page.get("total_count") if isinstance(page, Mapping) else None
    if not isinstance(items, list) or not isinstance(total, int) or isinstance(total, bool):
        raise InputError("a page has no workflow_runs and total_count")
    return items


def _split_by_workflow(items: list[Any], workflow: WorkflowFile | None) -> tuple[list[Any], tuple[str, ...]]:
    """Return the runs that may be of the workflow, and the workflows of the others."""
    if workflow is None:
        return items, ()
    foreign_names = [_find_other_workflow(item, workflow) for item in items]
    own_items = [item for item, foreign_name in zip(items, foreign_names, strict=True) if not foreign_name]
    left_out = tuple(redact_excerpt(foreign_name) for foreign_name in foreign_names if foreign_name)
    if left_out and not own_items:
        raise InputError(
            f"none of its {format_count(len(items), 'run')} is of {workflow.file}: they are of {left_out[0]}"
        )
    return own_items, left_out


def _find_other_workflow(item: Mapping[str, Any], workflow: WorkflowFile) -> str:
    """Return the workflow of a run where it is another one, else empty; a path is preferred to a name."""
    path, name = item.get("path"), item.get("workflowName")
    if isinstance(path, str) and path:
        return "" if PurePosixPath(path.partition("@")[0]).name == workflow.file else path
    return name if isinstance(name, str) and name not in {"", workflow.name} else ""


def _find_complete_from(items: list[Any], runs: tuple[WorkflowRun, ...]) -> datetime:
    """Return from when on a cut list is complete: its oldest run if the newest is first, else never."""
    times = [parse_run(item).created_at for item in items]
    newest_first = all(later >= earlier for later, earlier in pairwise(times))
    return runs[0].created_at if runs and newest_first else RUNS_UNTIL


def _get_field(item: Mapping[str, Any], name: str) -> Any:
    return item.get(name, item.get(_IN_GH.get(name, name)))


def _get_text(item: Mapping[str, Any], name: str) -> str:
    value = _get_field(item, name)
    if value is not None and not isinstance(value, str):
        raise InputError(f"a run's {name} is not a text")
    return value or ""


def _parse_time(item: Mapping[str, Any], name: str) -> datetime | None:
    text = _get_field(item, name)
    if text is None:
        return None
    try:
        return parse_run_time(str(text))
    except InputError as error:
        raise InputError(f"a run's {name} {error}") from None
