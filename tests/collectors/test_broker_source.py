"""Turns at a service of the broker: between processes, and after a clock that was set."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

import pytest

from detector.clients.collector_state import get_state_folder
from detector.collectors._broker_source import lock_turn
from detector.collectors.collector import SourceContext
from detector.formats.errors import LOCKED, THROTTLED, UNREADABLE, ExternalError
from tests.support.snapshots import NOW, settings_of


def turn(folder: Any, after: float = 0.0, subject: str = "tws a"):
    environ = {"XDG_STATE_HOME": str(folder)} if folder else {}
    settings = settings_of({"SOURCE_TIMEOUT_SEC": "2"})
    context = SourceContext(settings, environ, lambda: NOW + timedelta(seconds=after))
    return lock_turn(context, subject)


@pytest.mark.parametrize(
    ("after", "is_allowed"),
    [
        pytest.param(0, False, id="at once"),
        pytest.param(56, False, id="after 56 s"),
        pytest.param(59.95, True, id="a cron that is not exact waits the rest"),
        pytest.param(60, True, id="after 60 s"),
        pytest.param(-5, True, id="a clock that was set back"),
    ],
)
def test_a_second_turn_comes_after_the_pause(tmp_path, after, is_allowed):
    with turn(tmp_path):
        pass
    if is_allowed:
        with turn(tmp_path, after):
            pass
    else:
        with pytest.raises(ExternalError, match="at most") as raised, turn(tmp_path, after):
            pass
        assert raised.value.reason == THROTTLED


def test_two_at_once_are_one_and_a_refusal(tmp_path):
    with turn(tmp_path), pytest.raises(ExternalError) as raised, turn(tmp_path, 90):
        pass
    assert raised.value.reason == LOCKED


def test_a_turn_that_failed_was_one(tmp_path):
    with pytest.raises(ExternalError, match="broke"), turn(tmp_path):
        raise ExternalError("it broke", reason=UNREADABLE)
    with pytest.raises(ExternalError, match="at most"), turn(tmp_path, 5):
        pass


def test_another_subject_has_turns_of_its_own(tmp_path):
    with turn(tmp_path), turn(tmp_path, subject="tws b"):
        pass


def test_where_nothing_can_be_kept_nothing_is_asked():
    with pytest.raises(ExternalError, match="XDG_STATE_HOME"), turn(None):
        pass


@pytest.mark.parametrize("base", ["state", "~/state", ""])
def test_a_place_that_is_not_absolute_is_none(base, tmp_path):
    assert get_state_folder({"XDG_STATE_HOME": base, "HOME": str(tmp_path)}).is_relative_to(tmp_path)
    with pytest.raises(ExternalError, match="absolute"):
        get_state_folder({"XDG_STATE_HOME": base, "HOME": "home"})


def test_a_file_that_holds_garbage_is_no_turn(tmp_path):
    with turn(tmp_path):
        pass
    (file,) = (path for path in tmp_path.rglob("*") if path.is_file())
    file.write_bytes(os.urandom(64))
    with turn(tmp_path):
        pass
