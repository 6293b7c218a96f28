"""Processes by their supervisor.

Real ones on this machine, systemd's and launchd's answers as they are published.
"""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from detector.clients.collector_state import open_observations
from detector.clients.process import ProcessResult
from detector.collectors.collector import SourceContext
from detector.collectors.processes import (
    ProcessState,
    _read_processes,
    parse_job,
    parse_process_list,
    parse_unit,
    read_process,
)
from detector.formats.errors import MISSING, UNREADABLE, ExternalError
from tests.support.program import answer
from tests.support.snapshots import NOW, settings_of
from tests.support.source_contexts import ToolsOnly

RUNS = """LoadState=loaded
ActiveState=active
SubState=running
MainPID=812
NRestarts=4
ExecMainStatus=0
ExecMainStartTimestamp=Tue 2026-06-02 13:00:00 UTC
"""


def unit(**changes: str) -> str:
    values = dict(line.split("=", 1) for line in RUNS.splitlines()) | changes
    return "".join(f"{key}={value}\n" for key, value in values.items())


@pytest.mark.parametrize(
    ("text", "state"),
    [
        pytest.param(
            RUNS,
            ProcessState(True, 812, datetime(2026, 6, 2, 13, tzinfo=UTC), None, 4),
            id="runs",
        ),
        pytest.param(
            unit(ActiveState="failed", SubState="failed", MainPID="0", ExecMainStatus="137"),
            ProcessState(False, None, datetime(2026, 6, 2, 13, tzinfo=UTC), 137, 4),
            id="failed",
        ),
        pytest.param(
            unit(ActiveState="inactive", SubState="dead", MainPID="0", ExecMainStartTimestamp=""),
            ProcessState(False, None, None, 0, 4),
            id="never started",
        ),
    ],
)
def test_the_state_of_a_systemd_unit_is_read(text, state):
    assert parse_unit(text) == state


@pytest.mark.parametrize(
    ("active", "sub", "running"),
    [
        ("active", "running", True),
        ("active", "exited", None),
        ("reloading", "reload", True),
        ("inactive", "dead", False),
        ("failed", "failed", False),
        ("activating", "auto-restart", False),
        ("activating", "start", True),
        ("deactivating", "stop-sigterm", False),
        ("maintenance", "x", None),
    ],
)
def test_whether_a_unit_runs(active, sub, running):
    assert parse_unit(unit(ActiveState=active, SubState=sub)).running is running


def test_a_unit_that_starts_runs_once_it_has_a_process():
    assert parse_unit(unit(ActiveState="activating", SubState="start-pre", MainPID="0")).running is False
    assert parse_unit("ActiveState=activating\nSubState=start\n").running is None


def test_a_german_time_is_not_guessed():
    """The tool is run in C and UTC; where another locale answers all the same, the time is not seen."""
    state = parse_unit(unit(ExecMainStartTimestamp="Di 2026-06-02 15:00:00 CEST"))
    assert (state.running, state.started_at) == (True, None)
    assert parse_unit(unit(ExecMainStartTimestamp="Di 2026-06-02 13:00:00 UTC")).started_at is not None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (unit(LoadState="not-found", ActiveState="inactive"), MISSING),
        ("System has not been booted with systemd as init system (PID 1). Can't operate.", UNREADABLE),
        ("Das System wurde nicht mit systemd gestartet.", UNREADABLE),
        ("", UNREADABLE),
    ],
    ids=["unknown unit", "no systemd", "kein systemd", "nothing"],
)
def test_what_systemd_does_not_know_is_not_seen_and_never_down(text, reason):
    with pytest.raises(ExternalError) as failure:
        parse_unit(text)
    assert failure.value.reason == reason


GERMAN = """#!/bin/sh
if [ "${LC_ALL}${LANG}${TZ}" = "CCUTC" ] && [ -z "$LANGUAGE" ]; then day="Tue" zone="13:00:00 UTC"
else day="Di" zone="15:00:00 CEST"; fi
cat <<END
LoadState=loaded
ActiveState=active
SubState=running
MainPID=812
NRestarts=4
ExecMainStatus=0
ExecMainStartTimestamp=$day 2026-06-02 $zone
END
"""


def test_on_a_german_machine_the_tool_answers_in_c_and_utc(tmp_path):
    tool = tmp_path / "systemctl"
    tool.write_text(GERMAN)
    tool.chmod(0o755)
    more = {"LANG": "de_DE.UTF-8", "LC_ALL": "de_DE.UTF-8", "LANGUAGE": "de", "TZ": "Europe/Berlin"}
    environ = {"AEGIS_PT_PROCESSES": "bot=systemd:bot.service", "PATH": f"{tmp_path}:/usr/bin:/bin", **more}
    ran = answer("collect", environ={"HOME": str(tmp_path), **environ})
    row = ran.document["processes"][0]
    assert (row["running"], row["started_at"]) == (True, "2026-06-02T13:00:00Z")


# As `launchctl print gui/501/LABEL` answers, by its manual and public parsers; not tried on a Mac.
JOB = """gui/501/com.robotrader.runner = {
\tactive count = 1
\tpath = /Users/oliver/Library/LaunchAgents/com.robotrader.runner.plist
\ttype = LaunchAgent
\tstate = running

\tprogram = /usr/bin/python3
\tdomain = gui/501 [100005]
\truns = 472
\tpid = 70123
\tlast exit code = 1

\tspawn type = daemon (3)
\tresource coalition = {
\t\tID = 1234
\t\ttype = resource
\t\tstate = active
\t}
}
"""


def test_the_state_of_a_launchd_job_is_read():
    assert parse_job(JOB) == ProcessState(True, 70123, None, 1, 472)
    stopped = JOB.replace("state = running", "state = not running").replace("\tpid = 70123\n", "")
    assert parse_job(stopped) == ProcessState(False, None, None, 1, 472)
    assert parse_job(JOB.replace("state = running", "state = spawn scheduled")).running is None
    signalled = JOB.replace("last exit code = 1", "last exit code = (never exited)")
    assert parse_job(signalled).exit_code is None


def context(tools: dict[str, str], now: datetime = NOW, **environ: str) -> SourceContext:
    def run_tool(*command: str) -> ProcessResult:
        for key, text in tools.items():
            if key in " ".join(command):
                return ProcessResult(0, text)
        raise ExternalError(f"{command[0]} cannot be started", reason=MISSING)

    return ToolsOnly(settings_of(), environ, lambda: now, tool=run_tool)


def test_a_job_of_the_system_is_found_too_and_an_unknown_one_is_not_seen():
    absent = 'Could not find service "com.example.bot" in domain for user gui: 501'
    tools = {"print gui/": absent, "print system/": JOB}
    assert read_process("launchd", "com.example.bot", context(tools)).running is True
    with pytest.raises(ExternalError, match="launchd knows no such job"):
        read_process("launchd", "com.example.bot", context({"print": absent}))


PS = f"""    1  1-02:03:04 /sbin/init
{os.getpid():5}       00:01 python3 -m pytest
  812    02:03:04 /usr/bin/java -cp jts.jar ibgateway.GWClient
  900       05:06 python3 -m robo_trader.runner_async --token hunter2
  901       00:01 /opt/bots/trader
"""


def test_an_age_that_cannot_be_leaves_the_process_listed_without_a_start():
    listed = parse_process_list(" 7 213503982334601-07:00:15 python3 bot.py\n 8 01:05 sleep 9\n", NOW)
    assert [(process.pid, process.started_at) for process in listed] == [
        (7, None),
        (8, NOW - timedelta(seconds=65)),
    ]


def test_the_process_list_gives_each_start():
    ages = {
        process.pid: (NOW - process.started_at).total_seconds()
        for process in parse_process_list(PS, NOW)
        if process.started_at
    }
    assert ages == {1: 93784, os.getpid(): 1, 812: 7384, 900: 306, 901: 1}


@pytest.mark.parametrize(
    ("name", "pid"),
    [
        ("runner_async", 900),
        ("trader", 901),
        ("java", 812),
        ("GWClient", 812),
        ("/opt/bots/trader", 901),
        ("ib", None),
    ],
)
def test_a_process_by_its_name(name, pid):
    state = read_process("command", name, context({"ps": PS}))
    assert (state.running, state.pid) == (pid is not None, pid)


@pytest.mark.parametrize(
    "line",
    [
        "python3 bot.py", "python3.11 -u -X dev /opt/bot.py --live", "/usr/bin/node --max-old-space-size=512 bot.py",
        "bash /opt/bot.py", "bot.py: worker process", "./bot.py",
        "perl -w bot.py", "python3 -m bot.py",
    ],
)  # fmt: skip
def test_a_program_or_what_an_interpreter_runs_is_the_process(line):
    assert read_process("command", "bot.py", context({"ps": f"  77  01:00 {line}\n"})).running is True


@pytest.mark.parametrize(
    "line",
    [
        "vim bot.py", "tail -f bot.py", "grep --color bot.py", "ssh host bot.py", "python3 -m pdb bot.py",
        "python3 -c code bot.py", "node inspect bot.py", "celery -A bot.py worker", "bash -c while true bot.py",
        "python3 edit.py bot.py", "java -cp bot.py Main", "some-unknown-launcher bot.py",
    ],
)  # fmt: skip
def test_a_process_that_only_has_the_name_among_its_arguments_shows_neither_running_nor_down(line):
    with pytest.raises(ExternalError, match=r"no process is known to run it; .* has it among its arguments"):
        read_process("command", "bot.py", context({"ps": f"  77  01:00 {line}\n"}))
    both = context({"ps": f"  77  01:00 {line}\n  78  01:00 python3 bot.py\n"})
    assert read_process("command", "bot.py", both).pid == 78


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param(PS.partition("\n")[0], id="the end is cut off"),
        pytest.param(PS[PS.index("  812") :], id="the beginning is cut off"),
        pytest.param(PS.replace("    1 ", "    2 "), id="the processes of this user alone"),
        pytest.param("Usage: ps [OPTIONS]", id="no list"),
    ],
)
def test_a_list_that_is_not_whole_shows_who_runs_and_not_who_is_down(text, tmp_path):
    path = tmp_path / "bot.pid"
    path.write_text("4194304")
    os.utime(path, (NOW.timestamp(), NOW.timestamp()))
    for place in (("command", "no_such_bot"), ("pidfile", str(path))):
        with pytest.raises(ExternalError, match="ps does not list every process"):
            read_process(*place, context({"ps": text}))
        assert read_process(*place, context({"ps": PS})).running is False
    if "trader" in text:
        assert read_process("command", "trader", context({"ps": text})).running is True


@pytest.mark.parametrize("supervisor", ["systemd", "launchd", "command"])
def test_a_missing_tool_is_not_seen_and_never_down(supervisor):
    with pytest.raises(ExternalError, match="cannot be started"):
        read_process(supervisor, "bot", context({}))


# --- pid files, and the program with real processes ----------------------------------------------------


def collected(place: str, home, **more: str):
    environ = {"AEGIS_PT_PROCESSES": place, "HOME": str(home), "PATH": os.environ["PATH"], **more}
    ran = answer("collect", environ=environ)
    assert ran.code == 0, ran.err
    return ran.document


def test_a_real_process_is_found_by_its_pid_file(tmp_path):
    path = tmp_path / "bot.pid"
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    try:
        path.write_text(f"{process.pid}\n")
        row = collected(f"bot=pidfile:{path}", tmp_path)["processes"][0]
        assert (row["name"], row["running"], row["pid"]) == ("bot", True, process.pid)
    finally:
        process.kill()
        process.wait()
    assert collected(f"bot=pidfile:{path}", tmp_path)["processes"][0]["running"] is False


@pytest.mark.parametrize(
    ("content", "running"),
    [("not a pid", "not seen"), ("", "not seen"), ("-5", "not seen"), (None, False)],
    ids=["text", "empty", "negative", "gone"],
)
def test_a_pid_file_without_a_process_means_not_running_only_where_it_can_be_read(tmp_path, content, running):
    path = tmp_path / "bot.pid"
    if content is not None:
        path.write_text(content)
    document = collected(f"bot=pidfile:{path}", tmp_path)
    if running is False:
        assert document["processes"] == [{"name": "bot", "running": False}]
    else:
        assert document["sources"]["processes"]["state"] == "failed"


def test_a_pid_that_belongs_to_a_younger_process_is_another_one(tmp_path):
    path = tmp_path / "bot.pid"
    path.write_text("901")
    past = (NOW - timedelta(hours=2)).timestamp()
    os.utime(path, (past, past))
    assert read_process("pidfile", str(path), context({"ps": PS})).running is False
    os.utime(path, (NOW.timestamp(), NOW.timestamp()))
    assert read_process("pidfile", str(path), context({"ps": PS})).running is True


def test_a_pid_file_in_a_folder_that_does_not_exist_is_not_seen(tmp_path):
    with pytest.raises(ExternalError, match="there is no folder"):
        read_process("pidfile", str(tmp_path / "no" / "bot.pid"), context({"ps": PS}))


def test_one_that_cannot_be_seen_leaves_the_others(tmp_path):
    document = collected(f"gateway=systemd:no.such.unit,bot=pidfile:{tmp_path}/bot.pid", tmp_path)
    rows = {row["name"]: row.get("running", "not seen") for row in document["processes"]}
    assert rows == {"bot": False, "gateway": "not seen"}
    assert document["sources"]["processes"]["detail"].startswith("gateway not seen: ")
    events = {event["signature"]: event["summary"] for event in answer(stdin=document).document["events"]}
    assert "is not known of gateway (" in events["reading_invalid:aegis-pt-core:processes.running"]


def test_no_argument_of_a_process_is_collected(tmp_path):
    assert "hunter2" not in str(read_process("command", "runner_async", context({"ps": PS})))


# --- starts --------------------------------------------------------------------------------------------


def starts(tools: dict[str, str], minute: int, home) -> int | None:
    run = context(tools, NOW + timedelta(minutes=minute), HOME=str(home))
    run = replace(run, settings=settings_of({"PROCESSES": "bot=systemd:bot.service"}))
    return _read_processes(run).section[0].get("starts_recent")


def test_starts_are_counted_within_the_window(tmp_path):
    told = [
        starts({"systemctl": unit(NRestarts=str(count))}, minute, tmp_path)
        for minute, count in ((0, 470), (1, 470), (10, 472), (20, 473), (59, 473), (75, 473), (90, 474))
    ]
    assert told == [None, 0, 2, 3, 3, 0, 1]


def test_a_supervisor_that_counts_anew_is_no_loop(tmp_path):
    told = [
        starts({"systemctl": unit(NRestarts=str(count))}, minute, tmp_path)
        for minute, count in ((0, 5), (1, 0), (2, 1))
    ]
    assert told == [None, None, 1]


def test_without_a_count_another_process_id_is_a_start(tmp_path):
    seen = []
    for minute, pid in enumerate((10, 10, 11, 12, 12)):
        run = context({"ps": f"{pid} 00:05 /opt/bot\n"}, NOW + timedelta(minutes=minute), HOME=str(tmp_path))
        run = replace(run, settings=settings_of({"PROCESSES": "bot=command:bot"}))
        seen.append(_read_processes(run).section[0].get("starts_recent"))
    assert seen == [None, 0, 1, 2, 2]


def test_a_list_longer_than_a_mebibyte_is_read_whole(tmp_path):
    tool = tmp_path / "ps"
    rest = f"{os.getpid()} 00:01 python3\n%s" % "".join(
        f"{9_000_000 + i} 00:01 /x {'y' * 300}\n" for i in range(5000)
    )
    (tmp_path / "list").write_text(f"1 00:01 init\n7 00:01 /opt/bot\n{rest}")
    tool.write_text(f"#!/bin/sh\ncat {tmp_path}/list\n")
    tool.chmod(0o755)
    row = collected("bot=command:bot", tmp_path, PATH=f"{tmp_path}:{os.environ['PATH']}")["processes"][0]
    assert (row["running"], row["pid"]) == (True, 7)


def test_starts_that_cannot_be_counted_are_reported_and_one_that_another_run_counts_is_not(tmp_path):
    def read_row(home) -> dict[str, str]:
        run = context({"systemctl": RUNS}, HOME=str(home))
        run = replace(run, settings=settings_of({"PROCESSES": "bot=systemd:bot.service"}))
        return _read_processes(run).section[0]

    assert read_row("relative")["error"].startswith("its state cannot be kept")
    assert "error" not in read_row(tmp_path)
    with open_observations({"HOME": str(tmp_path)}, "process-starts"):
        assert "error" not in read_row(tmp_path)


def test_a_state_that_cannot_be_read_or_kept_costs_only_the_count(tmp_path):
    assert starts({"systemctl": RUNS}, 0, tmp_path) is None
    state = next((tmp_path / ".local" / "state").rglob("*.json"))
    state.write_text("[broken")
    assert starts({"systemctl": RUNS}, 1, tmp_path) is None
    assert starts({"systemctl": RUNS}, 2, tmp_path) == 0
    assert starts({"systemctl": RUNS}, 3, "relative") is None
