"""`gaps`: the windows against the runs of a file or of GitHub; the output and the exit code."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from detector.domain.run_windows import Scope, UnreadSpan
from detector.render.gaps import NOT_ALONE, render_gap_report
from detector.schedule.judge import judge
from tests.support.github_runs import FakeGitHub, github_on_loopback, rate_limited
from tests.support.loopback import closed_port
from tests.support.program import Answer, answer
from tests.support.snapshots import ROOT
from tests.support.workflow_runs import FALLBACK, PRIMARY, answered, at, dispatched, item, scheduled

AFTERNOON = ROOT / "tests" / "fixtures" / "run_times" / "one-afternoon.json"
STATES = ("covered", "late", "missing_windows", "pending", "unknown")
TOKEN = "github_pat_11AAAAAAA0123456789_sesame"


@pytest.fixture(autouse=True)
def checkout(tmp_path, monkeypatch) -> Path:
    """A checkout whose workflow has both of GitHub's lanes, and no Worker."""
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    lines = "".join(f'    - cron: "{cron}"\n' for cron in (PRIMARY, FALLBACK))
    head = "name: Notify\nrun-name: PT health | ${{ github.event_name }}\n"
    (folder / "notify-aws-ibkr-pt-health.yml").write_text(f"{head}on:\n  schedule:\n{lines}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def worker(checkout: Path, **variables: str) -> None:
    (checkout / "scheduler").mkdir()
    config = {"triggers": {"crons": ["0,10,20,30,40,50 13-21 * * MON-FRI"]}, "vars": variables}
    (checkout / "scheduler" / "wrangler.jsonc").write_text(f"// ours\n{json.dumps(config)}")


def gaps(*words: str, runs: Any = None, environ: Any = None, **more: str) -> Answer:
    options = {
        "created-after": "2026-06-01T14:00:00Z",
        "until": "2026-06-01T15:00:00Z",
        "now": "2026-06-01T16:00:00Z",
        **more,
    }
    given = [text for name, value in options.items() if value for text in (f"--{name}", value)]
    if runs is None:
        return answer("gaps", *given, *words, environ=environ)
    if "until" not in more or more["until"]:
        given = [word.replace("--now", "--listed-at") for word in given]
    return answer("gaps", *given, "--runs", "-", *words, stdin=json.dumps(runs), environ=environ)


def healthy(start: str = "2026-06-01T14:00:00Z", hours: int = 1) -> list[dict[str, Any]]:
    first = at(start)
    ticks = [first + timedelta(minutes=minute, seconds=40) for minute in range(7, 60 * hours, 5)]
    return [
        item(tick, **scheduled(PRIMARY if tick.minute % 10 == 7 else FALLBACK))
        for tick in ticks
        if tick.minute % 60 > 5
    ]


def counts(found: Answer, index: int | None = None) -> dict[str, int]:
    lane = found.document["union"] if index is None else found.document["lanes"][index]
    return {name: lane[name] for name in ("expected_windows", *STATES) if lane[name]}


# ---- what it tells -----------------------------------------------------------------------------------------


def test_a_healthy_day_covers_every_window():
    found = gaps("--json", runs=answered(healthy()))
    assert found.code == 0
    assert counts(found, 0) == {"expected_windows": 6, "covered": 6}
    assert counts(found, 1) == {"expected_windows": 5, "covered": 5}
    assert counts(found) == {"expected_windows": 11, "covered": 11}
    assert found.document["union"]["longest_gap_minutes"] == 7.3
    assert found.document["github_schedule"]["can_be_the_only_lane"] is True


def test_a_missing_window_says_the_runbooks_sentence_even_when_later_runs_succeeded():
    runs = [one for one in healthy() if "14:17" not in one["created_at"]]
    found = gaps("--json", runs=answered(runs))
    assert found.code == 0
    assert counts(found, 0) == {"expected_windows": 6, "covered": 5, "missing_windows": 1}
    verdict = found.document["github_schedule"]
    assert verdict["can_be_the_only_lane"] is False
    assert verdict["says"].endswith(NOT_ALONE)
    assert NOT_ALONE in " ".join(gaps(runs=answered(runs)).out.decode().split())


def test_a_window_that_is_not_covered_is_told_with_its_reason_its_day_and_its_run():
    found = gaps(
        "--json", runs=answered([item("2026-06-01T14:08:00Z", "failure")]), until="2026-06-01T14:10:00Z"
    )
    assert found.document["lanes"][0]["not_covered"] == [
        {
            "at": "2026-06-01T14:07:00Z",
            "state": "missing",
            "why": "failure",
            "day": "session",
            "in_session": True,
            "run": {"id": 202606011408000, "created_at": "2026-06-01T14:08:00Z"},
        }
    ]


def test_the_strip_has_one_character_a_window_and_no_line_is_wider_than_a_terminal():
    found = answer(
        "gaps",
        "--created-after",
        "2026-05-25T00:00:00Z",
        "--until",
        "2026-06-01T22:00:00Z",
        "--listed-at",
        "2026-06-01T22:30:00Z",
        "--runs",
        str(AFTERNOON),
    )
    lines = found.out.decode().splitlines()
    assert max(map(len, lines)) <= 80
    assert "H Mon 05-25 13h xxxxxx xxxxxx xxxxxx xxxxxx xxxxxx xxxxxx xxxxxx xxxxxx xxxxxx" in lines
    assert "  Tue 05-26 13h xxxXXX XXXXXX XXXXXX XXXXXX XXXXXX XXXXXX XXXXXX xxxxxx xxxxxx" in lines
    strips = "".join(
        line[16:] for line in lines[: lines.index("all lanes together")] if line[6:8] in ("05", "06")
    )
    assert sum(strips.count(mark) for mark in ".LlXx~?") == 6 * (54 + 45)
    assert "\x1b" not in found.out.decode()


def test_the_half_day_is_marked():
    found = gaps(
        runs=answered([]),
        **{
            "created-after": "2026-11-27T17:00:00Z",
            "until": "2026-11-27T19:00:00Z",
            "now": "2026-11-27T20:00:00Z",
        },
    )
    assert "h Fri 11-27 17h XXXXXX xxxxxx" in found.out.decode()


def test_a_run_of_the_other_lane_is_no_answer_and_a_dispatch_is_one_in_the_union_alone(checkout):
    worker(checkout, MODE="always")
    runs = [
        item("2026-06-01T14:09:00Z", **scheduled(FALLBACK)),
        item("2026-06-01T14:12:30Z", **dispatched("my-cron")),
    ]
    found = gaps("--json", runs=answered(runs), until="2026-06-01T14:13:00Z")
    assert [counts(found, lane) for lane in range(3)] == [
        {"expected_windows": 1, "missing_windows": 1},
        {"expected_windows": 1, "missing_windows": 1},
        {"expected_windows": 2, "missing_windows": 2},
    ]
    assert counts(found) == {"expected_windows": 4, "covered": 3, "missing_windows": 1}
    assert found.document["other_runs"] == {"PT health | dispatch my-cron": 1}


def test_the_worker_of_the_checkout_is_a_lane_that_stands_by(checkout):
    worker(checkout, MODE="absent", PERIOD_MINUTES="10", ON_ITS_WAY_MINUTES="5", WATCH_TO_UTC="22:00")
    found = gaps("--json", runs=answered(healthy("2026-06-01T13:00:00Z", 2)))
    assert counts(found, 2) == {}
    assert found.document["lanes"][2]["stood_by"] == 6
    assert found.document["worker"] == "scheduler/wrangler.jsonc"


def test_without_a_worker_it_says_so():
    assert (
        gaps(runs=answered([])).err
        == "gaps: no Worker configuration was read; its lanes are not judged (--worker FILE)\n"
    )


# ---- files -------------------------------------------------------------------------------------------------


def test_what_comes_after_a_files_newest_run_is_unknown_unless_its_owner_says_until_when_it_was_listed():
    runs = answered([one for one in healthy() if one["created_at"] < "2026-06-01T14:30"])
    found = gaps("--json", runs=runs, until="")
    assert counts(found, 0)["unknown"] == 10
    assert found.document["unread"][0] == {
        "from": "2026-06-01T14:27:40Z",
        "until": "9000-01-01T00:00:00Z",
        "why": "nobody says when the file of runs was listed (--listed-at)",
    }
    assert found.code == 3
    assert "unknown" not in counts(gaps("--json", runs=runs), 0)


def test_an_empty_file_knows_nothing():
    assert set(counts(gaps("--json", runs=answered([]), until=""))) == {"expected_windows", "unknown"}


@pytest.mark.parametrize(
    ("newest_first", "known"),
    [
        pytest.param(True, 3, id="newest first: the older ones"),
        pytest.param(False, 0, id="in another order: all of them"),
    ],
)
def test_a_cut_listing_is_unknown_where_it_was_cut(newest_first, known):
    runs = answered([one for one in healthy() if one["created_at"] >= "2026-06-01T14:27"], total=11)
    if not newest_first:
        runs["workflow_runs"].reverse()
    found = gaps("--json", runs=runs)
    assert counts(found, 0).get("covered", 0) == known
    assert counts(found, 0)["unknown"] == 6 - known
    assert "missing_windows" not in counts(found)
    assert found.code == 3


@pytest.mark.parametrize(
    "shape",
    [
        pytest.param(answered, id="one answer of the API"),
        pytest.param(
            lambda runs: [answered(runs[:4], 11), answered(runs[4:], 11)],
            id="pages, as gh api --slurp gives them",
        ),
        pytest.param(lambda runs: _from_before(runs)[::-1], id="a list of runs"),
        pytest.param(
            lambda runs: [
                {
                    "createdAt": one["created_at"],
                    "displayTitle": one["display_title"],
                    "event": one["event"],
                    "status": one["status"],
                    "conclusion": one["conclusion"],
                    "attempt": one["run_attempt"],
                    "workflowName": "Notify",
                }
                for one in _from_before(runs)[::-1]
            ],
            id="as gh run list --json gives them",
        ),
    ],
)
def test_a_file_may_hold_runs_in_any_of_these_shapes(shape):
    found = gaps("--json", runs=shape(healthy()))
    assert (found.code, counts(found)) == (0, {"expected_windows": 11, "covered": 11})


def _from_before(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """With a run from before the range: a bare list knows nothing of what comes before its oldest."""
    return [item("2026-06-01T13:58:00Z"), *runs]


def test_the_newest_runs_of_gh_run_list_say_nothing_of_the_windows_before_them():
    newest = [one for one in healthy() if one["created_at"] > "2026-06-01T14:30"][::-1]
    found = gaps("--json", runs=newest)
    assert found.code == 3
    assert counts(found) == {"expected_windows": 11, "covered": 5, "unknown": 6}


def test_the_runs_of_another_workflow_cover_nothing():
    """`gh api .../actions/runs` lists those of all workflows."""
    others = [{**one, "display_title": "CodeQL", "path": ".github/workflows/codeql.yml"} for one in healthy()]
    found = gaps("--json", runs=answered([*others, item("2026-06-01T14:07:30Z")]))
    assert counts(found) == {"expected_windows": 11, "covered": 1, "missing_windows": 10}
    assert "11 runs of other workflows were left out (.github/workflows/codeql.yml)" in found.err
    alone = gaps("--json", runs=answered(others))
    assert (alone.code, alone.out) == (2, b"")
    assert "none of its 11 runs is of notify-aws-ibkr-pt-health.yml" in alone.err


def test_a_dispatch_with_the_title_of_githubs_lane_covers_nothing_of_it():
    runs = [{**one, "event": "repository_dispatch"} for one in healthy()]
    assert counts(gaps("--json", runs=answered(runs)), 0) == {"expected_windows": 6, "missing_windows": 6}


def test_titles_begin_as_the_run_name_of_the_file_has_it(checkout):
    text = (checkout / ".github" / "workflows" / "notify-aws-ibkr-pt-health.yml").read_text()
    Path("other.yml").write_text(text.replace("PT health | ", "My bot | "))
    runs = [
        {**one, "display_title": one["display_title"].replace("PT health | ", "My bot | ")}
        for one in healthy()
    ]
    assert counts(gaps("--json", "--workflow", "other.yml", runs=answered(runs)))["covered"] == 11
    assert counts(gaps("--json", runs=answered(runs)), 0) == {"expected_windows": 6, "missing_windows": 6}


def test_runs_without_a_lane_in_their_title_are_counted_in_a_sentence():
    runs = [{**one, "display_title": "Nightly"} for one in healthy()]
    runs = [{**one, "event": "repository_dispatch"} for one in runs]
    text = " ".join(gaps(runs=answered(runs)).out.decode().split())
    assert f"{len(runs)} runs have no lane in their titles, such as 'Nightly': counted for all lanes" in text
    assert "`PT health | <cron>`" in text
    assert "1 run has no lane in its title, such as" in " ".join(
        gaps(runs=answered(runs[:1])).out.decode().split()
    )
    assert "no lane in" not in gaps(runs=answered(healthy())).out.decode()


def test_strips_are_of_the_newest_month():
    lines = (
        gaps(runs=answered([]), until="2026-06-01T15:00:00Z", **{"created-after": "2026-03-01T14:00:00Z"})
        .out.decode()
        .splitlines()
    )
    assert sum(line[2:5] in {"Mon", "Tue", "Wed", "Thu", "Fri"} for line in lines) <= 3 * 31 * 2
    assert any(
        re.fullmatch(r"  the newest 31 of 6\d days; --json lists every window", line) for line in lines
    )


def test_where_nothing_was_listed_a_lane_is_one_line_without_a_strip():
    environ = {"GITHUB_API_URL": f"http://127.0.0.1:{closed_port()}", "GITHUB_REPOSITORY": "o/r"}
    found = gaps(environ=environ)
    lines = found.out.decode().splitlines()
    assert found.code == 3
    assert lines.count("  no run could be listed for any of its windows") == 3
    assert not any("?" in line for line in lines if "unknown" not in line)


def test_what_a_run_says_of_its_end_is_shown_on_one_line_without_escapes():
    hostile = item("2026-06-01T14:08:00Z", "\x1b[31mfail\n::error::x")
    found = gaps(runs=answered([hostile]), until="2026-06-01T14:10:00Z")
    lines = found.out.decode().splitlines()
    assert "\x1b" not in found.out.decode()
    assert not any(line.startswith("::") for line in lines)
    assert any(line.endswith("[31mfail ::error::x") for line in lines)


def test_no_line_is_a_command_to_a_workflows_runner_wherever_it_is_wrapped():
    span = (at("2026-06-01T14:00Z"), at("2026-06-01T15:00Z"))
    for length in range(1, 90):
        scope = Scope(
            timedelta(minutes=8), span[1], unread=(UnreadSpan(*span, f"{'x' * length} ::error::x"),)
        )
        lines = list(render_gap_report(judge((), (), span, scope), ("UTC",)))
        assert not any(line.startswith("::") for line in lines), length


@pytest.mark.parametrize("year", ["0001-01-01", "9999-12-31"])
def test_a_run_at_the_end_of_time_is_refused(year):
    found = gaps(runs=answered([item(f"{year}T23:59:59Z")]))
    assert (found.code, found.out) == (2, b"")
    assert "a run's created_at is outside the years 1970 to 8999" in found.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param(
            ["--runs", "nowhere.json"], "--runs: nowhere.json: No such file or directory", id="no such file"
        ),
        pytest.param(["--runs", "-", "--repo", "a/b"], "give --runs or --repo, not both", id="both"),
        pytest.param([], "name the repository: --repo OWNER/NAME", id="neither"),
        pytest.param(["--repo", "owner"], "--repo: 'owner' is not OWNER/NAME", id="no repository"),
        pytest.param(
            ["--repo", "a/b/../../user"], "--repo: 'a/b/../../user' is not OWNER/NAME", id="a way out of it"
        ),
        pytest.param(["--runs", "-"], "--runs: -: the document is empty", id="nothing on stdin"),
        pytest.param(
            ["--runs", "-", "--workflow", "x.yml"],
            "--workflow: x.yml: No such file or directory",
            id="no workflow",
        ),
        pytest.param(
            ["--runs", "-", "--worker", "x.jsonc"],
            "--worker: x.jsonc: No such file or directory",
            id="no Worker",
        ),
        pytest.param(
            ["--runs", "-", "--grace-minutes", "0"], "Invalid value for '--grace-minutes'", id="no grace"
        ),
    ],
)
def test_what_cannot_be_judged_is_refused(words, says):
    found = answer("gaps", "--created-after", "2026-06-01T14:00:00Z", *words, stdin=b"")
    assert (found.code, found.out) == (2, b"")
    assert found.err.startswith(f"detector: {says}")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"created-after": "yesterday"}, "--created-after: 'yesterday' is not an RFC 3339 time"),
        (
            {"created-after": "2026-06-01T14:00:00"},
            "--created-after: '2026-06-01T14:00:00' names no offset from UTC",
        ),
        ({"until": "2026-06-01T14:00:00Z"}, "there is nothing between --created-after"),
        (
            {"created-after": "2020-06-01T14:00:00Z"},
            "--created-after: GitHub keeps no runs for longer than 400 days",
        ),
    ],
)
def test_a_range_that_is_none_is_refused(more, says):
    found = gaps(runs=answered([]), **more)
    assert (found.code, found.out) == (2, b"")
    assert found.err.startswith(f"detector: {says}")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"workflow_runs": []}', "a page has no workflow_runs and total_count"),
        ("{}", "it is neither a list of runs nor an object with workflow_runs"),
        ("[1]", "a run is not an object"),
        ("[{}]", "a run has no created_at"),
        ('[{"created_at": "2026-06-01T14:07:00Z"}]', "a run has no status"),
        ('[{"created_at": "soon"}]', "a run's created_at is not an RFC 3339 time"),
        ("nonsense", "line 1 column 1"),
    ],
)
def test_a_file_that_holds_no_runs_is_refused(text, says):
    Path("runs.json").write_text(text)
    found = gaps("--runs", "runs.json")
    assert (found.code, found.out) == (2, b"")
    assert says in found.err


def test_outside_of_a_checkout_it_says_what_to_do(tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    found = gaps(runs=answered([]))
    assert found.err == (
        "detector: there is no .github/workflows/notify-aws-ibkr-pt-health.yml here:"
        " run it in the repository's "
        "checkout, or name the file with --workflow\n"
    )


def test_a_dialect_error_names_the_file_the_field_and_its_value(checkout):
    Path("other.yml").write_text("on: {schedule: [{cron: '0 13 * * 7'}]}")
    found = gaps("--workflow", "other.yml", runs=answered([]))
    assert found.code == 2
    assert found.err.startswith(
        "detector: --workflow: other.yml: on.schedule number 1: the weekday field '7'"
    )


# ---- exit codes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("drop", "total", "words", "code"),
    [
        pytest.param(None, None, ["--fail-on-missing"], 0, id="nothing missing"),
        pytest.param("14:17", None, [], 0, id="missing, and nobody asked"),
        pytest.param("14:17", None, ["--fail-on-missing"], 1, id="missing in a lane"),
        pytest.param("14:17", None, ["--fail-on-missing", "union"], 0, id="where the union was covered"),
        pytest.param(":", None, ["--fail-on-missing", "union"], 1, id="nobody looked at all"),
        pytest.param(None, 50, [], 3, id="unknown"),
        pytest.param(None, 50, ["--fail-on-missing"], 3, id="unknown is not missing"),
        pytest.param("14:57", 50, ["--fail-on-missing"], 1, id="some missing, others unknown"),
    ],
)
def test_the_exit_code_says_whether_a_window_is_missing_or_unknown(drop, total, words, code):
    runs = [one for one in healthy() if drop is None or drop not in one["created_at"][:-4]]
    listing = answered(runs, total)
    if total and drop is None:
        listing["workflow_runs"].reverse()
    assert gaps(*words, runs=listing).code == code


# ---- asking GitHub -----------------------------------------------------------------------------------------


def asking(github: FakeGitHub, *words: str, **more: str) -> Answer:
    environ = {"GITHUB_API_URL": github.url, "GH_TOKEN": TOKEN}
    return gaps("--repo", "owner/name", "--json", *words, environ=environ, **more)


def test_github_is_asked_for_the_workflow_of_the_file_with_the_token():
    with github_on_loopback(*healthy()) as github:
        found = asking(github)
    assert (found.code, counts(found)) == (0, {"expected_windows": 11, "covered": 11})
    assert [one.path.rpartition("/actions/")[2] for one in github.asked] == [
        "workflows/notify-aws-ibkr-pt-health.yml/runs",
        "workflows/notify-aws-ibkr-pt-health.yml",
    ]
    # From a minute before the first window, and on to now: a late run may come hours later.
    assert github.asked[0].query["created"] == "2026-06-01T13:59:00Z..2026-06-01T16:00:00Z"
    assert {one.headers["authorization"] for one in github.asked} == {f"Bearer {TOKEN}"}
    assert TOKEN not in found.out.decode() + found.err
    assert (found.document["repository"], found.document["workflow_state"]) == ("owner/name", "active")


def test_a_public_repository_needs_no_token():
    with github_on_loopback() as github:
        found = gaps("--json", environ={"GITHUB_API_URL": github.url, "GITHUB_REPOSITORY": "owner/name"})
    assert found.code == 0
    assert "authorization" not in github.asked[0].headers


def test_a_disabled_workflow_is_told():
    with github_on_loopback() as github:
        github.state = "disabled_inactivity"
        found = asking(github)
    assert "GitHub says that the workflow is not active but disabled_inactivity: nothing runs it" in found.err


def test_ten_weekdays_of_all_lanes_are_split_by_day():
    first = at("2026-06-01T00:00:00Z")
    days = [first + timedelta(days=day) for day in range(14) if day % 7 < 5]
    runs = [
        item(tick + timedelta(seconds=30), **scheduled(cron)) for day in days for cron, tick in _ticks(day)
    ]
    assert len(runs) == 990
    runs += [item(day + timedelta(hours=15), **dispatched("x")) for day in days for _ in range(2)]
    with github_on_loopback(*runs) as github:
        found = asking(
            github,
            **{
                "created-after": "2026-06-01T00:00:00Z",
                "until": "2026-06-15T00:00:00Z",
                "now": "2026-06-15T00:00:00Z",
            },
        )
    assert [counts(found, lane) for lane in (0, 1)] == [
        {"expected_windows": 540, "covered": 540},
        {"expected_windows": 450, "covered": 450},
    ]
    assert len(github.asked) > 14
    assert found.code == 0


def _ticks(day: datetime) -> list[tuple[str, datetime]]:
    return [
        (PRIMARY if minute % 10 == 7 else FALLBACK, day + timedelta(hours=hour, minutes=minute))
        for hour in range(13, 22)
        for minute in range(7, 60, 5)
    ]


def test_a_rate_limit_midway_makes_the_windows_that_it_concerns_unknown():
    runs = [
        item(tick + timedelta(seconds=30), **scheduled(cron))
        for day in range(1, 13)
        for cron, tick in _ticks(at(f"2026-06-{day:02}T00:00Z"))
    ]
    with github_on_loopback(*runs) as github:
        github.fault = lambda asked: rate_limited() if asked.number > 7 else None
        found = asking(
            github,
            **{
                "created-after": "2026-06-01T00:00:00Z",
                "until": "2026-06-13T00:00:00Z",
                "now": "2026-06-13T00:00:00Z",
            },
        )
    assert found.code == 3
    primary = counts(found, 0)
    assert primary["expected_windows"] == 540
    assert primary["unknown"] == 540 - primary["covered"] > 0
    assert primary["covered"] % 54 == 0
    assert "missing_windows" not in counts(found)
    assert "rate limit is used up until 15:00:00 UTC" in found.document["unread"][0]["why"]
    assert found.document["github_schedule"]["can_be_the_only_lane"] is None


@pytest.mark.parametrize(
    ("status", "mend"),
    [
        (401, "gaps: GH_TOKEN is not accepted: it is mistyped, expired or revoked."),
        (403, "gaps: GH_TOKEN may not do this: it needs Actions: read on this repository"),
        (404, "gaps: There is no such repository or workflow there, or GH_TOKEN cannot see it"),
        (429, "gaps: The token's account asked too often: wait"),
        (500, ""),
    ],
)
def test_a_refusal_is_unknown_and_never_a_gap_and_says_what_to_mend(status, mend):
    with github_on_loopback() as github:
        github.fault = lambda asked: (status, {"message": "No"}, {})
        found = asking(github)
    assert found.code == 3
    assert counts(found) == {"expected_windows": 11, "unknown": 11}
    assert mend in found.err
    assert ("GH_TOKEN" in found.err or "asked too often" in found.err) is bool(mend)


@pytest.mark.parametrize("words", [(), ("--json",)])
@pytest.mark.parametrize("token", [TOKEN, "gh-of-an-enterprise-with-no-known-beginning"])
def test_what_github_says_is_shown_without_the_token_and_without_escapes(token, words):
    said = f"Bad credentials {'x' * 150} {token}\x1b[2J\n::error::{token}"
    with github_on_loopback() as github:
        github.fault = lambda asked: (401, {"message": said}, {})
        environ = {"GITHUB_API_URL": github.url, "GH_TOKEN": token}
        found = gaps("--repo", "owner/name", *words, environ=environ)
    shown = found.out.decode() + found.err
    assert "Bad credentials" in shown
    assert token[:12] not in shown
    assert "\x1b" not in shown
    assert "\\u001b" not in shown
    assert not any(line.startswith("::") for line in shown.splitlines())


def test_nothing_that_listens_is_unknown_too():
    found = gaps("--json", "--repo", "a/b", environ={"GITHUB_API_URL": "http://127.0.0.1:1"})
    assert (found.code, counts(found)) == (3, {"expected_windows": 11, "unknown": 11})
