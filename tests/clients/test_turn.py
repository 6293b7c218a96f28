"""Turns at what may not be read too often: between processes, and after a clock that was set."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest

from detector.clients.connection import Deadline
from detector.clients.turn import lock_turn
from detector.formats.errors import THROTTLED, UNREADABLE, ExternalError
from tests.support.snapshots import NOW


def turn(folder, after=0.0, subject="tws a"):
    return lock_turn(
        subject, 60, {"XDG_RUNTIME_DIR": str(folder)}, lambda: NOW + timedelta(seconds=after), Deadline(2)
    )


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
    with turn(tmp_path), pytest.raises(ExternalError, match="another process"), turn(tmp_path, 90):
        pass


def test_another_subject_has_turns_of_its_own(tmp_path):
    with turn(tmp_path), turn(tmp_path, subject="tws b"):
        pass


def test_a_link_in_the_place_of_the_file_is_not_followed(tmp_path):
    with turn(tmp_path):
        pass
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    target = tmp_path / "target"
    target.write_text("mine")
    file.unlink()
    file.symlink_to(target)
    with pytest.raises(ExternalError, match="cannot be noted") as raised, turn(tmp_path):
        pass
    assert (raised.value.reason, target.read_text()) == (UNREADABLE, "mine")


def test_where_nothing_can_be_noted_nothing_is_asked(tmp_path):
    with pytest.raises(ExternalError, match="XDG_RUNTIME_DIR"), turn(tmp_path / "none"):
        pass


def test_a_file_that_holds_garbage_is_no_turn(tmp_path):
    with turn(tmp_path):
        pass
    (file,) = tmp_path.iterdir()
    file.write_bytes(os.urandom(64))
    with turn(tmp_path):
        pass
