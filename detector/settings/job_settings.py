"""The scheduled job: its memory across machines, its run, the dead-man's switch."""

from __future__ import annotations

from detector.settings.parsers import build_url_parser, parse_name, parse_optional
from detector.settings.setting import add_setting

ARTIFACT_NAME = add_setting(
    "ARTIFACT_NAME",
    "pt-health-memory",
    "name",
    "What the artifacts of a workflow are called; its run's id and attempt follow.",
    parse_name,
)
PING_URL = add_setting(
    "PING_URL",
    "",
    "URL",
    "Dead-man's switch (healthchecks.io): told after a run that saw, told and stored; /fail after any other.",
    build_url_parser("http", "https"),
    secret=True,
)
RUN_LANE = add_setting(
    "RUN_LANE", "", "name", "What started this run, such as the scheduler's event.", parse_optional
)
RUN_SOURCE = add_setting(
    "RUN_SOURCE",
    "",
    "text",
    "Which one of them it was, such as the cron or who dispatched it.",
    parse_optional,
)
SCHEDULE = add_setting(
    "SCHEDULE",
    "",
    "path",
    "The workflow file whose crons say when runs are due: each run then says how many were missed before it.",
    parse_optional,
)
