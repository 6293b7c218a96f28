"""The founding incidents as pages of `report`, for the check in a browser and for the documents' pictures.

`python -m tools.incident_pages FOLDER` writes one page for each, as of the minute that matters in it.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from detector.app.context import AppContext
from detector.cli import run

HISTORIES = Path(__file__).resolve().parents[1] / "tests" / "fixtures" / "histories"
# History, profile, and the moment of the report.
PAGES = (
    ("2025-09-15-connection-outage-remote", "robo_trader", "2025-09-17T13:40:00Z"),
    ("2026-05-06-power-outage-remote", "cortana", "2026-05-06T19:45:00Z"),
    ("2026-05-06-power-outage-on-the-machine", "cortana", "2026-05-06T19:50:00Z"),
    ("2026-06-01-recovery-baseline-remote", "aegis", "2026-06-01T15:40:00Z"),
)


def write_pages(folder: Path) -> Iterator[Path]:
    """Write every page into the folder and yield its path; raises SystemExit where one cannot be made."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, profile, at in PAGES:
        page = folder / f"{name}.html"
        stdout, stderr = io.BytesIO(), io.StringIO()
        app = AppContext(
            {"AEGIS_PT_PROFILE": profile},
            lambda: datetime.now(UTC),
            io.BytesIO(),
            stdout,
            stderr,
        )
        words = [
            "report",
            "--now",
            at,
            "--format",
            "html",
            "--to",
            str(page),
            str(HISTORIES / f"{name}.ndjson"),
        ]
        if run(app, words):
            raise SystemExit(stderr.getvalue())
        yield page


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):  # noqa: PLR2004 - the module and the folder
        raise SystemExit((__doc__ or "").strip())
    for path in write_pages(Path(sys.argv[1])):
        print(path)
