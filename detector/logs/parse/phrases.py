"""The wording of links, farms and sessions in the languages of TWS, and what makes a line a report.

Codes decide. This wording only confirms a code that stands in a weak place, and matches the lines without a
code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from msgspec import Struct, field

from detector.formats.patterns import build_pattern
from detector.logs import codes
from detector.logs.parse.line import is_quoted
from detector.logs.parse.records import BROKER

LINK: Final = (
    r"(?:connectivit|connection|\blink\b|verbindung|konnektivit|connexion|conexi[oó]n|conectividad"
    r"|connession|connettivit|conex[aã]o|соединени|связ[ьи]|подключени"
    r"|verbinding|połączeni|bağlant"
    r"|连接|連接|連線|连线|联机|接続|연결)"
)
LOST: Final = build_pattern(
    r"\b(?:lost|broken|interrupted|dropped|down|severed)\b|verloren|unterbrochen|getrennt|abgebrochen|perdu"
    r"|interromp"
    r"|coupée?|rompu|perdid|interrump|\brota\b|cortad|pers[ao]\b|interrott"
    r"|потеря|прерва|разорва|утра[тч]"
    r"|verbroken|utracon|przerwan|kesildi|koptu"
    r"|丢失|遗失|遺失|断开|斷開|中断|中斷|断线"
    r"|斷線|失去|切断|失われ|途絶|切れ|끊|손실"
)
RESTORED: Final = build_pattern(
    r"restored|re-?established|recovered|reconnected|wiederhergestellt|wieder hergestellt|rétabli|restauré"
    r"|restablecid|restaurad|recuperad|ripristinat|restabelecid"
    r"|восстановл|hersteld|przywrócon|yeniden"
    r"|恢复|恢復|重新连|重新連|已连接|回復|復旧|復元|再接続|복구|복원|재연결"
)
DATA_LOST: Final = build_pattern(
    r"(?<!no )data (?:is |was )?lost|(?<!no )lost data|(?<!no )data loss"
    r"|数据(?:已)?丢失|資料(?:已)?遺失"
    r"|datenverlust|daten (?:gingen )?verloren|données perdues|perte de données|datos perdidos|dati persi"
    r"|dados perdidos|данные потеряны"
    r"|データ(?:が|は)?(?:失|消失|損失)|데이터 ?손실"
)
OTHER_ADDRESS: Final = build_pattern(
    r"different ip|another ip|other ip address|anderen? ip|andere ip|adresse ip différente|autre adresse ip"
    r"|(?:dirección )?ip (?:diferente|distinta)|indirizzo ip diverso|ip diferente"
    r"|другого ip|不同的? ?ip|別の ?ip|異なる ?ip|다른 ip"
)
CLIENT_ID_USED: Final = build_pattern(
    r"\bclient[ _-]?id\b[^.\n]{0,40}?\b(?:is |are )?(?:already |currently )(?:in use|used|connected|taken"
    r"|registered)"
    r"|\bclient[ _-]?id\b[^.\n]{0,24}?\b(?:is |was )?(?:in use|taken|occupied|not unique"
    r"|used by (?:an)?other)\b(?!\s?[:=]| (?:are|is|will|for|by (?:strategy|us|this|our|the bot))\b)"
    r"|\bduplicate client[ _]?id\b|\bclient #?\d{1,5} (?:is )?already (?:connected|in use|used|taken)\b"
)
HYPOTHETICAL: Final = build_pattern(
    r"\b(?:if|when(?:ever)?(?! \w{2,12}ing\b)|unless|until|once|in case|whether|should|would"
    r"|might|will|(?:to )?avoid|prevents?"
    r"|ignor(?:e|es|ed|ing)|suppress(?:es|ed|ing)?|filter(?:s|ed|ing)?|silenc(?:e|ed|ing)|treat(?:s|ed|ing)?"
    r"|expect(?:s|ed|ing)?|match(?:es|ed|ing)?|pattern|regex|codes|handl(?:e|es|ing|er)|means?|meaning"
    r"|(?:watch|look|scan|check|wait|test|alert|page)(?:s|es|ed|ing|ning)? (?:for|on|until)"
    r"|e\.g\.|example|sample|docs?|documentation|runbook|alert rules?|readme"
    r"|troubleshooting|see(?! https?:\S{1,200} for help\b)|tests?|testing"
    r"|simulat(?:e|es|ed|ing|ion)|mock(?:ed|s|ing)?|fake|policy|inject(?:ed|s|ing)?|pars(?:e|es|ed|ing)"
    r"|replay(?:s|ed|ing)?|dry[- ]run|back-?test(?:s|ed|ing|er)?|hypothetical(?:ly)?|imagine|suppose"
    r"|reminder|tips?|hint|otherwise|or else)\b(?![-_/.]\w)|\bon\s?$"
)
"""Words before a message that show that the line supposes or mentions the event and does not report it."""

ASIDE: Final = build_pattern(
    r"[\s\[(>*.-]{0,6}(?:tips?|hints?|help|usage|faq|q&a|examples?|e\.g\.|samples?|docs?|documentation|readme"
    r"|runbook|how-?to|did you know|see also|change-?log|release notes?|todo|fixme|glossary|legend|lesson"
    r"|news"
    r"|headlines?|quiz|reminder|scenario|exercise|back-?test(?: note)?)"
    r"(?:\s(?:of the day|\d{1,4}|#\d{1,4}))?[\])]?\s?(?::|-{1,2}\s|[–—])"
)
"""The beginning of a line that is about something else: a tip, a manual, the news."""

UNREAL: Final = build_pattern(
    r"\b(?:back-?test(?:s|ed|ing|er)?|simulat(?:ed|ion|or)|hypothetical(?:ly)?|dry[- ]run|unit tests?"
    r"|what-?if"
    r"|replay(?:ed|ing)? (?:of|from|session|mode|file|log|day)|(?:paper|log|market|history) replays?"
    r"|stress[- ]test|scenario|training (?:data|set)|post-?mortem|tutorial|chaos (?:test|drill|monkey)"
    r"|fire drill|historical (?:run|study)|walk-forward)\b"
)
"""Words that show that what a program says in its own words did not happen at the broker."""

_FARM = (
    r"farm|ferme|granja|granje|ферм|ファーム|农场|農場|팜|hmds|secdef|boerderij|fazenda|çiftli"
    r"|数据服务器|行情服务器|數據服務器|сервер"
)

# The languages of TWS: German, French, Spanish, Italian, Portuguese, Dutch, Russian, Chinese in both scripts,
# Japanese, Korean, Polish, Turkish.
REFUSED_WORDS: Final = (
    r"abgelehnt|zurückgewiesen|abgewiesen|verweigert|rejeté|rechazad|denegad|rifiutat|respint|rejeitad"
    r"|recusad"
    r"|geweigerd|afgewezen|отклон|отказ|отвергнут|拒绝|拒絕|被拒|拒否|却下|거부|거절|odrzucon|reddedil"
    r"|red edil"
)
FILLED_WORDS: Final = (
    r"ausgeführt|exécuté|ejecutad|eseguit|executad|preenchid|uitgevoerd|исполнен|выполнен|成交|約定|체결"
    r"|zrealizowan|wykonan|gerçekleş"
)
CANCEL_WORDS: Final = r"cancel|storn|annul|anul|отмен|取消|撤|キャンセル|취소|iptal"

CONFIRMATIONS: Final[Mapping[str, re.Pattern[str]]] = {
    codes.LINK_LOST: build_pattern(rf"{LINK}|socket port|disconnected"),
    codes.LINK_RESTORED: build_pattern(rf"{LINK}|\breconnected\b"),
    codes.FARM_BROKEN: build_pattern(_FARM),
    codes.FARM_OK: build_pattern(_FARM),
    codes.STREAM_DEAD: build_pattern(
        r"live updates?|actualiza|aktualisier|mises? à jour|обновлен"
        r"|实时|即時|リアルタイム|실시간"
    ),
    codes.SESSION_CONFLICT: build_pattern(
        r"client[ _-]?id|kunden-?(?:id|nummer)|id[ -]client|id (?:de|del|do) cliente|id cliente|identyfikator"
        r"|клиент|客户端|客戶端|クライアント|클라이언트|istemci"
    ),
    codes.CANNOT_CONNECT: build_pattern(
        r"couldn'?t connect|could not connect|cannot connect|connect(?:ion)? failed|连接|接続"
    ),
    codes.MARGIN: build_pattern(
        r"margin|liquid|urgent|dringend|zwangs|marge|margen|margem|marż|likwid|маржи|маржа|ликвид"
        r"|保证金|保證金|証拠金|증거금|마진|清算|平仓|平倉|청산|teminat|tasfiye"
    ),
    codes.DISCLAIMER: build_pattern(r"disclaimer|paper"),
    codes.WARNED: OTHER_ADDRESS,
    codes.REFUSED: build_pattern(rf"reject|refus|declin|denied|not available|{REFUSED_WORDS}"),
    codes.FILLED_FIRST: build_pattern(rf"\bfilled\b|{FILLED_WORDS}|{CANCEL_WORDS}"),
    codes.BLOCKED: build_pattern(
        r"permission|berechtigung|autori[sz]|permis|permess|toestemming|разрешен|полномоч|权限|權限"
        r"|許可|権限"
        r"|권한|uprawnie|zezwole|izin|yetki"
    ),
    codes.NOT_ENTITLED: build_pattern(
        r"subscri|delayed|entitle|market data|marktdaten|abonn|données de marché|datos de mercado"
        r"|suscri|suscrit"
        r"|dati di mercato|sottoscri|abbonat|dados de mercado|assina|subscrev|marktgegevens|рыночн|подпис"
        r"|行情"
        r"|市场数据|市場數據|市場資料|订阅|訂閱|市場データ|マーケットデータ|購読|시세|시장 ?데이터|구독"
        r"|dane rynkowe"
        r"|danych rynkowych|subskry|piyasa veri|abone"
    ),
    codes.THROTTLED: build_pattern(
        r"rate of messages|messages (?:per|a) second|msgs?/s|pacing|(?:pro|par|por|al|per) (?:sekunde|seconde"
        r"|segundo|secondo)|в секунду|每秒|毎秒|1秒|초당|na sekundę|saniye"
    ),
    codes.UNSUPPORTED: build_pattern(
        r"out of date|upgrade|supported|veraltet|aktualisier|obsol|mise à jour|actualiz|aggiorna|atualiz"
        r"|verouderd|bijgewerkt|устарел|обнов|过期|過期|更新|升级|升級|古い|업데이트|nieaktualn|aktualizac"
        r"|güncel"
    ),
}
"""By class of code: the wording that confirms a code whose place alone does not prove it."""


def is_confirmed(kind: str, body: str) -> bool:
    """Whether the lowered text confirms a code of that class."""
    pattern = CONFIRMATIONS.get(kind)
    if pattern is None or not pattern.search(body):
        return False
    if kind == codes.LINK_LOST and BROKER.search(body) and "disconnected" in body:
        return True
    if kind in (codes.LINK_LOST, codes.FARM_BROKEN):
        return LOST.search(body) is not None or "disconnected" in body or "reset" in body
    return kind != codes.LINK_RESTORED or RESTORED.search(body) is not None


class LineMatch(Struct, frozen=True):
    """One match of a line: the kind of the event, its farm, order or form (`key`), and a text (`note`)."""

    kind: str
    key: str = ""
    note: str = ""
    farms: tuple[str, ...] = field(default=())


DENIES: Final = build_pattern(
    r"\b(?:no|not|never|without|zero|(?<![=:.\d])0|neither|nor|none|n't|any)\b[^.;:]{0,40}$"
)
NONE_AFTER: Final = build_pattern(
    r"\s(?:is |are )?(?:no longer|not) possible\b"
    r"|\s(?:is |are |was |were )?(?:avoided|averted|prevented|disabled|switched off)\b"
    r"(?=\W?(?:$|[,;.)])| (?:in|by|for|via|per)\b)"
    r"|[^.;,\n=]{0,20}(?<!id)[:=]\s?(?:(?:0|false|none|never)(?![\w.])|no(?=\s{0,3}(?:[,;.)]|$)))"
    r"|[^.;,\n]{0,30}\b(?:count|total|number|counter|tally)s?\b[^.;,\n]{0,15}\b(?:0|zero|none|nil)(?![\w.])"
    r"|[^.;,\n]{0,12}\b(?:is|are|was|were|stays?|remains?) (?:at )?(?:0|zero|none|nil|empty)(?![\w.])"
    r"|[^.;,\n]{0,30}\?\s{0,2}(?:no|none|never|n|false)\b|\s?\(0\)"
    r"|(?:\s(?:kill|error|event|warning|crash|hit)\w{0,3})?\s(?:0|none|zero)(?![\w.:%-])"
)
"""Words after a message that take it back: a count of zero, `: no`."""
NOT_YET: Final = build_pattern(r"\b(?:not|never|n't|no longer)\b")


def is_asserted(body: str, hit: re.Match[str], quoted: bool = False) -> bool:
    """Whether the line reports the match: it neither supposes nor denies nor (unless `quoted`) quotes it."""
    supposed, denied = HYPOTHETICAL.search(body, 0, hit.end()), DENIES.search(body, 0, hit.start())
    denied = denied or NONE_AFTER.match(body, hit.end())
    return not supposed and not denied and (quoted or not is_quoted(body, hit.start()))


_NEGATIVE: Final = build_pattern(r"(?:no|not|missing|lacks?|does|do|did|sans|sin|keine?)\b")


class Phrase(Struct, frozen=True):
    """Wording that reports an event: the event's kind, key and note, and lines that mean something else."""

    kind: str
    key: str
    note: str
    pattern: re.Pattern[str]
    unless: re.Pattern[str] | None = None


def match_phrases(phrases: Iterable[Phrase], body: str, quoted: bool = False) -> Iterator[LineMatch]:
    """Yield a match for each phrase that the line reports; `quoted`: it may stand in quotes."""
    for phrase in phrases:
        hit = phrase.pattern.search(body)
        if hit is None or (phrase.unless is not None and phrase.unless.search(body)):
            continue
        supposed = HYPOTHETICAL.search(body, 0, hit.start())
        denied = not _NEGATIVE.match(hit[0]) and DENIES.search(body, 0, hit.start())
        denied = denied or NONE_AFTER.match(body, hit.end()) or UNREAL.search(body)
        if not supposed and not denied and (quoted or not is_quoted(body, hit.start())):
            yield LineMatch(phrase.kind, phrase.key, phrase.note)
