"""`watch`: a cadence that survives long ticks, jumps and sleep; flat memory; signals; one instance.

A unit.
"""

from __future__ import annotations

import json
import os
import plistlib
import re
import shutil
import signal
import subprocess
import sys
import time
from datetime import timedelta

import pytest

from detector.app.watch_loop import Requests, WatchClocks, WatchLoop, lock_instance
from detector.formats.errors import InputError
from detector.render.watch import render_screen
from tests.support.program import answer
from tests.support.snapshots import NOW, ROOT, evaluated, healthy, healthy_at, remembered
from tests.support.watch_ticks import FIRST


class Clocks:
    """A wall clock and a monotonic one that tests move; `longest_wait` is what the loop asked for at once."""

    def __init__(self) -> None:
        self.wall_at, self.monotonic_at = NOW, 1000.0
        self.longest_wait = 0.0

    def wait(self, seconds: float) -> None:
        self.longest_wait = max(self.longest_wait, seconds)
        self.pass_by(seconds)

    def pass_by(self, seconds: float) -> None:
        self.monotonic_at += seconds
        self.wall_at += timedelta(seconds=seconds)

    @property
    def clocks(self) -> WatchClocks:
        return WatchClocks(lambda: self.wall_at, lambda: self.monotonic_at, self.wait)


def loop(clocks: Clocks, tick, ticks: int, reload=lambda: None):
    lines: list[str] = []
    made = WatchLoop(tick, reload, lines.append, clocks.clocks, 60, ticks)
    return made, lines


def test_ticks_come_at_the_cadence_whatever_they_take():
    clocks, at = Clocks(), []

    def tick() -> None:
        at.append(clocks.monotonic_at)
        clocks.pass_by(7)

    made, lines = loop(clocks, tick, 5)
    made.run()
    assert [moment - at[0] for moment in at] == [0, 60, 120, 180, 240]
    assert lines == []
    assert clocks.longest_wait <= 0.5


def test_a_tick_that_takes_too_long_skips_those_due_meanwhile_and_says_so():
    clocks, at = Clocks(), []

    def tick() -> None:
        at.append(clocks.monotonic_at)
        clocks.pass_by(150 if len(at) == 1 else 1)

    made, lines = loop(clocks, tick, 3)
    made.run()
    assert [moment - at[0] for moment in at] == [0, 180, 240]
    assert len(lines) == 1
    assert "2 of the ticks due meanwhile skipped" in lines[0]


@pytest.mark.parametrize(
    ("hours", "says"), [(1, "ahead by 60 min"), (-1, "back by "), (8, "ahead by 8 h")], ids=str
)
def test_a_clock_that_jumps_and_a_sleep_move_no_tick_and_are_told(hours, says):
    clocks, at = Clocks(), []

    def tick() -> None:
        at.append(clocks.monotonic_at)
        if len(at) == 2:
            clocks.wall_at += timedelta(hours=hours)

    made, lines = loop(clocks, tick, 4)
    made.run()
    assert [moment - at[0] for moment in at] == [0, 60, 120, 180]
    assert len(lines) == 1
    assert says in lines[0]


def test_a_term_ends_after_the_tick_and_a_hup_reads_the_settings_again():
    clocks, done, reloads = Clocks(), [], []
    requests = Requests()

    def tick() -> None:
        done.append(True)
        requests.reloads = len(done) == 1
        requests.ends = len(done) == 3

    made, lines = loop(clocks, tick, 100, lambda: reloads.append(True))
    made.requests = requests
    made.run()
    assert (len(done), len(reloads)) == (3, 1)
    assert lines == ["SIGHUP: the settings were read again"]


def test_settings_that_cannot_be_used_leave_the_old_ones():
    def refuse() -> None:
        raise InputError("AEGIS_PT_GAP_SEC: is not a number")

    clocks = Clocks()
    made, lines = loop(clocks, lambda: None, 1, refuse)
    made.requests.reloads = True
    made.run()
    assert lines == ["SIGHUP: the settings stay as they were: AEGIS_PT_GAP_SEC: is not a number"]


def test_a_folder_has_one_instance_at_a_time(tmp_path):
    with (
        lock_instance(tmp_path),
        pytest.raises(InputError, match="another `watch` runs on it"),
        lock_instance(tmp_path),
    ):
        pass
    with lock_instance(tmp_path):
        pass


# --- hundreds of ticks --------------------------------------------------------------------------------------


TICKS = int(os.environ.get("WATCH_TICKS", "400"))  # 2000 takes minutes: WATCH_TICKS=2000


def test_hundreds_of_ticks_are_flat_in_memory_and_descriptors(capsys):
    """A process of its own, with a source that fails in turn and a clock that jumps: see watch_ticks."""
    words = [sys.executable, "-m", "tests.support.watch_ticks", str(TICKS)]
    ran = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    result = json.loads(ran.stdout)
    assert (result["code"], result["ticks"]) == (0, TICKS)
    (first, first_descriptors), (last, last_descriptors) = (
        result["held"][str(number)] for number in (FIRST, TICKS)
    )
    with capsys.disabled():
        print(f"\nwatch: {(last - first) / 1024:.0f} KiB more at tick {TICKS} than at tick {FIRST}")
    assert last - first < 2 * 1024 * 1024
    assert last_descriptors <= first_descriptors


# --- the program ---------------------------------------------------------------------------------------


def test_a_pipe_gets_a_line_a_tick(tmp_path):
    ran = answer("watch", "--state", str(tmp_path), "--ticks", "1", environ={})
    assert ran.code == 0
    assert re.fullmatch(r"NOTHING WAS CHECKED: .*; 0 events; .*\n", ran.out.decode())


@pytest.mark.parametrize("every", ["0", "-1", "4", "3601", "nan"])
def test_a_cadence_that_cannot_be_meant_is_refused(tmp_path, every):
    ran = answer("watch", "--state", str(tmp_path), "--every", every)
    assert ran.code == 2
    assert "--every must be from 5 to 3600 seconds" in ran.err


def test_a_real_process_ends_at_sigterm_and_reads_again_at_sighup(tmp_path):
    env_file = tmp_path / "watch.env"
    env_file.write_text("AEGIS_PT_RUNTIME=first\n")
    words = [
        sys.executable, "-m", "detector", "watch", "--every", "5", "--state", str(tmp_path / "state"),
        "--env-file", str(env_file),
    ]  # fmt: skip
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("NOTHING WAS CHECKED")
        env_file.write_text("AEGIS_PT_GAP_SEC=soon\n")
        process.send_signal(signal.SIGHUP)
        assert process.stdout.readline().startswith("NOTHING WAS CHECKED")
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=600)
    finally:
        process.kill()
    assert process.returncode == 0
    assert "SIGHUP: the settings stay as they were: AEGIS_PT_GAP_SEC" in err


# --- the screen and the units --------------------------------------------------------------------------


def test_the_screen_shows_what_is_not_seen_as_loud_as_what_is_critical():
    report = evaluated(healthy_at("2026-06-02T15:00:00Z", {"status_v3": {"stuck_exits": 1}, "ecs": None}))
    lines = list(render_screen(report, ("UTC",), colour=True))
    loud = [line for line in lines if "\x1b[1;7m" in line]
    assert any("NOT SEEN" in line for line in loud)
    assert any("CRITICAL" in line for line in loud)
    plain = list(render_screen(report, ("UTC",), colour=False))
    assert not any("\x1b" in line for line in plain)
    assert any("NOT SEEN" in line and "runtime primary" in line for line in plain)


def test_a_name_in_a_snapshot_moves_no_cursor_of_the_screen():
    report = evaluated(healthy_at("2026-06-02T15:00:00Z", {"runtime": "a\x1b[2Jb"}))
    assert next(render_screen(report, ("UTC",), colour=False)).startswith("a [2Jb: ")


def test_the_screen_of_a_healthy_runtime_and_of_a_held_condition():
    first = evaluated(healthy())
    assert "  no condition holds" in list(render_screen(first, ("UTC",), colour=False))
    stuck = evaluated(healthy_at("2026-06-02T15:00:00Z", {"status_v3": {"stuck_exits": 1}}))
    lost = evaluated(
        healthy_at("2026-06-02T15:10:00Z", {"status_v3": {"stuck_exits": None}}), remembered(stuck)
    )
    assert any("(held: not seen now)" in line for line in render_screen(lost, ("UTC",), colour=False))


def test_the_systemd_unit_is_hardened_and_quoted(tmp_path):
    ran = answer("watch", "--unit", "systemd", "--state", "/var/lib/a b", "--env-file", "/etc/pt%h.env")
    text = ran.out.decode()
    assert '--state "/var/lib/a b" --env-file /etc/pt%%h.env' in text
    for line in ("NoNewPrivileges=yes", "ProtectSystem=strict", "ExecReload=/bin/kill -HUP $MAINPID"):
        assert line in text
    assert not (tmp_path / "state").exists()
    if shutil.which("systemd-analyze"):
        unit = tmp_path / "pt-health-detector.service"
        unit.write_text(text)
        done = subprocess.run(
            ["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False
        )
        assert "Unknown key" not in done.stderr
        assert "Failed to parse" not in done.stderr


@pytest.mark.parametrize(
    ("state", "line"),
    [
        ("/var/lib/pt-health", "StateDirectory=pt-health"),
        ("/srv/pt health/50%", 'ReadWritePaths="/srv/pt health/50%%"'),
        ("/var/lib/a/b", 'ReadWritePaths="/var/lib/a/b"'),
        ("/home/bot/state", 'ReadWritePaths="/home/bot/state"'),
    ],
)
def test_the_systemd_unit_may_write_its_folder(state, line):
    text = answer("watch", "--unit", "systemd", "--state", state).out.decode()
    assert [one for one in text.splitlines() if one.startswith(("StateDir", "ReadWrite"))] == [line]
    assert f'Environment="XDG_STATE_HOME={state.replace("%", "%%")}"' in text


def test_the_launchd_job_stays_alive_and_is_quoted():
    ran = answer("watch", "--unit", "launchd", "--state", "/Users/o/state & more")
    plist = plistlib.loads(ran.out)
    assert plist["ProgramArguments"][-2:] == ["--state", "/Users/o/state & more"]
    assert plist["KeepAlive"] is True
    assert b"not tried on a Mac" in ran.out
