"""The scheduled job: its memory across machines, its run, the dead-man's switch."""

from __future__ import annotations

from detector.settings.kinds import name, optional, url
from detector.settings.setting import declare

ARTIFACT_NAME = declare(
    "ARTIFACT_NAME",
    "pt-health-memory",
    "name",
    "What the artifacts of a workflow are called; its run's id and attempt follow.",
    name,
)
PING_URL = declare(
    "PING_URL",
    "",
    "URL",
    "Dead-man's switch (healthchecks.io): told after a run that saw, told and stored; /fail after any other.",
    url("http", "https"),
    secret=True,
)
RUN_LANE = declare("RUN_LANE", "", "name", "What started this run, such as the scheduler's event.", optional)
RUN_SOURCE = declare(
    "RUN_SOURCE", "", "text", "Which one of them it was, such as the cron or who dispatched it.", optional
)
SCHEDULE = declare(
    "SCHEDULE",
    "",
    "path",
    "The workflow file whose crons say when runs are due: each run then says how many were missed before it.",
    optional,
)
