"""Prepares one log line for matching: cut, without its wrappers, however many there are, with its level.

Every pattern here and in the modules that match lines is linear in the length of the line: each repeat is
bounded or cannot match the text after it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from detector.formats.patterns import build_pattern, has_any
from detector.logs.parse.prefixes import parse_prefix
from detector.logs.parse.record_fields import (
    has_message,
    parse_cut_json,
    parse_json,
    parse_list,
    parse_pairs,
)
from detector.logs.parse.records import Record, build_record

_TRACEBACK_PART: Final = build_pattern(
    r"\s*(?:File \"|raise\b|return\b|assert\b|at [\w$.<>]{1,200}\(|\^{1,200}"
    r"|(?:\w{1,60}\.){0,8}(?:[A-Z]\w{0,80}(?:Error|Exception|Warning|Interrupt|Exit)|Exception)\s?(?:[:(]|$))"
)
MAX_LINE_LENGTH: Final = 8192
"""The number of characters of a line that are matched; the rest is cut."""

SEVERE_LEVELS: Final = frozenset(
    {"FATAL", "FTL", "CRITICAL", "CRIT", "SEVERE", "EMERG", "EMERGENCY", "PANIC"}
)
INTRODUCING_LEVELS: Final = SEVERE_LEVELS | {"ERROR", "ERR", "WARN", "WARNING", "WRN", "ALERT"}
_SENTENCE: Final = build_pattern(
    r"[A-Za-z]{2}\s{1,3}[A-Za-z]{2}"
)  # two words: how long they are costs nothing
_MAX_LAYERS: Final = 12
_LONGEST_KEPT: Final = 512
_QUOTES: Final = ('"', "'", "`")
_TAGGED: Final = build_pattern(r"\[\d{9,10}(?:\.\d{1,9})?, \{\"[^\n]*\}\]\s*\Z")
# As it is, and as rsyslog, `cat -v` and escaped texts write its first character.
_ESCAPES: Final = ("\x1b[", "#033[", "^[[", "\\u001b[", "\\x1b[", "\\033[")
_COLOUR: Final = build_pattern(r"(?:\x1b|#033|\^\[|\\{1,8}(?:u001b|x1b|033))\[[0-9;]{0,12}[mK]")
# Full-width punctuation of localised messages, and typographic quotes.
_WIDE: Final = str.maketrans(
    "\uff1a\uff0c\uff08\uff09\uff5c\uff1d\uff3b\uff3d\uff1b\xa0\u2019\u2018\u201c\u201d", ":,()|=[]; ''\"\""
)


class ParsedLine(Struct, frozen=True):
    """The message of a line without its wrappers, in its own case, its level, and its time field.

    `body` is the message in lower case. `is_wrapped` is True where a prefix or a record was around it.
    `dialect` names its outermost wrapper. `time` is that of a structured record.
    """

    text: str
    body: str
    level: str | None
    is_wrapped: bool = False
    time: str | None = None
    dialect: str = "plain"


def parse_line(line: str) -> ParsedLine:
    """Return the message of a line cut to MAX_LINE_LENGTH, without colours and without its wrappers.

    Prefixes and records are taken off in turn until neither is left. The level is the innermost, the time
    the outermost. A short line that was read lately is not read again: a window holds most of the one before.
    """
    return _parse_short(line) if len(line) <= _LONGEST_KEPT else _parse_new(line)


def _parse_new(line: str) -> ParsedLine:
    text = _normalize_text(line[:MAX_LINE_LENGTH])
    level = time = None
    dialect, is_wrapped = "plain", False
    for _ in range(_MAX_LAYERS):
        start, prefix_level = parse_prefix(text)
        level = prefix_level or level
        if text[:start].strip():
            is_wrapped = True
            dialect = "prefixed" if dialect == "plain" else dialect
        text = text[start:]
        record = _parse_record(text)
        if record is None:
            break
        kind, fields = record
        dialect, is_wrapped = kind, True
        level, time = fields.level or level, fields.time if time is None else time
        text = _normalize_text(fields.text)
        if not fields.has_text:
            break
    if text[:1] in _QUOTES and text.rstrip().endswith(text[:1]):
        text = text[1:]  # quotes around the whole message are no quotation
    return ParsedLine(text, text.lower(), level, is_wrapped, time, dialect)


_parse_short = lru_cache(maxsize=2048)(_parse_new)


def _normalize_text(text: str) -> str:
    if not text.isascii():
        text = text.translate(_WIDE)
    return _COLOUR.sub("", text) if has_any(_ESCAPES, text) else text


def _parse_record(text: str) -> tuple[str, Record] | None:
    """Return the kind and content of the record that a text is or ends with, or None for other text."""
    if text[:1] == '"' and '","' in text:
        import csv  # noqa: PLC0415 - few logs have it

        return "csv", build_record(
            {str(place): value for place, value in enumerate(next(csv.reader([text])))}
        )
    rows = [parse_json(text) or parse_cut_json(text)] if text[:1] == "{" else parse_list(text)
    if rows is not None:
        records = [build_record(fields) for fields in rows if fields]
        joined = "; ".join(record.text for record in records)
        return ("json", replace(records[0], text=joined)) if records else None
    text = _open_list(text)
    if '{"' in text and text.rstrip().endswith("}"):
        head, _, rest = text.partition('{"')
        fields = parse_json('{"' + rest)
        if fields:
            record = build_record(fields)
            if has_message(fields) and not _SENTENCE.search(head):
                return "json", record
            return "json", replace(record, text=f"{head.strip()} {record.text}", has_text=False)
    if "=" in text:
        fields = parse_pairs(text)
        return ("logfmt", build_record(fields)) if fields else None
    return None


def _open_list(text: str) -> str:
    """Return a text without the list that fluent-bit puts around a record with its time."""
    if '"=>' in text and text.rstrip().endswith("}]"):  # on its stdout: [tag: [time, {"log"=>"…"}]
        return text.rstrip().removesuffix("]").replace('"=>', '":')
    return (
        text.rstrip().removesuffix("]") if text[:1] == "[" and _TAGGED.match(text) else text
    )  # [time, {"log": "…"}]


def is_traceback_part(line: ParsedLine) -> bool:
    """Whether the message is part of a traceback: a frame, code, the exception."""
    return line.level is None and _TRACEBACK_PART.match(line.text) is not None


def is_quoted(body: str, start: int) -> bool:
    """Whether the text at the offset `start` stands in quotes."""
    if not start or not ('"' in body or "'" in body or "`" in body):
        return False
    return any(opened < start < closed for opened, closed in _find_quoted_spans(body))


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
