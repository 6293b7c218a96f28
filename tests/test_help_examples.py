"""The example that ends the help of every command runs exactly as it is printed, in an empty folder."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from detector.cli import commands
from tests.support.github_runs import github_on_loopback
from tests.support.loopback import closed_port
from tests.support.snapshots import ROOT

CONTEXT = click.Context(commands)
NAMES = commands.list_commands(CONTEXT)
ANSWERED = (0, 1, 3)  # done, found, cannot tell: on a machine without sources that is the right answer
CHECKOUT = {"readiness": r"detector: there is no \S+ here: run it in the repository's checkout\n"}


def printed_example(name: str | None) -> str:
    """What a person copies: the last line of the help."""
    command = commands if name is None else commands.get_command(CONTEXT, name)
    assert command is not None
    text = command.get_help(click.Context(command, info_name=f"detector {name}", terminal_width=80))
    return text.rpartition("Example: ")[2].strip()


@pytest.fixture
def shell(tmp_path: Path):
    """A shell in a folder that holds the schedule's files and nothing else; GitHub answers on loopback."""
    for name in (".github", "scheduler"):
        (tmp_path / name).symlink_to(ROOT / name)
    with github_on_loopback() as github:
        environment = {
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "PYTHONPATH": str(ROOT),
            "HOME": str(tmp_path),
            "LC_ALL": "C.UTF-8",
            "GITHUB_API_URL": github.url,
            "GITHUB_REPOSITORY": "OWNER/NAME",
            "WORKER_URL": f"http://127.0.0.1:{closed_port()}",
        }

        def run(command: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                ["bash", "-o", "pipefail", "-c", command],
                cwd=tmp_path,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=600,
            )

        yield run


@pytest.mark.parametrize("name", [None, *NAMES], ids=["the program itself", *NAMES])
def test_the_example_of_the_help_runs_as_printed(name, shell):
    command = printed_example(name)
    assert f"python -m detector{f' {name}' if name not in (None, 'detect') else ''}" in command
    done = shell(command)
    if name in CHECKOUT:
        assert done.returncode == 2
        assert re.fullmatch(CHECKOUT[name], done.stderr)
        return
    assert done.returncode in ANSWERED, done.stderr
    assert done.stdout or done.returncode == 3, "an example shows something"
    assert not re.search(r"^Usage|Traceback|itself failed", done.stderr, re.MULTILINE)


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_one_line_however_narrow_the_terminal_is(name):
    assert "\n" not in printed_example(name)


@pytest.mark.parametrize("name", NAMES)
def test_an_example_names_no_file_that_it_did_not_make(name):
    command = printed_example(name)
    for file in re.findall(r"(?<![\w/.-])[\w-]+\.(?:json|ndjson|toml|db)\b", command):
        made = re.search(rf"(?:> |--artifact ){re.escape(file)}", command)
        assert made, f"{file}: whoever copies the line has no such file"


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("detector ga", {"gaps", "gate"}), ("detector rules --j", {"--json"}), ("detector can", {"can-close"})],
)
def test_a_shell_completes_commands_and_options(typed, offered):
    words = typed.split()
    environment = {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
        "_DETECTOR_COMPLETE": "bash_complete",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(words) - 1),
    }
    start = "import sys; sys.argv[0] = 'detector'; from detector.cli import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", start], env=environment, capture_output=True, text=True, check=False
    )
    assert {line.partition(",")[2] for line in done.stdout.splitlines()} == offered, done.stderr
