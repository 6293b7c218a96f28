"""The word that a scheduled run leaves: on stderr, on its page, at the dead-man's switch. None of it fails the run."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from detector.commands._job import Ended, Job
from detector.commands._wire import reach_of
from detector.model.document import one_line
from detector.model.edge import EdgeError
from detector.model.redact import redacted_text
from detector.render.annotations import error
from detector.render.job_summary import job_summary
from detector.render.lines import decision_line
from detector.settings import DISPLAY_ZONES, PING_URL

_PING_SEC = 10.0
_TITLE = "PT health"


def leave_word(job: Job, ended: Ended) -> None:
    """Say how it ended: on stderr, on the run's page, to the dead-man's switch."""
    for fault in ended.faults:
        job.door.say(f"detector: {fault}")
    if job.door.environ.get("GITHUB_ACTIONS") == "true":
        with suppress(OSError, ValueError):
            job.door.stderr.writelines(f"{error(_TITLE, one_line(one))}\n" for one in ended.faults)
    _summarise(job, ended)
    if ended.advances:
        ping(job, ended.code == 0, decision_line(ended.report, job.settings[DISPLAY_ZONES]))


def _summarise(job: Job, ended: Ended) -> None:
    path = job.options.summary or job.door.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    page = job_summary(ended.report, job.settings[DISPLAY_ZONES], ended.faults)
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(page)
    except OSError as failure:
        job.door.say(f"The run's page {path} could not be written ({failure.strerror}).")


def ping(job: Job, well: bool, said: str) -> None:
    """Tell the dead-man's switch how the run ended; where it is not reached, stderr says so."""
    url = job.settings[PING_URL]
    if not url:
        return
    from detector.clients import ping as switch

    try:
        switch.ping(reach_of(job.door, job.settings, _PING_SEC), url, well, redacted_text(said))
    except EdgeError as failure:
        job.door.say(f"The dead-man's switch was not told: {failure}.")
