"""What an owner ordered that narrows the watch is loud: closures, mutes, names that resemble a setting."""

from __future__ import annotations

import html
import json

import pytest

from detector.app.mutes_and_closures import parse_closures, parse_mutes
from detector.formats.errors import InputError
from detector.render.lines import format_decision
from tests.support.program import answer
from tests.support.snapshots import evaluated, healthy, settings_of

DAYS = ["2026-06-01", "2026-06-02", "2026-06-03", "2026-06-04", "2026-06-05", "2026-06-08"]


def closing(*days: str) -> str:
    return "".join(f'[[closed]]\ndate = {day}\nreason = "x"\n' for day in days)


def muting(pattern: str, until: str, more: str = "") -> str:
    return f'[[mute]]\nsignature = "{pattern}"\nuntil = {until}\nreason = "x"\nby = "x"\n{more}'


def test_a_closure_of_today_stands_on_the_decision_line_and_in_the_coverage():
    report = evaluated(healthy(), settings=settings_of(closures=closing("2026-06-02")))
    said = "the session of 2026-06-02 is closed by AEGIS_PT_MARKET_CLOSURES"
    assert said in format_decision(report, ("UTC",))
    assert said in {entry.signal: entry.why for entry in report.coverage}["heartbeat"]
    early = evaluated(
        healthy(),
        settings=settings_of(closures='[[early_close]]\ndate = 2026-06-02\ncloses = "13:00"\nreason = "x"'),
    )
    assert "ends at 13:00 ET by AEGIS_PT_MARKET_CLOSURES" in format_decision(early, ("UTC",))
    assert evaluated(healthy(), settings=settings_of(closures=closing("2026-06-03"))).overrides == ()


def test_five_sessions_in_thirty_days_may_be_closed_and_no_sixth():
    assert len(parse_closures(closing(*DAYS[:5])).closed) == 5
    assert len(parse_closures(closing(*DAYS[:5], "2026-07-01")).closed) == 6
    with pytest.raises(InputError, match="5 in 30 days at most"):
        parse_closures(closing(*DAYS))
    with pytest.raises(InputError, match="5 in 30 days at most"):
        parse_closures(
            closing(*DAYS[:5]) + '[[early_close]]\ndate = 2026-06-30\ncloses = "13:00"\nreason = "x"'
        )


@pytest.mark.parametrize("pattern", ["*", "*:*", "**", "?*", "*:aegis-pt-core"])
def test_a_mute_of_everything_is_refused(pattern):
    with pytest.raises(InputError, match="names no rule"):
        parse_mutes(muting(pattern, "2026-06-03T00:00:00Z", "even_money = true"), [])


@pytest.mark.parametrize(
    ("until", "is_muted"),
    [
        pytest.param("2026-07-03T15:00:00Z", True, id="31 days"),
        pytest.param("2026-07-03T15:00:01Z", False, id="a second more"),
        pytest.param("2036-06-02T00:00:00Z", False, id="ten years"),
    ],
)
def test_a_mute_lasts_at_most_31_days(until, is_muted):
    document = healthy()
    document["status_v3"]["pending_orders"] = 3
    settings = settings_of(mutes=muting("pending_orders_high:*", until))
    report = evaluated(document, settings=settings)
    assert (bool(report.muted), bool(report.new_events)) == (is_muted, not is_muted)
    assert bool(report.warnings) is not is_muted
    assert all("a mute lasts at most 31 days" in warning for warning in report.warnings)


RESEMBLING = {
    "AEGIS_PT_PROFILE_DIR": "AEGIS_PT_PROFILE",  # it begins with a real name
    "AEGIS_PT_HEARTBEAT_STALENESS": "AEGIS_PT_HEARTBEAT_STALE_SEC",
    "AEGIS_PT_STANDBY_DOCKER_ADDRESS": "AEGIS_PT_STANDBY_DOCKER_URL",
}


@pytest.mark.parametrize(("name", "meant"), RESEMBLING.items())
def test_a_name_that_resembles_a_setting_is_one_warning_and_no_refusal(name, meant, tmp_path):
    environ = {name: "1", "AEGIS_PT_BOT_COLOUR": "red"}
    for words in (("settings",), ("doctor",)):
        done = answer(*words, environ=environ)
        assert done.code == 0, done.err
        assert done.err.count(f"{name} ({meant}?)") == 1
    report = answer("detect", "--report", stdin=healthy(), environ=environ).document
    assert [name in warning for warning in report["warnings"]] == [True]
    page = tmp_path / "page.md"
    answer(
        "run",
        "--stdout",
        "--state",
        str(tmp_path / "m"),
        "--summary",
        str(page),
        "--snapshot",
        "-",
        stdin=healthy(),
        environ=environ,
    )
    assert name in html.unescape(page.read_text())


@pytest.mark.parametrize("name", ["AEGIS_PT_BOT_COLOUR", "AEGIS_PT_X", "AEGIS_PT_STRATEGY_MODE"])
def test_other_names_belong_to_the_bot(name):
    done = answer("settings", environ={name: "1"})
    assert (done.code, done.err) == (0, "")


def test_in_a_file_of_this_program_every_name_is_a_setting(tmp_path):
    file = tmp_path / "detector.env"
    file.write_text("AEGIS_PT_BOT_COLOUR=red\nAEGIS_PT_STATUS_ADDR=x\nAEGIS_PT_STATUS_URI=x\nOTHER=1\n")
    done = answer("settings", "--env-file", str(file))
    assert done.code == 2
    assert [line.split()[1] for line in done.err.splitlines()] == [
        "AEGIS_PT_BOT_COLOUR", "AEGIS_PT_STATUS_ADDR", "AEGIS_PT_STATUS_URI"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("key", "said", "never_said"),
    [
        ("heartbeat_age_sec", "this is a fact: put it into status_v3", "nearest"),
        ("pending_orders", "this is a fact: put it into status_v3", "nearest"),
        ("hearbeat_at", "'heartbeat_at' is a fact: put it into status_v3", "nearest"),
        ("bot_staus", "the nearest known one is 'bot_status'", "fact"),
        ("nonsense", "unknown section 'nonsense' (", "nearest"),
    ],
)
def test_a_hint_has_a_cut_off(key, said, never_said):
    done = answer("detect", "--offline", stdin=json.dumps({key: 1}))
    assert (done.code, said in done.err, never_said in done.err) == (2, True, False), done.err
