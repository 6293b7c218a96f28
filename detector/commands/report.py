"""`report`: the evidence of a session, as text, Markdown, JSON or one self-contained HTML page.

What `gaps` and `readiness` print as JSON are two of its tables.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import click
from msgspec.structs import replace

from detector.app.context import AppContext, ExitCode, get_clock, parse_time_option, print_lines, print_text
from detector.app.job import Job, PipelinePlan
from detector.app.report_run import ReportRequest, run_report
from detector.commands import collect_option, env_file_option, gaps, now_option, readiness
from detector.domain.session_report import CONTINUE, ESCALATE, ReportTable, SessionReport
from detector.formats.errors import ExternalError, InputError
from detector.formats.serialize import format_document, to_json
from detector.settings import DISPLAY_ZONES, Settings
from detector.storage import artifact_file

_GAPS_FROM = "SCHEDULE_CREATED_AFTER"
_CODES = {CONTINUE: ExitCode.OK, ESCALATE: ExitCode.FINDING}


def _parse_day(_: click.Context, __: click.Parameter, value: str | None) -> date | None:
    """Return the day of a session, such as 2026-06-01."""
    try:
        return None if value is None else date.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} is no day such as 2026-06-01") from None


@click.command(epilog="Example: python -m detector report --format html --to page.html")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path, exists=True))
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "markdown", "json", "html"]),
    default="text",
    show_default=True,
    help="How it is written.",
)
@click.option("--to", metavar="FILE", help="Write it here, atomically, and print only the final line.")
@click.option("--session", callback=_parse_day, metavar="DAY", help="The session; default: the newest run's.")
@click.option("--runtime", metavar="NAME", help="The runtime, where the runs are of several.")
@click.option(
    "--gaps",
    "created_after",
    metavar="TIME",
    help="Add the schedule's gaps since then (SCHEDULE_CREATED_AFTER).",
)
@click.option("--runs", metavar="FILE", help="The workflow's runs for --gaps, as JSON, instead of GitHub.")
@click.option(
    "--readiness", is_flag=True, help="Add the offline proof of the scheduler (RUN_PREDEPLOY_READINESS=1)."
)
@click.option("--previous", metavar="FILE", help="For a live report: the detector's previous artifact.")
@collect_option
@click.option("--fail", "fails", is_flag=True, help="Exit 1 for stop and escalate, 3 for notify.")
@now_option
@env_file_option
@click.pass_obj
def command(app: AppContext, /, **options: Any) -> int:
    """Report the evidence of a session and its final line.

    The final line is continue, notify, or stop and escalate. From artifacts, folders, downloaded zips or
    snapshots; without a path, of now: a snapshot on standard input, or the configured sources. What was not
    seen is NOT PROVEN. SCHEDULE_CREATED_AFTER and RUN_PREDEPLOY_READINESS=1 in the environment add the
    schedule's gaps and the scheduler's proof.
    """
    settings = app.load_settings(options["env_file"])
    clock = get_clock(app, options["now"])
    job = Job(app, settings, clock, PipelinePlan(collect=options["collect"], quiet=True))
    request = ReportRequest(
        paths=options["paths"],
        day=options["session"],
        runtime=options["runtime"],
        previous=options["previous"],
        as_of=clock() if options["now"] else None,
        evidence=tuple(
            list_evidence(
                job,
                _get_gaps_start(options["created_after"], app.environ),
                options["runs"],
                options["readiness"] or app.environ.get("RUN_PREDEPLOY_READINESS") == "1",
            )
        ),
    )
    report = run_report(job, request)
    code = _write_report(app, report, settings, options)
    if code or not options["fails"]:
        return code
    return _CODES.get(report.final.word, ExitCode.UNDECIDED)


def _get_gaps_start(option: str | None, environ: Mapping[str, str]) -> str | None:
    """Return from when the schedule's gaps are asked for; raises InputError where that is no time."""
    name, text = ("--gaps", option) if option else (_GAPS_FROM, environ.get(_GAPS_FROM))
    if text:
        parse_time_option(text, name)
    return text or None


def _write_report(app: AppContext, report: SessionReport, settings: Settings, options: dict[str, Any]) -> int:
    from detector.render.report_text import format_final_line

    text = _get_renderer(options["form"])(report, settings[DISPLAY_ZONES])
    if options["to"] is None:
        return print_text(app, text)
    try:
        artifact_file.write_atomically(Path(options["to"]), text)
    except OSError as error:
        raise InputError(f"--to: {options['to']}: {error.strerror or type(error).__name__}") from None
    return print_lines(app, [format_final_line(report)])


def _get_renderer(form: str) -> Callable[[SessionReport, tuple[str, ...]], str]:
    """Return the function that writes the report in this form."""
    from detector.render.report_page import render_page
    from detector.render.report_text import render_report, render_report_markdown

    def join(lines: Iterable[str]) -> str:
        return "".join(f"{line}\n" for line in lines)

    return {
        "text": lambda report, zones: join(render_report(report, zones)),
        "markdown": lambda report, zones: join(render_report_markdown(report, zones)),
        "json": lambda report, _: format_document(to_json(report)),
        "html": render_page,
    }[form]


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
