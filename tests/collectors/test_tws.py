"""TWS through the real ib_async, against a gateway on loopback.

What it lists, and every way in which it fails.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from detector.clients.connection import Deadline, NetworkPolicy
from detector.clients.tws_api import Tws
from detector.clients.tws_fence import ALLOWED_MESSAGES
from detector.formats import errors
from tests.support.loopback import PATIENCE_SEC, closed_port, floods, never_accepting, sends, serving
from tests.support.program import answer
from tests.support.snapshots import NOW
from tests.support.tws_server import (
    SPXW,
    SPY,
    UNSET,
    Gateway,
    account_value,
    commission,
    encode,
    execution,
    gateway_on_loopback,
    open_order,
    order_status,
    position,
)

IMPATIENT = {"AEGIS_PT_SOURCE_TIMEOUT_SEC": "1.2"}  # for what does not end by itself
STEPS = (0, 71, 61, 76, 16, 7)


@pytest.fixture
def environ(tmp_path):
    def build(address: str, **more: str) -> dict[str, str]:
        return {
            "AEGIS_PT_TWS_ADDRESS": address,
            "XDG_STATE_HOME": str(tmp_path),
            **more,
        }

    return build


def full(version: int = 178, **more: object) -> Gateway:
    return Gateway(
        version=version,
        positions=[position("DU1234567", SPXW, -2.0, 1250.5), position("DU1234567", SPY, 0.5, 500.123456)],
        orders=[open_order(version, SPXW, oca="g", parent=3), order_status(filled=1, remaining=38)],
        executions=[execution(version), commission(realized="3742.44")],
        values=[account_value("DU1234567", "GrossPositionValue", "2200.00")],
        **more,  # type: ignore[arg-type]
    )


def collected(gateway, environ, **more):
    """Return what `collect` makes of the gateway, and how long it took.

    Nothing of an account may be shown.
    """
    with gateway_on_loopback(gateway):
        began = time.monotonic()
        ran = answer("collect", environ=environ(gateway.address, **more))
        elapsed = time.monotonic() - began
    assert ran.code == 0, ran.err
    assert b"1234567" not in ran.out
    assert "1234567" not in ran.err
    assert {int(message[0]) for message in gateway.received} <= set(ALLOWED_MESSAGES)
    return ran.document, elapsed


@pytest.mark.parametrize("version", [157, 159, 160, 162, 166, 170, 176, 177, 178])
def test_all_lists_are_read_at_every_version_of_the_server(version, environ):
    document, _ = collected(full(version), environ)
    broker = document["broker"]
    assert document["sources"]["broker"]["state"] == "ok"
    assert (broker["as_of"][:19], broker["connected"], broker["account"]) == (
        "2026-06-02T15:00:00",
        True,
        "paper-1",
    )
    assert [(row["symbol"], row["position"], row["avgCost"]) for row in broker["positions"]] == [
        ("SPX", -2, 1250.5),
        ("SPY", 0.5, 500.123456),
    ]
    (order,) = broker["open_orders"]
    assert {key: order[key] for key in ("permId", "status", "filled", "remaining", "parentId", "ocaGroup")} == {
        "permId": 901, "status": "Submitted", "filled": 1, "remaining": 38, "parentId": 3, "ocaGroup": "g",
    }  # fmt: skip
    (fill,) = broker["executions"]
    assert (fill["time"], fill["realizedPNL"], fill["side"]) == (
        "20260602 09:40:00 US/Central",
        3742.44,
        "SLD",
    )
    assert (broker["open_orders_scope"], broker["mode"]) == ("all", "paper")


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e999", UNSET])
@pytest.mark.parametrize(("cell", "key"), [(9, "multiplier"), (14, "position"), (15, "avgCost")])
def test_a_number_that_is_none_is_not_seen_and_breaks_nothing(cell, key, text, environ):
    """ib_async reads what float() does; JSON carries no NaN and no infinity."""
    gateway = full()
    gateway.positions[0][cell] = text
    document, _ = collected(gateway, environ)
    row, other = document["broker"]["positions"]
    assert (key in row, other["position"]) == (False, 0.5)
    told = [event["summary"] for event in answer("detect", "--offline", stdin=document).document["events"]]
    assert any("quantity is not given" in summary for summary in told) == (key == "position")


def test_what_ib_async_would_invent_is_not_seen(environ):
    """No status: nothing is filled; no commission: a P&L of 0; no zone: the time of this host."""
    gateway = Gateway(
        orders=[open_order(178)],
        executions=[execution(178, time="20260602  09:40:00"), commission()],
    )
    document, _ = collected(gateway, environ)
    (order,), (fill,) = document["broker"]["open_orders"], document["broker"]["executions"]
    assert {"filled", "remaining"} & set(order) == set()
    assert "realizedPNL" not in fill
    assert fill["time"] == "20260602  09:40:00"


def test_the_orders_of_all_clients_and_of_people_keep_their_identity(environ):
    gateway = Gateway(
        orders=[
            open_order(178, client=1, perm=901),
            order_status(client=1, perm=901),
            open_order(178, client=2, perm=902),
            order_status(client=2, perm=902, filled=3, remaining=36),
            open_order(178, client=0, perm=903, order_id=-4),
            open_order(178, ("28812380", "SPX", "BAG", "", "0", "", "", "", "USD", "", ""), ("700", "701"), perm=904, order_id=9),
        ]
    )  # fmt: skip
    document, _ = collected(gateway, environ)
    rows = document["broker"]["open_orders"]
    assert [(row["permId"], row.get("orderId"), row.get("filled")) for row in rows] == [
        (901, 5, 0),
        (902, 5, 3),
        (903, None, None),
        (904, 9, None),
    ]
    assert [leg["conId"] for leg in rows[3]["comboLegs"]] == [700, 701]
    assert {(leg["ratio"], leg["action"]) for leg in rows[3]["comboLegs"]} == {(1, "BUY")}


def test_one_connection_with_its_own_client_id_and_five_requests(environ):
    gateway = full()
    collected(gateway, environ, AEGIS_PT_TWS_CLIENT_ID="88")
    assert gateway.connections == 1
    assert [message[0] for message in gateway.received] == ["71", "61", "76", "16", "7"]
    assert gateway.received[0][2] == "88"


@pytest.mark.parametrize("value", ["0", "-1", "x", ""])
def test_a_client_id_of_0_is_refused(value, environ):
    ran = answer("collect", environ=environ("127.0.0.1:4002", AEGIS_PT_TWS_CLIENT_ID=value))
    assert (ran.code, ran.out) == (2, b"")
    assert "AEGIS_PT_TWS_CLIENT_ID" in ran.err


@pytest.mark.parametrize(
    "value", ["4002", "host", "host:0", "host:x", "http://host:1", "u:p@host:1", "host:1/x"]
)
def test_an_address_that_is_none_is_refused(value, environ):
    ran = answer("collect", environ=environ(value))
    assert (ran.code, "AEGIS_PT_TWS_ADDRESS" in ran.err) == (2, True)


@pytest.mark.parametrize("step", STEPS)
def test_silence_at_any_step_is_not_seen(step, environ):
    document, elapsed = collected(full(silent=frozenset({step})), environ, **IMPATIENT)
    assert document["sources"]["broker"]["reason"] == errors.TIMEOUT
    assert "broker" not in document
    assert elapsed < PATIENCE_SEC


@pytest.mark.parametrize("step", STEPS[1:])
def test_a_list_without_its_end_is_not_seen(step, environ):
    gateway = full(silent=frozenset({step}), before={step: [["62", "1"]] if step != 61 else []})
    gateway.before[61] = gateway.positions if step == 61 else []
    document, _ = collected(gateway, environ, **IMPATIENT)
    assert document["sources"]["broker"]["state"] == "failed"


@pytest.mark.parametrize("step", STEPS[1:-1])
def test_a_connection_that_ends_at_any_step_is_not_seen(step, environ):
    document, _ = collected(full(silent=frozenset({step}), closes_on=step), environ)
    assert document["sources"]["broker"]["reason"] == errors.RESET
    assert "broker" not in document


def test_a_client_id_in_use_ends_it_at_once_without_a_retry(environ):
    gateway = full(
        silent=frozenset({71}),
        before={71: [[4, 2, -1, 326, "client id is already in use", ""]]},
        closes_on=71,
    )
    document, _ = collected(gateway, environ)
    assert document["sources"]["broker"]["reason"] == errors.CLIENT_ID
    assert gateway.connections == 1


@pytest.mark.parametrize("code", [1100, 1300, 2110])
@pytest.mark.parametrize("step", STEPS[1:])
def test_a_link_that_is_lost_in_the_middle_makes_the_lists_unknown(step, code, environ):
    """The lists are the gateway's own memory then; that the link is down is a fact by itself."""
    gateway = full(before={step: [[4, 2, -1, code, "Connectivity between IB and TWS has been lost.", ""]]})
    document, _ = collected(gateway, environ)
    assert document["broker"] | {"as_of": ""} == {
        "as_of": "",
        "port": document["broker"]["port"],
        "connected": False,
    }
    assert str(code) in document["sources"]["broker"]["detail"]
    ran = answer("detect", "--offline", stdin=json.dumps(document))
    assert "broker_disconnected" in ran.types


@pytest.mark.parametrize(
    ("value", "reason"), [("2200.00", errors.UNREADABLE), ("0.00", None), ("x", errors.UNREADABLE)]
)
def test_an_empty_list_beside_a_position_value_is_not_flat(value, reason, environ):
    gateway = Gateway(values=[account_value("DU1234567", "GrossPositionValue", value)])
    document, _ = collected(gateway, environ)
    assert document["sources"]["broker"].get("reason") == reason
    assert ("broker" in document) == (reason is None)


def test_the_notices_of_farms_are_no_failure_and_a_restored_link_asks_nothing(environ):
    gateway = full(
        before={71: [[4, 2, -1, 2104, "Market data farm OK:usfarm", ""], [4, 2, -1, 1102, "restored", ""]]}
    )
    document, _ = collected(gateway, environ)
    assert document["sources"]["broker"]["state"] == "ok"
    assert [message[0] for message in gateway.received] == ["71", "61", "76", "16", "7"]


def test_a_refused_request_is_no_empty_list(environ):
    gateway = full(silent=frozenset({7}), before={7: [[4, 2, "6", 10275, "not allowed for U1234567", ""]]})
    document, _ = collected(gateway, environ)
    entry = document["sources"]["broker"]
    assert entry["reason"] == errors.REJECTED
    assert "10275 not allowed for live-1" in entry["detail"] or "U1234567" not in entry["detail"]


def test_a_notice_that_belongs_to_no_request_is_named_at_the_timeout(environ):
    gateway = full(silent=frozenset({61}), before={61: [[4, 2, -1, 321, "the API is in Read-Only mode", ""]]})
    document, _ = collected(gateway, environ, **IMPATIENT)
    assert "321 the API is in Read-Only mode" in document["sources"]["broker"]["detail"]


@pytest.mark.parametrize(
    "row",
    [
        pytest.param((61, position("DU1234567", SPY, 1)[:9]), id="a position that is cut"),
        pytest.param((61, position("DU1234567", SPY, "many")), id="a position that is no number"),  # type: ignore[arg-type]
        pytest.param((16, open_order(178)[:50]), id="an order that is cut"),
        pytest.param((16, order_status()[:5]), id="a status that is cut"),
        pytest.param((16, order_status(filled="x")), id="a status that is no number"),  # type: ignore[arg-type]
        pytest.param((7, execution(178)[:20]), id="an execution that is cut"),
        pytest.param((76, account_value("DU1234567", "x", "1")[:5]), id="a value that is cut"),
    ],
)
def test_a_message_that_cannot_be_decoded_is_a_hole_and_not_a_shorter_list(row, environ):
    """ib_async logs it and goes on."""
    step, fields = row
    document, _ = collected(full(before={step: [fields]}), environ)
    assert document["sources"]["broker"]["reason"] == errors.UNREADABLE
    assert "broker" not in document


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        pytest.param(b"\xff\xff\xff\xff" + b"x" * 100, errors.TIMEOUT, id="a length of 4 GB"),
        pytest.param(encode(["x", "y", "z"]), errors.UNREADABLE, id="a message that is no number"),
        pytest.param(
            encode([100, "20130101 00:00:00 UTC"]), errors.UNREADABLE, id="a server that is too old"
        ),
        pytest.param(encode([178, "x"]) + encode([15, 1, "U1234567"]), errors.TIMEOUT, id="never ready"),
    ],
)
def test_what_is_no_handshake(raw, reason, environ):
    more = IMPATIENT if reason == errors.TIMEOUT else {}
    document, elapsed = collected(full(raw={0: raw}, silent=frozenset({71})), environ, **more)
    assert document["sources"]["broker"]["reason"] == reason
    assert elapsed < PATIENCE_SEC


def test_a_flood_ends_at_its_cap(environ, monkeypatch):
    monkeypatch.setattr("detector.clients.tws_fence.MAX_BYTES", 1024 * 1024)
    gateway = full(raw={61: encode(position("DU1234567", SPY, 1)) * 40_000})
    document, elapsed = collected(gateway, environ, AEGIS_PT_SOURCE_TIMEOUT_SEC="30")
    assert document["sources"]["broker"]["reason"] == errors.TOO_LARGE
    assert elapsed < PATIENCE_SEC


@pytest.mark.parametrize(
    "behaviour",
    [sends(b"HTTP/1.1 400 Bad Request\r\n\r\n"), floods(64, announced=True)],
    ids=["HTTP", "a flood"],
)
def test_another_protocol_on_the_port_is_a_failed_source(behaviour, environ):
    with serving(behaviour) as server:
        ran = answer("collect", environ=environ(server.url.partition("://")[2], **IMPATIENT))
    assert ran.document["sources"]["broker"]["state"] == "failed"


def test_no_gateway_is_refused_and_one_that_never_accepts_times_out(environ):
    refused = answer("collect", environ=environ(f"127.0.0.1:{closed_port()}")).document["sources"]["broker"]
    assert refused["reason"] == errors.REFUSED
    with never_accepting() as url:
        entry = answer("collect", environ=environ(url.partition("://")[2], **IMPATIENT)).document["sources"][
            "broker"
        ]
    assert entry["reason"] == errors.TIMEOUT


def test_a_gateway_with_stuck_connections_is_left_alone(environ, tmp_path):
    """The second collection sees the CLOSE_WAIT that the first one left, and opens no further connection."""
    gateway = full(closes_at_end=False)
    with gateway_on_loopback(gateway):
        first = answer("collect", environ=environ(gateway.address)).document
        second_folder = tmp_path / "second"
        second_folder.mkdir()
        second = answer(
            "collect", environ=environ(gateway.address, XDG_STATE_HOME=str(second_folder))
        ).document
    assert first["sources"]["broker"]["state"] == "ok"
    assert second["sources"]["broker"]["reason"] == errors.CLOSE_WAIT
    assert gateway.connections == 1


def test_it_is_asked_once_a_minute_at_most(environ):
    gateway = full()
    with gateway_on_loopback(gateway):
        entries = [
            answer("collect", environ=environ(gateway.address)).document["sources"]["broker"] for _ in "ab"
        ]
    assert [entry.get("reason") for entry in entries] == [None, errors.THROTTLED]
    assert gateway.connections == 1


def test_nothing_is_asked_while_ibkr_resets_its_servers(environ, monkeypatch):
    monkeypatch.setattr("tests.support.program.NOW", NOW + timedelta(hours=13))  # 00:00 in New York
    gateway = full()
    with gateway_on_loopback(gateway):
        document = answer("collect", environ=environ(gateway.address)).document
        ran = answer("detect", "--offline", stdin=json.dumps(document))
    assert document["sources"]["broker"]["reason"] == errors.MAINTENANCE
    assert gateway.connections == 0
    assert "source_unavailable" not in ran.types


def test_without_the_extra_it_is_named(environ, monkeypatch):
    for name in [name for name in sys.modules if name.startswith(("ib_async", "detector.clients.tws_fence"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "ib_async", None)
    gateway = full()
    with gateway_on_loopback(gateway):
        ran = answer("doctor", environ=environ(gateway.address))
    assert "not_installed: the package ib_async is not installed" in ran.out.decode()
    assert "pt-health-detector[ibkr]" in ran.out.decode()
    assert gateway.connections == 0


def test_doctor_names_it_where_it_is_not_configured():
    text = answer("doctor").out.decode()
    assert "AEGIS_PT_TWS_ADDRESS" in text
    assert "AEGIS_PT_TWS_CLIENT_ID" in text


def list_states(port: int) -> set[str]:
    """Return the kernel's states of all connections from or to a port."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ends = f":{port:04X}"
    return {row[3] for row in rows if row[1].endswith(ends) or row[2].endswith(ends)}


def test_nothing_is_left_behind_after_100_collections():
    gateway = full()
    with gateway_on_loopback(gateway):
        host, _, port = gateway.address.partition(":")
        for _ in range(100):
            Tws(NetworkPolicy(Deadline(PATIENCE_SEC)), host, int(port), 7417).read()
        deadline = time.monotonic() + PATIENCE_SEC
        while list_states(int(port)) - {"06", "0A"} and time.monotonic() < deadline:
            time.sleep(0.05)
        states = list_states(int(port))
    assert gateway.connections == 100
    assert states <= {"06", "0A"}  # TIME_WAIT, which ends by itself, and the gateway's own LISTEN
