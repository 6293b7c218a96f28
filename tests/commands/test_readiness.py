"""`readiness`: the offline proof before a deploy, in small checkouts with real programs."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from detector.commands.readiness import _TESTS
from tests.support.program import Answer, answer
from tests.support.snapshots import ROOT

WORKFLOW = ".github/workflows/notify-aws-ibkr-pt-health.yml"
WORKER = "scheduler/wrangler.jsonc"
TOKENS = {"GH_TOKEN": "sesame", "CLOUDFLARE_API_TOKEN": "sesame"}
NPM = """#!{python}
import os, pathlib, sys
assert not any("sesame" in text for text in os.environ.values())
pathlib.Path("npm-was-here").write_text(" ".join(sys.argv[1:]))
print("." * {count})
sys.exit({code})
"""


@pytest.fixture
def checkout(tmp_path, monkeypatch) -> Path:
    """A small checkout: a program of one module, the real schedule, a false npm, and no tests."""
    write(tmp_path / "detector" / "__init__.py", '"""A program."""\n')
    for name in (WORKFLOW, WORKER):
        write(tmp_path / name, (ROOT / name).read_text())
    write(tmp_path / "scheduler" / "package.json", "{}")
    (tmp_path / "scheduler" / "node_modules").mkdir()
    npm(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


# Of the plugins that are installed here such a test needs none, and loading them is most of its start.
BARE = "[pytest]\naddopts = -p no:randomly -p no:hypothesispytest -p no:timeout -p no:anyio\n"


def one_test(checkout: Path, claim: str, more: str = "") -> None:
    """Give it a test of the scheduler, and the other files of its tests, empty."""
    for name in _TESTS:
        write(checkout / name / "test_x.py" if name == "tests/schedule" else checkout / name, "")
    write(checkout / "pytest.ini", BARE)
    write(checkout / "tests" / "schedule" / "test_x.py", f"{more}\ndef test_x():\n    assert {claim}\n")


def no_pytest(checkout: Path) -> None:
    """Put a program in the place of pytest that passes at once, where its answer is of no consequence."""
    write(checkout / "pytest.py", "print('1 passed')\n")


def npm(checkout: Path, count: int = 3, code: int = 0) -> None:
    """Put programs of that name on the path: npm, which tells so many passed tests, and node."""
    for name in ("npm", "node"):
        write(checkout / "bin" / name, NPM.format(python=sys.executable, count=count, code=code))
        (checkout / "bin" / name).chmod(0o755)


def readiness(checkout: Path, *words: str, **environ: str) -> Answer:
    path = f"{checkout / 'bin'}:{Path(sys.executable).parent}"
    return answer("readiness", *words, environ={"PATH": path, **TOKENS, **environ})


def rows(found: Answer) -> dict[str, str]:
    return {one["what"]: f"{one['state']}: {one['detail']}" for one in found.document["checks"]}


def test_a_checkout_that_is_ready_is_proven_row_by_row(checkout):
    one_test(checkout, "True")
    found = readiness(checkout)
    lines = found.out.decode().splitlines()
    assert found.code == 0, lines
    assert lines[0] == "proven   compiles                every module of detector/"
    assert lines[1] == "proven   the Worker              3 tests passed"
    assert lines[-3] == "proven   the scheduler's tests   1 test passed"
    assert lines[-2:] == ["14 checks: 14 proven", "ready"]
    assert max(map(len, lines)) <= 110
    assert (checkout / "scheduler" / "npm-was-here").read_text() == "run check"


def test_it_leaves_nothing_behind(checkout):
    before = sorted(path for path in checkout.rglob("*") if path.name != "npm-was-here")
    readiness(checkout)
    assert sorted(path for path in checkout.rglob("*") if path.name != "npm-was-here") == before


def test_json_has_every_check_and_whether_it_is_ready(checkout):
    one_test(checkout, "True")
    no_pytest(checkout)
    found = readiness(checkout, "--json")
    assert (found.document["ready"], found.document["why_not"]) == (True, "")
    assert found.document["checks"][0] == {
        "what": "compiles",
        "state": "proven",
        "detail": "every module of detector/",
    }


def test_a_module_that_does_not_compile(checkout):
    write(checkout / "detector" / "broken.py", "def (\n")
    found = readiness(checkout)
    assert found.code == 1
    assert found.out.decode().startswith(
        "FAILED   compiles                python -m compileall -q -f detector: exit 1\n"
    )
    assert "SyntaxError" in found.err


@pytest.mark.parametrize(
    ("count", "code", "said"),
    [
        pytest.param(3, 1, "failed: npm run check: exit 1", id="the Worker's test fails"),
        pytest.param(0, 0, "failed: no test ran", id="it tries nothing"),
    ],
)
def test_a_workers_test_that_proves_nothing(checkout, count, code, said):
    npm(checkout, count, code)
    found = readiness(checkout, "--json")
    assert (found.code, rows(found)["the Worker"]) == (1, said)


def test_a_test_that_fails(checkout):
    one_test(checkout, "1 == 2")
    found = readiness(checkout, "--json")
    assert found.code == 1
    assert rows(found)["the scheduler's tests"].startswith("failed: python -m pytest")
    assert "assert 1 == 2" in found.err


LEFT_OUT = "import pytest\n@pytest.mark.{}\ndef test_y():\n    assert {}\n"


@pytest.mark.parametrize(
    ("more", "left_out"),
    [
        (LEFT_OUT.format("skip", True), "1 skipped"),
        (LEFT_OUT.format("xfail", False), "1 xfailed"),
        (LEFT_OUT.format("xfail", True), "1 xpassed"),
    ],
)
def test_a_run_that_left_a_test_out_proves_nothing(checkout, more, left_out):
    one_test(checkout, "True", more)
    found = readiness(checkout, "--json")
    assert (found.code, found.document["ready"]) == (1, False)
    assert rows(found)["the scheduler's tests"] == f"skipped: 1 test passed, {left_out}"


def _one_file_less(checkout: Path) -> None:
    (checkout / _TESTS[-1]).unlink()


def _no_npm(checkout: Path) -> None:
    (checkout / "bin" / "npm").unlink()


def _no_node(checkout: Path) -> None:
    (checkout / "bin" / "node").unlink()


def _no_modules(checkout: Path) -> None:
    (checkout / "scheduler" / "node_modules").rmdir()


def _no_tests(checkout: Path) -> None:
    shutil.rmtree(checkout / "tests")


@pytest.mark.parametrize(
    ("take", "what", "why"),
    [
        pytest.param(_no_npm, "the Worker", "npm is not installed here", id="no npm"),
        pytest.param(_no_node, "the Worker", "node is not installed here", id="no node"),
        pytest.param(
            _no_modules, "the Worker", "scheduler/node_modules is missing: run npm ci", id="no modules"
        ),
        pytest.param(
            _one_file_less,
            "the scheduler's tests",
            f"the repository's tests are not here: {_TESTS[-1]}",
            id="one file of the tests less",
        ),
        pytest.param(
            _no_tests, "the scheduler's tests", "the repository's tests are not here", id="no tests"
        ),
    ],
)
def test_what_cannot_be_tried_here_is_skipped_loudly_and_nothing_is_ready(checkout, take, what, why):
    one_test(checkout, "True")
    no_pytest(checkout)
    take(checkout)
    here = readiness(checkout, "--json")
    assert (here.code, here.document["ready"]) == (1, False)
    assert here.document["why_not"] == f"{what} could not be tried here"
    assert rows(here)[what].startswith(f"skipped: {why}")
    in_ci = readiness(checkout, "--json", CI="true")
    assert (in_ci.code, in_ci.document["ready"]) == (1, False)
    assert rows(in_ci)[what].endswith("(in CI this may not be skipped)")


@pytest.mark.parametrize(
    ("name", "change", "what", "says"),
    [
        pytest.param(WORKER, ("MON-FRI", "1-5"), "the days", "days 0, 1, 2, 3, 4", id="Cloudflare's 1-5"),
        pytest.param(
            WORKER,
            ('"aws_ibkr_pt_health"', '"health"'),
            "the event type",
            "the Worker sends health",
            id="another event",
        ),
        pytest.param(
            WORKFLOW, ("13-21", "14-21"), "the hours", "the Worker ticks at 13 h UTC", id="other hours"
        ),
        pytest.param(
            WORKER, ("{", "["), "the schedule's files", "scheduler/wrangler.jsonc: is not JSON", id="no JSON"
        ),
    ],
)
def test_what_drifts_is_named(checkout, name, change, what, says):
    write(checkout / name, (checkout / name).read_text().replace(*change))
    found = readiness(checkout, "--json")
    assert found.code == 1
    assert says in rows(found)[what]


def test_what_was_skipped_stands_in_the_table_and_is_counted(checkout):
    lines = readiness(checkout).out.decode().splitlines()
    assert lines[-3] == "SKIPPED  the scheduler's tests   the repository's tests are not here: tests/schedule"
    assert lines[-2:] == [
        "14 checks: 13 proven, 1 skipped",
        "not ready: the scheduler's tests could not be tried here",
    ]


def test_what_failed_and_what_was_skipped_are_both_named(checkout):
    npm(checkout, 0)
    found = readiness(checkout)
    assert found.code == 1
    assert found.out.decode().splitlines()[-1] == (
        "not ready: the Worker failed, the scheduler's tests could not be tried here"
    )


def test_a_workflow_of_another_shape_is_named(checkout):
    text = (checkout / WORKFLOW).read_text()
    write(
        checkout / WORKFLOW,
        text.replace("    types: [aws_ibkr_pt_health, aws_ibkr_pt_health_ack]", "    [x]"),
    )
    found = readiness(checkout, "--json")
    assert (found.code, rows(found)["the event type"]) == (
        1,
        "failed: the workflow waits for None, not for aws_ibkr_pt_health",
    )


def test_a_file_that_is_missing_is_named(checkout):
    (checkout / WORKFLOW).unlink()
    found = readiness(checkout, "--json")
    assert rows(found)["the schedule's files"] == f"failed: {WORKFLOW}: No such file or directory"


def test_outside_of_a_checkout_it_says_where_to_run_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = answer("readiness", environ=dict(os.environ))
    assert (found.code, found.out) == (2, b"")
    assert found.err == "detector: there is no detector/ here: run it in the repository's checkout\n"
