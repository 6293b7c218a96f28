"""The timelines of `tests/fixtures/timelines/`, read from their files."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from detector.formats.strict_json import parse_document
from detector.timeline import Script, ScriptError, parse_script
from tests.support.snapshots import ROOT

FOLDER = ROOT / "tests" / "fixtures" / "timelines"


def load_timeline(path: Path) -> Script:
    """Read one timeline; the base that it names is a file relative to its own. Raises ScriptError."""

    def load_base(name: str) -> Any:
        try:
            return parse_document((path.parent / name).read_bytes())
        except OSError as error:
            raise ScriptError(f"base {name}: {error.strerror}") from None

    return parse_script(tomllib.loads(path.read_text(encoding="utf-8")), load_base)


def load_timelines() -> dict[str, Script]:
    """Return every shipped timeline by its name."""
    return {path.stem: load_timeline(path) for path in sorted(FOLDER.glob("*.toml"))}
