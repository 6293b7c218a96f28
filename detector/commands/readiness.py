"""`readiness`: proves offline that the scheduler can be deployed; it deploys nothing."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import click
from msgspec import Struct

from detector.app.context import AppContext, ExitCode, print_json, print_lines
from detector.app.github_access import WORKER
from detector.domain.run_windows import WORKFLOW
from detector.formats.errors import ExternalError, InputError
from detector.formats.numbers import format_count
from detector.formats.patterns import build_pattern

PROVEN, FAILED, SKIPPED = "proven", "FAILED", "SKIPPED"
_TESTS: Final = (
    "tests/schedule",
    "tests/clients/test_github_api.py",
    "tests/clients/test_workflow_runs.py",
    "tests/commands/test_dispatch.py",
    "tests/commands/test_gaps.py",
    "tests/commands/test_prove.py",
)
_COMPILE_SEC, _WORKER_SEC, _TESTS_SEC = 120.0, 300.0, 600.0
_LINES_SHOWN = 15
# node's test runner prints a dot for each test that passed, pytest their count.
_DOTS = build_pattern(r"^\.+$", re.MULTILINE)
_PASSED = build_pattern(r"^([0-9]+) passed", re.MULTILINE)
_LEFT_OUT = build_pattern(r"^[0-9]+ passed.*?\b([0-9]+ (?:skipped|deselected|xfailed|xpassed))", re.MULTILINE)
_COLUMN = 24


class ReadinessRow(Struct, frozen=True):
    """One row of the table: the check, its state, and the result or the fault; `output` is a program's."""

    what: str
    state: str
    detail: str
    output: str = ""


@click.command(epilog="Example: python -m detector readiness --json")
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON.")
@click.pass_obj
def command(app: AppContext, /, as_json: bool) -> int:
    """Prove offline that the scheduler can be deployed.

    A table of what is proven, what is not, and why. In the repository's checkout: the program compiles; the
    Worker's types, its test in its real runtime and its bundle hold (npm run check in scheduler/); workflow
    and Worker mean the same days, hours, event and file; the scheduler's tests pass, and with them that the
    documents state this schedule. It sets no secret, deploys nothing, and the programs that it starts are
    given no token. Exit 0: ready, all of it is proven. 1: not ready, something failed or could not be tried
    here (SKIPPED), and the last line names it.
    """
    root = Path.cwd()
    if not (root / "detector" / "__init__.py").is_file():
        raise InputError("there is no detector/ here: run it in the repository's checkout")
    rows = [_replace_skipped(row, app.environ) for row in _run_checks(app, root)]
    reasons = _explain_not_ready(rows)
    if as_json:
        checks = [{"what": row.what, "state": row.state.lower(), "detail": row.detail} for row in rows]
        output_code = print_json(app, {"ready": not reasons, "why_not": reasons, "checks": checks})
    else:
        output_code = print_lines(
            app, [*_render_lines(rows), f"not ready: {reasons}" if reasons else "ready"]
        )
    for row in rows:
        if row.state == FAILED:
            for line in row.output.splitlines()[-_LINES_SHOWN:]:
                app.print_stderr(f"  {line}")
    return output_code or (ExitCode.FINDING if reasons else 0)


def _explain_not_ready(rows: Iterable[ReadinessRow]) -> str:
    """Return the checks that failed or were not tried, empty where all is proven."""
    labels = {FAILED: "failed", SKIPPED: "could not be tried here"}
    return ", ".join(f"{row.what} {labels[row.state]}" for row in rows if row.state in labels)


def _replace_skipped(row: ReadinessRow, environ: Mapping[str, str]) -> ReadinessRow:
    """Return a skipped row as failed in CI, where nothing may be skipped."""
    if row.state == SKIPPED and environ.get("CI"):
        return ReadinessRow(row.what, FAILED, f"{row.detail} (in CI this may not be skipped)")
    return row


def _run_checks(app: AppContext, root: Path) -> Iterator[ReadinessRow]:
    with tempfile.TemporaryDirectory() as cache:
        compile_args = [sys.executable, "-m", "compileall", "-q", "-f", "detector"]
        yield _run_program(app, "compiles", compile_args, (root, _COMPILE_SEC), PYTHONPYCACHEPREFIX=cache)
    yield _check_worker(app, root)
    yield from _check_consistency(root)
    yield _run_tests(app, root)


def _check_worker(app: AppContext, root: Path) -> ReadinessRow:
    from detector.clients.process import is_installed

    what, folder = "the Worker", root / "scheduler"
    if not (folder / "package.json").is_file():
        return ReadinessRow(what, FAILED, "there is no scheduler/package.json")
    missing = next((name for name in ("node", "npm") if not is_installed(name, app.environ)), None)
    if missing:
        return ReadinessRow(
            what, SKIPPED, f"{missing} is not installed here: install Node 22, then npm ci in scheduler/"
        )
    if not (folder / "node_modules").is_dir():
        return ReadinessRow(what, SKIPPED, "scheduler/node_modules is missing: run npm ci in scheduler/")
    return _check_test_output(_run_program(app, what, ["npm", "run", "check"], (folder, _WORKER_SEC)))


def _run_tests(app: AppContext, root: Path) -> ReadinessRow:
    from importlib.util import find_spec

    what = "the scheduler's tests"
    missing = next((name for name in _TESTS if not (root / name).exists()), None)
    if missing:
        return ReadinessRow(what, SKIPPED, f"the repository's tests are not here: {missing}")
    if find_spec("pytest") is None:
        return ReadinessRow(
            what, SKIPPED, "pytest is not installed here: run it with the development requirements"
        )
    args = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *_TESTS]
    return _check_test_output(_run_program(app, what, args, (root, _TESTS_SEC)))


def _run_program(
    app: AppContext, what: str, args: Sequence[str], where: tuple[Path, float], **variables: str
) -> ReadinessRow:
    """Run one program and return its row; on a terminal print its command first."""
    from detector.clients.process import run_program

    folder, seconds = where
    command_line = " ".join(["python" if arg == sys.executable else arg for arg in args])
    if app.stderr.isatty():
        app.print_stderr(f"readiness: {command_line}")
    try:
        result = run_program(args, folder, app.environ, seconds, **variables)
    except ExternalError as error:
        return ReadinessRow(what, FAILED, str(error))
    if result.exit_code:
        return ReadinessRow(what, FAILED, f"{command_line}: exit {result.exit_code}", result.output)
    return ReadinessRow(what, PROVEN, "every module of detector/", result.output)


def _check_test_output(row: ReadinessRow) -> ReadinessRow:
    """Return the row of a test run: failed where no test ran, skipped where one was left out."""
    if row.state != PROVEN:
        return row
    dots = sum(len(line) for line in _DOTS.findall(row.output))
    passed = dots + sum(int(count) for count in _PASSED.findall(row.output))
    if not passed:
        return ReadinessRow(row.what, FAILED, "no test ran", row.output)
    left_out = _LEFT_OUT.search(row.output)
    detail = f"{format_count(passed, 'test')} passed{f', {left_out[1]}' if left_out else ''}"
    return ReadinessRow(row.what, SKIPPED if left_out else PROVEN, detail)


def _check_consistency(root: Path) -> Iterator[ReadinessRow]:
    from detector.schedule.consistency import ScheduleDocuments, check_consistency
    from detector.schedule.schedule_files import parse_jsonc, parse_yaml

    documents = {}
    for name, parse in ((WORKFLOW, parse_yaml), (WORKER, parse_jsonc)):
        try:
            documents[name] = parse((root / name).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, InputError) as error:
            yield ReadinessRow(
                "the schedule's files", FAILED, f"{name}: {getattr(error, 'strerror', None) or error}"
            )
            return
    files = ScheduleDocuments(documents[WORKFLOW], Path(WORKFLOW).name, documents[WORKER])
    for checked in check_consistency(files):
        yield ReadinessRow(
            checked.subject, FAILED if checked.fault else PROVEN, checked.fault or checked.detail
        )


def _render_lines(rows: Sequence[ReadinessRow]) -> Iterator[str]:
    yield from (f"{row.state:<9}{row.what:<{_COLUMN}}{row.detail}" for row in rows)
    counts = [
        f"{_count_rows(rows, state)} {state.lower()}"
        for state in (PROVEN, FAILED, SKIPPED)
        if _count_rows(rows, state)
    ]
    yield f"{format_count(len(rows), 'check')}: {', '.join(counts)}"


def _count_rows(rows: Iterable[ReadinessRow], state: str) -> int:
    return sum(1 for row in rows if row.state == state)
