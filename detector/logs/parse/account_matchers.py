"""Matches the broker's words on the account and its orders, and the host's on what ran out.

Codes say most of this; these are the words of programs that do not pass the codes on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

from detector.formats.patterns import build_pattern, has_any
from detector.logs import events
from detector.logs.parse.concepts import Concept, match_concepts
from detector.logs.parse.line import ParsedLine
from detector.logs.parse.phrases import LineMatch, Phrase, is_asserted, match_phrases

# In the languages of TWS, with those of `phrases`.
MARGIN_WORDS: Final = (
    r"zwangsliquid|zwangsverkauf|margin-?(?:defizit|unterdeckung)|nachschuss|liquidation (?:forcée|d'office)"
    r"|appel de marge|déficit de marge|liquidación (?:forzosa|forzada|automática)|llamada de margen"
    r"|déficit de margen"
    r"|liquidazione (?:forzata|coatta)|richiesta di margine|deficit di margine|liquidação forçada"
    r"|chamada de margem"
    r"|déficit de margem|gedwongen liquid|margetekort|принудительн\w{0,4} (?:ликвидац|закрыти)|дефицит маржи"
    r"|маржин-?колл|强制平仓|強制平倉|保证金不足|保證金不足|追加保证金|追加保證金|強制決済|強制清算|追証"
    r"|証拠金不足"
    r"|강제 ?청산|마진콜|증거금 ?부족|przymusow\w{0,3} likwid|niedob[oó]r depozytu|zorunlu tasfiye"
    r"|teminat tamamlama"
)
_READ_ONLY: Final = (
    r"(?:\b(?:read|view)[ -]?only\b|nur[ -]lese|nur[ -]lesen|schreibgeschützt|lecture seule|s[oó]lo lectura"
    r"|sola lettura|s[oó](?:mente)? (?:de )?leitura|apenas leitura|alleen[ -]lezen|только (?:для )?чтени|只读"
    r"|只讀|唯讀"
    r"|読み取り専用|읽기 ?전용|tylko do odczytu|salt okunur)"
)
_OPEN: Final = (
    r"(?:(?:open(?:ing)?|initiat(?:e|ing)|enter(?:ing)?|establish(?:ing)?)(?= (?:any|new|more|further"
    r"|additional|an?|fresh|positions?|trades?"
    r"|orders?|long|short|options?|futures)\b|\W{0,3}$)|(?:plac|mak|submitt)(?:e|ing) (?:any |more )?"
    r"(?:new|opening|day|further)|trad(?:e|ing)\b(?! (?:before|after|until|outside|on this|this symbol))"
    r"|day[ -]?trad(?:e|ing))"
)
MARGIN: Final = Phrase(events.MARGIN, "", "its words", build_pattern(
    r"\burgent\b[^\n]{0,200}(?:margin|liquidat)"
    r"|\bmargin (?:deficiency|deficit|violation|call)\b(?! (?:protection|limit|threshold|monitor|check))"
    r"|\b(?:positions?|account)\b[^.\n]{0,60}\b(?:may|will|can|could|are|is"
    r"|subject) (?:to )?(?:be(?:ing)? )?"
    r"(?:automatically )?liquidat(?:ed|ion)\b"
    r"|\b(?:ibkr|ib|broker|interactive brokers)\b[^.\n]{0,20}\bliquidat(?:ing|ed|es|e)\b"
    r"|\b(?:ibkr|ib|broker|interactive brokers)\b[^.;\n]{0,24}\b(?:clos(?:ing|ed) (?:out )?(?:our |your "
    r"|the )?positions?|sold off)\b(?=[^.\n]{0,60}margin)"
    r"|\bmargin (?:violation|deficiency|deficit|call)\b[^.\n]{0,40}\b(?:broker|ibkr"
    r"|ib)\b[^.\n]{0,30}\b(?:clos|liquidat|sell)"
    r"|\bliquidation of positions may\b|\bexcess liquidity (?:is |has (?:become|turned) )?(?:negative"
    r"|below zero)\b"
    r"|\b(?:brokerage|broker) liquidation\b|\bliquidation[\"']?\s?[:=]\s?1\b(?![.,]\d)"
    r"|\b(?:forced|auto(?:matic)?|involuntary|compulsory)[ -]?(?:liquidat(?:ion|ed|ing)|sell-?out"
    r"|close-?out)\b"
    r"|\b(?:liquidat(?:ed|ion)|sold out|closed out|force[ -]closed) by (?:the )?(?:broker(?:age)?|ibkr|ib)\b"
    r"|\bnot margin compliant\b|\bviolation of (?:the )?margin\b|\bliquidation (?:is )?imminent\b"
    r"|\bmargin (?:is |was |has been )?(?:deficient|breached|violated)\b"
    r"|\b(?:below|under|beneath) (?:the |its )?maintenance margin\b"
    r"|\b(?:broker|ibkr|ib)\b[^.;\n]{0,24}\b(?:initiated|started|began|triggered|ordered) (?:a "
    r"|the )?(?:forced )?liquidation\b"
    rf"|{MARGIN_WORDS}"
), unless=build_pattern(  # the news: what others owe
    r"\W{0,4}(?:headlines?|breaking|newswires?|reuters|bloomberg)\b"
    r"|\b(?:hedge funds?|family offices?|prime brokers?|investors|lenders|borrowers|analysts?"
    r"|short sellers)\b"
))  # fmt: skip
_BY_ITSELF: Final = build_pattern(
    r"\b(?:strategy|bot|engine|algo)\b [^.;\n]{0,30}\bclos|\bby (?:its|our|the) (?:own|strategy|bot|risk"
    r"|schedule|end-of-day)\b|\brisk manager\b"
    r"|\b(?:mode|restrictions?|only) (?:is |was |has been |have been )?(?:disabled|off|lifted|removed|ended"
    r"|cleared)\b"
)
_BLOCKED: Final = (
    Phrase(events.TRADING_BLOCKED, "read-only", "the API is read-only", build_pattern(
        r"\bapi(?: interface| client)? is (?:currently )?(?:in |set to )?read-?only\b"
        r"|\bread-?only (?:api|mode)\b(?:(?!\bnot\b)[^\n]){0,40}\b(?:set to:? ?true|is (?:set|on|enabled"
        r"|checked)"
        r"|enabled)\b"
        r"|\b(?:order|orders)\b[^\n]{0,80}\b(?:api|tws|gateway|session)\b[^\n]{0,20}\bread-?only\b"
    )),
    Phrase(events.TRADING_BLOCKED, "restricted", "only closing orders are accepted", build_pattern(
        r"\b(?:restrict(?:s|ed)?|limit(?:s|ed)?)\b(?: this account| the account| your account| us"
        r"| you)? to (?:placing |submitting |only )?(?:clos(?:e|ing)|liquidat)"
        r"|\bclosing[ -](?:only|(?:orders?|trades?|transactions?|positions?) only)\b"
        r"|\bonly (?:place |accepts? |submit |allow(?:s|ed)? )?closing (?:orders?|trades?|transactions?)\b"
        r"|\b(?:can|may) only close\b|\bliquidation[ -]only\b"
        r"|\b(?:pattern day trad(?:er|ing)|day trad(?:e|es|er|ing))\b[^\n]{0,90}"
        r"\b(?:restrict\w{0,6}|not (?:be )?(?:allowed|permitted|accepted)|prohibited|blocked|rejected"
        r"|exhausted)\b"
        r"|\breject\w{2,3}\b[^\n]{0,120}\b(?:pattern day trad(?:e|er|ing)"
        r"|day[ -]trad(?:e|es|ing) (?:limits?|rules?|restrictions?|left))\b"
        r"|\brestricted from (?:opening|trading|placing|entering)\b"
        r"|\b(?:restrict\w{0,6}|potential) [^.\n]{0,20}pattern day trad(?:er|ing)\b"
    ), unless=_BY_ITSELF),
    Phrase(events.TRADING_BLOCKED, "permission", "no trading permission", build_pattern(
        r"\bno (?:trading )?permissions? (?:to trade|for (?:this|the) (?:product|contract|instrument"
        r"|security))"
        r"|\bno trading permissions?\b|\b(?:does|do"
        r"|did) ?n[o']t have (?:the )?(?:necessary )?(?:trading )?permissions?\b"
        r"|\btrading permissions? (?:is |are )?(?:missing|required|denied)\b"
        r"|\baccount (?:is |has been )?(?:frozen|suspended|blocked|locked) (?:for|from) trading\b"
    )),
)  # fmt: skip
_RESTRICTIONS: Final = (
    Concept(events.TRADING_BLOCKED, "read-only", "the API is read-only", build_pattern(
        _READ_ONLY
    ), build_pattern(
        r"(?<![a-z])api(?![a-z])|\b(?:tws|ib ?gateway|ibkr|placing orders|orders? (?:was |were |is "
        r"|are )?(?:refused|rejected|blocked))\b"
        r"|api[-\W]?(?:schnittstelle|interface|接口|インター)|\berror 321\b|\b321\b"
    ), build_pattern(
        r"only\b[^.;\n]{0,25}(?:[=:]|\bto:?|\bis|\bset)\s?[\"']?(?:no|false|off|0|disabled|unset|unchecked)\b"
        r"|dashboard|database|\bdb\b|\bfile\b|mount"
        r"|ledger|\brole\b|viewer|\bdisk\b|volume|bucket|\btoken\b|\bkey\b|replica|\bmarket data\b"
        r"|\bnot (?:in )?read|\bnot (?:enabled|set|on|active|checked)\b|filesystem"
    )),
    Concept(events.TRADING_BLOCKED, "restricted", "only closing orders are accepted", build_pattern(
        r"\b(?:cannot|can not|can't|may not|must not|no longer|unable to|not able to"
        r"|not (?:be )?(?:allowed|permitted|eligible|authori[sz]ed) to|(?:prohibited|barred|blocked"
        r"|restricted|prevented|banned"
        r"|forbidden|precluded) from)\b (?:(?:currently|be able to|allowed to|permitted to) )?"
        rf"{_OPEN}\b|\b(?:does not|doesn't|do not|no longer|will not|won't) (?:allow|permit"
        rf"|accept)s? (?:any )?(?:new|opening) (?:positions?|orders?|trades?)\b|\btrading (?:is "
        rf"|was )?(?:not|no longer) (?:permitted|allowed|possible|enabled)\b"
        r"|\b(?:new|opening) (?:orders?|positions?|trades?) (?:are |is |were )?(?:not|no longer) (?:allowed"
        r"|permitted|possible|accepted)\b"
        r"|\b(?:no|any) (?:new|opening) (?:orders?|positions?|trades?) (?:are |is |will be |may be "
        r"|can be )?(?:\w+ )?(?:accepted|allowed|permitted|possible|placed|opened)\b|\bflagged (?:as "
        r"|for )?(?:an? )?(?:pdt|pattern|day|restricted)\b|\b(?:restricted|suspended|frozen|barred|banned"
        r"|deactivated|disabled|blocked)\b(?! (?:stock|list"
        r"|symbols?|hours|for \d))"
        r"|\bclos(?:e|ing)[ -]?only\b|\bliquidat(?:e|ion|ing)[ -]only\b|\breduc(?:e|ing)[ -]only\b"
    ), build_pattern(
        r"\b(?:(?:your|the|this|our|my|live|ibkr|ib|brokerage|trading)? ?account|pattern day[ -]trad\w{2,3}"
        r"|pdt|day[ -]trad(?:e|er|ing) (?:limit|rule|restriction)s?)\b"
    ), build_pattern(
        r"\b(?:log[ -]?in|log[ -]?on|password|attempts?|market data|subscription|withdraw\w*|by (?:its|our"
        r"|the) (?:own|strategy|bot|risk)"
        r"|strategy|spread|cooldown|kill[ -]?switch|unrestricted|not (?:been )?(?:restricted|suspended|frozen"
        r"|blocked|flagged)"
        r"|daily loss|risk (?:manager|guard|limit)|margin (?:enabled|disabled)|summary|updates?)\b"
    )),
    Concept(events.TRADING_BLOCKED, "permission", "no trading permission", build_pattern(
        r"\b(?:no|lost|loses|lacks?|lacking|missing|without|insufficient|denied|n[o']t (?:have|hold)(?: the"
        r"| any)?|needs?|requires?|have)\b"
        r" (?:\w+ ){0,3}?trading (?:permissions?|privileges?|authori[sz]ations?|rights?)\b(?=[^.;\n]{0,60}"
        r"|$)(?<!have trading permissions)(?<!have trading permission)"
        r"|\b(?:account|user|you)\b[^.;\n]{0,20}\b(?:lacks?|no|missing|not have|\w{1,5}n't have"
        r"|without) (?:the )?(?:\w+ )?permissions?\b(?= (?:to (?:trade|short|open|buy|sell)|for|in)\b"
        r"|\W{0,3}$)"
        r"|\bno permissions? (?:for|to trade) [^.;\n]{0,30}\baccount\b"
        r"|\bpermissions? to trade\b[^.;\n]{0,30}\b(?:revoked|denied|missing|removed|lost|required"
        r"|withdrawn)\b"
        r"|\btrading (?:permissions?|privileges?|rights?|access)\b[^.;\n]{0,40}?\b(?:missing|required|denied"
        r"|not (?:been )?(?:granted|enabled|found"
        r"|approved|available|set up)|revoked|expired|removed|withdrawn|lost|insufficient|suspended|absent)\b"
        r"|\bnot (?:permissioned|entitled|authori[sz]ed|permitted|approved|allowed|cleared) (?:to trade"
        r"|for trading)\b"
        r"|keine? handelsberechtigung|handelsberechtigung(?:en)? (?:fehl|nicht)|(?:pas"
        r"|aucune) (?:d')?(?:autorisation|permission)s? de (?:négociation|trading)"
        r"|(?:sin|no tiene) (?:los )?permisos? (?:de|para) (?:la )?(?:negocia|operar|trading)|(?:nessun"
        r"|non (?:ha|dispone))[^.;\n]{0,20}(?:autorizzazion|permess)\w{1,3} (?:al|di|per il) trading"
        r"|(?:sem|não (?:tem|possui)) permiss(?:ão|ões) (?:de|para) negocia|geen handels(?:bevoegdheid"
        r"|toestemming|rechten)|нет (?:торгов\w{2,4} )?разрешени"
        r"|(?:没有|無|无|缺少)[^。\n]{0,6}交易(?:权限|權限)|取引(?:許可|権限)が(?:ない|あり)"
        r"|거래 ?권한이? ?(?:없|필요)|brak (?:uprawnień"
        r"|zezwole)|işlem (?:izni|yetki\w{0,3}) (?:yok|bulunm)"
    )),
)  # fmt: skip
_ALLOWED: Final = build_pattern(
    r"\bread-?only (?:api|mode)[^\n]{0,40}\b(?:set to:? ?false|(?:is )?disabled|unset)\b"
)
# Each way to say it has one of these; for lines with none of them no pattern is compiled.
_ENTITLING: Final = ("subscri", "delayed", "entitle", "permission", "data type", "datatype")
_ENTITLED: Final = Phrase(events.NOT_ENTITLED, "", "its words", build_pattern(
    r"\bmarket data\b[^.\n]{0,50}\bnot subscribed\b"
    r"|\bnot subscribed to\b[^.\n]{0,40}\b(?:market )?data\b"
    r"|\brequires? (?:an )?additional (?:market data )?subscription\b|\bdelayed[ -]frozen\b"
    r"|\bmarket ?data ?type\b[^.\n]{0,30}\b(?:is|=|:|to|now)\b[^.,;\n]{0,12}\b(?:delayed|[34]\b)"
    r"|\b(?:displaying|receiving|showing|falling back to|got) delayed (?:market )?data\b"
    r"|\blive data (?:is )?not subscribed\b|\bno market data (?:permissions?|subscription|entitlement)"
    r"|\bmarket data (?:subscription|entitlement)s?\b[^.\n]{0,30}\b(?:expired|lapsed|missing|required"
    r"|cancelled)\b"
))  # fmt: skip
_LAPSED: Final = Concept(events.NOT_ENTITLED, "", "its words", build_pattern(
    r"\bdelayed (?:market )?(?:data|quotes?|ticks?|prices?|feed|snapshots?)\b|\bdelayed\W{0,3}$"
    r"|[(=: ]delayed(?:[-_ ]frozen)?\)"
    r"|\b(?:subscriptions?|entitlements?|permissions?)\b[^.;\n]{0,30}\b(?:missing|lapsed|expired|required"
    r"|needed|cancelled|not (?:active|found|held)|absent)\b"
    r"|\b(?:no|missing|lacks?|lacking|without|lapsed|expired|needs?"
    r"|requires?) (?:\w+ ){0,3}?(?:subscriptions?|entitlements?)\b"
    r"|\b(?:not|n't) (?:entitled|subscribed|permissioned)\b"
), build_pattern(
    r"\b(?:market ?data(?: ?type)?|marketdatatype|quotes?|ticks?|live (?:data|quotes?|subscription|prices?)"
    r"|data (?:for|subscription|feed)|feed|level (?:1|2|i|ii)|nbbo|delayed (?:data|quotes)|streaming"
    r"|exchange data)\b"
), build_pattern(
    r"\b(?:allow(?:s|ed)?|accept(?:s|ed)?|config\w*|settings?|none delayed|not delayed|no delay|disabled"
    r"|historical"
    r"|not in use|is live|backfill|if|when|ok|active|renewed|delayed (?:start|execution|fill|order)"
    r"|symbols? subscribed"
    r"|paper mode|option|flag|news|unsubscribed|topic|websocket|channel|redis|kafka|by \d+ ?(?:ms|s"
    r"|seconds))\b|marketdatatype\("
))  # fmt: skip
_PACING: Final = Phrase(events.THROTTLED, "", "pacing or rate limit", build_pattern(
    r"\bpacing violations?\b|\b(?:max(?:imum)?|message) rate of messages\b"
    r"|\bmax(?:imum)? (?:message )?rate\b[^.;\n]{0,30}\bexceeded\b"
    r"|\b(?:violat\w{1,4}|exceed\w{0,3}|hit|broke|breach\w{0,3}|tripped|over) (?:the |ibkr'?s? "
    r"|ib'?s? )?(?:historical data |message |api )?pacing\b|\bpacing (?:was |is )?(?:hit(?! rate)|exceeded"
    r"|violated|tripped)\b|\bpacing (?:limits?|rules?|error)\b[^.;\n]{0,20}\b(?:exceeded|hit|reached"
    r"|violated|broken|tripped)\b"
    r"|\bpacing error\b|\brequests? limit(?:ation)?s? (?:was |is |has been )?exceeded\b"
    r"|\b(?:ib|ibkr|tws|gateway|broker|historical data)\b[^.;\n]{0,30}\b(?:is throttling|throttled (?:us|our"
    r"|the|requests?|this)|rate[- ]limit(?:ed|ing) (?:us|our|requests?|this))\b"
    r"|\b(?:we|requests?|client|api calls?) (?:are|were|is|was|got|being) (?:being )?(?:throttled"
    r"|rate[- ]limited) by (?:the )?(?:ib|ibkr|tws|gateway|broker|client portal)\b"
    r"|\btoo many (?:messages|requests|historical data requests|api requests) (?:sent )?(?:to|from|for"
    r"|by) (?:the )?(?:ib|ibkr|tws|gateway|broker|client portal)\b|\bpenalty box\b|\bthrottled by (?:ibkr|ib"
    r"|tws|the gateway|the broker)\b"
))  # fmt: skip
_VERSION: Final = Concept(events.UNSUPPORTED, "", "its version", build_pattern(
    r"\bno longer (?:be )?(?:supported|maintained|accepted|compatible|function|work|connect|start|run)\b"
    r"|\bunsupported (?:since|as of|from|after|now|by)\b|\bunsupported\W{0,3}$"
    r"|\b(?:will (?:soon )?be )?(?:de-?supported|discontinued|retired|phased out)\b"
    r"|\bnot supported any ?(?:more|longer)\b|\b(?:will (?:soon )?not|won't|cease to) be supported\b"
    r"|\b(?:is|are|be|been|was|now|as|become|becomes|went|goes|going) (?:soon )?(?:unsupported|discontinued"
    r"|retired|obsolete|deprecated|sunset|phased out)\b"
    r"|\b(?:ended|ends|ending|drops?|dropped|stops?|stopped|withdrew) support\b|\bbelow (?:the )?minimum\b"
    r"|\bdeprecated\b(?=\W{0,2}(?:[,.;:]|$))|\bdrops? (?:it|this|version|build)\b|\bpast (?:its "
    r"|the )?(?:support|end)\b"
    r"|\brequires? (?:at least |a newer |a more recent |minimum )(?:version|build)\b"
    r"|\bdropped by (?:ibkr|ib|interactive)\b"
    r"|\bunsupported (?:version|build|release|gateway|tws)\b|\b(?:is|are) (?:not|n't) supported\b"
    r"|\bout[ -]of[ -]date\b|\boutdated\b|\btoo old\b"
    r"|\bend[ -]of[ -](?:life|support|service)\b|\beol\b|\bsunsets?\b"
    r"|\b(?:must|has to|have to|need(?:s|ed)? to|should|will have to|required to) (?:be )?(?:upgrade|update"
    r"|replace)d?\b"
    r"|\bplease (?:upgrade|update)\b|\b(?:minimum|oldest|lowest) (?:\w+ )?(?:supported |required "
    r"|allowed )?(?:version|build)\b"
    r"|\bsupport (?:for [\w. ]{1,30} )?(?:will |has |is )?(?:be )?(?:ends?|ended|ending|expire[sd]?|stops?"
    r"|stopped|dropped|ceases?|ceased|withdrawn|over)\b"
    r"|\b(?:stops?|ceases?) (?:working|connecting|to work|to be supported|being supported)\b|\b(?:drops?"
    r"|loses?|lost|dropped) support\b"
    r"|\b(?:upgrade|update) (?:is )?(?:required|mandatory|needed|necessary)\b|\b(?:mandatory|forced"
    r"|required) (?:upgrade|update)\b"
    r"|\bexpire[sd]?\b(?= (?:on|in|soon|after|at|by)\b)|\b(?:newer|more recent|later|current) (?:version"
    r"|build|release) is required\b"
    r"|nicht (?:mehr|länger) unterstützt|aktualisiert werden|veraltet|plus (?:prise?e? en charge|supporté)"
    r"|mise? à (?:jour|niveau)|obsol[eè]t"
    r"|dejará de|ya no (?:es|ser[áa]|se) (?:compatible|admit|soport)|debe (?:ser )?actualiza|non (?:sarà|è"
    r"|verrà) più support|(?:deve|va) (?:essere )?aggiornat"
    r"|deixará de|não (?:será|é) mais (?:compat|suport)|deve ser (?:atualizad|actualizad)|(?:niet (?:meer"
    r"|langer)|niet langer) (?:worden )?ondersteund|bijgewerkt worden|worden bijgewerkt"
    r"|больше не (?:будет )?поддержива|необходимо обнов|нужно обнов|устарел|不再(?:受)?(?:支持|支援|被支)"
    r"|(?:需要|必须|必須"
    r"|请|請)(?:进行)?(?:升级|更新|升級)|停止支持|停止支援"
    r"|サポート(?:が|は)?(?:されなく|終了|対象外)|(?:アップグレード|更新|アップデート)(?:が|する|を"
    r"|して)?(?:必要|ください|する必要)|지원(?:되지|이 (?:종료|중단)"
    r"|하지 않)|(?:업데이트|업그레이드)(?:해야|가 필요|하십시오)"
    r"|nie będzie (?:już )?(?:obsługiwan|wspieran)|przestanie być|(?:wymaga|należy) (?:aktualiz|zaktualiz)"
    r"|zaktualizowan|desteklenme|güncellenme"
), build_pattern(
    r"\b(?:versions?|builds?|releases?|(?:ib ?)?gateway|ibgw|tws|trader workstation|workstation|applications?"
    r"|client ?portal(?:\.gw)?|software)\b"
    r"|versi[oó]n|versão|versione|versie|верси|版本|バージョン|버전|wersj|sürüm|anwendung|aplicaci"
    r"|applicazione"
    r"|aplicativo|aplicação|applicatie|приложени"
    r"|应用|應用|アプリ|애플리케이션|aplikacj|uygulama"
), build_pattern(
    r"\b(?:python|node(?:js)?|java|jre|jdk|pandas|numpy|scipy|kubernetes|k8s|kubectl|docker|helm|driver"
    r"|librar(?:y|ies)|package|pip|npm|openssl"
    r"|ubuntu|debian|plugin|order type|timeframe|exchange|browser|chrome|firefox|sdk|protobuf|schema"
    r"|poddisruption\w*|feature|symbol|model|dataset"
    r"|config\w*|strategy|indicator|redis|postgres\w*|tls|ssl|certificate|session|token|cookie|password"
    r"|status|quotes?|prices?|positions?|contracts?|options?"
    r"|orders? (?:type|book)|data is|cache|metrics|every \d{1,4}|up to date)\b|\bv\d+(?:alpha|beta)\d+"
    r"|bar size|market data|\bdeprecated [^\s:]{2,80}: "
))  # fmt: skip
_DIALOG: Final = build_pattern(
    r"\b(?:dialog|pop-?up|message box)(?: box| window)? (?:text|says|said|message|shows?)\b"
)
_PORTAL: Final = build_pattern(
    r"iserver|portal|/v1/api|localhost:5000|\bibkr?\b|ibeam|ibind|interactive brokers|max rate of messages"
    r"|tickle|cpapi|cpgw"
    r"|/portfolio/|/trsrv/|/hmds/|/sso/|\btws\b|broker|gateway"
)
_TOO_MANY: Final = build_pattern(
    r"\b(?:http|status(?:[ _]?code)?|returned|answered|error|got|gave|replied|responded|with|code|->"
    r"|=>)(?:[ _]status)?\W{0,10}(?:status\W{0,4})?429\b"
    r"|\" 429 \d|\b429 (?:too many|client error|from|on|rate)|\btoo many requests\b"
    r"|\brate[ -]limit(?:er)? (?:was |is |has been )?(?:reached|exceeded|hit|tripped)\b|\b(?:hit|exceeded"
    r"|over|reached) (?:the |our )?(?:\w+ )?rate[ -]limits?\b"
    r"|\brate[ -]limited\b|\b(?:being |are |was |were |got )throttled\b|\bslow down\b"
)
_NOT_THROTTLED: Final = build_pattern(
    r"\b(?:not|never|no|n't|0|without)\b[^.;\n]{0,20}(?:throttled|rate[ -]limited|429|too many requests)"
    r"|\bby (?:our|its|the) own\b"
    r"|\b(?:slack|telegram|discord|webhook|pushover|sendgrid|twilio|openai|yahoo|polygon|alpaca|news|sec\.gov"
    r"|finnhub|alphavantage|github|smtp)\b"
)
_A_CHECK: Final = build_pattern(
    r"\b(?:check|test|killer|handler|guard|protection|monitor(?:ing)?|alarm|alert|threshold)s?"
    r"(?: is| are|:)? (?:passed|ok|disabled|enabled|clear|configured|set|off|on|armed|ready|active|loaded"
    r"|started|installed|registered|initiali[sz]ed)\b"
)
_HOST: Final = (
    Phrase(events.HOST_EXHAUSTED, "disk", "the disk is full", build_pattern(
        r"\bno space left on (?:the )?(?:device\b|disk\b|volume\b|/)|\b(?:filesystem|file system|partition"
        r"|disk)\b[^.;\n]{0,24}\b100 ?%"
        r"|\b(?:filesystem|file system|partition) (?:[\w/]{1,30} )?is full\b|\bdisk (?:is )?full\b"
        r"|\berrno 28\b|\benospc\b"
        r"|\bdatabase or disk is full\b|\bnot enough (?:disk )?space\b(?! (?:warning|check))"
        r"|\bdisk quota exceeded\b|\bnode was low on resource: ?ephemeral-storage\b"
        # What the C library and Windows say, in the languages of TWS.
        r"|(?:kein|nicht genug|nicht genügend) speicherplatz\b"
        r"|(?:platte|datenträger|laufwerk) (?:ist )?voll\b"
        r"|aucun espace disponible|plus (?:assez )?d'espace (?:disque|disponible)|\bdisque (?:est )?plein\b"
        r"|espace (?:disque )?insuffisant|no (?:queda|hay) (?:suficiente )?espacio"
        r"|espacio (?:en (?:el )?disco )?"
        r"insuficiente|\bdisco (?:está |è )?(?:lleno|pieno|cheio)\b"
        r"|spazio (?:su disco )?(?:esaurito|insufficiente)"
        r"|non c'è (?:più )?spazio|não há espaço|espaço insuficiente|geen (?:vrije )?(?:schijf)?ruimte"
        r"|onvoldoende (?:schijf)?ruimte|не ?осталось (?:свободного )?места"
        r"|недостаточно (?:свободного )?места"
        r"|nie ?ma (?:już )?(?:wolnego )?miejsca|za mało miejsca|yer kalmad|(?:没有|沒有|無)(?:剩余|可用)?空间"
        r"|(?:没有|沒有|無)(?:剩餘|可用)?空間|(?:空间|空間)(?:不足|已满|已滿)|磁盘已满|磁碟已滿|空き(?:領域|容量)(?:が|の)"
        r"|공간(?:이|은)? ?(?:없|부족)"
    ), unless=_A_CHECK),
    Phrase(events.HOST_EXHAUSTED, "memory", "memory ran out", build_pattern(
        r"\bout of memory\b|\boutofmemory(?:error|exception)?\b|\bcannot allocate memory\b|\bmemoryerror\b"
        r"|\boom[ -]?kill(?:ed|er|ing)?\b|\bresult 'oom-kill\b|\boom_reaper: reaped\b"
        r"|\boomkilled\b|\bheap out of memory\b"
        r"|\bmemory quota (?:vastly )?exceeded\b|\bnode was low on resource: ?memory\b"
        r"|\binsufficient memory for the (?:java|jvm)\b|\blow virtual memory condition\b"
        r"|\bunable to create (?:new )?native thread\b|\berrno 12\b|\benomem\b|\blow memory!"
        r"|\bkill(?:ed|ing)\b[^;\n]{0,120}\b(?:due to|because of) (?:high |low )?memory\b"
        r"|\bmemory (?:is |was )?exhausted\b|\bmemory allocation of \d{1,15} bytes failed\b"
        r"|(?:throwing an instance of \W?)?\bstd::bad_alloc\b"
        r"|\b(?:failed|unable) to allocate (?:memory|\d{1,15} ?(?:bytes|[kmg]i?b))\b|\bout of swap space\b"
        r"|(?:nicht genügend|nicht genug|zu wenig) (?:haupt|arbeits)?speicher\b"
        r"|impossible d'allouer (?:de )?la mémoire"
        r"|mémoire insuffisante|no se puede asignar memoria"
        r"|memoria (?:insuficiente|agotada|insufficiente|esaurita)"
        r"|impossibile allocare (?:la )?memoria|memória (?:insuficiente|esgotada)|alocar (?:a )?memória"
        r"|geen geheugen|onvoldoende geheugen|(?:невозможно|не ?удаётся|не ?удается) выделить память"
        r"|недостаточно памяти|przydzielić pamięci|za mało pamięci|bellek (?:ayr.lam|yetersiz)|内存不足|内存溢出"
        r"|無法分配記憶體|无法分配内存|記憶體不足|メモリー?(?:が|を)?(?:不足|割り当てられ)|메모리(?:가|를)? ?(?:부족|할당할 수 없)"
    ), unless=_A_CHECK),
    Phrase(events.HOST_EXHAUSTED, "files", "too many files are open", build_pattern(
        r"\btoo many open files\b|\bemfile\b|\benfile\b|\berrno 24\b|zu viele offene dateien"
        r"|trop de fichiers ouverts|demasiados (?:archivos|ficheros) abiertos|troppi file aperti"
        r"|(?:muitos|demasiados) (?:arquivos|ficheiros) abertos|te veel open bestanden|много открытых файлов"
        r"|dużo otwartych plików|fazla a..k dosya|打开(?:的)?文件(?:过|太)多|開啟的檔案(?:過|太)多"
        r"|ファイルが多すぎ|열린 파일이 너무 많"
    ), unless=_A_CHECK),
)  # fmt: skip
_RAISED: Final = build_pattern(r"\w(?:error|exception|failure)\s?[({]|\bpanicked at\b|\bos \{ code:")
_SOON: Final = build_pattern(
    r"\bwill\b|\bsoon\b|\b(?:in|within) \d{1,3} days?\b|\b20\d\d-?\d\d-?\d\d\b|\breaches\b|\bdays? left\b"
    r"|\bending\b"
    r"|\bwird\b|dejará|deixará|\bsarà|\bsera\b|будет|将|將|예정|będzie|przestanie|olacak"
)
_DAYS: Final = build_pattern(r"\b(?:in|within) (\d{1,3}) days?\b")
_DAY: Final = build_pattern(r"\b(\d{4}-\d\d-\d\d|\d{8})\b")
_DIGITS: Final = build_pattern(r"\d[\d.,:]*")


def build_matcher(*phrases: Phrase) -> Callable[[ParsedLine], Iterator[LineMatch]]:
    """Return the matcher of phrases about the account."""

    def match(line: ParsedLine) -> Iterator[LineMatch]:
        for hit in match_phrases(phrases, line.body):
            yield build_account_match(hit.kind, hit.note, line.body)

    return match


def match_entitlement(line: ParsedLine) -> Iterator[LineMatch]:
    """Yield that market data is not subscribed, or delayed."""
    if not has_any(_ENTITLING, line.body):
        return
    matches = list(match_phrases((_ENTITLED,), line.body))
    yield from matches or (match for match, _, _ in match_concepts((_LAPSED,), line.body))


def match_version(line: ParsedLine) -> Iterator[LineMatch]:
    """Yield that the version of the gateway is, or will be, unsupported."""
    body = line.body
    if _DIALOG.search(body):
        body = body.replace('"', " ").replace("'", " ")  # the words of a dialog are its report
    for match, _, _ in match_concepts((_VERSION,), body):
        yield build_account_match(match.kind, match.note, line.body)


def match_block(line: ParsedLine) -> Iterator[LineMatch]:
    """Yield whether the account or the API may trade."""
    if _ALLOWED.search(line.body):
        yield LineMatch(events.TRADING_ALLOWED)
        return
    matches = list(match_phrases(_BLOCKED, line.body))
    yield from matches or (match for match, _, _ in islice(match_concepts(_RESTRICTIONS, line.body), 1))


def match_throttling(line: ParsedLine) -> Iterator[LineMatch]:
    """Yield that the broker asks for fewer requests."""
    yield from match_phrases((_PACING,), line.body)
    hit = _TOO_MANY.search(line.body)
    if (
        hit
        and _PORTAL.search(line.body)
        and not _NOT_THROTTLED.search(line.body)
        and is_asserted(line.body, hit, True)
    ):
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
    """Yield what ran out on the host: disk, memory, open files; an error names its cause in quotes."""
    yield from match_phrases(_HOST, line.body, quoted=_RAISED.search(line.body) is not None)


MATCHERS: Final[tuple[tuple[tuple[str, ...], Callable[[ParsedLine], Iterator[LineMatch]]], ...]] = (
    (
        ("margin", "liquid", "excess liquidity", "zwangs", "nachschuss", "marge", "margen", "margem",
         "sold out", "close-out",
         "sell-out", "closed", "likwid", "保", "強制", "强制", "追", "청산", "마진", "증거금", "маржи",
         "принуд", "tasfiye", "teminat", "depozytu"),
        build_matcher(MARGIN),
    ),
    (
        (
            "read-only", "readonly", "read only", "view only", "closing", "close", "liquidat", "reduce",
            "day trad", "day-trad",
            "pdt", "restricted", "permission", "privilege", "trading right", "trading access", "to trade",
            "for trading", "from trading", "account",
            "authori", "nur", "schreibgesch", "lecture seule", "lo lectura", "sola lettura", "leitura",
            "alleen", "odczytu", "okunur",
            "чтени", "разреш", "只", "唯", "読み", "읽기", "berechtigung", "permis", "negocia", "权限",
            "權限", "権限", "許可", "권한",
            "uprawnie", "zezwole", "izni", "yetki", "autori", "handels",
        ),
        match_block,
    ),
    (
        ("market data", "marketdata", "subscribed", "subscription", "delayed", "entitle"),
        match_entitlement,
    ),
    (("pacing", "limitation", "quest limit", "quests limit", "max", "429", "too many", "rate limit",
      "rate-limit", "throttl", "penalty", "slow down"),
     match_throttling),
    (
        (
            "support", "out of date", "out-of-date", "outdated", "upgrade", "too old", "update",
            "discontinued", "retired",
            "obsol", "requires", "dropped", "below", "ended", "deprecated", "sunset", "phased out", "end-of-",
            "end of ", "eol", "minimum version",
            "cease", "stops working",
            "expire", "is required", "unterst", "aktualisiert", "veraltet", "en charge", "actualiza",
            "aggiornat", "bijgewerkt",
            "ondersteund", "compatible", "suport", "soport", "dejar", "deixar", "支持", "支援", "サポート",
            "지원", "поддерж", "obsługiw", "версия", "верси", "版本", "バージョン", "버전", "wersj",
            "desteklen", "atualizad",
        ),
        match_version,
    ),
    (
        (
            "space", "disk", "low on resource",
            "100%", "100 %", "is full", "errno", "memory", "oom", "nospc", "nomem",
            "mfile", "enfile", "open files",
            "native thread", "speicher", "espace", "espacio", "spazio", "espaço", "disque", "disco", "voll",
            "mémoire", "memoria", "offene dateien", "fichiers", "ficheros", "archivos", "file aperti",
            "allocat", "bad_alloc", "memória", "arquivos", "ficheiros", "ruimte", "geheugen",
            "bestanden", "места",
            "памят",
            "файлов", "miejsca", "pamięci", "plików", "yer kalmad", "bellek", "dosya", "空间", "空間", "已满", "已滿",
            "内存", "記憶體", "文件", "檔案", "メモリ", "空き", "ファイル", "공간", "메모리", "파일",
        ),
        match_host,
    ),
)  # fmt: skip
"""The matchers of account and host lines, each with texts of which the line must contain one."""
