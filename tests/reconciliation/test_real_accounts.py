"""Accounts as they are, put to `detect`, `plan` and `can-close`.

What they answer is held against the account.

The whole number of documents: `REAL_ACCOUNTS=20000 pytest tests/reconciliation/test_real_accounts.py`.
"""

from __future__ import annotations

import os

import pytest

from tests.support.real_account_answers import Score, ask, build_score

COUNT = int(os.environ.get("REAL_ACCOUNTS", "400"))
FULL_EVERY = (
    1 if COUNT <= 2000 else 5
)  # detect and plan are asked about one of so many, to stay under a minute
FIRST = int(os.environ.get("REAL_ACCOUNTS_FROM", "0"))
ONCE_WRONG = (
    985, 2565, 6343, 9445, 9656, 11830, 14050, 17912, 18587, 32635, 38470, 48605, 49035, 76975, 100713, 101712,
    101970, 104976, 105256, 111380, 125197, 132614, 136233, 145700, 7007684, 7008775, 12008038, 50013381,
    60016355, 173081, 174761, 175789, 20004039, 20004920, 153723, 12005425, 110000067, 110003698, 110005168,
    120005378, 150004701, 150007241, 160001758, 170017976, 520005614, 2110002985, 2110019380,
)  # fmt: skip


@pytest.fixture(scope="module")
def score() -> Score:
    """The laws held against every document, once for all tests here."""
    score = build_score(range(FIRST, FIRST + COUNT), FULL_EVERY)
    for seed in ONCE_WRONG:
        score.add(ask(seed))
    return score


def test_no_leave_to_close_opens_flips_or_exits_twice(score: Score) -> None:
    assert "wrong leave" not in score.broken, score.format("wrong leave")


def test_nothing_is_called_flat_that_the_account_holds(score: Score) -> None:
    assert "wrong flat" not in score.broken, score.format("wrong flat")


def test_nine_of_ten_plain_closes_are_allowed(score: Score) -> None:
    assert score.counts["plain"] > COUNT / 20
    assert score.counts["plain allowed"] >= 0.9 * score.counts["plain"], score.format("plain refused")


def test_detect_plan_and_can_close_never_contradict_each_other(score: Score) -> None:
    assert "contradiction" not in score.broken, score.format("contradiction")


def test_an_account_that_agrees_raises_no_money_alarm_however_it_is_written(score: Score) -> None:
    assert "false alarm" not in score.broken, score.format("false alarm")


def test_a_real_difference_of_a_plain_account_is_told_as_its_kind(score: Score) -> None:
    assert score.counts["real differences"] > COUNT / FULL_EVERY / 40
    assert "untold" not in score.broken, score.format("untold")


def test_nothing_in_a_document_breaks_a_reader_or_a_rule(score: Score) -> None:
    assert "error" not in score.broken, score.format("error")
