"""The runbook that lies next to the package, or inside of it where it was installed: its sections and next steps."""

from __future__ import annotations

from pathlib import Path

import detector
from detector.engine.catalog import load_rules
from detector.render.explain import find_next_step

_PACKAGE = Path(detector.__file__).resolve().parent
PLACES = (_PACKAGE / "RUNBOOK.md", _PACKAGE.parent / "RUNBOOK.md")


def runbook() -> str:
    """Return the text of the runbook, or nothing where the package came without one."""
    found = next((path for path in PLACES if path.is_file()), None)
    return found.read_text(encoding="utf-8") if found else ""


def next_steps() -> dict[str, str]:
    """Return by event type what its section says to do; where there is none, the rule's own first line."""
    text = runbook()
    return {one.name: find_next_step(text, one.name) or one.doc for one in load_rules()}
