"""The word that a scheduled run leaves: on stderr, on its page, at the dead-man's ping_client. None of it fails the run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from detector.app.context import AppContext
from detector.app.github_access import build_network_policy
from detector.app.run_job import Job, RunResult
from detector.channels.channel import ChannelEnvironment
from detector.channels.channel_plugins import list_unused_options
from detector.domain.report import Report
from detector.formats.errors import ExternalError
from detector.formats.redaction import redact_text
from detector.formats.strict_json import to_one_line
from detector.render.github_output import (
    format_error_annotation,
    format_warning_annotation,
    render_job_summary,
)
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


def list_configuration_warnings(job: Job, report: Report) -> Iterator[str]:
    """Yield what every run of these settings must say: that nothing was looked at, that there is nobody to tell."""
    if not _has_observations(report):
        if has_any_source(job.settings) or job.options.snapshot is not None:
            yield "NOTHING WAS SEEN: no source said anything that is watched."
        else:
            yield "NOTHING WAS CHECKED: no source is configured."
    if not _has_recipient(job):
        options = list_unused_options(job.settings, ChannelEnvironment(job.app.environ, job.clock))
        alternatives = " or ".join(
            ", ".join(setting.name for setting in option.settings) for option in options
        )
        yield (
            f"NOBODY IS TOLD: no channel is configured. Set {alternatives}; "
            "or say --stdout, where somebody reads standard output."
        )


def _has_observations(report: Report) -> bool:
    return any(covered.state != "not seen" for covered in report.coverage)


def _has_recipient(job: Job) -> bool:
    return bool(job.channels) or job.options.stdout


def publish_outcome(job: Job, result: RunResult) -> None:
    """Say how it ended: on stderr, on the run's page, to the steps after it, to the dead-man's ping_client."""
    for note in result.notes:
        job.app.print_stderr(note)
    for fault in result.faults:
        job.app.print_stderr(f"detector: {fault}")
    if job.app.environ.get("GITHUB_ACTIONS") == "true":
        lines = [format_error_annotation(_TITLE, to_one_line(text)) for text in result.faults]
        lines += [format_warning_annotation(_TITLE, to_one_line(text)) for text in result.notes]
        with suppress(OSError, ValueError):
            job.app.stderr.writelines(f"{line}\n" for line in lines)
    _write_job_summary(job, result)
    _write_step_output(job, result)
    if result.advances:
        success = result.exit_code == 0 and _has_observations(result.report) and _has_recipient(job)
        decision = format_decision(result.report, job.settings[DISPLAY_ZONES])
        send_ping(job, success, "\n".join((decision, *result.faults, *result.notes)))


def _write_job_summary(job: Job, result: RunResult) -> None:
    path = job.options.summary or job.app.environ.get("GITHUB_STEP_SUMMARY")
    if not path:
        return
    page = render_job_summary(result.report, job.settings[DISPLAY_ZONES], (*result.faults, *result.notes))
    try:
        with Path(path).open("a", encoding="utf-8") as file:
            file.write(page)
    except OSError as failure:
        job.app.print_stderr(f"The run's page {path} could not be written ({failure.strerror}).")


def _write_step_output(job: Job, result: RunResult) -> None:
    """Say to the steps after this one whether somebody heard of all that is wrong; otherwise they must say it."""
    path = job.app.environ.get("GITHUB_OUTPUT")
    if path and result.notified:
        with suppress(OSError), Path(path).open("a", encoding="utf-8") as file:
            file.write("told=yes\n")


def send_ping(job: Job, success: bool, text: str) -> None:
    """Tell the dead-man's switch how the run ended; where it is not reached, stderr says so."""
    _send(job.app, job.settings, success, text)


def send_refusal_ping(app: AppContext, env_file: str | None) -> None:
    """Tell the dead-man's switch of a run that did not begin: its settings are refused, all but the switch's own."""
    settings = _resolve_ping_settings(app, env_file)
    if settings is not None:
        _send(app, settings, False, "nothing was looked at: what the run was given is refused")


def _resolve_ping_settings(app: AppContext, env_file: str | None) -> Settings | None:
    """Return the settings that lead to the switch, whatever else is wrong; None where they are wrong too."""
    texts: dict[str, str] = {}
    path = env_file or app.environ.get(ENV_FILE.name)
    if path:
        with suppress(OSError, ValueError):
            for line in Path(path).read_text(encoding="utf-8").splitlines():
                with suppress(SettingsError):
                    texts |= parse_env_file(line, path)
    names = (PING_URL.name, CA_FILE.name)
    values = {name: app.environ.get(name, texts.get(name, "")) for name in names}
    try:
        return resolve_settings(("environment", {name: text for name, text in values.items() if text}))
    except SettingsError:
        return None


def _send(app: AppContext, settings: Settings, success: bool, text: str) -> None:
    url = settings[PING_URL]
    if not url:
        return
    from detector.clients import ping as ping_client

    try:
        ping_client.send_ping(build_network_policy(app, settings, _PING_SEC), url, success, redact_text(text))
    except ExternalError as failure:
        app.print_stderr(f"The dead-man's switch was not told: {failure}.")
