"""Sources side by side: the whole takes the slowest plus little, and ends whatever a source does."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from detector.collectors.collector import (
    Answer,
    ConfiguredSource,
    SourceContext,
    list_collectors,
    list_configured_sources,
    list_unused_source_options,
)
from detector.collectors.run_sources import collect_in_parallel
from detector.domain.snapshot import PARTS, SECTIONS
from detector.formats.errors import REASONS, ExternalError
from detector.settings import STATUS_URL
from tests.support.snapshots import NOW, ROOT, settings_of


def world(settings: dict[str, str] | None = None) -> SourceContext:
    return SourceContext(settings_of(settings), {}, lambda: NOW)


def source(name: str, read) -> ConfiguredSource:
    return ConfiguredSource(name, STATUS_URL, "here", read)


def waits(wait):
    def read(ask) -> Answer:
        wait()
        return Answer({"a": 1}, NOW)

    return read


QUICK = source("quick", waits(lambda: None))


def raises(error: BaseException):
    def read(ask) -> Answer:
        raise error

    return read


def run(sources, **settings):
    found = collect_in_parallel(sources, world(settings))
    return {one.source.name: one for one in found}


def test_it_takes_as_long_as_the_slowest():
    """Not one of them answers before the last of them was asked."""
    all_of_them = threading.Barrier(20)
    found = run([source(f"s{number}", waits(all_of_them.wait)) for number in range(20)])
    assert len(found) == 20
    assert {one.entry["state"] for one in found.values()} == {"ok"}


def test_each_is_told_as_it_answers():
    go, order = threading.Event(), []
    for one in collect_in_parallel([source("slow", waits(go.wait)), QUICK], world()):
        order.append(one.source.name)
        go.set()
    assert order == ["quick", "slow"]


@pytest.mark.parametrize("limit", ["SOURCE_TIMEOUT_SEC", "COLLECT_TIMEOUT_SEC"])
def test_one_that_never_comes_back_is_left_behind(limit):
    """Such as a name look-up, which no time limit of Python's reaches."""
    has_begun, never = threading.Event(), threading.Event()
    begun: list[object] = []

    def hang(ask) -> Answer:
        begun.append(ask)
        has_begun.set()
        never.wait()
        return Answer({}, NOW)

    # At a place of its own: the thread of the test before may still be about to end.
    hanging = ConfiguredSource("hangs", STATUS_URL, limit, hang)
    found = run([hanging, QUICK], **{limit: "3"})  # a loaded machine may take seconds to begin the quick one
    assert has_begun.wait(60)
    again = run([hanging, QUICK])["hangs"].entry["detail"]
    assert (again, len(begun)) == ("its last reading has not come back, so that none is begun", 1)
    never.set()
    assert (found["hangs"].reason, found["hangs"].entry["state"]) == ("timeout", "failed")
    assert found["quick"].answer.section == {"a": 1}


def test_what_was_left_behind_ends_with_the_program():
    code = (
        "import threading\n"
        "from tests.collectors.test_parallel import *\n"
        "list(collect_in_parallel([source('hangs', lambda ask: threading.Event().wait())],"
        " world({'SOURCE_TIMEOUT_SEC': '0.1'})))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize(
    "error",
    [
        KeyError("hunter2"),
        RecursionError(),
        MemoryError(),
        ZeroDivisionError("hunter2"),
        UnicodeDecodeError("a", b"", 0, 1, ""),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_collector_that_breaks_is_a_failed_source(error):
    found = run([source("broken", raises(error)), QUICK])
    assert found["broken"].reason == "unreadable"
    assert type(error).__name__ in found["broken"].detail
    assert "hunter2" not in found["broken"].detail
    assert found["quick"].answer is not None


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_number_that_no_document_can_carry_is_a_failed_source(number):
    answered = Answer([{"a": [number]}], NOW)
    found = run([source("broken", lambda ask: answered), QUICK])
    assert found["broken"].entry["detail"] == "it holds a number that is not finite"
    assert found["quick"].entry["state"] == "ok"


def test_what_a_failure_says_is_one_redacted_line_of_bounded_length():
    said = "no\x1b[31m way\nfor U1234567 with sesame-sesame " + "x" * 999
    found = run([source("s", raises(ExternalError(said, reason="denied")))], STATUS_TOKEN="sesame-sesame")
    detail = found["s"].detail
    assert detail.startswith("no [31m way for live-1 with [redacted] xxx")
    assert len(detail) == 300


def test_an_entry_is_what_the_contract_says():
    found = run([QUICK, source("b", raises(ExternalError("it is not there", reason="missing")))])
    ok, failed = found["quick"].entry, found["b"].entry
    assert ok == {"state": "ok", "as_of": "2026-06-02T15:00:00Z", "elapsed_ms": ok["elapsed_ms"]}
    assert failed == {
        "state": "failed",
        "reason": "missing",
        "detail": "it is not there",
        "elapsed_ms": failed["elapsed_ms"],
    }


# --- the walk -----------------------------------------------------------------------------------------


def test_the_walk_finds_every_file_and_nothing_else():
    names = [vars(module)["__name__"].rpartition(".")[2] for module in list_collectors()]
    folder = ROOT / "detector" / "collectors"
    files = [path for path in folder.glob("[a-z]*.py") if "\nOPTIONS" in path.read_text("utf-8")]
    assert names == sorted(path.stem for path in files)
    assert len(names) >= 9


def test_every_section_that_can_be_collected_is_offered_by_each_of_its_collectors():
    offered = [(offer.section, offer.settings[0].name) for offer in list_unused_source_options(settings_of())]
    assert len(set(offered)) == len(offered)
    assert {section for section, _ in offered} == {*SECTIONS, *PARTS} - {"sources", "previous"}
    assert [setting for section, setting in offered if section == "broker"] == [
        "AEGIS_PT_PORTAL_URL",
        "AEGIS_PT_TWS_ADDRESS",
    ]


def test_without_settings_nothing_is_configured():
    assert list_configured_sources(settings_of()) == ()


def test_every_setting_that_switches_a_source_on_does_so():
    on = {
        "STATUS_URL": "http://h/", "BOT_STATUS_URL": "http://h/b", "ECS_CLUSTER": "c", "LOG_GROUP": "g",
        "STANDBY_DOCKER_URL": "unix:///x", "SECTIONS": "broker=/b", "STORES_DB": "/s",
    }  # fmt: skip
    found = list_configured_sources(settings_of(on))
    assert {one.name for one in found} == {
        "status_v3",
        "bot_status",
        "ecs",
        "logs",
        "containers",
        "broker",
        "stores",
    }
    for name, text in on.items():
        assert {one.setting.name for one in list_configured_sources(settings_of({name: text}))} == {
            f"AEGIS_PT_{name}"
        }


def test_every_reason_comes_with_advice_in_a_sentence():
    for reason, advice in REASONS.items():
        assert reason.replace("_", "").isalpha()
        assert advice[0].isupper()
        assert advice[-1] in ".?"
        advice.format("AEGIS_PT_X")
