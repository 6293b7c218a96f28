"""Prepares one log line for matching: cut, unwrapped from JSON or key=value logs, with its level.

Every pattern here and in the modules that match lines is linear in the length of the line: each repeat is
bounded or cannot match the text after it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from detector.logs.parse.json_records import parse_record

_TRACEBACK_PART: Final = re.compile(
    r"\s*(?:File \"|raise\b|return\b|assert\b|at [\w$.<>]{1,200}\(|\^{1,200}"
    r"|(?:\w{1,60}\.){0,8}(?:[A-Z]\w{0,80}(?:Error|Exception|Warning|Interrupt|Exit)|Exception)\s?(?:[:(]|$))"
)
MAX_LINE_LENGTH: Final = 8192
"""The number of characters of a line that are matched; the rest is cut."""

SEVERE_LEVELS: Final = frozenset({"FATAL", "CRITICAL", "CRIT", "SEVERE", "EMERG", "EMERGENCY"})
INTRODUCING_LEVELS: Final = SEVERE_LEVELS | {"ERROR", "ERR", "WARN", "WARNING", "ALERT"}
_LEVELS: Final = (
    "TRACE|DEBUG|INFO|INFORMATION|NOTICE|WARN(?:ING)?|ERROR|ERR|ALERT"
    "|FATAL|CRITICAL|CRIT|SEVERE|EMERG(?:ENCY)?"
)
_DATE = r"\d{4}[-/.]?\d\d[-/.]?\d\d[T_ ]\s?\d\d:\d\d:\d\d(?:[.,:]\d{1,9})?\s?(?:Z|UTC|GMT|[+-]\d\d:?\d\d)?"
# One piece of the prefix that a logger puts before the message; a level is a named group.
_PREFIX_PIECE: Final = re.compile(
    rf"""\s{{0,40}}(?:
      \[?{_DATE}\]?(?![\d.])
    | \d{{4}}[-/]\d\d[-/]\d\d(?=\s)
    | \[?\d\d:\d\d:\d\d(?:[.,:]\d{{1,9}})?\]?(?![\d.])
    | [\[(<{{]?\s?(?P<level>(?:{_LEVELS}))\s{{0,3}}(?:[\])>}}]|:{{1,2}}|(?=[\s|:,]|$))
    | [\[(<]?\s?(?P<mixed>(?i:fatal|critical|crit|severe))\s?(?:[\])>]:?|:)(?=\s)
    | (?:level|lvl|severity|levelname)=["']?(?P<keyed>[A-Za-z]{{3,12}})["']?
    | [A-Za-z][\w.@/-]{{0,60}}\s{{1,3}}\|(?=\s)
    | \[(?!\s?-?\d{{3,5}}\s?\])(?![^\]\n]{{0,80}}(?:code|err|req))[^\]\n]{{0,80}}\]
    | (?:ts|time|timestamp)=["']?[\w.:+-]{{1,40}}["']?
    | [A-Za-z_$][\w$-]*+(?:[./][\w$-]++){{1,8}}(?:\[\d{{1,7}}\])?:?(?=\s)
    | [A-Za-z_$][\w$-]{{0,40}}(?:\[\d{{1,7}}\])?(?=(?:\s{{1,3}}|:|\s[-|]\s)(?:{_LEVELS})\b)
    | (?P<glog>[IWEF])\d{{4}}(?=\s\d\d:\d\d)
    | [A-Za-z_][\w.-]{{0,60}}\[\d{{1,7}}\]:(?=\s)
    | (?:root|main|__main__)(?=[:\s])
    | [-|:>*·•–—]{{1,3}}(?=\s)
    )""",
    re.VERBOSE,
)
# The commonest prefix in one step: a date, an optional logger name, a level.
_COMMON_PREFIX: Final = re.compile(
    rf"\[?{_DATE}\]?\s{{1,3}}(?:(?!(?:{_LEVELS})\b)[\w.$-]{{1,60}}\s{{1,3}})?"
    rf"\[?(?P<level>{_LEVELS})\s?\]?(?:\s{{1,3}}|:{{1,2}})"
)
_GLOG: Final = {"I": "INFO", "W": "WARNING", "E": "ERROR", "F": "FATAL"}
_PIECES_WITHIN: Final = 300
_RECORD_WITHIN: Final = 40
_QUOTES: Final = ('"', "'", "`")
_NO_LEVEL_AFTER: Final = re.compile(r"(?i)(?:^|\s)(?:no|not|any|zero|without|0|of|for|non)$")
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]{0,12}m")
# Full-width punctuation of localised messages, and typographic quotes.
_WIDE: Final = str.maketrans(
    "\uff1a\uff0c\uff08\uff09\uff5c\uff1d\uff3b\uff3d\uff1b\xa0\u2019\u2018\u201c\u201d", ":,()|=[]; ''\"\""
)
_MESSAGE: Final = re.compile(r"\b(?:msg|message)=(\")((?:[^\"\\]|\\.)*+)\"?")


@dataclass(frozen=True, slots=True)
class ParsedLine:
    """A line prepared for matching: in its own case and lowered, with its level.

    `body` is the lowered message after the logger's prefix; it begins at the offset `body_start`. `time` is
    the time field of a structured record.
    """

    text: str
    lowered: str
    body_start: int
    body: str
    level: str | None
    time: str | float | None = None


def parse_line(line: str) -> ParsedLine:
    """Return the line cut to MAX_LINE_LENGTH, without colours, unwrapped from a structured log."""
    text = line[:MAX_LINE_LENGTH]
    if not text.isascii():
        text = text.translate(_WIDE)
    if "\x1b" in text:
        text = _COLOUR.sub("", text)
    record = parse_record(text) if "{" in text[:_RECORD_WITHIN] else None
    if record is not None:
        body_start, level = _parse_prefix(record.line)
        return _build_line(record.line, body_start, record.level or level, record.time)
    body_start, level = _parse_prefix(text)
    inner = _MESSAGE.search(text) if '="' in text else None
    if inner is not None:
        text, body_start = inner[2].replace('\\"', '"') + " " + text[: inner.start()] + text[inner.end() :], 0
    elif text[body_start : body_start + 1] in _QUOTES and text.rstrip().endswith(text[body_start]):
        body_start += 1  # quotes around the whole message are no quotation
    return _build_line(text, body_start, level)


def is_traceback_part(line: ParsedLine) -> bool:
    """Whether a line without a logger's prefix is part of a traceback: a frame, code, the exception."""
    return line.level is None and _TRACEBACK_PART.match(line.text) is not None


def is_quoted(body: str, start: int) -> bool:
    """Whether the text at the offset `start` stands in quotes."""
    if not start or not ('"' in body or "'" in body or "`" in body):
        return False
    return any(opened < start < closed for opened, closed in _find_quoted_spans(body))


def _build_line(
    text: str, body_start: int, level: str | None, stamp: str | float | None = None
) -> ParsedLine:
    lowered = text.lower()
    return ParsedLine(text, lowered, body_start, lowered[body_start:], level, stamp)


def _parse_prefix(text: str) -> tuple[int, str | None]:
    """Return the offset where the message begins, and the first level before it."""
    common = _COMMON_PREFIX.match(text)
    at, level = (common.end(), common["level"]) if common else (0, None)
    while at < _PIECES_WITHIN:
        piece = _PREFIX_PIECE.match(text, at)
        if piece is None or piece.end() == at:
            break
        name = piece["level"] or piece["mixed"] or piece["keyed"] or _GLOG.get(piece["glog"])
        if name and _NO_LEVEL_AFTER.search(text[:at]):
            break
        if name and level is not None and not piece["keyed"]:
            break
        level, at = level or (name.upper() if name else None), piece.end()
    return at + len(text[at:]) - len(text[at:].lstrip()), level


def _find_quoted_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield the offsets of each quotation: its opening quote, and its closing one or the end of the text."""
    at, opened, quote = 0, -1, ""
    for at, letter in enumerate(text):
        if opened < 0 and letter in "\"'`" and (at == 0 or not text[at - 1].isalnum()):
            opened, quote = at, letter
        elif opened >= 0 and letter == quote and not text[at + 1 : at + 2].isalnum():
            yield opened, at
            opened = -1
    if opened >= 0 and quote == '"':
        yield opened, at + 1
