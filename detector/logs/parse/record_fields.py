"""The fields of one structured record, from JSON or logfmt, whatever its keys are called.

Sources of the keys: the JSON forms of Docker, journald, GELF, ECS, Cloud Logging, Serilog, zap, pino, bunyan,
structlog and python-json-logger.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from operator import itemgetter
from typing import Any, Final, NamedTuple

from detector.formats.patterns import build_pattern, has_any
from detector.formats.similar_names import normalize_key

# In the order in which they are preferred; compared in lower case, without punctuation.
_TEXT_KEYS: Final = (
    "formatted",
    "message", "msg", "m", "renderedmessage", "mt", "messagetemplate", "log", "text", "shortmessage",
    "fullmessage", "logmessage", "textpayload", "body", "line", "content", "errormessage", "errormsg",
    "errorstring", "errortext", "error", "err", "detail", "details", "description", "reason", "event",
    "raw", "logs", "resultdescription", "logentry",
)  # fmt: skip
TEXT_RANK: Final = {key: rank for rank, key in enumerate(_TEXT_KEYS)}
_TEMPLATES: Final = ("mt", "messagetemplate")
ERROR_KEYS: Final = frozenset(
    {"error", "err", "errormessage", "errormsg", "errorstring", "errortext", "exception", "cause"}
)
TIME_TEXT: Final = build_pattern(
    r"\d{4}[-/.]?\d\d[-/.]?\d\d[T_ ]\s?\d\d:?\d\d:?\d\d(?:[.,:]\d{1,9})?\s?(?:Z|UTC|GMT|[+-]\d\d:?\d\d)?"
)
_PAIR: Final = build_pattern(
    r"([A-Za-z_@][\w.@-]{0,60})=(\"(?:[^\"\\]|\\.)*+\"|'(?:[^'\\]|\\.)*+'|\{[^{}]*+\}|[^\s\"']*+)(?=\s|$)"
)
_ESCAPE: Final = build_pattern(r"\\(.)")
_PLACE: Final = build_pattern(r"\{[@$]?([\w.]{1,40})(?:[,:][^{}]{0,20})?\}")
_MAX_VALUES, _MAX_DEPTH = 400, 8
_LONGEST_PREFIX, _LONGEST_TEXT, _MOST_ITEMS, _DEEPEST = 300, 1000, 20, 64
_TOKEN: Final = build_pattern(r'"(?:[^"\\]++|\\.)*+("|\\?\Z)|[{}\[\],]')
_CUT_ESCAPE: Final = build_pattern(r"\\(?:u[0-9a-fA-F]{0,3})?\Z")
# Source: the CloudWatch Logs API reference, GetQueryResults.
_FIELD: Final = frozenset({"field", "value"})
_INSIGHTS_TIME: Final = "@timestamp"
_NAIVE: Final = build_pattern(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}")
_LISTED: Final = ("{", "[")
# Where a vendor's whole answer lists its records. Sources: FilterLogEvents, GetQueryResults and the message
# of a subscription of CloudWatch; searches of Elastic, Splunk, Datadog; Loki; Kubernetes; Cloud Logging.
_ROW_PATHS: Final = (
    ("events",), ("results",), ("logEvents",), ("hits", "hits"), ("data", "result"), ("data",), ("items",),
    ("entries",),
)  # fmt: skip
_ROW_SIGNS: Final = tuple(sorted({f'"{path[-1]}":' for path in _ROW_PATHS}))
_OWN_KEY: Final = build_pattern(r"level|severity|lvl|ts|time|timestamp|datetime")


class Field(NamedTuple):
    """One value of a record: its normalised key, how deep it stands, and whether it belongs to an error."""

    name: str
    value: Any
    depth: int = 0
    in_error: bool = False


def parse_json(text: str) -> dict[str, Any] | None:
    """Return the JSON object that the text is, or None."""
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return fields if isinstance(fields, dict) else None


def parse_cut_json(text: str) -> dict[str, Any] | None:
    """Return what a JSON object holds whose end was cut off, or None for other text."""
    if text[:2] != '{"':
        return None
    closers: list[str] = []
    last_comma, is_open = (0, ""), False
    for hit in _TOKEN.finditer(text):
        mark = hit[0]
        if mark[0] == '"':
            is_open = hit[1] != '"'
        elif mark in "{[":
            closers.insert(0, "}" if mark == "{" else "]")
        elif mark == ",":
            last_comma = (hit.start(), "".join(closers[:_DEEPEST]))
        else:
            del closers[:1]
    whole = _CUT_ESCAPE.sub("", text) + '"' if is_open else text
    end, closing = last_comma
    return parse_json(whole + "".join(closers)) or parse_json(text[:end] + closing)


def limit_record(line: str) -> str:
    """Return a line with the long texts of its JSON record cut, so that none hides the fields behind it."""
    start = line.find('{"', 0, _LONGEST_PREFIX)
    fields = None if start < 0 else parse_json(line[start:]) or parse_cut_json(line[start:])
    return line if fields is None else line[:start] + json.dumps(_cut_texts(fields), ensure_ascii=False)


def _cut_texts(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _cut_texts(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_cut_texts(item) for item in value[:_MOST_ITEMS]]
    return value[:_LONGEST_TEXT] if isinstance(value, str) else value


def split_list(text: str) -> list[str]:
    """Return each record of a line that lists them, as JSON; any other line as it is."""
    records = parse_list(text)
    if records is None and text[:1] == "{" and has_any(_ROW_SIGNS, text):
        records = list_rows(parse_json(text) or {})
    return [text] if records is None else [json.dumps(record) for record in records]


def parse_list(text: str) -> list[dict[str, Any]] | None:
    """Return the records of a text that is a JSON list of them, or None for other text.

    A row of CloudWatch Logs Insights, a list of `{"field": …, "value": …}`, is one record.
    """
    if text[:1] != "[" or text[1:2] not in _LISTED:
        return None
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return list_records(rows)


def list_records(rows: list[Any]) -> list[dict[str, Any]] | None:
    """Return the records that a list holds, or None where it holds anything else."""
    row = _join_fields(rows)
    records = [row] if row else [item if isinstance(item, dict) else _join_fields(item) for item in rows]
    whole = [record for record in records if record]
    return whole if whole and len(whole) == len(records) else None


def list_rows(fields: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """Return the records of a vendor's whole answer.

    It is None for a record, which has a text, a time or a level beside its lists.
    """
    for key, value in fields.items():
        name = normalize_key(key)
        if _OWN_KEY.fullmatch(name) or (name in TEXT_RANK and isinstance(value, str)):
            return None
    for path in _ROW_PATHS:
        rows: Any = fields
        for key in path:
            rows = rows.get(key) if isinstance(rows, dict) else None
        records = list_records(rows) if isinstance(rows, list) else None
        if records:
            return [record for row in records for record in _list_values(row)]
    return None


def _list_values(row: dict[str, Any]) -> list[dict[str, Any]]:
    """Return each line of one of Loki's streams as a record, any other row as it is."""
    values = row.get("values")
    if "stream" not in row or not isinstance(values, list):
        return [row]
    return [{"time": pair[0], "message": pair[1]} for pair in values if isinstance(pair, list) and pair[1:]]


def _join_fields(row: object) -> dict[str, Any] | None:
    """Return a row that is written as a list of its fields, each with its value; None for another one."""
    if not isinstance(row, list) or not all(isinstance(item, dict) and item.keys() == _FIELD for item in row):
        return None
    fields = {str(item["field"]): item["value"] for item in row}
    at = fields.get(_INSIGHTS_TIME)
    if isinstance(at, str) and _NAIVE.fullmatch(at):
        fields[_INSIGHTS_TIME] = f"{at}Z"  # as Insights writes UTC
    return fields


def parse_pairs(text: str) -> dict[str, Any] | None:
    """Return the pairs of a logfmt line, or None for other text.

    Such a line is pairs only, or words and then pairs of which one is a quoted message.
    """
    has_quotes = '="' in text or "='" in text
    first = _PAIR.search(text) if has_quotes else None
    if first is None:
        return None
    head, pairs, rest = text[: first.start()].strip(), list(_PAIR.finditer(text)), _PAIR.sub("", text)
    fields: dict[str, Any] = {pair[1]: _parse_value(pair[2]) for pair in pairs}
    quoted = [pair[1] for pair in pairs if pair[2][:1] in "\"'" and is_human(fields[pair[1]])]
    if not quoted or (rest.strip() and not any(normalize_key(key) in TEXT_RANK for key in quoted)):
        return None
    return {"event": head, **fields} if head else fields


def _parse_value(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return _ESCAPE.sub(lambda hit: "\n" if hit[1] == "n" else hit[1], value[1:-1])
    return value


def iter_fields(fields: Mapping[str, Any]) -> Iterator[Field]:
    """Yield every field of a record, the outer ones first; templates are filled."""
    level: list[tuple[int, bool, Mapping[str, Any]]] = [(0, False, fields)]
    count = 0
    for depth in range(_MAX_DEPTH):
        deeper: list[tuple[int, bool, Mapping[str, Any]]] = []
        for _, in_error, mapping in level:
            for key, value in list(mapping.items())[: _MAX_VALUES - count]:
                count += 1
                name = normalize_key(key)
                is_error = in_error or name in ERROR_KEYS
                deeper += [
                    (TEXT_RANK.get(name, len(TEXT_RANK)), is_error, item) for item in _list_objects(value)
                ]
                if name in _TEMPLATES and isinstance(value, str):
                    value = _format_template(value, mapping)  # noqa: PLW2901 - the message in its final form
                if name == "message" and isinstance(value, list):
                    value = _decode_bytes(value)  # noqa: PLW2901 - as journald writes what is not UTF-8
                if not isinstance(value, dict):
                    yield Field(name, value, depth, in_error)
                if isinstance(value, list):
                    yield from (Field(name, text, depth, in_error) for text in _list_texts(value))
        level = sorted(deeper, key=itemgetter(0))


def _decode_bytes(value: list[Any]) -> list[Any] | str:
    """Return the text of a list of bytes, any other list as it is."""
    try:
        return bytes(value).decode("utf-8", "replace")
    except (TypeError, ValueError):
        return value


def _list_objects(value: object) -> list[Mapping[str, Any]]:
    """Return the objects that a value is or lists."""
    if isinstance(value, dict):
        return [value]
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _list_texts(value: list[Any]) -> Iterator[str]:
    """Yield the texts of a list and of the lists in it, as Loki's pushes have them."""
    for item in value[:_MAX_VALUES]:
        for text in item[:_MAX_VALUES] if isinstance(item, list) else (item,):
            if isinstance(text, str):
                yield text


def _format_template(template: str, fields: Mapping[str, Any]) -> str:
    properties = fields.get("Properties")  # Serilog's own JSON keeps the values there
    inner = properties if isinstance(properties, dict) else {}
    return _PLACE.sub(lambda place: str(fields.get(place[1], inner.get(place[1], place[0]))), template)


def is_human(text: str) -> bool:
    """Whether a value is a sentence, or a record of its own, and not a name, a time or a number."""
    text = text.strip()
    if text[:1] == "{":
        return len(text) > len("{}")
    return (" " in text or not text.isascii()) and not TIME_TEXT.fullmatch(text)


def has_message(fields: Mapping[str, Any]) -> bool:
    """Whether a known message key of the record holds a sentence."""
    return any(
        field.name in TEXT_RANK and isinstance(field.value, str) and is_human(field.value)
        for field in iter_fields(fields)
    )
