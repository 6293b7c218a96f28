"""The labelled lines: how well each dialect is heard, and that nothing adversarial raises an alarm."""

from __future__ import annotations

import pytest

from detector.logs import codes
from detector.logs.codes import CODES
from detector.logs.parse.phrases import CONFIRMATIONS
from tests.support.log_corpus import (
    BLIND,
    CORPUS,
    HELD_OUT,
    NAMES,
    faults,
    kinds_heard,
    labelled,
    score_alarms,
    scored,
    table,
)

LINES = labelled(CORPUS)
UNSEEN = labelled(HELD_OUT)
LEAST_PRECISION, LEAST_RECALL, LEAST_LINES = 0.97, 0.95, 300
LEAST_BLIND_RECALL, LEAST_BLIND_LINES, LEAST_PROGRAMS = 0.93, 200, 25


def test_there_are_enough_lines_of_every_kind():
    assert len(LINES) >= LEAST_LINES
    assert len({line.dialect for line in LINES}) >= 12
    assert len(kinds_heard(LINES)) == len(NAMES)
    assert sum(line.adversarial for line in LINES) >= 60


def test_each_class_of_codes_with_an_event_has_words_that_confirm_it():
    """A code in a weak place, whose class had no such words, was never heard."""
    classes = {entry.kind for entry in CODES.values() if entry.event} - {codes.COMPETING_SESSION}
    assert classes <= CONFIRMATIONS.keys()


@pytest.mark.parametrize(("name", "lines"), [("the corpus", LINES), ("the held-out lines", UNSEEN)])
def test_every_dialect_reaches_the_floors(name, lines, capsys):
    scores = scored(lines)
    with capsys.disabled():
        print(f"\n{name}:\n{table(scores)}")
    low = [dialect for dialect, one in scores.items() if one.right + one.missed and one.recall < LEAST_RECALL]
    wrong = [dialect for dialect, one in scores.items() if one.right and one.precision < LEAST_PRECISION]
    assert (low, wrong) == ([], []), "\n".join(faults(lines))


@pytest.mark.parametrize("lines", [LINES, UNSEEN], ids=["the corpus", "the held-out lines"])
def test_no_adversarial_line_raises_an_alarm(lines):
    assert faults(line for line in lines if line.adversarial) == []


@pytest.mark.parametrize("folder", BLIND, ids=lambda folder: folder.name)
def test_lines_of_programs_that_nobody_tuned_for_are_understood(folder):
    rows = labelled(folder)
    assert len(rows) >= LEAST_BLIND_LINES
    assert len({row.dialect for row in rows}) >= LEAST_PROGRAMS
    score, wrong = score_alarms(rows)
    assert score.precision >= LEAST_PRECISION, "\n".join(wrong)
    assert score.recall >= LEAST_BLIND_RECALL, "\n".join(wrong)
