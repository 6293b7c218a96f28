"""Matches the trading runtime's own lines: reconciliation and when it is due, severe lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

from detector.formats.patterns import build_pattern, has_any
from detector.logs import events
from detector.logs.parse.concepts import Concept, match_concepts
from detector.logs.parse.line import SEVERE_LEVELS, ParsedLine
from detector.logs.parse.phrases import UNREAL, LineMatch

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
        r"\b(?P<whose>broker|internal)_(?P<what>missing|absent)(?:_count)?[\"']?"
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


_BROKER_SIDE: Final = (
    r"(?:venue|broker(?:age)?|ibkr|ib|tws|interactive brokers|portfolio|account|exchange|gateway)"
)
_OWN_SIDE: Final = (
    r"(?:internal(?:ly)?|ledger|engine|our (?:books?|records?|state|side)|books?|stores?|db|database"
    r"|local(?:ly)?|bot|strategy|we|runtime|model"
    r"|system|state|tracker|expected|memory|cache)"
)
_HAS: Final = (
    r"(?:has|have|had|shows?|showed|reports?|reported|lists?|holds?|knows?|sees?|says|thinks"
    r"|tracks?|records?|returned|gives|is|are|was|carries|believes)"
)
_NONE: Final = r"(?:no|none|nothing|zero|0|flat|empty|not|n't)"
_POSITIONS: Final = (
    r"\b(?:positions?|holds?|holdings?|holding|held|shares|contracts|quantit(?:y|ies)|qty"
    r"|long|short|lots?|exposure|open|recon\w{0,10}|flat)\b|\b\d{1,6} [a-z]{1,5}\b"
    r"|\b[a-z]{1,5} [+-]?\d{1,6}\b"
)
# Words of agreement, or of what else two sides may have: no difference of positions.
_AGREED_OR_OTHER: Final = build_pattern(
    r"\b(?:both|agrees?|in sync|consistent|as expected|identical|flat too|also flat"
    r"|flat\b[^.;\n]{0,30}\bflat|orders?|connect\w{0,5}|permission|market data|folder|files?|opinion"
    r"|fees?|signals?|stops?|login|session|reply|response|answer)\b"
)
_DIFFERENCES: Final = (
    Concept(events.MISMATCH, "", "the broker lacks what is held internally", build_pattern(
        rf"\b{_BROKER_SIDE}(?:'s)?(?: side| account| portfolio| itself)? (?:\w+ )?{_HAS}(?: us)?(?: of| at"
        rf"| only)? {_NONE}\b"
        rf"|\b{_BROKER_SIDE}(?: side)? (?:flat|empty)\b|\b(?:no"
        rf"|without(?: an?)?) (?:{_BROKER_SIDE} (?:counterpart|record|side|match|position|equivalent)"
        rf"|(?:counterpart|match|record|entry) (?:at|in|on|with) (?:the |our )?{_BROKER_SIDE})\b"
        rf"|\b{_BROKER_SIDE}(?: \w+)? (?:lacks?|is missing|misses|omits)\b"
        rf"|\b(?:{_OWN_SIDE}[- ]only|only (?:exists? |seen |held |known |shown )?(?:in |by |at )?(?:the "
        rf"|our )?{_OWN_SIDE})\b"
        rf"|\b(?:not|never|\w{{1,6}}n't) (?:\w+ )?(?:at|by|to|in|on|with|from) (?:the |our )?{_BROKER_SIDE}\b"
        rf"|\b(?:missing|absent|gone|unknown|vanished|disappeared|lacking) (?:at|from|in|on|to|by) (?:the "
        rf"|our )?{_BROKER_SIDE}\b"
        rf"|\b{_BROKER_SIDE} (?:does not|doesn't|did not|didn't) (?:\w+ )?(?:have|show|report|list|hold|know"
        rf"|see|return)\b"
    ), build_pattern(rf"\b(?:{_OWN_SIDE}|reconcil\w{{0,8}}|tracked|our)\b"),
       _AGREED_OR_OTHER, build_pattern(_POSITIONS)),
    Concept(events.MISMATCH, "", "the broker lacks what is held internally", build_pattern(
        rf"\b(?:not|never|\w{{1,6}}n't) (?:found |held |present |there |known |reported |listed "
        rf"|visible )?(?:at|by|in|on|to) (?:the |our )?{_BROKER_SIDE}\b"
    ), build_pattern(r"\b(?:positions?|holdings?|holding) (?:of |in |for )?[a-z][\w.]{0,8}\b"), build_pattern(
        r"\b(?:yet|loaded|orders?|allowed|connect\w{0,5}|opened|size|limit)\b"
    )),
    Concept(events.MISMATCH, "", "the broker holds what is unknown internally", build_pattern(
        rf"\b{_OWN_SIDE}(?:'s)?(?: side| state| book)? (?:\w+ )?{_HAS}(?: of| it| that it| we)?(?: is"
        rf"| are)? {_NONE}\b"
        rf"|\b(?:no|without(?: an?)?) (?:{_OWN_SIDE} (?:counterpart|record|side|match|position|equivalent"
        rf"|entry)|(?:counterpart|match|record|entry) (?:in|on|with) (?:the |our )?{_OWN_SIDE})\b"
        rf"|\b(?:broker|ibkr|ib|tws|account|portfolio)[- ]only\b|\bonly (?:exists? |seen |held |known "
        rf"|shown )?(?:at |in |on |by )(?:the "
        rf"|our )?{_BROKER_SIDE}\b"
        rf"|\b(?:phantom|ghost|orphan(?:ed)?|unmanaged|unexpected|unplanned|unexplained|unknown|untracked"
        rf"|unaccounted"
        rf"|stray) (?:\w+ )?positions?\b"
        rf"|\b(?:not|never|\w{{1,6}}n't|un)[ -]?(?:\w+ )?(?:known|tracked|recorded|held|present|found|booked"
        rf"|seen"
        rf"|there|existing|in) (?:internally|(?:in|by|to|on|from) (?:the |our )?{_OWN_SIDE}|locally)\b"
        rf"|\b(?:missing|absent|gone|unknown|lacking) (?:internally|locally|(?:from|in|to|by) (?:the "
        rf"|our )?{_OWN_SIDE})\b"
        rf"|\bnot internally\b|\b{_OWN_SIDE} (?:does not|doesn't|did not|didn't|don't"
        rf"|do not) (?:\w+ )?(?:have|show|report|list|hold|know|see|track)\b"
    ), build_pattern(
        rf"\b(?:{_BROKER_SIDE}(?:'s)?(?: side| account| portfolio| itself)? (?:\w+ )?{_HAS}"
        rf"|{_BROKER_SIDE}[- ](?:positions?|holdings?|only)|held|recon\w{{0,10}}"
        rf"|(?:at|by|in|on|with|from) (?:the |our )?{_BROKER_SIDE})\b|\b{_BROKER_SIDE}\s?[=:]?\s?[+-]?\d"
    ), _AGREED_OR_OTHER, build_pattern(_POSITIONS)),
    Concept(events.MISMATCH, "", "the line says that they differ", build_pattern(
        r"\b(?:mismatch\w{0,3}|discrepanc(?:y|ies)|differs?|differ(?:ence|ent|ing)|diverge[sd]?|divergence"
        r"|drift(?:s|ed)?|disagree(?:s|d|ment)?|out of sync|inconsistent"
        r"|position breaks?(?=\s?(?:found|detected|for|in|between|:|!))"
        r"|(?:could not|cannot|can't|unable to|failed to) (?:be )?reconcile[sd]?"
        r"|reconcil\w{1,9} (?:has |was |is )?(?:failed|fails|unsuccessful|incomplete)"
        r"|(?:do(?:es)? not|doesn't|don't|did not|didn't) (?:match|agree|tally|reconcile|add up|line up"
        r"|equal)|not equal|unequal|unreconciled|off by [1-9])\b|!=|<>|≠"
    ), build_pattern(r"\b(?:positions?|holdings?|quantit(?:y|ies)|qty|share counts?|position counts?"
    r"|execution state|recon\w{0,10})\b"), build_pattern(
        r"\b(?:order (?:size|quantity|qty)|price|precision|average cost|avg ?cost|currency|tick|time"
        r"|schema|version|cash|pnl|p&l"
        r"|order (?:id|status|type)|check(?:s|er|ing)? (?:is|enabled)|tolerance"
        r"|(?:check|compar|scan|look|verify)\w{0,3} [^.;\n]{0,40}\b(?:for|whether|if))\b"
    ), build_pattern(r"\b(?:broker(?:age)?|venue|ibkr|ib|tws|recon\w{0,10}|account|portfolio)\b")),
)  # fmt: skip
# German, French, Spanish, Italian.
_AT_A_SIDE: Final = (
    r"(?:(?:beim|im|chez|en|presso|sul|nel|in) )(?:le |el |il |la |dem )?(?:courtier|br[oó]ker|ibkr)"
)
_DIFFERENCES_ABROAD: Final = Concept(events.MISMATCH, "", "the line says that they differ", build_pattern(
    rf"\bpositionen fehlen {_AT_A_SIDE}|\bfehlende positionen {_AT_A_SIDE}"
    rf"|\bpositions? manquantes? {_AT_A_SIDE}|\bfaltan? posici(?:ón|ones) {_AT_A_SIDE}"
    rf"|\b(?:mancano|mancanti) posizioni {_AT_A_SIDE}|\bposizioni mancanti {_AT_A_SIDE}"
    r"|\b(?:positions)?abgleich fehlgeschlagen|\bpositionsabweichung|\bpositionen (?:stimmen nicht überein"
    r"|weichen ab)|\bconciliación fallida|\b(?:rapprochement|réconciliation) (?:a )?échouée?"
    r"|\briconciliazione fallita|\bécart de positions?\b|\bdiscrepancia de posici"
), build_pattern(r"position|posici|posizion"), build_pattern(
    r"\b(?:keine|aucune?|ninguna?|sin|nessuna?|wenn|falls|cuando|quand|quando|0)\b"
))  # fmt: skip
# Chinese, Japanese, Korean.
_DIFFERENCES_EAST: Final = Concept(events.MISMATCH, "", "the line says that they differ", build_pattern(
    r"(?:持仓|持倉|仓位|倉位|ポジション|建玉|포지션|보유)[^\uff0c\u3002;\n]{0,12}?"
    r"(?:不一致|不符|不匹配|有差异|存在差异|不同步|불일치)"
    r"|(?:对账|對帳|照合|대사)\s?(?:发现|存在|有|后发现)?\s?(?:差异|差異|失败|失敗|不一致|不平|エラー|실패|불일치)"
), build_pattern(r"券商|柜台|经纪|账户|账本|本地|对账|對帳|证券|ブローカー|口座|照合|브로커|증권사|대사|broker|ibkr|tws|\bib\b"),
   build_pattern(
    r"无差异|没有差异|未发现|如果|若|是否|容差|阈值|检查|もし|場合|없음|(?:不一致|差异|불일치)(?:数量|数)?\W{0,3}0(?!\d)"
))  # fmt: skip
_ALL_DIFFERENCES: Final = (*_DIFFERENCES, _DIFFERENCES_ABROAD, _DIFFERENCES_EAST)
_NUMBER: Final = (
    r"[\"']?(?:[ _](?:count|positions?|qty|quantity|size|side|account|portfolio))?(?: (?:for|in"
    r"|of) [\w.]{1,12}|(?<=position) [a-z]{1,6}(?= [+-]?\d)|(?<=qty) [a-z]{1,6}(?= [+-]?\d))?(?:[ _](?:is"
    r"|has|have|shows?|says|reports?|holds?|lists?|counts?"
    r"|total))?[\"']?\s?[=:]?\s?(?:long "
    r"|short )?([+-]?\d{1,9}(?:\.\d{1,6})?)\b(?![:/.-]\d)(?!\s(?:ready|connected|started|online"
    r"|up)\b)(?!\s(?:connections?|requests?|orders?|fills?|ms|s"
    r"|seconds|retries|clients?|symbols?|rows?|bars|ticks|trades|messages|errors?|calls)\b)"
)
_SUPPOSED: Final = build_pattern(
    r"\b(?:if|when|would|should|examples?|e\.g\.|tests?|docs?|unless|until|will)\b"
)
_SIDES: Final = (
    build_pattern(rf"(?<![\w.-])(?:broker|bróker|courtier|ibkr|ib){_NUMBER}"),
    build_pattern(
        rf"(?<![\w.-])(?:internal|interno|interne|intern|lokal|ledger|local|engine|ours|we(?: have)?|db"
        rf"|database|store|book|expected){_NUMBER}"
    ),
)


def _find_unequal(body: str) -> str | None:
    """Return the two numbers that the line gives for broker and runtime where they differ, else None."""
    hits = [pattern.search(body) for pattern in _SIDES]
    if hits[0] is None or hits[1] is None or float(hits[0][1]) == float(hits[1][1]):
        return None
    if _SUPPOSED.search(body, 0, min(hits[0].start(), hits[1].start())):
        return None
    return f"internal {hits[1][1]}, broker {hits[0][1]}"


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
        yield from _match_difference(body)
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
    else:
        yield from _match_difference(body)


def _match_difference(body: str) -> Iterator[LineMatch]:
    """Yield a difference between broker and internal positions that the line has in other words."""
    if UNREAL.search(body):
        return
    unequal = _find_unequal(body)
    if unequal:
        yield LineMatch(events.MISMATCH, note=unequal)
    else:
        yield from (match for match, _, _ in islice(match_concepts(_ALL_DIFFERENCES, body), 1))


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
    (
        (
            "recon",
            "mismatch",
            "discrepan",
            "missing",
            "absent",
            "not found",
            "internal",
            "ledger",
            "qty",
            "broker",
            "ibkr",
            " ib",
            "ib ",
            "bróker",
            "courtier",
            "abgleich",
            "concilia",
            "rapprochement",
            "tws",
            "account",
            "仓",
            "倉",
            "账",
            "帳",
            "照合",
            "建玉",
            "ポジ",
            "포지션",
            "보유",
            "대사",
        ),
        match_reconciliation,
    ),
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
