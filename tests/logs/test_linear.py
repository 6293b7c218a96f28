"""Linear cost: no line and no number of lines makes the reader look at a letter more than a few times."""

from __future__ import annotations

import gc
import re
import sys
from collections import defaultdict
from importlib import import_module
from pkgutil import iter_modules

import pytest

from detector.formats.patterns import _LazyPattern
from detector.logs import bursts, parse
from detector.logs.parse import scan
from detector.logs.parse.classify import classify_line
from detector.logs.parse.line import MAX_LINE_LENGTH, parse_line
from detector.logs.parse.line_times import LogLines
from detector.logs.parse.scan import scan_lines
from tests.support.log_lines import LOST, REFUSED, ago, named_of, seen
from tests.support.snapshots import ROOT

MODULES = [import_module(f"detector.logs.parse.{e.name}") for e in iter_modules(parse.__path__)] + [bursts]


def patterns(value):
    """Every compiled pattern in a value, however deep."""
    if isinstance(value, (re.Pattern, _LazyPattern)):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from patterns(item)
    elif isinstance(value, tuple):
        for item in value:
            yield from patterns(item)


def decode(text):
    """The text of a pattern on bytes as one on text."""
    return text.decode() if isinstance(text, bytes) else text


FOUND = {
    decode(pattern.pattern): (f"{module.__name__.rpartition('.')[2]}.{name}", number)
    for module in MODULES
    for name, value in vars(module).items()
    for number, pattern in enumerate(patterns(value))
}
SOURCE = "\n".join(
    re.sub(r"^from .*? import (?:\([^)]*\)|.*)", "", path.read_text("utf-8"), flags=re.MULTILINE)
    for path in (ROOT / "detector" / "logs").rglob("*.py")
)


USES = defaultdict(set)
for word, use in re.findall(r"\b(_?[A-Z][A-Z0-9_]+)\b(?!: Final)(?:\.(\w+)\()?", SOURCE):
    USES[word].add(use)


def is_searched(name):
    """Whether anything but a match at one place is ever made of a pattern, as far as the source shows."""
    return not USES[name] or not {"match", "fullmatch"}.issuperset(USES[name])


EVERY = [pytest.param(re.compile(text), id=f"{name}-{number}") for text, (name, number) in FOUND.items()]
HOSTILE = {
    "one letter": "a",
    "spaces": " ",
    "digits": "1",
    "minus ones": "-1 ",
    "codes": "1100 ",
    "pipes": "-1 | ",
    "keys": "code ",
    "quotes": "'",
    "words": "connection to ",
    "labels": "error ",
    "dots": "a.",
    "brackets": "[",
    "denials": "no ",
    "farms": "farm",
    "colons": "a:",
    "counts": "matched=1 ",
    "letters of another script": "连接",
}


def steps(run):
    """How many calls and lines of Python a function takes: a measure that no other process disturbs.

    It runs untraced before: patterns are compiled at their first use, and compiling takes many steps. What
    the collector of garbage calls is not counted, and no line was read before.
    """
    run()
    scan._get_shared_cache.cache_clear()
    count = 0

    def trace(frame, kind, value):
        nonlocal count
        count += 1
        return trace

    gc.disable()
    sys.settrace(trace)
    try:
        run()
    finally:
        sys.settrace(None)
        gc.enable()
    return count


def test_the_patterns_are_found():
    assert len(EVERY) > 50


@pytest.mark.parametrize("pattern", EVERY)
def test_no_pattern_has_an_unbounded_repeat_inside_an_unbounded_repeat(pattern):
    """`(a+)+`, `(a*b)*` and the like are what makes a pattern exponential."""
    assert not re.search(
        r"\((?:[^()\\]|\\.)*(?<!\\)[*+](?!\+)(?:[^()\\]|\\.)*\)(?:[*+](?!\+)|\{\d+,\})", pattern.pattern
    )


@pytest.mark.parametrize("pattern", EVERY)
def test_every_pattern_ends_on_hostile_lines(pattern):
    look = pattern.search if is_searched(FOUND[pattern.pattern][0].rpartition(".")[2]) else pattern.match
    for piece in HOSTILE.values():
        look((piece * MAX_LINE_LENGTH)[:MAX_LINE_LENGTH])


@pytest.mark.parametrize("piece", HOSTILE.values(), ids=HOSTILE)
def test_a_line_of_a_megabyte_ends(piece):
    line = (piece * 1_000_000)[:1_000_000]
    assert (
        list(
            scan_lines(_lines([line, f"CRITICAL {line}", f"Error 1100, reqId -1: {line}"]), introduced=False)
        )
        is not None
    )


def test_what_is_longer_than_8_kib_is_cut():
    assert len(parse_line("a" * 100_000).text) == MAX_LINE_LENGTH
    assert classify_line(parse_line(f"{'a' * (MAX_LINE_LENGTH - 5)} {LOST}")) == []
    assert classify_line(parse_line(LOST + "a" * 1_000_000)) != []


def _lines(texts):
    lines = LogLines()
    for text in texts:
        lines.add(text, 0)
    return lines


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("INFO scan cycle {} done", id="benign"),
        pytest.param("Error 1100, reqId -1: lost {}", id="lost"),
        pytest.param("Traceback (most recent call last):", id="tracebacks"),
        pytest.param("    indented {}", id="indented"),
        pytest.param("CRITICAL boom {}", id="severe"),
        pytest.param("API connection failed: TimeoutError() {}", id="refused"),
    ],
)
def test_the_cost_grows_with_the_number_of_lines(line):
    """Four times the lines take four times the steps, give or take a tenth."""
    few, many = ([line.format(number) for number in range(count)] for count in (250, 1000))
    cost = [
        steps(lambda texts=texts: list(scan_lines(_lines(texts), introduced=False))) for texts in (few, many)
    ]
    assert cost[1] / cost[0] < 4.4


@pytest.mark.parametrize(
    "line",
    [
        "CRITICAL boom {}",
        LOST + " {}",
        "send_outcome_unknown order_id={}",
        "Error 326, reqId -1: {}",
        REFUSED + " {}",
        "Error 10141, reqId -1: Paper trading disclaimer must be accepted.\nclientId {} already in use?",
    ],
)
@pytest.mark.parametrize("plain", [True, False], ids=["plain lines", "events"])
def test_the_cost_of_a_whole_run_grows_with_the_number_of_lines(line, plain):
    def run(count):
        texts = [line.format(number) for number in range(count)]
        logs = texts if plain else [ago(3000 - number, text) for number, text in enumerate(texts)]
        return steps(lambda: seen(logs))

    base = run(0)
    assert (run(1200) - base) / (run(300) - base) < 4.8


def test_a_hundred_thousand_lines_are_read():
    logs = [ago(3600 - number * 0.03, f"INFO scan cycle {number} done") for number in range(100_000)]
    assert named_of(seen([*logs, ago(60, LOST)]), "connectivity_lost") == ["critical connectivity_lost"]
