"""One log line before it is understood: cut, unwrapped from JSON or key=value logs, with its level.

Every pattern here and in the modules that read lines is linear in the length of the line: repeats are bounded, or
cannot match what follows them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from detector.logs.parse.json_records import record_of

_OF_A_TRACEBACK: Final = re.compile(
    r"\s*(?:File \"|raise\b|return\b|assert\b|at [\w$.<>]{1,200}\(|\^{1,200}"
    r"|(?:\w{1,60}\.){0,8}(?:[A-Z]\w{0,80}(?:Error|Exception|Warning|Interrupt|Exit)|Exception)\s?(?:[:(]|$))"
)
LONGEST: Final = 8192
"""Letters of a line that are matched; what is longer is cut."""

SEVERE_LEVELS: Final = frozenset({"FATAL", "CRITICAL", "CRIT", "SEVERE", "EMERG", "EMERGENCY"})
INTRODUCING: Final = SEVERE_LEVELS | {"ERROR", "ERR", "WARN", "WARNING", "ALERT"}
_LEVELS: Final = "TRACE|DEBUG|INFO|INFORMATION|NOTICE|WARN(?:ING)?|ERROR|ERR|ALERT|FATAL|CRITICAL|CRIT|SEVERE|EMERG(?:ENCY)?"
_DATE = r"\d{4}[-/.]?\d\d[-/.]?\d\d[T_ ]\s?\d\d:\d\d:\d\d(?:[.,:]\d{1,9})?\s?(?:Z|UTC|GMT|[+-]\d\d:?\d\d)?"
# One piece of what a logger puts before the message; a level is a group of its own.
_PIECE: Final = re.compile(
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
# The commonest beginning in one step: date, perhaps a logger, a level.
_USUAL: Final = re.compile(
    rf"\[?{_DATE}\]?\s{{1,3}}(?:(?!(?:{_LEVELS})\b)[\w.$-]{{1,60}}\s{{1,3}})?\[?(?P<level>{_LEVELS})\s?\]?(?:\s{{1,3}}|:{{1,2}})"
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
class Text:
    """A line as it is matched: in its own case and lowered, and its level.

    `body` is the lowered message, which begins at `begins`, after what the logger puts before it.
    """

    own: str
    low: str
    begins: int
    body: str
    level: str | None
    time: str | float | None = None


def text_of_line(line: str) -> Text:
    """Return the line as it is matched: cut to 8 KiB, without colours, unwrapped from a structured log."""
    own = line[:LONGEST]
    if not own.isascii():
        own = own.translate(_WIDE)
    if "\x1b" in own:
        own = _COLOUR.sub("", own)
    record = record_of(own) if "{" in own[:_RECORD_WITHIN] else None
    if record is not None:
        begins, level = _prefix(record.line)
        return _text(record.line, begins, record.level or level, record.time)
    begins, level = _prefix(own)
    inner = _MESSAGE.search(own) if '="' in own else None
    if inner is not None:
        own, begins = inner[2].replace('\\"', '"') + " " + own[: inner.start()] + own[inner.end() :], 0
    elif own[begins : begins + 1] in _QUOTES and own.rstrip().endswith(own[begins]):
        begins += 1  # the whole message is quoted, which quotes nobody
    return _text(own, begins, level)


def is_of_a_traceback(text: Text) -> bool:
    """Whether a line without any logger's beginning is a part of a traceback: a frame, code, the exception."""
    return text.level is None and _OF_A_TRACEBACK.match(text.own) is not None


def is_quoted(body: str, start: int) -> bool:
    """Whether what begins there is quoted."""
    if not start or not ('"' in body or "'" in body or "`" in body):
        return False
    return any(opened < start < closed for opened, closed in _quoted_spans(body))


def _text(own: str, begins: int, level: str | None, stamp: str | float | None = None) -> Text:
    low = own.lower()
    return Text(own, low, begins, low[begins:], level, stamp)


def _prefix(own: str) -> tuple[int, str | None]:
    """Return where the message begins and the first level that stands before it."""
    usual = _USUAL.match(own)
    at, level = (usual.end(), usual["level"]) if usual else (0, None)
    while at < _PIECES_WITHIN:
        piece = _PIECE.match(own, at)
        if piece is None or piece.end() == at:
            break
        named = piece["level"] or piece["mixed"] or piece["keyed"] or _GLOG.get(piece["glog"])
        if named and _NO_LEVEL_AFTER.search(own[:at]):
            break
        if named and level is not None and not piece["keyed"]:
            break
        level, at = level or (named.upper() if named else None), piece.end()
    return at + len(own[at:]) - len(own[at:].lstrip()), level


def _quoted_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield where the text quotes: from an opening quote to its closing one, or to the end."""
    at, opened, mark = 0, -1, ""
    for at, letter in enumerate(text):
        if opened < 0 and letter in "\"'`" and (at == 0 or not text[at - 1].isalnum()):
            opened, mark = at, letter
        elif opened >= 0 and letter == mark and not text[at + 1 : at + 2].isalnum():
            yield opened, at
            opened = -1
    if opened >= 0 and mark == '"':
        yield opened, at + 1
