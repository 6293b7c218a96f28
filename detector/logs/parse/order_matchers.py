"""Matches lines on orders: a send without a known outcome, a fill of no known order, a rejection."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from detector.formats.patterns import build_pattern, has_any
from detector.logs import events
from detector.logs.parse.concepts import OVER, Concept, match_concepts
from detector.logs.parse.line import ParsedLine
from detector.logs.parse.phrases import FILLED_WORDS, REFUSED_WORDS, LineMatch, is_asserted

_SEND: Final = build_pattern(
    r"\border(?!book|ing|ed\b)\w{0,12}|\b(?:place|submit|send|new|create|modify|replace)_?orders?\b"
    r"|\b(?:submit(?:s|ted|ting)?|submission|placement|placing|send(?:ing)?"
    r"|sent|transmi(?:t|ts|tted|tting|ssion)|coid|trade request|bracket|basket|legs?|replace(?:ment)?"
    r"|modif\w{0,8})\b"
    r"|/orders?\b|\bclient_?order_?id"
)
_UNSURE: Final = (
    r"(?:unknown(?=_|\b)|unclear|unconfirmed|uncertain|undetermined|undeterminable|indeterminate|ambiguous"
    r"|undefined|unresolved|pending (?:verification|investigation)|not (?:yet )?(?:known|clear|certain"
    r"|confirmed|determined)|never (?:known|learned|confirmed|determined|reported|seen)"
    r"|in doubt|unverified|unverifiable|anyone's guess|anybody's guess|a mystery)"
)
_FATE: Final = r"(?:outcome|status|state|result|fate|disposition|acceptance|execution state)"
_CANNOT: Final = (
    r"(?:cannot|can ?not|can't|could not|couldn't|unable to|impossible to|no way to|failed to|not able to)"
)
_NO: Final = (
    r"(?:\bno|without (?:an?y? )?|\bnever (?:got|received|saw|had|gave|sent)(?: back)?(?: us)?(?: an?y?)?"
    r"|\bnot (?:get|got|receive|received|see|seen)(?: an?y?)?"
    r"|n't (?:get|got|receive|received|see|seen|give)(?: us)?(?: an?y?)?)"
)
_REPLY: Final = (
    r"(?:repl(?:y|ies)|answers?|responses?|ack(?:s|nowledge?ments?)?|confirmations?"
    r"|order ?status(?:es)?|openorders?|word|echo)"
)
_UNNEEDED: Final = (
    r"(?! (?:is |was |are |were )?(?:needed|required|necessary|expected|yet|due|handler|time)\b)"
)
_AGENT: Final = r"(?:gateway|broker(?:age)?|ibkr|ib|tws|server|api|exchange|portal|venue|it|they)"
_LOST_TRACK: Final = Concept(events.OUTCOME_UNKNOWN, "", "", build_pattern(
    rf"\b{_FATE}\b(?:[^.;(:\n]{{0,30}}|\s?:\s?(?:\w+ )?)\b(?:{_UNSURE}(?![a-z])|lost\b(?! \d))"
    rf"|\b{_UNSURE}[ _-](?:\w+ ){{0,2}}?{_FATE}\b(?! (?:code"
    rf"|string|value|type|enum))"
    rf"|\b(?:{_CANNOT} (?:\w+ ){{0,2}}?(?:tell|say|know|determine|establish|confirm|verify|prove|see"
    rf"|ascertain|be (?:sure|certain)|work out"
    rf"|find out|decide)|(?:do|does|did)(?:n't| not) know|not (?:sure|certain|clear|known)|unsure|unclear"
    rf"|unknown|uncertain"
    rf"|undetermined|no idea|in doubt|unconfirmed|nobody knows)\b[^.;\n]{{0,20}}\b(?:whether|if|that|it"
    rf"|receipt|delivery|acceptance|arrival|placement|submission|transmission|status|state|outcome|result"
    rf"|fate|what)\b|\bin[ -]doubt\b|\b{_FATE}\b[^.;\n]{{0,30}}\b(?:cannot|can't|could not"
    rf"|couldn't) be (?:determined|established|confirmed|verified|read|obtained|told)\b"
    rf"|\b{_CANNOT} (?:confirm|verify|tell) (?:the |our |that )?order [^.;\n]{{0,20}}\b(?:reached|arrived"
    rf"|accepted|placed|received|live|went|made)\b"
    rf"|\b(?:submission|placement|send|transmission) of [^.;,:\n]{{0,24}}\b(?:unclear|uncertain|undetermined"
    rf"|indeterminate)\b|\bambiguous (?:submit|send|order)\b|\b(?:did not|didn't|never"
    rf"|does not) (?:return|send|give|report)(?:ed)? (?:an? |any |us )?(?:order )?(?:status|response|reply"
    rf"|ack)\b|\b{_CANNOT} (?:\w+ )?be (?:sure|certain)\b|\b{_CANNOT} (?:tell|say"
    rf"|know)\b(?=\W{{0,2}}(?:[,.;]|$))"
    rf"|\b(?:assuming|assumed?|marking|marked|considered|flagged|left|treated|treating)\b(?: it)?(?: as"
    rf"| in)? (?:status |state |an? )?(?:{_UNSURE}|limbo|lost)(?![a-z])"
    rf"|(?:->|=>|→) ?(?:status |state )?unknown(?! order)(?![a-z])"
    rf"|(?<!symbol )(?<!contract )\bunresolved\b(?! (?:symbol"
    rf"|contract|dependency))|\bnothing (?:came back|heard|has come|back|received (?:from (?:ib|ibkr|tws"
    rf"|the (?:gateway|broker))|back|since|after))\b|\b(?:submi\w{{0,6}}|send(?:ing)?"
    rf"|plac(?:e|ing|ement)\w{{0,6}}|transmi\w{{0,6}}) [^.;\n]{{0,24}}"
    rf"\b(?:timed out|timeouterror|read timeout|deadline exceeded)\b|\b(?:learn|find out|query"
    rf"|work out) (?:the )?(?:fate|outcome|true state)\b|\bmid[ -](?:order|send|submit"
    rf"|transmission|write|flight)\b(?![ -]?book)"
    rf"|\bwhether\b[^.;\n]{{0,70}}\b(?:is|are|was|remains?|stays?) (?:still )?{_UNSURE}\b"
    rf"|\bwhether\b[^.;\n]{{0,70}}\b(?:cannot|can't|could not|couldn't) be (?:\w+ )?"
    rf"(?:told|determined|established|confirmed|verified|known)\b"
    rf"|\b(?:may|might) or (?:may|might) not\b"
    rf"|\b(?:may|might|could) (?:well |still |already |also |or may not ){{0,2}}(?:exist|be (?:live|active"
    rf"|working|resting|pending|open"
    rf"|at the (?:broker|exchange)"
    rf"|in the market)|have (?:been |be )?(?:already )?(?:accepted|executed|filled|placed|gone (?:through"
    rf"|out)|reached|transmitted"
    rf"|sent|received|arrived|submitted|got through|made it))\b"
    rf"|\b(?:possibly|maybe|perhaps|probably) (?:already )?(?:live|sent|placed|accepted|executed|filled"
    rf"|working)\b"
    rf"|\b(?:lost track of|lost sight of|never heard (?:back )?(?:from|about|of|anything)|heard nothing"
    rf"|no word (?:from|on|about))\b"
    rf"|\b(?:order|submission)s?(?: [\w#-]{{1,20}})? (?:was |is |got |were )?(?:lost"
    rf"|swallowed) (?:in (?:flight|transit)|on the way|somewhere)\b"
), _SEND, build_pattern(r"\bfrom (?:the )?(?:strategy|user)\b|\border (?:queue|sizing"
    r"|template)\b"))  # fmt: skip
_UNANSWERED: Final = Concept(events.OUTCOME_UNKNOWN, "", "", build_pattern(
    rf"{_NO} (?:\w+ ){{0,2}}?{_REPLY}\b{_UNNEEDED}"
    rf"(?=[^.;\n]{{0,90}}\b(?:order|cancelling|giving up|submi|sent|send|placing|placement|transmi|before"
    rf"|within|after|in \d|from|for|to|on|came"
    rf"|arrived|received|seen|unknown|outcome|gateway|broker|ib|ibkr|tws|timeout|timed out|back)|\W{{0,3}}$"
    rf"|[,;(])"
    rf"|\b(?:not|never|\w{{1,6}}n't) (?:been |be |being |get |got )?(?:acknowledged|acked|confirmed|answered"
    rf"|echoed"
    rf"|replied to)\b(?! yet)|\b{_CANNOT} (?:receive|get|obtain|see|read) (?:\w+ ){{0,3}}?{_REPLY}\b|(?:\b"
    rf"|_)(?:unacknowledged|unacked|unanswered|unconfirmed)(?![a-z])"
    rf"|\bneither (?:ack\w*|confirmed|accepted|filled"
    rf"|rejected|answered) nor\b"
    rf"|\b{_REPLY} (?:to|for|on|of) [^.;\n]{{0,30}}\b(?:lost|missing|never (?:came|arrived))\b|\b(?:eof"
    rf"|broken ?pipe\w*|econnreset|epipe|disconnect\w*|connection (?:lost|reset|closed|dropped)"
    rf"|socket (?:error|closed)|hung up)\b"
    rf"[^.;\n]{{0,24}}\b(?:before|during|while|mid)\b[^.;\n]{{0,24}}\b(?:ack\w*|repl\w*|response|confirm\w*"
    rf"|send\w*|submi\w*|transmi\w*|answer)\b"
    rf"|\b(?:vanished|disappeared|went missing|dropped out|swallowed) (?:between|after|during|on the way"
    rf"|in)\b"
    rf"|\b{_AGENT} (?:did not|didn't|never|does not|doesn't|has not|hasn't|failed to|will not"
    rf"|stopped)(?: \w+)? "
    rf"(?:answer|reply|respond|ack|acknowledge|confirm|echo|react)(?:ed|ing)?\b"
    rf"|\b(?:timed? ?out|timeout|time-out|gave up|giving up|deadline exceeded"
    rf"|expired)\b[^.;\n]{{0,50}}\b(?:acks?|acknowledge?(?:ments?)?|be (?:acknowledged|confirmed)"
    rf"|confirm(?:ations?)?|repl(?:y|ies)|responses?|answers?|order ?status"
    rf"|open ?order)\b(?![^.;\n]{{0,12}}\b(?:set to|is set"
    rf"|configured))"
    rf"|\b(?:dropped|lost|closed|cut|reset|killed) (?:the |its |our )?(?:connection|link|socket"
    rf"|session)\b[^.;\n]{{0,12}}\b(?:during|while|before|right after|as)\b"
    rf"[^.;\n]{{0,30}}\b(?:send|sending|submi\w*|plac\w*|transmi\w*|ack\w*|confirm\w*|repl(?:y|ied))\b"
    rf"|\b(?:ack|acknowledge?ment|confirmation|reply|response)[ _]timeout\b(?![\"']?\s?[=:]\s?\d| (?:is|set"
    rf"|of)\b)"
    rf"|\b(?:ack|acknowledge?ment|confirmation|reply|response|answer|order ?status)\b (?:was |has "
    rf"|is )?(?:never (?:came|arrived|received|seen|got here)"
    rf"|not (?:received|seen|arrived|come|read)|missing|absent|timed out|lost|overdue|outstanding|expired"
    rf"|pending (?:>|over|for|since) ?\d|did not (?:arrive|come)"
    rf"|didn't (?:arrive|come))"
    rf"|\b(?:connection|socket|link|session|pipe|gateway|tws|api|ib|ibkr|broker)\b[^.;\n]{{0,30}}\b(?:dropped"
    rf"|lost|closed|reset|broke|broken|died|dies|went (?:away|down)"
    rf"|crashed|restarted|disconnected)\b[^.;\n]{{0,12}}\b(?:during|while|mid|in the middle of|in mid|as"
    rf"|right after|before)\b[^.;\n]{{0,30}}"
    rf"\b(?:send|sending|submi\w*|plac(?:e|ing|ement)\w*|transmi\w*|ack\w*|confirm\w*|repl(?:y|ied)"
    rf"|flush\w*)\b"
), build_pattern(
    r"\b(?:client_?)?order(?!book|ing|ed\b)\w{0,12}|\bid=\w|\b(?:openorder|coid|(?:place|submit|send"
    r"|new)[ _]?orders?"
    r"|(?:sent|submitted) (?:an? )?(?:buy|sell|market|limit|stop|exit|entry)|placing|submission|submitted"
    r"|submit|transmitted|leg|bracket)\b|/orders?\b"
), build_pattern(
    r"\b(?:historical|market data|reqhist\w*|account summary|positions? request|contract details|ticker"
    r"|heartbeat"
    r"|what-?if|scanner|push|mobile app|user|preview|signals?"
    r"|no orders?(?! ?(?:ack|status|confirm|id|repl|resp))|not sent|order queue"
    r"|cancel\w* (?:confirmed|acknowledged))\b"
))  # fmt: skip
_FILL: Final = build_pattern(
    r"\b(?:fills?|partial fills?|executions?(?! (?:state|engine|client)\b)"
    r"|exec(?:s|details?|id| details?| id| reports?)?|exec_id"
    r"|trade reports?"
    r"|execution reports?|trade confirms?|trade confirmations?|deals?|filled an order|unexpected trade"
    r"|executed (?:quantity"
    r"|qty|shares)|drop[- ]copy|trade confirmation"
    r"|trade (?:from|for|of|on|without|with no|reported|came|received)|trade print|bot \d+"
    r"|sld \d+)\b"
)
_STRANGE: Final = (
    r"(?:unknown|spurious|bogus|surprise|unexplained|unauthori[sz]ed|untracked|unrecogni[sz]ed|orphan(?:ed)?"
    r"|unmatched|unsolicited|unattribut(?:ed|able)"
    r"|unaccounted(?: for)?"
    r"|unassigned|unidentified|stray|foreign|alien|rogue|mystery|mysterious|phantom|ghost|unmapped|unclaimed"
    r"|unowned"
    r"|unregistered|nonexistent|non-existent|unfamiliar|unlinked|unknown to us)"
)
_OURS: Final = (
    r"(?:we|i|the bot|this bot|our bot|the engine|this engine|the system|the strategy|this client"
    r"|this session|it|us)"
)
_KNOWN: Final = (
    r"(?:known|tracked|open|local|internal|registered|originating|parent|matching|corresponding"
    r"|such|live|own|working|recorded|pending|active|of our|our)"
)
_BOOK: Final = (
    r"(?:order ?books?|books?|cache|registry|blotter|ledger|store|map|table|stack|index|database|db|tracker"
    r"|oms|lists?|memory"
    r"|log|engine|bot|strategy|state|system|records?|orders?|journal|dict|us)"
)
_NOBODYS: Final = Concept(events.UNKNOWN_FILL, "", "", build_pattern(
    rf"\b(?:{_STRANGE}|unexpected)[ _-](?:\w+[ _-]){{0,2}}?(?:fills?|executions?|exec(?:s|details?)?"
    rf"|trade reports?|deals?|trade confirm\w{{0,7}})\b"
    rf"(?![ _-]?(?:prices?|rates?|times?|size|quantity|qty|ratio|latency|types?|sides?|model|venue|mode"
    rf"|algo\w*|style|engine|path"
    rf"|environment|context|format|server|handler|policy|cost|report format|speed|quality|state|status"
    rf"|counter|rule|protection|filter|detection|guard|check|handling|alerts?)\b)"
    rf"|\b(?:for|of|on|from|against|to|with|by|references?|carries|names|has|id)\b (?:an? "
    rf"|the )?(?:order (?:id )?)?{_STRANGE} (?:\w+ ){{0,2}}?(?:orders?|client|trade|ticket"
    rf"|perm ?id|client_?order_?id|clordid|order[ _]?ids?|ids?|signal|strategy|parent|orderref|ref|source"
    rf"|origin|account|session|owner)\b"
    rf"|\b(?:is|are|was|were|remains?|stays?|as|:|=|->) (?:\w+ )?{_STRANGE}\b"
    rf"|\b(?:match(?:es|ed|ing)?|belong(?:s|ing)?(?: to)?|correspond(?:s|ing)?(?: to| with)?|map(?:s"
    rf"|ped)?(?: to)?|attribut\w+ to|assign\w* to|relat\w+ to"
    rf"|link\w* to|tied to|known to|refer\w* to|fits?) (?:no|none of|nobody|not one"
    rf"|not any|nothing)\b(?! (?:error|commission|price|fee|slippage|issue|problem|time|change|gap|delay"
    rf"|impact|remaining|exec))"
    rf"|\b(?:has|have|with|found) (?:no|none of|not one|not any) (?:\w+ ){{0,2}}?(?:orders?|owner"
    rf"|match(?:es)?|parent|strategy|record|counterpart|origin|ours)\b"
    rf"|\bno (?:{_KNOWN} ){{1,2}}(?:\w+ )?(?:orders?|trades?|owner|strategy|entry|intent|ticket|signal"
    rf"|client)\b"
    rf"|\bno (?:order|trade|ticket|intent|owner|strategy|signal|record of (?:an?|the|this|such|our)? ?order"
    rf"|order record)\b(?: (?:was |is |could be )?(?:found|matches|fits|corresponds|exists?|known|on file"
    rf"|recorded|behind|for|in|on"
    rf"|owns|claims|sent|placed))"
    rf"|\b{_CANNOT} (?:\w+ )?(?:match|attribute|map|assign|reconcile|link|associate|identify|recogni[sz]e"
    rf"|resolve|locate|find|place|tie|trace|connect|apply|book|allocate|explain|account for)\b"
    rf"|\b(?:cannot|can ?not|can't|could not|couldn't) be (?:\w+ )?(?:matched|attributed|mapped|assigned"
    rf"|reconciled|linked|associated|identified|recogni[sz]ed"
    rf"|resolved|located|found|placed|tied|traced|explained|allocated)\b"
    rf"|\border lookup (?:failed|empty|returned nothing)\b|\bno match(?:es)?\b(?! for (?:filter|symbol))"
    rf"|\bwhose order\b"
    rf"|\b{_STRANGE} (?:to|for) (?:us|this|the|our|any)\b"
    rf"|\b(?:orphan(?:ed)?|unmatched|untracked|unattributed|unrecogni[sz]ed|unclaimed)\b(?=\W{{0,3}}$|[,;(])"
    rf"|\b(?:not|un)[ -]?(?:attributable"
    rf"|explainable|matchable|traceable)\b"
    rf"|\b(?:not|\w{{1,6}}n't|never) (?:been )?(?:match(?:ed)?(?! for)|attributed|mapped|recogni[sz]e[sd]?"
    rf"|tracked"
    rf"|ours|one of ours|our order|from us|by us|placed by|submitted by|sent by"
    rf"|issued by|requested by|belong|correspond|know|known|expected|accounted for)\b"
    rf"|\b(?:orders?|trades?|it|that|which|one)\b (?:that |which )?(?:{_OURS} )?(?:have |has |had |did |do "
    rf"|does |was |were )?(?:never|not|n't|didn't|don't|doesn't|haven't|hasn't|wasn't|weren't)"
    rf" (?:been )?(?:place[sd]?|submit(?:ted|s)?|sen[dt]|know|known|knows|issued?|track(?:s|ed)?|own(?:s|ed)?"
    rf"|created?|request(?:ed)?|have|has|recogni[sz]e[sd]?|in)\b"
    rf"|\b{_OURS} (?:have |has |had |did |do |does )?(?:never|not|n't|didn't|don't|doesn't|haven't"
    rf"|hasn't) (?:been )?(?:place[sd]?|submit(?:ted|s)?|sen[dt]|know|knows|issued?|track(?:s|ed)?|own(?:s"
    rf"|ed)?|created?|request(?:ed)?|order(?:ed)?"
    rf"|have|has|recogni[sz]e[sd]?)\b(?! (?:yet|a price))"
    rf"|\b(?:nobody|no one|no strategy|no bot|none of (?:our|the) \w+) (?:here )?(?:placed|sent|submitted"
    rf"|ordered|owns|claims|claimed|knows|recognises|recognizes|asked)\b"
    rf"|\b(?:not|\w{{1,6}}n't|never|absent|missing) (?!yet\b)(?:\w+ )?(?:in|on|to|by|from) (?:the |our |my "
    rf"|any "
    rf"|its )?(?:\w+[ -]){{0,2}}?{_BOOK}\b"
    rf"|\border(?:[ _]?id)?\b[^.;,\n]{{0,30}}\b(?:(?:was |is )?not found|(?:is |was )?unknown|not known"
    rf"|does not exist|doesn't exist|never existed)\b"
    rf"|\bunknown order\b|\b(?:by|from) neither\b|\bneither (?:of )?(?:this|our|we|the)\b"
    rf"|\boutside (?:of )?(?:this|our|the) (?:system|bot|engine|process)\b|\b(?:somebody|someone) else's\b"
    rf"|\b(?:no order|none) of ours\b|\b(?:does not|did not|do not|doesn't|don't|didn't) (?:map|belong|match"
    rf"|correspond|relate|link|fit|refer)(?: to| with)? (?:any|a known|our) (?:\w+ ){{0,2}}?(?:orders?"
    rf"|trades?|parent|strategy|entry|position)\b|\bbehind our back\b"
    rf"|\bcame from nowhere\b|\bout of nowhere\b|\b(?:without|w/o|lacking) (?:an? |any |the "
    rf"|its )?(?:{_KNOWN} )?(?:\w+ )?orders?\b"
), _FILL, build_pattern(
    r"\b(?:no|zero|0|without) (?:partial )?(?:fills?|executions?)\b|\bfill (?:price|rate|probability|model"
    r"|ratio|time|quality|latency|reports? (?:sent|saved|written|generated)|stat\w*|logic|engine|simulator"
    r"|poller"
    r"|queue)\b"
    r"|\bexecution of (?:task|job|script|plan|strategy|the)\b|\b(?:thread|pool|job|worker|executor)\b"
    r"|\b(?:commission|(?:auto[- ]?)?liquidat\w+|execution (?:venue|algo\w*|mode|engine|quality|environment"
    r"|service|time|latency|speed|context|thread|plan|cost|timeout))\b"
))  # fmt: skip
_WHOLE: Final = (
    Concept(events.OUTCOME_UNKNOWN, "", "", build_pattern(
        r"(?:\b|_)send[ _-]?outcome(?:[ _-]?(?:is |was )?|[\"']?\s?[=:]\s?[\"']?)unknown\b"
        r"|\b(?:unknown[ _]send[ _]outcome|outcome of (?:the )?send (?:is |was )?unknown)\b"
    )),
    Concept(events.UNKNOWN_FILL, "", "", build_pattern(
        rf"\bunknown[ _-]fill\b|\b(?:{_STRANGE}|unexpected)[ _-](?:fill|execution"
        rf"|exec)(?![\w-])(?=\W{{0,3}}(?:$|;|\())|\bunable to (?:locate|find) (?:the )?order\b"
    )),
)  # fmt: skip
# German, French, Spanish, Italian, Portuguese.
_ORDER_WORDS: Final = r"(?:auftr[aä]ge?s?|orders?|ordres?|[oó]rden(?:es)?|ordin[ei]|ordem|ordens)"
_SUPPOSED: Final = build_pattern(
    r"\b(?:wenn|falls|sollte|sobald|beispiel|lorsque|quand|exemple|cuando|ejemplo|quando|esempio|exemplo"
    r"|simul\w{0,8}|backtest|test|en cas de|en caso de|in caso di)\b"
)
_FOREIGN: Final = (
    Concept(events.OUTCOME_UNKNOWN, "", "", build_pattern(
        r"\b(?:gesendet|übermittelt|abgeschickt|aufgegeben)\b[^.;\n]{0,30}\b(?:keine (?:bestätigung|antwort"
        r"|rückmeldung)|ohne (?:bestätigung|antwort|rückmeldung)|unbestätigt)"
        r"|\b(?:unklar|ungewiss|unbekannt|nicht bekannt),? ob\b|\b(?:status|ausgang|ergebnis"
        r"|zustand)(?: de[sr] \w+)? (?:ist )?(?:unklar"
        r"|ungewiss|unbekannt)"
        r"|\benvoyée?s?\b[^.;\n]{0,30}\b(?:sans (?:confirmation|réponse|accusé)|aucune? (?:confirmation"
        r"|réponse"
        r"|accusé))"
        r"|\b(?:on )?(?:ne sait pas|impossible de savoir|incertain) s(?:i|')|\b(?:état|statut|sort"
        r"|résultat)\b[^.;\n]{0,20}"
        r"\b(?:inconnu|incertain|indéterminé)"
        r"|\benviad[oa]s?\b[^.;\n]{0,30}\b(?:sin (?:confirmación|respuesta|acuse)|ninguna (?:confirmación"
        r"|respuesta))"
        r"|\bno se sabe si\b|\b(?:estado|resultado)\b[^.;\n]{0,20}\b(?:desconocido|incierto|indeterminado)"
        r"|\binviat[oiae]\b[^.;\n]{0,30}\b(?:senza (?:conferma|risposta)|nessuna (?:conferma|risposta))"
        r"|\bnon si sa se\b|\b(?:stato|esito)\b[^.;\n]{0,20}\b(?:sconosciuto|incerto|ignoto)"
        r"|\benviad[oa]\b[^.;\n]{0,30}\bsem (?:confirmação|resposta)"
    ), build_pattern(rf"\b{_ORDER_WORDS}\b"), _SUPPOSED),
    Concept(events.UNKNOWN_FILL, "", "", build_pattern(
        rf"\bunbekannte[nrms]? (?:{_ORDER_WORDS}|(?:teil)?ausführung(?:en)?)\b"
        rf"|\bkeine[mrn] (?:\w+ )?{_ORDER_WORDS} (?:zu(?:ge|zu)ordn)"
        rf"|\b{_ORDER_WORDS} (?:\w+ )?(?:unbekannt|inconnue?s?|desconocid[oa]s?|sconosciut[oiae]"
        rf"|desconhecid[oa]s?)\b"
        rf"|\b(?:aucun|ningun[ao]?|ninguna|nessun|nenhuma) {_ORDER_WORDS}\b"
    ), build_pattern(
        r"\b(?:(?:teil)?ausführung(?:en)?|exécutions?|ejecuci(?:ón|ones)|esecuzion[ei]|execuç(?:ão|ões))\b"
    ), _SUPPOSED),
)  # fmt: skip
# Chinese, Japanese, Korean: without spaces, and a count of none behind the words.
_ORDERS_EAST: Final = r"(?:订单|訂單|委托|委託|报单|報單|下单|下單|注文|発注|オーダー|주문|매수|매도)"
_FILLS_EAST: Final = r"(?:成交|約定|체결)"
_SOME: Final = r"(?!\s?(?:数量|數量|个数|件数|数|建|건수)?\s?[:=\uff1a]?\s?(?:0(?!\d)|无|なし|없음))"
_EAST: Final = (
    Concept(events.OUTCOME_UNKNOWN, "", "", build_pattern(
        r"(?:结果|結果|状态|狀態|状態|状況|상태|결과|여부)(?:仍|尚|也|は|が|가|는|은|이)?\s?"
        r"(?:未知|不明|不确定|不確定|未确认|未確認|无法确认|無法確認|確認できま|불명|미확인|불확실|알 수 없|확인 불가)"
        rf"{_SOME}|是否(?:成交|成功|受理|送达|提交)[^\uff0c\u3002;\n]{{0,6}}(?:未知|不明|不确定|无法确认)"
        r"|未收到(?:任何)?(?:委托|订单|报单|下单)?(?:的)?(?:回报|确认|回应|应答)"
    ), build_pattern(_ORDERS_EAST)),
    Concept(events.UNKNOWN_FILL, "", "", build_pattern(
        rf"(?:未知|不明な?|来历不明|알 수 없는|미확인)\s?(?:的|の)?(?:{_ORDERS_EAST}\s?(?:的|の|의)?\s?)?{_FILLS_EAST}{_SOME}"
        rf"|{_FILLS_EAST}(?:回报|回報)?(?:找不到|无法匹配|没有|沒有|无|無)(?:对应|對應|匹配)?(?:的)?{_ORDERS_EAST}"
        rf"|対応する{_ORDERS_EAST}(?:の|が)(?:ない|見つからない){_FILLS_EAST}"
    ), build_pattern(_FILLS_EAST)),
)  # fmt: skip
CONCEPTS: Final = (*_WHOLE, _LOST_TRACK, _UNANSWERED, _NOBODYS, *_FOREIGN, *_EAST)
UNUSUAL: Final = (
    "un", "no ", " no", "non-", "not", "n't", "none", "never", "nobody", "nowhere", "neither", "without",
    "w/o", "lack", "fail", "lost", "miss", "absent", "doubt", "guess", "myster", "ambig", "indeterm",
    "impossib", "limbo", "whether", "assum", "mark", "consider", "flag", "left", "treat", ">", "→", "pending",
    "timedout", "timed out", "timeout", "time out", "time-out", "deadline", "expired", "learn", "find out",
    "query",
    "work out", "mid", "may ", "might", "could", "possibl", "maybe", "perhaps", "probabl", "track", "sight",
    "heard", "swallow", "eof", "broke", "econn", "epipe", "disconn", "reset", "close", "drop", "hung",
    "vanish", "disappear", "went", "stop", "gave", "giving", "cut", "kill", "overdue", "outstanding", "die",
    "crash", "restart", "spurious", "bogus", "surpris", "orphan", "stray", "foreign", "alien", "rogue",
    "phantom", "ghost", "whose", "outside", "else's", "back", "empty", "word", "socket error",
    "inconnu", "descon", "scon", "keine", "nicht", "ohne ", "sans ", "sin ", "senza", "sem ", "incert",
    "inciert",
    "indét", "nenhum", "ignot", "sait pas", "savoir", "si sa se",
    "未", "不", "无", "無", "没", "沒", "找", "ない", "見つ", "確認", "불명", "미확인", "알 수", "불확실", "확인 불가",
)  # fmt: skip
"""A line on an order or a fill of which something is not known has one of these; most lines have none."""
_ORDER_ID: Final = build_pattern(
    r"(?:\b(?:venue|client|broker(?:age)?)[ _]?order[ _]?id"
    r"|\bbroker(?:age)?[ _]?id)\W{0,4}([a-z0-9][\w.-]{0,60})"
)
_PLAIN_ID: Final = build_pattern(
    r"(?:\b(?:order|auftrag|ordre|orden|ordine|ordem)|订单|訂單|委托|委託|报单|報單|注文|주문)"
    r"[ _]?(?:id|ref|no|nr|#|号)?[\"']?\s{0,2}[=:#]?\s{0,2}[\"'#]?"
    r"(?!id\b|ref\b|no\b|is\b|was\b|has\b)([a-z0-9](?:[^\W\u3040-\uffdc]|[.-]){0,60})"
)
_OTHER_ID: Final = build_pattern(
    r"\b(?:perm|exec|execution|trade|signal)[ _]?id[\"']?\s{0,2}[=:]\s{0,2}[\"']?([a-z0-9][\w.-]{0,60})"
)
# The number of the request that a code answers: of the codes of orders it is the order's own.
_REQUEST_ID: Final = build_pattern(
    r"\breq(?:uest)?[ _]?id[\"']?\s{0,2}[=:]?\s{0,2}[\"']?(\d{1,12})\b"
    r"|(?:\[id=|errorproto=\"id:)(\d{1,12})(?:\]\s?\w{0,12}order|\s)"
)
_EMPTY: Final = build_pattern(
    r"[\"']?(?:\s{0,2}[=:]\s{0,2}|\s)[\"']?(?:(?:false|0|none|null|\[\]|\{\}|cleared|resolved|ok)(?!\w)"
    r"|no(?=[\"']?\s{0,2}(?:[,;.)\]}]|$)))"
)
_LISTED: Final = build_pattern(
    r"\b(?:no|without|neither)\b[^.;]{0,400}\bn?or $"
    r"|\b(?:if|when|whenever|unless|whether|runbook|example|threshold|alert on)\b[^.;]{0,400}$"
)


def match_orders(line: ParsedLine) -> Iterator[LineMatch]:
    """Yield a send without a known outcome, or a fill of no known order."""
    body = line.body
    kinds: set[str] = set()
    for match, start, end in match_concepts(CONCEPTS if has_any(UNUSUAL, body) else (), body):
        if match.kind in kinds or _EMPTY.match(body, end):
            continue
        order_id = _find_order_id(line, body)
        if order_id is None and (_LISTED.search(body, 0, start) or OVER.search(body)):
            continue
        kinds.add(match.kind)
        yield LineMatch(match.kind, order_id or events.UNNAMED)


_REJECTED: Final = build_pattern(
    r"\borders?\b[^.\n]{0,60}\b(?:was |is |has been |been |were )?(?:rejected|declined)\b"
    r"|\border ?rejected\b|\bstatus[=:] ?[\"']?rejected\b[^\n]{0,60}\border"
    r"|\b(?:rejected|declined|refused)\b(?! to)[^.\n]{0,20}\border\b(?! to)|\bunable to accept your order\b"
    r"|\border\b[^.\n]{0,60}\brefused\b(?! to)|\bbroker (?:has )?rejected\b"
    r"|\binsufficient (?:\w+ )?(?:funds?|balance|margin|buying power) (?:to|for) (?:\w+ ){0,4}?order\b"
    r"|\b(?:unable|failed) to (?:place|submit|execute) (?:\w+ ){0,3}?order\b[^.\n]{0,30}\b(?:insufficient"
    r"|not enough) (?:\w+ )?(?:funds?|balance|margin|buying power)\b"
    r"|\borders?\b[^.\n]{0,60}\b(?:turned down|knocked back|bounced|not accepted|was invalid|denied) (?:by|at"
    r"|from) (?:the )?"
    r"(?:broker(?:age)?|ibkr|ib|tws|exchange|gateway|server)\b"
    r"|\b(?:broker(?:age)?|ibkr|ib|tws|exchange|gateway) (?:has )?(?:turned down|knocked back|bounced"
    r"|declined|denied|(?:did not|would not|will not|does not|refused to|refuses to) (?:take|accept)) "
    r"(?:our |the |my |an? )?(?:\w+ ){0,2}order"
    rf"|(?:auftrag|ordre|orden|ordine|ordem|order|zlecenie|emir|ордер|заявк\w|приказ|订单|委托|訂單|委託"
    rf"|注文|オーダー|주문)"
    rf"[^.\n]{{0,40}}(?:{REFUSED_WORDS})"
)
_COUNTED: Final = build_pattern(
    r"\bneither\b[^.;\n]{0,40}\bnor\b|\brejected[\"']?\s{0,2}[=:]?\s{0,2}\d"
    r"|(?<!order )(?<!#)\b\d{1,6} (?:orders )?(?:were )?rejected"
    r"|rejected (?:rate|count)"
    r"|\b(?:not|never|none|no|n't|nothing)\s(?:orders? )?(?:was |were |been |being |be )?"
    r"(?:rejected|declined|refused)\b"
)
# What an account is restricted to, "only closing orders", says nothing of the order that was rejected.
_RESTRICTION: Final = build_pattern(
    r"\b(?:restricted|limited|confined) to [^.;\n]{0,30}\b(?:clos(?:e|ing)|liquidat\w*)\b(?: (?:orders?"
    r"|trades?|transactions?|positions?|only))*"
    r"|\bonly [^.;\n]{0,30}\bclos(?:e|ing)\b(?: (?:orders?|trades?|transactions?|positions?))?|\bclos(?:e"
    r"|ing)[ -](?:\w+ )?only\b"
    r"|\b(?:the )?(?:market|exchange|session|rth)\b[^.;\n]{0,12}\bclos(?:e|es|ing|ed)\b|\bto the close\b"
    r"|\bmarket[- ]on[- ]close\b|\btoo close to\b"
)
_EXIT: Final = build_pattern(
    r"(?<!only )(?<!only place )(?<!only accept )\b"
    r"(?:exit|exiting|close|closing|stop[- ]loss|take[- ]profit|sell to close|buy to cover)\b"
    r"(?![ -](?:only|(?:orders?|trades?|transactions?|positions?) (?:only|are|is)))"
)
_BY_ITSELF: Final = build_pattern(
    r"\brejected locally\b|(?<=risk: )order(?![^.;\n]{0,40} by )"
    r"|\b(?:by|in|at) (?:the |our |its |a |local )?(?:\w+[ -]){0,2}?(?:strategy|filters?"
    r"|risk|pre-?trade"
    r"|validator|validation|guard|limiter|sizing"
    r"|compliance|cooldown|bot|engine|policy|rule|user|operator|human|sanity check|budget|allocator|spread)\b"
)
_NOT_AN_ORDER: Final = build_pattern(
    r"\bcancel(?:lation|l?ing)?s?(?: order| request| of [^.;\n]{1,30})?(?: [\w#-]{1,20})?:? (?:was "
    r"|is )?(?:rejected|refused|declined)\b"
    r"|\bfills? (?:for|of|on) [^.;\n]{0,30}\b(?:rejected|refused)\b|\b(?:fills?|executions?|signal|candidate"
    r"|setup|idea|log[ -]?in|proposal|alert|handshake"
    r"|connection)s? (?:was |is |were )?(?:rejected|refused|declined)\b"
)
EXIT_KEY: Final = "exit"


def match_rejection(line: ParsedLine) -> Iterator[LineMatch]:
    """Yield a rejected order in other words than those of its code."""
    hit = _REJECTED.search(line.body)
    if (
        hit is None
        or _COUNTED.search(line.body)
        or _NOT_AN_ORDER.search(line.body)
        or _BY_ITSELF.search(line.body, hit.start(), hit.end() + 60)
    ):
        return
    if is_asserted(line.body, hit):
        yield build_rejection(line, "its words")


def build_rejection(line: ParsedLine, note: str) -> LineMatch:
    """Return the match of a rejected order: its id, and whether the line calls it an exit."""
    order_id = _find_order_id(line, line.body) or _find_request_id(line.body) or events.UNNAMED
    return LineMatch(
        events.ORDER_REJECTED,
        order_id,
        f"{EXIT_KEY}, {note}" if _EXIT.search(_RESTRICTION.sub(" ", line.body)) else note,
    )


_FILLED: Final = build_pattern(rf"\bfilled\b|{FILLED_WORDS}")
_STATE: Final = build_pattern(
    r"(?:state|status|zustand|état|estado|stato|staat|статус|состояни|状态|狀態|状態|상태|stan"
    r"|durum)\w{0,2}\s?[:=]?\s?[\"']?\w|\bnot found\b"
)
_TOO_LATE: Final = build_pattern(
    r"\btoo late to cancel\b|\bcancel(?:lation)?(?: request)?(?: (?:of|for) [\w #-]{1,30})? (?:failed"
    r"|came too late|was too late"
    r"|too late)\b[^.;\n]{0,60}\b(?<!not )(?:filled|executed)\b(?! \d)|\b(?:could not|cannot|can't|couldn't"
    r"|failed to"
    r"|unable to) cancel\b[^.;\n]{0,60}\b(?<!not )(?:filled|executed)\b(?! \d)"
    r"|\bcancel ?(?:/|vs\.?|-) ?fill race\b|\bcancel\w*\b[^.;\n]{0,80}\b(?:already (?:been )?(?:completely "
    r"|fully )?(?:filled|executed)\b(?! \d)|(?:was|is|has been) (?:fully |completely )?filled"
    r" (?:before|first|already)|too late[^.;\n]{0,30}(?:fill|execut)\w*|state: ?filled"
    r"|lost the race to (?:the|a) fill)"
    r"|\b(?:already (?:been )?(?:completely |fully )?(?:filled|executed)|filled (?:before|first"
    r"|while))\b[^.;\n]{0,40}\b(?:cancel(?:lation)?s? (?:was |is |request )?(?:refused|rejected|failed"
    r"|not possible|too late|reached|arrived|came)|(?:before|by the time) (?:the |its |our )?cancel)"
)


_EARLY_FILL: Final = Concept(events.FILLED_FIRST, "", "", _TOO_LATE, build_pattern(r"\bcancel|\brace\b"))


def match_late_cancel(line: ParsedLine) -> Iterator[LineMatch]:
    """Yield an order whose cancel was answered with its fill; with another state the same code is benign."""
    if _FILLED.search(line.body) or not _STATE.search(line.body):
        yield LineMatch(events.FILLED_FIRST, _find_order_id(line, line.body) or events.UNNAMED)


def match_early_fill(line: ParsedLine) -> Iterator[LineMatch]:
    """Yield an order that filled before its cancel, in other words than those of its code."""
    for _ in match_concepts((_EARLY_FILL,), line.body):
        yield LineMatch(events.FILLED_FIRST, _find_order_id(line, line.body) or events.UNNAMED)


def _find_order_id(line: ParsedLine, body: str) -> str | None:
    """Return the id of the order in the line's own case: its order id, else another id; None without one."""
    message = line.text
    for pattern in (_ORDER_ID, _PLAIN_ID, _OTHER_ID):
        for hit in pattern.finditer(body):
            if any(letter.isdigit() for letter in hit[1]) and not hit[1].startswith("unknown"):
                return (message if len(message) == len(body) else body)[hit.start(1) : hit.end(1)].rstrip(".")
    return None


def _find_request_id(body: str) -> str | None:
    hit = _REQUEST_ID.search(body)
    return (hit[1] or hit[2]) if hit else None


MATCHERS: Final[tuple[tuple[tuple[str, ...], Callable[[ParsedLine], Iterator[LineMatch]]], ...]] = (
    (
        (
            "order", "outcome", "fill", "exec", "trade report", "trade confirm", "deal", "drop copy",
            "drop-copy", "coid",
            "ausführ", "exécut", "ejecuci", "esecuz", "execuç", "auftrag", "aufträg", "ordre", "orden",
            "ordin",
            "submi", "transmi", "acknowledg", "unconfirmed", "sent ", "send", "bracket", "basket",
            "单", "單", "委", "文", "注", "オーダー", "주문", "매수", "매도", "成交", "約定", "체결",
        ),
        match_orders,
    ),
    (
        (
            "reject", "declined", "refused", "unable to accept", "insufficient", "not enough",
            "turned down", "knocked back", "bounced",
            "not accepted", "denied",
            "was invalid", "abgelehnt", "gewiesen", "verweigert", "rejet", "rechazad", "denegad",
            "rifiutat", "respint", "rejeitad", "recusad",
            "geweigerd", "odrzucon", "reddedil", "red edil", "откло", "отказ", "拒", "却下", "거부", "거절",
        ),
        match_rejection,
    ),
    (("fill", "execut", "too late"), match_early_fill),
)  # fmt: skip
"""The matchers of lines on orders, each with texts of which the line must contain one."""
