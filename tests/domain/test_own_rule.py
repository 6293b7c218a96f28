"""Rules that a profile brings along live under the laws of the built-in ones."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from detector.app.profile_document import (
    find_broken_examples,
    judge_example,
    parse_profile_tables,
    parse_profile_text,
)
from detector.domain.profile import parse_profile
from detector.formats.errors import InputError
from detector.settings import PROFILE, add_settings
from tests.support.snapshots import DEFAULTS, evaluated, named, owed, remembered, settings_of

AT = "2026-06-02T15:00:00Z"
RULE = """
[[rule]]
name = "no_signals"
sees = { count = "stats.signals_last_hour" }
limits = { min = { setting = "AEGIS_PT_NO_SIGNALS_MIN", default = 1 } }
fires = "count < min"
severity = "warning"
summary = "No signal for an hour ({count}, limit {min})."
runbook = "https://example.com/runbook#no-signals"
"""
EXAMPLES = """
[[rule.example]]
payload = { stats = { signals_last_hour = 0 } }
fires = true
[[rule.example]]
payload = { stats = { signals_last_hour = 1 } }
fires = false
[[rule.example]]
payload = { stats = {} }
fires = "not seen"
"""
FIRING, QUIET = {"stats": {"signals_last_hour": 0}}, {"stats": {"signals_last_hour": 1}}


def with_line(line: str, text: str = RULE) -> str:
    """The rule with a line of that key in place of its own, or added."""
    key = line.partition(" = ")[0]
    kept = [row for row in text.strip().splitlines() if not row.startswith(f"{key} =")]
    return "\n".join([*kept, line, ""])


def run(payload: dict[str, Any], text: str = RULE, memory=None, minutes: int = 0, **sections: Any):
    at = (datetime.fromisoformat(AT) + timedelta(minutes=minutes)).isoformat()
    document = {"taken_at": at, "status_v3": payload, **sections}
    return evaluated(document, memory, settings_of(profile=text))


def test_a_rule_of_ones_own_fires_with_its_number_its_limit_and_its_own_runbook():
    (event,) = run(FIRING).events
    assert (event.type, event.severity, event.signature) == (
        "no_signals", "warning", "no_signals:aegis-pt-core"
    )  # fmt: skip
    assert event.summary == "No signal for an hour (0, limit 1)."
    assert (event.observed, event.limit, event.setting) == (0, 1, "AEGIS_PT_NO_SIGNALS_MIN")
    assert event.runbook == "https://example.com/runbook#no-signals"


@pytest.mark.parametrize(
    ("payload", "events"),
    [
        pytest.param(FIRING, ["warning no_signals"], id="below its limit"),
        pytest.param(QUIET, [], id="at its limit"),
        pytest.param({"stats": {"signals_last_hour": 2}}, [], id="above its limit"),
        pytest.param({"stats": {}}, [], id="not seen is quiet on a first run"),
        pytest.param({"stats": {"signals_last_hour": None}}, [], id="null is not seen"),
        pytest.param(
            {"stats": {"signals_last_hour": "none"}},
            ["warning reading_invalid:status_v3.no_signals"],
            id="a text where a number must be is a fault",
        ),
    ],
)
def test_a_rule_of_ones_own_fires_at_its_limit(payload, events):
    assert named(run(payload)) == events


def test_its_limit_is_a_setting_that_the_environment_changes():
    settings = settings_of(profile=RULE)
    limits = [limit for rule in settings.files[PROFILE.name].rules for limit in rule.limits.values()]
    changed = add_settings(settings, limits, ("environment", {"AEGIS_PT_NO_SIGNALS_MIN": "0"}))
    assert named(evaluated({"taken_at": AT, "status_v3": FIRING}, None, changed)) == []
    with pytest.raises(ValueError, match=r"AEGIS_PT_NO_SIGNALS_MIN .environment.: 'x' is not a number"):
        add_settings(settings, limits, ("environment", {"AEGIS_PT_NO_SIGNALS_MIN": "x"}))


@pytest.mark.parametrize("payload", [{}, {"stats": {}}, {"stats": {"signals_last_hour": "x"}}])
def test_what_is_not_seen_any_more_is_held_and_never_resolved(payload):
    memory = remembered(run(FIRING))
    for minute in (10, 20, 30):
        report = run({"other": 1, **payload}, memory=memory, minutes=minute)
        memory = remembered(report)
        assert [event.held for event in report.events if event.type == "no_signals"] == [True]
        assert "resolved no_signals" not in owed(report)


def test_two_good_verdicts_resolve_it():
    memory, told = remembered(run(FIRING)), list[str]()
    for minute in (10, 20):
        report = run(QUIET, memory=memory, minutes=minute)
        memory, told = remembered(report), [*told, *owed(report)]
    assert told == ["resolved no_signals"]


def test_of_two_payloads_the_worse_one_counts_and_the_other_does_not_resolve_it():
    memory = remembered(run(FIRING, bot_status=QUIET))
    assert [condition.type for condition in memory.conditions.values()] == ["no_signals"]
    for minute in (10, 20, 30):
        report = run({"stats": {}}, memory=memory, minutes=minute, bot_status=QUIET)
        memory = remembered(report)
        assert [event.held for event in report.events if event.type == "no_signals"] == [True]


def test_it_is_listed_once_it_has_lasted_as_long_as_it_says():
    memory, listed = None, []
    for minute in (0, 10, 20, 30):
        report = run(FIRING, with_line("lasts_sec = 1800"), memory=memory, minutes=minute)
        memory = remembered(report)
        listed.append(named(report))
    assert listed == [[], [], [], ["warning no_signals"]]


def test_it_escalates_once_it_has_lasted_as_long_as_it_says():
    memory, actions = None, []
    for minute in (0, 10, 20):
        report = run(FIRING, with_line("escalates_sec = 1200"), memory=memory, minutes=minute)
        memory = remembered(report)
        actions.append(report.decision.action)
    assert actions == ["notify", "notify", "escalate"]


@pytest.mark.parametrize(
    ("at", "events"), [("2026-06-02T15:00:00Z", ["warning no_signals"]), ("2026-06-02T23:00:00Z", [])]
)
def test_it_keeps_to_its_hours(at, events):
    settings = settings_of(profile=with_line('during = "RTH"'))
    assert named(evaluated({"taken_at": at, "status_v3": FIRING}, None, settings)) == events


def test_its_subject_is_a_name_in_the_payload():
    text = with_line('sees = { count = "stats.signals_last_hour", host = "host" }')
    report = run({**FIRING, "host": "box-1"}, with_line('subject = "host"', text))
    assert named(report) == ["warning no_signals:box-1"]


def test_an_occurrence_is_told_once_and_never_resolved():
    memory, told = None, list[str]()
    for minute in (0, 10, 20):
        payload = FIRING if minute < 20 else QUIET
        report = run(payload, with_line('kind = "occurrence"'), memory=memory, minutes=minute)
        memory, told = remembered(report), [*told, *owed(report)]
    assert told == ["new no_signals"]


def test_a_money_rule_cannot_be_muted_by_the_way():
    report = run(FIRING, with_line("money = true"))
    (condition,) = report.conditions.values()
    assert condition.money


def test_a_critical_rule_whose_payload_no_longer_shows_it_is_a_lost_signal():
    text = with_line('severity = "critical"')
    memory, told = None, list[str]()
    for minute in (0, 10, 20, 30, 40, 50):
        payload = QUIET if minute < 30 else {"stats": {}}
        report = run(payload, text, memory=memory, minutes=minute)
        memory, told = remembered(report), [*told, *owed(report)]
    assert told == ["new signal_lost:no_signals"]


def test_its_keys_are_known_keys_of_the_payload():
    """A key that only a rule reads is no unknown key, and a misspelling of it is told."""
    assert named(run({"stats": {"signals_last_huor": 1}})) == [
        "warning reading_invalid:status_v3.stats.signals_last_huor"
    ]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('name = "stuck_exits"', "name: stuck_exits is the name of a fact or an event"),
        ('name = "No Signals"', "name: "),
        ('fires = "cuont < min"', "number 1: fires names cuont, which is neither in sees nor in limits"),
        ('fires = "count <"', "fires: 'count <' is no JMESPath expression"),
        ('summary = "{total} signals."', "summary names {total}, which is neither"),
        ('severity = "bad"', "severity: must be one of 'warning' or 'critical'"),
        ("sees = {}", "sees: is empty"),
        ('during = "noon"', "during: must be one of always, RTH, past_grace"),
        ("lasts_sec = -1", "lasts_sec: "),
        ("runbook = ''", "runbook: is empty"),
        (
            'limits = { min = { setting = "AEGIS_PT_GAP_SEC", default = 1 } }',
            "min.setting: AEGIS_PT_GAP_SEC is a setting of this program",
        ),
        ('limits = { min = { setting = "MIN", default = 1 } }', "min.setting: "),
        ('limits = { count = { setting = "AEGIS_PT_X", default = 1 } }', "sees and limits share a name"),
        ("every = 3", "every: is not known"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused_with_its_line(line, says):
    with pytest.raises(InputError) as caught:
        parse_profile_text(with_line(line))
    assert says in str(caught.value)
    assert str(caught.value).startswith("line ")


def test_two_rules_of_one_name_are_refused():
    with pytest.raises(InputError, match="number 2 name: no_signals is the name of another rule"):
        parse_profile_text(RULE + RULE)


@pytest.mark.parametrize(
    ("payload", "outcome"),
    [(FIRING, True), (QUIET, False), ({}, "not seen"), ({"stats": {"signals_last_hour": []}}, "fault")],
)
def test_an_example_is_judged_as_a_payload_is(payload, outcome):
    (rule,) = parse_profile_text(RULE).rules
    actual = judge_example(rule, payload, DEFAULTS)
    assert actual == outcome or (outcome == "fault" and "cannot be judged" in str(actual))


@pytest.mark.parametrize(
    ("examples", "faults"),
    [
        (EXAMPLES, []),
        (
            EXAMPLES.replace("fires = false", "fires = true"),
            ["example 2 gives false, not true", "fires = false"],
        ),
        ("", ["fires = true", "fires = false"]),
    ],
)
def test_an_example_that_does_not_go_as_it_says_or_is_missing_is_named(examples, faults):
    tables = parse_profile_tables(RULE + examples)
    broken = list(find_broken_examples(parse_profile(tables).rules, tables["rule"], DEFAULTS))
    assert len(broken) == len(faults)
    assert all(fault in sentence for fault, sentence in zip(faults, broken, strict=True))


WORDS = """
[status]
open_positions = "positions"
[words]
open = ["live", "1"]
closed = "flat"
long = "up"
short = "down"
"""


@pytest.mark.parametrize(("status", "is_open"), [("live", True), (1, True), ("FLAT", False), ("OPEN", True)])
def test_a_runtime_s_own_words_for_open_and_closed(status, is_open):
    rows = [{"trade_id": "1", "symbol": "SPY", "quantity": 1, "status": status}]
    report = evaluated({"taken_at": AT, "stores": {"position_state": rows}}, None, settings_of(profile=WORDS))
    assert report.carried.open_positions == int(is_open)


@pytest.mark.parametrize(("side", "quantity"), [("up", 2), ("down", -2), ("SHORT", -2)])
def test_a_runtime_s_own_words_mean_long_and_short(side, quantity):
    broker = {"positions": [{"symbol": "SPY", "sec_type": "STK", "quantity": quantity}]}
    payload = {"positions": [{"symbol": "SPY", "sec_type": "STK", "quantity": 2, "side": side}]}
    document = {"taken_at": AT, "status_v3": payload, "broker": broker}
    assert "open_positions_drift" not in str(named(evaluated(document, None, settings_of(profile=WORDS))))
    broker["positions"][0]["quantity"] = -quantity
    assert "open_positions_drift" in str(named(evaluated(document, None, settings_of(profile=WORDS))))
