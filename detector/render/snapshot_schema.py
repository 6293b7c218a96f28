"""The schema of a snapshot, generated from the sections, the facts and the columns that are declared.

The schema forbids input that the program rejects: an unknown section, a section of the wrong kind, a naive
`taken_at`. It allows values that the program treats as not seen, such as a count that is text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from detector.domain.broker_rows import BrokerOrder, BrokerPosition, Execution
from detector.domain.columns import (
    HANDSHAKE,
    MODE,
    ROWS,
    SCOPE,
    SOURCE_STATE,
    UPS_STATUS,
    get_columns,
    list_terms,
)
from detector.domain.facts import STATUS_FACTS
from detector.domain.profile import HEARTBEAT_AGE, ORDER_AGE, POSITION_STATE, TRADES
from detector.domain.shape import OWN_TIMES
from detector.domain.snapshot import SECTIONS, STATUS_SECTIONS
from detector.domain.task_rows import LocalProcess
from detector.domain.trade_rows import StoredPosition, Trade

Schema = dict[str, Any]

# RFC 3339 with its offset, as detector.formats.times reads it; [0-9], for \d matches more in other dialects.
TIME_PATTERN = (
    "^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,18})?([Zz]|[+-][0-9]{2}:[0-9]{2})$"
)
_JSON_KINDS: Mapping[type, str] = {dict: "object", list: "array"}
_EXAMPLES: Mapping[str, list[Any]] = {
    "time": ["2026-06-02T14:59:48Z", 1780412388],
    "day or time": ["2026-06-02", "2026-06-02T14:59:48Z"],
    "age": [12],
    "count": [0],
    "exit code": [0, -15],
    "number": [5.5],
    "contract number": [727.5, "727.50"],
    "quantity": [39, -39, 0.5],
    "flag": [False],
    "flag or count": [False, 0],
    "count or list": [0, []],
    "text": ["ok"],
    "texts": [["Broker"]],
    "csv": ["ClientAccountID,Symbol,Quantity"],
    "id": ["162", 162],
    "contract id": ["756733", 756733],
    "side": ["BUY", -1],
    "sign": ["LONG", -1],
    "state": ["OPEN", "CLOSED"],
}
_SOURCE = {
    "state": (SOURCE_STATE, "ok, failed or off"),
    "as_of": ("time", "when its content was true"),
    "reason": ("text", "why it failed, in one word"),
    "detail": ("text", "why it failed, in its own words"),
    "elapsed_ms": ("number", "how long it took"),
}
_AS_OF = "when its content was true, with an offset; `taken_at` where it is left out"
_ECS = {
    "as_of": _AS_OF,
    "services": "`services` of DescribeServices",
    "failures": "`failures` of DescribeServices",
    "tasks": "`tasks` of DescribeTasks, for all running tasks of the cluster",
    "stopped_tasks": "`tasks` of DescribeTasks, for the tasks that stopped recently",
}
_BROKER: Mapping[str, tuple[str, str]] = {
    "as_of": ("time", "when what it says was true"),
    "connected": (
        "flag",
        "whether the export was connected to the broker; its lists are ignored where it was not",
    ),
    "account": ("id", "the account of the runtime"),
    "mode": (MODE, "paper or live"),
    "port": ("count", "the API port that it was read through"),
    **{
        f"{name}_scope": (
            SCOPE,
            "all; client where they are one API client's, cache where they are kept since",
        )
        for name in ("positions", "open_orders", "executions")
    },
}
_FLEX = {"positions_csv": "the Open Positions of a Flex statement", "trades_csv": "its Trades"}
_LOGS = {
    "as_of": _AS_OF,
    "events": "lines, or `events` of FilterLogEvents with `timestamp` in milliseconds and `message`",
    "from": "from when on lines were read",
    "to": "up to when lines were read",
    "truncated": "true where lines are missing between the two",
    "nextToken": "the next page of FilterLogEvents: lines are missing",
    "NextToken": "the same, as the AWS CLI writes it",
}


_GATEWAY: Mapping[str, tuple[str, str]] = {
    "as_of": ("time", _AS_OF),
    "host": ("text", "the machine of the gateway"),
    "port": ("count", "its API port"),
    "listening": ("flag", "whether a process listens on it"),
    "handshake": (HANDSHAKE, "ok, silent, refused or not_tried"),
    "handshake_at": ("time", "when the handshake was tried"),
    "server_version": ("count", "the version that the handshake was answered with"),
    "established": ("count", "established connections of the port"),
    "close_wait": ("count", "connections that the other end closed and the gateway did not"),
    "error": ("text", "why one of these was not seen"),
}
_POWER: Mapping[str, tuple[str, str]] = {
    "as_of": ("time", _AS_OF),
    "status": (UPS_STATUS, "the words of NUT: OL, OB, LB, …"),
    "battery_charge": ("number", "what the battery holds, in per cent"),
    "battery_runtime_sec": ("number", "how long the battery lasts, in seconds"),
}


def build_snapshot_body() -> Schema:
    """Return the schema's body."""
    taken_at = {
        "type": ["string", "null"],
        "format": "date-time",
        "pattern": TIME_PATTERN,
        "description": "when the snapshot was taken, with an offset from UTC; now where it is left out",
    }
    runtime = {
        "type": ["string", "null"],
        "pattern": "\\S",
        "description": "the name of what is watched; AEGIS_PT_RUNTIME where it is left out",
    }
    sections = {name: _build_section(name) for name in SECTIONS}
    return {
        "$comment": "Inside a section nothing is forbidden: a value that cannot be read as its x-reads-as is "
        "not seen, and the event reading_invalid names it. x-worse says which of two payloads counts.",
        "type": "object",
        "properties": {"taken_at": taken_at, "runtime": runtime, **sections},
        "additionalProperties": False,
        "$defs": {"status": _build_status()},
    }


def _build_section(name: str) -> Schema:
    kinds, description = SECTIONS[name]
    schema: Schema = {"type": [*(_JSON_KINDS[kind] for kind in kinds), "null"]} if kinds else {}
    schema["description"] = description
    schema |= _CONTENTS[name]() if name in _CONTENTS else {}
    own_time = schema.get("properties", {}).get(OWN_TIMES[0])
    if own_time:
        schema["properties"] |= dict.fromkeys(OWN_TIMES[1:], own_time)
    return schema


def _build_stores() -> Schema:
    return {
        "as_of": _describe_value("time", "when what it says was true"),
        POSITION_STATE: _build_rows(
            "what is open, under the store's own column names or these", StoredPosition
        ),
        TRADES: _build_rows("what was traded, under the store's own column names or these", Trade),
    }


def _describe_values(values: Mapping[str, tuple[str, str]]) -> Schema:
    return {key: _describe_value(kind, text) for key, (kind, text) in values.items()}


def _build_status() -> Schema:
    facts = {name: _build_fact(spec) for name, spec in STATUS_FACTS.items()}
    facts[HEARTBEAT_AGE] = _describe_value("age", "seconds since the last heartbeat, instead of heartbeat_at")
    facts["orders"]["items"]["properties"][ORDER_AGE] = _describe_value(
        "age", "seconds since it was submitted, instead of submitted_at"
    )
    return {
        "description": "a status payload under the names of the built-in profile; other keys are left alone",
        "properties": facts,
    }


def _build_fact(spec: Mapping[str, Any]) -> Schema:
    if spec["kind"] != ROWS:
        return {**_describe_value(spec["kind"], spec["doc"]), "x-worse": spec["worse"]}
    return _build_rows(spec["doc"], spec["row"])


def _build_rows(description: str, row: type[Any]) -> Schema:
    columns = get_columns(row)
    rows = {name: _describe_value(column["kind"], column["doc"]) for name, column in columns.items()}
    return {"description": description, "x-reads-as": "rows", "items": {"properties": rows}}


def _build_broker() -> Schema:
    properties = _describe_values(_BROKER)
    properties["positions"] = _build_broker_rows(
        "what the broker holds, under these names, those of TWS or those of Flex", BrokerPosition
    )
    properties["open_orders"] = _build_broker_rows("orders that work at the broker", BrokerOrder)
    properties["executions"] = _build_broker_rows("what was executed", Execution)
    properties["flex"] = {
        "properties": {key: _describe_value("csv", description) for key, description in _FLEX.items()}
    }
    properties["statement"] = {
        "description": "a statement, or its text (XML, CSV): fills as of its own time, not what is held",
        "properties": {
            "as_of": _describe_value("time", "when the statement was generated"),
            "executions": _build_broker_rows("its trades, under Flex's names or these", Execution),
            "trades_csv": _describe_value("csv", "or its Trades as CSV"),
        },
    }
    return properties


def _build_broker_rows(description: str, row: type[Any]) -> Schema:
    """Return the rows of the broker, which may have the broker's own names of the columns too."""
    rows = _build_rows(description, row)
    rows["items"]["x-names"] = "broker"
    return rows


def _describe_value(kind: str, description: str) -> Schema:
    described = {"description": description} if description else {}
    return {**described, "x-reads-as": kind, "examples": _EXAMPLES.get(kind) or list_terms(kind)[:2]}


_CONTENTS: Mapping[str, Callable[[], Schema]] = {
    **dict.fromkeys(STATUS_SECTIONS, lambda: {"$ref": "#/$defs/status"}),
    "ecs": lambda: {"properties": {key: {"description": text} for key, text in _ECS.items()}},
    "logs": lambda: {"properties": {key: {"description": text} for key, text in _LOGS.items()}},
    "broker": lambda: {"properties": _build_broker()},
    "stores": lambda: {"properties": _build_stores()},
    "gateway": lambda: {"properties": _describe_values(_GATEWAY)},
    "power": lambda: {"properties": _describe_values(_POWER)},
    "processes": lambda: {"items": _build_rows("", LocalProcess)["items"]},
    "sources": lambda: {"additionalProperties": {"properties": _describe_values(_SOURCE)}},
}
