"""The schedule's evidence for a report: what `gaps` and `readiness` print as JSON, as two of its tables."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

import click
from msgspec.structs import replace

from detector.app.job import Job
from detector.commands import gaps, readiness
from detector.domain.session_report import ReportTable
from detector.formats.errors import ExternalError, InputError

_GAP_COLUMNS = ("lane", "due", "covered", "late", "missing", "unknown or pending")


def list_evidence(
    job: Job, created_after: str | None, runs: str | None, with_readiness: bool
) -> Iterator[ReportTable]:
    """Yield the tables that were asked for; one that cannot be made is NOT PROVEN, with the reason."""
    if created_after is not None:
        words = ["--created-after", created_after, "--json", *(["--runs", runs] if runs else [])]
        document, fault = _run_command(job, gaps.command, words)
        yield _build_gap_table(document, fault)
    if with_readiness:
        job.app.print_stderr(
            "report: the scheduler's offline proof runs its tests; that takes a minute or two"
        )
        document, fault = _run_command(job, readiness.command, ["--json"])
        yield _build_readiness_table(document, fault)


def _run_command(job: Job, command: click.Command, words: Sequence[str]) -> tuple[Any, str]:
    """Run one command in process; return the JSON that it prints, or why there is none."""
    stdout, stderr = io.BytesIO(), io.StringIO()
    app = replace(job.app, stdout=stdout, stderr=stderr, clock=job.clock, printed=[])
    try:
        command.main([*words], obj=app, standalone_mode=False)
        return json.loads(stdout.getvalue()), ""
    except (InputError, ExternalError, click.ClickException, ValueError) as error:
        return None, str(error) or stderr.getvalue().strip() or type(error).__name__


def _build_gap_table(document: Any, fault: str) -> ReportTable:
    title = "The schedule's windows"
    if document is None:
        return ReportTable("gaps", title, _GAP_COLUMNS, missing=fault)
    lanes = [("all lanes together", document["union"])]
    lanes += [(str(lane["lane"]), lane) for lane in document["lanes"]]
    rows = tuple((name, *_list_counts(lane)) for name, lane in lanes)
    verdict = (str(document["github_schedule"]["says"]), *("",) * (len(_GAP_COLUMNS) - 1))
    return ReportTable(
        "gaps", f"{title} from {document['from']} to {document['until']}", _GAP_COLUMNS, (*rows, verdict)
    )


def _list_counts(lane: dict[str, Any]) -> tuple[str, ...]:
    names = ("expected_windows", "covered", "late", "missing_windows")
    return (*(str(lane[name]) for name in names), str(lane["unknown"] + lane["pending"]))


def _build_readiness_table(document: Any, fault: str) -> ReportTable:
    title, columns = "The scheduler's offline proof", ("check", "state", "detail")
    if document is None:
        return ReportTable("readiness", title, columns, missing=fault)
    rows = tuple((str(row["what"]), str(row["state"]), str(row["detail"])) for row in document["checks"])
    verdict = "ready" if document["ready"] else "not ready"
    return ReportTable("readiness", title, columns, (*rows, (verdict, "", str(document["why_not"]))))
