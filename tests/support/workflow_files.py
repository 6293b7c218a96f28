"""A runner for one job of a workflow.

Its steps in order, every `run:` of them verbatim and by the shell that it names.

Expressions are looked up in a table that the test gives: one that it does not know is an error, so that no
value of a workflow goes untested. Actions (`uses:`) are stood in for by functions.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.support.snapshots import ROOT

WORKFLOWS = ROOT / ".github" / "workflows"
_EXPRESSION = re.compile(r"\$\{\{\s*(.*?)\s*\}\}", re.DOTALL)
# GitHub's own words for `shell: bash`
_BASH = ("bash", "--noprofile", "--norc", "-eo", "pipefail")

Action = Callable[[dict[str, str]], bool]


def workflow(name: str) -> Any:
    """A workflow as it is written: keys and values are texts, so that `on` is no boolean."""
    return yaml.load((WORKFLOWS / name).read_text(encoding="utf-8"), Loader=yaml.BaseLoader)


def expressions(value: Any) -> set[str]:
    """Every expression that stands anywhere in a part of a workflow."""
    if isinstance(value, dict):
        return {found for item in value.values() for found in expressions(item)}
    if isinstance(value, list):
        return {found for item in value for found in expressions(item)}
    return set(_EXPRESSION.findall(value))


@dataclass
class Ran:
    """One step that ran: its name, its exit code, and what it said."""

    name: str
    code: int
    said: str


@dataclass
class Runner:
    """A machine that runs one job.

    `values` of expressions, stand-ins for `actions`, and the `environ` of the machine.
    """

    workspace: Path
    environ: Mapping[str, str]
    values: dict[str, str] = field(default_factory=dict)
    actions: dict[str, Action] = field(default_factory=dict)
    ran: list[Ran] = field(default_factory=list)
    failed: bool = False

    def run(self, job: Mapping[str, Any]) -> bool:
        """Run the steps of the job in order, and return whether it is green."""
        made = {name: self.text(value) for name, value in job.get("env", {}).items()}
        for number, step in enumerate(job["steps"]):
            if not self._wanted(step.get("if")):
                continue
            environ = {**made, **{name: self.text(value) for name, value in step.get("env", {}).items()}}
            done = self._command(step, environ, number) if "run" in step else self._action(step, environ)
            self.ran.append(done)
            if "id" in step:
                self.values[f"steps.{step['id']}.outcome"] = "failure" if done.code else "success"
            self.failed = self.failed or (done.code != 0 and step.get("continue-on-error") != "true")
        return not self.failed

    def text(self, value: str) -> str:
        """A value with its expressions looked up."""
        return _EXPRESSION.sub(lambda found: self.values[found[1]], value)

    def _wanted(self, condition: str | None) -> bool:
        """Whether a step runs: those without a word of their own only after success."""
        if condition is None:
            return not self.failed
        known = _EXPRESSION.fullmatch(condition)
        assert known is not None, condition
        words = known[1]
        if words.startswith("always()"):
            return all(self.values[other] for other in words.split(" && ")[1:])
        if words.startswith("(failure() || cancelled()) && ("):
            others = words.partition(" && (")[2].removesuffix(")").split(" || ")
            return self.failed and any(self._differs(*other.split(" != ")) for other in others)
        if " != " in words:
            return not self.failed and self._differs(*words.split(" != "))
        return not self.failed and bool(self.values[words])

    def _differs(self, name: str, other: str) -> bool:
        return self.values.get(name, "") != other.strip("'")

    def _command(self, step: Mapping[str, Any], environ: dict[str, str], number: int) -> Ran:
        assert step.get("shell") is None
        script, output = self.workspace / f"step-{number}.sh", self.workspace / f"output-{number}"
        script.write_text(step["run"], encoding="utf-8")
        output.touch()
        done = subprocess.run(
            [*_BASH, str(script)],
            cwd=self.workspace,
            env={**self.environ, **environ, "GITHUB_OUTPUT": str(output)},
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        for line in output.read_text().splitlines():
            name, _, text = line.partition("=")
            self.values[f"steps.{step['id']}.outputs.{name}"] = text
        return Ran(step["name"], done.returncode, done.stdout + done.stderr)

    def _action(self, step: Mapping[str, Any], environ: dict[str, str]) -> Ran:
        name = step["uses"].partition("@")[0]
        given = {key: self.text(value) for key, value in step.get("with", {}).items()}
        self.values |= {f"env.{key}": text for key, text in environ.items()}
        ok = self.actions.get(name, lambda given: True)(given)
        return Ran(step["name"], 0 if ok else 1, "")


def bare_environ(**more: str) -> dict[str, str]:
    """What a runner's machine has of its own.

    A path with this Python in front, and no way to a package index.
    """
    return {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}/usr/local/bin{os.pathsep}/usr/bin{os.pathsep}/bin",
        "PIP_NO_INDEX": "1",
        "PIP_CONFIG_FILE": os.devnull,
        "LANG": "C.UTF-8",
        **more,
    }
