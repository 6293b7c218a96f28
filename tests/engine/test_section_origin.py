"""How each source answered, as `collect` wrote it down."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from detector.domain.provenance import SourceStatus
from detector.domain.section_reading import Reading
from detector.engine.section_origin import read_sources

NOW = datetime(2026, 6, 2, 15, 0, tzinfo=UTC)


def reading(raw: dict[str, Any]) -> tuple[dict[str, SourceStatus], list[str], Reading]:
    one = Reading("sources", NOW, 120)
    return read_sources(raw, one), [fault.path for fault in one.invalid], one


@pytest.mark.parametrize("state", ["ok", "failed", "off"])
def test_a_source_is_read(state):
    entry = {
        "state": state,
        "as_of": "2026-06-02T14:59:00Z",
        "reason": "denied",
        "detail": "the profile default is missing",
        "elapsed_ms": 3,
    }
    found, said, _ = reading({"ecs": entry})
    assert found == {
        "ecs": SourceStatus(
            "ecs", state, NOW - timedelta(minutes=1), "denied", "the profile default is missing"
        )
    }
    assert said == []


def test_only_its_state_is_needed():
    assert reading({"ecs": {"state": "ok"}, "logs": {"state": "ok", "as_of": None}})[0] == {
        "ecs": SourceStatus("ecs", "ok"),
        "logs": SourceStatus("logs", "ok"),
    }


@pytest.mark.parametrize(
    ("entry", "paths"),
    [
        pytest.param("ok", ["sources.ecs"], id="text"),
        pytest.param(None, ["sources.ecs"], id="null"),
        pytest.param([], ["sources.ecs"], id="a list"),
        pytest.param({}, ["sources.ecs.state"], id="no state"),
        pytest.param({"state": None}, ["sources.ecs.state"], id="a state of null"),
        pytest.param({"state": "broken"}, ["sources.ecs.state"], id="a word that is none"),
        pytest.param({"state": True}, ["sources.ecs.state"], id="a flag"),
    ],
)
def test_a_source_whose_state_cannot_be_read_is_left_out_and_noted(entry, paths):
    found, said, _ = reading({"ecs": entry, "logs": {"state": "ok"}})
    assert found == {"logs": SourceStatus("logs", "ok")}
    assert said == paths


@pytest.mark.parametrize(("key", "raw"), [("as_of", "yesterday"), ("reason", 3), ("detail", ["x"])])
def test_a_part_that_cannot_be_read_is_not_seen(key, raw):
    found, said, _ = reading({"ecs": {"state": "ok", key: raw}})
    assert getattr(found["ecs"], key) is None
    assert said == [f"sources.ecs.{key}"]


@pytest.mark.parametrize(("ahead", "seen"), [(119, True), (120, True), (121, False)])
def test_a_section_cannot_be_of_the_future(ahead, seen):
    at = (NOW + timedelta(seconds=ahead)).isoformat()
    found, said, one = reading({"ecs": {"state": "ok", "as_of": at}})
    assert found["ecs"].as_of == (NOW if seen else None)
    assert one.skewed == ([] if seen else [("sources.ecs.as_of", 121.0)])
    assert said == []


def test_a_name_without_an_end_makes_no_path_without_one():
    _, (path,), _ = reading({"x" * 10_000: {}})
    assert len(path) < 120


def test_no_source_gives_no_fact_and_no_fault():
    assert reading({})[:2] == ({}, [])
