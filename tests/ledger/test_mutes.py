"""Mutes: known conditions are not told until an end, and nothing is lost over one."""

from __future__ import annotations

import pytest

from detector.app.mutes_and_closures import parse_mutes
from detector.domain.run_memory import FIRST_RUN
from detector.formats.errors import InputError
from tests.support.program import answer
from tests.support.snapshots import evaluated, healthy_at, named, owed, remembered, settings_of

MUTED = """
[[mute]]
signature = "pending_orders_high:*"
until = 2026-06-06T06:00:00Z
reason = "the owner tries a new entry"
by = "ryo"
"""
HIGH = {"status_v3": {"pending_orders": 2}}
WORSE = {"status_v3": {"pending_orders": 3}}
GOOD: dict[str, object] = {}


def told(steps, mutes=MUTED):
    """Run (clock, patch) steps on a Saturday and return what each told."""
    settings, memory, seen = settings_of(mutes=mutes), FIRST_RUN, []
    for clock, patch in steps:
        report = evaluated(healthy_at(f"2026-06-06T{clock}:00Z", patch), memory, settings)
        memory = remembered(report)
        seen.append(owed(report))
    return seen


NEW, RESOLVED = ["new pending_orders_high"], ["resolved pending_orders_high"]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        pytest.param(
            [("05:59", HIGH), ("06:00", HIGH), ("06:10", HIGH)], [[], NEW, []], id="still firing at the end"
        ),
        pytest.param(
            [("05:30", HIGH), ("05:40", GOOD), ("05:50", GOOD), ("06:00", GOOD)],
            [[], [], [], []],
            id="all inside",
        ),
        pytest.param([("05:50", HIGH), ("05:55", WORSE), ("06:00", WORSE)], [[], [], NEW], id="worse inside"),
    ],
)
def test_a_condition_that_begins_inside(steps, expected):
    assert told(steps) == expected


def before_the_mute(steps):
    """Tell it first without the mute, then go on with it."""
    memory = remembered(evaluated(healthy_at("2026-06-06T05:00:00Z", HIGH)))
    settings, seen = settings_of({"PENDING_ORDER_PERSIST_SEC": "99999", "GAP_SEC": "99999"}, mutes=MUTED), []
    for clock, patch in steps:
        report = evaluated(healthy_at(f"2026-06-06T{clock}:00Z", patch), memory, settings)
        memory = remembered(report)
        seen.append(owed(report))
    return seen


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        pytest.param([("05:30", HIGH), ("06:10", HIGH)], [[], []], id="unchanged at the end"),
        pytest.param(
            [("05:30", GOOD), ("05:40", GOOD), ("06:10", GOOD), ("06:20", GOOD)],
            [[], [], RESOLVED, []],
            id="recovers inside",
        ),
        pytest.param(
            [("05:30", WORSE), ("06:10", WORSE)],
            [[], ["escalated pending_orders_high"]],
            id="escalates inside",
        ),
    ],
)
def test_a_condition_that_was_told_before(steps, expected):
    assert before_the_mute(steps) == expected


def test_a_muted_condition_is_evaluated_listed_and_counted():
    report = evaluated(healthy_at("2026-06-06T05:30:00Z", HIGH), settings=settings_of(mutes=MUTED))
    assert named(report) == ["warning pending_orders_high"]
    assert report.muted == ("pending_orders_high:aegis-pt-core",)
    assert report.decision.action == "notify"


def test_a_mute_that_covers_money_says_so():
    anything = MUTED.replace("pending_orders_high:*", "stuck_exits:*") + "even_money = true\n"
    stuck = {"status_v3": {"stuck_exits": 1, "pending_exits": 1}}
    assert told([("05:30", stuck)], anything) == [["new pending_exits"]]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ({"until": ""}, "line 1: [[mute]] number 1 until: is missing"),
        ({"until": "2026-06-06T06:00:00"}, "line 3: [[mute]] number 1 until: names no offset"),
        ({"until": "'2026-06-06T06:00:00'"}, "line 3: [[mute]] number 1 until: names no offset"),
        ({"until": "6"}, "line 3: [[mute]] number 1 until: must be a time such as"),
        ({"reason": "''"}, "line 4: [[mute]] number 1 reason: is empty"),
        ({"by": ""}, "line 1: [[mute]] number 1 by: is missing"),
        ({"by": "3"}, "line 5: [[mute]] number 1 by: must be a text"),
        ({"signature": ""}, "line 1: [[mute]] number 1 signature: is missing"),
        ({"signature": "'stuck_exits:*'"}, "'stuck_exits:*' would mute stuck_exits, which is about money"),
        ({"signature": "'*'"}, "which is about money"),
        ({"even_money": "'yes'"}, "line 6: [[mute]] number 1 even_money: must be true or false"),
        ({"untill": "6"}, "line 6: [[mute]] number 1 untill: is not known; did you mean until?"),
        ({"for": "'ever'"}, "is not known; there are: even_money, signature, until, reason, by"),
    ],
)
def test_a_mute_that_cannot_be_used_is_refused_with_its_line_and_key(lines, message):
    entries = {
        "signature": "'pending_orders_high:*'",
        "until": "2026-06-06T06:00:00Z",
        "reason": "'r'",
        "by": "'b'",
        **lines,
    }
    text = "\n".join(("[[mute]]", *(f"{key} = {value}" for key, value in entries.items() if value)))
    with pytest.raises(InputError) as caught:
        parse_mutes(text, ["stuck_exits"])
    assert message in str(caught.value)


def test_a_single_bracket_is_an_error():
    with pytest.raises(InputError, match=r"line 1: mute: must be a list: write \[\[mute\]\]"):
        parse_mutes('[mute]\nsignature = "x"', [])


def test_every_fault_is_told_at_once():
    with pytest.raises(InputError) as caught:
        parse_mutes(MUTED.replace('by = "ryo"', "by = 3") + "[[mute]]\n", [])
    assert len(caught.value.lines) == 5


@pytest.mark.parametrize(
    ("name", "is_refused"),
    [("heartbeat_stal", True), ("heartbeat_stale", False), ("heartbeat_*", False), ("no_signals", False)],
    ids=["a slip", "an event", "a pattern", "perhaps another profile's own rule"],
)
def test_a_mute_that_is_nearly_an_event_is_refused_with_the_name_that_was_meant(name, is_refused, tmp_path):
    (tmp_path / "mutes.toml").write_text(MUTED.replace("pending_orders_high", name))
    ran = answer(environ={"AEGIS_PT_MUTES": str(tmp_path / "mutes.toml")})
    assert (ran.code, "did you mean heartbeat_stale?" in ran.err) == (2 if is_refused else 0, is_refused), (
        ran.err
    )


@pytest.mark.parametrize(
    ("pattern", "is_aimless"),
    [
        ("zorp:*", True), ("pending_orders_high", True), ("pending_orders_high:another-runtime", True),
        ("pending_orders_high:*", False), ("pending_orders_high:aegis-pt-core", False), ("pending*", False),
        ("pending_order_stale:*:7", False), ("farm_unhealed:aegis-pt-core:us[fa]*", False),
        ("farm_unhealed:another:us[fa]*", True), ("*core", True), ("*-*", True), ("*aegis-pt-core*", True),
    ],
)  # fmt: skip
def test_a_mute_that_no_condition_can_match_is_a_warning(pattern, is_aimless):
    mutes = MUTED.replace("pending_orders_high:*", pattern)
    report = evaluated(healthy_at("2026-06-06T06:00:00Z"), settings=settings_of(mutes=mutes))
    assert any("mutes nothing" in warning for warning in report.warnings) is is_aimless


@pytest.mark.parametrize("pattern", ["*", "?*:*", "[!x]*", "[a-z]*:*", "*_*", "*e*:aegis-pt-core", "[a-q]*"])
def test_a_mute_of_every_event_is_refused_however_it_is_written(pattern, tmp_path):
    file = tmp_path / "mutes.toml"
    file.write_text(f"{MUTED.replace('pending_orders_high:*', pattern)}even_money = true\n")
    done = answer("detect", "--offline", stdin={}, environ={"AEGIS_PT_MUTES": str(file)})
    assert (done.code, "switched-off monitor" in done.err) == (2, True)


@pytest.mark.parametrize("pattern", ["*core", "*-*", "*aegis-pt-core*", "*[a-z]re"])
@pytest.mark.parametrize("money", ["", "even_money = true\n"], ids=["not of money", "even money"])
def test_a_pattern_mutes_only_events_whose_type_it_fits(pattern, money):
    mutes = MUTED.replace("pending_orders_high:*", pattern) + money
    stuck = {"status_v3": {"stuck_exits": 1, "pending_exits": 1, "pending_orders": 2}}
    report = evaluated(healthy_at("2026-06-06T05:30:00Z", stuck), settings=settings_of(mutes=mutes))
    assert len(report.new_events) >= 2, report.muted


def test_mutes_that_together_mute_most_rules_are_a_warning():
    halves = "".join(
        MUTED.replace("pending_orders_high:*", pattern) + "even_money = true\n"
        for pattern in ("[a-m]*", "[n-z]*")
    )
    report = evaluated(healthy_at("2026-06-06T05:30:00Z"), settings=settings_of(mutes=halves))
    assert [warning for warning in report.warnings if "rules are muted" in warning]
    later = evaluated(healthy_at("2026-06-06T06:00:00Z"), settings=settings_of(mutes=halves))
    assert later.warnings == ()
