"""The wheel, installed into an empty folder.

What needs no checkout works, the rest names what it needs in one line.
"""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from email import message_from_string

import pytest

from detector.cli import commands
from tests.support.snapshots import ROOT, SNAPSHOTS

HEALTHY = (SNAPSHOTS / "regular-session.json").read_bytes()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The folder into which the built wheel was unpacked, as an installer does."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


@pytest.fixture
def detector(wheel, tmp_path):
    """The program out of the wheel, started in an empty folder with an empty environment."""
    start = f"import sys; sys.path.insert(0, {str(wheel)!r}); from detector.cli import main; sys.exit(main())"

    def run(*words: str, stdin: bytes = b"{}") -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [sys.executable, "-I", "-c", start, *words],
            cwd=tmp_path,
            env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
            input=stdin,
            capture_output=True,
            check=False,
        )

    return run


def test_the_program_of_the_wheel_is_the_one_that_runs(wheel):
    code = f"import sys; sys.path.insert(0, {str(wheel)!r}); import detector; print(detector.__file__)"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(wheel / "detector" / "__init__.py")


def test_a_snapshot_is_judged(detector):
    done = detector("--quiet", stdin=HEALTHY)
    assert (done.returncode, json.loads(done.stdout)) == (0, {"events": [], "new_events": []})


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["rules"], id="rules"),
        pytest.param(["settings"], id="settings"),
        pytest.param(["schema", "snapshot"], id="schema"),
        pytest.param(["explain", "1100"], id="a code explained"),
        pytest.param(["explain", "stuck_exits"], id="an event explained, with its runbook section"),
        pytest.param(["doctor"], id="doctor"),
        pytest.param(["collect"], id="collect"),
    ],
)
def test_what_needs_no_checkout_works(detector, words):
    done = detector(*words)
    assert done.returncode in (0, 3), done.stderr
    assert b"Traceback" not in done.stderr
    if words[0] == "explain" and words[1].isalpha():
        assert b"Means" in done.stdout


NAMES = sorted(commands.list_commands(None))  # type: ignore[arg-type]  # the names need no context
HELPS = """
import io, json, sys
sys.path.insert(0, sys.argv[1])
from detector.cli import main
helps = {}
for name in sys.argv[2:]:
    sys.stdout, sys.stderr = streams = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2)]
    helps[name] = main([name, "--help"]), *(stream.buffer.getvalue().decode() for stream in streams)
json.dump(helps, sys.__stdout__)
"""


@pytest.fixture(scope="module")
def helps(wheel):
    """The exit code, stdout and stderr of the help of every command, out of one process of the wheel."""
    words = [sys.executable, "-I", "-c", HELPS, str(wheel), *NAMES]
    return json.loads(subprocess.run(words, cwd=wheel.parent, env={}, capture_output=True, check=True).stdout)


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_its_help(helps, name):
    code, shown, error = helps[name]
    assert (code, error) == (0, "")
    assert f"Usage: detector {name} " in shown


def test_the_wheel_says_whose_it_is_and_under_which_licence(wheel):
    (metadata,) = wheel.glob("*.dist-info/METADATA")
    fields = message_from_string(metadata.read_text("utf-8"))
    assert (fields["Name"], fields["License-Expression"]) == ("pt-health-detector", "MIT")
    assert list(wheel.glob("*.dist-info/licenses/LICENSE"))
