"""Matches the wording of logins and sessions: IBC's dialogs, ibeam, the Client Portal gateway, launchers.

A login that failed is a failure of the gateway. One that will not come by itself is due: a person must act.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from detector.formats.patterns import build_pattern
from detector.logs import events
from detector.logs.parse.line import ParsedLine
from detector.logs.parse.vocabulary import LineMatch, Phrase, match_phrases

_LOGIN = r"log[ -]?(?:in|on)"
_FACTOR = r"\b(?:second[ -]factor|two[ -]factor|2fa|ib key|2-factor)\b"
_OTHER_SERVICE: Final = build_pattern(
    r"redis|postgres|psycopg|mysql|mariadb|mongo|kafka|rabbitmq|amqp|elastic|slack|smtp|imap|dynamodb"
    r"|\bsqs\b"
    r"|\bs3\b|grafana|prometheus|influx|vault|consul|dashboard|webhook|telegram|discord|\bssh|\bvnc\b|ldap"
    r"|database|\bdb\b|\bweb ?ui\b|for user '|docker (?:hub|registry)|registry"
)
FAILURES: Final = (
    Phrase(events.GATEWAY_FAILED, "login", "login failed", build_pattern(
        rf"\b{_LOGIN} (?:has |attempt )?failed\b(?! (?:count|times|attempts?|limit|today))"
        r"|\blogging in (?:has )?failed\b|\b(?:failed|unable|could not|cannot) to log ?[io]n\b"
        rf"|\b{_LOGIN} failure\b|\btoo many failed {_LOGIN}"
        r"|\bunrecogni[sz]ed user ?name or password\b|\b(?:invalid|incorrect"
        r"|wrong) user ?name[^.\n]{0,12} password"
        r"|\b(?:rejected|refused) (?:the |our )?log[ -]?in\b|\blog[ -]?in (?:was |is "
        r"|has been )?(?:rejected|refused)"
        r"|\berror (?:displayed|shown) by the login\b"
        rf"|\b{_LOGIN} (?:dialog|window|page|screen|form) (?:did not|didn't|never) "
        r"(?:appear|display|show|open|load)\w{0,3}\b"
        r"|\bmax(?:imum)? (?:number of )?failed (?:authentication|login|auth)[^\n]{0,60}\breached\b"
        r"|\baccount (?:is |has been |was )?locked\b(?=[^\n]{0,80}log[ -]?in)"
        r"|\b(?:error|exception) (?:encountered )?(?:during|in) authenticat"
        r"|\bauthentication (?:process |attempt )?failed\b(?=[^\n]{0,80}(?:ib\b|ibkr|ibeam|gateway"
        r"|broker)|\s*$)"
        r"|\brepeatedly re-?authenticating failed\b|\bmax re-?authenticate retries reached\b"
        r"|\bre-?authenticat(?:ion|e|ing) failed\b"
    ), unless=_OTHER_SERVICE),
    Phrase(events.GATEWAY_FAILED, "re-login", "a re-login is required", build_pattern(
        r"\bre-?log ?-?(?:in|on)\b(?:(?!\b(?:not|no|never)\b)[^.\n]){0,20}\b(?:required|needed)\b"
    )),
    Phrase(events.GATEWAY_FAILED, "second factor", "second factor not completed", build_pattern(
        rf"{_FACTOR}[^.\n]{{0,80}}?\b(?:timed[ -]?out|timeout|(?:has |was )?expired|time-?out"
        r"|(?:has |was |is )?not (?:been )?(?:completed|approved|confirmed|answered|received)"
        r"|(?:has |was |is )?(?:failed|rejected|denied|declined)|never completed)\b"
        rf"(?! (?:action|setting|is \d|set to|=))|\b(?:timed out|timeout) (?:while "
        rf"|waiting )?for (?:the )?{_FACTOR}"
        rf"|\b{_LOGIN} (?:has |was |did )?not (?:been )?completed?\b[^.\n]{{0,20}}"
        rf"\b(?:after|within|in|since)\b[^.\n]{{0,40}}{_FACTOR}"
    ), unless=_OTHER_SERVICE),
    Phrase(events.GATEWAY_FAILED, "session", "the session is active but not authenticated", build_pattern(
        r"\bsession (?:is |found |found but )?(?:active )?but (?:is )?not authenticated\b(?!, (?:logging"
        r"|authenticating))"
        r"|\bactive but not authenticated\b"
    )),
    Phrase(events.GATEWAY_FAILED, "dialog", "a dialog that nobody handles", build_pattern(
        r"\b(?:could not|couldn't|cannot|can't|unable to|failed to) (?:handle|close|dismiss"
        r"|find a handler for)"
        r"\b[^\n]{0,40}\b(?:dialog|window|frame|popup)"
        r"|\b(?:unhandled|unexpected|unknown) dialog\b"
    )),
)  # fmt: skip
LOGINS_DUE: Final = (
    Phrase(events.LOGIN_DUE, "re-login", "a re-login is required", FAILURES[1].pattern),
    Phrase(events.LOGIN_DUE, "second factor", "the second factor was not completed", FAILURES[2].pattern,
           unless=_OTHER_SERVICE),
    Phrase(events.LOGIN_DUE, "restart", "no restart without a full login", build_pattern(
        r"\b(?:auto-?)?restart (?:file|token)\b[^.\n]{0,30}"
        r"\b(?:not found|missing|expired|invalid|absent|does not exist|rejected)\b"
        r"|\bno (?:valid )?(?:auto-?)?restart (?:file|token)\b"
        rf"|\bfull (?:re-?)?(?:authentication|{_LOGIN})\b[^.\n]{{0,40}}\b(?:required|needed|necessary)\b"
    )),
)  # fmt: skip
_ASKED: Final = build_pattern(
    rf"{_FACTOR}(?: authentication)?[^.\n]{{0,30}}\b(?:initiated|requested|required|waiting|pending)\b"
    rf"|\bwaiting for (?:the )?(?:user to complete )?(?:the )?{_FACTOR}"
)
_CONFLICT: Final = Phrase(events.SESSION_CONFLICT, "session", "a competing session", build_pattern(
    r"\bcompeting (?:\w{1,12} ){0,2}session (?:was |is )?(?:found|detected|exists|active|present|holds)\b"
    r"|\b(?:found|detected) (?:a |another )?competing (?:\w{1,12} ){0,2}session\b"
    r"|\banother session\b[^.\n]{0,30}\b(?:competes|competing|took over|already (?:logged in|active|open))\b"
))  # fmt: skip
_LOGGED_IN: Final = build_pattern(
    r"\blogin has completed\b|\b(?:gateway|session) (?:is )?running and authenticated\b"
    r"|\blogged in (?:successfully )?to (?:the )?(?:ib|ibkr|tws|gateway|interactive brokers)\b"
)
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
    yield from match_phrases((_CONFLICT,), body)
    competing, authenticated = _COMPETING.search(body), _AUTHENTICATED.search(body)
    if authenticated is None:
        return
    if competing is not None and competing[1] == "true":
        yield LineMatch(events.SESSION_CONFLICT, "session", "a competing session")
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
        ),
        match_login,
    ),
    (("competing", "authenticated", "another session"), match_session_status),
    (("restart time", "off time"), match_restart_time),
)
"""The matchers of logins and sessions, each with texts of which the line must contain one."""
