"""The schedule of this program's own runs: when they are due by the crons, and which windows they covered."""

from __future__ import annotations

from detector.schedule.cron import CLOUDFLARE, GITHUB, Dialect, read_cron
from detector.schedule.expected import LaneTimetable, iter_windows
from detector.schedule.judge import judge
from detector.schedule.run_list import Listing, WorkflowFile, parse_listing, parse_run
from detector.schedule.schedule_files import (
    EVENT_TYPE,
    WORKER_SOURCE,
    get_title_prefix,
    parse_jsonc,
    parse_worker_lanes,
    parse_workflow_lanes,
    parse_yaml,
)

__all__ = [
    "CLOUDFLARE",
    "EVENT_TYPE",
    "GITHUB",
    "WORKER_SOURCE",
    "Dialect",
    "LaneTimetable",
    "Listing",
    "WorkflowFile",
    "get_title_prefix",
    "iter_windows",
    "judge",
    "parse_jsonc",
    "parse_listing",
    "parse_run",
    "parse_worker_lanes",
    "parse_workflow_lanes",
    "parse_yaml",
    "read_cron",
]
