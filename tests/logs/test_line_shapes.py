"""A line that is like an earlier one has the result that it has by itself."""

from __future__ import annotations

import re
from random import Random

import pytest

from detector.logs.parse.line_shapes import mask_digits
from detector.logs.parse.scan import _classify_alone, _LineCache
from tests.support.log_corpus import BLIND, CORPUS, HELD_OUT, heard_in, labelled

LINES = [row.text for folder in (CORPUS, HELD_OUT, *BLIND) for row in labelled(folder)]
NUMBERS = (
    "0", "7", "31", "32", "40", "50", "60", "99", "201", "321", "429", "502", "1100", "1101", "1102", "2103",
    "2148", "4001", "4711", "5432", "7497", "10197", "99999", "1773154680", "1773154680113",
)  # fmt: skip


def with_other_numbers(line, random):
    """The line with some of its numbers replaced by others, of which some decide and some do not."""
    return re.sub(r"\d+", lambda hit: hit[0] if random.random() < 0.6 else random.choice(NUMBERS), line)


def test_the_cache_changes_no_result():
    """Every labelled line and eight like it, in any order, through one cache."""
    random = Random(20260310)
    lines = [like for line in LINES for like in (line, *(with_other_numbers(line, random) for _ in range(8)))]
    lines += [f"[{random.getrandbits(64):016x}-{random.getrandbits(48):012x}] {line}" for line in LINES]
    random.shuffle(lines)
    cache = _LineCache()
    for line in LINES:  # from the second of its kind on a line is read by what the first ones gave
        cache.classify(line, mask_digits(line))
    wrong = [line for line in lines if cache.classify(line, mask_digits(line)) != _classify_alone(line)]
    assert wrong == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param('{"level":50,"msg":"loop"}', '{"level":60,"msg":"loop"}', id="a level that is a number"),
        pytest.param("cycle 1234 done", "error 1100 done", id="a code in another number's place"),
        pytest.param(
            "position reconciliation OK matched=5000 internal_count=5000 broker_count=5000",
            "position reconciliation OK matched=5000 internal_count=5000 broker_count=4999",
            id="counts that differ",
        ),
        pytest.param("send_outcome_unknown order_id=48211", "send_outcome_unknown order_id=48212", id="ids"),
        pytest.param("GET /v1/api/x returned 888", "GET /v1/api/x returned 429", id="a status"),
        pytest.param("waiting for 9fa", "waiting for 2fa", id="a word with a digit"),
        pytest.param(
            "TWS version 10.19 will no longer be supported after 2026-05-04",
            "TWS version 10.19 will no longer be supported after 2026-06-09",
            id="a day",
        ),
        pytest.param(
            "TWS version 10.19 will no longer be supported after 9926-05-04",
            "TWS version 10.19 will no longer be supported after 2026-06-09",
            id="no day, and a day",
        ),
    ],
)
def test_a_number_that_decides_is_never_taken_for_another(first, second):
    for lines in ((first, first, second), (second, second, first)):
        cache = _LineCache()
        assert [cache.classify(line, mask_digits(line)) for line in lines] == [
            _classify_alone(line) for line in lines
        ]


def test_a_level_that_is_a_number_is_read():
    assert heard_in('{"level":60,"time":1773154682113,"msg":"strategy loop crashed"}') == {"severe"}
