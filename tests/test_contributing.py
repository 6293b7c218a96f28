"""The exercises of CONTRIBUTING.md, word for word, on copies of the repository.

The rule, whose laws are evaluated there, has a copy of its own; the others share one, for they touch nothing
of each other.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.pager_server import pager_on_loopback
from tests.support.snapshots import ROOT

TEXT = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
BLOCK = re.compile(
    r"^```\w+ (?:(new|end) |before `(?P<line>[^`]+)` in )(?P<path>\S+)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
FILES = {"rule": 3, "setting": 1, "command": 1, "source": 2, "section": 2, "channel": 2}
NOT_COPIED = shutil.ignore_patterns(".*", "node_modules", "scheduler", "benchmarks")
# The tests that say what is missing to somebody who adds something.
NAMED = "reconcile_old or has or table or generated and not depends"
CHECKS = ["tests/test_docs.py", "tests/rules/test_declarations.py", "tests/rules/test_laws.py"]


@dataclass(frozen=True)
class Block:
    """A piece of text, and where it goes: a new file, the end of a file, or before a line of it."""

    path: str
    text: str
    is_new: bool
    before: str | None

    def apply(self, root: Path) -> None:
        target = root / self.path
        if self.is_new:
            assert not target.exists(), f"{self.path} is there already: choose another exercise"
            target.write_text(self.text, "utf-8")
            return
        text = target.read_text("utf-8")
        if self.before is None:
            target.write_text(text + self.text, "utf-8")
            return
        at = text.index("\n", text.rindex("\n", 0, text.index(self.before)))
        target.write_text(text[: at + 1] + self.text + text[at + 1 :], "utf-8")


def blocks(exercise: str) -> list[Block]:
    section = re.search(rf"^### An? {exercise}\n(.*?)^### (?:An? |The )", TEXT, re.MULTILINE | re.DOTALL)
    assert section is not None, exercise
    return [
        Block(found["path"], found["text"], found[1] == "new", found["line"])
        for found in BLOCK.finditer(section[1])
    ]


@dataclass(frozen=True)
class Copy:
    """A copy of the repository in which one exercise was done."""

    root: Path

    def python(self, *words: str, **more: object) -> subprocess.CompletedProcess[str]:
        base = {"PATH": "/usr/bin:/bin", "HOME": str(self.root), "PYTHONPATH": str(self.root)}
        environ: Any = more.pop("environ", {})
        return subprocess.run(
            [sys.executable, *words],
            cwd=self.root,
            env=base | environ,
            capture_output=True,
            text=True,
            check=False,
            **more,  # type: ignore[call-overload]
        )

    def detector(self, *words: str, **more: object) -> str:
        done = self.python("-m", "detector", *words, **more)
        assert done.returncode == 0, done.stderr
        return str(done.stdout)


def remove_shipped(root: Path, exercise: list[Block]) -> None:
    """Take the parts of a shipped exercise out of the copy.

    They are those of the repository, word for word.
    """
    for block in exercise:
        target = root / block.path
        text = target.read_text("utf-8")
        assert block.text in text, f"{block.path} is not as CONTRIBUTING has it"
        if block.is_new:
            target.unlink()
        else:
            target.write_text(text.replace(block.text, ""), "utf-8")


def build_copy(root: Path, exercises: Collection[str]) -> Copy:
    """Return a copy of the repository in which the exercises were done, with its documents written again."""
    shutil.copytree(ROOT, root, ignore=NOT_COPIED)
    for name in (".env.example", ".github"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, root / name)
        else:
            shutil.copy(ROOT / name, root / name)
    for exercise in exercises:
        if exercise == "channel":
            remove_shipped(root, blocks("channel"))
        for block in blocks(exercise):
            block.apply(root)
    copy = Copy(root)
    made = copy.python("tools/generate_docs.py")
    assert made.returncode == 0, made.stderr
    return copy


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Copy:
    """The copy in which all exercises but the rule's were done."""
    return build_copy(tmp_path_factory.mktemp("exercises") / "copy", FILES.keys() - {"rule"})


@pytest.mark.parametrize("exercise", FILES)
def test_an_exercise_has_as_many_files_as_it_promises(exercise):
    assert len({block.path for block in blocks(exercise)}) == FILES[exercise]
    assert f"| [{exercise}](#a-{exercise}) | {FILES[exercise]} file" in TEXT


def test_no_exercise_needs_another():
    texts = {exercise: "".join(block.text for block in blocks(exercise)) for exercise in FILES}
    paths = [path for exercise in FILES for path in {block.path for block in blocks(exercise)}]
    assert len(paths) == len(set(paths))
    for exercise, text in texts.items():
        modules = [block.path.removesuffix(".py") for block in blocks(exercise) if block.is_new]
        added = [
            *re.findall(r"^(\w+) = add_", text, re.MULTILINE),
            *(path.replace("/", ".") for path in modules),
        ]
        others = "".join(other for name, other in texts.items() if name != exercise)
        assert [name for name in added if re.search(rf"\b{re.escape(name)}\b", others)] == [], exercise


def test_the_rule_fires_and_every_law_holds(tmp_path):
    done = build_copy(tmp_path / "copy", ["rule"])
    fixture = json.loads((done.root / "tests/fixtures/snapshots/reconcile_old.json").read_text())
    document = {"taken_at": "2026-06-02T15:00:00Z", **fixture["patch"]}
    events = json.loads(done.detector("--offline", input=json.dumps(document)))["events"]
    assert [event["type"] for event in events] == ["reconcile_old"]
    laws = done.python("-m", "pytest", "-q", "-x", "-k", NAMED, *CHECKS)
    assert laws.returncode == 0, laws.stdout


def test_no_list_and_no_ceiling_of_the_suite_refuses_what_was_added(done):
    """All but that something reads the setting, which is the next step of who declares one."""
    asked = ("tests/test_house.py", "tests/domain/test_snapshot.py", "tests/commands/test_doctor.py")
    ran = done.python("-m", "pytest", "-q", "-k", "not every_setting_is_read", *asked)
    assert ran.returncode == 0, ran.stdout


def test_the_setting_is_shown_checked_and_documented(done):
    name = "AEGIS_PT_RECONCILE_AGE_SEC"
    assert name in done.detector("settings")
    assert name in (done.root / ".env.example").read_text() + (done.root / "docs/settings.md").read_text()
    refused = done.python("-m", "detector", "settings", environ={name: "soon"})
    assert (refused.returncode, name in refused.stderr) == (2, True)


def test_the_command_runs_and_is_in_the_help(done):
    assert done.detector("moment", "--now", "2026-06-02T15:00:00Z") == "2026-06-02T15:00:00Z\n"
    assert "moment" in done.detector("--help")
    assert "`moment`" in (done.root / "docs/cli.md").read_text()


def test_the_source_fills_its_section_and_fails_as_any_other(done, tmp_path):
    file = tmp_path / "ups.json"
    environ = {"AEGIS_PT_SWITCH_FILE": str(file)}
    failed = json.loads(done.detector("collect", environ=environ))
    assert failed["sources"]["power"]["state"] == "failed"
    file.write_text('{"status": "OL"}')
    assert json.loads(done.detector("collect", environ=environ))["power"] == {"status": "OL"}


def test_the_section_is_read_and_in_the_schema(done):
    for section, path in (({"halted": "perhaps"}, "switch.halted"), ({"haltd": True}, "switch.haltd")):
        events = json.loads(done.detector("--offline", input=json.dumps({"switch": section})))["events"]
        assert [(event["type"], event["subject"]) for event in events] == [("reading_invalid", path)]
    assert "switch" in json.loads(done.detector("schema", "snapshot"))["properties"]


def test_the_channel_delivers_once(done, tmp_path):
    words = ("run", "--state", str(tmp_path / "state"), "--snapshot", "-", "--now", "2026-06-02T15:00:00Z")
    document = json.dumps({"taken_at": "2026-06-02T15:00:00Z", "status_v3": {"stuck_exits": 2}})
    with pager_on_loopback("ntfy") as pager:
        for _ in range(2):
            done.detector(*words, input=document, environ={**pager.environ, "AEGIS_PT_NTFY_MIN": "warning"})
        [message] = pager.taken
    assert "stuck_exits" in message["message"]
