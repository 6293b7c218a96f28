"""Runs of the workflow as the tests need them: one, a list of them as GitHub answers it, a title a lane."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from detector.domain.run_windows import WorkflowRun
from detector.formats.times import format_time
from detector.schedule.run_list import parse_run

PRIMARY = "7,17,27,37,47,57 13-21 * * MON-FRI"
FALLBACK = "12,22,32,42,52 13-21 * * MON-FRI"
WORKER = "0,10,20,30,40,50 13-21 * * MON-FRI"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def scheduled(cron: str = PRIMARY) -> dict[str, Any]:
    return {"event": "schedule", "display_title": f"PT health | schedule {cron}"}


def dispatched(source: str = f"cloudflare-cron:{WORKER}") -> dict[str, Any]:
    return {"event": "repository_dispatch", "display_title": f"PT health | dispatch {source}"}


def item(created: datetime | str, conclusion: str | None = "success", **more: Any) -> dict[str, Any]:
    """One run as GitHub lists it; without a conclusion it is in progress."""
    created = created if isinstance(created, str) else format_time(created)
    return {
        **scheduled(),
        "created_at": created,
        "run_started_at": created,
        "updated_at": created,
        "run_attempt": 1,
        "status": "completed" if conclusion else "in_progress",
        "conclusion": conclusion,
        **more,
    }


def run(created: datetime | str, conclusion: str | None = "success", **more: Any) -> WorkflowRun:
    return parse_run(item(created, conclusion, **more))


def answered(items: Iterable[dict[str, Any]], total: int | None = None) -> dict[str, Any]:
    """The answer of "list workflow runs", newest first; every run with an id of its own."""
    runs = sorted(items, key=lambda one: str(one["created_at"]), reverse=True)
    listed = [
        {"id": int(re.sub(r"\D", "", one["created_at"])) * 10 + index % 10, **one}
        for index, one in enumerate(runs)
    ]
    return {"total_count": len(listed) if total is None else total, "workflow_runs": listed}
