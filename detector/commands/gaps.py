"""`gaps`: compares the windows of the schedule with the runs that happened."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from detector.app.context import (
    AppContext,
    get_clock,
    parse_time_option,
    print_json,
    print_lines,
    print_wait_hint,
)
from detector.app.github_access import (
    RUNS_ADVICE,
    LoadedSchedule,
    build_github_client,
    find_repository,
    load_schedule,
)
from detector.clients.local_file import read_file
from detector.commands import env_file_option, now_option
from detector.domain.run_windows import DISPATCH, LATE, MISSING, UNKNOWN, GapReport, Scope
from detector.formats.errors import ExternalError, InputError
from detector.formats.numbers import format_count
from detector.formats.strict_json import parse_value
from detector.formats.times import format_utc
from detector.settings import DISPLAY_ZONES, MARKET_CLOSURES, Settings

if TYPE_CHECKING:
    from detector.schedule.run_list import Listing

_MISSED, _UNDECIDED = 1, 3
_LONGEST_RANGE = timedelta(days=400)  # GitHub keeps runs no longer
_LARGEST_FILE = 128 * 1024 * 1024  # a month of whole run objects is about 30 MiB
_TIMEOUT_SEC = 300.0


@click.command(
    epilog="Example: python -m detector gaps --created-after 2026-06-01T17:45:00Z"
    " --until 2026-06-01T18:45:00Z"
)
@click.option(
    "--created-after", required=True, metavar="TIME", help="The first window, RFC 3339 with an offset."
)
@click.option("--until", metavar="TIME", help="The end of the range; default: now, or --listed-at.")
@click.option(
    "--grace-minutes", type=click.IntRange(1, 1440), default=8, show_default=True,
    help="How long after its window a run may be created.",
)  # fmt: skip
@click.option("--runs", metavar="FILE", help="The runs as JSON, instead of --repo; - is standard input.")
@click.option("--listed-at", metavar="TIME", help="When --runs was listed; else it ends at its newest run.")
@click.option(
    "--repo",
    metavar="OWNER/NAME",
    help="Ask GitHub for the runs; default: GITHUB_REPOSITORY, else the git remote origin.",
)
@click.option("--workflow", metavar="FILE", help="The workflow file; default: the one of this checkout.")
@click.option(
    "--worker", metavar="FILE", help="The Worker's wrangler.jsonc; default: the one of this checkout."
)
@click.option(
    "--fail-on-missing",
    is_flag=False,
    flag_value="any",
    type=click.Choice(["any", "union"]),
    metavar="[any|union]",
    help="Exit 1 where a window of any lane, or of all lanes together, was not covered.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@now_option
@env_file_option
@click.pass_obj
def command(app: AppContext, /, **options: Any) -> int:
    """Compare the windows of the schedule with the runs.

    Each window was covered, late or missing, or is pending or unknown. The windows come from the crons as
    they stand in the workflow file and in the Worker's configuration. GitHub is asked with GH_TOKEN or
    GITHUB_TOKEN (Actions: read); a public repository needs none. Exit 0: judged. 1: with --fail-on-missing, a
    window was not covered. 3: some windows are unknown, because not every run could be listed.
    """
    from detector.schedule.judge import judge

    settings = app.load_settings(options["env_file"])
    now = _get_now(app, options)
    time_range = _parse_range(options, now)
    schedule = load_schedule(options["workflow"], options["worker"])
    listing, origin = _list_runs(app, settings, options, (time_range, now, schedule))
    grace = timedelta(minutes=options["grace_minutes"])
    scope = Scope(grace, now, unread=listing.unread, title_prefix=schedule.title)
    closures = settings.files[MARKET_CLOSURES.name]
    report = judge(schedule.lanes, listing.runs, time_range, scope, closures)
    files = {"workflow": str(schedule.workflow), "worker": str(schedule.worker) if schedule.worker else None}
    output_code = _print_report(
        app, report, {**files, **origin}, settings if not options["as_json"] else None
    )
    return output_code or _compute_exit_code(report, options["fail_on_missing"])


def _get_now(app: AppContext, options: dict[str, Any]) -> datetime:
    """Return the time of the evaluation: for a file, when it was listed."""
    if options["listed_at"] is not None:
        if options["runs"] is None:
            raise InputError("--listed-at says when a file was listed: give --runs with it")
        return parse_time_option(options["listed_at"], "--listed-at")
    return get_clock(app, options["now"])()


def _parse_range(options: dict[str, Any], now: datetime) -> tuple[datetime, datetime]:
    start = parse_time_option(options["created_after"], "--created-after")
    end = now if options["until"] is None else parse_time_option(options["until"], "--until")
    if end <= start:
        raise InputError(
            f"there is nothing between --created-after {format_utc(start)} and {format_utc(end)}"
        )
    if start >= now:
        raise InputError(f"--created-after: {format_utc(start)} has not come yet")
    if end - start > _LONGEST_RANGE:
        raise InputError(f"--created-after: GitHub keeps no runs for longer than {_LONGEST_RANGE.days} days")
    return start, end


GapsRequest = tuple[tuple[datetime, datetime], datetime, LoadedSchedule]


def _list_runs(
    app: AppContext, settings: Settings, options: dict[str, Any], request: GapsRequest
) -> tuple[Listing, dict[str, Any]]:
    """Return the runs, from a file or from GitHub, and their origin for the report."""
    if options["runs"] is not None:
        if options["repo"]:
            raise InputError("give --runs or --repo, not both")
        complete_to = request[1] if options["listed_at"] else None
        return _read_runs(app, options["runs"], complete_to, request[2]), {"runs": options["runs"]}
    repository = find_repository(app, options["repo"])
    return _fetch_runs(app, settings, repository, request)


def _read_runs(app: AppContext, name: str, complete_to: datetime | None, schedule: LoadedSchedule) -> Listing:
    from detector.schedule.run_list import WorkflowFile, parse_listing

    workflow = WorkflowFile(schedule.workflow.name, schedule.name)
    try:
        if name == "-":
            print_wait_hint(app, "the list of runs")
            data = app.stdin.read(_LARGEST_FILE + 1)
        else:
            data = read_file(name, _LARGEST_FILE + 1).data
        listing = parse_listing(parse_value(data, max_bytes=_LARGEST_FILE), complete_to, workflow)
    except OSError as error:
        raise InputError(f"--runs: {name}: {error.strerror or type(error).__name__}") from None
    except InputError as error:
        raise InputError(f"--runs: {name}: {error}") from None
    if listing.left_out:
        left_out = format_count(len(listing.left_out), "run")
        workflows = ", ".join(sorted(set(listing.left_out)))
        app.print_stderr(f"gaps: {left_out} of other workflows were left out ({workflows})")
    return listing


def _fetch_runs(
    app: AppContext, settings: Settings, repository: str, request: GapsRequest
) -> tuple[Listing, dict[str, Any]]:
    from detector.clients.workflow_runs import WorkflowRuns
    from detector.schedule.matching import LATE_WITHIN

    (start, end), now, schedule = request
    github = build_github_client(app, settings, repository, _TIMEOUT_SEC)
    runs = WorkflowRuns(
        github,
        schedule.workflow.name,
        lambda moment: app.print_progress(f"listing the runs from {format_utc(moment)}"),
    )
    margin = max(
        [lane.stand_by.period for lane in schedule.lanes if lane.stand_by], default=timedelta(minutes=1)
    )
    listing = runs.list_between(start - margin, min(now, end + LATE_WITHIN))
    app.print_progress()
    origin: dict[str, Any] = {"repository": repository, "workflow_state": None}
    for reason in dict.fromkeys(unread.reason for unread in listing.unread):
        if reason in RUNS_ADVICE:
            app.print_stderr(f"gaps: {RUNS_ADVICE[reason]}")
    if not listing.unread:
        try:
            origin["workflow_state"] = runs.get_state()
        except ExternalError as error:
            app.print_stderr(f"gaps: GitHub did not say whether the workflow is enabled: {error}")
    return listing, origin


def _print_report(
    app: AppContext, report: GapReport, origin: dict[str, Any], settings: Settings | None
) -> int:
    from detector.render.gaps import build_gap_document, render_gap_report

    state = origin.get("workflow_state")
    if state not in {None, "active"}:
        app.print_stderr(f"gaps: GitHub says that the workflow is not active but {state}: nothing runs it")
    if not any(lane.trigger == DISPATCH for lane in report.lanes):
        app.print_stderr("gaps: no Worker configuration was read; its lanes are not judged (--worker FILE)")
    if settings is None:
        return print_json(app, build_gap_document(report, origin))
    return print_lines(app, render_gap_report(report, settings[DISPLAY_ZONES]))


def _compute_exit_code(report: GapReport, fail_on: str | None) -> int:
    lanes = {"any": report.all_lanes, "union": (report.union,), None: ()}[fail_on]
    if any(lane.count(state) for lane in lanes for state in (MISSING, LATE)):
        return _MISSED
    return _UNDECIDED if any(lane.count(UNKNOWN) for lane in report.all_lanes) else 0
