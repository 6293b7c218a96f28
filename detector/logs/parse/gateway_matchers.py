"""Matches the wording of the gateway, of IBC and of API clients: links, session conflicts, connections.

A line that denies, supposes, configures or quotes such an event does not match.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from detector.formats.patterns import build_pattern, has_any
from detector.logs import events
from detector.logs.codes import IBC_EXITS, find_ibc_exit
from detector.logs.parse.line import ParsedLine
from detector.logs.parse.phrases import (
    CLIENT_ID_USED,
    DATA_LOST,
    HYPOTHETICAL,
    LOST,
    NOT_YET,
    OTHER_ADDRESS,
    RESTORED,
    UNREAL,
    LineMatch,
    is_asserted,
)
from detector.logs.parse.records import BROKER

_SESSION: Final = build_pattern(
    r"\bexisting session (?:detected|found(?![^.\n]{0,20}(?:cache|reus|cookie)))\b"
    r"(?!\s?(?:action|handling|setting|policy|[=]|:?\s?(?:0|false|no|none)\b|\())"
    # What IBC's session manager decides: it ends this session, or leaves the choice to a person.
    r"|\bother session m(?:ust|ay) be primary\b[^\n]{0,60}\bend this session\b"
    r"|\bmust choose (?=whether to continue with this session\b)"
)
_OF_A_SESSION: Final = build_pattern(
    r"session|sitzung|sesi[oó]n|сесси"
    r"|会话|會話|セッション|세션|\btws\b"
)
_NOT_A_BROKER: Final = build_pattern(
    r"\b(?:browser|chrome|firefox|tmux|cookies?|localstorage|web ?ui|logged in or|user:"
    r"|for user(?! (?:paper|live)-)|window launch|pid|ssh|vnc)\b"
)


def match_session_conflict(line: ParsedLine) -> Iterator[LineMatch]:
    """Yield a conflict with another session or client."""
    body = line.body
    hit = _SESSION.search(body)
    if hit is not None and not _NOT_A_BROKER.search(body) and is_asserted(body, hit, "dialog" in body):
        yield LineMatch(events.SESSION_CONFLICT, "session", "Existing session detected")
    hit = OTHER_ADDRESS.search(body)
    if hit is not None and _OF_A_SESSION.search(body) and is_asserted(body, hit):
        yield LineMatch(events.SESSION_CONFLICT, "address", "a session from a different IP address")
    hit = CLIENT_ID_USED.search(body)
    if hit is not None and not NOT_YET.search(hit[0]) and is_asserted(body, hit):
        is_probe = body[hit.end() : hit.end() + 2].strip().startswith("?")
        yield LineMatch(
            events.SESSION_CONFLICT, events.ID_PROBE if is_probe else "client id", "client id in use"
        )


_EXIT: Final = build_pattern(
    r"\bexit(?:ed|ing)?\b[^\n\d]{0,30}?\b(?:code|status)\s{0,2}[=:]?\s{0,2}(\d{1,4})\b"
)
_EXIT_OF_IBC: Final = build_pattern(r"\bibc\b|exiting after error")
_OTHER_SERVICE: Final = build_pattern(
    r"redis|postgres|psycopg|mysql|mariadb|mongo|kafka|rabbitmq|amqp|elastic|https?://|slack|smtp|imap"
    r"|dynamodb|\bsqs\b|\bs3\b|grafana|prometheus|statsd|influx|vault|consul"
    r"|dashboard|webhook|telegram|discord|\bssh"
    r"|sql ?server|database|\bdb\b|ldap"
    r"|\bweb\b|docker|otel|datadog|metrics|alertmanager|for user '|health ?check endpoint"
)  # fmt: skip


def match_gateway_exit(line: ParsedLine) -> Iterator[LineMatch]:
    """Yield an error exit of IBC."""
    body = line.body
    exit_hit = _EXIT.search(body)
    if exit_hit is not None and _EXIT_OF_IBC.search(body):
        code = find_ibc_exit(int(exit_hit[1]))
        if code is not None and is_asserted(body, exit_hit):
            meaning = IBC_EXITS.get(code)
            yield LineMatch(
                events.GATEWAY_FAILED, "exit", f"IBC exit code {code}{f', {meaning}' if meaning else ''}"
            )


_CONNECTION_TEXTS: Final = (
    "connected", "refused", "connect call failed", "timeout", "timed out", "took longer",
    "api connection ready", "synchroni", "logged on", "connection established", "connection successful",
    "no bridge", "init session first", "reachable", "reconnect", "connect to", "winerror",
    "abgelehnt", "verweiger", "refusée", "rehusad", "rechazad", "denegad", "denegó", "rifiut", "recusad",
    "recusou", "rejeitad", "geweigerd", "отказано", "отверг", "odrzuc", "reddedildi", "拒", "거부",
    "errno 110", "zeitüber", "délai", "tiempo de", "tempo ", "ожидания", "limit czasu", "超时", "逾時",
    "タイムアウト", "초과",
)  # fmt: skip
# The portal's answer where no brokerage session stands behind its trading part.
_NO_SESSION: Final = build_pattern(
    r"\bbad request: no bridge\b|\binit session first\b|\bclient portal gateway not authenticated\b"
)
_REFUSED: Final = build_pattern(
    r"\bconnectionrefusederror\b|\bconnection refused\b|\bconnect call failed\b|\beconnrefused\b"
    r"|\brefused the network connection\b|\bactively refused\b|\bwinerror (?:1225|10061)\b"
    # What the C library and Windows say of it, in the languages of TWS.
    r"|verbindungsaufbau abgelehnt|die verbindung verweiger|connexion refusée"
    r"|refusée? (?:expressément|activement)"
    r"|conexión (?:rehusada|rechazada|denegada)|denegó (?:expresamente|activamente)|connessione rifiutata"
    r"|rifiuto persistente|conexão (?:recusada|rejeitada)|recusou ativamente|verbinding (?:is )?geweigerd"
    r"|в соединении отказано|отверг запрос на подключение|połączenie odrzucone|odrzucono połączenie"
    r"|ba.lant. reddedildi|拒绝(?:网络)?连接|连接被拒|積極拒絕|积极拒绝|拒絕(?:網路)?連線|連線被拒"
    r"|接続(?:を|が)?拒否|연결이? ?거부"
)
_TIMED_OUT: Final = build_pattern(
    r"\b(?:connect(?:ion|ing|async)?|handshake)\b[^\n]{0,120}?(?:\btimeouterror\b|\btimed out\b|\btimeout\b"
    r"|\boperation took longer than\b)"
    r"|(?:\btimeouterror\b|\btimed out\b)[^\n]{0,60}?\bconnect(?:ing|ion)? to\b"
    r"|\bwinerror (?:121|10060)\b|\berrno 110\b|zeitüberschreitung|délai (?:d'attente )?(?:est )?dépassé"
    r"|tiempo de espera (?:agotado|de conexión)|tempo (?:limite )?(?:de conexão )?(?:esgotado|scaduto)"
    r"|время ожидания (?:соединения )?истекло|upłynął limit czasu|连接超时|連線逾時|タイムアウト|연결 시간 초과"
)
_PEER: Final = r"(?:ib[ -]?gateway|tws|trader workstation|ibkr|ib|interactive brokers)"
_UNREACHED: Final = build_pattern(
    rf"\b{_PEER} (?:is |was )?(?:not reachable|unreachable)\b|\b{_PEER} re-?connect(?:ion)? failed\b"
    rf"|\b(?:unable to|failed to|could not|couldn't|cannot) (?:re-?)?connect to (?:the )?{_PEER}\b"
)
_SUCCESS: Final = build_pattern(
    r"\bapi connection ready\b|\bsynchroni[sz]ation complete\b|\blogged on to server version\b"
    r"|\bconnected to (?:the )?"
    r"(?:ib|ibkr|tws|ib gateway|gateway|interactive brokers|broker)\b"
    r"|\b(?:ib|ibkr|gateway|broker|api|tws) connected\b"
    r"|\b(?:successfully |re-?)connected\b|\bconnection (?:established|successful)\b"
)
_FAILS: Final = build_pattern(
    r"\b(?:not|never|dis|failed|unable|could|cannot|trying|attempt(?:ing)?|n't|if|when|until|waiting)\b"
)
_PORT: Final = build_pattern(r"(?::|\bport[ =:]{1,3}|', ?|, )(\d{2,5})\b(?!\s?/)")
IB_PORTS: Final = frozenset({4000, 4001, 4002, 4003, 4004, 7496, 7497, 7498, 7499})


def match_connection(line: ParsedLine) -> Iterator[LineMatch]:
    """Yield a successful or failed attempt to connect to the gateway."""
    body = line.body
    hit = _SUCCESS.search(body)
    if (
        hit is not None
        and not _FAILS.search(body, max(0, hit.start() - 40), hit.start())
        and not _OTHER_SERVICE.search(body)
    ):
        yield LineMatch(events.CONNECTED)
        return
    if _NO_SESSION.search(body) and not HYPOTHETICAL.search(body):
        yield LineMatch(events.CONNECT_FAILED, "session", "no brokerage session")
        return
    refused, timed_out = _REFUSED.search(body), _TIMED_OUT.search(body)
    hit = refused or timed_out
    unreached = _UNREACHED.search(body) if hit is None else None
    if unreached is not None and is_asserted(body, unreached) and not UNREAL.search(body):
        yield LineMatch(events.CONNECT_FAILED, "words", "its words")
    if hit is None or HYPOTHETICAL.search(body, 0, hit.start()):
        return
    ports = [int(port) for port in _PORT.findall(body)]
    if _OTHER_SERVICE.search(body) and not IB_PORTS.intersection(ports):
        return
    if (not ports or IB_PORTS.intersection(ports)) and (refused or _is_broker_timeout(body, bool(ports))):
        tail = not line.is_wrapped and re.match(r"(?:[\w.]{1,80}\.)?\w{1,40}error\b", body)
        form = "tail" if tail else "refused" if refused else "timeout"
        yield LineMatch(events.CONNECT_FAILED, form, events.REFUSED if refused else events.TIMED_OUT)


def _is_broker_timeout(body: str, has_port: bool) -> bool:
    """Whether a timeout on connecting concerns the broker's API."""
    names = ("api connection", "gateway", "timeouterror", "interactivebrokers")
    is_named = has_any(names, body)
    return has_port or is_named or BROKER.search(body) is not None


_GATEWAY: Final = r"(?:(?:ib[ -]?)?gateway(?: process)?|ibc|tws|trader workstation)"
# IBC's own line of each session, and those of launchers, supervisors and keepers.
_STARTED: Final = build_pattern(
    r"\bibc\b[^\n]{0,12}\bstarting session\b|\bgateway process not found, starting\b"
    rf"|\b(?:re-?)?(?:start(?:ing|ed)|launch(?:ing|ed)|spawned:?) (?:the |a new |new |'){{0,2}}{_GATEWAY}\b"
    r"(?! (?:time|at|thread|watchdog|handler|data|feed|monitor|client|api|listener|health|connection)\b)"
    rf"|(?<!api )\b{_GATEWAY} (?:was |has been )?(?:re-?)?(?:started|launched|spawned)\b(?! at\b)"
)


def match_gateway_start(line: ParsedLine) -> Iterator[LineMatch]:
    """Yield a start of the gateway; one start is logged by its launcher and by itself."""
    hit = _STARTED.search(line.body)
    if hit is not None and is_asserted(line.body, hit, quoted=True):
        yield LineMatch(events.GATEWAY_STARTED)


_BROKER_NAME: Final = (
    r"(?:\bib\b(?!\s?(?:gateway|api|gw))|\bibkr\b(?!\s?(?:gateway|api|gw))"
    r"|interactive brokers(?!\s?(?:gateway|api)))"
)
_DONE: Final = r"(?:has |have )?(?:been |was |were |is |got )?"
_ENDED: Final = (
    r"(lost|broken|interrupted|down|dropped|severed|cut|gone|restored|re-?established"
    r"|recovered)\b"
)
_LINKS: Final = (
    build_pattern(
        rf"\b(?:connectivity|connection|link)\s{{1,4}}between\s{{1,4}}"
        rf"([^.;:\n]{{1,80}}?)\s{{1,4}}{_DONE}{_ENDED}"
    ),
    build_pattern(
        rf"\b(?:connectivity|connection|link)\s{{1,4}}(?:to|with)\s{{1,4}}"
        rf"((?:the\s)?{_BROKER_NAME}(?:'?s?\s{{1,4}}(?:servers?|backend|network))?)\s{{1,4}}{_DONE}{_ENDED}"
    ),
    build_pattern(
        rf"()\b{_BROKER_NAME}\s{{1,4}}(?:servers?\s{{1,4}})?(?:connectivity|connection|link)"
        rf"\s{{1,4}}{_DONE}{_ENDED}"
    ),
    build_pattern(
        r"()\b(lost)\s{1,4}(?:the\s{1,4})?(?:connectivity|connection|link)\s{1,4}(?:to|with)"
        rf"\s{{1,4}}(?:the\s{{1,4}})?{_BROKER_NAME}"
    ),
    build_pattern(
        r"()\b(re-?established|restored|recovered)\s{1,4}(?:the\s{1,4})?(?:connectivity|connection|link)"
        rf"\s{{1,4}}(?:to|with)\s{{1,4}}{_BROKER_NAME}"
    ),
)
_FARM: Final = build_pattern(r"farm|granj|\bferme\b|ферм|ファーム|农场|農場|팜|fazenda|boerderij|çiftli")
_LOSSES: Final = ("lost", "broken", "interrupted", "down", "dropped", "severed", "cut", "gone")
_ENGLISH: Final = ("connecti", "link")
_FOREIGN: Final = (
    "verbind", "konnekt", "connex", "connectivité", "conexi", "conectiv", "conness", "connett", "conexã",
    "соединени", "связ", "подключени", "połączeni", "bağlant",
    "连接", "連接", "連線", "连线", "联机", "接続", "연결",
)  # fmt: skip
_STATES: Final = (*_LOSSES, "restored", "establish", "recovered")


def match_link(line: ParsedLine) -> Iterator[LineMatch]:
    """Yield a lost or restored link to IBKR's servers; the client's socket to TWS is no such link."""
    body = line.body
    if has_any(_FOREIGN, body):
        if BROKER.search(body) and not HYPOTHETICAL.search(body):
            yield from _match_foreign_link(body)
        return
    if not has_any(_ENGLISH, body) or not has_any(_STATES, body):
        return
    for pattern in _LINKS:
        hit = pattern.search(body)
        if hit is None or not _is_broker_link(hit[1]) or NOT_YET.search(hit[0]):
            continue
        if is_asserted(body, hit):
            yield _build_link_match(hit[2] in _LOSSES, body)
            return


def _is_broker_link(endpoints: str) -> bool:
    """Whether each named end of a link is the broker's; a form without ends names the broker elsewhere."""
    names = endpoints.split(" and ")
    return (
        BROKER.search(endpoints) is not None
        and all(BROKER.search(name) or "server" in name or "gateway" in name for name in names)
    ) or not endpoints


def _match_foreign_link(body: str) -> Iterator[LineMatch]:
    if RESTORED.search(body):
        yield _build_link_match(False, body)
    elif LOST.search(body) and not _FARM.search(body):
        yield _build_link_match(True, body)


def _build_link_match(lost: bool, body: str) -> LineMatch:
    if lost:
        return LineMatch(events.LINK_LOST, note="no code")
    return LineMatch(events.LINK_RESTORED, events.DATA_LOST if DATA_LOST.search(body) else "", "no code")


MATCHERS: Final[tuple[tuple[tuple[str, ...], Callable[[ParsedLine], Iterator[LineMatch]]], ...]] = (
    (("existing session", "this session", " ip", "client"), match_session_conflict),
    (("exit",), match_gateway_exit),
    (("starting", "started", "launch", "spawned"), match_gateway_start),
    (_CONNECTION_TEXTS, match_connection),
)
"""The matchers of gateway and session lines, each with texts of which the line must contain one."""
