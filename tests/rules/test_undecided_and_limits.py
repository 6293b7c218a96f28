"""What leaves a rule undecided, and the edges of its conditions.

Rows that breaking the rules on purpose asked for.

An undecided rule resolves nothing, so that a doubt that goes missing is a condition that ends too early.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from detector.domain.judgement import RuleOutcome
from detector.domain.previous_run import NO_PREVIOUS_RUN, PreviousRun
from detector.domain.rule import AS_DECLARED, CRITICAL, NEVER, NOW, WARNING, Finding, lasts
from detector.domain.snapshot import build_snapshot
from detector.engine.catalog import load_rules
from detector.engine.evaluate import judge
from detector.formats.redaction import redact
from tests.support.log_lines import BACK, LOST, REFUSED, ago
from tests.support.merge_patch import apply_patch
from tests.support.snapshots import evaluated, fixture, given, healthy, healthy_at, settings_of

NOON = "2026-06-02T15:00:00Z"  # 11:00 in New York, the session is open
CALL = {
    "symbol": "SPY",
    "sec_type": "OPT",
    "expiry": "20260605",
    "strike": 727,
    "right": "C",
    "multiplier": 100,
}
NAMELESS = {"sec_type": "STK", "quantity": 3}
SPX = {
    "symbol": "SPX",
    "trading_class": "SPXW",
    "sec_type": "OPT",
    "expiry": "20260602",
    "strike": 6000,
    "right": "C",
    "multiplier": 100,
}
TODAY = {**CALL, "expiry": "20260602"}
FUTURE = {"symbol": "MCL", "sec_type": "FUT", "expiry": "20260604", "multiplier": 100, "quantity": 1}
SECOND_FACTOR = "IBC: Second Factor Authentication initiated"
RESTART_FILE = "autorestart file not found: full authentication will be required"
REFUSED_LOGIN = "IBC: detected dialog entitled: Login failed; event=Opened"
TICKS = [{"symbol": name, "price": 10, "at": "2026-06-02T14:59:50Z"} for name in ("SPY", "QQQ")]


def outcome(
    name: str,
    patch: dict[str, Any],
    before: PreviousRun = NO_PREVIOUS_RUN,
    moment: str = NOON,
    settings: dict[str, str] | None = None,
    **files: str,
) -> RuleOutcome:
    document = redact(healthy_at(moment, patch))
    snapshot = build_snapshot(document, now=datetime.fromisoformat(moment), runtime="aegis-pt-core")
    return judge(snapshot, settings_of(settings, **files), before).outcomes[name]


def finding(name: str, patch: dict[str, Any], **more: Any) -> Finding:
    (signed,) = outcome(name, patch, **more).findings.values()
    return signed.finding


def held(*rows: dict[str, Any], **facts: Any) -> dict[str, Any]:
    listed = [{"tags": [], "exit_attempt_count": 0, **row} for row in rows]
    return {"open_positions": listed, "open_position_count": len(rows), **facts}


def broker(*rows: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"connected": True, "positions": list(rows), **more}


def gateway(**changes: Any) -> dict[str, Any]:
    return {
        "gateway": {"port": 4002, "listening": True, "handshake": "not_tried", "close_wait": 0, **changes}
    }


def exit_order(**more: Any) -> dict[str, Any]:
    return {
        **CALL,
        "order_id": 9,
        "kind": "exit",
        "side": "SELL",
        "quantity": 1,
        "status": "Submitted",
        **more,
    }


# --- what leaves a rule undecided ------------------------------------------------------------------------

UNREAD = "a row of the positions could not be read"


@pytest.mark.parametrize(
    ("rule", "patch", "why"),
    [
        pytest.param("comparison_unclear", {"status_v3": held(), "broker": broker(NAMELESS)}, UNREAD, id="a row of nothing"),
        pytest.param("contract_replaced", {"status_v3": held(), "broker": broker(NAMELESS)}, UNREAD, id="the same, replaced"),
        pytest.param("open_positions_drift", {"status_v3": held(), "broker": broker(NAMELESS)}, UNREAD, id="the same, drift"),
        pytest.param(
            "exit_would_open_position",
            {"broker": broker(open_orders=[], open_orders_scope="client")},
            "the orders of other clients at the broker were not seen",
            id="one client's orders",
        ),
        pytest.param(
            "exit_would_open_position",
            {"status_v3": held(orders=[exit_order(side=None)]), "broker": broker({**CALL, "quantity": 1})},
            "the side or quantity of order #9",
            id="an exit without its side",
        ),
        pytest.param(
            "exit_would_open_position",
            {"status_v3": held(orders=[exit_order()]), "broker": broker(NAMELESS)},
            "what order #9",
            id="an exit beside a row of nothing",
        ),
        pytest.param(
            "expiry_due",
            {"status_v3": held({**SPX, "quantity": None}, open_position_count=None)},
            "is short was not seen",
            id="a cash-settled position of unknown side",
        ),
        pytest.param(
            "expiry_due", {"broker": broker({**FUTURE, "expiry": "202606"})}, "MCL 202606 is not named in full",
            id="a future of which only the month is known",
        ),
        pytest.param(
            "expiry_due", {"broker": broker({**TODAY, "quantity": -1, "strike": None})}, "is not named in full",
            id="an option without its strike",
        ),
        pytest.param(
            "feed_frozen",
            {"status_v3": {"ticks": TICKS, "market_data_status": "stale"}},
            "market data is not called ok",
            id="another rule's feed",
        ),
        pytest.param(
            "feed_frozen",
            {"status_v3": {"ticks": [{**tick, "at": None} for tick in TICKS]}},
            "whether the prices move",
            id="ticks without a time on a first run",
        ),
        pytest.param(
            "gateway_unresponsive",
            gateway(listening=None),
            "whether the API port listens was not seen",
            id="a port that was not looked at",
        ),
        *(
            pytest.param("gateway_unresponsive", gateway(port=port), "is a proxy's", id=f"the proxy's port {port}")
            for port in (4003, 4004, 7498, 7499)
        ),
        pytest.param(
            "halted_but_running",
            {"status_v3": {"trading_halted": True, "heartbeat_at": None}, "ecs": None},
            "whether the runtime runs was not seen",
            id="halted, and no sign of life",
        ),
        pytest.param(
            "login_due", {"logs": [ago(180, SECOND_FACTOR)]}, "a second factor was asked for", id="180 s for the second factor"
        ),
        pytest.param(
            "login_due",
            {"logs": [ago(400, RESTART_FILE), ago(300, REFUSED_LOGIN)]},
            "the gateway failed",
            id="a login that the failure tells already",
        ),
        pytest.param(
            "margin_low",
            {"broker": {"account_values": [{"tag": "LookAheadExcessLiquidity", "value": "10"}]}},
            "not seen in full",
            id="no cushion",
        ),
        pytest.param(
            "order_limbo",
            {"status_v3": {"orders": [{**CALL, "order_id": 1001, "status": None}], "pending_orders": 1}},
            "the status of order 1001 was not seen",
            id="an order without a status",
        ),
    ],
)  # fmt: skip
def test_a_rule_is_undecided_where_it_cannot_see(rule, patch, why):
    result = outcome(rule, patch)
    assert any(why in doubt.why for doubt in result.undecided), result


def test_within_the_open_grace_a_count_of_10197_says_nothing():
    moment = "2026-06-02T13:33:00Z"
    facts = {"heartbeat_at": moment, "market_data_10197_recent": 40}
    result = outcome("market_data_10197", {"status_v3": facts}, moment=moment)
    assert not result.findings
    assert "within the open grace" in result.undecided[0].why


# --- evidence --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("patch", "fact"),
    [
        ({"status_v3": {"broker_connected": False}}, "broker_connected"),
        ({"status_v3": {"connection_error": "TimeoutError()"}}, "connection_error"),
        ({"broker": {"connected": False}}, "broker_link"),
        (gateway(listening=False), "gateway_listening"),
        (gateway(handshake="refused"), "gateway_handshake"),
    ],
)
def test_the_broker_link_is_down_by_what_says_so_and_nothing_else(patch, fact):
    assert finding("broker_disconnected", patch).facts == (fact,)


@pytest.mark.parametrize(
    ("patch", "sign"),
    [
        ({"status_v3": {"heartbeat_at": "2026-06-02T14:55:00Z"}, "ecs": None}, "heartbeat_at"),
        ({"status_v3": {"heartbeat_at": "2026-06-02T14:54:59Z"}}, "tasks"),
        ({"status_v3": {"heartbeat_at": None}, "ecs": None, "processes": [{"name": "bot", "running": True}]}, "processes"),
    ],
    ids=["a heartbeat of 300 s", "a task", "a process"],
)  # fmt: skip
def test_each_sign_of_life_is_enough_beside_a_halt(patch, sign):
    document = {**patch, "status_v3": {**patch["status_v3"], "trading_halted": True}}
    assert finding("halted_but_running", document).facts == ("trading_halted", sign)


# --- severity and time -----------------------------------------------------------------------------------

NOT_ENTITLED = "Error 354, reqId 17: Requested market data is not subscribed."
UNSUPPORTED = "IBC: detected dialog entitled: This version is no longer supported; event=Opened"


def test_a_version_that_is_no_longer_supported_is_critical():
    assert given({"logs": [ago(80, UNSUPPORTED)]}) == ["critical gateway_unsupported"]


def test_a_frozen_feed_is_proven_since_its_newest_tick_was_too_old():
    ticks = [
        {**tick, "at": f"2026-06-02T14:{minute}:00Z"} for tick, minute in zip(TICKS, (50, 40), strict=True)
    ]
    found = finding("feed_frozen", {"status_v3": {"ticks": ticks}})
    assert (found.observed, found.proven_sec) == (600, 300)


def test_a_burst_of_entries_happened_at_its_last_one():
    rows = [{"trade_id": n, "symbol": "JD", "opened_at": f"2026-06-02T14:0{n}:00Z"} for n in (1, 2, 3)]
    found = finding("duplicate_entry_burst", {"status_v3": {"recent_trades": rows}})
    assert found.at == datetime.fromisoformat("2026-06-02T14:03:00Z")


def test_attempts_of_a_position_that_is_not_listed_say_so():
    found = finding("high_exit_attempts", {"status_v3": {"max_exit_attempt_count": 12}})
    assert found.summary == "The exit of a position that is not listed was tried 12 times (warning at 12)."


def test_a_task_without_the_trader_is_no_sign_of_life():
    document = task(name="sidecar")
    document["status_v3"] = {"trading_halted": True, "heartbeat_at": None}
    assert outcome("halted_but_running", document).findings == {}


@pytest.mark.parametrize(
    "trade", [{"trade_id": "7"}, {"closed_at": "2026-06-02T14:50:00Z"}], ids=["not closed", "without an id"]
)
def test_only_a_trade_that_is_closed_contradicts_an_open_position(trade):
    facts = held(
        {**CALL, "quantity": 1, "trade_id": "7"}, {**SPX, "quantity": 1}, recent_trades=[{**CALL, **trade}]
    )
    result = outcome("impossible_state", {"status_v3": facts})
    assert (result.verdict, result.findings) == ("good", {})


def test_a_task_with_a_container_without_a_name_may_have_the_gateway():
    result = outcome(
        "gateway_unhealthy", task(containers=[{"name": "lt-ibkr-trader", "lastStatus": "RUNNING"}, {}])
    )
    assert [doubt.why for doubt in result.undecided] == ["the name of a container was not seen"]


def test_two_times_in_the_future_of_one_path_are_one_and_the_furthest_counts():
    rows = [{"order_id": n, "submitted_at": f"2026-06-02T15:{n}0:00Z"} for n in (1, 3, 2)]
    found = finding("clock_skew", {"status_v3": {"orders": rows}})
    assert (found.subject, found.observed) == ("status_v3.orders.submitted_at", 1800)


def test_a_position_that_nothing_manages_has_no_next_exit():
    document = {"status_v3": held(), "broker": broker({**CALL, "quantity": 1}, open_orders=[])}
    assert outcome("exit_would_open_position", document).undecided == ()


def test_the_runtime_may_send_the_exit_of_a_phantom_next():
    document = {"status_v3": held({**CALL, "quantity": 1}), "broker": broker(open_orders=[])}
    (doubt,) = outcome("exit_would_open_position", document).undecided
    assert doubt.why == "the runtime may send an exit of SPY 2026-06-05 727C next"


def test_the_newest_liquidation_says_when_and_one_without_a_time_counts():
    rows = [
        {"exec_id": f"e{n}", "symbol": "SPY", "side": "SLD", "quantity": 1, "liquidation": 1, "at": at}
        for n, at in enumerate(("2026-06-02T14:50:00Z", None, "2026-06-02T14:40:00Z"))
    ]
    found = finding("margin_notice", {"broker": {"connected": True, "executions": rows}})
    assert found.at == datetime.fromisoformat("2026-06-02T14:50:00Z")
    assert found.summary.startswith("3 executions are marked as a liquidation")


STARTED = "IBC: Starting session: will exit if login dialog is not displayed within 60 seconds"


def test_starts_in_the_log_count_where_no_process_of_the_gateway_is_listed_and_happened_at_the_newest():
    logs = {"logs": [ago(age, STARTED) for age in (1800, 900, 30)]}
    assert finding("process_restart_loop", logs).at == datetime.fromisoformat("2026-06-02T14:59:30Z")
    listed = {**logs, "processes": [{"name": "gateway", "running": True, "starts_recent": 0}]}
    assert outcome("process_restart_loop", listed).findings == {}


def test_a_process_that_starts_again_and_again_happened_at_its_newest_start():
    row = {"name": "bot", "running": True, "starts_recent": 3, "started_at": "2026-06-02T14:50:00Z"}
    found = finding("process_restart_loop", {"processes": [row]})
    assert found.at == datetime.fromisoformat("2026-06-02T14:50:00Z")


@pytest.mark.parametrize(
    ("code", "words"), [(None, "is not running."), (137, "is not running (exit code 137).")]
)
def test_a_process_that_is_down_says_how_it_ended(code, words):
    row = {"name": "bot", "running": False, "exit_code": code}
    assert finding("process_down", {"processes": [row]}).summary == f"Process bot {words}"


@pytest.mark.parametrize(("kind", "words"), [("exit", "Exit order #9"), (None, "Working order #9")])
def test_a_stale_order_says_its_kind(kind, words):
    order = {
        "order_id": 9,
        "kind": kind,
        "symbol": "SPY",
        "side": "SELL",
        "quantity": 1,
        "status": "Submitted",
    }
    facts = {"orders": [{**order, "submitted_at": "2026-06-02T14:50:00Z"}]}
    assert finding("pending_order_stale", {"status_v3": facts}).summary.startswith(words)


def test_a_count_of_no_orders_without_a_list_is_no_stale_order():
    assert outcome("pending_order_stale", {"status_v3": {"pending_orders": 0, "orders": None}}).findings == {}


@pytest.mark.parametrize(
    ("quantity", "words"), [(1, "a new short position of 1."), (-1, "a new long position of 1.")]
)
def test_a_phantom_says_what_its_close_would_open(quantity, words):
    document = {"status_v3": held({**CALL, "quantity": quantity}), "broker": broker()}
    assert finding("open_positions_drift", document).summary.endswith(words)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"side": "BOT", "quantity": 1}, ": bought 1 SPY at "),
        ({"side": "SLD", "quantity": 1}, ": sold 1 SPY at "),
        ({"side": "SLD", "quantity": 1, "realized_pnl": 2.5}, ": sold 1 SPY, realized P&L 2.50 at "),
    ],
    ids=["bought", "sold", "with what it realized"],
)
def test_a_missed_fill_says_what_it_did(row, words):
    fill = {"exec_id": "e1", "perm_id": 1, "symbol": "SPY", "at": "2026-06-02T14:50:00Z", **row}
    document = {"status_v3": held(recent_trades=[]), "broker": {"connected": True, "executions": [fill]}}
    found = finding("missed_fill", document)
    assert (found.subject, words in found.summary) == ("e1", True)


@pytest.mark.parametrize(("trades", "fires"), [([], False), ([{"trade_id": 1, "quantity": 5}], True)])
def test_a_conversion_of_a_currency_is_no_missed_fill_unless_the_runtime_trades_the_pair(trades, fires):
    pair = {"symbol": "EUR", "sec_type": "CASH", "currency": "USD"}
    fill = {"exec_id": "e1", "perm_id": 1, **pair, "side": "BOT", "quantity": 9, "at": "2026-06-02T14:50:00Z"}
    rows = [{**trade, **pair, "opened_at": "2026-06-02T14:00:00Z"} for trade in trades]
    document = {"status_v3": held(recent_trades=rows), "broker": {"connected": True, "executions": [fill]}}
    assert bool(outcome("missed_fill", document).findings) is fires


def test_the_status_of_market_data_is_quoted():
    found = finding("market_data_degraded", {"status_v3": {"market_data_status": "delayed"}})
    assert found.summary == "Market data has been called delayed for 15 min or more."


ENGINE = "lt_ibkr_trader INFO engine started mode=paper"
SEVERE, LAST_LINE = "CRITICAL engine: fatal thing", ago(5, "INFO scan done")


def test_a_proof_is_due_since_the_earliest_of_what_owes_one():
    logs = [ago(5000, "INFO scan done"), ago(2000, ENGINE), LAST_LINE]
    found = finding(
        "reconcile_unproven", {"status_v3": {"engine_started_at": "2026-06-02T13:50:00Z"}, "logs": logs}
    )
    assert "since 2026-06-02 13:50:00 UTC, for 1 h 10 min" in found.summary


def test_logs_that_begin_after_a_proof_became_due_leave_it_undecided():
    facts = {"engine_started_at": "2026-06-02T14:00:00Z"}
    result = outcome(
        "reconcile_unproven", {"status_v3": facts, "logs": [ago(600, "INFO scan done"), LAST_LINE]}
    )
    (doubt,) = result.undecided
    assert (result.findings, "begin after 2026-06-02 14:00:00 UTC" in doubt.why) == ({}, True)


@pytest.mark.parametrize(
    ("oldest", "goes_on"), [(604, True), (605, False)], ids=["600 s since its last", "601 s"]
)
def test_a_burst_of_severe_lines_goes_on_for_600_s(oldest, goes_on):
    logs = [*(ago(oldest - number, SEVERE) for number in range(5)), LAST_LINE]
    found = finding("severe_log_burst", {"logs": logs})
    assert (found.observed, found.ongoing) == (5, goes_on)


def test_a_burst_of_severe_lines_counts_the_most_within_600_s():
    logs = [*(ago(300 - number, SEVERE) for number in range(7)), LAST_LINE]
    assert finding("severe_log_burst", {"logs": logs}).observed == 7


def test_a_link_that_is_back_is_proven_for_no_time():
    found = finding("connectivity_lost", {"logs": [ago(600, LOST), ago(300, BACK), LAST_LINE]})
    assert (found.severity, found.proven_sec) == (WARNING, 0)


def test_the_port_that_does_not_listen_is_named():
    assert finding("gateway_unresponsive", gateway(listening=False)).summary.startswith("API port 4002 ")


def test_further_runtime_tasks_say_how_many_are_draining():
    (first,) = task()["ecs"]["tasks"]
    other = {**first, "taskArn": first["taskArn"][:-1] + "0", "desiredStatus": "STOPPED"}
    third = {**first, "taskArn": first["taskArn"][:-1] + "1"}
    found = finding("ecs_task_count_mismatch", {"ecs": {"tasks": [first, other, third]}})
    assert found.summary.startswith("3 runtime tasks run in the cluster, 1 of them draining (expected 1)")


def test_where_the_calendar_ends_it_says_why_the_session_is_not_known():
    found = finding("session_unknown", {}, moment="2090-06-06T15:00:00Z")
    assert found.summary.endswith("2090-06-06 is outside the exchange calendar, which covers 2010 to 2036.")


def test_a_lapsed_subscription_is_critical_with_positions_open():
    assert given({"logs": [ago(80, NOT_ENTITLED)]}) == ["warning data_not_entitled"]
    open_ = held({**CALL, "quantity": 1})
    assert "critical data_not_entitled" in given({"status_v3": open_, "logs": [ago(80, NOT_ENTITLED)]})


@pytest.mark.parametrize(
    ("moment", "severity"),
    [
        ("2026-06-02T15:00:00Z", CRITICAL),
        ("2026-06-02T10:29:59Z", WARNING),
        ("2026-06-02T10:30:00Z", CRITICAL),
        ("2026-06-02T22:00:00Z", WARNING),
    ],
    ids=["in the session", "just over 3 h before it", "3 h before it", "after it"],
)
def test_a_login_is_due_critically_from_three_hours_before_the_session(moment, severity):
    logs = [ago(400, RESTART_FILE, datetime.fromisoformat(moment))]
    assert finding("login_due", {"logs": logs}, moment=moment).severity == severity


@pytest.mark.parametrize(("seconds", "due"), [(180, False), (181, True)])
def test_a_second_factor_has_180_s(seconds, due):
    assert bool(outcome("login_due", {"logs": [ago(seconds, SECOND_FACTOR)]}).findings) is due


def test_the_dialog_of_a_second_factor_asks_for_it_until_a_login_completes():
    asked = "IBC: detected dialog entitled: Second Factor Authentication; event=Activated"
    assert outcome("login_due", {"logs": [ago(181, asked)]}).findings
    assert not outcome(
        "login_due", {"logs": [ago(181, asked), ago(100, "IBC: Login has completed")]}
    ).findings
    assert not outcome("login_due", {"logs": [ago(181, asked.replace("Activated", "Closed"))]}).findings


def test_a_second_factor_is_told_beside_refused_connections():
    """That the gateway refuses connections does not say that a person must act."""
    logs = [ago(900, SECOND_FACTOR), *(ago(seconds, REFUSED) for seconds in (800, 600, 400))]
    assert given({"logs": logs}) == ["critical gateway_failure", "critical login_due"]


@pytest.mark.parametrize(
    ("moment", "deferred"),
    [("2026-06-02T12:29:59Z", True), ("2026-06-02T12:30:00Z", False), ("2026-06-02T15:00:00Z", False)],
    ids=["just over an hour before the open", "an hour before it", "in the session"],
)
def test_a_payload_that_is_not_answered_waits_at_night(moment, deferred):
    failed = {"sources": {"status_v3": {"state": "failed", "reason": "timeout"}}, "status_v3": None}
    assert finding("source_unavailable", failed, moment=moment).deferred is deferred


def test_another_source_that_is_not_answered_waits_for_nothing():
    failed = {"sources": {"ecs": {"state": "failed", "reason": "timeout"}}, "ecs": None}
    assert finding("source_unavailable", failed, moment="2026-06-02T03:00:00Z").deferred is False


def test_the_runtime_of_the_ups_is_a_limit_only_below_it():
    at, below = ({"power": {"status": "OB", "battery_runtime_sec": seconds}} for seconds in (300, 299))
    assert finding("power_on_battery", at).limit is None
    assert finding("power_on_battery", below).limit is not None


@pytest.mark.parametrize(
    ("runtime", "severity"),
    [({}, WARNING), ({"battery_runtime_sec": 0}, CRITICAL)],
    ids=["unknown", "none left"],
)
def test_an_empty_battery_is_critical_without_positions(runtime, severity):
    assert finding("power_on_battery", {"power": {"status": "OB", **runtime}}).severity == severity


def test_only_a_warning_of_pending_orders_escalates_with_the_buildup():
    warning, critical = (finding("pending_orders_high", {"status_v3": {"pending_orders": n}}) for n in (2, 3))
    assert warning.escalates is not AS_DECLARED
    assert critical.escalates is AS_DECLARED


@pytest.mark.parametrize(
    ("kind", "critical_after", "escalates"), [("exit", True, True), ("entry", False, False)]
)
def test_an_exit_that_waits_without_a_time_worsens_and_an_entry_does_not(kind, critical_after, escalates):
    order = {**CALL, "order_id": 1001, "kind": kind, "status": "PendingCancel", "quantity": 1, "side": "SELL"}
    result = finding("order_limbo", {"status_v3": {"pending_orders": 1, "orders": [order]}})
    assert (result.critical_after is not NEVER) is critical_after
    assert (result.escalates is not NEVER) is escalates
    assert result.listed_after is not NEVER


def test_an_exit_that_waits_since_a_known_time_is_critical_by_its_age():
    order = {**exit_order(order_id=1001), "status": "PendingSubmit", "submitted_at": "2026-06-02T14:50:00Z"}
    result = finding("order_limbo", {"status_v3": {"pending_orders": 1, "orders": [order]}})
    assert (result.severity, result.critical_after, result.listed_after) == (CRITICAL, NEVER, NEVER)


# --- one or several --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "patch", "words"),
    [
        pytest.param(
            "pnl_unknown",
            {"status_v3": {"recent_trades": [{"trade_id": "7", "pnl_unknown": True}], "stuck_exits": 1, "pending_exits": 1}},
            "while stuck_exits holds",
            id="one harm holds",
        ),
        pytest.param(
            "pnl_unknown",
            {
                "status_v3": {
                    "recent_trades": [{"trade_id": "7", "pnl_unknown": True}],
                    "stuck_exits": 1,
                    "pending_exits": 1,
                    "send_outcome_unknown": True,
                }
            },
            "while stuck_exits and send_outcome_unknown hold.",
            id="two harms hold",
        ),
        pytest.param(
            "ecs_task_count_mismatch", {"ecs": {"tasks": []}}, "0 runtime tasks run in the cluster (", id="nothing drains"
        ),
    ],
)  # fmt: skip
def test_a_sentence_counts_what_it_names(rule, patch, words):
    assert words in finding(rule, patch).summary


# --- the record of sent alerts ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("taken_at", "fires"), [("2026-06-02T14:35:00Z", False), ("2026-06-02T14:34:59Z", True)]
)
def test_a_record_that_later_runs_did_not_store_is_missed_above_the_gap(taken_at, fires):
    looked = PreviousRun(
        taken_at=datetime.fromisoformat(taken_at), looked_at=datetime.fromisoformat("2026-06-02T14:50:00Z")
    )
    result = outcome("memory_lost", {}, looked)
    assert bool(result.findings) is fires
    for signed in result.findings.values():
        assert signed.finding.severity == WARNING
        assert signed.finding.summary.startswith("Runs looked until 2026-06-02 14:50:00 UTC")


@pytest.mark.parametrize(
    ("older", "words"), [(None, "all active alerts are sent again"), (NOON, "an older one is used")]
)
def test_a_lost_record_says_whether_an_older_one_is_used(older, words):
    lost = PreviousRun(taken_at=datetime.fromisoformat(older) if older else None, lost="it is not JSON")
    assert words in finding("memory_lost", {}, before=lost).summary


# --- expiry ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "words"),
    [
        pytest.param({**TODAY, "quantity": 1}, "its last session is today: what is left goes to delivery.", id="long"),
        pytest.param({**TODAY, "quantity": -1}, "what is left goes to assignment.", id="short"),
        pytest.param({**SPX, "quantity": -1}, "what is left goes to cash settlement.", id="short, settled in cash"),
        pytest.param({**SPX, "quantity": 1}, None, id="long, settled in cash"),
        pytest.param({**CALL, "quantity": 1}, None, id="it expires later"),
        pytest.param(FUTURE, "its last session is in 3 sessions", id="a future of three sessions"),
        pytest.param({**FUTURE, "expiry": "20260605"}, None, id="a future of four sessions"),
    ],
)  # fmt: skip
def test_a_position_in_its_last_session_says_what_becomes_of_it(row, words):
    findings = outcome("expiry_due", {"broker": broker(row)}).findings.values()
    assert [words in signed.finding.summary for signed in findings] == ([] if words is None else [True])


@pytest.mark.parametrize(
    ("moment", "expiry", "severity"),
    [
        pytest.param("2026-06-02T18:59:59Z", "20260602", WARNING, id="before 15:00"),
        pytest.param("2026-06-02T19:00:00Z", "20260602", CRITICAL, id="at 15:00"),
        pytest.param(
            "2026-11-27T16:59:59Z", "20261127", WARNING, id="an early close, more than an hour before it"
        ),
        pytest.param("2026-11-27T17:00:00Z", "20261127", CRITICAL, id="an early close, its last hour"),
    ],
)
def test_an_expiry_is_critical_from_15_00_and_in_the_last_hour_of_a_short_day(moment, expiry, severity):
    rows = broker({**CALL, "expiry": expiry, "quantity": -1})
    assert finding("expiry_due", {"broker": rows}, moment=moment).severity == severity


def test_an_expiring_position_of_unknown_quantity_shows_no_number():
    due = finding("expiry_due", {"status_v3": held({**TODAY, "quantity": None}, open_position_count=None)})
    assert due.summary.startswith("An unknown quantity of SPY 2026-06-02 727C is still open in the runtime")
    assert due.summary.endswith("what is left goes to assignment or delivery.")
    assert (due.severity, due.observed) == (WARNING, None)
    due = finding("expiry_due", {"broker": broker({**TODAY, "quantity": -2})})
    assert (due.summary.partition(" is")[0], due.observed) == ("Short 2 SPY 2026-06-02 727C", "-2")


@pytest.mark.parametrize(
    ("at", "severity"), [("18:59:59", WARNING), ("19:00:00", CRITICAL), ("19:30:00", CRITICAL)]
)
def test_an_expiry_is_critical_from_15_00_where_the_market_closes_later(at, severity):
    plan = '[market]\nsession = "us_extended"\n'
    rows = broker({**TODAY, "quantity": -1})
    assert (
        finding("expiry_due", {"broker": rows}, moment=f"2026-06-02T{at}Z", profile=plan).severity == severity
    )


# --- rejected orders -------------------------------------------------------------------------------------


def rejected(**more: Any) -> dict[str, Any]:
    return exit_order(order_id=1, status="Rejected", submitted_at="2026-06-02T14:50:00Z", **more)


@pytest.mark.parametrize(
    ("order", "escalates"),
    [
        pytest.param({"submitted_at": "2026-06-02T14:50:01Z"}, NEVER, id="a later one"),
        pytest.param({"submitted_at": "2026-06-02T14:50:00Z"}, NOW, id="one of the same moment"),
        pytest.param({"submitted_at": None}, NOW, id="one without a time"),
        pytest.param({"submitted_at": "2026-06-02T14:55:00Z", "side": "BUY"}, NOW, id="of the other side"),
        pytest.param({"submitted_at": "2026-06-02T14:55:00Z", "strike": 728}, NOW, id="of another contract"),
    ],
)
def test_a_rejected_exit_is_replaced_by_a_later_one_of_its_contract_and_side(order, escalates):
    orders = [rejected(), exit_order(order_id=2, **order)]
    found = finding("orders_rejected", {"status_v3": {"orders": orders}})
    assert (found.severity, found.escalates) == (CRITICAL, escalates)


@pytest.mark.parametrize(("at", "fires"), [("2026-06-02T14:00:00Z", True), ("2026-06-02T13:59:59Z", False)])
def test_a_rejection_is_told_for_an_hour(at, fires):
    assert (
        bool(
            outcome(
                "orders_rejected", {"status_v3": {"orders": [{**rejected(), "submitted_at": at}]}}
            ).findings
        )
        is fires
    )


@pytest.mark.parametrize(
    ("status", "escalates"),
    [("Submitted", NEVER), ("Filled", NEVER), ("Cancelled", NOW), ("Inactive", NOW), ("Rejected", NOW)],
)
def test_only_an_order_that_works_or_filled_replaces_a_rejected_exit(status, escalates):
    later = {"order_id": 2, "status": status, "submitted_at": "2026-06-02T14:55:00Z"}
    orders = [rejected(), exit_order(**{**later, "kind": "entry" if status == "Rejected" else "exit"})]
    assert finding("orders_rejected", {"status_v3": {"orders": orders}}).escalates == escalates


REJECTION = "Order 77 rejected by the broker: margin"


@pytest.mark.parametrize(
    ("orders", "escalates"),
    [
        pytest.param([exit_order(order_id=77)], NOW, id="its own row, which is older than the line"),
        pytest.param([exit_order(order_id=5, perm_id=77)], NOW, id="its own row, by the permanent id"),
        pytest.param([exit_order(order_id=77), exit_order(order_id=78)], NEVER, id="another order of it"),
    ],
)
def test_an_exit_that_the_log_calls_rejected_is_named_by_its_row_and_not_replaced_by_it(orders, escalates):
    found = finding("orders_rejected", {"logs": [ago(60, REJECTION)], "status_v3": {"orders": orders}})
    assert (found.severity, found.subject, found.escalates) == (CRITICAL, "SPY 2026-06-05 727C", escalates)
    assert f"the exit order #{orders[0]['order_id']} (SPY 2026-06-05 727C) was rejected" in found.summary


def test_an_exit_that_only_the_log_knows_has_no_subject_and_escalates():
    found = finding("orders_rejected", {"logs": [ago(60, "exit order 77 rejected by the broker")]})
    assert (found.severity, found.subject, found.escalates) == (CRITICAL, None, NOW)
    assert "the exit order 77 was rejected" in found.summary


@pytest.mark.parametrize(
    ("age", "orders", "fires"),
    [
        pytest.param(3600, [exit_order(order_id=77)], True, id="an hour old"),
        pytest.param(3601, [exit_order(order_id=77)], False, id="older than an hour"),
        pytest.param(60, [exit_order(order_id=77, kind="entry")], False, id="an entry"),
        pytest.param(60, [], False, id="an order of which nothing is known"),
    ],
)
def test_one_rejection_in_the_log_fires_only_for_an_exit_of_the_last_hour(age, orders, fires):
    patch = {"logs": [ago(age, REJECTION)], "status_v3": {"orders": orders}}
    assert bool(outcome("orders_rejected", patch).findings) is fires


def test_rejected_orders_of_runtime_and_broker_are_counted_together():
    rows = [exit_order(order_id=number, kind="entry", status="REJECTED") for number in (1, 2, 3)]
    patch = {"status_v3": {"orders": rows[:2]}, "broker": broker(open_orders=rows[2:])}
    found = finding("orders_rejected", patch)
    assert (found.severity, found.observed, found.at) == (CRITICAL, 3, None)
    twice = {"status_v3": {"orders": rows[:2]}, "broker": broker(open_orders=rows[:2])}
    assert not outcome("orders_rejected", twice).findings  # two orders that both lists have are two
    assert finding("orders_rejected", {"broker": broker(open_orders=[rows[0]] * 3)}).observed == 3
    parked = {"status_v3": {"orders": [*rows[:2], {**rows[2], "parked": True}]}}
    assert not outcome("orders_rejected", parked).findings


def test_the_log_s_burst_counts_the_most_rejections_within_an_hour():
    lines = [ago(60 + number, f"Order {number} rejected by the broker: margin") for number in range(4)]
    found = finding("orders_rejected", {"logs": lines})
    assert (found.severity, found.observed) == (CRITICAL, 4)
    assert found.summary.startswith("The broker rejected 4 orders within an hour")


def test_several_rejections_happened_when_the_newest_did():
    times = ("2026-06-02T14:40:00Z", "2026-06-02T14:50:00Z", "2026-06-02T14:45:00Z")
    orders = [
        {**rejected(), "kind": "entry", "order_id": number, "submitted_at": at}
        for number, at in enumerate(times, 1)
    ]
    assert finding("orders_rejected", {"status_v3": {"orders": orders}}).at == datetime.fromisoformat(
        times[1]
    )


# --- the log ---------------------------------------------------------------------------------------------

IN_USE = "Error 326, reqId -1: Unable to connect as the client id is already in use. Retry with a unique client id."


@pytest.mark.parametrize(
    ("moment", "severity"),
    [("2026-06-02T15:00:00Z", CRITICAL), ("2026-06-03T04:00:00Z", WARNING)],
    ids=["in the session", "in IBKR's reset window"],
)
def test_a_client_id_in_use_is_expected_in_the_reset_window(moment, severity):
    logs = [ago(60, IN_USE, datetime.fromisoformat(moment))]
    assert finding("session_conflict", {"logs": logs}, moment=moment).severity == severity


# --- what was not understood -----------------------------------------------------------------------------

COUNTS = ("pending_orders", "pending_exits", "stuck_exits", "unknown_fills", "max_exit_attempt_count")


@pytest.mark.parametrize(
    ("names", "subjects"),
    [
        (COUNTS, {f"status_v3.{name}" for name in COUNTS}),
        ((*COUNTS, "market_data_10197_recent"), {"status_v3"}),
    ],
    ids=["five paths are five", "six paths are one"],
)
def test_from_six_paths_of_a_section_on_they_are_one_event(names, subjects):
    findings = outcome("reading_invalid", {"status_v3": dict.fromkeys(names, "many")}).findings.values()
    assert {signed.finding.subject for signed in findings} == subjects
    sentence = next(iter(findings)).finding.summary
    assert ("so it is not seen" in sentence) is (len(subjects) > 1)
    assert ("6 parts of status_v3" in sentence) is (len(subjects) == 1)


@pytest.mark.parametrize(
    ("patch", "severity"),
    [({"broker": broker(NAMELESS)}, CRITICAL), ({"status_v3": {"pending_orders": "many"}}, WARNING)],
    ids=["a row that may be a position", "a count"],
)
def test_what_may_hide_a_position_is_critical(patch, severity):
    assert finding("reading_invalid", patch).severity == severity


# --- clients of the API ----------------------------------------------------------------------------------


def client(number: int | None, account: str | None = None) -> dict[str, Any]:
    row = {
        "order_id": 5,
        "perm_id": 70,
        "symbol": "SPY",
        "sec_type": "STK",
        "side": "BUY",
        "status": "Submitted",
    }
    return {**row, "client_id": number, "account": account, "quantity": 1}


def test_without_the_ids_of_its_clients_nobody_is_unknown():
    result = outcome("unknown_client", {"broker": broker(open_orders=[client(12)])})
    assert not result.findings
    assert "AEGIS_PT_CLIENT_IDS is not set" in result.undecided[0].why


def test_an_order_that_names_no_client_leaves_it_undecided():
    ids = {"CLIENT_IDS": "7"}
    result = outcome("unknown_client", {"broker": broker(open_orders=[client(None)])}, settings=ids)
    assert not result.findings
    assert "names no API client" in result.undecided[0].why


def test_the_orders_and_executions_of_an_unknown_client_are_counted_in_its_own_account():
    orders = [client(12, "DU1"), {**client(12, "DU1"), "order_id": 6, "perm_id": 71}, client(13, "DU2")]
    fill = {**CALL, "exec_id": "e1", "side": "BOT", "quantity": 1, "client_id": 12, "account": "DU1"}
    for section, counts in (
        (broker(open_orders=orders, executions=[]), "2 orders and 0 executions"),
        (broker(open_orders=[], executions=[fill]), "0 orders and 1 execution"),
    ):
        patch = {"broker": {**section, "account": "DU1"}}
        found = finding("unknown_client", patch, settings={"CLIENT_IDS": "7"})
        assert found.subject == "12"
        assert f"has {counts} in this account." in found.summary


# --- tasks -----------------------------------------------------------------------------------------------


def task(trader: str | None = "RUNNING", name: str | None = "lt-ibkr-trader", **more: Any) -> dict[str, Any]:
    arn = "arn:aws:ecs:us-east-1:123456789012:task/aegis/0123456789abcdef"
    containers = [{"name": name, "lastStatus": trader}, {"name": "ibkr-gateway", "lastStatus": "RUNNING"}]
    row = {
        "taskArn": arn,
        "group": "service:aegis-pt-core",
        "lastStatus": "RUNNING",
        "containers": containers,
    }
    return {"ecs": {"tasks": [{**row, **more}]}}


@pytest.mark.parametrize(
    ("patch", "why"),
    [
        pytest.param(task(lastStatus="STOPPED"), "no task of the service is running", id="stopped"),
        pytest.param(task(group="service:other"), "no task of the service is running", id="of another service"),
        pytest.param(task(trader=None), "the status of lt-ibkr-trader was not seen", id="no status"),
        pytest.param(task(name=None), "the status of lt-ibkr-trader was not seen", id="no name"),
    ],
)  # fmt: skip
def test_whether_the_trader_runs_is_not_known(patch, why):
    result = outcome("trader_not_running", patch)
    assert not result.findings
    assert why in result.undecided[0].why


def test_a_task_of_the_service_without_its_trader_is_told():
    assert "runs without its container" in finding("trader_not_running", task(name="sidecar")).summary


STARTS_FAIL = "(service aegis-pt-core) is unable to consistently start tasks successfully."


@pytest.mark.parametrize(("at", "fires"), [("2026-06-02T14:00:00Z", True), ("2026-06-02T13:59:59Z", False)])
def test_ecs_that_cannot_start_tasks_is_told_within_the_window(at, fires):
    service = {"serviceName": "aegis-pt-core", "status": "ACTIVE", "desiredCount": 1, "runningCount": 1}
    event = {"createdAt": at, "message": STARTS_FAIL}
    patch = {"ecs": {"services": [{**service, "pendingCount": 0, "events": [event]}]}}
    assert bool(outcome("task_restart_loop", patch).findings) is fires


def stopped(minute: int, **container: Any) -> dict[str, Any]:
    return {
        "taskArn": f"arn:aws:ecs:us-east-1:123456789012:task/aegis/{minute:016}",
        "group": "service:aegis-pt-core",
        "lastStatus": "STOPPED",
        "stoppedAt": f"2026-06-02T14:{minute}:00Z",
        "stopCode": "EssentialContainerExited",
        "containers": [{"name": "lt-ibkr-trader", **container}],
    }


def test_a_restart_loop_names_how_its_containers_ended_and_happened_at_the_last_stop():
    ends = [
        stopped(10, exitCode=137, reason="OutOfMemoryError: killed"),
        stopped(30, exitCode=1),
        stopped(20),
    ]
    found = finding("task_restart_loop", {"ecs": {"stopped_tasks": ends}})
    assert "(exit 137 OutOfMemoryError, exit 1)" in found.summary
    assert found.at == datetime.fromisoformat("2026-06-02T14:30:00Z")


@pytest.mark.parametrize(
    ("lists", "fires"),
    [
        pytest.param({"stopped_tasks": [stopped(10), stopped(10), stopped(20)]}, False, id="one task twice"),
        pytest.param(
            {"stopped_tasks": [{**stopped(n), "taskArn": None} for n in (10, 20, 30)]},
            True,
            id="without an id",
        ),
        pytest.param({"tasks": [stopped(10), stopped(20), stopped(30)]}, True, id="in the list of tasks"),
    ],
)
def test_each_task_that_stopped_counts_once(lists, fires):
    assert bool(outcome("task_restart_loop", {"ecs": lists}).findings) is fires


def test_a_single_stop_is_one_where_the_limit_is_one():
    found = finding(
        "task_restart_loop", {"ecs": {"stopped_tasks": [stopped(10)]}}, settings={"RESTART_CRITICAL": "1"}
    )
    assert found.summary.startswith("1 task stopped by itself within")


# --- positions without protection, and stores ------------------------------------------------------------


@pytest.mark.parametrize(
    ("patch", "why"),
    [
        pytest.param(
            {
                "status_v3": {"heartbeat_at": None, "broker_connected": None, "connection_error": None},
                "ecs": None,
            },
            "whether the engine and its broker link are up was not seen",
            id="nothing shows the engine",
        ),
        pytest.param(
            {"status_v3": {"broker_connected": False}, "broker": broker(NAMELESS)},
            "a row of the broker could not be read",
            id="a row of nothing",
        ),
        pytest.param(
            {
                "status_v3": {"broker_connected": False},
                "broker": broker(
                    {**CALL, "quantity": 1},
                    open_orders=[
                        {**CALL, "order_id": 9, "side": "SELL", "quantity": 1, "status": "PendingSubmit"}
                    ],
                ),
            },
            "how much of SPY 2026-06-05 727C is covered was not seen",
            id="an order that is not answered yet: it may never work",
        ),
    ],
)
def test_whether_a_position_is_protected_is_not_known(patch, why):
    document = {"broker": broker({**CALL, "quantity": 1}, open_orders=[]), **patch}
    document["broker"].setdefault("open_orders", [])
    assert [doubt.why for doubt in outcome("unprotected_position", document).undecided] == [why]


@pytest.mark.parametrize(("account", "doubts"), [(None, 0), ("masked", 1)], ids=["unseen", "masked"])
def test_an_account_that_shows_neither_paper_nor_live_leaves_the_environment_undecided(account, doubts):
    patch = {
        "status_v3": {"mode": "paper"},
        "gateway": None,
        "broker": {"connected": True, "account": account},
    }
    assert len(outcome("wrong_environment", patch).undecided) == doubts


def test_one_of_two_facts_of_the_link_is_enough_to_know_that_it_is_up():
    document = {"broker": broker({**CALL, "quantity": 1}, open_orders=[])}
    for link in ({"broker_connected": None, "connection_error": ""}, {"broker_connected": True}):
        assert outcome("unprotected_position", {**document, "status_v3": link}).undecided == ()


def test_an_unprotected_position_that_is_not_named_in_full_leaves_the_others_undecided():
    vague = broker({**CALL, "strike": None, "quantity": 1}, open_orders=[])
    result = outcome("unprotected_position", {"broker": vague, "status_v3": {"broker_connected": False}})
    assert len(result.findings) == 1
    assert [doubt.why for doubt in result.undecided] == ["the instrument is not named in full"]


def stores(positions: list[dict[str, Any]], trades: list[dict[str, Any]]) -> dict[str, Any]:
    return {"stores": {"as_of": NOON, "position_state": positions, "trades": trades}}


def test_stores_of_which_a_row_cannot_be_read_are_not_compared():
    result = outcome(
        "state_stores_disagree", stores([{"trade_id": "7", "is_open": True, "quantity": "many"}], [])
    )
    assert not result.findings
    assert "a row of the stores could not be read" in result.undecided[0].why


def test_a_trade_that_is_not_named_in_full_leaves_the_stores_undecided():
    vague = {"trade_id": "7", "is_open": True, "quantity": 1, **CALL, "strike": None}
    result = outcome("state_stores_disagree", stores([vague], []))
    assert [doubt.why for doubt in result.undecided] == ["an instrument that differs is not named in full"]


def test_a_difference_in_an_instrument_that_is_not_named_in_full_leaves_the_others_undecided():
    vague = {**CALL, "strike": None, "quantity": 40}
    result = outcome("open_positions_drift", {"status_v3": held(vague), "broker": broker()})
    assert [doubt.why for doubt in result.undecided] == ["an instrument that differs is not named in full"]


def test_a_difference_that_a_trade_since_may_explain_is_neither_there_nor_gone():
    opened = {"trade_id": 1, **CALL, "quantity": 39, "opened_at": "2026-06-02T14:58:00Z"}
    patch = {
        "status_v3": held({**CALL, "quantity": 39}, recent_trades=[opened]),
        "broker": broker(as_of="2026-06-02T14:55:30Z"),
    }
    (doubt,) = outcome("open_positions_drift", patch).undecided
    assert doubt.why.endswith("is older than the last order or trade in SPY 2026-06-05 727C")
    assert doubt.subjects == ["SPY 2026-06-05 727C"]


# --- what cannot be compared -----------------------------------------------------------------------------

SHARES = [{"con_id": 7, "sec_type": "STK", "quantity": 4}, {"con_id": 8, "sec_type": "STK", "quantity": 6}]


def test_what_cannot_be_compared_is_a_warning_and_critical_after_a_session_where_it_is_held():
    patch = {"status_v3": held({"symbol": "ACME", "quantity": 10}), "broker": broker(*SHARES)}
    found = finding("comparison_unclear", patch)
    assert (found.severity, found.subject, found.critical_after) == (WARNING, "ACME", AS_DECLARED)
    assert found.summary.startswith("ACME (with conid 7, conid 8) cannot be compared")
    ends_today = {**FUTURE, "expiry": "20260602"}
    alone = finding("comparison_unclear", {"status_v3": held(ends_today), "broker": broker()})
    assert alone.summary.startswith("MCL 2026-06-02 cannot be compared")
    (rule,) = [rule for rule in load_rules() if rule.name == "comparison_unclear"]
    assert rule.declaration.critical_after == lasts(seconds=23_400)


# --- contracts -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mine", "theirs", "doubts"),
    [
        pytest.param(7, 7, [], id="both con_ids"),
        pytest.param(None, 7, ["SPY 2026-06-05 727C"], id="the runtime's row has none"),
        pytest.param(7, None, ["SPY 2026-06-05 727C"], id="the broker's row has none"),
    ],
)
def test_a_holding_without_con_id_is_not_proven_to_be_one_contract(mine, theirs, doubts):
    rows = [{**CALL, "quantity": 1, "con_id": con_id} for con_id in (mine, theirs)]
    result = outcome("contract_replaced", {"status_v3": held(rows[0]), "broker": broker(rows[1])})
    assert [name for doubt in result.undecided for name in doubt.subjects or ()] == doubts


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        ("2026-06-02T15:00:00Z", "as it seems."),
        ("2026-06-02T03:30:00Z", "as it seems; the market opens in 10 h."),
    ],
    ids=["in the session", "before it"],
)
def test_an_assignment_says_when_the_market_opens_while_it_is_closed(moment, words):
    found = finding("assignment_suspected", fixture("assignment_suspected").patch, moment=moment)
    assert found.summary.endswith(words)


@pytest.mark.parametrize(("section", "rows"), [("broker", "positions"), ("status_v3", "open_positions")])
def test_an_assignment_is_not_suspected_beside_a_row_that_cannot_be_read(section, rows):
    patch = fixture("assignment_suspected").patch
    unread = {**patch, section: {**patch[section], rows: [*patch[section][rows], NAMELESS]}}
    assert not outcome("assignment_suspected", unread).findings


@pytest.mark.parametrize(
    ("section", "rows", "findings"), [("broker", "positions", 0), ("status_v3", "open_positions", 1)]
)
def test_an_assignment_of_shares_that_are_gone_needs_the_brokers_rows_and_no_others(section, rows, findings):
    """Both are open in rows that were read, and no drift names them: silent here, the money would be lost."""
    option = {**fixture("assignment_suspected").patch["status_v3"]["open_positions"][0], "right": "C"}
    shares = {"symbol": "ACME", "sec_type": "STK", "quantity": 200, "tags": [], "exit_attempt_count": 0}
    patch: dict[str, Any] = {
        "status_v3": {"open_positions": [option, shares], "open_position_count": 2},
        "broker": {"connected": True, "positions": []},
    }
    patch[section][rows].append(NAMELESS)
    assert len(outcome("assignment_suspected", patch).findings) == findings
    assert not outcome("open_positions_drift", patch).findings


def test_a_holding_of_one_side_alone_needs_no_con_id():
    row = {**CALL, "quantity": 1}
    result = outcome("contract_replaced", {"status_v3": held(), "broker": broker(row)})
    assert [name for doubt in result.undecided for name in doubt.subjects or ()] == []


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        ({}, "(tag Broker)."),
        ({"stuck_exits": 1, "pending_exits": 1}, "(tag Broker) while stuck_exits holds."),
    ],
    ids=["no harm", "one harm holds"],
)
def test_an_imported_position_says_what_holds_beside_it(harm, words):
    facts = held({**CALL, "quantity": 1, "tags": ["Broker"]}, **harm)
    assert finding("broker_import_position", {"status_v3": facts}).summary.endswith(words)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"open_positions": None, "open_position_count": None}, "with an unknown number of open positions"),
        ({"open_positions": None, "open_position_count": 2}, "with 2 open positions"),
    ],
    ids=["unknown", "two"],
)
def test_a_broken_link_says_how_many_positions_are_open(facts, words):
    found = finding("broker_disconnected", {"status_v3": {"broker_connected": False, **facts}})
    assert words in found.summary
    assert found.listed_after is AS_DECLARED


def test_the_reason_of_a_broken_link_is_cut_at_120_letters():
    found = finding("broker_disconnected", {"status_v3": {"connection_error": "x" * 121}})
    assert f"({'x' * 120})." in found.summary


@pytest.mark.parametrize(
    ("line", "words"),
    [
        pytest.param("received fill for unknown order", "a fill of an order that it does not name", id="no"),
        pytest.param("received fill for unknown order #8", "a fill of order 8", id="its number"),
    ],
)
def test_a_fill_of_an_unknown_order_is_said_with_and_without_its_number(line, words):
    logs = {"logs": [f"2026-06-02 14:59:10 CRITICAL {line}"]}
    found = [event.summary for event in evaluated(apply_patch(healthy(), logs)).events]
    assert found == [f"The log said at 2026-06-02 14:59:10 UTC that the runtime cannot assign {words}."]
