"""The prefix that loggers, containers and syslog put before a message: where it ends, and its level.

A prefix is taken off piece by piece: times, levels, names, process ids, brackets. What follows no known
order is still understood piece by piece. Every repeat is bounded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from msgspec import Struct

from detector.formats.patterns import build_pattern, has_any

_LEVEL_NAMES: Final = (
    "TRACE", "DEBUG", "DBG", "INFO", "INF", "INFORMATION", "NOTICE", "WARN(?:ING)?", "WRN", "ERROR", "ERR",
    "ALERT", "FATAL", "FTL", "CRITICAL", "CRIT", "SEVERE", "EMERG(?:ENCY)?", "PANIC",
)  # fmt: skip
LEVELS: Final = "|".join(_LEVEL_NAMES)
# The levels of java.util.logging in its languages, and what others call critical.
_LOCAL_SEVERE: Final = (
    "SCHWERWIEGEND", "GRAVE", "ALLVARLIG", "KRITISCH", "CRITIQUE", "CRÍTICO", "CRITICO", "严重", "嚴重", "重大",
    "致命的", "致命", "심각",
)  # fmt: skip
_LOCAL_WARNING: Final = (
    "WARNUNG", "AVERTISSEMENT", "ADVERTENCIA", "ADVERTÊNCIA", "AVVERTENZA", "VARNING", "警告", "경고",
)  # fmt: skip
_LOCAL_LEVELS: Final = (*_LOCAL_SEVERE, *_LOCAL_WARNING)
LOCAL_SEVERE_TEXTS: Final = tuple(name.lower() for name in _LOCAL_SEVERE if name.isascii())
_DATE = (
    r"\d{4}[-/.]?\d\d[-/.]?\d\d[T_ -]\s?\d\d:\d\d:\d\d(?:[.,:]\d{1,9})?"
    r"\s?(?:Z|UTC|GMT|[+-]\d\d:?\d\d)?"
)
_CLASS = r"(?:[A-Z]{1,9}[a-z0-9]\w{0,40}[A-Z]\w{0,40}|[A-Z]{2,9}[a-z]\w{0,60}|\w{1,40}[._]\w{1,60})"
_DENIALS = "no|not|any|zero|without|0|of|for|non"
_MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
# What a form may begin with.
_ALPHA, _DIGITS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
_NAME = _ALPHA + "_$"
_WORD = ""  # any letter, digit or underscore of any script
_LEVEL = "".join(dict.fromkeys(name[0] for name in _LEVEL_NAMES))
_STEMS: Final = tuple(name.partition("(")[0] for name in _LEVEL_NAMES)


class _Piece(Struct, frozen=True):
    """One form of a piece: what its first letter may be, and texts of which it or what follows has one."""

    begins: str
    form: re.Pattern[str]
    needs: tuple[str, ...] = ()


def _build_piece(begins: str, form: str, *needs: str) -> _Piece:
    return _Piece(begins, build_pattern(form, re.VERBOSE), needs)


# Each form of a piece, in the order in which they are tried; a line compiles only those that it can have.
_PIECES: Final = (
    _build_piece("[" + _DIGITS, rf"""(?P<date>\[?{_DATE}(?:\s?\#\d{{1,7}})?\]?(?![\d.]))"""),
    # A runner's of Actions and of Azure Pipelines.
    _build_piece("#", r"""\#\#(?:vso\[[^\]\n]{1,80}\]|\[(?:error|warning|debug|section|command)\])"""),
    _build_piece("<", r"""<\d{1,3}>(?:1(?=\s\d{4}-))?"""),
    _build_piece(
        "JFMASOND",
        rf"""(?:{_MONTHS})\s{{1,2}}\d{{1,2}}\s\d\d:\d\d:\d\d(?:\s\d{{4}}\b|(?=\s\W?(?:{LEVELS})\b))""",
        ":",
    ),
    _build_piece(
        "JFMASOND",
        rf"""(?:{_MONTHS})\s{{1,2}}\d{{1,2}}\s\d\d:\d\d:\d\d(?:\.\d{{1,6}})?
        \s(?P<host>[\w.-]{{1,80}})(?=\s\S)""",
        ":",
    ),
    _build_piece(
        "JFMASOND",
        rf"""(?:{_MONTHS})\s\d{{1,2}},\s\d{{4}},?\s\d{{1,2}}:\d\d:\d\d(?:\s[AP]M)?
        (?:\s[\w.$]{{1,120}}\s[\w$<>]{{1,60}}(?=\s{{1,3}}(?:{LEVELS}|CONFIG|FINE(?:R|ST)?):))?(?=\s)""",
        ":",
    ),
    _build_piece(
        "[" + _DIGITS,
        rf"""\[?(?:\d{{1,2}}[-/\s](?:{_MONTHS})[-/\s](?:\d{{4}}|\d\d)|\d{{1,2}}[./]\d{{1,2}}[./]\d{{4}},?
        |\d\d-\d\d)[\s:T]{{1,2}}\d{{1,2}}:\d\d:\d\d(?:[.,]\d{{1,9}})?(?:\s[AP]M)?(?:\s[+-]\d{{4}}|\s?Z)?
        \]?(?![\d.])""",
        ":",
    ),
    _build_piece(_DIGITS, r"""\d{4}-\d\d-\d\d:\d{4}\.\d\d(?=\s)"""),  # pysystemtrade's own
    _build_piece("[1", r"""\[?1\d{9}(?:\.\d{1,9}|\d{3}|\d{6})?\]?(?=\s)"""),
    _build_piece(
        "MTWFS", rf"""(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),?\s{{1,2}}(?=\d{{1,2}}\s|(?:{_MONTHS})\s)""", ":"
    ),
    _build_piece("s", r"""(?:stdout|stderr)\s[FP](?=\s)"""),
    _build_piece(_DIGITS, r"""\d{4}[-/]\d\d[-/]\d\d(?=\s)"""),
    _build_piece(_DIGITS, r"""(?P<clock>\d{1,2}:\d\d[AP]M(?=\s))"""),  # zerolog's
    _build_piece("[" + _DIGITS, r"""(?P<clock>\[?\d\d:\d\d:\d\d(?:[.,:]\d{1,9})?\]?(?![\d.]))"""),
    _build_piece(
        "[(<{" + _LEVEL,
        rf"""[\[(<{{]?\s?(?P<level>(?:{LEVELS}))\s{{0,3}}(?:[\])>}}]|:{{1,2}}|(?=[\s|:,]|$))""",
    ),
    _build_piece("[(<{*", rf"""[\[(<{{*]\s?(?P<mixed>(?i:{LEVELS}))\s{{0,9}}[\])>}}*]:?(?=\s)"""),
    _build_piece(
        "fcsFCS\u017f",
        r"""(?P<bare>(?i:fatal|critical|crit|severe))\s?(?:[\])>]:?|:)(?=\s)(?!\s{1,3}\d{1,9}(?:[,;]|$))""",
    ),
    _build_piece(
        "[" + "".join(dict.fromkeys(name[0] for name in _LOCAL_LEVELS)),
        rf"""\[?(?P<local>{"|".join(_LOCAL_LEVELS)})(?:\]|\s?:|(?=\s))""",
    ),
    _build_piece("|", r"""\|(?P<piped>[DIWECF])\|"""),
    _build_piece(
        "|;,", rf"""[|;,]\s?(?P<column>(?i:{LEVELS}))\s?[|;,](?:\s?[\w.$]{{1,80}}\s?[|;,](?=\s?\S))?"""
    ),
    _build_piece("[", r"""\[(?P<bracketed>[DIWECF])\](?=\s)"""),
    _build_piece("DIWEF", r"""(?P<logcat>[DIWEF])/[\w.$-]{1,60}(?:\(\s{0,5}\d{1,7}\))?:(?=\s)"""),
    _build_piece("DIWECF", r"""(?P<letter>[DIWECF])(?=\s{1,2}\d\d:\d\d:\d\d)"""),
    _build_piece("ls", r"""(?:level|lvl|severity|levelname)=["']?(?P<keyed>[A-Za-z]{3,12})["']?(?=\s)"""),
    _build_piece(_ALPHA, r"""[A-Za-z][\w.@/-]{0,60}\s{1,3}\|(?=\s)""", "|"),
    _build_piece(
        "[", r"""\[(?!\s?-?\d{3,5}\s?\])(?![^\]\n]{0,200}(?:[cC]ode|[eE]rr|[rR]eq))[^\]\n]{0,80}\]"""
    ),
    _build_piece("t", r"""(?:ts|time|timestamp)=["']?[\w.:+-]{1,40}["']?(?=\s)"""),
    _build_piece("{", r"""\{'[^{}\n]{0,300}'\}(?=\s)"""),
    _build_piece(
        "0123456789abcdef", r"""[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(?=\s)""", "-"
    ),
    _build_piece(
        _NAME,
        r"""(?![\w$./-]{1,120}(?:Error|Exception|Warning)\b)
        [A-Za-z_$][\w$-]*+(?:[./][\w$-]++){1,8}(?:\[\d{1,7}\])?
        (?:[:.]\w{1,40}:\d{1,6}|:\d{1,6})?:?(?=\s)""",
        ".",
        "/",
    ),
    _build_piece(
        _NAME,
        rf"""(?!(?i:severity|severities|levels?|at|of|as|is|to|the|all|every|each|max|min)\s)
        [A-Za-z_$][\w$-]{{0,40}}(?:\[\d{{1,7}}\])?(?=(?:\s{{1,3}}|:|\s[-|]\s)(?:{LEVELS})\b)""",
        *_STEMS,
    ),
    _build_piece(_WORD, rf"""{_CLASS}\s{{1,3}}[-|](?=\s)""", "-", "|"),
    _build_piece("DIWEFA", r"""[DIWEFA],(?=\s\[)"""),
    _build_piece("{", r"""\{[\w./-]{1,60}:\d{1,6}\}(?=\s)"""),
    _build_piece("IWEF", r"""(?P<glog>[IWEF])\d{4}(?=\s\d\d:\d\d)"""),
    _build_piece(_ALPHA + "_", r"""[A-Za-z_][\w.()-]{0,60}\[[\w.]{1,20}\]:(?=\s)""", "]:"),
    _build_piece("rm_", r"""(?:root|main|__main__)(?=[:\s])"""),
    _build_piece("-|:>*·•–—!=~", r"""[-|:>*·•–—!=~]{1,10}(?=\s)"""),
)


@lru_cache(maxsize=256)
def _list_pieces(first: str) -> tuple[_Piece, ...]:
    """Return the forms that can begin with that letter."""
    is_word = first.isalnum() or first == "_"
    return tuple(piece for piece in _PIECES if (first in piece.begins if piece.begins else is_word))


def _match_piece(text: str, at: int) -> re.Match[str] | None:
    """Return the piece of a prefix behind the spaces at the offset, or None where the message begins."""
    head = text[at : at + _MOST_SPACES]
    start = at + len(head) - len(head.lstrip())
    if start == len(text):
        return None
    rest = text[start:]
    for piece in _list_pieces(rest[0]):
        if not piece.needs or has_any(piece.needs, rest):
            hit = piece.form.match(text, start)
            if hit:
                return hit
    return None


# RFC 5424 and the short form of journald: a host, a name and its process id after the time.
_AFTER_TIME: Final = build_pattern(
    rf"\s(?:[\w.-]{{1,80}}\s)(?:[\w./-]{{1,48}}\s(?:\d{{1,7}}|-)\s(?!(?:{LEVELS})\b)[\w-]{{1,32}}\s"
    r"(?:-|\[(?![^\]\n]{0,200}(?:[cC]ode"
    r"|[eE]rr)[^\]\n]{0,12}=)[^\]\n]{0,300}\]|(?=\[))(?=\s|\[)"
    r"|[\w./()@-]{1,80}\[\d{1,7}\]:(?=\s))"
)
# The commonest prefix in one step: a date, an optional logger name, a level.
_COMMON: Final = build_pattern(
    rf"\[?{_DATE}\]?\s{{1,3}}(?:(?!(?:{LEVELS}|{_DENIALS})\b)[\w.$-]{{1,60}}\s{{1,3}})?"
    rf"\[?(?P<level>{LEVELS})\s?\]?(?:\s{{1,3}}|:{{1,2}})"
)
_LAYER_ENDS: Final = ("date", "clock", "glog")  # after these another logger's prefix may begin
_GLOG: Final = {"I": "INFO", "W": "WARNING", "E": "ERROR", "F": "FATAL"}
_LETTERS: Final = {"D": "DEBUG", "I": "INFO", "W": "WARNING", "E": "ERROR", "C": "CRITICAL", "F": "FATAL"}
_LETTERED: Final = ("piped", "letter", "bracketed", "logcat")
_WITHIN, _MOST_SPACES = 600, 40
_PRIORITY: Final = build_pattern(r"<(\d{1,3})>")
_GREATEST_PRIORITY, _SEVERITIES, _CRITICAL = 191, 8, 2  # RFC 5424: 8 times the facility, plus the severity
_NO_LEVEL_AFTER: Final = build_pattern(rf"(?i)(?:^|[\s\]])(?:{_DENIALS})$")


def parse_prefix(text: str) -> tuple[int, str | None]:
    """Return the offset where the message begins, and the first level before it."""
    common = _COMMON.match(text) if text[:1] == "[" or text[:1].isdigit() else None
    at, level = (common.end(), common["level"]) if common else (0, None)
    is_new_layer = is_urgent = False
    while at < _WITHIN:
        piece = _match_piece(text, at)
        if piece is None:
            break
        groups = piece.groupdict()
        name = _read_level(groups)
        is_urgent = is_urgent or has_urgent_priority(text[at : piece.end()])
        if name and _NO_LEVEL_AFTER.search(text[:at]):
            break
        is_new_layer = is_new_layer or any(groups.get(kind) for kind in _LAYER_ENDS)
        if name and level is not None and not groups.get("keyed") and not is_new_layer:
            break
        is_new_layer = is_new_layer and (not name or groups.get("glog") is not None)
        level, at = (
            (name.upper() if name and not groups.get("keyed") else level or _normalize_level(name)),
            piece.end(),
        )
        after = _AFTER_TIME.match(text, at) if text[at - 1].isdigit() or text[at - 1] == "Z" else None
        at = after.end() if after else at
    return at + len(text[at:]) - len(text[at:].lstrip()), level or ("CRIT" if is_urgent else None)


def has_urgent_priority(text: str) -> bool:
    """Whether a text begins with a priority of syslog, `<130>`, whose severity is critical or worse."""
    hit = _PRIORITY.match(text) if text[:1] == "<" else None
    return hit is not None and int(hit[1]) <= _GREATEST_PRIORITY and int(hit[1]) % _SEVERITIES <= _CRITICAL


def _normalize_level(name: str | None) -> str | None:
    return name.upper() if name else None


def _read_level(groups: Mapping[str, str | None]) -> str | None:
    for kind in ("level", "mixed", "bare", "keyed", "column"):
        if name := groups.get(kind):
            return name
    if local := groups.get("local"):
        return "SEVERE" if local in _LOCAL_SEVERE else "WARNING"
    letter = next((letter for kind in _LETTERED if (letter := groups.get(kind))), "")
    return _GLOG.get(groups.get("glog") or "") or _LETTERS.get(letter)
