"""Reads one structured record, whatever its keys are called: its text, level, time, code and known values.

The text is what a known message key holds, and only without such a text the longest human one. Names of
loggers, containers and hosts are never part of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from detector.formats.patterns import build_pattern
from detector.logs.codes import CODES
from detector.logs.parse.record_fields import (
    ERROR_KEYS,
    TEXT_RANK,
    TIME_TEXT,
    Field,
    is_human,
    iter_fields,
    parse_json,
)

BROKER: Final = build_pattern(
    r"(?<![a-z0-9])(?:ib|ibkr|tws)(?![a-z0-9])|interactive brokers|trader workstation|盈透"
)
"""The broker's names in lower case."""

_LEVEL_KEY: Final = build_pattern(r"level|severity|priority|^lvl$|^sev$|^l$")
_TIME_KEY: Final = build_pattern(r"time|date|^ts$|^t$|^at$|epoch")
_CODE_KEY: Final = build_pattern(
    r"(?:error|err|ib|ibkr|tws|api|msg|message|notice|warning|broker|gateway|event){0,3}code(?:no|number)?"
    r"|(?:ib|ibkr|tws|broker)(?:error|err|message|msg|notice|warning|event)?(?:no|num|number|id)?"
    r"|(?:error|err|errno|errornumber|errorid)"
)
_WEAK_CODE_KEYS: Final = frozenset({"code", "error", "err", "errno", "errornumber", "errorid", "eventcode"})
_TEXT_KEY: Final = build_pattern(
    r"[a-z]{0,12}(?:message|msg|text|string|str|reason|details?|description|desc|notice|error|err|cause|info)"
    r"|body|content|line|payload|raw|note"
)
_REQUEST_KEY: Final = build_pattern(r"(?:req|request|ticker)id|id")
_FACT_KEY: Final = build_pattern(
    r"(?:order|perm|exec|execution|trade|signal|clientorder|position)(?:id|ref|no)|orderref"
    r"|matched|(?:internal|broker|missing|absent)\w{0,20}|\w{0,20}outcome\w{0,20}|unknown\w{0,20}"
    r"|authenticated|competing|session|connected|established|exitcode|httpstatus|status(?:code)?|event"
    r"|farm|(?:order)?(?:intent|purpose|role)|positioneffect|marketdatatype"
)
_PURPOSE_KEYS: Final = frozenset({"kind", "orderkind", "leg", "tag", "side", "action", "ordertype"})
_EXITS: Final = frozenset({"exit", "close", "stop_loss", "stop-loss", "take_profit", "take-profit"})
_ANSWER_KEYS: Final = frozenset({"body", "responsebody", "response", "answer"})
_PATH_KEY: Final = build_pattern(r"(?:request|http)?(?:path|url|uri|endpoint|route)")
_PORTAL_PATH: Final = build_pattern(r"/(?:iserver|portfolio|tickle|sso|trsrv|hmds|v1/(?:api|portal))(?:/|$)")
_LEVEL_NAMES: Final = frozenset(
    {"TRACE", "DEBUG", "DBG", "VERBOSE", "INFO", "INF", "INFORMATION", "NOTICE", "WARN", "WRN", "WARNING",
     "ERROR", "ERR", "ALERT", "FATAL", "FTL", "CRITICAL", "CRIT", "SEVERE", "EMERG", "EMERGENCY", "PANIC"}
)  # fmt: skip
# Sources: pino and bunyan, level numbers; RFC 5424, severities (GELF `level`, journald `PRIORITY`).
NUMBERED_LEVELS: Final = {
    60: "FATAL", 50: "ERROR", 40: "WARN", 30: "INFO", 20: "DEBUG", 10: "TRACE",
    0: "EMERG", 1: "CRIT", 2: "CRIT", 3: "ERR", 4: "WARNING", 5: "NOTICE", 6: "INFO", 7: "DEBUG",
}  # fmt: skip
# Sources: OpenTelemetry's log data model; the levels of Python's logging.
_NUMBERED_BY_KEY: Final[Mapping[str, Mapping[int, str]]] = {
    "severitynumber": dict.fromkeys(range(21, 25), "FATAL") | dict.fromkeys(range(17, 21), "ERROR"),
    "levelno": {50: "CRITICAL", 40: "ERROR", 30: "WARNING", 20: "INFO", 10: "DEBUG"},
}
_LONGEST_FACT, _LONGEST_ERROR, _LONGEST = 60, 400, 8192
_SECOND = 1_000_000_000


class Record(Struct, frozen=True):
    """A structured record: its text with its code before it and its known values after it."""

    text: str
    level: str | None
    time: str | None
    has_text: bool


def build_record(fields: Mapping[str, Any]) -> Record:
    """Return what a record holds; nested objects and JSON inside text are part of it."""
    values = list(iter_fields(fields))
    chosen = _find_text(values)
    text = chosen.value.strip() if chosen else ""
    if chosen and chosen.name not in ERROR_KEYS and not text.startswith("{"):
        text += _find_error_text(values, chosen)
    text = _add_code(values, text)
    facts = (
        f"{_FACT_NAMES.get(field.name, field.name)}={field.value}"
        for field in values
        if field is not chosen and _is_short(field.value) and _is_fact(field)
    )
    is_record = text.startswith("{") and parse_json(text) is not None  # read in its turn
    if not is_record and (added := " ".join(dict.fromkeys(facts))):
        text = f"{text} ; {added}"
    level = next((name for field in values if (name := _read_level(field))), None)
    time = next((time for field in values if (time := _read_time(field)) is not None), None)
    return Record(text[:_LONGEST], level or _find_level(values), time, has_text=chosen is not None)


def _add_code(values: list[Field], text: str) -> str:
    """Return the text behind the record's code, in the form that its key deserves."""
    for field in values:
        code = _read_code(field)
        if code is not None:
            is_request = any(
                _REQUEST_KEY.fullmatch(other.name) and type(other.value) in (int, str) for other in values
            )
            is_proven = field.name not in _WEAK_CODE_KEYS or is_request or BROKER.search(text.lower())
            return f"error {code}, reqId -1: {text}" if is_proven else f"code {code}: {text}"
    return text


def _find_error_text(values: list[Field], chosen: Field) -> str:
    """Return what stands beside the message, as `: text`, or nothing.

    It is the error of Go and Node loggers, and the broker's own text where the record holds a listed code.
    """
    has_code = any(_read_code(field) in CODES for field in values)
    for field in values:
        if field.name in _ANSWER_KEYS and field is not chosen and (answer := _read_answer(field.value)):
            return f": {answer[:_LONGEST_ERROR]}"
        is_beside = field.name in (*ERROR_KEYS, "reason", "args", "splat") or (
            field.in_error and field.name in TEXT_RANK
        )
        if (
            (is_beside or (has_code and _TEXT_KEY.fullmatch(field.name)))
            and field is not chosen
            and isinstance(field.value, str)
            and field.value not in chosen.value
            and is_human(field.value)
        ):
            return f": {field.value.strip().partition(chr(10))[0][:_LONGEST_ERROR]}"
    return ""


def _read_answer(value: object) -> str:
    """Return the error in an answer that is JSON as text, or nothing."""
    fields = parse_json(value) if isinstance(value, str) and value[:1] == "{" else None
    texts = (item for key, item in (fields or {}).items() if key.lower() in ERROR_KEYS)
    return next((text for text in texts if isinstance(text, str) and is_human(text)), "")


_FACT_NAMES: Final = {
    "orderid": "order_id", "permid": "perm_id", "execid": "exec_id", "tradeid": "trade_id",
    "signalid": "signal_id", "executionid": "execution_id", "clientorderid": "order_id",
    "orderref": "order_ref", "orderno": "order_no", "internalcount": "internal_count",
    "brokercount": "broker_count", "internalpositions": "internal_positions",
    "brokerpositions": "broker_positions", "sendoutcomeunknown": "send_outcome_unknown",
    "unknownfill": "unknown_fill", "unknownfills": "unknown_fills", "missingbroker": "missing_broker",
    "missinginternal": "missing_internal", "missingbrokerpositions": "missing broker positions",
    "missinginternalpositions": "missing internal positions", "statuscode": "status_code",
}  # fmt: skip


def _find_text(values: list[Field]) -> Field | None:
    """Return the field that holds the record's text, or None where none does."""
    texts = [field for field in values if isinstance(field.value, str) and field.value.strip()]
    known = [field for field in texts if field.name in TEXT_RANK]
    sentences = [field for field in known if is_human(field.value)]
    if sentences:
        return min(sentences, key=lambda field: (field.depth, TEXT_RANK[field.name]))
    human = [field for field in texts if is_human(field.value)]
    if human:
        return max(human, key=lambda field: len(field.value))
    return min(known, key=lambda field: (field.depth, TEXT_RANK[field.name]), default=None)


def _find_level(values: list[Field]) -> str | None:
    """Return the first value that is a level's name, whatever its key."""
    texts = (field.value for field in values if isinstance(field.value, str))
    words = (text.strip().upper() for text in texts if len(text) <= len("INFORMATION"))
    return next((word for word in words if word in _LEVEL_NAMES), None)


def _read_level(field: Field) -> str | None:
    value = field.value
    if not _LEVEL_KEY.search(field.name):
        return None
    if isinstance(value, str):
        if value.strip().upper() in _LEVEL_NAMES:
            return value.strip().upper()
        value = int(value) if value.isdecimal() and len(value) <= len("60") else None
    if type(value) is not int:
        return None
    return _NUMBERED_BY_KEY.get(field.name, NUMBERED_LEVELS).get(value)


def _read_time(field: Field) -> str | None:
    value = field.value
    if isinstance(value, str):
        if TIME_TEXT.fullmatch(value.strip()):
            return value.strip()
        value = value.removeprefix("/Date(").removesuffix(")/")  # as .NET and PowerShell write it in JSON
        value = int(value) if value.isdecimal() and len(value) <= len("1780411291104482000") else None
    if type(value) not in (int, float) or not _TIME_KEY.search(field.name) or value < _SECOND:
        return None
    return str(value)


def _read_code(field: Field) -> int | None:
    """Return the number that a code's key holds; a key without the word must hold a code that is listed."""
    if not _CODE_KEY.fullmatch(field.name):
        return None
    value = field.value
    if isinstance(value, str) and value.isdecimal() and len(value) <= len("10197"):
        value = int(value)
    return value if type(value) is int and ("code" in field.name or value in CODES) else None


def _is_fact(field: Field) -> bool:
    """Whether a value belongs to what the record says: an id, a count, a path of the Client Portal."""
    if _PATH_KEY.fullmatch(field.name):
        return isinstance(field.value, str) and _PORTAL_PATH.search(field.value) is not None
    if field.name in _PURPOSE_KEYS:
        return isinstance(field.value, str) and field.value.strip().lower() in _EXITS
    return _FACT_KEY.fullmatch(field.name) is not None


def _is_short(value: object) -> bool:
    if isinstance(value, list):
        return len(value) <= _LONGEST_FACT and all(isinstance(item, str | int | float) for item in value)
    return isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= _LONGEST_FACT)
