"""The word that a scheduled run leaves: on stderr, on its page, at the dead-man's switch. None of it fails the run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from detector.app.context import Door
from detector.app.job import Ended, Job
from detector.app.network import reach_of
from detector.channels._channel import World
from detector.channels._walk import not_configured
from detector.domain.report import Report
from detector.formats.edge_error import EdgeError
from detector.formats.redaction import redacted_text
from detector.formats.strict_json import one_line
from detector.render.annotations import format_error_annotation, format_warning_annotation
from detector.render.job_summary import render_job_summary
from detector.render.lines import format_decision
from detector.settings import (
    CA_FILE,
    DISPLAY_ZONES,
    ENV_FILE,
    PING_URL,
    Settings,
    SettingsError,
    has_any_source,
    parse_env_file,
    resolve_settings,
)

_PING_SEC = 10.0
_TITLE = "PT health"


def said_of(job: Job, report: Report) -> Iterator[str]:
    """Yield what every run of these settings must say: that nothing was looked at, that there is nobody to tell."""
    if not _anything_seen(report):
        if has_any_source(job.settings) or job.options.snapshot is not None:
            yield "NOTHING WAS SEEN: no source said anything that is watched."
        else:
            yield "NOTHING WAS CHECKED: no source is configured."
    if not _anybody_told(job):
        offers = not_configured(job.settings, World(job.door.environ, job.clock))
        ways = " or ".join(", ".join(one.name for one in offer.settings) for offer in offers)
        yield (
            f"NOBODY IS TOLD: no channel is configured. Set {ways}; "
            "or say --stdout, where somebody reads standard output."
        )


def _anything_seen(report: Report) -> bool:
    return any(covered.state != "not seen" for covered in report.coverage)


def _anybody_told(job: Job) -> bool:
    return bool(job.channels) or job.options.stdout


def leave_word(job: Job, ended: Ended) -> None:
    """Say how it ended: on stderr, on the run's page, to the steps after it, to the dead-man's switch."""
    for remark in ended.remarks:
        job.door.say(remark)
    for fault in ended.faults:
        job.door.say(f"detector: {fault}")
    if job.door.environ.get("GITHUB_ACTIONS") == "true":
        lines = [format_error_annotation(_TITLE, one_line(one)) for one in ended.faults]
        lines += [format_warning_annotation(_TITLE, one_line(one)) for one in ended.remarks]
        with suppress(OSError, ValueError):
            job.door.stderr.writelines(f"{line}\n" for line in lines)
    _summarise(job, ended)
    _hand_on(job, ended)
    if ended.advances:
        well = ended.code == 0 and _anything_seen(ended.report) and _anybody_told(job)
        said = format_decision(ended.report, job.settings[DISPLAY_ZONES])
        ping(job, well, "\n".join((said, *ended.faults, *ended.remarks)))


def _summarise(job: Job, ended: Ended) -> None:
    path = job.options.summary or job.door.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    page = render_job_summary(ended.report, job.settings[DISPLAY_ZONES], (*ended.faults, *ended.remarks))
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(page)
    except OSError as failure:
        job.door.say(f"The run's page {path} could not be written ({failure.strerror}).")


def _hand_on(job: Job, ended: Ended) -> None:
    """Say to the steps after this one whether somebody heard of all that is wrong; otherwise they must say it."""
    path = job.door.environ.get("GITHUB_OUTPUT")
    if path and ended.told:
        with suppress(OSError), Path(path).open("a", encoding="utf-8") as file:
            file.write("told=yes\n")


def ping(job: Job, well: bool, said: str) -> None:
    """Tell the dead-man's switch how the run ended; where it is not reached, stderr says so."""
    _ping(job.door, job.settings, well, said)


def ping_refused(door: Door, env_file: str | None) -> None:
    """Tell the dead-man's switch of a run that did not begin: its settings are refused, all but the switch's own."""
    settings = _of_the_switch(door, env_file)
    if settings is not None:
        _ping(door, settings, False, "nothing was looked at: what the run was given is refused")


def _of_the_switch(door: Door, env_file: str | None) -> Settings | None:
    """Return the settings that lead to the switch, whatever else is wrong; None where they are wrong too."""
    texts: dict[str, str] = {}
    path = env_file or door.environ.get(ENV_FILE.name)
    if path:
        with suppress(OSError, ValueError):
            for line in Path(path).read_text(encoding="utf-8").splitlines():
                with suppress(SettingsError):
                    texts |= parse_env_file(line, path)
    names = (PING_URL.name, CA_FILE.name)
    found = {name: door.environ.get(name, texts.get(name, "")) for name in names}
    try:
        return resolve_settings(("environment", {name: text for name, text in found.items() if text}))
    except SettingsError:
        return None


def _ping(door: Door, settings: Settings, well: bool, said: str) -> None:
    url = settings[PING_URL]
    if not url:
        return
    from detector.clients import ping as switch

    try:
        switch.ping(reach_of(door, settings, _PING_SEC), url, well, redacted_text(said))
    except EdgeError as failure:
        door.say(f"The dead-man's switch was not told: {failure}.")
