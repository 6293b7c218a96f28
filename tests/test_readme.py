"""The documents, checked by doing what they say.

Transcripts are run, examples are read, numbers are compared.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click
import jmespath
import pytest

from detector.app.mutes_and_closures import parse_closures, parse_mutes
from detector.app.profile_document import find_broken_examples, parse_profile_tables, parse_profile_text
from detector.cli import commands
from detector.domain.profile import parse_profile
from detector.engine.catalog import load_rules
from detector.settings import DECLARED
from tests.support.snapshots import DEFAULTS, ROOT

PAGES = tuple(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))
DOCUMENTS = ("README.md", "RUNBOOK.md", "CONTRIBUTING.md", *PAGES)
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
TEXTS = {name: (ROOT / name).read_text(encoding="utf-8") for name in DOCUMENTS}


def blocks(language: str, *names: str) -> Iterator[tuple[str, str]]:
    """Every fenced block of a language: the document's name and the block's text."""
    for name in names or DOCUMENTS:
        for found in BLOCK.finditer(TEXTS[name]):
            if found[1] == language:
                yield name, found[2]


def steps(block: str) -> Iterator[tuple[str, str]]:
    """The commands of a transcript, continued by `> `, each with what the terminal shows after it."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        lines = part.splitlines(keepends=True)
        more = next((i for i, line in enumerate(lines[1:], 1) if not line.startswith("> ")), len(lines))
        yield lines[0] + "".join(line[2:] for line in lines[1:more]), "".join(lines[more:])


def titled(name: str, language: str) -> Iterator[tuple[str, str]]:
    """Every block of a language in one document, with the heading that it stands under and its number
    there.
    """
    seen: Counter[str] = Counter()
    for found in BLOCK.finditer(TEXTS[name]):
        heading = re.findall(r"^#+ (.*)$", TEXTS[name][: found.start()], re.MULTILINE)[-1]
        if found[1] == language:
            seen[heading] += 1
            yield f"{name}: {heading}, {seen[heading]}", found[2]


TRANSCRIPTS = [
    pytest.param(block, id=title) for name in DOCUMENTS for title, block in titled(name, "console")
]


@pytest.fixture
def shell(tmp_path):
    """A shell in an empty folder that has the repository's tests and schedule beside it, and nothing of
    the developer's.
    """
    for name in ("tests", ".github", "scheduler"):
        (tmp_path / name).symlink_to(ROOT / name)
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
        "HOME": str(tmp_path),
        "LC_ALL": "C.UTF-8",
    }

    def run(command: str) -> str:
        if " init " in command:  # it writes into a repository of its reader's own
            (tmp_path / ".github").unlink()
            (tmp_path / ".git").mkdir()
        done = subprocess.run(
            ["bash", "-c", command],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.stdout

    return run


@pytest.mark.parametrize("block", TRANSCRIPTS)
def test_a_transcript_shows_what_the_terminal_shows(block, shell):
    for command, expected in steps(block):
        assert shell(command) == expected, command


def test_every_console_block_is_a_transcript_of_the_detector():
    for name, block in blocks("console"):
        assert block.startswith("$ "), (name, block)
        assert all("python -m detector" in command for command, _ in steps(block)), (name, block)


def test_the_first_screen_says_what_it_is_shows_an_event_and_leads_every_reader_on():
    text = TEXTS["README.md"]
    places = [
        text.index(part)
        for part in (
            "**read-only",
            "![An alert",
            "## Which reader are you?",
            "```console",
            "## Three promises",
        )
    ]
    assert places == sorted(places)
    assert len(text.encode()) <= 15_000


def test_every_page_is_linked_from_the_first_one():
    assert [name for name in PAGES if f"({name})" not in TEXTS["README.md"]] == []


def toml(title: str) -> str:
    """The one TOML example of the documents that begins with that comment."""
    (found,) = [block for _, block in blocks("toml") if block.startswith(f"# {title}\n")]
    return found


def test_the_example_of_mutes_is_accepted():
    money = [one.name for one in load_rules() if one.declaration.money]
    assert len(parse_mutes(toml("mutes.toml"), money)) == 2


def test_the_example_of_closures_is_accepted():
    closures = parse_closures(toml("closures.toml"))
    assert len(closures.closed) == 1
    assert len(closures.early) == 1


def test_the_example_of_a_profile_is_accepted():
    profile = parse_profile_text(toml("profile.toml"))
    assert profile.extractors["pending_orders"]({"orders": [{"state": "working"}, {"state": "done"}]}) == 1


def test_the_example_of_a_rule_is_accepted_and_goes_as_it_says():
    tables = parse_profile_tables(toml("rule.toml"))
    assert list(find_broken_examples(parse_profile(tables).rules, tables["rule"], DEFAULTS)) == []


def test_every_shell_example_is_one_that_a_shell_reads():
    for name, block in blocks("sh"):
        done = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True, check=False)
        assert done.stderr == "", (name, block)


def test_every_aws_query_is_one_that_aws_reads():
    queries = [query for _, block in blocks("sh") for query in re.findall(r"--query[ \\\n]+'([^']+)'", block)]
    assert len(queries) >= 3
    for query in queries:
        jmespath.compile(query)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_default_that_stands_in_prose_is_the_default(name):
    for setting, number, unit in re.findall(
        r"`(AEGIS_PT_\w+)`\s\((\d+(?:\.\d+)?)(?:\s(min|h)\b)?", TEXTS[name]
    ):
        factor = {"": 1, "min": 60, "h": 3600}[unit]
        assert float(DECLARED[setting].default) == factor * float(number), setting


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_setting_that_is_named_exists(name):
    assert set(re.findall(r"AEGIS_PT_[A-Z0-9_]+[A-Z0-9]", TEXTS[name])) <= {
        *DECLARED,
        "AEGIS_PT_HARTBEAT_STALE_SEC",
        "AEGIS_PT_NO_SIGNALS_MIN",  # of a profile's own rule
    }


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_link_leads_somewhere(name):
    for target in re.findall(r"\]\((?!https?:)([^)]*)\)", TEXTS[name]):
        path, _, anchor = target.partition("#")
        file = ((ROOT / name).parent / path).resolve() if path else ROOT / name
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file.read_text("utf-8")), target


def anchors(text: str) -> set[str]:
    """The anchors that GitHub makes of a document's headings."""
    titles = re.findall(r"^#{1,6} (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_option_that_is_named_exists():
    context = click.Context(commands, **commands.context_settings)
    found = [commands.get_command(context, name) for name in commands.list_commands(context)]
    every = [commands, *(one for one in found if one is not None)]
    options = {text for one in every for option in one.get_params(context) for text in option.opts}
    named = {
        option
        for name in ("README.md", *PAGES)
        for option in re.findall(r"`(?:python -m detector )?(--[a-z-]+)", TEXTS[name])
    }
    assert named - options == set()
