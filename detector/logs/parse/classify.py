"""Classifies one parsed line by its codes and its wording; almost every line has no match."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from msgspec.structs import replace

from detector.formats.patterns import build_pattern, has_any
from detector.logs import codes, events
from detector.logs.codes import CodeEntry, find_code_entry
from detector.logs.parse.account_matchers import MARGIN_WORDS, build_account_match, match_host
from detector.logs.parse.account_matchers import MATCHERS as ACCOUNT_MATCHERS
from detector.logs.parse.code_formats import find_codes
from detector.logs.parse.gateway_matchers import MATCHERS as GATEWAY_MATCHERS
from detector.logs.parse.gateway_matchers import match_connection, match_link
from detector.logs.parse.line import INTRODUCING_LEVELS, ParsedLine, is_traceback_part
from detector.logs.parse.line_shapes import mask_digits
from detector.logs.parse.login_matchers import MATCHERS as LOGIN_MATCHERS
from detector.logs.parse.order_matchers import MATCHERS as ORDER_MATCHERS
from detector.logs.parse.order_matchers import build_rejection, match_late_cancel
from detector.logs.parse.phrases import (
    ASIDE,
    CLIENT_ID_USED,
    DATA_LOST,
    OTHER_ADDRESS,
    LineMatch,
    is_asserted,
)
from detector.logs.parse.prefixes import LOCAL_SEVERE_TEXTS, has_urgent_priority
from detector.logs.parse.runtime_matchers import MATCHERS as RUNTIME_MATCHERS
from detector.logs.parse.runtime_matchers import is_severe

_TEXT_MATCHERS: Final = (*ACCOUNT_MATCHERS, *ORDER_MATCHERS, *RUNTIME_MATCHERS)
_LINK_MATCHERS: Final = (*GATEWAY_MATCHERS, *LOGIN_MATCHERS)  # a code whose place proves it says this already


def _list_candidates() -> tuple[str, ...]:
    """Return the texts of which a line without a code must have one."""
    texts = {text for triggers, _ in (*_TEXT_MATCHERS, *_LINK_MATCHERS) for text in triggers} | {
        "connectivity", "connection", "connected", "link ", "farm connection",
        "fatal", "ftl", "crit", "severe", "emerg", "panic", "traceback", "exception in thread",
        "unhandled exception", "\\u", '":60', '": 60', "|c|", "|f|", "[c] ", "[f] ", "f/",
        *(f'{key}":{space}{quote}{number}' for key in ("priority", "level", "severity") for number in "012"
          for space in ("", " ") for quote in ("", '"')),
        *(f'{key}":{space}{number}' for key, number in (("severitynumber", 2), ("levelno",
        50)) for space in ("", " ")),
        "verbind", "connexion", "conexi", "connession", "connettiv", "konnekt", *LOCAL_SEVERE_TEXTS,
    }  # fmt: skip
    return tuple(sorted(texts))


# A line is classified where its lowered text contains one of these, or any letter that is not ASCII.
_CANDIDATE_TEXTS: Final = _list_candidates()
_CANDIDATE_CODES: Final = tuple(str(code) for code in sorted(set(codes.iter_event_codes())))
_MASKED_TEXTS: Final = tuple(mask_digits(text).decode() for text in _CANDIDATE_TEXTS if not text.isdecimal())
CANDIDATE_NUMBERS: Final = frozenset(
    (*_CANDIDATE_CODES, *(text for text in _CANDIDATE_TEXTS if text.isdecimal()))
)
"""The numbers, each as a whole, that can give a match to a line without such words."""

_FARM_AFTER: Final = build_pattern(
    r"(?:\b(?:broken|ok|connected|disconnected|down)\b|farm[^:\n]{0,60}|[^\x00-\x7f])\s{0,2}:\s{0,2}"
    r"([a-z][a-z0-9]{1,24}(?:\.[a-z0-9]{1,6})?)\b(?!\s?[=:])"
)
_FARM_LIKE: Final = build_pattern(
    r"\b([a-z]{0,10}(?:farm|hmds|secdef|usopt|usfuture|future)[a-z]{0,6}(?:\.[a-z]{2,4})?)\b"
)
_NO_FARM: Final = frozenset(
    {"farm", "farms", "data", "the", "hmds", "secdef", "future", "error", "code", "marketdatafarm"}
)
_LIST_ENDS: Final = frozenset(
    {"the", "all", "advanced", "code", "req_id", "reqid", "error", "data", "category", "following"}
)
_FARM_KINDS: Final = {
    2103: "market data",
    2104: "market data",
    2105: "historical data",
    2106: "historical data",
}
_FARM_LINK: Final = build_pattern(
    r"\b(?:market data|(?P<history>hmds|historical)(?: data)?|(?P<definitions>sec-?def)(?: data)?) farm "
    r"connection is (?:(?P<broken>broken|disconnected)|ok\b)"
)
_NOTE: Final = build_pattern(r"[\s(\[]{0,3}(?:please )?note(?: that)?\s?:")
# A comment, or the help of an option: `--client-id N   API client id`.
_COMMENT: Final = build_pattern(
    r"#{1,3}(?!#| there is insufficient memory for)|//"
    r"|(?:-\w,? )?--?[a-z][\w-]{0,40}(?:[ =][\w<>\[\]]{1,20})?\s{2,}[a-z]"
)
_DATA_LOST_CODE, _DATA_KEPT_CODE = 1101, 1102
_MARGIN_TEXTS: Final = ("margin", "liquidat")
_URGENT: Final = build_pattern(
    rf"urgent|liquid|dringend|likwid|ликвид|清算|平仓|平倉|청산|tasfiye|pilne|acil|{MARGIN_WORDS}"
)
# A setting or a count whose name begins like a level: `CRITICAL threshold = 20`.
_SETTING: Final = build_pattern(
    r"(?:\w+ ){0,3}?(?:threshold|limit|level|count|lines?|alerts?|events?|window|burst|score|errors?|total"
    r"|templates?|rules?|at|above|below)"
    r"\b[^.\n]{0,16}?(?:=|:|\bis|\bset to|\bat|\bof)\s?[-+\d.]+\s?(?:%|s|ms|sec(?:onds)?|lines?)?"
    r"|[=:\s]{0,3}\d[\d.,]{0,12}\s?%?"
)


def can_match(lowered: str) -> bool:
    """Whether a lowered line can have a match; most lines cannot."""
    return (
        has_any(_CANDIDATE_TEXTS, lowered)
        or has_any(_CANDIDATE_CODES, lowered)
        or not lowered.isascii()
        or has_urgent_priority(lowered)
    )


def has_candidate_text(masked: str) -> bool:
    """Whether a lowered line whose digits are masked can have a match by its words, whatever its numbers."""
    return has_any(_MASKED_TEXTS, masked) or not masked.isascii()


def classify_line(line: ParsedLine) -> list[LineMatch]:
    """Return every match of a line; the wording is not matched where the place of a code proves it."""
    body = line.body
    severe = is_severe(line) and not _SETTING.fullmatch(body)
    if is_traceback_part(line):
        return [*match_connection(line), *match_host(line)]
    if ASIDE.match(body) or _COMMENT.match(body):
        return [LineMatch(events.SEVERE)] if severe and not _COMMENT.match(body) else []
    is_coded = severe or has_any(_CANDIDATE_CODES, body) or has_any(_MARGIN_TEXTS, body)
    code_matches = find_codes(line) if is_coded else []
    entries = [entry for code_match in code_matches if (entry := find_code_entry(code_match.code))]
    matches = [match for entry in entries for match in _match_code(entry, line)]
    kinds = {match.kind for match in matches}
    if any(code_match.proven for code_match in code_matches):
        kinds.add(events.MARGIN)  # urgent by its code alone, whatever another code's text speaks of
    else:
        matches += _match_text(line, kinds)
    is_note = line.level not in INTRODUCING_LEVELS and _NOTE.match(body) is not None
    for triggers, matcher in () if is_note else _TEXT_MATCHERS:
        if has_any(triggers, body):
            matches += (match for match in matcher(line) if match.kind not in kinds)
    if any(match.kind == events.LINK_RESTORED for match in matches):
        matches.append(LineMatch(events.PROOF_DUE, note=events.RECONNECT))
    if severe and not matches and all(entry.counts_as_severe for entry in entries):
        matches.append(LineMatch(events.SEVERE))
    return matches


def _match_text(line: ParsedLine, kinds: set[str]) -> Iterator[LineMatch]:
    """Yield the matches of the wording, but for the `kinds` that a code gave already."""
    if kinds.isdisjoint((events.LINK_LOST, events.LINK_RESTORED, events.FARM_DOWN, events.FARM_UP)):
        for match in match_link(line):
            yield from _match_recovery(match, line.body) if match.kind == events.LINK_RESTORED else (match,)
    if "farm connection" in line.body and kinds.isdisjoint((events.FARM_DOWN, events.FARM_UP)):
        yield from _match_farm(line.body)
    for triggers, matcher in _LINK_MATCHERS:
        if has_any(triggers, line.body):
            yield from (match for match in matcher(line) if match.kind not in kinds)


def _match_farm(body: str) -> Iterator[LineMatch]:
    """Yield a farm that TWS's message, without its code, calls broken or well."""
    hit = _FARM_LINK.search(body)
    if hit is not None and is_asserted(body, hit):
        code = 2157 if hit["definitions"] else 2105 if hit["history"] else 2103
        yield LineMatch(
            events.FARM_DOWN if hit["broken"] else events.FARM_UP, _find_farm(code, body), "its words"
        )


_KIND_BY_CODE_KIND: Final = {
    codes.STREAM_DEAD: events.STREAM_DEAD,
    codes.BLOCKED: events.TRADING_BLOCKED,
    codes.NOT_ENTITLED: events.NOT_ENTITLED,
    codes.THROTTLED: events.THROTTLED,
    codes.UNSUPPORTED: events.UNSUPPORTED,
}


def _match_code(entry: CodeEntry, line: ParsedLine) -> Iterator[LineMatch]:
    body = line.body
    if entry.kind == codes.LINK_LOST:
        yield LineMatch(events.LINK_LOST, note=f"TWS {entry.code}")
    elif entry.kind == codes.LINK_RESTORED:
        yield from _match_restored(entry, body)
    elif entry.kind in (codes.FARM_BROKEN, codes.FARM_OK):
        kind = events.FARM_DOWN if entry.kind == codes.FARM_BROKEN else events.FARM_UP
        yield LineMatch(kind, _find_farm(entry.code, body), f"TWS {entry.code}")
    elif entry.kind in _KIND_BY_CODE_KIND:
        yield build_account_match(_KIND_BY_CODE_KIND[entry.kind], f"TWS {entry.code}", body)
    elif entry.kind in (codes.REFUSED, codes.FILLED_FIRST):
        yield from _match_order_code(entry, line)
    elif entry.kind == codes.CANNOT_CONNECT:
        yield LineMatch(events.CONNECT_FAILED, "code", f"TWS {entry.code}")
    elif entry.kind == codes.DISCLAIMER:
        yield LineMatch(events.DISCLAIMER)
    else:
        yield from _match_code_and_text(entry, body)


def _match_order_code(entry: CodeEntry, line: ParsedLine) -> Iterator[LineMatch]:
    if entry.kind == codes.FILLED_FIRST:
        yield from match_late_cancel(line)
    else:
        yield build_rejection(line, f"TWS {entry.code}")


def _match_code_and_text(entry: CodeEntry, body: str) -> Iterator[LineMatch]:
    """Yield the match of a code that depends on its text; with another text the same code is benign."""
    if entry.kind == codes.SESSION_CONFLICT:
        is_probe = (hit := CLIENT_ID_USED.search(body)) is not None and body[hit.end() : hit.end() + 1] == "?"
        yield LineMatch(
            events.SESSION_CONFLICT,
            events.ID_PROBE if is_probe else "client id",
            f"TWS {entry.code}, client id in use",
        )
    elif entry.code in (162, 10189) and OTHER_ADDRESS.search(body):
        yield LineMatch(
            events.SESSION_CONFLICT, "address", f"TWS {entry.code}, a session from a different IP address"
        )
    elif entry.kind == codes.MARGIN and _URGENT.search(body):
        yield build_account_match(events.MARGIN, f"TWS {entry.code}", body)


def _match_restored(entry: CodeEntry, body: str) -> Iterator[LineMatch]:
    data_lost = entry.code == _DATA_LOST_CODE or (
        DATA_LOST.search(body) is not None and entry.code != _DATA_KEPT_CODE
    )
    yield from _match_recovery(
        LineMatch(events.LINK_RESTORED, events.DATA_LOST if data_lost else "", f"TWS {entry.code}"), body
    )


def _match_recovery(restored: LineMatch, body: str) -> Iterator[LineMatch]:
    """Yield the restored link, and each farm that the line lists as connected or not."""
    disconnected = tuple(_list_farms(body, "not connected"))
    yield replace(restored, farms=disconnected)
    for farm in disconnected:
        yield LineMatch(events.FARM_DOWN, farm, restored.note)
    if "all data farms are connected" in body:
        yield LineMatch(events.ALL_FARMS_UP)
    for farm in _list_farms(body, "are connected"):
        yield LineMatch(events.FARM_UP, farm, restored.note)


def _list_farms(body: str, heading: str) -> Iterator[str]:
    """Yield the farms of a list such as `farms are not connected: usfarm; cashhmds.`."""
    _, separator, after = body.partition(f"{heading}:")
    if separator:
        for name in re.findall(r"[a-z_]+[a-z0-9_]*(?:\.[a-z]{2,4})?", after[:1000]):
            if name in _LIST_ENDS:
                return
            yield name


def _find_farm(code: int, body: str) -> str:
    """Return the farm that the line names, or the code's kind of data where it names none."""
    for pattern in (_FARM_AFTER, _FARM_LIKE):
        for hit in pattern.finditer(body):
            if hit[1] not in _NO_FARM:
                return hit[1]
    return f"{_FARM_KINDS.get(code, 'security definition')} farm"
