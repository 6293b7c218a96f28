"""The schedule: when runs are expected, by the crons as they are written, and which windows the runs covered."""

from __future__ import annotations

from detector.schedule.cron import CLOUDFLARE, GITHUB, CronError, Dialect, read_cron
from detector.schedule.expected import LaneTimetable, expected
from detector.schedule.judge import judge
from detector.schedule.run_list import ListError, Listing, Workflow, listing_of_file, run_of
from detector.schedule.schedule_files import (
    EVENT_TYPE,
    WORKER_SOURCE,
    WrittenError,
    lanes_of_worker,
    lanes_of_workflow,
    parse_jsonc,
    parse_yaml,
    title_of_workflow,
)

__all__ = [
    "CLOUDFLARE",
    "EVENT_TYPE",
    "GITHUB",
    "WORKER_SOURCE",
    "CronError",
    "Dialect",
    "LaneTimetable",
    "ListError",
    "Listing",
    "Workflow",
    "WrittenError",
    "expected",
    "run_rules",
    "lanes_of_worker",
    "lanes_of_workflow",
    "listing_of_file",
    "parse_jsonc",
    "parse_yaml",
    "read_cron",
    "run_of",
    "title_of_workflow",
]
