"""Counts the lines of one reading: how many have a text and a time of their own, and in which dialects."""

from __future__ import annotations

from collections import Counter

from detector.logs.events import LineCounts
from detector.logs.parse.line import parse_line
from detector.logs.parse.line_times import LogLines, find_line_time

_MOST_SHAPES = 2000
_OTHER = "other"


def count_lines(lines: LogLines) -> LineCounts:
    """Return the counts; lines of one shape count alike, those beyond 2,000 shapes as another dialect."""
    shapes = lines.list_masks()
    samples = dict(zip(shapes, lines.texts, strict=True))
    with_text = sum(map(bool, map(str.strip, lines.texts)))
    timed = sum(stamp is not None for stamp in lines.stamps)
    dialects: Counter[str] = Counter()
    for shape, count in Counter(shapes).most_common(_MOST_SHAPES):
        sample = samples[shape]
        parsed = parse_line(sample)
        if not parsed.text.strip():
            with_text -= count if sample.strip() else 0
            continue
        dialects[parsed.dialect] += count
        if lines.stamps[0] is None and (parsed.time is not None or find_line_time(sample, None)):
            timed += count
    if others := with_text - dialects.total():
        dialects[_OTHER] = others
    return LineCounts(len(lines.texts), with_text, min(timed, len(lines.texts)), dict(dialects.most_common()))
