"""`readiness`: the offline proof of the scheduler before a deploy; it deploys nothing and touches no runtime."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from detector.app.context import Door, Refused
from detector.app.github import WORKER, WORKFLOW
from detector.app.output import show_json, show_lines
from detector.formats.edge_error import EdgeError
from detector.formats.plural import counted

PROVEN, FAILED, SKIPPED = "proven", "FAILED", "SKIPPED"
_NOT_READY = 1
_MUST_NAME: Final = ("README.md", "RUNBOOK.md")
_DOCUMENTS: Final = (*_MUST_NAME, "scheduler/README.md")
_TESTS: Final = (
    "tests/schedule",
    "tests/clients/test_github.py",
    "tests/clients/test_runs.py",
    "tests/commands/test_dispatch.py",
    "tests/commands/test_gaps.py",
    "tests/commands/test_prove.py",
)
_COMPILE_SEC, _WORKER_SEC, _TESTS_SEC = 120.0, 300.0, 600.0
_LINES_SHOWN = 15
# node's test runner prints a dot for each test that passed, pytest their count.
_DOTS = re.compile(r"^\.+$", re.MULTILINE)
_PASSED = re.compile(r"^([0-9]+) passed", re.MULTILINE)
_COLUMN = 24


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table: what, whether it is proven, and what was seen or why not; `output` is a program's own."""

    what: str
    state: str
    detail: str
    output: str = ""


@click.command(epilog="Example: python -m detector readiness --json")
@click.option("--json", "as_json", is_flag=True, help="Print the table as JSON.")
@click.pass_obj
def command(door: Door, /, as_json: bool) -> int:
    """Prove offline that the scheduler can be deployed: a table of what is proven, what is not, and why.

    In the repository's checkout: the program compiles; the Worker's types, its test in its real runtime and
    its bundle hold (npm run check in scheduler/); workflow, Worker and documents mean the same days, hours,
    event and file; the scheduler's tests pass. It sets no secret, deploys nothing, and the programs that it
    starts are given no token.
    Exit 0: ready, all of it is proven. 1: not ready, something failed or could not be tried here (SKIPPED), and
    the last line names it.
    """
    root = Path.cwd()
    if not (root / "detector" / "__init__.py").is_file():
        raise Refused("there is no detector/ here: run it in the repository's checkout")
    rows = [_judged(row, door.environ) for row in _rows(door, root)]
    why_not = _why_not(rows)
    if as_json:
        checks = [{"what": row.what, "state": row.state.lower(), "detail": row.detail} for row in rows]
        taken = show_json(door, {"ready": not why_not, "why_not": why_not, "checks": checks})
    else:
        taken = show_lines(door, [*_lines(rows), f"not ready: {why_not}" if why_not else "ready"])
    for row in rows:
        if row.state == FAILED:
            for line in row.output.splitlines()[-_LINES_SHOWN:]:
                door.say(f"  {line}")
    return taken or (_NOT_READY if why_not else 0)


def _why_not(rows: Iterable[Row]) -> str:
    """Return what failed and what was not tried, empty where all is proven: what was not tried is not proven."""
    words = {FAILED: "failed", SKIPPED: "could not be tried here"}
    return ", ".join(f"{row.what} {words[row.state]}" for row in rows if row.state in words)


def _judged(row: Row, environ: Mapping[str, str]) -> Row:
    """In CI everything that is needed has to be there: what is skipped is not proven."""
    if row.state == SKIPPED and environ.get("CI"):
        return Row(row.what, FAILED, f"{row.detail} (in CI this may not be skipped)")
    return row


def _rows(door: Door, root: Path) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as cache:
        compiled = [sys.executable, "-m", "compileall", "-q", "-f", "detector"]
        yield _started(door, "compiles", compiled, (root, _COMPILE_SEC), PYTHONPYCACHEPREFIX=cache)
    yield _worker(door, root)
    yield from _consistency(root)
    yield _tests(door, root)


def _worker(door: Door, root: Path) -> Row:
    from detector.clients.process import installed

    what, folder = "the Worker", root / "scheduler"
    if not (folder / "package.json").is_file():
        return Row(what, FAILED, "there is no scheduler/package.json")
    missing = next((name for name in ("node", "npm") if not installed(name, door.environ)), None)
    if missing:
        return Row(
            what, SKIPPED, f"{missing} is not installed here: install Node 22, then npm ci in scheduler/"
        )
    if not (folder / "node_modules").is_dir():
        return Row(what, SKIPPED, "scheduler/node_modules is missing: run npm ci in scheduler/")
    return _of_tests(_started(door, what, ["npm", "run", "check"], (folder, _WORKER_SEC)))


def _tests(door: Door, root: Path) -> Row:
    from importlib.util import find_spec

    what = "the scheduler's tests"
    there = [name for name in _TESTS if (root / name).exists()]
    if not there:
        return Row(what, SKIPPED, "the repository's tests are not here")
    if find_spec("pytest") is None:
        return Row(what, SKIPPED, "pytest is not installed here: run it with the development requirements")
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *there]
    return _of_tests(_started(door, what, words, (root, _TESTS_SEC)))


def _started(door: Door, what: str, words: Sequence[str], where: tuple[Path, float], **more: str) -> Row:
    """Run one program and return its row; a terminal is told what is being waited for."""
    from detector.clients.process import ran

    folder, seconds = where
    shown = " ".join(["python" if word == sys.executable else word for word in words])
    if door.stderr.isatty():
        door.say(f"readiness: {shown}")
    try:
        done = ran(words, folder, door.environ, seconds, **more)
    except EdgeError as error:
        return Row(what, FAILED, str(error))
    if done.code:
        return Row(what, FAILED, f"{shown}: exit {done.code}", done.said)
    return Row(what, PROVEN, "every module of detector/", done.said)


def _of_tests(row: Row) -> Row:
    """Return the row of a test run; one that tried nothing has proven nothing."""
    if row.state != PROVEN:
        return row
    dots = sum(len(line) for line in _DOTS.findall(row.output))
    passed = dots + sum(int(count) for count in _PASSED.findall(row.output))
    if not passed:
        return Row(row.what, FAILED, "no test ran", row.output)
    return Row(row.what, PROVEN, f"{counted(passed, 'test')} passed")


def _consistency(root: Path) -> Iterator[Row]:
    from detector.schedule import WrittenError, parse_jsonc, parse_yaml
    from detector.schedule.consistency import Written, consistency

    documents = {}
    for name, parse in ((WORKFLOW, parse_yaml), (WORKER, parse_jsonc)):
        try:
            documents[name] = parse((root / name).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, WrittenError) as error:
            yield Row("the schedule's files", FAILED, f"{name}: {getattr(error, 'strerror', None) or error}")
            return
    texts = {name: text for name in _DOCUMENTS if (text := _text(root / name)) or name in _MUST_NAME}
    written = Written(documents[WORKFLOW], Path(WORKFLOW).name, documents[WORKER], texts, _MUST_NAME)
    for one in consistency(written):
        yield Row(one.what, FAILED if one.fault else PROVEN, one.fault or one.found)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _lines(rows: Sequence[Row]) -> Iterator[str]:
    yield from (f"{row.state:<9}{row.what:<{_COLUMN}}{row.detail}" for row in rows)
    counts = [
        f"{_count(rows, state)} {state.lower()}" for state in (PROVEN, FAILED, SKIPPED) if _count(rows, state)
    ]
    yield f"{counted(len(rows), 'check')}: {', '.join(counts)}"


def _count(rows: Iterable[Row], state: str) -> int:
    return sum(1 for row in rows if row.state == state)
