"""The timelines of `tests/fixtures/timelines/`, read from their files, and a program that runs one of them.

`python -m tests.support.timelines FILE` prints every step and exits 1 where one is not as written, 2 where
the file cannot be run.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from detector.formats.errors import InputError
from detector.formats.strict_json import parse_document
from detector.formats.times import format_time
from detector.settings import PREFIX, Settings
from tests.support.snapshots import ROOT, settings_of
from tests.support.timeline_runner import StepResult, TimelineRunner
from tests.support.timeline_script import Timeline, TimelineError, parse_timeline

FOLDER = ROOT / "tests" / "fixtures" / "timelines"
_FAILED, _REFUSED = 1, 2


def load_timeline(path: Path) -> Timeline:
    """Read one timeline; the base that it names is a file relative to its own. Raises TimelineError."""

    def load_base(name: str) -> Any:
        try:
            return parse_document((path.parent / name).read_bytes())
        except OSError as error:
            raise TimelineError(f"base {name}: {error.strerror}") from None

    return parse_timeline(tomllib.loads(path.read_text(encoding="utf-8")), load_base)


def load_timelines() -> dict[str, Timeline]:
    """Return every shipped timeline by its name."""
    return {path.stem: load_timeline(path) for path in sorted(FOLDER.glob("*.toml"))}


def resolve_timeline_settings(timeline: Timeline) -> Settings:
    """Return the defaults with the timeline's own settings over them."""
    return settings_of({name.removeprefix(PREFIX): text for name, text in timeline.settings.items()})


def format_step(result: StepResult) -> str:
    """Return one step of a timeline: when, its notices, and its differences from the timeline."""
    verdict = "ok  " if not result.faults else "FAIL"
    notified = ", ".join(result.notified) or "nothing"
    step = f"step {result.step.number:>3}  {format_time(result.at)}  {result.decision:<8}  told: {notified}"
    return "\n      ".join([f"{verdict}  {step}", *result.faults])


def run_timeline(path: Path, gap_min: float | None) -> int:
    """Run and print a timeline, at its own times or at that gap, and return the number of its faults."""
    timeline = load_timeline(path)
    times = None
    if gap_min is not None:
        count = sum(step.repeat for step in timeline.steps)
        times = [timeline.start + timedelta(minutes=gap_min * number) for number in range(count)]
    faults = 0
    for result in TimelineRunner(timeline, resolve_timeline_settings(timeline)).run(times):
        faults += len(result.faults)
        print(format_step(result))
    print(f"{timeline.about}  {'as written' if not faults else f'{faults} faults'}".strip())
    return faults


def main(words: Sequence[str]) -> int:
    """Run the timeline of the command line and return the exit code."""
    parser = argparse.ArgumentParser(description="Run a timeline and compare every step with its file.")
    parser.add_argument("file", type=Path)
    parser.add_argument("--gap", type=float, metavar="MINUTES", help="the distance of the runs")
    options = parser.parse_args(words)
    try:
        return _FAILED if run_timeline(options.file, options.gap) else 0
    except (TimelineError, InputError, tomllib.TOMLDecodeError) as error:
        print(f"{options.file.name}: {error}", file=sys.stderr)
        return _REFUSED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
