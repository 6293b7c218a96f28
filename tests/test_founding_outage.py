"""The outage of 2026-05-06 at a run a minute.

Which of its nine layers is told, when, on the box and elsewhere.

The founding document describes nine layers that each broke. The box's own sources (kernel table, supervisor)
are added to the incident's world as the document's timeline has them; the table in docs/evidence.md is
compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import pytest
from msgspec.structs import replace

from tests.support.snapshots import ROOT
from tools.incidents import Incident, Moment, every, incident, looked

CENTRAL = timedelta(hours=5)  # the document's clock, CDT
ENGINE = {"name": "engine", "running": True, "pid": 900, "started_at": "2026-05-06T13:20:00Z"}
GATEWAY = {"name": "gateway", "running": True, "pid": 901, "started_at": "2026-05-06T12:50:00Z"}
CRASHED = {"name": "engine", "running": False, "starts_recent": 1, "exit_code": 1}
ENDED = {"name": "gateway", "running": False, "exit_code": 0}


def port(listening: bool) -> dict[str, Any]:
    return {
        "host": "127.0.0.1", "port": 4002, "listening": listening, "established": int(listening), "close_wait": 0
    }  # fmt: skip


BOX: dict[str, dict[str, Any]] = {
    "15:50": {"gateway": port(True), "processes": [ENGINE, GATEWAY]},
    "16:48": {"gateway": None, "processes": None},
    "19:42": {"gateway": port(False), "processes": [CRASHED, ENDED]},
    "19:46": {"processes": [{**CRASHED, "starts_recent": 4}, ENDED]},
    "19:48": {
        "gateway": port(True),
        "processes": [{**ENGINE, "started_at": "2026-05-06T19:48:00Z"}, GATEWAY],
    },
    "19:57": {"processes": [{"name": "engine", "running": False, "exit_code": -9}, GATEWAY]},
    "20:30": {"processes": [ENGINE, GATEWAY]},
}
ON_THE_BOX, REMOTE = "on the machine", "remote"


def world(lane: str) -> Incident:
    outage = incident("2026-05-06-power-outage")
    if lane == REMOTE:
        return outage
    added = [
        Moment(datetime.fromisoformat(f"2026-05-06T{clock}:00+00:00"), "", "", patch, 0, ())
        for clock, patch in BOX.items()
    ]
    moments = tuple(sorted((*outage.moments, *added), key=lambda moment: moment.at))
    return replace(outage, moments=moments, sections=(*outage.sections, "gateway", "processes"))


@cache
def told(lane: str) -> tuple[tuple[str, str, str], ...]:
    """The minute (the document's clock), the event and the sentence of everything new."""
    return tuple(_iter_told(lane))


def _iter_told(lane: str) -> Iterator[tuple[str, str, str]]:
    outage = world(lane)
    for run in looked(outage, outage.lane(lane), every(outage, 1)):
        for event in run.report.new_events:
            name = event.type if event.subject is None else f"{event.type}:{event.subject}"
            yield f"{run.at - CENTRAL:%H:%M}", name, event.summary


def first(lane: str, name: str) -> str | None:
    return next((minute for minute, event, _ in told(lane) if event == name), None)


# Layer, the event that tells it on the box, and the one elsewhere; None where none does.
LAYERS = {
    1: ("watch_gap", "exposure_unwatched"),
    2: ("gateway_unresponsive", None),
    3: ("process_restart_loop:engine", "heartbeat_stale"),
    4: ("open_positions_drift:SPY 727C", "open_positions_drift:SPY 727C"),
    5: ("state_stores_disagree:SPY 727C", "state_stores_disagree:SPY 727C"),
    6: ("open_positions_drift:SPY 727C", "open_positions_drift:SPY 727C"),
    7: ("trade_reopened:162", "trade_reopened:162"),
    8: ("open_positions_drift:SPY 727C", "open_positions_drift:SPY 727C"),
    9: ("broker_disconnected", "broker_disconnected"),
}
EXPECTED = {
    1: ("14:42", "11:48"),
    2: ("14:42", None),
    3: ("14:46", "14:44"),
    4: ("14:49", "14:49"),
    5: ("14:55", "14:55"),
    6: ("14:49", "14:49"),
    7: ("14:55", "14:55"),
    8: ("14:49", "14:49"),
    9: ("14:42", "14:44"),
}


@pytest.mark.parametrize("layer", LAYERS)
def test_each_layer_is_told_at_its_minute_or_not_at_all(layer):
    box, remote = LAYERS[layer]
    assert first(ON_THE_BOX, box) == EXPECTED[layer][0]
    assert (first(REMOTE, remote) if remote else None) == EXPECTED[layer][1]


def test_no_event_elsewhere_speaks_of_the_gateway_that_did_not_come_back():
    assert not [name for _, name, _ in told(REMOTE) if name.startswith(("gateway_", "process_"))]


def test_the_cut_button_would_have_opened_a_short_position_and_every_sentence_has_all_three_ids():
    for lane in (ON_THE_BOX, REMOTE):
        sentence = next(text for _, name, text in told(lane) if name == "open_positions_drift:SPY 727C")
        assert "trade #162 (signal #238, position #301)" in sentence
        assert "a close would open a new short position of 39" in sentence


def test_each_condition_is_told_once_but_for_what_came_back_or_got_worse():
    outage = world(ON_THE_BOX)
    news = [
        event.signature
        for run in looked(outage, outage.lane(ON_THE_BOX), every(outage, 1))
        for event in run.report.new_events
        if event.reason == "new"
    ]
    assert len(news) == len(set(news))


def test_the_table_of_the_documents_has_these_minutes():
    text = (ROOT / "docs" / "evidence.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d) [^|]*\| ([^|]+) \| ([^|]+) \|$", text, re.MULTILINE)
    assert [int(layer) for layer, _, _ in rows] == list(LAYERS)
    for layer, *cells in rows:
        for cell, event, minute in zip(cells, LAYERS[int(layer)], EXPECTED[int(layer)], strict=True):
            assert cell.startswith(minute or "not reported"), (layer, cell)
            assert event is None or f"`{event.partition(':')[0]}`" in cell, (layer, cell)
