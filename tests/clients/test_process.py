"""Starting another program: what it is given, what it leaves, and that it ends."""

from __future__ import annotations

import json
import os
import resource
import sys

import pytest

from detector.clients.process import is_installed, run_program
from detector.formats.errors import MISSING, TIMEOUT, TOO_LARGE, ExternalError

SECRETS = {
    "GH_TOKEN": "sesame", "GITHUB_TOKEN": "sesame", "CLOUDFLARE_API_TOKEN": "sesame", "AWS_SECRET_ACCESS_KEY": "sesame",
    "ACTIONS_RUNTIME_TOKEN": "sesame", "AEGIS_PT_SLACK_TOKEN": "sesame", "NPM_TOKEN": "sesame", "NODE_OPTIONS": "--inspect",
    "PYTHONPATH": "/elsewhere", "LD_PRELOAD": "/elsewhere",
}  # fmt: skip
SHOWS = "import os, json; print(json.dumps(dict(os.environ)))"


def test_no_token_reaches_it_and_nothing_that_changes_what_it_runs(tmp_path):
    done = run_program(
        [sys.executable, "-c", SHOWS], tmp_path, {**SECRETS, "PATH": "/usr/bin", "CI": "1"}, 20, MORE="x"
    )
    given = json.loads(done.output)
    assert "sesame" not in done.output
    assert not given.keys() & SECRETS.keys()
    assert (given["PATH"], given["CI"], given["MORE"]) == ("/usr/bin", "1", "x")


def test_it_leaves_its_exit_code_and_what_it_said_on_either_stream(tmp_path):
    words = [
        sys.executable,
        "-c",
        "import sys; print('out', flush=True); print('err', file=sys.stderr); sys.exit(7)",
    ]
    done = run_program(words, tmp_path, {}, 20)
    assert (done.exit_code, done.output.split()) == (7, ["out", "err"])


def test_it_gets_nothing_on_its_input(tmp_path):
    assert run_program([sys.executable, "-c", "print(repr(input()))"], tmp_path, {}, 20).exit_code == 1


def test_what_does_not_end_is_ended_with_all_that_it_started(tmp_path):
    """A pipe ends when the last process that can write into it is gone."""
    os.mkfifo(tmp_path / "pipe")
    child = "import time; f = open('pipe', 'w'); f.write('begun'); f.flush(); time.sleep(600)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-IS', '-c', {child!r}])"
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(ExternalError) as caught:
        run_program([sys.executable, "-IS", "-c", parent], tmp_path, {}, 2)
    assert caught.value.reason == TIMEOUT
    os.set_blocking(reader, True)
    with os.fdopen(reader, encoding="utf-8") as pipe:
        assert pipe.read() == "begun"


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("import sys\nwhile True: sys.stdout.write('x' * 65536)", TOO_LARGE),
        ("import sys\nsys.stdout.write('x' * (8 * 1024 * 1024 + 1))", TOO_LARGE),
        ("import time\nwhile True: print('x', flush=True); time.sleep(0.01)", TIMEOUT),
        ("import os, time\nos.close(1); os.close(2); time.sleep(600)", TIMEOUT),
    ],
    ids=["prints without end", "one byte too many", "drips without end", "closes its output and stays"],
)
def test_what_prints_without_end_is_ended_and_never_cut_silently(tmp_path, program, reason):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ExternalError) as caught:
        run_program([sys.executable, "-IS", "-c", program], tmp_path, {}, 3)
    assert caught.value.reason == reason
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100 * 1024  # KiB


def test_an_output_of_just_the_limit_is_whole(tmp_path):
    program = "import sys\nsys.stdout.write('a' + 'x' * (8 * 1024 * 1024 - 1))"
    output = run_program([sys.executable, "-IS", "-c", program], tmp_path, {}, 20).output
    assert (output[0], len(output)) == ("a", 8 * 1024 * 1024)


def test_a_program_that_is_not_there_is_said(tmp_path):
    with pytest.raises(ExternalError) as caught:
        run_program(["no-such-program"], tmp_path, {"PATH": os.environ["PATH"]}, 5)
    assert caught.value.reason == MISSING


def test_whether_it_is_installed_is_asked_of_the_path_that_was_handed_down(tmp_path):
    (tmp_path / "tool").write_text("#!/bin/sh\n")
    (tmp_path / "tool").chmod(0o755)
    assert is_installed("tool", {"PATH": str(tmp_path)})
    assert not is_installed("tool", {"PATH": "/nowhere"})
