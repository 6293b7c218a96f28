"""The process's own clock: read once at the entry, in UTC, and again after collecting."""

from __future__ import annotations

import io
import json
import sys
from types import SimpleNamespace

import pytest
from freezegun import freeze_time

from detector.cli import main

# Nothing here reads a clock, and pydantic needs the true type of a time.
PURE = [f"detector.{room}" for room in ("domain", "formats", "logs", "market", "readers")]


def report(monkeypatch, *words):
    """Run the entry point itself, without a clock of the test's, and return the report that it prints."""
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"{}")))
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=out, flush=lambda: None))
    assert main(["detect", "--offline", "--quiet", "--report", *words], {}) == 0
    return json.loads(out.getvalue())


@pytest.mark.parametrize(
    "moment",
    ["2026-06-02T15:00:00Z", "2026-11-01T05:30:00Z", "2028-02-29T23:59:59Z"],
    ids=["a session", "the hour that New York has twice", "a leap day"],
)
def test_the_clock_is_that_of_the_process_in_utc(moment, monkeypatch):
    with freeze_time(moment):
        assert report(monkeypatch)["taken_at"] == moment


def test_now_replaces_the_clock(monkeypatch):
    with freeze_time("2026-06-02T15:00:00Z"):
        assert report(monkeypatch, "--now", "2026-06-03T15:00:00Z")["taken_at"] == "2026-06-03T15:00:00Z"


def test_a_clock_that_is_set_back_by_an_hour_does_not_stop_the_memory(monkeypatch, tmp_path):
    warm = str(tmp_path / "warm.json")
    for _ in range(2):  # pydantic reads the types of a memory at its first use
        report(monkeypatch, "--previous", warm, "--artifact", warm)
    path = str(tmp_path / "a.json")
    for generation, moment in enumerate(("2026-06-02T15:00:00Z", "2026-06-02T14:00:00Z"), 1):
        with freeze_time(moment, ignore=PURE):
            report(monkeypatch, "--previous", path, "--artifact", path)
        artifact = json.loads((tmp_path / "a.json").read_text())
        assert (artifact["generation"], artifact["taken_at"]) == (generation, moment)
