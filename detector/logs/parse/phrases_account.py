"""Matches the broker's words on the account and its orders, and the host's on what ran out.

Codes say most of this; these are the words of programs that do not pass the codes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from detector.formats.patterns import build_pattern
from detector.logs import events
from detector.logs.parse.line import ParsedLine
from detector.logs.parse.vocabulary import LineMatch, Phrase, match_phrases

MARGIN: Final = Phrase(events.MARGIN, "", "its words", build_pattern(
    r"\burgent\b[^\n]{0,200}(?:margin|liquidat)"
    r"|\bmargin (?:deficiency|deficit|violation|call)\b(?! (?:protection|limit|threshold|monitor|check))"
    r"|\b(?:positions?|account)\b[^.\n]{0,60}\b(?:may|will|can|could|are|is"
    r"|subject) (?:to )?(?:be(?:ing)? )?"
    r"(?:automatically )?liquidat(?:ed|ion)\b"
    r"|\b(?:ibkr|ib|broker|interactive brokers)\b[^.\n]{0,20}\bliquidat(?:ing|ed|es)\b"
    r"|\bliquidation of positions may\b|\bexcess liquidity (?:is |has (?:become|turned) )?(?:negative"
    r"|below zero)\b"
    r"|\b(?:brokerage|broker) liquidation\b|\bliquidation[\"']?\s?[:=]\s?1\b(?![.,]\d)"
))  # fmt: skip
_BLOCKED: Final = (
    Phrase(events.TRADING_BLOCKED, "read-only", "the API is read-only", build_pattern(
        r"\bapi(?: interface| client)? is (?:currently )?(?:in |set to )?read-?only\b"
        r"|\bread-?only (?:api|mode)\b(?:(?!\bnot\b)[^\n]){0,40}\b(?:set to:? ?true|is (?:set|on|enabled"
        r"|checked)"
        r"|enabled)\b"
        r"|\b(?:order|orders)\b[^\n]{0,80}\b(?:api|tws|gateway|session)\b[^\n]{0,20}\bread-?only\b"
    )),
    Phrase(events.TRADING_BLOCKED, "restricted", "only closing orders are accepted", build_pattern(
        r"\b(?:restricted|limited) to (?:placing |submitting )?(?:clos(?:e|ing)|liquidat)"
        r"|\bclosing[ -](?:only|(?:orders?|trades?|transactions?|positions?) only)\b"
        r"|\bonly (?:place |accepts? |submit |allow(?:s|ed)? )?closing (?:orders?|trades?|transactions?)\b"
        r"|\b(?:can|may) only close\b|\bliquidation[ -]only\b"
        r"|\b(?:pattern day trad(?:er|ing)|day trad(?:e|es|er|ing))\b[^\n]{0,90}"
        r"\b(?:restrict\w{0,6}|not (?:be )?(?:allowed|permitted|accepted)|prohibited|blocked|rejected"
        r"|exhausted)\b"
        r"|\brestricted from (?:opening|trading|placing|entering)\b"
        r"|\b(?:restrict\w{0,6}|potential) [^.\n]{0,20}pattern day trad(?:er|ing)\b"
    )),
    Phrase(events.TRADING_BLOCKED, "permission", "no trading permission", build_pattern(
        r"\bno (?:trading )?permissions? (?:to trade|for (?:this|the) (?:product|contract|instrument"
        r"|security))"
        r"|\bno trading permissions?\b|\b(?:does|do"
        r"|did) ?n[o']t have (?:the )?(?:necessary )?(?:trading )?permissions?\b"
        r"|\btrading permissions? (?:is |are )?(?:missing|required|denied)\b"
        r"|\baccount (?:is |has been )?(?:frozen|suspended|blocked|locked) (?:for|from) trading\b"
    )),
)  # fmt: skip
_ALLOWED: Final = build_pattern(
    r"\bread-?only (?:api|mode)[^\n]{0,40}\b(?:set to:? ?false|(?:is )?disabled|unset)\b"
)
_ENTITLED: Final = Phrase(events.NOT_ENTITLED, "", "its words", build_pattern(
    r"\bmarket data\b[^.\n]{0,50}\bnot subscribed\b"
    r"|\bnot subscribed to\b[^.\n]{0,40}\b(?:market )?data\b"
    r"|\brequires? (?:an )?additional (?:market data )?subscription\b|\bdelayed[ -]frozen\b"
    r"|\bmarket ?data ?type\b[^.\n]{0,30}\b(?:is|=|:|to|now)\b[^.\n]{0,12}\b(?:delayed|[34]\b)"
    r"|\b(?:displaying|receiving|showing|falling back to|got) delayed (?:market )?data\b"
    r"|\blive data (?:is )?not subscribed\b|\bno market data (?:permissions?|subscription|entitlement)"
    r"|\bmarket data (?:subscription|entitlement)s?\b[^.\n]{0,30}\b(?:expired|lapsed|missing|required"
    r"|cancelled)\b"
))  # fmt: skip
_PACING: Final = Phrase(events.THROTTLED, "", "pacing or rate limit", build_pattern(
    r"\bpacing violation\b|\bmax(?:imum)? rate of messages\b"
))  # fmt: skip
_VERSION: Final = Phrase(events.UNSUPPORTED, "", "its version", build_pattern(
    r"\b(?:version|build|gateway|tws|workstation|api)\b(?:[^.\n]|\.(?=\d)){0,120}?"
    r"\b(?:no longer (?:be )?supported|will (?:soon )?be (?:de-?supported|unsupported|retired)"
    r"|(?:is |has been )?(?:de-?supported|unsupported|out of date|too old)"
    r"|(?:must|has to|needs? to) be (?:upgraded|updated)|support (?:will )?ends?)\b"
))  # fmt: skip
_PORTAL: Final = build_pattern(
    r"iserver|portal|/v1/api|localhost:5000|\bibkr?\b|ibeam|interactive brokers|max rate of messages|tickle"
)
_TOO_MANY: Final = build_pattern(
    r"\b(?:http|status(?:[ _]?code)?|returned|answered|error|got|->|=>)\W{0,10}(?:status\W{0,4})?429\b"
    r"|\" 429 \d|\b429 (?:too many|client error)|\btoo many requests\b|\brate limit (?:was |is )?(?:reached"
    r"|exceeded|hit)\b"
)
_A_CHECK: Final = build_pattern(
    r"\b(?:check|test|killer|handler|guard|protection|monitor(?:ing)?|alarm|alert|threshold)s?"
    r"(?: is| are|:)? (?:passed|ok|disabled|enabled|clear|configured|set|off|on)\b"
)
_HOST: Final = (
    Phrase(events.HOST_EXHAUSTED, "disk", "the disk is full", build_pattern(
        r"\bno space left on (?:the )?device\b|\bdisk (?:is )?full\b|\berrno 28\b|\benospc\b"
        r"|\bdatabase or disk is full\b|\bnot enough (?:disk )?space\b(?! (?:warning|check))"
        r"|\bdisk quota exceeded\b"
    ), unless=_A_CHECK),
    Phrase(events.HOST_EXHAUSTED, "memory", "memory ran out", build_pattern(
        r"\bout of memory\b|\boutofmemory(?:error|exception)?\b|\bcannot allocate memory\b|\bmemoryerror\b"
        r"|\boom[ -]?kill(?:ed|er|ing)?\b|\boomkilled\b|\bheap out of memory\b"
        r"|\bmemory quota (?:vastly )?exceeded\b"
        r"|\bunable to create (?:new )?native thread\b|\berrno 12\b|\benomem\b"
    ), unless=_A_CHECK),
    Phrase(events.HOST_EXHAUSTED, "files", "too many files are open", build_pattern(
        r"\btoo many open files\b|\bemfile\b|\benfile\b|\berrno 24\b"
    ), unless=_A_CHECK),
)  # fmt: skip
_SOON: Final = build_pattern(
    r"\bwill\b|\bsoon\b|\bin \d{1,3} days?\b|\b(?:after|from|on"
    r"|by) \d{4}-\d\d-\d\d\b"
)
_DAYS: Final = build_pattern(r"\b(?:in|within) (\d{1,3}) days?\b")
_DAY: Final = build_pattern(r"\b(?:after|from|on|by|until) (\d{4}-?\d\d-?\d\d)\b")
_DIGITS: Final = build_pattern(r"\d[\d.,:]*")


def build_matcher(*phrases: Phrase) -> Callable[[ParsedLine], Iterator[LineMatch]]:
    """Return the matcher of phrases about the account."""

    def match(line: ParsedLine) -> Iterator[LineMatch]:
        for hit in match_phrases(phrases, line.body):
            yield build_account_match(hit.kind, hit.note, line.body)

    return match


def match_block(line: ParsedLine) -> Iterator[LineMatch]:
    """Yield whether the account or the API may trade."""
    if _ALLOWED.search(line.body):
        yield LineMatch(events.TRADING_ALLOWED)
    else:
        yield from match_phrases(_BLOCKED, line.body)


def match_throttling(line: ParsedLine) -> Iterator[LineMatch]:
    """Yield that the broker asks for fewer requests."""
    yield from match_phrases((_PACING,), line.body)
    if _TOO_MANY.search(line.body) and _PORTAL.search(line.body):
        yield LineMatch(events.THROTTLED, note="HTTP 429")


def build_account_match(kind: str, note: str, body: str) -> LineMatch:
    """Return the match of a kind with what its text adds: the notice itself, or the days that are left."""
    if kind == events.MARGIN:
        return LineMatch(kind, _DIGITS.sub("#", body)[:200], note)
    if kind == events.UNSUPPORTED:
        days, day = _DAYS.search(body), _DAY.search(body)
        left = f"in {days[1]} days" if days else f"after {day[1]}" if day else "soon"
        return LineMatch(
            kind, "soon" if _SOON.search(body) else events.UNSUPPORTED_NOW, left if _SOON.search(body) else ""
        )
    return LineMatch(kind, note=note)


def match_host(line: ParsedLine) -> Iterator[LineMatch]:
    """Yield what ran out on the host: disk, memory, open files."""
    yield from match_phrases(_HOST, line.body)


MATCHERS: Final[tuple[tuple[tuple[str, ...], Callable[[ParsedLine], Iterator[LineMatch]]], ...]] = (
    (("margin", "liquidat", "excess liquidity"), build_matcher(MARGIN)),
    (
        (
            "read-only", "readonly", "closing", "only close", "liquidat", "day trad", "restricted from",
            "permission", "for trading", "from trading",
        ),
        match_block,
    ),
    (
        ("market data", "marketdata", "not subscribed", "subscription", "delayed"),
        build_matcher(_ENTITLED),
    ),
    (("pacing", "max", "429", "too many requests", "rate limit"), match_throttling),
    (("support", "out of date", "upgrade", "too old", "be updated"), build_matcher(_VERSION)),
    (
        (
            "space", "disk", "errno", "memory", "oom", "nospc", "nomem", "mfile", "enfile", "open files",
            "native thread",
        ),
        match_host,
    ),
)  # fmt: skip
"""The matchers of account and host lines, each with texts of which the line must contain one."""
