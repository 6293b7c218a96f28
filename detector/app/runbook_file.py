"""The runbook that lies next to the package, or inside of it where it was installed: its sections and next steps."""

from __future__ import annotations

from pathlib import Path

import detector
from detector.engine.catalog import load_rules
from detector.render.rules import find_next_step

_PACKAGE = Path(detector.__file__).resolve().parent
PATHS = (_PACKAGE / "RUNBOOK.md", _PACKAGE.parent / "RUNBOOK.md")


def read_runbook() -> str:
    """Return the text of the runbook, or nothing where the package came without one."""
    file = next((path for path in PATHS if path.is_file()), None)
    return file.read_text(encoding="utf-8") if file else ""


def list_next_steps() -> dict[str, str]:
    """Return by event type what its section says to do; where there is none, the rule's own first line."""
    text = read_runbook()
    return {rule.name: find_next_step(text, rule.name) or rule.doc for rule in load_rules()}
