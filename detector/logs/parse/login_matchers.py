"""Matches the wording of logins and sessions: IBC's dialogs, ibeam, the Client Portal gateway, launchers.

A login that failed is a failure of the gateway. One that will not come by itself is due: a person must act.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

from detector.formats.patterns import build_pattern
from detector.logs import events
from detector.logs.parse.concepts import Concept, match_concepts
from detector.logs.parse.line import ParsedLine
from detector.logs.parse.phrases import LineMatch, Phrase, is_asserted, match_phrases

_LOGIN = r"log[ -]?(?:in|on)"
_FACTOR = r"\b(?:second[ -]factor|two[ -]?step|2-?step|two[ -]?factor|2-?fa|ib ?key|2-factor|mfa)\b"
_OTHER_SERVICE: Final = build_pattern(
    r"redis|postgres|psycopg|mysql|mariadb|mongo|kafka|rabbitmq|amqp|elastic|slack|smtp|imap|dynamodb"
    r"|\bsqs\b"
    r"|\bs3\b|grafana|prometheus|influx|vault|consul|dashboard|webhook|telegram|discord|\bssh|\bvnc\b|ldap"
    r"|database|\bdb\b|\bweb ?ui\b|for user '|docker (?:hub|registry)|registry"
    r"|\b(?:wiki|jira|gitlab|github|jenkins)\b"
)
FAILURES: Final = (
    Phrase(events.GATEWAY_FAILED, "login", "login failed", build_pattern(
        rf"\b{_LOGIN} (?:has |attempt )?failed\b(?! (?:count|times|attempts?|limit|today))"
        r"|\blogging in (?:has )?failed\b"
        r"|\b(?:failed to|unable to|could not|couldn't|cannot|can't) (?:log ?(?:in|on|into)|sign ?in(?:to)?"
        r"|authenticate)\b(?! (?:by itself|without|until))"
        r"|\bauthenticat\w{1,4} (?:with|at|to|against) (?:the )?(?:ibkr|ib|tws|gateway|broker"
        r"|interactive brokers|client portal)[\w ]{0,20} failed\b"
        rf"|\b{_LOGIN} failure\b|\btoo many failed {_LOGIN}"
        r"|\bibc: (?:<html>)?connection to server failed\b"
        r"|\bunrecogni[sz]ed user ?name or password\b|\b(?:invalid|incorrect"
        r"|wrong) user ?name[^.\n]{0,12} password"
        r"|\b(?:rejected|refused) (?:the |our )?log[ -]?in\b|\blog[ -]?in (?:to [\w ]{1,20} )?(?:was |is "
        r"|has been )?(?:rejected|refused|denied)"
        r"|\berror (?:displayed|shown) by the login\b"
        rf"|\b{_LOGIN} (?:dialog|window|page|screen|form) (?:did not|didn't|never) "
        r"(?:appear|display|show|open|load)\w{0,3}\b"
        rf"|\bfailed to (?:display|show|open|load) (?:the |a |its )?{_LOGIN} "
        r"(?:dialog|window|page|screen|form)\b"
        r"|\b(?:timeout|timed[ -]out)(?: (?:was )?reached)?(?: (?:when|while))?(?: waiting)?"
        rf" (?:for|on|during) (?:the )?(?:{_LOGIN}|authentication)\b"
        r"|\bmax(?:imum)? (?:number of )?failed (?:authentication|login|auth)[^\n]{0,60}\breached\b"
        r"|\baccount (?:is |has been |was )?locked\b(?=[^\n]{0,80}log[ -]?in)"
        r"|\b(?:error|exception) (?:encountered )?(?:during|in) authenticat"
        r"|\bauthentication (?:process |attempt )?failed\b(?=[^\n]{0,80}(?:ib\b|ibkr|ibeam|gateway"
        r"|credential|password|attempt|\d of \d"
        r"|broker)|\s*$)"
        r"|\brepeatedly re-?authenticating failed\b|\bmax re-?authenticate retries reached\b"
        r"|\bre-?authenticat(?:ion|e|ing) failed\b"
    ), unless=_OTHER_SERVICE),
    Phrase(events.GATEWAY_FAILED, "re-login", "a re-login is required", build_pattern(
        r"\bre-?log ?-?(?:in|on)\b(?:(?!\b(?:not|no|never)\b)[^.\n]){0,20}\b(?:required|needed)\b"
    ), unless=build_pattern(r"\bweekly\b|\bsunday\b|\bmanual(?:ly)?\b|\bscheduled\b|\bby hand\b|\b(?:a"
    r"|the) (?:person|human|operator)\b")),
    Phrase(events.GATEWAY_FAILED, "second factor", "second factor not completed", build_pattern(
        rf"{_FACTOR}[^.\n]{{0,80}}?\b(?:timed[ -]?out|timeout|(?:has |was )?expired|time-?out"
        r"|(?:has |was |is )?(?:not|never) (?:been )?(?:completed|approved|confirmed|answered|received)"
        r"(?=[^.\n]{0,40}\b(?:exit|clos|giv|restart|terminat|abort|shut|stop)\w{0,6})"
        r"|(?:has |was |is )?(?:failed|rejected|denied|declined))\b"
        rf"(?! (?:action|setting|is \d|set to|=))|\b(?:timed out|timeout) (?:while "
        rf"|waiting )?for (?:the )?{_FACTOR}"
        rf"|\b{_LOGIN} (?:has |was |did )?not (?:been )?completed?\b[^.\n]{{0,20}}"
        rf"\b(?:after|within|in|since)\b[^.\n]{{0,40}}{_FACTOR}"
    ), unless=_OTHER_SERVICE),
    Phrase(events.GATEWAY_FAILED, "session", "the session is active but not authenticated", build_pattern(
        r"\bsession (?:is |found |found but )?(?:active )?but (?:is )?not authenticated\b(?!, (?:logging"
        r"|authenticating))"
        r"|\bactive but not authenticated\b"
        r"|\bclient portal gateway (?:is )?not authenticated\b(?! yet|, (?:logging|authenticating))"
    )),
    Phrase(events.GATEWAY_FAILED, "dialog", "a dialog that nobody handles", build_pattern(
        r"\b(?:could not|couldn't|cannot|can't|unable to|failed to) (?:handle|close|dismiss"
        r"|find a handler for)"
        r"\b[^\n]{0,40}\b(?:dialog|window|frame|popup)"
        r"|\b(?:unhandled|unexpected|unknown) dialog\b"
    )),
)  # fmt: skip
LOGINS_DUE: Final = (
    Phrase(events.LOGIN_DUE, "re-login", "a re-login is required", FAILURES[1].pattern,
           unless=_OTHER_SERVICE),
    Phrase(events.LOGIN_DUE, "second factor", "the second factor was not completed", FAILURES[2].pattern,
           unless=_OTHER_SERVICE),
    Phrase(events.LOGIN_DUE, "restart", "no restart without a full login", build_pattern(
        r"\b(?:auto-?)?restart:?[ -]?(?:token )?(?:file|token)\b[^.\n]{0,30}"
        r"\b(?:not (?:found|there|present|valid|accepted)|missing|expired|invalid(?:ated)?|absent"
        r"|does not exist|rejected|gone|stale|no longer valid)\b"
        r"|\bno (?:valid |usable )?(?:auto-?)?restart[ -]?(?:file|token)\b"
        r"|\b(?:could not|cannot|can't|unable to|failed to) (?:find|read|load|use) (?:an? |the "
        r"|any )?(?:auto-?)?restart[ -]?(?:file|token)\b"
        r"|\brestart without (?:2fa|second factor|a login)[^.;\n]{0,12}\b(?:not|no longer|im)[ -]?possible\b"
        r"|\bauto-?restart\b[^.;\n]{0,20}\b(?:impossible|not possible|failed|refused"
        r"|rejected)\b(?=[^.;\n]{0,40}\b(?:token|log[ -]?in|2fa|factor|file))"
        rf"|\bfull (?:re-?)?(?:authentication|{_LOGIN})\b[^.\n]{{0,40}}\b(?:required|needed|necessary)\b"
    )),
)  # fmt: skip
_PERSON: Final = r"(?:manual|human|operator|someone|somebody|person|user|hand|trader|owner|you|owner)"
_AUTH: Final = build_pattern(
    r"\b(?:second[ -]factor|two[ -]?(?:factor|step)|2-?(?:factor|step)|2-?fa|mfa|otp|ib ?key|push(?:es)?"
    r"|(?:re-?)?log[ -]?(?:in|on)|logging in|logged in|sign[ -]?in"
    r"|sso|(?:re-?)?authenticat\w{1,5}|credentials|security code|challenge|ibkr mobile|ib mobile"
    r"|authenticator|(?:re)?start token|weekly token|brokerage session"
    r"|(?:ibkr|ib|gateway|cpapi|client portal|portal|tws) session)\b"
)
_GATEWAYS: Final = build_pattern(
    r"\b(?:ibkr?|tws|ibc|passerelle|pasarela)\b|gateway|盈透|网关|ゲートウェイ|게이트웨이"
)
# German, French, Spanish, Italian, Portuguese; Chinese, Japanese, Korean.
_FOREIGN: Final = (
    Concept(events.GATEWAY_FAILED, "login", "login failed", build_pattern(
        r"\b(?:anmeldung|anmelden|login|einloggen)(?: (?:ist|wurde))? (?:fehlgeschlagen|abgelehnt|verweigert)"
        r"|\bzu viele anmeldeversuche|\b(?:falsches|ungültiges) passwort"
        r"|\béchec d(?:e l)?['\u2019]authentification|\bauthentification (?:a )?échouée?|\bmot de passe"
        r" (?:incorrect|invalide|erroné)|\b(?:error|fallo) (?:de|en el|al) (?:inicio de sesión|iniciar sesión"
        r"|autenticación)|\b(?:inicio de sesión|autenticación) (?:fallid[oa]|rechazad[oa])"
        r"|\bcontraseña incorrecta|\b(?:accesso|autenticazione) (?:non riuscit[oa]|fallit[oa])"
        r"|\bpassword errata"
        r"|(?:登录|登錄|登入|认证|認證|身份验证)(?:失败|失敗|被拒)|密码(?:错误|不正确)|(?:ログイン|認証)(?:に|が)?失敗"
        r"|(?:로그인|인증)(?:에|이)?\s?실패"
    ), _GATEWAYS, _OTHER_SERVICE),
    Concept(events.LOGIN_DUE, "second factor", "the second factor was not completed", build_pattern(
        r"(?:二次验证|二次認證|两步验证|双重验证|双因素|雙重驗證|二要素認証|二段階認証|2段階認証|2단계 인증|이중 인증)"
        r"[^\uff0c\u3002;\n]{0,8}(?:超时|逾時|未完成|未确认|未通过|失败|タイムアウト|未完了|完了していま|시간 초과|미완료|실패)"
    ), build_pattern(r"验证|認證|驗證|双因素|認証|인증"), _OTHER_SERVICE),
    Concept(events.LOGIN_DUE, "re-login", "a person must log in", build_pattern(
        r"(?:需要?|请|必须)(?:人工|手动)?重新(?:登录|登錄|登入)|再ログインが?(?:必要|してください)|재로그인이?\s?필요"
    ), _GATEWAYS, _OTHER_SERVICE),
    Concept(events.LOGIN_DUE, "second factor", "the second factor was not completed", build_pattern(
        r"\bnicht (?:\w+ )?(?:bestätigt|freigegeben|abgeschlossen|beantwortet)|\bunbestätigt|\bunbeantwortet"
        r"|\bkeine (?:bestätigung|freigabe|antwort)\b|\bwartet (?:noch |seit )"
        r"|\b(?:pas|non|jamais) (?:été )?(?:validée?|confirmée?|approuvée?)|\bsans (?:réponse|validation)\b"
        r"|\bno (?:\w+ ){0,2}?(?:confirmad|aprobad|completad|validad|respondid)[oa]|\bsin (?:confirmar"
        r"|aprobar"
        r"|completar|respuesta|validar)\b|\b(?:non|mai) (?:\w+ ){0,2}?(?:confermat|approvat|completat)[oa]"
        r"|\bsenza (?:conferma|risposta)\b|\bnão (?:\w+ ){0,2}?(?:confirmad|aprovad|concluíd)[oa]"
    ), build_pattern(
        r"\b(?:zwei-?faktor|zweiter? faktor|zweiten faktors?|2fa|double authentification|deux facteurs"
        r"|second facteur|double facteur|(?:doble|segundo) factor|dos factores|secondo fattore|due fattori"
        r"|doppia autenticazione|segundo fator|dois fatores|ib ?key)"
    ), _OTHER_SERVICE),
    Concept(events.LOGIN_DUE, "re-login", "a person must log in", build_pattern(
        r"\b(?:erneute|neue|manuelle) anmeldung (?:ist |wird )?(?:erforderlich|nötig|notwendig|benötigt)"
        r"|\b(?:reconnexion|nouvelle connexion|connexion) manuelle (?:est )?(?:requise|nécessaire)"
        r"|\b(?:requiere|necesario|necesita) (?:\w+ ){0,2}?(?:iniciar sesión|inicio de sesión)"
        r"|\b(?:richiesto|necessario) (?:\w+ ){0,2}?(?:accesso|login) manuale"
    ), build_pattern(r"\b(?:ibkr?|tws|gateway|passerelle|pasarela|ibc)\b"), _OTHER_SERVICE),
)  # fmt: skip
_WAITING: Final = (
    *_FOREIGN,
    Concept(events.LOGIN_DUE, "second factor", "the second factor was not completed", build_pattern(
        r"\b(?:confirmation|approval|login|challenge|prompt|second factor|2fa|push|authentication) (?:is "
        r"|was )?(?:outstanding|missing|overdue|absent|lacking|blocked)\b|\bwait(?:s"
        r"|ing)\b[^.;\n]{0,40}\b(?:since \d|for (?:\d{3}|\d{1,2} ?(?:min|h\b)))|\bcannot (?:proceed|continue"
        r"|complete)\b|\bnone (?:given|received|came)\b|\bby nobody\b|\bawaiting [^.;\n]{0,30}\bfrom (?:the "
        r"|a )?(?:user|operator|person|human)\b"
        r"|\b(?:not|never|\w{1,6}n't) (?:been )?(?:done|passed|cleared)\b(?! yet)"
        r"|\blog[ -]?in\b[^.;\n]{0,20}\b(?:stalled|stuck|hung|frozen)\b|\bapprove (?:the |it "
        r"|this )?(?:notification|push|prompt|login request|request|ib key)\b|\b(?:human|person"
        r"|operator) (?:is )?(?:needed|required)\b|\bawait\w*\b[^.;\n]{0,40}\b(?:since \d"
        r"|for (?:\d{3}|\d{1,2} ?(?:min|h\b)))"
        r"|\bunreachable\b"
        r"|\b(?:not|never|\w{1,6}n't) (?:\w+ )?(?:entered|typed|supplied|provided)\b"
        r"|\b(?:not|never|\w{1,6}n't|nobody|no one|no user|no human|no-one|without anyone"
        r"|without being)\b(?: \w+){0,2}? (?:completed?|confirm(?:ed|s|ing)?|answer(?:ed|s|ing)?|approv(?:e"
        r"|ed|es|ing)"
        r"|accepted|acknowledged?|respond(?:ed|s|ing)?|finish(?:ed)?|tapp?(?:ed|ing)?|validated?|react(?:ed|s"
        r"|ing)?|reply|replied|picked up|acted on|touched)\b"
        r"|\b(?:nobody|no one|no-one|no human|no user)(?: is| was)? (?:there|available|around|present|home)\b"
        r"|\b(?:unanswered|unapproved|unconfirmed|incomplete|uncompleted|unattended|ignored)\b"
        r"|\b(?:no|without|never (?:got|received)|not received) (?:an? |any |the )?(?:user |phone "
        r"|mobile )?(?:response|answer|approval|confirmation|reaction|reply|tap)\b(?! (?:is |was )?(?:needed"
        r"|required|necessary))"
        r"|\b(?:still|remains?|has been|been) (?:\w+ )?(?:pending|open|outstanding|waiting|unanswered|hanging"
        r"|blocked|stuck)\b|\bpending (?:after|since|for \d)"
        r"|\b(?:stuck|blocked|hanging|hangs|sits|sitting|parked|stalled) (?:at|on|in|waiting)\b"
    ), build_pattern(
        r"\b(?:second[ -]factor|two[ -]?(?:factor|step)|2-?(?:factor|step)|2-?fa|mfa|otp|ib ?key|push(?:es)?"
        r"|log[ -]?(?:in|on)|sign[ -]?in|authenticat\w{1,5}|security code"
        r"|challenge|ibkr mobile|authenticator)\b"
    ), build_pattern(_OTHER_SERVICE.pattern + r"|\borders?\b|\bgit\b")),
    Concept(events.LOGIN_DUE, "re-login", "a person must log in", build_pattern(
        rf"\b(?:needs?|requires?|waits? for|waiting for|awaiting|awaits|until) (?:an? |the "
        rf"|some )?(?:\w+ ){{0,2}}?{_PERSON}\b"
        r"|\b(?:operator|human|manual|user) (?:action|intervention|attention|input|help"
        r"|step) (?:is )?(?:needed|required|necessary)\b"
        r"|\b(?:entered|typed|completed|done|confirmed|approved|(?:re-?)?authenticated"
        r"|be logged in)(?: again)? (?:by hand"
        r"|manually|by a (?:human|person))\b"
        r"|\bfalling back to (?:a )?(?:full|cold|interactive|manual) log[ -]?in\b"
        r"|\b(?:manual|interactive|fresh|full|human|weekly|new|cold) (?:\w+ )?(?:re-?)?(?:log[ -]?(?:in|on)"
        r"|authenticat\w{1,5}|sign[ -]?in|2fa|approval)\b[^.;\n]{0,30}\b(?:required|needed|necessary|due"
        r"|pending|must|owed|overdue|outstanding)\b"
        r"|\b(?:required|needed|necessary|due|pending|owed|overdue)\b:? (?:an? )?(?:manual|interactive|fresh"
        r"|full|human|weekly|new) (?:\w+ )?(?:re-?)?(?:log[ -]?(?:in|on)|authenticat\w{1,5}|sign[ -]?in)\b"
        r"|\b(?:please|must|have to|has to|need to|needs to) (?:\w+ ){0,6}?(?:re-?)?(?:log[ -]?in|log[ -]?on"
        r"|authenticate|sign in|approve|confirm|enter|complete|finish)\b(?! (?:order|trade))"
        r"|\b(?:re-?)?(?:log[ -]?(?:in|on)|sign[ -]?in|authenticat\w{1,5})\b[^.;\n]{0,20}\b(?:manually"
        r"|by hand|by a person|in person)\b"
        r"|\b(?:re-?)?(?:log[ -]?(?:in|on)|sign[ -]?in|authenticate"
        r"|(?:re-?)?authentication)\b(?: (?!no)\w+){0,3} (?:required|needed|necessary|due|overdue)\b"
        r"|\b(?:sso|restart token|brokerage session|(?:ibkr|ib|gateway|cpapi|client portal|portal"
        r"|tws) (?:session|login)|weekly (?:session|token|login|authentication)|soft token)\b[^.;,\n]{0,20}"
        r"\b(?:has |have |is |was )?(?:expired|invalid(?:ated)?|no longer valid|ran out|lapsed"
        r"|timed out for good)\b|\bsession (?:has )?expired\b|\bneeds? (?:an? )?(?:new|fresh|manual"
        r"|full) (?:re-?)?(?:log[ -]?in|authentication|sign[ -]?in)\b"
    ), _AUTH, build_pattern(
        _OTHER_SERVICE.pattern + r"|\bno (?:\w+ ){0,3}(?:log[ -]?in|2fa|authentication"
        r"|second factor) (?:is )?(?:needed|required|necessary)"
        r"|\bnot (?:needed|required|necessary|due)\b|\bclient[ _]?id\b|\border\b|\balready authenticated\b"
        r"|\bnext (?:\w+ )?log[ -]?in (?:is|at|on)\b|\b(?:planned|scheduled) (?:for|at|on)\b|\bdue on\b"
        r"|\binvalid user"
    ), build_pattern(
        r"\b(?:ibkr|ib|tws|gateway|ibgw|ibc|ibeam|client portal|cpapi|portal|brokerage|sso|iserver|2-?fa"
        r"|two[ -]?factor|second[ -]factor|ib ?key|mfa|restart token|(?:auto-?|cold )?restart|session|token"
        r"|sms|security code"
        r"|two[ -]?step|weekly|sunday|ibkr mobile|push notification|interactive brokers|localhost:5000"
        r"|broker)\b"
    )),
)  # fmt: skip
_ASKED: Final = build_pattern(
    rf"{_FACTOR}(?: authentication)?[^.\n]{{0,30}}\b(?:initiated|requested|required|waiting|pending)\b"
    rf"|\bwaiting for (?:the )?(?:user to complete )?(?:the )?{_FACTOR}"
    rf"|\bentitled: ?{_FACTOR}[^.\n]{{0,30}}; event=(?:opened|activated|focused)\b"
    rf"|\b(?:gateway|portal|log[ -]?in|ibkr) requires (?:a |the )?{_FACTOR}(?!\s?[=:])"
)
_CONFLICT: Final = Phrase(events.SESSION_CONFLICT, "session", "a competing session", build_pattern(
    r"\bcompeting (?:\w{1,12} ){0,2}session (?:was |is )?(?:found|detected|started|exists|active|present"
    r"|holds)\b"
    r"|\b(?:found|detected) (?:a |another )?competing (?:\w{1,12} ){0,2}session\b"
    r"|\banother session\b[^.\n]{0,30}\b(?:competes|competing|took over|already (?:logged in|active|open))\b"
))  # fmt: skip
_DISPLACED: Final = Concept(events.SESSION_CONFLICT, "session", "another session took over", build_pattern(
    r"\b(?:(?:someone|somebody) else|(?:another|a second|other|different) (?:person|user|log[ -]?in|session"
    r"|device|machine|computer"
    r"|location|instance|place|host|tws|workstation))\b[^.;\n]{0,30}"
    r"\b(?:logged (?:in|on)|signed in|took over|taken over|is (?:active|connected|logged)|kicked|opened"
    r"|holds|uses|using|displaced)\b"
    r"|\b(?:someone|somebody|a person|a user) (?:has )?logged (?:in|on)\b[^.;\n]{0,30}\b(?:with|under"
    r"|using|as)"
    r" (?:our|the same|this|my) (?:user(?:[ _]?name)?|log[ -]?in|credentials|account)\b"
    r"|\b(?:kicked|logged|thrown|forced|bumped)[ -](?:us |our session |me )?(?:out|off) (?:by|because|since"
    r"|as)\b|\bkicked (?:us |our session )?(?:out|off)\b"
    r"|\bsession (?:was |has been |is )?(?:taken over|taken by (?:an)?other|superseded|displaced|stolen"
    r"|ended by another"
    r"|terminated by another|closed by another)\b"
    r"|\blogged in (?:elsewhere|from (?:another|a different|elsewhere))\b|\bsame (?:user ?name|user|login"
    r"|credentials)\b[^.;\n]{0,40}\b(?:elsewhere|another|second|twice)\b"
), build_pattern(
    r"\b(?:ibkr|ib|tws|gateway|ibgw|ibc|ibeam|portal|brokerage|session|user ?name|trading)\b"
), build_pattern(
    _OTHER_SERVICE.pattern + r"|\b(?:browser|chrome|firefox|tmux|cookies?|pid|thread|no|market"
    r"|trading session|rth|dev(?:eloper)?|client portal session (?:ok|fine)|reused)\b"
))  # fmt: skip
_DISPLACED_ABROAD: Final = Concept(
    events.SESSION_CONFLICT, "session", "another session took over", build_pattern(
        r"(?:会话|會話|账号|帐号|帳號|用户)[^\uff0c\u3002;\n]{0,8}(?:被|在)(?:其他|其它|别的|另一|别处)"
        r"[^\uff0c\u3002;\n]{0,8}(?:登录|登入|占用|踢)"
        r"|检测到(?:已?存在|现有|其他|另一个)(?:的)?会话|(?:別の|他の)(?:端末|セッション|場所|デバイス)[^\u3002;\n]{0,8}"
        r"(?:ログイン|接続|検出)|다른\s?(?:기기|세션|장소)[^.;\n]{0,8}(?:로그인|접속|감지)"
        r"|\b(?:bestehende|andere|konkurrierende) sitzung (?:wurde )?(?:erkannt|gefunden|aktiv)"
        r"|\b(?:autre|session existante|session concurrente)(?: session)? (?:a été )?(?:détectée|active)"
        r"|\b(?:otra sesión|sesión existente) (?:fue )?(?:detectada|activa)"
        r"|\b(?:altra sessione|sessione esistente) (?:rilevata|attiva)"
    ), _GATEWAYS, _OTHER_SERVICE)  # fmt: skip
_LOGGED_IN: Final = build_pattern(
    r"\blogin has completed\b(?!: exiting)|\b(?:gateway|session) (?:is )?running and authenticated\b"
    r"|(?<!someone )(?<!somebody )(?<!else )(?<!user )(?<!session )"
    r"\blogged in (?:successfully )?to (?:the )?(?:ib|ibkr|tws|gateway|interactive brokers)\b"
)
# What ends an alarm must be as certain as what raises it: a factor that was given, or a login at the broker.
_SUCCESS = r"(?:succe(?:ss(?:ful(?:ly)?)?|eded)|completed?|confirmed|approved|accepted|granted|passed|ok)\b"
_WAS = r"\s?[:=]?(?: (?:has|have|was|were|is|been|now|successfully)){0,3}[:=]? "
_GIVEN: Final = (
    Concept(events.LOGGED_IN, "", "", build_pattern(
        r"\b(?:anmeldung (?:war )?erfolgreich|erfolgreich angemeldet|authentification réussie"
        r"|inicio de sesión (?:correcto|exitoso)|autenticazione riuscita)"
        r"|(?:登录|登錄|登入|认证)成功|(?:ログイン|認証)(?:に|が)?成功|(?:로그인|인증)(?:에|이)?\s?성공"
    ), _GATEWAYS, _OTHER_SERVICE),
    Concept(events.LOGGED_IN, "", "", build_pattern(
        rf"{_FACTOR}(?: (?:auth(?:entication)?|confirmation|request|prompt|challenge|push|code|notification"
        rf"|approval|login)){{0,2}}{_WAS}{_SUCCESS}"
        rf"|\b(?:confirmed|approved|completed|accepted|passed) (?:the |a )?{_FACTOR}"
    ), unless=build_pattern(_OTHER_SERVICE.pattern + r"|\b(?:but|however|although|yet|though)\b")),
    Concept(events.LOGGED_IN, "", "", build_pattern(
        rf"\b(?:re-?)?(?:{_LOGIN}|sign[ -]?in|authentication)(?: (?:process|attempt|request|procedure))?"
        rf"{_WAS}{_SUCCESS}"
        rf"|\bsuccessful(?:ly)? (?:re-?)?(?:{_LOGIN}|logged (?:in|on)|authenticated|signed in)\b"
        r"|\b(?:logged (?:in|on)|authenticated|signed in) successfully\b"
    ), build_pattern(
        r"\b(?:ib|ibkr|ibc|ibeam|tws|gateway|ibgw|brokerage|interactive brokers|client portal"
        r"|authentication process)\b"
    ), build_pattern(
        _OTHER_SERVICE.pattern + r"|\b(?:not|never|no|un\w+ed|failed|fails|waiting|pending|exiting)\b"
    )),
)  # fmt: skip
_RESTART_TIME: Final = build_pattern(
    r"\bauto[ -]?(restart|log[ -]?off) time (?:is |was |has been )?(?:already |now )?set to"
    r" (\d{1,2}):(\d\d)(?:\s?([ap])\.?m\b)?"
)
_NOON: Final = 12
_FLAG: Final = r"[\"']?\s{0,2}[=:]\s{0,2}[\"']?(true|false)\b"
_AUTHENTICATED, _COMPETING = (
    build_pattern(rf"\bauthenticated{_FLAG}"),
    build_pattern(rf"\bcompeting{_FLAG}"),
)
_STATUS: Final = build_pattern(r"\b(?:iserver|auth/status|tickle|client portal|cpapi|ibeam)\b")
_ACTIVE: Final = tuple(build_pattern(rf"\b{name}{_FLAG}") for name in ("session", "connected"))


def match_login(line: ParsedLine) -> Iterator[LineMatch]:
    """Yield a failed or completed login, one that is due, and a second factor that was asked for."""
    body = line.body
    if _LOGGED_IN.search(body):
        yield LineMatch(events.LOGGED_IN)
        return
    matches = [
        *match_phrases(FAILURES, body, quoted=_is_dialog(body)),
        *match_phrases(LOGINS_DUE, body, True),
    ]
    if not matches and next(match_concepts(_GIVEN, body), None) is not None:
        yield LineMatch(events.LOGGED_IN)
        return
    if not matches:
        matches = [match for match, _, _ in islice(match_concepts(_WAITING, body), 1)]
    yield from matches
    if not matches and _ASKED.search(body):
        yield LineMatch(events.SECOND_FACTOR_ASKED)


def match_restart_time(line: ParsedLine) -> Iterator[LineMatch]:
    """Yield the local time at which the launcher lets the gateway restart each day; IBC writes it at a start.

    A time at which it logs off is none of a restart: nothing comes back by itself then.
    """
    hit = _RESTART_TIME.search(line.body)
    if hit is None:
        return
    hour, minute, half = int(hit[2]), int(hit[3]), hit[4]
    if half is not None:
        hour = hour % _NOON + (_NOON if half == "p" else 0)
    is_time = hour < 2 * _NOON and minute < 5 * _NOON
    yield LineMatch(events.RESTART_TIME, f"{hour:02}:{minute:02}" if hit[1] == "restart" and is_time else "")


def match_session_status(line: ParsedLine) -> Iterator[LineMatch]:
    """Yield what a status of the Client Portal's session, or of ibeam, shows."""
    body = line.body
    conflicts = list(match_phrases((_CONFLICT,), body))
    yield from conflicts or (match for match, _, _ in match_concepts((_DISPLACED, _DISPLACED_ABROAD), body))
    competing, authenticated = _COMPETING.search(body), _AUTHENTICATED.search(body)
    if authenticated is None and _STATUS.search(body) is None:
        return
    if competing is not None and competing[1] == "true" and (authenticated or is_asserted(body, competing)):
        yield LineMatch(events.SESSION_CONFLICT, "session", "a competing session")
        return
    if authenticated is None:
        return
    is_active = any((hit := pattern.search(body)) is not None and hit[1] == "true" for pattern in _ACTIVE)
    if is_active and authenticated[1] == "true":
        yield LineMatch(events.CONNECTED)
    elif is_active and competing is not None:
        yield LineMatch(events.GATEWAY_FAILED, "session", "the session is active but not authenticated")


def _is_dialog(body: str) -> bool:
    """Whether the line names a dialog, whose title may stand in quotes."""
    return "dialog" in body or "window" in body or "frame entitled" in body


MATCHERS: Final[tuple[tuple[tuple[str, ...], Callable[[ParsedLine], Iterator[LineMatch]]], ...]] = (
    (
        (
            "log in",
            "login",
            "log-in",
            "log on",
            "logon",
            "log-on",
            "logging in",
            "logged in",
            "factor",
            "2fa",
            "ib key",
            "authenticat",
            "restart file",
            "restart token",
            "dialog",
            "handle",
            "popup",
            "password",
            "mfa",
            "otp",
            "two-step",
            "two step",
            "verification",
            "push",
            "ibkey",
            "sign in",
            "sign-in",
            "sso",
            "session expired",
            "session has expired",
            " session ",
            "token",
            "credentials",
            "security code",
            "to server failed",
            "ibkr mobile",
            "faktor",
            "anmeldung",
            "authentif",
            "facteur",
            "connexion manuelle",
            "sesión",
            "fattor",
            "autenticaz",
            "fator",
            "accesso",
            "anmelde",
            "passwort",
            "mot de passe",
            "contraseña",
            "autenticac",
            "登",
            "认证",
            "認",
            "验证",
            "驗證",
            "密码",
            "因素",
            "ログイン",
            "로그인",
            "인증",
        ),
        match_login,
    ),
    (
        (
            "competing",
            "authenticated",
            "another",
            "elsewhere",
            "kicked",
            "second ",
            "took over",
            "taken over",
            "different",
            "other ",
            "logged out",
            "logged off",
            "superseded",
            "displaced",
            "same user",
            "session",
            "sitzung",
            "sesión",
            "sessione",
            "会话",
            "會話",
            "号",
            "號",
            "用户",
            "ログイン",
            "セッション",
            "다른",
        ),
        match_session_status,
    ),
    (("restart time", "off time"), match_restart_time),
)
"""The matchers of logins and sessions, each with texts of which the line must contain one."""
