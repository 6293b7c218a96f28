"""What the program writes for people: each sentence that changed is listed, and no old one returns."""

from __future__ import annotations

import ast
import io
import json
import re
import tomllib
from collections.abc import Iterator
from functools import cache
from html import unescape
from typing import Any

import pytest

from detector.cli import commands
from detector.engine.catalog import load_rules
from detector.formats.errors import InputError
from detector.formats.redaction import redact_text
from detector.render.lines import format_decision, format_plugin_line
from detector.settings import DECLARED
from tests.support.merge_patch import apply_patch
from tests.support.program import answer
from tests.support.snapshots import ROOT, evaluated, fixtures, healthy, settings_of

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
    for beside in (ROOT / ".github" / "workflows", ROOT / "scheduler" / "src"):
        texts += [line for path in beside.glob("*.[ty]*") for line in path.read_text("utf-8").splitlines()]
    texts += (ROOT / "RUNBOOK.md").read_text("utf-8").split("\n\n")
    texts += (ROOT / "docs" / "other-bots.md").read_text("utf-8").splitlines()  # its transcripts are run
    for words in ([], *([name] for name in commands.list_commands(None))):  # type: ignore[arg-type]  # the names need no context
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


# --- what readers stumbled on ---------------------------------------------------------------------------

READERS = tomllib.loads((ROOT / "tests" / "fixtures" / "readers.toml").read_text("utf-8"))
PRODUCT = ("detector", "docs", "schemas", "scheduler/src", ".github")
SINGLE = ("README.md", "RUNBOOK.md", "CONTRIBUTING.md", ".env.example", "scheduler/README.md")


@cache
def product_texts() -> dict[str, str]:
    """Every document, source and comment of the product by its path; what lists old sentences is left out."""
    paths = [path for room in PRODUCT for path in (ROOT / room).rglob("*.*")] + [
        ROOT / name for name in SINGLE
    ]
    texts = {
        path.relative_to(ROOT).as_posix(): path.read_text("utf-8")
        for path in paths
        if path.suffix in {".py", ".md", ".toml", ".json", ".ts", ".yml", ".example"} and path.is_file()
    }
    del texts["docs/sentences.md"]
    return texts


@pytest.mark.parametrize("number", READERS["sentences"])
def test_no_kind_of_sentence_that_stumbled_returns(number):
    pattern = re.compile(READERS["sentences"][number])
    again = {name: found[0] for name, text in product_texts().items() if (found := pattern.search(text))}
    printed = [line for line in written_texts() if pattern.search(line)]
    assert (again, printed) == ({}, [])


def test_every_sentence_and_finding_of_the_readers_is_held():
    assert list(READERS["sentences"]) == [str(number) for number in range(1, 47)]
    assert list(READERS["findings"]) == [str(number) for number in range(1, 22)]
    for tests in READERS["findings"].values():
        for name in tests:
            path, _, function = name.partition("::")
            assert f"def {function}(" in (ROOT / path).read_text("utf-8"), name


def test_the_readme_says_what_make_check_needs():
    readme = (ROOT / "README.md").read_text("utf-8")
    assert re.search(r"make check +#.*needs Node", readme)
    assert re.search(r"make run +#.*makes \.venv \(\d+ MB", readme)


class Terminal(io.BytesIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    "words",
    [
        "",
        "run --snapshot -",
        "gaps --runs - --created-after 2026-06-01T17:45:00Z",
        "schema snapshot --check -",
        "profile new -",
    ],
)
def test_a_command_that_waits_for_a_person_to_type_says_so(words):
    assert "end it with Ctrl-D" in answer(*words.split(), stdin=Terminal(b"{}")).err


OWN = [
    *(("settings", name) for name in DECLARED),
    *(("explain", rule.name) for rule in load_rules()),
    *(("init", place, "--runtime", "my-bot", "--dry-run") for place in ("github", "box")),
    *((name,) for name in ("settings", "rules", "doctor", "collect", "schema")),
]


# What is hidden by right: a header with a hole for its token, and the file that names secrets.
HIDDEN = {"Token token=…"}
SETUP = "detector/render/setup_files.py"


def test_no_text_of_the_program_is_taken_for_a_secret():
    """Whatever is printed on standard error is redacted: a sentence must not lose a word to that."""
    for path in sorted((ROOT / "detector").rglob("*.py")):
        nodes = ast.walk(ast.parse(path.read_text("utf-8")))
        texts = {text for node in nodes if " " in (text := as_text(node))} - HIDDEN
        if path != ROOT / SETUP:
            assert {text: hidden for text in texts if (hidden := redact_text(text)) != text} == {}


def test_the_program_hides_none_of_its_own_words():
    for words in OWN:
        said = answer(*words)
        assert not re.search(r"\[(?:redacted|e-mail|[a-z-]*account)\]", said.out.decode() + said.err), words


# --- grammar --------------------------------------------------------------------------------------------

NOUNS = (
    "attempt|condition|contract|entry|entrie|event|execution|exit|fact|failure|fill|instrument|line|notice"
    "|order|part|position|process(?:e)?|restart|row|run|section|session|share|source|start|task|tick|trade"
)
KINDS = "open|working|severe|log|sent|runtime|running|recent|half"
FAULTS = {
    "a plural behind one": rf"(?<![\d.,:#-])(?<!of )1 (?:{KINDS} )*(?:{NOUNS})s\b(?!')",
    "a singular behind many": rf"(?<![\d.,:#TZ-])(?:0|[2-9]|\d\d+) (?:{KINDS} )*(?:{NOUNS})\b(?![-#'])",
    "a verb that does not fit": rf"(?<![\d.,:#-])1 (?:{NOUNS}) are\b",
    "an article twice": r"\b(?:an?|the|no known) (?:an?|the)\b",
    "a present that lasts": r"\b(?:is|are) (?:\w+ ){1,4}(?:since \d|for \d+ (?:s|min|h|d)\b)",
    "a word twice": r"\b([A-Za-z]+) \1\b",
    "nothing in brackets": r"\(\s*\)|\[\s*\]|``|''|\"\"",
    "a value of the code": r"\b(?:None|nan|inf|True|False)\b|unknown instrument",
    "a section that nobody can find": r"§|\bDESIGN\b",
    "a hole": r"  | [,.;:)]|\( |,,|\.\.(?!\.)|, and \.",
    "more seconds than anybody counts": r"(?<![\d.])(?:1[2-9]\d|[2-9]\d\d|\d{4,})(?:\.\d+)? (?:s|seconds)\b",
    "more minutes than anybody counts": r"(?<![\d.])(?:[6-9]\d|\d{3,}) min\b",
    "a time that does not say UTC": r"\d\d:\d\d(?::\d\d)?(?!:?\d| UTC)",
    "brackets in brackets": r"\(\(|\)\)",
    "a question mark": r"\?",
    "a quantity that is less than nothing": r"(?:[Ll]ong|[Ss]hort|bought|sold|quantity|holds|runs|ended with) -\d",
    "an unknown quantity without of": r"unknown quantity (?!of\b)",
    "two names of one id": r"\bcon_id \d|contract id \d",
    "a wrong article": r"\ba [aeio][a-z]+\b|\ban [bcdfgjklmnpqrstvwxyz][a-z]+\b",
}


# Every limit of a count at one (a burst has two), so that a sentence has to count one of what it names.
LOWEST = {
    name.removeprefix("AEGIS_PT_"): "1"
    for name, setting in DECLARED.items()
    if name.endswith(("_WARN", "_CRITICAL")) and isinstance(setting.default, int) and "BURST" not in name
}


def list_variants(value: Any) -> Iterator[Any]:
    """The same value with one leaf missing or another number, or with its rows doubled or cut to one."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield {name: other for name, other in value.items() if name != key}
            yield from ({**value, key: variant} for variant in list_variants(inner))
    elif isinstance(value, list):
        yield from (value * 2, value[:1])
        for at, inner in enumerate(value[:3]):
            yield from ([*value[:at], variant, *value[at + 1 :]] for variant in list_variants(inner))
    elif isinstance(value, int | float):
        yield from (not value,) if isinstance(value, bool) else (1, 2)


@pytest.mark.parametrize("one", fixtures(), ids=lambda one: one.name)
def test_a_summary_keeps_its_grammar_whatever_is_missing_or_another_number(one):
    lowest = settings_of({**LOWEST, **one.settings})
    for patch, settings in ((one.patch, None), *((variant, lowest) for variant in list_variants(one.patch))):
        try:
            report = one.run(apply_patch(healthy(), patch), settings)
        except InputError:
            continue  # refused as a whole: nothing is summarised
        for event in report.events:
            faults = {
                name: found[0] for name, fault in FAULTS.items() if (found := re.search(fault, event.summary))
            }
            assert faults == {}, event.summary


PROSE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", ["RUNBOOK.md", "docs/events.md", "docs/channels.md"])
def test_who_is_woken_reads_the_units_and_names_of_the_alert_in_the_documents_too(name):
    text = PROSE.sub("", (ROOT / name).read_text("utf-8"))
    kinds = ("more seconds than anybody counts", "more minutes than anybody counts")
    assert {kind: found[0] for kind in kinds if (found := re.search(FAULTS[kind], text))} == {}
    assert not re.search(r"\bcon_id\b(?!`)", text), "an alert has conid"


# --- times ----------------------------------------------------------------------------------------------

FOR_PROGRAMS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")
REMOTE = str(ROOT / "tests" / "fixtures" / "histories" / "2026-05-06-power-outage-remote.ndjson")
READ_BY_PEOPLE = [
    *(f"report --format {form}" for form in ("text", "markdown", "html")),
    *(f"report --format {form} {REMOTE}" for form in ("text", "markdown", "html")),
    *(f"gate {stage}" for stage in ("before", "after", "open")),
    f"replay {REMOTE}",
    "plan",
    "can-close --symbol SPY --quantity 1",
    "run --snapshot - --dry-run",
    "doctor",
]


@pytest.mark.parametrize("words", READ_BY_PEOPLE, ids=lambda words: words.replace(str(ROOT), ""))
def test_a_time_for_people_is_written_as_people_read_it(words):
    """RFC 3339 is for programs: a time for people reads 2026-06-02 14:58:30 UTC wherever it is printed."""
    snapshot = json.loads(
        (ROOT / "tests" / "fixtures" / "snapshots" / "regular-session.json").read_text("utf-8")
    )
    broker = {"as_of": snapshot["taken_at"], "connected": True, "positions": [], "open_orders": []}
    given = answer(*words.split(), stdin={**snapshot, "broker": broker})
    lines = unescape(given.out.decode() + given.err).splitlines()
    shown = [line for line in lines if not line.lstrip().startswith('"')]  # without the JSON of a dry run
    assert [line for line in shown if FOR_PROGRAMS.search(line)] == []
    assert words == "doctor" or any(re.search(r"\d\d:\d\d(?::\d\d)? UTC", line) for line in shown)


# What is no sentence: a query's bounds, a digest's input, and the key by which a failure is reported once.
NO_SENTENCE = {
    "app/proof_search.py", "clients/workflow_runs.py", "commands/test_notify.py", "domain/report.py"
}  # fmt: skip


def test_no_sentence_of_the_code_is_given_a_time_for_programs():
    for path in sorted((ROOT / "detector").rglob("*.py")):
        if path.relative_to(ROOT / "detector").as_posix() in NO_SENTENCE:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FormattedValue):
                assert not re.search(r"\bformat_time\(", ast.unparse(node.value)), f"{path}:{node.lineno}"
