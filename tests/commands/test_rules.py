"""`rules`: every rule with its words and the limits that are in force."""

from __future__ import annotations

import pytest

from detector.domain.rule import CRITICAL, NEVER, NOW, lasts
from detector.engine.catalog import load_rules
from detector.render.rules import describe_lasts
from detector.settings import ESCALATE_AFTER_SEC, resolve_settings
from tests.support.command_output import told

DEFAULTS = resolve_settings()


def blocks(text: str) -> dict[str, list[str]]:
    """The lines of each rule by its name."""
    return {block.split()[0]: block.splitlines() for block in text.split("\n\n")}


def test_every_rule_has_its_block():
    assert list(blocks(told("rules").out)) == [one.name for one in load_rules()]


def test_a_block_says_kind_severity_when_it_fires_when_it_escalates_and_its_limit():
    assert blocks(told("rules").out)["heartbeat_stale"] == [
        "heartbeat_stale  (state; critical)",
        "  The runtime's last heartbeat is older than it may be while the market is open.",
        "  escalates: at the second observation in a row",
        "  limit: AEGIS_PT_HEARTBEAT_STALE_SEC = 300 s, broken when exceeded (from: default)",
    ]


def test_a_limit_is_the_one_in_force():
    environ = {"AEGIS_PT_PENDING_ORDER_WARN": "1"}
    lines = blocks(told("rules", environ=environ).out)["pending_orders_high"]
    assert "  limit: AEGIS_PT_PENDING_ORDER_WARN = 1, broken when reached (from: environment)" in lines


def test_json_has_the_limit_in_force_out_of_a_file(tmp_path):
    (tmp_path / "settings.env").write_text("AEGIS_PT_HEARTBEAT_STALE_SEC=90")
    path = str(tmp_path / "settings.env")
    (found,) = [
        one for one in told("rules", "--json", "--env-file", path).json if one["type"] == "heartbeat_stale"
    ]
    assert [(limit["value"], limit["from"]) for limit in found["limits"]] == [(90, path)]


def test_a_rule_about_money_says_so():
    assert blocks(told("rules").out)["stuck_exits"][0] == "stuck_exits  (state; critical; money)"


def test_json_has_the_declaration():
    found = {one["type"]: one for one in told("rules", "--json").json}
    assert list(found) == [one.name for one in load_rules()]
    assert found["heartbeat_stale"] == {
        "type": "heartbeat_stale",
        "kind": "state",
        "severity": "critical",
        "money": False,
        "fires_when": "The runtime's last heartbeat is older than it may be while the market is open.",
        "hours": "regular session",
        "escalates": "at the second observation in a row",
        "worsens": "never by itself",
        "listed": "at once",
        "confirm": False,
        "sees": ["heartbeat_at"],
        "any_of": [],
        "weighs": [],
        "given": [],
        "reads_back_sec": 0,
        "limits": [
            {
                "setting": "AEGIS_PT_HEARTBEAT_STALE_SEC",
                "value": 300,
                "unit": "seconds",
                "broken": "exceeded",
                "from": "default",
            }
        ],
        "runbook": "RUNBOOK.md#heartbeat_stale",
    }


@pytest.mark.parametrize(
    ("need", "words"),
    [
        pytest.param(NEVER, "never by itself", id="never"),
        pytest.param(NOW, "at once", id="at once"),
        pytest.param(lasts(observations=2), "at the second observation in a row", id="two observations"),
        pytest.param(lasts(observations=5), "at the 5th observation in a row", id="five observations"),
        pytest.param(lasts(90.0), "once it lasted 90 s", id="a number of seconds"),
        pytest.param(
            lasts(ESCALATE_AFTER_SEC, at=CRITICAL),
            "once it lasted 8 min (AEGIS_PT_ESCALATE_AFTER_SEC), when critical",
            id="a setting, at one severity",
        ),
        pytest.param(
            lasts(1800, observations=3),
            "once it lasted 30 min and at the third observation in a row",
            id="both",
        ),
    ],
)
def test_a_duration_is_described_in_words(need, words):
    assert describe_lasts(need, DEFAULTS) == words


def test_a_setting_that_cannot_be_used_is_refused():
    answer = told("rules", environ={"AEGIS_PT_GAP_SEC": "late"})
    assert (answer.code, answer.out) == (2, "")
