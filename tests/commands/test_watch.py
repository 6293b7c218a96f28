"""`watch`: a cadence that survives long ticks, jumps and sleep; flat memory; signals; one instance.

A unit.
"""

from __future__ import annotations

import io
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
from pathlib import Path

import pytest

from detector.app.context import AppContext
from detector.app.watch_loop import (
    Requests,
    TickLines,
    WatchClocks,
    WatchLoop,
    get_user_folder,
    lock_instance,
)
from detector.cli import run
from detector.commands.run import RunOptions
from detector.commands.watch import _start_watch, _Watch
from detector.formats.errors import InputError
from detector.render.watch import CLEAR, render_screen
from detector.settings import RUNTIME
from detector.storage import artifact_file
from tests.support.loopback import says, serving
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
    ("hours", "says"), [(1, "ahead by 1 h"), (-1, "back by "), (8, "ahead by 8 h")], ids=str
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


def test_a_storm_of_hups_moves_no_tick():
    clocks, at, reloads = Clocks(), [], []
    made, _ = loop(clocks, lambda: at.append(clocks.monotonic_at), 4, lambda: reloads.append(True))
    wait = clocks.wait

    def wait_and_hup(seconds: float) -> None:
        made.requests.reloads = True
        wait(seconds)

    made.clocks = WatchClocks(lambda: clocks.wall_at, lambda: clocks.monotonic_at, wait_and_hup)
    made.run()
    assert [moment - at[0] for moment in at] == [0, 60, 120, 180]
    assert len(reloads) == 360


def test_settings_that_cannot_be_used_leave_the_old_ones():
    def refuse() -> None:
        raise InputError("AEGIS_PT_GAP_SEC: is not a number")

    clocks = Clocks()
    made, lines = loop(clocks, lambda: None, 2, refuse)
    made.requests.reloads = True
    made.run()
    assert lines == ["SIGHUP: the settings stay as they were: AEGIS_PT_GAP_SEC: is not a number"]


# --- one instance for each runtime ---------------------------------------------------------------------

HOLDER = (
    rf"'bot' is watched already: process {os.getpid()}, since 2026-06-02 15:00:00 UTC\. .*AEGIS_PT_RUNTIME"
)


def test_a_runtime_has_one_instance_and_the_second_one_says_who_has_it(tmp_path):
    with lock_instance("bot", tmp_path, NOW) as fault:
        assert fault is None
        with pytest.raises(InputError, match=HOLDER), lock_instance("bot", tmp_path, NOW):
            pass
    with lock_instance("bot", tmp_path, NOW):
        pass


@pytest.mark.parametrize(
    "other", ["Bot 2", "../bot", "bot/../x", "b\x1b[2Jt", "ボット" * 60, "-", ".", "\udcff"]
)
def test_two_runtimes_share_a_folder_whatever_they_are_called(tmp_path, other):
    with lock_instance("bot", tmp_path / "s", NOW), lock_instance(other, tmp_path / "s", NOW) as fault:
        assert fault is None
        assert len(list((tmp_path / "s").iterdir())) == 2
        with pytest.raises(InputError) as refusal, lock_instance(other, tmp_path / "s", NOW):
            pass
        assert "\x1b" not in str(refusal.value)


@pytest.mark.parametrize("content", [b"", b"\xff", b"12 yesterday\n", b"1" * 200])
def test_a_holder_that_cannot_be_read_still_holds(tmp_path, content):
    with lock_instance("bot", tmp_path, NOW):
        next(tmp_path.iterdir()).write_bytes(content)
        with pytest.raises(InputError, match="another process of"), lock_instance("bot", tmp_path, NOW):
            pass


@pytest.mark.parametrize("state", ["a", "b"])
def test_a_second_watch_of_one_user_is_refused_in_whatever_folder(tmp_path, state):
    environ = {"HOME": str(tmp_path), "AEGIS_PT_RUNTIME": "bot"}
    user_folder = tmp_path / ".local" / "state" / "pt-health-detector"
    with lock_instance("bot", tmp_path / "a", NOW), lock_instance("bot", user_folder, NOW):
        ran = answer("watch", "--ticks", "1", "--state", str(tmp_path / state), environ=environ)
    assert (ran.code, ran.out) == (2, b"")
    assert re.search(HOLDER, ran.err)
    again = answer("watch", "--ticks", "1", "--state", str(tmp_path / state), environ=environ)
    assert again.out


def test_a_state_folder_that_is_the_users_own_is_no_second_instance(tmp_path):
    state = tmp_path / "pt-health-detector"
    ran = answer("watch", "--ticks", "1", "--state", str(state), environ={"XDG_STATE_HOME": str(tmp_path)})
    assert ran.out


def test_a_folder_that_cannot_be_locked_ends_no_watch(tmp_path):
    (tmp_path / "file").write_text("")
    environ = {"HOME": str(tmp_path / "file")}
    ran = answer("watch", "--ticks", "1", "--state", str(tmp_path / "file"), environ=environ)
    assert ran.out
    assert ran.err.count("a second `watch` of this runtime is not noticed") == 1


def test_a_current_folder_that_is_gone_ends_no_watch(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert get_user_folder({"HOME": str(tmp_path)}, Path("state")) is None


@pytest.mark.parametrize("name", ["HOME", "XDG_STATE_HOME", "--state"])
def test_a_loop_of_links_ends_no_watch(name, tmp_path):
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    state = loop if name == "--state" else tmp_path / "state"
    ran = answer(
        "watch", "--ticks", "1", "--state", str(state), environ={"HOME": str(tmp_path), name: str(loop)}
    )
    assert (ran.code, bool(ran.out)) == (3, True)
    assert ("a second `watch` of this runtime is not noticed" in ran.err) == (name == "--state")


def test_a_watch_that_is_refused_pings_the_switch(tmp_path):
    with serving(says(b"OK")) as switch:
        environ = {"AEGIS_PT_PING_URL": f"{switch.url}/u", "AEGIS_PT_GAP_SEC": "soon"}
        assert answer("watch", "--state", str(tmp_path), environ=environ).code == 2
    assert [request.split()[1] for request in switch.requests] == [b"/u/fail"]


@pytest.fixture
def watch(tmp_path):
    """A watch in process that was started with the settings of an env file."""
    env_file = tmp_path / "watch.env"
    env_file.write_text("AEGIS_PT_RUNTIME=first\n")
    app = AppContext({}, lambda: NOW, io.BytesIO(), io.BytesIO(), io.StringIO())
    options = RunOptions(str(tmp_path / "state"), None, None, None, False, False, True, None, str(env_file))
    with _start_watch(app, options) as started:
        yield started, env_file


def test_the_lock_follows_the_name_of_the_runtime(watch, tmp_path):
    started, env_file = watch
    env_file.write_text("AEGIS_PT_RUNTIME=second\n")
    started.update_settings()
    with lock_instance("first", tmp_path / "state", NOW):
        pass
    with pytest.raises(InputError, match="watched already"), lock_instance("second", tmp_path / "state", NOW):
        pass


def test_a_runtime_that_another_one_watches_leaves_the_old_settings(watch, tmp_path):
    started, env_file = watch
    env_file.write_text("AEGIS_PT_RUNTIME=second\n")
    with (
        lock_instance("second", tmp_path / "state", NOW),
        pytest.raises(InputError, match="'second' is watched already"),
    ):
        started.update_settings()
    assert started.job.settings[RUNTIME] == "first"
    with pytest.raises(InputError, match="watched already"), lock_instance("first", tmp_path / "state", NOW):
        pass


@pytest.mark.parametrize("kind", ["env file", "a folder", "gone", "profile", "mutes"])
def test_settings_that_cannot_be_used_leave_the_old_job(watch, tmp_path, kind):
    started, env_file = watch
    bad = tmp_path / "bad.toml"
    bad.write_text("[broken")
    contents = {
        "env file": "AEGIS_PT_GAP_SEC=soon\n",
        "profile": f"AEGIS_PT_PROFILE={bad}\n",
        "mutes": f"AEGIS_PT_MUTES={bad}\n",
    }
    env_file.unlink()
    if kind == "a folder":
        env_file.mkdir()
    elif kind in contents:
        env_file.write_text(contents[kind])
    before, said = started.job, started.lines.app.stderr
    with pytest.raises(InputError):
        started.update_settings()
    assert started.job is before
    for _ in range(3):
        started.run_tick()
    assert said.getvalue().count("the settings in force are older than their files") == 1
    if kind != "a folder":
        env_file.write_text("AEGIS_PT_RUNTIME=first\n")
        started.update_settings()
        started.run_tick()
        assert not any("settings in force" in line for line in started.lines.before)


# --- hundreds of ticks --------------------------------------------------------------------------------------


TICKS = int(os.environ.get("WATCH_TICKS", "200"))  # 2000 takes minutes: WATCH_TICKS=2000


def test_hundreds_of_ticks_are_flat_in_memory_and_descriptors(capsys):
    """A process of its own, with a source that fails in turn and a clock that jumps: see watch_ticks."""
    words = [sys.executable, "-m", "tests.support.watch_ticks", str(TICKS)]
    ran = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    result = json.loads(ran.stdout)
    assert (result["code"], result["ticks"]) == (3, TICKS)
    (first, first_descriptors), (last, last_descriptors) = (
        result["held"][str(number)] for number in (FIRST, TICKS)
    )
    with capsys.disabled():
        print(f"\nwatch: {last - first} blocks of memory more at tick {TICKS} than at tick {FIRST}")
    assert last - first < 50 * (TICKS - FIRST), "what keeps 50 objects a tick is no cache"
    assert last_descriptors <= first_descriptors


# --- the program ---------------------------------------------------------------------------------------


def test_a_pipe_gets_a_line_a_tick(tmp_path):
    ran = answer("watch", "--state", str(tmp_path), "--ticks", "1", environ={})
    assert ran.code == 3
    assert re.fullmatch(r"NOTHING WAS CHECKED: .*; 0 events; .*\n", ran.out.decode())


def test_the_line_of_a_tick_names_what_is_wrong(tmp_path):
    environ = {"AEGIS_PT_SECTIONS": f"logs={tmp_path}/none"}
    ran = answer("watch", "--state", str(tmp_path), "--ticks", "1", environ=environ)
    assert ran.out.decode().endswith("JST; source_unavailable:aegis-pt-core:logs\n")


@pytest.fixture
def ticks_of(tmp_path, monkeypatch):
    """Run a watch whose ticks do what is handed over, and return what it printed."""

    def run_ticks(*acts, stdout=None, environ=None):
        steps = iter(acts)
        original = _Watch.run_tick

        def run_tick(self) -> None:
            next(steps)()
            original(self)

        monkeypatch.setattr(_Watch, "run_tick", run_tick)
        monkeypatch.setattr("detector.commands.watch.WatchClocks", lambda wall: Clocks().clocks)
        words = ("watch", "--state", str(tmp_path / "state"), "--ticks", str(len(acts)))
        return answer(*words, stdout=stdout, environ=environ)

    return run_ticks


def nothing() -> None: ...


def test_what_is_wrong_with_the_ticks_is_printed_once(ticks_of):
    ran = ticks_of(nothing, nothing, nothing)
    for text in ("NOTHING WAS CHECKED", "NOBODY IS ALERTED"):
        assert ran.err.count(text) == 1
    assert ran.out.count(b"NOTHING WAS CHECKED") == 3


def test_a_line_that_was_gone_is_printed_again_and_one_of_the_loop_always():
    said = io.StringIO()
    lines = TickLines(AppContext({}, lambda: NOW, io.BytesIO(), io.BytesIO(), said), waits=False)
    for texts in (["a", "b", "b"], ["a"], ["a", "b"], [], ["b"]):
        for text in texts:
            lines.print_changed(text)
        lines.close_tick()
    assert said.getvalue().split() == ["a", "b", "b", "b"]
    lines.print_line("b")
    lines.close_tick()
    assert said.getvalue().split() == ["a", "b", "b", "b", "b"]


def test_the_end_of_all_faults_is_printed_once(ticks_of, tmp_path):
    path = tmp_path / "status.json"

    def heal() -> None:
        path.write_text('{"stuck_exits": 0, "unknown_fills": 0}')
        os.utime(path, (NOW.timestamp(), NOW.timestamp()))

    with serving(says(b"ok")) as slack:
        environ = {
            "AEGIS_PT_SECTIONS": f"status_v3={path}",
            "AEGIS_PT_SLACK_WEBHOOK_URL": f"{slack.url}/services/T0/B0/x",
        }
        ran = ticks_of(nothing, nothing, heal, heal, environ=environ)
    assert ran.code == 0, ran.err
    assert ran.err.count("the ticks are without a fault again") == 1


def reload_at_ticks(monkeypatch, reloads: bool) -> None:
    """Let each tick read the settings again before it, or not."""
    original = _Watch.run_tick

    def run_tick(self) -> None:
        if reloads:
            self.update_settings()
        original(self)

    monkeypatch.setattr(_Watch, "run_tick", run_tick)


@pytest.mark.parametrize("goes", ["the folder", "its files"])
@pytest.mark.parametrize("reloads", [False, True])
def test_a_memory_that_goes_while_it_watches_is_lost_and_said(ticks_of, tmp_path, monkeypatch, goes, reloads):
    state, path = tmp_path / "state", tmp_path / "status.json"
    path.write_text('{"stuck_exits": 1}')
    os.utime(path, (NOW.timestamp(), NOW.timestamp()))

    def take_away() -> None:
        for file in [] if goes == "the folder" else state.glob("memory-*"):
            file.unlink()
        if goes == "the folder":
            shutil.rmtree(state)

    reload_at_ticks(monkeypatch, reloads)
    with serving(says(b"ok")) as slack:
        environ = {
            "AEGIS_PT_SECTIONS": f"status_v3={path}",
            "AEGIS_PT_SLACK_WEBHOOK_URL": f"{slack.url}/services/T0/B0/x",
        }
        ticks_of(nothing, nothing, take_away, nothing, environ=environ)
    posts = [request.partition(b"\r\n\r\n")[2].decode() for request in slack.requests]
    assert len(posts) == 2
    assert "memory_lost" not in posts[0]
    for text in ("memory_lost", "The record of sent alerts was lost", "is gone", "stuck_exits"):
        assert text in posts[1]


@pytest.mark.parametrize("stored", [False, True], ids=["from the first tick", "after one was stored"])
@pytest.mark.parametrize("reloads", [False, True])
def test_a_disk_that_is_full_for_many_ticks_repeats_no_alert(
    ticks_of, tmp_path, monkeypatch, stored, reloads
):
    state, path = tmp_path / "state", tmp_path / "status.json"
    path.write_text('{"stuck_exits": 1}')
    os.utime(path, (NOW.timestamp(), NOW.timestamp()))
    write, full = artifact_file.write_atomically, [not stored]

    def write_or_fail(file, text) -> None:
        if full[0]:
            raise OSError(28, "No space left on device")
        write(file, text)

    def fill() -> None:
        full[0] = True

    def free() -> None:
        full[0] = False

    monkeypatch.setattr(artifact_file, "write_atomically", write_or_fail)
    reload_at_ticks(monkeypatch, reloads)
    with serving(says(b"ok")) as slack:
        environ = {
            "AEGIS_PT_SECTIONS": f"status_v3={path}",
            "AEGIS_PT_SLACK_WEBHOOK_URL": f"{slack.url}/services/T0/B0/x",
        }
        ran = ticks_of(nothing, fill, nothing, nothing, free, nothing, environ=environ)
    posts = [request.partition(b"\r\n\r\n")[2].decode() for request in slack.requests]
    assert (ran.code, ran.err.count("could not be written")) == (0, 1)
    assert len([post for post in posts if "stuck_exits" in post]) == 1
    assert not any("memory_lost" in post or "watch_gap" in post for post in posts)
    assert list(state.glob("memory-*"))


@pytest.mark.parametrize("every", [5, 60, 600])
def test_a_condition_is_told_once_at_any_cadence_and_once_that_it_is_over(tmp_path, monkeypatch, every):
    """Stuck for most of the ticks, while the clock jumps an hour ahead and back, and the machine sleeps."""
    clocks, path = Clocks(), tmp_path / "status.json"
    ticks = 60
    jumps = {ticks // 4: 1, ticks // 3: -1, ticks // 2: 8}
    number = iter(range(ticks))
    original = _Watch.run_tick

    def run_tick(self) -> None:
        tick = next(number)
        clocks.wall_at += timedelta(hours=jumps.get(tick, 0))
        path.write_text(json.dumps({"stuck_exits": int(tick < ticks - 5)}))
        os.utime(path, (clocks.wall_at.timestamp(),) * 2)
        original(self)

    monkeypatch.setattr(_Watch, "run_tick", run_tick)
    monkeypatch.setattr("detector.commands.watch.WatchClocks", lambda wall: clocks.clocks)
    with serving(says(b"ok")) as slack:
        environ = {
            "AEGIS_PT_SECTIONS": f"status_v3={path}",
            "AEGIS_PT_SLACK_WEBHOOK_URL": f"{slack.url}/services/T0/B0/x",
            "AEGIS_PT_ESCALATION_REMIND_SEC": "0",
            "AEGIS_PT_SESSION_SUMMARY": "0",
        }
        app = AppContext(environ, lambda: clocks.wall_at, io.BytesIO(), io.BytesIO(), io.StringIO())
        words = ["watch", "--state", str(tmp_path / "s"), "--every", str(every), "--ticks", str(ticks)]
        run(app, words)
    posts = [request.partition(b"\r\n\r\n")[2].decode() for request in slack.requests]
    stuck = [post for post in posts if "stuck_exits" in post or "exit is stuck" in post.lower()]
    assert len(stuck) <= 2, stuck
    assert "stuck" in stuck[0]


@pytest.mark.parametrize(("acts", "code"), [((nothing,), 3), ((nothing, nothing), 3)])
def test_after_so_many_ticks_it_ends_with_the_code_of_the_last_one(ticks_of, acts, code):
    assert ticks_of(*acts).code == code


class Terminal(io.BytesIO):
    """A terminal as standard output, whose size is not known."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environ", "colours"),
    [
        ({"TERM": "xterm"}, True),
        ({"NO_COLOR": ""}, True),
        ({"NO_COLOR": "1"}, False),
        ({"NO_COLOR": "0"}, False),
        ({"NO_COLOR": "false", "TERM": "xterm-256color"}, False),
    ],
    ids=str,
)
def test_a_terminal_shows_a_screen_and_no_color_leaves_the_words(ticks_of, environ, colours):
    terminal = Terminal()
    ticks_of(nothing, stdout=terminal, environ=environ)
    text = terminal.getvalue().decode()
    assert text.startswith(f"{CLEAR}aegis-pt-core: NOTHING WAS CHECKED\n")
    assert ("\x1b[" in text.removeprefix(CLEAR)) is colours
    assert "NOT SEEN" in text


def test_a_terminal_that_cannot_move_its_cursor_gets_lines(ticks_of):
    terminal = Terminal()
    ticks_of(nothing, nothing, stdout=terminal, environ={"TERM": "dumb"})
    assert b"\x1b" not in terminal.getvalue()
    assert terminal.getvalue().count(b"\n") == 2


def test_below_a_screen_every_tick_has_its_lines():
    said = io.StringIO()
    lines = TickLines(AppContext({}, lambda: NOW, io.BytesIO(), Terminal(), said), waits=True)
    lines.print_line("SIGHUP")
    lines.print_changed("NOBODY")
    assert said.getvalue() == ""
    lines.close_tick()
    lines.print_changed("NOBODY")
    lines.close_tick()
    assert said.getvalue() == "SIGHUP\nNOBODY\nNOBODY\n"


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
    assert any("CRITICAL" in line and "stuck_exits: 1 exit is stuck." in line for line in loud)
    plain = list(render_screen(report, ("UTC",), colour=False))
    assert not any("\x1b" in line for line in plain)
    assert any("NOT SEEN" in line and "runtime primary" in line for line in plain)


@pytest.mark.parametrize("lines", [8, 12, 24, 200])
@pytest.mark.parametrize("columns", [40, 80])
def test_a_small_window_keeps_its_top_and_what_is_critical(lines, columns):
    report = evaluated(healthy_at("2026-06-02T15:00:00Z", {"status_v3": {"stuck_exits": 1}, "ecs": None}))
    whole = list(render_screen(report, ("UTC",), colour=False))
    screen = list(render_screen(report, ("UTC",), colour=False, size=(columns, lines)))
    assert screen[:2] == whole[:2]
    assert sum(1 + (len(line) - 1) // columns for line in screen if line) < lines
    assert any("CRITICAL" in line for line in screen)
    if any(line not in screen for line in whole):
        assert re.fullmatch("  and [0-9]+ more, for which this window is too small", screen[-1])
    else:
        assert list(filter(None, screen)) == list(filter(None, whole))  # a blank line may give way


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
