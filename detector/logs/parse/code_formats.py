"""Finds TWS codes in a line by the place where each log format writes them, never by a bare number.

Sources of the formats: ib_async and ib_insync (wrapper), Lean (HandleError), nautilus_trader
(client/error.py), TWS's own launcher log and the Java samples (pipes), ibapi and IbPy (positional,
key=value), plain custom lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from detector.formats.patterns import build_pattern, has_any
from detector.logs.codes import CODES, find_code_entry
from detector.logs.parse.line import INTRODUCING_LEVELS, ParsedLine, is_quoted
from detector.logs.parse.phrases import HYPOTHETICAL, UNREAL, is_confirmed
from detector.logs.parse.records import BROKER

_END = r"(?!\d|[.]\d)"
_ERROR_TIME = r"(?:\d{13}[ ,:]{1,3})?"  # before the code since TWS API 10.33, in epoch milliseconds
_LABELS = (
    r"(?:\b(?:error|errors?code|err|warning|warn|info|notice|message|msg|status|event|ib|ibkr|tws|api"
    r"|code)\b"
    r"|错误|錯誤|警告|消息|エラー|오류|\bfehler\b|\berreur\b|ошибка"
    r"|\bfout\b|\berrore\b|\berro\b)"
)
# The place alone proves the code.
_PROVEN: Final = (
    ("req", build_pattern(
        r"\b(?:error|warning|info|notice|message)\s{0,3}[: ]\s{0,3}(\d{3,5})\s{0,3},\s{0,3}"
        r"req_?id\s{0,3}[=: ]\s{0,3}-?\d"
    )),
    ("reqid", build_pattern(r"\breqid\s{0,2}[=: ]?\s{0,2}-?\d{1,9}\s{0,2}:\s{0,2}(\d{3,5})\s")),
    ("(code", build_pattern(
        r"\(code\s{0,2}[:=]\s{0,2}(\d{3,5})\s{0,2},\s{0,2}req_?id\s{0,2}[=:]\s{0,2}-?\d"
    )),
    # TWS's message 4 as a client prints its fields: `["4", "2", "-1", "1100", …]`, `(0)"4" - (1)"2" - …`.
    ('"4"', build_pattern(
        r"\"4\"[^\w\"]{1,5}(?:1\))?\"\d\"[^\w\"]{1,5}(?:2\))?\"-?\d{1,10}\"[^\w\"]{1,5}(?:3\))?\"(\d{3,5})\""
    )),
    # The arguments of its callback since TWS API 10.33: `(1780411270000, 1100, 'Connectivity …`.
    (", ", build_pattern(r"(?<!\d)\d{13}, (\d{3,5}), [\"'](?=[^\W\d])")),
    # The same message since it is a protocol buffer: `ErrorProto="id:-1  errorTime:…  errorCode:1100  …"`.
    ("errorproto", build_pattern(
        r"\berrorproto=\"id:-?\d{1,10} {1,4}errortime:\d{1,16} {1,4}errorcode:(\d{3,5})\b"
    )),
    ("|", build_pattern(r"(?<![\w.])-?\d{1,10}\s{0,4}\|\s{0,4}(\d{3,5})\s{0,4}\|")),
)  # fmt: skip
_KEYED: Final = build_pattern(
    r"(?:(?<![a-z])(?P<key>(?:(?:error|err|ib|ibkr|tws|msg|message|broker)[ _.-]?){0,2})code"
    r"|(?P<foreign>代码|代碼|コード|코드|(?:fehler|meldungs)[- ]?code|code d'erreur|c[oó]digo(?: de error"
    r"| de erro)?"
    r"|codice(?: errore| di errore)?|foutcode|код ошибки|код сообщения|код|kod(?: błędu)?|hata kodu))"
    r"[\"']?\s{0,3}[=: ]\s{0,3}[\"']?(\d{3,5})" + _END
)
# What an own key of a code introduces in another language than English: the code proves it.
_OTHER_LANGUAGE: Final = build_pattern(r"[\])\"']?\s{0,2}[,;:|–-]?[^=\n]{0,40}=?[^\n]{0,60}[^\x00-\x7f]{2}")
_ERROR_BEFORE: Final = build_pattern(_LABELS + r"[^\w\n]{0,4}$")
# A sentence that names the broker, the word error or code, and the number: `TWS error 1100 received`.
_PROGRAMS: Final = ("ib", "tws", "interactive brokers")  # of these the next pattern has one
_NATURAL: Final = build_pattern(
    r"(?:\b(?:ib|ibkr|tws|interactive brokers|ib[ _-]?gateway|ib[ _-]?api)\b[^\w\n]{0,3}"
    r"(?:(?:api|server|notified|reports|reported|sent|says|answered|returned|raised)\b[^\w\n]{0,3}){0,2}"
    r"(?:(?:error|err|warning|warn|message|msg|event|notice|code)\b[^\w\n]{0,3}){1,3}"
    r"|\b(?:ib|ibkr|tws)_?code[\"']?\s{0,3}[=:]\s{0,3}[\"']?"
    r"|\b(?:tws|ib|ibkr) [^\n:;.]{1,30}: error code )(\d{3,5})"
    + _END
    + r"(?!\s?(?:times|ms|rows|shares|codes|lines|events)\b|\s?(?:handl|polic|recover))"
)
_NOT_OURS: Final = build_pattern(
    r"(?:exit|exited|status|return|returned|http|zip|postal|country|area|response|result)[ _-]$"
)
_REQUEST: Final = build_pattern(
    r"(?:\b(?:req(?:uest)?|ticker|err(?:or)?)[_ ]?id|\breq(?:uest)?"
    r"|\bid)[\"']?\s{0,3}[=:]?\s{0,3}[\"']?-?\d"
)
_AFTER_MINUS_ONE: Final = build_pattern(
    r"(?<![\w.#$+-])"
    r"-1(?!\d)\s{0,3}[\])]?\s{0,3}[,:;|]?\s{0,3}(?:-\s{0,3})?[\[(]?\s{0,3}"
    + _ERROR_TIME
    + r"(\d{3,5})"
    + _END
    + r"\s{0,3}[\])]?\s{0,3}[,:;|–-]?\s"
)
_POSITIONAL: Final = build_pattern(
    _LABELS
    + r"[^\w\n]{0,4}(?:for )?(?:req_?id )?\d{1,9}\s{0,2}[,: ]\s{0,2}(?:-\s)?"
    + _ERROR_TIME
    + r"(\d{3,5})"
    + _END
    + r"\s{0,2}[,:–-]?\s"
)
_LABELLED: Final = build_pattern(_LABELS + r"[^\w\n]{0,4}(\d{3,5})" + _END + r"\s{0,2}(?:[\]):,|–(-]|$)")
_AFTER_ERROR: Final = build_pattern(r"\b(?:error|err)\s(\d{3,5})\s")
_PARENTHESISED: Final = build_pattern(r"[(\[](\d{3,5})[)\]]")
_FIRST: Final = build_pattern(
    r"[^\w\n-]{0,8}(?:\d{1,9}[ ,:]{1,3})?" + _ERROR_TIME + r"(\d{3,5})" + _END + r"[\])]?\s{0,2}[:\]),|–-]?\s"
    r"(?!\s?(?:shares?|contracts?|symbols?|orders|candidates?|tickers?|items?|signals?|instruments?|lots?"
    r"|rows?|records?|bars?|ticks?|bytes?|m?s|us|usd|times?)\b)"
)
_ALONE: Final = build_pattern(r"error (\d{3,5})\.?\s*")
# A code with its text: `cancelOrder(90): 10148 - order was already filled`.
_SAID: Final = build_pattern(r"(?:^|[\s:(\[\"'])(\d{3,5})[)\]]?\s{0,2}[-–—|:]\s{1,2}(?=[^\d\s=])")
_OF_ANOTHER: Final = build_pattern(
    r"(?:id|orders?|req|request|ticker|port|client|rows?|line|pid|no|item|page|step|try|attempt|contract"
    r"|trade"
    r"|symbols?|exit|status|http|price|limit|stop|qty|quantity|size|at|for|of|in|ref|run|signals?|job|batch"
    r"|loop|cycle"
    r"|epoch|iteration|test|task|day)\W{0,3}$"
)
_SHORTEST: Final = len("error 10197.  ")
_EXPLAINED: Final = build_pattern(
    r"[\])\"':]{0,2}\s(?:means?|is what|indicates?|stands for|describes|says that|is sent)\b"
)
_QUOTES: Final = ('"', "'")
_BESIDE: Final = 12
_DISTINCT: Final = len("10168")
_DIGIT: Final = build_pattern(r"\d")
_WEAK: Final = (_AFTER_MINUS_ONE, _POSITIONAL, _LABELLED, _AFTER_ERROR)
_JOINS = r"(?:[/,&]\s?(?:and |or )?|(?:and|or|to|through) |[-–])"
_NEIGHBOUR_BEFORE: Final = build_pattern(rf"(\d{{3,5}})\s?{_JOINS}$")
_NEIGHBOUR_AFTER: Final = build_pattern(rf"\s?{_JOINS}\s?(\d{{3,5}}){_END}")
_IBC_LINE: Final = build_pattern(r"\bibc\s?:")


class CodeMatch(Struct, frozen=True):
    """One TWS code that a line reports, and the offsets where its format and its number begin.

    Where it is not `proven` by its place, the wording must confirm it.
    """

    code: int
    start: int
    number_start: int
    proven: bool = True


def find_codes(line: ParsedLine) -> list[CodeMatch]:
    """Return the codes that a line reports, each once, in their order.

    IBC's own lines, and lines that mention codes without reporting them, have none.
    """
    body = line.body
    if "ibc" in body and _IBC_LINE.search(body):
        return []
    matches: dict[int, CodeMatch] = {}
    for match in _find_proven(body):
        if match.code not in matches and _is_reported(match, body):
            matches[match.code] = match
    if matches:
        return sorted(matches.values(), key=lambda match: match.start)
    for match in _find_weak(line):
        if match.code not in matches and _is_reported(match, body):
            matches[match.code] = match
    return [] if len(matches) > 1 else list(matches.values())


def _find_proven(body: str) -> Iterator[CodeMatch]:
    for sign, pattern in _PROVEN:
        if sign in body:
            for hit in pattern.finditer(body):
                yield CodeMatch(
                    int(hit[1]), hit.start(), hit.start(1), proven=sign != "|" or hit[0][0] == "-"
                )
    if "code" in body and _REQUEST.search(body):
        yield from _find_keyed(body, proven=True)
    for hit in _NATURAL.finditer(body) if has_any(_PROGRAMS, body) else ():
        if not _NOT_OURS.search(body, max(0, hit.start() - 12), hit.start()):
            yield CodeMatch(int(hit[1]), hit.start(), hit.start(1))
    bare = _ALONE.fullmatch(body) if len(body) <= _SHORTEST else None
    if bare:
        yield CodeMatch(int(bare[1]), 0, bare.start(1))


def _find_weak(line: ParsedLine) -> Iterator[CodeMatch]:
    body = line.body
    if "code" in body or not body.isascii():
        yield from _find_keyed(body, proven=False)
    for pattern in _WEAK:
        yield from (
            CodeMatch(int(hit[1]), hit.start(), hit.start(1), _is_in_another_language(hit, line))
            for hit in pattern.finditer(body)
        )
    for hit in _SAID.finditer(body):
        if not _OF_ANOTHER.search(body, max(0, hit.start(1) - 14), hit.start(1)):
            yield CodeMatch(int(hit[1]), hit.start(1), hit.start(1), proven=False)
    is_broker = BROKER.search(body) is not None
    for hit in _PARENTHESISED.finditer(body):
        if is_broker or "farm" in body or len(hit[1]) == _DISTINCT:  # five digits behind words of that code
            yield CodeMatch(int(hit[1]), hit.start(), hit.start(1), proven=False)
    first = _FIRST.match(body)
    if first:
        yield CodeMatch(int(first[1]), 0, first.start(1), proven=False)


def _is_in_another_language(hit: re.Match[str], line: ParsedLine) -> bool:
    """Whether an error's -1 and code stand before letters that are not ASCII: no list has all their words."""
    return (
        hit[0].startswith("-1")
        and (
            _ERROR_BEFORE.search(line.body, max(0, hit.start() - 12), hit.start()) is not None
            or (not hit.start() and line.level in INTRODUCING_LEVELS)  # its label was taken for the level
        )
        and _OTHER_LANGUAGE.match(line.body, hit.end(1)) is not None
    )


def _find_keyed(body: str, proven: bool) -> Iterator[CodeMatch]:
    for hit in _KEYED.finditer(body):
        if not _NOT_OURS.search(body, max(0, hit.start() - 12), hit.start()):
            is_own = (hit["key"] or hit["foreign"]) and _OTHER_LANGUAGE.match(body, hit.end())
            yield CodeMatch(int(hit[3]), hit.start(), hit.start(3), proven or bool(is_own))


def _is_reported(match: CodeMatch, body: str) -> bool:
    entry = find_code_entry(match.code)
    if entry is None or _is_listed(match, body):
        return False
    if not match.proven and (not is_confirmed(entry.kind, body) or UNREAL.search(body)):
        return False
    is_closing = body.startswith("(code", match.start)  # the broker's own words stand before it
    if match.start and not is_closing and HYPOTHETICAL.search(body, 0, match.start):
        return False
    if _EXPLAINED.match(body, match.number_start + len(str(match.code))):
        return False
    is_value = body[match.number_start - 1 : match.number_start] in _QUOTES and body[
        match.number_start - 2 : match.number_start - 1
    ] in ("=", ":")
    is_wire = body.startswith(('"4"', "errorproto"), match.start)
    return not is_quoted(body, match.start if is_value or is_wire else match.number_start)


def _is_listed(match: CodeMatch, body: str) -> bool:
    """Whether another code stands beside it, as in 1100/1101/1102."""
    end = match.number_start + len(str(match.code))
    begin = max(0, match.number_start - _BESIDE)
    if not _DIGIT.search(body, begin, match.number_start) and not _DIGIT.search(body, end, end + _BESIDE):
        return False
    before = _NEIGHBOUR_BEFORE.search(body, begin, match.number_start)
    after = _NEIGHBOUR_AFTER.match(body, end)
    return any(hit is not None and int(hit[1]) in CODES for hit in (before, after))
