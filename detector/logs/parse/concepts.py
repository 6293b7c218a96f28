"""Matches what a program says in its own words: a subject and its state within one sentence.

A list of sentences is never complete; the few concepts of each event combine to all of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from msgspec import Struct

from detector.formats.patterns import build_pattern
from detector.logs.parse.line import is_quoted
from detector.logs.parse.phrases import DENIES, HYPOTHETICAL, NONE_AFTER, UNREAL, LineMatch

_END: Final = build_pattern(r"[.!](?=\s|$)|\s;\s|\n")
_SENTENCE: Final = 240
_MOST_HITS: Final = 4
# Words before that suppose, of the whole line and of the clause; programs "ignore" and "treat" what happened.
_SUPPOSED: Final = build_pattern(
    r"\b(?:if|when(?:ever)?(?! \w{2,12}ing\b)|unless|until|in case|whether|e\.g\.|examples?|samples?|docs?"
    r"|documentation|runbook|readme|see (?:also|docs?|the)|tests?|testing|mock(?:ed|s)?|fake|polic(?:y|ies)"
    r"|regex|pattern|codes|means?|meaning|avoid"
    r"|prevents?"
    r"|suppress(?:es|ed|ing)?|silenc(?:e|ed|ing)|simulat(?:e|es|ed|ing|ion)|inject(?:ed|s|ing)?|replay(?:s"
    r"|ed|ing)?|dry[- ]run"
    r"|reminder|tips?|hint|imagine|suppose|alert rules?"
    r"|(?:watch|look|scan|check|test|alert|page)(?:s|es|ed|ing)? (?:for|on|if))\b(?![-_/.]\w)|\bon\s?$"
    r"|如果|若(?!干)|万一|もし|만약"
)
_SUPPOSED_NEAR: Final = build_pattern(
    r"\b(?:will|should|would|might|(?:could|may|can)(?! not)|once|expect(?:s|ed|ing)?|handl(?:e|es|ing"
    r"|er))\b[^,;:\n]{0,40}$"
)
_SUPPOSED_BETWEEN: Final = build_pattern(
    r"\b(?:if|unless|would|should|in case|whenever|in the event|could have)\b"
)
_DENIED: Final = build_pattern(
    r"\b(?:no|not|never|(?<![=:.\d])0|zero|without|none|nothing|any|n't)\s(?:(?:an?|the|is|are|longer) )?$"
    r"|n't $"
)
OVER: Final = build_pattern(r"\b(?<!until )(?<!be )(?<!till )(?:resolved|cleared|reconciled|confirmed as)\b")
"""Words that show that the matter is settled."""
_SETTLED: Final = build_pattern(
    r"[^.;\n]{0,60}\b(?<!until )(?<!be )(?<!till )(?<!not )(?<!yet )(?:resolved|cleared|reconciled"
    r"|confirmed as|recovered|fixed|turned out|handled)\b"
    r"|[^.;\n]{0,12}(?:->|=>|→|\bnow|\bthen) ?(?:filled|cancell?ed|submitted|presubmitted|known|confirmed"
    r"|ok)\b"
)
_SETTLED_HEAD: Final = build_pattern(r"(?:resolved|cleared|recovered|settled|fixed)\b")
_DENIED_BEFORE: Final = build_pattern(
    r"\b(?:no|without|zero|(?<![=:.\d])0|neither|nor|none of(?: the)?|any|never an?)\s(?:\w{1,20}\s){0,2}$"
)
_LISTED: Final = build_pattern(
    r"[\"'`]?\s?[,|/+]\s?[\"'`]?(?:and |or )?[a-z]{2,20}_[a-z_]{2,40}+(?![\w\"']{0,2}\s?[=:(])"
)
_LISTED_BEFORE: Final = build_pattern(
    r"(?<![=:(\w])[a-z]{2,20}_[a-z_]{2,40}[\"'`]?\s?(?:[,|/+]|and|or)\s?(?:and |or )?[\"'`]?$"
)
_NAMED: Final = build_pattern(
    r"\b(?:rules|rule set|alerts|checks|metrics|counters|gauges|flags|events|names|categories|types|topics"
    r"|channels"
    r"|columns|labels|states|handlers|detectors|monitors|thresholds|settings|registered|registering"
    r"|subscribed to"
    r"|enabled|armed)(?: (?:for|on|loaded|registered|enabled|are))?\s?(?:\d{1,3} )?[:(\[]?\s?[\"'`]?$"
)


# The name of an event as that of a setting, a counter or a rule.
_AS_A_NAME: Final = build_pattern(
    r"[ _-](?:polic(?:y|ies)|counters?|handling|handlers?|rules?|alerts?|checks?|thresholds?|totals?|routes?"
    r"|actions?|timeouts?|modes?"
    r"|monitors?|monitoring|metrics?|detection|detectors?|guards?|hooks?|callbacks?|tests?|runbook|settings?"
    r"|limits?|reports?|summary)\b"
    r"|\s(?:is )?(?:enabled|disabled|armed|loaded|active|installed|registered|ready)\b"
    r"|[\"']?\s?[=:]\s?[\"']?(?:page|halt|block|ignore|alert|warn|warning|critical|enabled?|on|off|log|stop"
    r"|skip|email|sms)\b"
)
_AS_CODE: Final = build_pattern(r"[ _-](?:handlers?|callbacks?|hooks?|listeners?)\b")


class Concept(Struct, frozen=True):
    """What reports an event: a state, within one sentence with its subject where it has one.

    The sentence must have the words of `context` too, and none of `unless`.
    """

    kind: str
    key: str
    note: str
    state: re.Pattern[str]
    subject: re.Pattern[str] | None = None
    unless: re.Pattern[str] | None = None
    context: re.Pattern[str] | None = None


def match_concepts(concepts: Iterable[Concept], body: str) -> Iterator[tuple[LineMatch, int, int]]:
    """Yield a match for each concept that the line reports, and where its words begin and end."""
    for concept in concepts:
        if concept.subject is not None and not concept.subject.search(body):
            continue  # a state has far more forms than its subject, and is compiled only for such lines
        for hit in islice(concept.state.finditer(body), _MOST_HITS):
            start = _find_start(concept, body, hit)
            if start is not None and _is_reported(body, start, hit, concept.subject is None):
                if UNREAL.search(body):
                    return
                yield LineMatch(concept.kind, concept.key, concept.note), start, hit.end()
                break


def _find_start(concept: Concept, body: str, hit: re.Match[str]) -> int | None:
    """Return where the words of the concept begin, or None where the sentence has no such subject."""
    begin, end = _find_sentence(body, hit)
    if concept.unless is not None and concept.unless.search(body, begin, end):
        return None
    if concept.context is not None and not concept.context.search(body, begin, end):
        return None
    if concept.subject is None:
        return hit.start()
    before = None
    for subject in concept.subject.finditer(body, begin, end):
        if subject.start() >= hit.start():
            if before is None:
                return hit.start()
            break
        before = subject
    if before is None or _SUPPOSED_BETWEEN.search(body, before.end(), max(before.end(), hit.start())):
        return None
    return before.start()


def _find_sentence(body: str, hit: re.Match[str]) -> tuple[int, int]:
    """Return where the sentence of a hit begins and ends, cut to a bounded length."""
    begin = max(0, hit.start() - _SENTENCE)
    for end in _END.finditer(body, begin, hit.start()):
        begin = end.end()
    after = _END.search(body, hit.end(), hit.end() + _SENTENCE)
    return begin, after.start() if after else min(len(body), hit.end() + _SENTENCE)


def _is_reported(body: str, start: int, hit: re.Match[str], is_name: bool) -> bool:
    """Whether the line asserts the words: no supposition, denial, count of zero, list of names, quotation."""
    return not (
        (HYPOTHETICAL if is_name else _SUPPOSED).search(body, 0, start)
        or _SUPPOSED_NEAR.search(body, 0, start)
        or (DENIES if is_name else _DENIED_BEFORE).search(body, 0, start)
        or _DENIED.search(body, start if start < hit.start() else max(0, start - 20), hit.start())
        or NONE_AFTER.match(body, hit.end())
        or _SETTLED.match(body, hit.end())
        or _SETTLED_HEAD.match(body)
        or _is_listed(body, hit)
        or _AS_CODE.match(body, hit.end())
        or (is_name and _AS_A_NAME.match(body, hit.end()) is not None)
        or is_quoted(body, start)
    )


def _is_listed(body: str, hit: re.Match[str]) -> bool:
    """Whether the hit stands in a list of names of rules, counters or the like."""
    return (
        _LISTED.match(body, hit.end()) is not None
        or _LISTED_BEFORE.search(body, max(0, hit.start() - 80), hit.start()) is not None
        or ("_" in hit[0] and _NAMED.search(body, max(0, hit.start() - 60), hit.start()) is not None)
    )
