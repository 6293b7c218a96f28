"""`schema`: the names, and each schema as it lies in the repository."""

from __future__ import annotations

import pytest

from detector.commands.schema import SCHEMAS
from tests.support.command_output import epilog_example, told
from tests.support.snapshots import ROOT


def test_without_a_name_it_lists_the_names():
    assert told("schema").lines == ["snapshot", "output", "artifact"]


@pytest.mark.parametrize("name", SCHEMAS)
def test_with_a_name_it_prints_what_lies_in_the_repository(name):
    assert told("schema", name).out == (ROOT / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8")


def test_an_unknown_name_is_refused():
    answer = told("schema", "snapshots")
    assert (answer.code, answer.out) == (2, "")
    assert "'snapshot', 'output', 'artifact'" in answer.err


def test_a_setting_that_cannot_be_used_does_not_matter_to_a_schema():
    assert told("schema", environ={"AEGIS_PT_GAP_SEC": "late"}).code == 0


def test_the_example_of_the_help_runs():
    assert told(*epilog_example("schema")).code == 0
