"""The link to IBKR's servers, lost or back, in words alone: where a log leaves the code out, or speaks another language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from detector.logs import events as say
from detector.logs.parse.line import Text
from detector.logs.parse.phrases import NOT_YET, Said, asserts, has_one_of
from detector.logs.parse.vocabulary import BACK, BROKER, DATA_LOST, GONE, SUPPOSES

_WHO: Final = r"(?:\bib\b(?!\s?(?:gateway|api|gw))|\bibkr\b(?!\s?(?:gateway|api|gw))|interactive brokers(?!\s?(?:gateway|api)))"
_DONE: Final = r"(?:has |have )?(?:been |was |were |is |got )?"
_ENDED: Final = r"(lost|broken|interrupted|restored|re-?established|recovered)\b"
_LINKS: Final = (
    re.compile(
        rf"\b(?:connectivity|connection|link)\s{{1,4}}between\s{{1,4}}([^.;:\n]{{1,80}}?)\s{{1,4}}{_DONE}{_ENDED}"
    ),
    re.compile(
        rf"\b(?:connectivity|connection|link)\s{{1,4}}(?:to|with)\s{{1,4}}((?:the\s)?{_WHO}(?:'?s?\s{{1,4}}(?:servers?|backend|network))?)\s{{1,4}}{_DONE}{_ENDED}"
    ),
    re.compile(rf"()\b{_WHO}\s{{1,4}}(?:servers?\s{{1,4}})?(?:connectivity|connection|link)\s{{1,4}}{_DONE}{_ENDED}"),
    re.compile(rf"()\b(lost)\s{{1,4}}(?:the\s{{1,4}})?(?:connectivity|connection|link)\s{{1,4}}(?:to|with)\s{{1,4}}(?:the\s{{1,4}})?{_WHO}"),
    re.compile(rf"()\b(re-?established|restored|recovered)\s{{1,4}}(?:the\s{{1,4}})?(?:connectivity|connection|link)\s{{1,4}}(?:to|with)\s{{1,4}}{_WHO}"),
)  # fmt: skip
_LOSSES: Final = ("lost", "broken", "interrupted")
_ENGLISH: Final = ("connecti", "link")
_FOREIGN: Final = (
    "verbind", "konnekt", "connex", "connectivité", "conexi", "conectiv", "conness", "connett", "conexã", "соединени", "связ", "подключени",
    "połączeni", "bağlant", "连接", "連接", "連線", "连线", "联机", "接続", "연결",
)  # fmt: skip
_STATES: Final = ("lost", "broken", "interrupted", "restored", "establish", "recovered")


def link_without_code(text: Text) -> Iterator[Said]:
    """Yield that the link to IBKR's servers is lost or back, in words; never the client's socket to TWS."""
    body = text.body
    if has_one_of(_FOREIGN, body):
        if BROKER.search(body) and not SUPPOSES.search(body):
            yield from _foreign_link(body)
        return
    if not has_one_of(_ENGLISH, body) or not has_one_of(_STATES, body):
        return
    for pattern in _LINKS:
        hit = pattern.search(body)
        if hit is None or not _is_ours(hit[1]) or NOT_YET.search(hit[0]):
            continue
        if asserts(body, hit):
            yield _link(hit[2] in _LOSSES, body, "no code")
            return


def _is_ours(ends: str) -> bool:
    """Whether the named ends of a link are the broker's, each of them; a form without any names it elsewhere."""
    named = ends.split(" and ")
    return (
        BROKER.search(ends) is not None
        and all(BROKER.search(end) or "server" in end or "gateway" in end for end in named)
    ) or not ends


def _foreign_link(body: str) -> Iterator[Said]:
    if BACK.search(body):
        yield _link(False, body, "no code")
    elif GONE.search(body):
        yield _link(True, body, "no code")


def _link(lost: bool, body: str, note: str) -> Said:
    if lost:
        return Said(say.LOST, note=note)
    return Said(say.BACK, say.DATA_LOST if DATA_LOST.search(body) else "", note)
