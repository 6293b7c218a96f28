"""Matches the trading runtime's own lines: reconciliation and when it is due, severe lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from detector.formats.patterns import build_pattern
from detector.logs import events
from detector.logs.parse.line import SEVERE_LEVELS, ParsedLine
from detector.logs.parse.vocabulary import LineMatch, has_any

_RECONCILIATION: Final = build_pattern(r"\bpositions?[ _-]reconcil\w{1,10}\b")
_COUNTS: Final = tuple(
    build_pattern(rf"\b{name}[\"']?\s{{0,2}}[=:]\s{{0,2}}[\"']?(\d{{1,9}})\b")
    for name in ("matched", r"internal(?:_count|_positions| count)?", r"broker(?:_count|_positions| count)?")
)
_OK: Final = build_pattern(r"\bok\b")
_MISSING: Final = (
    build_pattern(
        r"\b(?P<what>missing|absent)[ _](?:at[ _]|in[ _]|from[ _])?(?:the )?(?P<whose>broker|internal)"
        r"[ _](?:positions?|rows?|symbols?)(?: for| are| is)?\s{0,2}[=:]?\s{0,2}(?P<value>[^\s,;]{1,60})?"
    ),
    build_pattern(
        r"\b(?P<what>missing|absent)[ _](?P<whose>broker|internal)(?:_count)?[\"']?"
        r"\s{0,2}[=:]\s{0,2}(?P<value>[\d\[{(][^\s,;]{0,60})"
    ),
    build_pattern(
        r"\b(?P<whose>broker|internal) positions? (?:is |are |was |were )?"
        r"(?P<what>missing|absent|not found)\b"
        r"(?:\s{0,2}[=:]\s{0,2}(?P<value>[^\s,;]{1,60}))?"
    ),
    build_pattern(
        r"\bpositions? (?P<what>missing|absent) (?:at|from|in|on) (?:the )?"
        r"(?P<whose>broker|internal|engine)\b(?P<value>)"
    ),
)
_NOT_MISSING: Final = build_pattern(
    r"\b(?:no|if|when|never|without|zero|0) (?:missing|absent)\b"
    r"|\bno (?:broker|internal) positions? (?:is |are )?missing"
)
_NOTHING: Final = frozenset(
    {"0", "[]", "{}", "()", "none", "null", "false", "no", "set()", "-", "''", '""', "zero", "without", "any"}
)
_DIFFERS: Final = build_pattern(
    r"\b(?:mismatch(?:ed)?|differs?|diverged?|drift(?:ed)?)\b(?!\s{0,2}[=:]\s{0,2}(?:0|none|false|\[\]))"
)
_NO_DIFFERENCE: Final = build_pattern(
    r"\b(?:no|without|if|when|whether|unless) (?:[\w-]{1,20} ){0,3}(?:mismatch|drift|differ|diverge)"
)


def match_reconciliation(line: ParsedLine) -> Iterator[LineMatch]:
    """Yield a proof that broker and internal positions agree, or a difference between them.

    The proof is a line `position reconciliation OK` with three equal counts.
    """
    body = line.body
    missing = _find_missing(body) if has_any(("missing", "absent", "not found"), body) else None
    if missing:
        yield LineMatch(events.MISMATCH, note=f"{missing} positions are missing")
        return
    hit = _RECONCILIATION.search(body)
    if hit is None:
        return
    counts = [count_hit[1] for pattern in _COUNTS if (count_hit := pattern.search(body))]
    if len(counts) == len(_COUNTS):
        same = len({int(count) for count in counts}) == 1
        if not same:
            yield LineMatch(
                events.MISMATCH, note=f"matched {counts[0]}, internal {counts[1]}, broker {counts[2]}"
            )
        elif _OK.search(body):
            yield LineMatch(events.RECONCILED, note=counts[0])
    elif _DIFFERS.search(body, hit.end()) and not _NO_DIFFERENCE.search(body):
        yield LineMatch(events.MISMATCH, note="the line says that they differ")


def _find_missing(body: str) -> str | None:
    """Return the side whose positions the line reports as missing, or None; 0 missing is None."""
    if _NOT_MISSING.search(body):
        return None
    sides: set[str] = set()
    for pattern in _MISSING:
        for hit in pattern.finditer(body):
            value = (hit["value"] or "").rstrip(".")
            if value not in _NOTHING and not value.startswith("[]"):
                sides.add(hit["whose"])
    return " and ".join(sorted(sides)) or None


_STARTED: Final = build_pattern(
    r"\b(?:trading |trader |core |strategy )?(?:engine|trader|runtime)[ _](?:has |was )?(?:re)?started\b"
    r"(?! (?:thread|task|worker)\b)"
    r"|\b(?:starting|started) (?:the )?(?:trading |core )?(?:engine|trader)\b"
    r"|\bengine[ _]start(?:up)?(?:[ _]complete)?\b(?![ _]?(?:time|config|delay|timeout|grace))"
)
_RECONNECTED: Final = build_pattern(
    r"\bre-?connected to (?:the )?(?:ib|ibkr|tws|gateway|broker|interactive brokers)\b"
    r"|\b(?:broker|ib|ibkr|gateway) reconnected\b"
)
_CLOSED: Final = build_pattern(
    r"\b(?:trade|position)(?: #?[\w-]{1,20}| for [\w. ]{1,20})?[ _](?:is |was |has been |fully )?closed\b"
    r"(?! (?:count|total|today))|\bclosed (?:the )?(?:trade|position)\b"
    r"|\bexit (?:order )?filled\b|\bclosed\b[^\n]{0,60}\b(?:realized|realised|pnl|p&l)"
)
_NO_PROOF_DUE: Final = build_pattern(
    r"\b(?:no|not|if|when|will|would|should|to be|being|failed|cannot|already|0|none|reject(?:s|ed)?"
    r"|market (?:is )?closed|waiting|before|after|until)\b|[=:]\s?0\b"
)


def match_proof_due(line: ParsedLine) -> Iterator[LineMatch]:
    """Yield each reason to reconcile: the engine's start, a reconnect, the close of a trade."""
    body = line.body
    for pattern, reason in (
        (_STARTED, "engine start"),
        (_RECONNECTED, events.RECONNECT),
        (_CLOSED, "close of a trade"),
    ):
        hit = pattern.search(body)
        if hit is not None and not _NO_PROOF_DUE.search(body, 0, hit.end()):
            yield LineMatch(events.PROOF_DUE, note=reason)
            return


MATCHERS: Final[tuple[tuple[tuple[str, ...], Callable[[ParsedLine], Iterator[LineMatch]]], ...]] = (
    (("reconcil", "missing", "absent", "not found"), match_reconciliation),
    (("started", "starting", "engine", "reconnected", "re-connected", "closed", "filled"), match_proof_due),
)
"""The matchers of runtime lines, each with texts of which the line must contain one."""

_BARE_CRASH: Final = build_pattern(
    r"traceback \(most recent call last\)|exception in thread \"|^unhandled exception\.? |^panic: "
    r"|^php fatal error"
    r"|^thread '[^']{1,40}' panicked"
)


def is_severe(line: ParsedLine) -> bool:
    """Whether the line is of level FATAL, CRITICAL or SEVERE."""
    return line.level in SEVERE_LEVELS


def is_traceback_start(lowered: str) -> bool:
    """Whether the lowered line begins a traceback or another crash report."""
    return _BARE_CRASH.search(lowered) is not None
