"""`schema`: the names, and each schema as it lies in the repository."""

from __future__ import annotations

import json

import pytest

from detector.commands.schema import SCHEMAS
from tests.support.command_output import told
from tests.support.snapshots import ROOT, given, healthy


def test_without_a_name_it_lists_the_names():
    assert told("schema").lines == ["snapshot", "output", "gate", "report", "artifact", "webhook"]


@pytest.mark.parametrize("name", SCHEMAS)
def test_with_a_name_it_prints_what_lies_in_the_repository(name):
    assert told("schema", name).out == (ROOT / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8")


def test_an_unknown_name_is_refused():
    answer = told("schema", "snapshots")
    assert (answer.code, answer.out) == (2, "")
    assert "'snapshot', 'output', 'gate', 'report', 'artifact', 'webhook'" in answer.err


def test_a_setting_that_cannot_be_used_does_not_matter_to_a_schema():
    assert told("schema", environ={"AEGIS_PT_GAP_SEC": "late"}).code == 0


# --- --check ------------------------------------------------------------------------------------------


def departures(document, name="snapshot"):
    answer = told("schema", name, "--check", "-", stdin=json.dumps(document).encode())
    return answer.code, answer.lines


@pytest.mark.parametrize(
    ("document", "line"),
    [
        pytest.param({"status_v4": {}}, "status_v4: is not known here; was status_v3 meant?", id="a section"),
        pytest.param(
            {"status_v3": {"pending_order": 2}},
            "status_v3.pending_order: nothing reads this key; was pending_orders meant?",
            id="a misspelt key",
        ),
        pytest.param(
            {"status_v3": {"pending_orders": "two"}},
            "status_v3.pending_orders: is text, not a count (such as 0); it is not seen",
            id="a value that cannot be read",
        ),
        pytest.param(
            {"broker": {"positions": [{"symbol": "SPY", "quantity": "some"}]}},
            "broker.positions[0].quantity: is text, not a number (such as 39); it is not seen",
            id="in a row",
        ),
        pytest.param({"ecs": []}, "ecs: is an array, not an object", id="a section of the wrong kind"),
        pytest.param(
            {"taken_at": "2026-06-02 15:00"},
            "taken_at: '2026-06-02 15:00' is not when the snapshot was taken, with an offset from UTC;"
            " now where it is left out",
            id="a time",
        ),
        pytest.param(
            {"taken_at": "9999-06-02T15:00:00Z"},
            "taken_at '9999-06-02T15:00:00Z' is outside the years 1970 to 8999",
            id="a time that no run can have",
        ),
    ],
)
def test_a_departure_has_its_path_its_problem_and_what_was_meant(document, line):
    assert departures(document) == (1, [line])


@pytest.mark.parametrize(
    "document",
    [
        {"taken_at": "0001-01-01T00:00:00+14:00"},
        {"taken_at": "2026-02-30T00:00:00Z"},
        {"taken_at": ""},
        {"runtime": ""},
        {"runtime": 3},
        {"logs": {"events": 3}},
        {"stores": []},
        {},
    ],
    ids=str,
)
def test_the_check_passes_nothing_that_detect_refuses(document):
    detected = told("detect", "--offline", "--quiet", stdin=json.dumps(document).encode())
    if detected.code == 2:
        assert departures(document)[0] == 1


@pytest.mark.parametrize(
    "document",
    [
        {"logs": {"events": [], "from": "yesterday"}},
        {"logs": {"events": [{"timestamp": "soon", "message": "x"}]}},
        {"logs": {"evnts": []}},
        {"ecs": {"tasks": {}}},
        {"ecs": {"services": [], "error": "denied"}},
        {"containers": ["x"]},
        {"processes": [{"name": "bot"}]},
        {"power": {"status": "OFF"}},
        {"stores": {"position_state": [{"symbol": "SPY", "status": "STOPPED", "quantity": 1}]}},
        {"broker": {"positions": [{"quantity": 1}]}},
    ],
    ids=str,
)
def test_the_check_passes_nothing_that_detect_cannot_read(document):
    assert [name for name in given(document) if "reading_invalid" in name]
    code, lines = departures(document)
    assert (code, len(lines)) == (1, 1), lines


def _in_row(section: str, rows: str, **columns: object) -> dict[str, object]:
    return {
        section: {rows: [{"symbol": "SPY", "trade_id": 1, "order_id": 1, "status": "Submitted", **columns}]}
    }


@pytest.mark.parametrize("value", ["39", "39.5", "thirty", "client", 1, 2, True, {}, 0])
@pytest.mark.parametrize(
    "place",
    [
        lambda value: _in_row("broker", "positions", quantity=value),
        lambda value: _in_row("broker", "open_orders", quantity=value, side="BUY"),
        lambda value: _in_row("stores", "position_state", is_open=1, quantity=value),
        lambda value: _in_row("stores", "position_state", is_open=value, quantity=1),
        lambda value: _in_row("stores", "trades", is_open=1, entry_price=value),
        lambda value: {"power": {"status": "OL", "battery_charge": value}},
        lambda value: {"status_v3": {"stuck_exits": value}},
        *(
            lambda value, name=name: {"broker": {"connected": True, f"{name}_scope": value}}
            for name in ("positions", "open_orders", "executions")
        ),
    ],
    ids=[
        "position",
        "order",
        "stored quantity",
        "stored flag",
        "stored price",
        "charge",
        "count",
        "scope of positions",
        "scope of orders",
        "scope of executions",
    ],
)
def test_the_check_calls_unread_what_detect_does_not_read_and_nothing_else(place, value):
    document = place(value)
    faults = [name for name in given(document) if "reading_invalid" in name]
    code, lines = departures(document)
    assert (code, any("it is not seen" in line for line in lines)) == ((1, True) if faults else (0, False))


def test_an_account_in_a_departure_is_an_alias():
    code, lines = departures({"U1234567": 1})
    assert (code, "U1234567" in lines[0]) == (1, False)


@pytest.mark.parametrize("path", sorted((ROOT / "tests/fixtures/snapshots").glob("[rh]e*-*.json")), ids=str)
def test_a_snapshot_that_fits_has_no_departure(path):
    assert (told("schema", "snapshot", "--check", str(path)).code, path.exists()) == (0, True)


def test_what_the_program_writes_fits_its_own_schemas(tmp_path):
    told("detect", "--offline", "--artifact", str(tmp_path / "a.json"), stdin=json.dumps(healthy()).encode())
    assert told("schema", "artifact", "--check", str(tmp_path / "a.json")).lines == []
    assert departures({"events": [], "new_events": []}, "output") == (0, [])


@pytest.mark.parametrize(
    ("words", "why"),
    [
        pytest.param(("--check", "x.json"), "needs the name of a schema", id="no name"),
        pytest.param(("snapshot", "--check", "nowhere.json"), "nowhere.json: No such file", id="no file"),
    ],
)
def test_a_check_that_cannot_be_done_is_refused(words, why):
    answer = told("schema", *words)
    assert (answer.code, why in answer.err) == (2, True)


@pytest.mark.parametrize("kind", ["positions", "open_orders", "executions"])
def test_a_row_of_the_broker_in_ibkrs_own_names_departs_nowhere(kind):
    names = (
        "conId",
        "secType",
        "localSymbol",
        "tradingClass",
        "orderId",
        "permId",
        "totalQuantity",
        "execId",
    )
    lines = departures({"broker": {kind: [dict.fromkeys(names)]}})[1]
    assert not [line for line in lines if "nothing reads this key" in line]
    code, lines = departures({"broker": {kind: [{"quantitiy": 1}]}})
    assert (code, len(lines)) == (1, 1)
