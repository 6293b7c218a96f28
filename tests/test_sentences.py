"""What the program writes for people: each sentence that changed is listed, and no old one returns."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest

from detector.cli import commands
from detector.render.lines import format_decision, format_plugin_line
from tests.support.program import answer
from tests.support.snapshots import ROOT, evaluated, fixtures, healthy

HOLE = "…"
PAGE = (ROOT / "docs" / "sentences.md").read_text("utf-8")
CELL = re.compile(r"`([^`]+)`( as the whole sentence)?")


def list_rows() -> list[tuple[str, bool, str]]:
    """Each row of the page: the old sentence, whether it was all of it, and the new one."""
    rows = []
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("|") and "`" in line:
            (old, is_whole), (new, _) = CELL.findall(cells[-2])[0], CELL.findall(cells[-1])[0]
            rows.append((old, bool(is_whole), new))
    return rows


def find_line(sentence: str, is_whole: bool = False) -> str | None:
    """The first text of the program with the sentence, anything in its holes; nothing else if it is whole."""
    parts = [part for part in re.split(rf"{HOLE}+", sentence) if part]
    for line in written_texts():
        at = 0
        for part in parts:
            found = line.find(part, at)
            if found < 0:
                break
            at = found + len(part)
        else:
            if not is_whole or (line.startswith(parts[0]) and line.endswith(parts[-1])):
                return line
    return None


def as_text(node: ast.AST) -> str:
    """A text of the code, with a hole for each value."""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else HOLE for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


@cache
def written_texts() -> tuple[str, ...]:
    """Every text that the program can print: those of its code, its reports on all fixtures, its help."""
    modules = [ast.parse(path.read_text("utf-8")) for path in sorted((ROOT / "detector").rglob("*.py"))]
    texts = [as_text(node) for module in modules for node in ast.walk(module)]
    for report in (evaluated({}), evaluated(healthy()), *(one.run() for one in fixtures())):
        texts += [format_decision(report, ("UTC",)), format_plugin_line(report)]
        texts += [event.summary for event in report.events]
    texts += (ROOT / "RUNBOOK.md").read_text("utf-8").split("\n\n")
    texts += (ROOT / "docs" / "other-bots.md").read_text("utf-8").splitlines()  # its transcripts are run
    for words in ([], *([name] for name in commands.list_commands(None))):  # type: ignore[arg-type]
        texts.append(answer(*words, "--help").out.decode())
    return tuple(dict.fromkeys(" ".join(text.split()) for text in texts if " " in text))


@pytest.mark.parametrize("row", list_rows(), ids=lambda row: row[0][:60])
def test_a_sentence_that_changed_reads_as_the_page_says(row):
    old, is_whole, new = row
    assert find_line(new) is not None, "the program writes no such sentence"
    assert find_line(old, is_whole) is None


def test_the_page_is_read_whole():
    assert len(list_rows()) == sum(line.startswith("| ") and "`" in line for line in PAGE.splitlines())
    assert len(list_rows()) > 90
