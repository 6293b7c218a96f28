"""What is generated is as the code makes it, and the runbook speaks of every event and of no other."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import click
import pytest

from detector.engine.catalog import load_rules
from detector.engine.coverage import SIGNALS
from detector.render.rules import find_next_step, find_section
from detector.settings import DECLARED
from tests.support.snapshots import ROOT
from tools.generate_docs import BLOCKS, DOCUMENTS, DocumentationError, differing, files, generated, main

RUNBOOK = (ROOT / "RUNBOOK.md").read_text(encoding="utf-8")
PARTS = ("*Means:* ", "*Look:* ", "*Do:* ")
RULES = [one.name for one in load_rules()]
FIRST_ACT_MAX = 140  # characters: two lines on a phone
FIRST_ACT_MIN = 45
ACTS = {
    "Ask", "Call", "Check", "Compare", "Do", "Escalate", "Leave", "Look", "Open",
    "Plan", "Read", "Send", "Tell", "Wait", "Wake", "Write",
}  # fmt: skip
LOOKS = {
    "service": r"\bthe service\b",
    "tasks": r"(?<!stopped )\b(?<=the )tasks\b",
    "stopped tasks": r"\bthe stopped tasks\b",
    "status": r"\bstatus payload\b",
    "standby": r"\bthe standby host\b",
    "broker": r"\bat the broker\b|\bthe broker's own screen\b",
}


@pytest.fixture
def copy(tmp_path):
    """A folder with the repository's documents, and everything generated as it should be."""
    for name in DOCUMENTS:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    assert main(["--root", str(tmp_path)]) == 0
    return tmp_path


# --- generated files ----------------------------------------------------------------------------------


def test_the_generated_files_are_as_the_code_makes_them():
    assert list(differing(ROOT)) == [], "run `make docs`"


def test_a_check_that_finds_nothing_says_nothing(copy, capsys):
    assert main(["--check", "--root", str(copy)]) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("name", files(ROOT))
def test_a_check_names_the_file_that_differs_and_leaves_it(name, copy, capsys):
    text = (copy / name).read_text()
    changed = (
        re.sub(r"(<!-- generated: .* -->\n)", r"\1x\n", text, count=1) if "<!-- gen" in text else f"{text}x\n"
    )
    (copy / name).write_text(changed)
    assert main(["--check", "--root", str(copy)]) == 1
    assert capsys.readouterr().err == f"{name} is not as the code makes it; run `make docs`\n"
    assert (copy / name).read_text() == changed


@pytest.mark.parametrize("name", ["schemas/artifact.schema.json", ".env.example"])
def test_a_file_that_is_missing_differs_and_is_made(name, copy):
    (copy / name).unlink()
    assert main(["--check", "--root", str(copy)]) == 1
    assert main(["--root", str(copy)]) == 0
    assert (copy / name).read_text() == files(ROOT)[name]


def test_writing_repairs_the_marked_part_and_leaves_the_rest(copy):
    readme = copy / "docs" / "cli.md"
    text = readme.read_text() + "\nMy own words.\n"
    readme.write_text(text.replace("| event |", "| happening |"))
    assert main(["--root", str(copy)]) == 0
    assert readme.read_text() == text


def test_writing_twice_changes_nothing_more(copy):
    before = {name: (copy / name).stat().st_mtime_ns for name in files(copy)}
    main(["--root", str(copy)])
    assert {name: (copy / name).stat().st_mtime_ns for name in files(copy)} == before


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("<!-- generated: weather -->\n<!-- /generated -->\n", "nothing generates 'weather'"),
        ("<!-- generated: events logs -->\n<!-- /generated -->\n", "nothing generates 'events'"),
        ("<!-- generated: looks moon -->\n<!-- /generated -->\n", "no look is named 'moon'"),
        ("<!-- generated: events -->\n", "not closed"),
        ("<!-- /generated -->\n", "not opened"),
        ("<!-- generated:events -->\n<!-- /generated -->\n", "misspelt"),
    ],
    ids=["unknown", "with a name too many", "an unknown look", "not closed", "not opened", "misspelt"],
)
def test_a_marked_part_that_cannot_be_written_is_named(text, fault):
    with pytest.raises(DocumentationError, match=rf"^X\.md: .*{fault}"):
        generated(text, "X.md")


def test_a_marked_part_that_cannot_be_written_fails_the_check(copy, capsys):
    (copy / "docs" / "cli.md").write_text("<!-- generated: weather -->\n<!-- /generated -->\n")
    assert main(["--root", str(copy)]) == 1
    assert "docs/cli.md" in capsys.readouterr().err


def test_what_is_generated_depends_on_the_code_alone(copy):
    """Not on a terminal, its colours, a zone, a locale, the hash seed or a setting: all of them at once."""
    base = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": str(copy)}
    terminal = {
        "COLUMNS": "40",
        "LINES": "10",
        "FORCE_COLOR": "1",
        "CLICOLOR_FORCE": "1",
        "TERM": "xterm-256color",
    }
    place = {"TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONHASHSEED": "77"}
    set_values = {"AEGIS_PT_HEARTBEAT_STALE_SEC": "1", "AEGIS_PT_GAP_SEC": "late"}
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "generate_docs.py"), "--check", "--root", "."],
        cwd=copy,
        env={**base, **terminal, **place, **set_values},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_every_generator_is_used_in_a_document():
    used = {
        name
        for one in DOCUMENTS
        for name in re.findall(r"<!-- generated: ([a-z-]+) -->", (ROOT / one).read_text())
    }
    assert used == set(BLOCKS)


@pytest.mark.parametrize(
    ("name", "rows"),
    [("events", RULES), ("settings", list(DECLARED)), ("signals", [one.title for one in SIGNALS])],
)
def test_a_table_has_a_row_for_each(name, rows):
    lines = list(BLOCKS[name]())
    assert len(lines) == 2 + len(rows)
    for line, row in zip(lines[2:], rows, strict=True):
        assert line.startswith(("| " + row, f"| `{row}`", f"| [`{row}`]"))
        assert line.count("|") - line.count("\\|") == lines[0].count("|")


def test_the_exit_codes_are_those_of_the_door():
    assert [line.split("`")[1] for line in list(BLOCKS["exit-codes"]())[2:]] == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize(("code", "name"), [("1", "FINDING"), ("3", "UNDECIDED")])
def test_an_exit_code_names_each_command_that_ends_with_it(code, name):
    """`--fail-on` of `detect` and `--fail` of `report` are among them."""
    paths = sorted((ROOT / "detector" / "commands").glob("[a-z]*.py"))
    users = [path.stem.replace("_", "-") for path in paths if f"ExitCode.{name}" in path.read_text("utf-8")]
    (row,) = [line for line in BLOCKS["exit-codes"]() if line.startswith(f"| `{code}`")]
    assert users != []
    assert [user for user in users if user not in row] == []


def test_the_help_of_every_command_ends_with_an_example():
    texts = "\n".join(BLOCKS["help"]()).split("#### ")[1:]
    assert [text.split("`")[1] for text in texts] == sorted(
        path.stem.replace("_", "-") for path in (ROOT / "detector" / "commands").glob("[a-z]*.py")
    )
    without = [text.split("`")[1] for text in texts if "Example: " not in text]
    assert not without, f'write epilog="Example: python -m detector NAME ..." at: {without}'


def test_every_option_has_its_help():
    names = [path.stem for path in (ROOT / "detector" / "commands").glob("[a-z]*.py")]
    silent = [
        f"{name} {option.opts[0]}"
        for name in names
        for option in import_module(f"detector.commands.{name}").command.params
        if isinstance(option, click.Option) and not option.help
    ]
    assert silent == []


# --- the runbook --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RULES)
def test_the_runbook_says_what_an_event_means_where_to_look_and_what_to_do(name):
    section = find_section(RUNBOOK, name)
    assert section is not None, f"RUNBOOK.md has no section ### `{name}`"
    paragraphs = [paragraph for paragraph in section.split("\n\n") if not paragraph.startswith("```")]
    starts = [paragraph[: len(part)] for paragraph, part in zip(paragraphs, PARTS, strict=False)]
    assert starts == list(PARTS)


def do_part(name: str) -> str:
    return find_next_step(RUNBOOK, name) or ""


@pytest.mark.parametrize("name", RULES)
def test_the_first_sentence_of_what_to_do_is_an_act_that_stands_alone(name):
    """An alert shows this sentence and no other: it has to be right for a reader who holds nothing else."""
    first = re.split(r"(?<=[.!?])\s", do_part(name), maxsplit=1)[0]
    assert first, f"RUNBOOK.md says nothing after *Do:* of `{name}`"
    assert len(first) <= FIRST_ACT_MAX, f"{len(first)} characters: {first}"
    assert len(first) >= FIRST_ACT_MIN, f"it says neither of what nor what must not be done: {first}"
    assert first.endswith("."), first
    assert first.split()[0].rstrip(":") in ACTS, f"begin it with one of ACTS in this file: {first}"
    assert not re.search(r"\]\(|\*|\b(?:above|below|beside|section|runbook|look \w+ is)\b", first), first
    assert not re.search(r"\b(?:restart|stop|cancel|close|repair|scale) the\b", first.lower()), first


@pytest.mark.parametrize("name", RULES)
def test_whoever_is_woken_reads_at_most_600_words_to_a_decision(name):
    section = re.sub(r"```.*?```", "", find_section(RUNBOOK, name) or "", flags=re.DOTALL)
    urgent = RUNBOOK[RUNBOOK.index("**Which first.**") : RUNBOOK.index("\n- [Golden signals]")]
    assert len(urgent.split()) + len(section.split()) <= 600


def test_the_settings_are_listed_once():
    marks = [path.name for path in (ROOT / "docs").glob("*.md") if "generated: settings" in path.read_text()]
    assert (marks, "generated: settings" in RUNBOOK) == (["settings.md"], False)


@pytest.mark.parametrize("name", RULES)
def test_where_to_look_has_the_commands_themselves(name):
    section = find_section(RUNBOOK, name) or ""
    look, _, _ = section.partition("*Look:* ")[2].partition("*Do:* ")
    words, _, block = look.partition("```sh\n")
    assert not re.search(r"\b[Ll]ook\s+\*", section), "name the thing, not the runbook's word for its command"
    wanted = {look for look, pattern in LOOKS.items() if re.search(pattern, " ".join(words.split()))}
    assert wanted <= set(re.findall(r"^# ([a-z ]+)$", block, re.MULTILINE)), (
        f"<!-- generated: looks {wanted} -->"
    )


def test_the_runbook_speaks_of_no_event_that_does_not_exist():
    sections = re.findall(r"^### `(.*)`$", RUNBOOK, re.MULTILINE)
    assert sorted({*sections} - {*RULES}) == [], "sections of RUNBOOK.md without a rule: take them out"
    assert len(sections) == len({*sections})


def test_a_section_ends_where_the_next_one_begins():
    text = "### `one`\n\nFirst.\n\n### `two`\n\nSecond.\n\n## After\n"
    assert (find_section(text, "one"), find_section(text, "two")) == ("First.", "Second.")
    assert find_section(text, "three") is None


def test_a_comment_of_a_block_of_commands_ends_no_section_and_a_mark_is_not_part_of_it():
    text = "### `one`\n\n<!-- generated: looks logs -->\n```sh\n# logs\nx\n```\n<!-- /generated -->\n\nEnd.\n"
    assert find_section(text, "one") == "```sh\n# logs\nx\n```\n\nEnd."


def test_every_name_in_a_section_that_looks_like_an_event_is_one():
    linked = set(re.findall(r"\]\(#([a-z0-9_]+_[a-z0-9_]+)\)", RUNBOOK))
    assert linked - set(RULES) == set()


def test_every_escalation_says_who_decides():
    assert "needs explicit approval" in RUNBOOK
    for word in (
        "update-service",
        "stop-task",
        "run-task",
        "docker stop",
        "docker start",
        "docker rm",
        "kill ",
    ):
        assert word not in RUNBOOK, f"{word}: the runbook holds no command that changes anything"


def test_no_document_names_a_machine():
    for path in (*ROOT.glob("*.md"), *(ROOT / "schemas").iterdir(), ROOT / ".env.example"):
        assert not re.search(r"/(Users|home|work|tmp)/", path.read_text(encoding="utf-8")), path
    assert Path(ROOT / "CHANGELOG.md").is_file()
