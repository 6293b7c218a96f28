"""What the tests of log lines share: documents with lines, and what is told of them, run after run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from detector.domain.report import Report
from detector.domain.run_memory import FIRST_RUN, Memory
from detector.settings import Settings
from tests.support.merge_patch import apply_patch
from tests.support.snapshots import DEFAULTS, evaluated, healthy, named, remembered

NOON = datetime(2026, 6, 2, 15, 0, tzinfo=UTC)  # 11:00 in New York, in the session
NIGHT = datetime(2026, 6, 3, 4, 0, tzinfo=UTC)  # midnight in New York, in the nightly reset

LOST = "ib_async.wrapper ERROR Error 1100, reqId -1: Connectivity between IBKR and Trader Workstation has been lost."
BACK = "ib_async.wrapper ERROR Error 1102, reqId -1: Connectivity between IBKR and Trader Workstation has been restored - data maintained."
BACK_DATA_LOST = "ib_async.wrapper ERROR Error 1101, reqId -1: Connectivity between IBKR and Trader Workstation has been restored - data lost."
BACK_WITHOUT = (
    "ib_async.wrapper ERROR Error 1102, reqId -1: Connectivity between IBKR and Trader Workstation has been restored - "
    "data maintained. The following farms are connected: usfarm; secdefil. The following farms are not connected: {}."
)
FARM_DOWN = "ib_async.wrapper INFO Warning 2103, reqId -1: Market data farm connection is broken:{}"
FARM_UP = "ib_async.wrapper INFO Warning 2104, reqId -1: Market data farm connection is OK:{}"
STREAM_DEAD = "ib_async.wrapper ERROR Error 10182, reqId 41: Failed to request live updates (disconnected)."
CLIENT_ID = (
    "ib_async.wrapper ERROR Error 326, reqId -1: Unable to connect as the client id is already in use."
)
REFUSED = "ib_async.client ERROR API connection failed: ConnectionRefusedError(111, \"Connect call failed ('127.0.0.1', 4002)\")"
READY = "ib_async.client INFO API connection ready"
CRITICAL_LINE = "CRITICAL trader.loop: cycle {} aborted"
PROOF = "position reconciliation OK matched=8 internal_count=8 broker_count=8"


def ms(at: datetime) -> int:
    """Return epoch milliseconds, as CloudWatch writes times."""
    return round(at.timestamp() * 1000)


def event(at: datetime, message: str, stream: str | None = None) -> dict[str, Any]:
    """Return one CloudWatch event."""
    made: dict[str, Any] = {"timestamp": ms(at), "message": message}
    return made if stream is None else {**made, "logStreamName": stream}


def ago(seconds: float, message: str, now: datetime = NOON) -> dict[str, Any]:
    """Return an event of that many seconds ago."""
    return event(now - timedelta(seconds=seconds), message)


def document(logs: Any, now: datetime = NOON, **patch: Any) -> dict[str, Any]:
    """Return the healthy snapshot at that time with these logs."""
    text = now.isoformat().replace("+00:00", "Z")
    base = apply_patch(healthy(), {"taken_at": text, "status_v3": {"heartbeat_at": text}})
    made: dict[str, Any] = apply_patch({**base, "logs": logs}, patch)
    return made


def seen(
    logs: Any, now: datetime = NOON, memory: Memory | None = None, settings: Settings = DEFAULTS, **patch: Any
) -> Report:
    """Evaluate the healthy snapshot with these logs."""
    return evaluated(document(logs, now, **patch), memory, settings)


def window(lines: Iterable[dict[str, Any]], since: datetime, to: datetime) -> dict[str, Any]:
    """Return the logs section that a collector would have read for that window, both ends included."""
    found = [line for line in lines if ms(since) <= line["timestamp"] <= ms(to)]
    return {"events": found, "from": since.isoformat(), "to": to.isoformat()}


def named_of(report: Report, *types: str) -> list[str]:
    """Return the events of these types as `severity type[:subject]`."""
    return [one for one in named(report) if one.split(" ")[1].split(":")[0] in types]


def told_of(
    runs: Sequence[tuple[datetime, Any]], settings: Settings = DEFAULTS, **patch: Any
) -> list[list[str]]:
    """Return what each run tells anew of these lines but for proofs that they owe, and for gaps between
    runs.
    """
    told = told_over(runs, settings, **patch)
    return [
        [one for one in run if "reconcile_unproven" not in one and "watch_gap" not in one] for run in told
    ]


def told_over(
    runs: Sequence[tuple[datetime, Any]], settings: Settings = DEFAULTS, **patch: Any
) -> list[list[str]]:
    """Return what each run tells anew, as `reason severity type[:subject]`, each remembering the one before.

    None as logs is a run in which no logs were seen.
    """
    memory, told = FIRST_RUN, []
    for now, logs in runs:
        report = (
            seen(logs, now, memory, settings, **patch)
            if logs is not None
            else _without_logs(now, memory, settings)
        )
        told.append([_words(one) for one in (*report.new_events, *report.resolved_events)])
        memory = remembered(report)
    return told


def _without_logs(now: datetime, memory: Memory, settings: Settings) -> Report:
    made = document([], now)
    del made["logs"]
    return evaluated(made, memory, settings)


def _words(one: Any) -> str:
    subject = "" if one.subject is None else f":{one.subject}"
    return f"{one.reason} {one.severity} {one.type}{subject}"


def summary(report: Report, name: str) -> str:
    """Return the sentence of the one event of that type."""
    (found,) = [one.summary for one in report.events if one.type == name]
    return found
