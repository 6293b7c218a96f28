"""The line of an error in a file that a person wrote."""

from __future__ import annotations

import tomllib

import pytest

from detector.domain.mute import parse_mutes
from detector.domain.profile import parse_profile
from detector.formats.toml_lines import find_line
from detector.market.closures import parse_closures
from tests.support.command_output import told

MUTE = '[[mute]]\nsignature = "x:*"\nuntil = 2026-06-06T06:00:00Z\nreason = "r"\nby = "b"\n'


def parse_mute_text(document):
    return parse_mutes(document, ["stuck_exits"])


@pytest.mark.parametrize(
    ("parse", "text", "line"),
    [
        pytest.param(
            parse_mute_text, MUTE + "\n" + MUTE + 'for = "ever"\n', 12, id="a key of the second mute"
        ),
        pytest.param(parse_mute_text, MUTE.replace('"b"', '""'), 5, id="an empty value"),
        pytest.param(parse_mute_text, MUTE.replace("x:*", "stuck_exits"), 1, id="money"),
        pytest.param(parse_mute_text, "\n[[mute]]\n", 2, id="a missing key: the header"),
        pytest.param(parse_mute_text, "[[mutes]]\n", None, id="an unknown table"),
        pytest.param(parse_closures, "[[closed]]\ndate = 2026-06-13\n", 1, id="a weekend"),
        pytest.param(
            parse_closures, '[[closed]]\ndate = 2026-06-10\n\n[[closed]]\ndate = "x"\n', 5, id="a second list"
        ),
        pytest.param(parse_closures, "closed = 3\n", 1, id="a key for a list"),
        pytest.param(parse_profile, '[profile]\nname = "x"\nzone = "Mars"\n', 3, id="a zone"),
        pytest.param(parse_profile, '[status]\npending_orders = "a["\n', 2, id="a path"),
        pytest.param(parse_profile, '[rows.orders]\nsids = "x"\n', 2, id="a column"),
    ],
)
def test_the_line_is_that_of_the_key_else_of_the_table(parse, text, line):
    with pytest.raises(ValueError, match=r".+") as caught:
        parse(tomllib.loads(text))
    assert find_line(text, str(caught.value)) == line


def test_a_refusal_names_setting_file_line_and_key(tmp_path):
    path = tmp_path / "mutes.toml"
    path.write_text(MUTE + "until2 = 3\n")
    answer = told("settings", environ={"AEGIS_PT_MUTES": str(path)})
    assert answer.code == 2
    assert answer.err == f"detector: AEGIS_PT_MUTES: {path}, line 6: mute 1: unknown key 'until2'\n"
