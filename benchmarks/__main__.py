"""`make bench`: every benchmark, as ratios measured in one run on this machine."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path


def main(names: list[str]) -> None:
    """Run the named benchmarks, or all of them, each one's `run()` printing its own figures."""
    found = sorted(path.stem for path in Path(__file__).parent.glob("[a-z]*.py"))
    for name in names or found:
        print(f"== {name}")
        import_module(f"benchmarks.{name}").run()


main(sys.argv[1:])
