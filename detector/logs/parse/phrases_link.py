"""Matches a lost or restored link to IBKR's servers in lines without a code, in the languages of TWS."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from detector.formats.patterns import build_pattern
from detector.logs import events
from detector.logs.parse.line import ParsedLine
from detector.logs.parse.records import BROKER
from detector.logs.parse.vocabulary import (
    DATA_LOST,
    HYPOTHETICAL,
    LOST,
    NOT_YET,
    RESTORED,
    LineMatch,
    has_any,
    is_asserted,
)

_BROKER_NAME: Final = (
    r"(?:\bib\b(?!\s?(?:gateway|api|gw))|\bibkr\b(?!\s?(?:gateway|api|gw))"
    r"|interactive brokers(?!\s?(?:gateway|api)))"
)
_DONE: Final = r"(?:has |have )?(?:been |was |were |is |got )?"
_ENDED: Final = r"(lost|broken|interrupted|restored|re-?established|recovered)\b"
_LINKS: Final = (
    build_pattern(
        rf"\b(?:connectivity|connection|link)\s{{1,4}}between\s{{1,4}}"
        rf"([^.;:\n]{{1,80}}?)\s{{1,4}}{_DONE}{_ENDED}"
    ),
    build_pattern(
        rf"\b(?:connectivity|connection|link)\s{{1,4}}(?:to|with)\s{{1,4}}"
        rf"((?:the\s)?{_BROKER_NAME}(?:'?s?\s{{1,4}}(?:servers?|backend|network))?)\s{{1,4}}{_DONE}{_ENDED}"
    ),
    build_pattern(
        rf"()\b{_BROKER_NAME}\s{{1,4}}(?:servers?\s{{1,4}})?(?:connectivity|connection|link)"
        rf"\s{{1,4}}{_DONE}{_ENDED}"
    ),
    build_pattern(
        r"()\b(lost)\s{1,4}(?:the\s{1,4})?(?:connectivity|connection|link)\s{1,4}(?:to|with)"
        rf"\s{{1,4}}(?:the\s{{1,4}})?{_BROKER_NAME}"
    ),
    build_pattern(
        r"()\b(re-?established|restored|recovered)\s{1,4}(?:the\s{1,4})?(?:connectivity|connection|link)"
        rf"\s{{1,4}}(?:to|with)\s{{1,4}}{_BROKER_NAME}"
    ),
)
_LOSSES: Final = ("lost", "broken", "interrupted")
_ENGLISH: Final = ("connecti", "link")
_FOREIGN: Final = (
    "verbind", "konnekt", "connex", "connectivité", "conexi", "conectiv", "conness", "connett", "conexã",
    "соединени", "связ", "подключени", "połączeni", "bağlant",
    "连接", "連接", "連線", "连线", "联机", "接続", "연결",
)  # fmt: skip
_STATES: Final = ("lost", "broken", "interrupted", "restored", "establish", "recovered")


def match_link(line: ParsedLine) -> Iterator[LineMatch]:
    """Yield a lost or restored link to IBKR's servers; the client's socket to TWS is no such link."""
    body = line.body
    if has_any(_FOREIGN, body):
        if BROKER.search(body) and not HYPOTHETICAL.search(body):
            yield from _match_foreign_link(body)
        return
    if not has_any(_ENGLISH, body) or not has_any(_STATES, body):
        return
    for pattern in _LINKS:
        hit = pattern.search(body)
        if hit is None or not _is_broker_link(hit[1]) or NOT_YET.search(hit[0]):
            continue
        if is_asserted(body, hit):
            yield _build_link_match(hit[2] in _LOSSES, body, "no code")
            return


def _is_broker_link(endpoints: str) -> bool:
    """Whether each named end of a link is the broker's; a form without ends names the broker elsewhere."""
    names = endpoints.split(" and ")
    return (
        BROKER.search(endpoints) is not None
        and all(BROKER.search(name) or "server" in name or "gateway" in name for name in names)
    ) or not endpoints


def _match_foreign_link(body: str) -> Iterator[LineMatch]:
    if RESTORED.search(body):
        yield _build_link_match(False, body, "no code")
    elif LOST.search(body):
        yield _build_link_match(True, body, "no code")


def _build_link_match(lost: bool, body: str, note: str) -> LineMatch:
    if lost:
        return LineMatch(events.LINK_LOST, note=note)
    return LineMatch(events.LINK_RESTORED, events.DATA_LOST if DATA_LOST.search(body) else "", note)
