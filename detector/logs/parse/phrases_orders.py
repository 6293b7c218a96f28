"""Matches lines on orders: a send without a known outcome, a fill of no known order, a rejection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from detector.formats.patterns import build_pattern
from detector.logs import events
from detector.logs.parse.line import ParsedLine
from detector.logs.parse.vocabulary import LineMatch, is_asserted

_ORDERS: Final = (
    (events.OUTCOME_UNKNOWN, build_pattern(
        r"\bsend[ _-]?outcome[ _-]?(?:is |was )?unknown\b"
        r"|\b(?:unknown[ _]send[ _]outcome|outcome of (?:the )?send (?:is |was )?unknown)\b"
        r"|\b(?:timeout|timed out)\b[^\n]{0,40}\b(?:broker(?:age)?|ibkr|ib|tws) (?:response|answer|reply)\b"
        r"(?=[^\n]{0,60}\border)"
        r"|\bno (?:response|answer|reply|ack\w{0,14})\b[^\n]{0,50}\b(?:for|to|on) (?:the )?order"
        r"(?:[ _]?(?:id|ref|no))?\b"
        r"|\border\b[^.\n]{0,40}\b(?:was|has|is)? ?(?:not|never) (?:been )?(?:acknowledged|acked"
        r"|confirmed)\b"
        r"|\b(?:timeout|timed out)\b[^\n]{0,30}\border\b[^.\n]{0,40}\b(?:acknowledg|confirm)\w{0,6}"
        r"|\border\b[^.\n]{0,60}\b(?:state|status|outcome|fate)(?: is)? unknown\b"
    )),
    (events.UNKNOWN_FILL, build_pattern(
        r"\bunknown[ _-]fill\b"
        r"|\b(?:fill|execution|exec ?detail)s? (?:received )?(?:for|of|on) (?:an )?unknown[ _]order\b"
        r"|\bunmatched[ _]fill\b"
        r"|\bunable to (?:locate|find) (?:the )?order\b"
        r"|\b(?:fill|execution)\b[^\n]{0,40}\b(?:order (?:was )?not found|no (?:matching |known )?order"
        r"|unknown order|does not match any (?:known )?order|not in (?:the )?cache)\b"
        r"|\bno (?:matching |known )?order (?:was )?found for (?:the )?(?:fill|execution)\b"
    )),
)  # fmt: skip
_ORDER_ID: Final = build_pattern(
    r"(?:\b(?:venue|client|broker(?:age)?)[ _]?order[ _]?id"
    r"|\bbroker(?:age)?[ _]?id)\W{0,4}([a-z0-9][\w.-]{0,60})"
)
_PLAIN_ID: Final = build_pattern(
    r"\border[ _]?(?:id|ref|no|#)?[\"']?\s{0,2}[=:#]?\s{0,2}[\"'#]?"
    r"(?!id\b|ref\b|no\b|is\b|was\b|has\b)([a-z0-9][\w.-]{0,60})"
)
_OTHER_ID: Final = build_pattern(
    r"\b(?:perm|exec|execution|trade|signal)[ _]?id[\"']?\s{0,2}[=:]\s{0,2}[\"']?([a-z0-9][\w.-]{0,60})"
)
_EMPTY: Final = build_pattern(
    r"[\"']?(?:\s{0,2}[=:]\s{0,2}|\s)[\"']?(?:false|0|no|none|null|\[\]|\{\}|cleared|resolved|ok)(?!\w)"
)
_OVER: Final = build_pattern(r"\b(?:resolved|cleared|reconciled|confirmed as)\b")
_NEGATED: Final = build_pattern(
    r"\b(?:no|not|without|zero|0|any|if|when|whether|unless|check(?:ed|ing)? for|never)\s(?:a |an |the )?$"
)
_LISTED: Final = build_pattern(
    r"\b(?:no|without|neither)\b[^.;]{0,400}\bn?or $"
    r"|\b(?:if|when|whenever|unless|whether|runbook|example|threshold|alert on)\b[^.;]{0,400}$"
)


def match_orders(line: ParsedLine) -> Iterator[LineMatch]:
    """Yield a send without a known outcome, or a fill of no known order."""
    body = line.body
    for kind, pattern in _ORDERS:
        hit = pattern.search(body)
        if hit is None or _EMPTY.match(body, hit.end()) or _NEGATED.search(body, 0, hit.start()):
            continue
        order_id = _find_order_id(line, body)
        if order_id is None and (_LISTED.search(body, 0, hit.start()) or _OVER.search(body)):
            continue
        if not _OVER.search(body, hit.end(), hit.end() + 40):
            yield LineMatch(kind, order_id or events.UNNAMED)


_REJECTED: Final = build_pattern(
    r"\borders?\b[^.\n]{0,60}\b(?:was |is |has been |been |were )?(?:rejected|declined)\b"
    r"|\border ?rejected\b"
    r"|\b(?:rejected|declined|refused)\b(?! to)[^.\n]{0,20}\border\b(?! to)|\bunable to accept your order\b"
    r"|\border\b[^.\n]{0,60}\brefused\b(?! to)|\bbroker (?:has )?rejected\b"
)
_COUNTED: Final = build_pattern(
    r"\brejected[\"']?\s{0,2}[=:]?\s{0,2}\d|(?<!order )(?<!#)\b\d{1,6} (?:orders )?(?:were )?rejected"
    r"|rejected (?:rate|count)"
    r"|\b(?:not|never|none|no|n't|nothing)\s(?:orders? )?(?:was |were |been |being |be )?"
    r"(?:rejected|declined|refused)\b"
)
# What an account is restricted to, "only closing orders", says nothing of the order that was rejected.
_EXIT: Final = build_pattern(
    r"(?<!only )(?<!only place )(?<!only accept )\b"
    r"(?:exit|exiting|close|closing|stop[- ]loss|take[- ]profit|sell to close|buy to cover)\b"
    r"(?![ -](?:only|(?:orders?|trades?|transactions?|positions?) (?:only|are|is)))"
)
EXIT_KEY: Final = "exit"


def match_rejection(line: ParsedLine) -> Iterator[LineMatch]:
    """Yield a rejected order in other words than those of its code."""
    hit = _REJECTED.search(line.body)
    if hit is not None and not _COUNTED.search(line.body) and is_asserted(line.body, hit):
        yield build_rejection(line, "its words")


def build_rejection(line: ParsedLine, note: str) -> LineMatch:
    """Return the match of a rejected order: its id, and whether the line calls it an exit."""
    order_id = _find_order_id(line, line.body) or events.UNNAMED
    return LineMatch(
        events.ORDER_REJECTED, order_id, f"{EXIT_KEY}, {note}" if _EXIT.search(line.body) else note
    )


def match_late_cancel(line: ParsedLine) -> Iterator[LineMatch]:
    """Yield an order whose cancel was answered with its fill; with another state the same code is benign."""
    if "filled" in line.body:
        yield LineMatch(events.FILLED_FIRST, _find_order_id(line, line.body) or events.UNNAMED)


def _find_order_id(line: ParsedLine, body: str) -> str | None:
    """Return the id of the order in the line's own case: its order id, else another id; None without one."""
    message = line.text
    for pattern in (_ORDER_ID, _PLAIN_ID, _OTHER_ID):
        for hit in pattern.finditer(body):
            if any(letter.isdigit() for letter in hit[1]) and not hit[1].startswith("unknown"):
                return (message if len(message) == len(body) else body)[hit.start(1) : hit.end(1)].rstrip(".")
    return None


MATCHERS: Final[tuple[tuple[tuple[str, ...], Callable[[ParsedLine], Iterator[LineMatch]]], ...]] = (
    (
        (
            "outcome", "fill", "execution", "locate", "order not found", "acknowledg", "acked", "response",
            "answer", "reply", "unknown", "confirmed",
        ),
        match_orders,
    ),
    (("reject", "declined", "refused", "unable to accept"), match_rejection),
)  # fmt: skip
"""The matchers of lines on orders, each with texts of which the line must contain one."""
