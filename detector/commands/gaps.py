"""`gaps`: the windows that the schedule expects against the runs that happened."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from detector.app.context import Door, Refused, clock_of
from detector.app.github import MENDS, github_of, repository_of
from detector.app.output import show_json, show_lines
from detector.app.schedule import Written, time_of, written
from detector.domain.schedule_windows import DISPATCH, LATE, MISSING, UNKNOWN, GapReport, Scope
from detector.formats.edge_error import EdgeError
from detector.formats.plural import counted
from detector.formats.strict_json import DocumentError, parse_value
from detector.formats.times import text_of
from detector.settings import DISPLAY_ZONES, MARKET_CLOSURES, Settings

if TYPE_CHECKING:
    from detector.schedule import Listing

_MISSED, _NOT_TOLD = 1, 3
_LONGEST_RANGE = timedelta(days=400)  # GitHub keeps runs no longer
_LARGEST_FILE = 128 * 1024 * 1024  # a month of whole run objects is about 30 MiB
_SECONDS = 300.0


@click.command(
    epilog="Example: python -m detector gaps --created-after 2026-06-01T17:45:00Z --grace-minutes 8 --repo OWNER/NAME"
)
@click.option(
    "--created-after", required=True, metavar="TIME", help="The first window, RFC 3339 with an offset."
)
@click.option("--until", metavar="TIME", help="The end of the range; default: now, or --listed-at.")
@click.option(
    "--grace-minutes", type=click.IntRange(1, 1440), default=8, show_default=True,
    help="How long after its window a run may be created.",
)  # fmt: skip
@click.option("--runs", metavar="FILE", help="The runs as JSON, in place of --repo; - is standard input.")
@click.option("--listed-at", metavar="TIME", help="When --runs was listed; else it ends at its newest run.")
@click.option(
    "--repo",
    metavar="OWNER/NAME",
    help="Ask GitHub for the runs; default: GITHUB_REPOSITORY, else what the Worker triggers.",
)
@click.option("--workflow", metavar="FILE", help="The workflow file; default: the one of this checkout.")
@click.option(
    "--worker", metavar="FILE", help="The Worker's wrangler.jsonc; default: the one of this checkout."
)
@click.option(
    "--fail-on-missing", is_flag=False, flag_value="any", type=click.Choice(["any", "union"]), metavar="[any|union]",
    help="Exit 1 where a window of any lane, or of all lanes together, was not covered.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--now", metavar="TIME", help="The clock at the door, RFC 3339 (for tests).")
@click.option("--env-file", metavar="FILE", help="A file of settings; the environment wins over it.")
@click.pass_obj
def command(door: Door, /, **options: Any) -> int:
    """Say which windows of the schedule were covered, and which were late, missing, pending or unknown.

    The windows come from the crons as they stand in the workflow file and in the Worker's configuration.
    GitHub is asked with GH_TOKEN or GITHUB_TOKEN (Actions: read); a public repository needs none.
    Exit 0: judged. 1: with --fail-on-missing, a window was not covered. 3: some windows are unknown, because
    not every run could be listed.
    """
    settings = door.settings(options["env_file"])
    now = _now(door, options)
    between = _between(options, now)
    schedule = written(options["workflow"], options["worker"])
    listing, read = _listing(door, settings, options, (between, now, schedule))
    report = _judged(schedule, listing, between, _scope(options, now, listing, schedule.title), settings)
    taken = _shown(door, report, {**_files(schedule), **read}, settings if not options["as_json"] else None)
    return taken or _code(report, options["fail_on_missing"])


def _now(door: Door, options: dict[str, Any]) -> datetime:
    """Return the time as of which is judged: for a file, when it was listed."""
    if options["listed_at"] is not None:
        if options["runs"] is None:
            raise Refused("--listed-at says when a file was listed: give --runs with it")
        return time_of(options["listed_at"], "--listed-at")
    return clock_of(door, options["now"])()


def _between(options: dict[str, Any], now: datetime) -> tuple[datetime, datetime]:
    start = time_of(options["created_after"], "--created-after")
    end = now if options["until"] is None else time_of(options["until"], "--until")
    if end <= start:
        raise Refused(f"there is nothing between --created-after {text_of(start)} and {text_of(end)}")
    if start >= now:
        raise Refused(f"--created-after: {text_of(start)} has not come yet")
    if end - start > _LONGEST_RANGE:
        raise Refused(f"--created-after: GitHub keeps no runs for longer than {_LONGEST_RANGE.days} days")
    return start, end


Wanted = tuple[tuple[datetime, datetime], datetime, Written]


def _listing(
    door: Door, settings: Settings, options: dict[str, Any], wanted: Wanted
) -> tuple[Listing, dict[str, Any]]:
    """Return the runs, from a file or from GitHub, and what the report says of where they are from."""
    if options["runs"] is not None:
        if options["repo"]:
            raise Refused("give --runs or --repo, not both")
        complete_to = wanted[1] if options["listed_at"] else None
        return _from_file(door, options["runs"], complete_to, wanted[2]), {"runs": options["runs"]}
    repository = repository_of(door, options["repo"])
    return _from_github(door, settings, repository, wanted)


def _from_file(door: Door, name: str, complete_to: datetime | None, schedule: Written) -> Listing:
    from detector.schedule import ListError, Workflow, listing_of_file

    of = Workflow(schedule.workflow.name, schedule.name)
    try:
        data = door.stdin.read(_LARGEST_FILE + 1) if name == "-" else Path(name).read_bytes()
        listing = listing_of_file(parse_value(data, most=_LARGEST_FILE), complete_to, of)
    except OSError as error:
        raise Refused(f"--runs: {name}: {error.strerror or type(error).__name__}") from None
    except (DocumentError, ListError) as error:
        raise Refused(f"--runs: {name}: {error}") from None
    if listing.left_out:
        left, whose = counted(len(listing.left_out), "run"), ", ".join(sorted(set(listing.left_out)))
        door.say(f"gaps: {left} of other workflows were left out ({whose})")
    return listing


def _from_github(
    door: Door, settings: Settings, repository: str, wanted: Wanted
) -> tuple[Listing, dict[str, Any]]:
    from detector.clients.runs import Runs
    from detector.schedule.matching import LATE_WITHIN

    (start, end), now, schedule = wanted
    github = github_of(door, settings, repository, _SECONDS)
    runs = Runs(github, schedule.workflow.name, _teller(door))
    before = max(
        [one.stand_by.period for one in schedule.lanes if one.stand_by], default=timedelta(minutes=1)
    )
    listing = runs.between(start - before, min(now, end + LATE_WITHIN))
    if door.stderr.isatty():
        door.stderr.write("\r" + " " * 60 + "\r")
    read: dict[str, Any] = {"repository": repository, "workflow_state": None}
    for reason in dict.fromkeys(one.reason for one in listing.unread):
        if reason in MENDS:
            door.say(f"gaps: {MENDS[reason]}")
    if not listing.unread:
        try:
            read["workflow_state"] = runs.state()
        except EdgeError as error:
            door.say(f"gaps: GitHub did not say whether the workflow is enabled: {error}")
    return listing, read


def _teller(door: Door) -> Callable[[datetime], None]:
    def tell(moment: datetime) -> None:
        if door.stderr.isatty():
            door.stderr.write(f"\rlisting the runs from {text_of(moment)} ")
            door.stderr.flush()

    return tell


def _scope(options: dict[str, Any], now: datetime, listing: Listing, title: str) -> Scope:
    return Scope(timedelta(minutes=options["grace_minutes"]), now, unread=listing.unread, title_prefix=title)


def _judged(
    schedule: Written,
    listing: Listing,
    between: tuple[datetime, datetime],
    scope: Scope,
    settings: Settings,
) -> GapReport:
    from detector.schedule import judge

    return judge(schedule.lanes, listing.runs, between, scope, settings.files[MARKET_CLOSURES.name])


def _files(schedule: Written) -> dict[str, Any]:
    return {"workflow": str(schedule.workflow), "worker": str(schedule.worker) if schedule.worker else None}


def _shown(door: Door, report: GapReport, read: dict[str, Any], settings: Settings | None) -> int:
    from detector.render.gaps import build_gap_document, render_gap_report

    state = read.get("workflow_state")
    if state not in {None, "active"}:
        door.say(f"gaps: GitHub says that the workflow is not active but {state}: nothing runs it")
    if not any(lane.trigger == DISPATCH for lane in report.lanes):
        door.say("gaps: no Worker configuration was read; its lanes are not judged (--worker FILE)")
    if settings is None:
        return show_json(door, build_gap_document(report, read))
    return show_lines(door, render_gap_report(report, settings[DISPLAY_ZONES]))


def _code(report: GapReport, fails: str | None) -> int:
    judged = {"any": report.all_lanes, "union": (report.union,), None: ()}[fails]
    if any(lane.count(state) for lane in judged for state in (MISSING, LATE)):
        return _MISSED
    return _NOT_TOLD if any(lane.count(UNKNOWN) for lane in report.all_lanes) else 0
