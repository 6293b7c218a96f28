"""Workflow commands: no data becomes one, and each annotation has the right title and text."""

from __future__ import annotations

import json

import pytest

from detector.render.github_output import (
    escape_commands,
    escape_commands_in_json,
    format_annotation,
)
from tests.support.program import answer


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("a usual line: fine", "a usual line: fine"),
        ("::error::x", ": :error::x"),
        ("   ::add-mask::x", "   : :add-mask::x"),
        ("x ::error::y", "x ::error::y"),
        ("##[error]x", "## [error]x"),
        ("x ##[add-mask]y ##[group]z", "x ## [add-mask]y ## [group]z"),
    ],
)
def test_no_line_is_a_command(line, shown):
    assert escape_commands(line) == shown


def test_a_document_stays_the_same_document():
    document = {"summary": "##[add-mask]x ##### [a] #", "more": ["::error::"]}
    text = escape_commands_in_json(json.dumps(document))
    assert json.loads(text) == document
    assert "##[" not in text


@pytest.mark.parametrize("name", ["##[add-mask]x", "x\n::error::y"])
def test_what_is_said_on_stderr_is_no_command(name):
    done = answer("run", "--snapshot", name)
    assert name.split("]")[-1].split(":")[-1] in done.err
    assert not [line for line in done.err.splitlines() if line.lstrip().startswith("::") or "##[" in line]


def test_an_error_carries_its_text_whole_and_as_one_line():
    assert (
        format_annotation("error", "PT health", "50 %\r\nnext") == "::error title=PT health::50 %25%0D%0Anext"
    )


def test_a_warning_differs_from_an_error_in_its_name_alone():
    assert format_annotation("warning", "PT health", "50 %") == "::warning title=PT health::50 %25"


def test_a_title_cannot_end_early():
    assert format_annotation("error", "a:b,c%", "x") == "::error title=a%3Ab%2Cc%25::x"


def test_an_error_holds_no_secret_and_is_bounded():
    said = format_annotation("error", "t", "token=ghs_canaryOfThisVeryRun7aaaaaaaaaaaaaaaa " + "x" * 10_000)
    assert "canary" not in said
    assert len(said) < 2100
