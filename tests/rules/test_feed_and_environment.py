"""A feed that stands still, and paper taken for live."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.merge_patch import apply_patch
from tests.support.snapshots import evaluated, given, healthy, healthy_at, named, remembered


def tick(symbol: str, at: str | None = "14:59:30", price: float | None = 724.5) -> dict[str, Any]:
    made = {"symbol": symbol, "price": price, "at": at and f"2026-06-02T{at}Z"}
    return {key: value for key, value in made.items() if value is not None}


def ticks(*rows: dict[str, Any], **status: Any) -> dict[str, Any]:
    return {"status_v3": {"ticks": list(rows), **status}}


# --- feed_frozen ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        pytest.param(ticks(tick("SPY"), tick("QQQ")), [], id="fresh"),
        pytest.param(ticks(tick("SPY", "14:55:00"), tick("QQQ", "14:55:00")), [], id="300 s"),
        pytest.param(
            ticks(tick("SPY", "14:54:59"), tick("QQQ", "14:54:59")), ["warning feed_frozen"], id="301 s"
        ),
        pytest.param(ticks(tick("SPY", "14:54:59"), tick("QQQ", "14:59:59")), [], id="one still moves"),
        pytest.param(ticks(tick("SPY", "14:54:59")), [], id="one instrument may be halted"),
        pytest.param(ticks(tick("SPY", "14:54:59"), tick("SPY", "14:54:58")), [], id="one instrument twice"),
        pytest.param(ticks(tick("SPY", "14:54:59"), tick("QQQ", None)), [], id="an age that was not seen"),
        pytest.param(
            ticks(tick("SPY", "14:54:59"), tick("QQQ", "14:54:59"), market_data_status="degraded"),
            [],
            id="data is not called ok",
        ),
        pytest.param(
            ticks(
                tick("SPY", "14:54:59"), tick("QQQ", "14:54:59"), open_position_count=1, open_positions=None
            ),
            ["critical feed_frozen"],
            id="positions are open",
        ),
    ],
)
def test_ticks_that_are_old(patch, expected):
    assert given(patch) == expected


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-06-02T13:34:59Z", []),
        ("2026-06-02T13:35:00Z", ["warning feed_frozen"]),
        ("2026-06-02T20:00:00Z", []),
    ],
    ids=["within the open grace", "past it", "after the close"],
)
def test_it_is_judged_past_the_open_grace(at, expected):
    rows = [{"symbol": symbol, "price": 1, "at": "2026-06-02T13:00:00Z"} for symbol in ("SPY", "QQQ")]
    assert given({"taken_at": at, **ticks(*rows)}) == expected


def test_the_youngest_tick_is_said():
    report = evaluated(apply_patch(healthy(), ticks(tick("SPY", "14:54:00"), tick("QQQ", "14:50:00"))))
    (event,) = report.events
    assert event.observed == 360
    assert (
        event.summary
        == "Market data is reported as ok, but none of 2 instruments has had a tick for 6 min (over 5 min)."
    )


def still(*looks: tuple[str, float, float]) -> list[list[str]]:
    """The events at each look: its time and the prices of two instruments, each tick five seconds old."""
    memory, found = None, []
    for at, spy, qqq in looks:
        rows = [
            {"symbol": symbol, "price": price, "at": f"2026-06-02T{at[:-2]}{int(at[-2:]):02}Z"}
            for symbol, price in (("SPY", spy), ("QQQ", qqq))
        ]
        report = evaluated(healthy_at(f"2026-06-02T{at}Z", ticks(*rows)), memory)
        found.append([event for event in named(report) if "frozen" in event])
        memory = remembered(report)
    return found


@pytest.mark.parametrize(
    ("looks", "last"),
    [
        pytest.param(
            [("15:00:00", 1, 2), ("15:05:00", 1, 2)], ["warning feed_frozen"], id="the same after 300 s"
        ),
        pytest.param([("15:00:00", 1, 2), ("15:04:59", 1, 2)], [], id="the same after 299 s"),
        pytest.param([("15:00:00", 1, 2), ("15:10:00", 1, 2.01)], [], id="one moved"),
        pytest.param(
            [("15:00:00", 1, 2), ("15:02:00", 1, 2), ("15:05:00", 1, 2)],
            ["warning feed_frozen"],
            id="over three looks",
        ),
        pytest.param([("15:00:00", 1, 2), ("15:04:00", 1, 3), ("15:06:00", 1, 3)], [], id="since it moved"),
    ],
)
def test_prices_that_stand_still_between_looks(looks, last):
    assert still(*looks)[-1] == last


def test_the_prices_that_are_carried_are_bounded():
    rows = [tick(f"S{number:03}", price=number) for number in range(400)]
    report = evaluated(apply_patch(healthy(), ticks(*rows)))
    assert len(report.carried.prices) == 50


def test_ticks_that_are_not_seen_any_more_are_not_good():
    memory = remembered(
        evaluated(apply_patch(healthy(), ticks(tick("SPY", "14:50:00"), tick("QQQ", "14:50:00"))))
    )
    for rows in ([tick("SPY")], [], [tick("SPY"), {"price": 1}]):
        report = evaluated(healthy_at("2026-06-02T15:10:00Z", ticks(*rows)), memory)
        assert [event.type for event in report.events if event.held] == ["feed_frozen"]


# --- wrong_environment ---------------------------------------------------------------------------------

WRONG = ["critical wrong_environment"]


@pytest.mark.parametrize(
    ("mode", "sections", "expected"),
    [
        pytest.param("paper", {"broker": {"account": "DU1234567"}}, [], id="paper account"),
        pytest.param("paper", {"broker": {"account": "DUN264991"}}, [], id="paper account with a letter"),
        pytest.param("paper", {"broker": {"account": "U1234567"}}, WRONG, id="live account"),
        pytest.param("live", {"broker": {"account": "DU1234567"}}, WRONG, id="live mode, paper account"),
        pytest.param("live", {"broker": {"account": "U1234567"}}, [], id="live mode, live account"),
        pytest.param("Paper", {"broker": {"account": "U1234567"}}, WRONG, id="in any case"),
        pytest.param("paper", {"broker": {"account": "unknown"}}, [], id="an account that does not tell"),
        pytest.param(None, {"broker": {"account": "U1234567"}}, [], id="no mode"),
        pytest.param("backtest", {"broker": {"account": "U1234567"}}, [], id="another mode"),
        pytest.param(
            None, {"broker": {"account": "U1234567", "mode": "paper"}}, WRONG, id="the mode of the export"
        ),
        pytest.param("paper", {"broker": {"mode": "live"}}, WRONG, id="two modes"),
        pytest.param(
            "paper",
            {"broker": {"positions": [{"symbol": "SPY", "quantity": 0, "account": "U1234567"}]}},
            WRONG,
            id="the account of its rows",
        ),
        pytest.param("Paper Trading", {"broker": {"account": "U1234567"}}, WRONG, id="in two words"),
        pytest.param(
            "paper",
            {
                "broker": {
                    "positions": [
                        {"symbol": "SPY", "quantity": 0, "account": one} for one in ("DU1234567", "U1234567")
                    ]
                }
            },
            WRONG,
            id="one of two accounts of its rows",
        ),
        pytest.param(
            "paper",
            {
                "broker": {
                    "open_orders": [
                        {"order_id": 1, "symbol": "SPY", "side": "BUY", "quantity": 1, "account": "U1234567"}
                    ]
                }
            },
            WRONG,
            id="the account of an order",
        ),
        pytest.param(
            "paper",
            {
                "broker": {
                    "account": "DU1234567",
                    "positions": [{"symbol": "SPY", "quantity": 0, "account": "U1234567"}],
                }
            },
            [],
            id="another runtime's account",
        ),
        pytest.param("paper", {"gateway": {"port": 5000}}, [], id="a port of nobody"),
        *(
            pytest.param("paper", {"gateway": {"port": port}}, WRONG, id=f"port {port}")
            for port in (4001, 4003, 7496, 7498)
        ),
        *(
            pytest.param(mode, {"gateway": {"port": port}}, expected, id=f"{mode}, port {port}")
            for port in (4002, 4004, 7497, 7499)
            for mode, expected in (("paper", []), ("live", WRONG))
        ),
        pytest.param("live", {"broker": {"port": 4002}}, WRONG, id="the port of the export"),
    ],
)
def test_paper_and_live_are_not_mixed(mode, sections, expected):
    assert given({"status_v3": {"mode": mode}, **sections}) == expected


def test_an_account_that_is_not_seen_any_more_resolves_nothing():
    memory = remembered(evaluated(apply_patch(healthy(), {"broker": {"account": "U1234567"}})))
    for section in ({"account": "masked"}, {"connected": True}, None):
        report = evaluated(healthy_at("2026-06-02T15:10:00Z", {"broker": section}), memory)
        assert [event.type for event in report.events if event.held] == ["wrong_environment"]
