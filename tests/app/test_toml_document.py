"""The line of a key in a file that a person wrote."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.app.toml_document import describe_location, find_line
from tests.support.command_output import told

MUTE = '[[mute]]\nsignature = "x:*"\nuntil = 2026-06-06T06:00:00Z\nreason = "r"\nby = "b"\n'
TEXT = """\
# a comment with [brackets]
top = 1

[rows.orders]  # [status]
side = \"\"\"
mode = "not a key"
[[mute]]
\"\"\"
"quoted key" = [
  1,
  2,
]
deep.er = { x = 1, y = { z = 2 } }

[[rule]]
name = "a"
[[rule.example]]
fires = true
[[rule]]
name = "b"
[rule.sees]
count = "n"
[[rule.example]]
fires = true
[[rule.example]]
fires = false
"""


@pytest.mark.parametrize(
    ("location", "line"),
    [
        pytest.param(("top",), 2, id="a key at the top"),
        pytest.param(("rows",), 4, id="the table around it"),
        pytest.param(("rows", "orders"), 4, id="a table"),
        pytest.param(("rows", "orders", "side"), 5, id="a text of several lines, at its first"),
        pytest.param(("rows", "orders", "mode"), 4, id="a key that stands in a text only: its table"),
        pytest.param(("rows", "orders", "quoted key"), 9, id="a quoted key with a list"),
        pytest.param(("rows", "orders", "quoted key", 1), 9, id="an entry of that list"),
        pytest.param(("rows", "orders", "deep", "er", "y", "z"), 13, id="a table in the line"),
        pytest.param(("rows", "orders", "deep", "er", "missing"), 13, id="a key that such a table lacks"),
        pytest.param(("rule", 0, "name"), 16, id="a key of the first table of a list"),
        pytest.param(("rule", 1, "name"), 20, id="a key of the second"),
        pytest.param(("rule", 1, "sees", "count"), 22, id="a key of a table below the second"),
        pytest.param(("rule", 0, "example", 0, "fires"), 18, id="a list in a list"),
        pytest.param(("rule", 1, "example", 1, "fires"), 26, id="the second of the second"),
        pytest.param(("rule", 1, "summary"), 19, id="a missing key: the header"),
        pytest.param(("status", "mode"), None, id="a table that is not there"),
    ],
)
def test_the_line_is_that_of_the_key_else_of_the_table(location, line):
    assert find_line(TEXT, location) == line


@pytest.mark.parametrize(
    ("location", "text"),
    [
        (("top",), "top"),
        (("rows", "orders", "side"), "[rows.orders] side"),
        (("mute", 1, "until"), "[[mute]] number 2 until"),
        (("rule", 0, "example", 1, "fires"), "[[rule]] number 1 example.1.fires"),
        (("time", "as_of", 1), "[time] as_of number 2"),
        (("mute", 0), "mute number 1"),
        ((), ""),
    ],
)
def test_a_location_is_named_as_the_file_writes_it(location, text):
    assert describe_location(location) == text


names = st.from_regex(r"[a-z]{1,3}", fullmatch=True)
tables = st.dictionaries(names, st.dictionaries(names, st.integers(0, 9), min_size=1), min_size=1)


@given(tables, st.dictionaries(names, st.integers(0, 9)))
def test_every_key_of_any_document_has_the_line_on_which_it_stands(document: dict[str, Any], top):
    lines = [f"{key} = {value}" for key, value in top.items() if key not in document]
    for table, keys in document.items():
        lines += ["", f"[{table}]", *(f"{key} = {value}" for key, value in keys.items())]
    text = "\n".join(lines)
    for table, keys in tomllib.loads(text).items():
        if isinstance(keys, dict):
            for key in keys:
                assert lines[(find_line(text, (table, key)) or 0) - 1].startswith(f"{key} =")
        else:
            assert lines[(find_line(text, (table,)) or 0) - 1].startswith(f"{table} =")


def test_a_refusal_names_setting_file_line_and_key(tmp_path):
    path = tmp_path / "mutes.toml"
    path.write_text(MUTE + "until2 = 3\n")
    answer = told("settings", environ={"AEGIS_PT_MUTES": str(path)})
    assert answer.code == 2
    expected = f"AEGIS_PT_MUTES: {path}: line 6: [[mute]] number 1 until2: is not known; did you mean until?"
    assert answer.err == f"detector: {expected}\n"
