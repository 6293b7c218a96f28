"""A run's outcome: stderr, job summary, step output, dead-man's switch; no failure here fails the run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

from detector.app.context import AppContext
from detector.app.delivery import list_channel_settings
from detector.app.github_access import build_run_link, open_network
from detector.app.job import Job, RunResult
from detector.clients.local_file import read_file
from detector.domain.condition import STDOUT
from detector.domain.report import Report
from detector.formats.errors import ExternalError, InputError
from detector.formats.numbers import format_count
from detector.formats.redaction import redact_text
from detector.formats.strict_json import MAX_BYTES, to_one_line
from detector.render.github_output import (
    MAX_SUMMARY_BYTES,
    format_annotation,
    render_job_summary,
)
from detector.render.lines import format_decision
from detector.settings import (
    CA_FILE,
    DISPLAY_ZONES,
    ENV_FILE,
    PING_URL,
    Settings,
    has_any_source,
    parse_env_file,
    resolve_settings,
)
from detector.storage.artifact_file import write_stream

_PING_SEC = 10.0
_TITLE = "PT health"


def list_blind_spots(job: Job, report: Report) -> Iterator[str]:
    """Yield why this run is worth nothing: no rule was judged on its facts."""
    if not report.checked:
        if has_any_source(job.settings) or job.plan.source is not None:
            yield "NOTHING WAS CHECKED: no source gave a fact that a rule needs."
        else:
            hint = "`python -m detector doctor` lists what there is."
            yield f"NOTHING WAS CHECKED: no source is configured. {hint}"


def list_missing_recipients(job: Job, result: RunResult) -> Iterator[str]:
    """Yield that no channel is configured, and what is due and cannot be delivered therefore."""
    if job.channels or job.plan.stdout_delivers:
        return
    alternatives = list_channel_settings(job.app, job.settings)
    yield (
        f"NOBODY IS ALERTED: no channel is configured. Set {alternatives}; "
        "or use `run --stdout`, if a person reads standard output."
    )
    due = len(result.report.owed.get(STDOUT, ())) if result.advances else 0
    if due and not job.plan.dry_run:
        yield f"{format_count(due, 'alert')} undelivered, and there is no channel to send to"


def publish_outcome(job: Job, result: RunResult, summary: str | None) -> None:
    """Publish the outcome: on stderr, in the job summary and step output, and to the dead-man's switch.

    `summary` is the file of `--summary`.
    """
    for note in result.notes:
        job.app.print_stderr(note)
    for fault in result.faults:
        job.app.print_stderr(f"detector: {fault}")
    if job.app.environ.get("GITHUB_ACTIONS") == "true":
        lines = [format_annotation("error", _TITLE, to_one_line(text)) for text in result.faults]
        lines += [format_annotation("warning", _TITLE, to_one_line(text)) for text in result.notes]
        with suppress(OSError, ValueError):
            job.app.stderr.writelines(f"{line}\n" for line in lines)
    _write_job_summary(job, result, summary or job.app.environ.get("GITHUB_STEP_SUMMARY"))
    _write_step_output(job, result)
    if result.advances:
        success = result.exit_code == 0
        decision = format_decision(result.report, job.settings[DISPLAY_ZONES])
        send_ping(job.app, job.settings, success, "\n".join((decision, *result.faults, *result.notes)))


def _write_job_summary(job: Job, result: RunResult, path: str | None) -> None:
    if not path:
        return
    page = render_job_summary(
        result.report, job.settings[DISPLAY_ZONES], (*result.faults, *result.notes, *result.report.warnings)
    )
    screen = _render_report_part(job, result)
    if len(page.encode()) + len(screen.encode()) <= MAX_SUMMARY_BYTES:
        page += screen
    try:
        _add_to_file(path, page)
    except OSError as failure:
        job.app.print_stderr(f"The run's page {path} could not be written ({failure.strerror}).")


def _render_report_part(job: Job, result: RunResult) -> str:
    """Return the report's first screen as Markdown, and where its whole page comes from."""
    from detector.app.pipeline import should_store_snapshot
    from detector.app.report_run import build_run_report
    from detector.render.report_text import render_first_screen

    report = build_run_report(job, result.report, should_store_snapshot(job))
    link = build_run_link(job.app)
    source = f"the artifact of {link}#artifacts" if link else "this run's artifact"
    hint = f"The whole page: download {source} and run: detector report --format html --to page.html FILE"
    return "".join(
        f"{line}\n" for line in (*render_first_screen(report, job.settings[DISPLAY_ZONES]), "", hint)
    )


def _add_to_file(path: str, text: str) -> None:
    """Add the text to a file; a new one only its owner can read, a link is refused (OSError)."""
    write_stream(path, text, os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW)


def _write_step_output(job: Job, result: RunResult) -> None:
    """Write for the next steps that a person was notified; where it is missing, they must notify."""
    path = job.app.environ.get("GITHUB_OUTPUT")
    if path and result.notified:
        with suppress(OSError):
            _add_to_file(path, "told=yes\n")


def send_refusal_ping(app: AppContext, env_file: str | None) -> None:
    """Send to the dead-man's switch that the run did not begin because its settings are refused."""
    settings = _resolve_ping_settings(app, env_file)
    if settings is not None:
        send_ping(app, settings, False, "nothing was looked at: what the run was given is refused")


def _resolve_ping_settings(app: AppContext, env_file: str | None) -> Settings | None:
    """Return the switch's own settings, whatever else is wrong; None where they are wrong too."""
    texts: dict[str, str] = {}
    path = env_file or app.environ.get(ENV_FILE.name)
    if path:
        with suppress(OSError, ValueError):
            for line in read_file(path, MAX_BYTES).data.decode().splitlines():
                with suppress(InputError):
                    texts |= parse_env_file(line, path)
    names = (PING_URL.name, CA_FILE.name)
    values = {name: app.environ.get(name, texts.get(name, "")) for name in names}
    try:
        return resolve_settings(("environment", {name: text for name, text in values.items() if text}))
    except InputError:
        return None


def send_ping(app: AppContext, settings: Settings, success: bool, text: str) -> None:
    """Send the run's outcome to the dead-man's switch; a failure is printed on stderr."""
    url = settings[PING_URL]
    if not url:
        return
    from detector.clients import http_client

    try:
        http_client.send_ping(open_network(app, settings, _PING_SEC), url, success, redact_text(text))
    except ExternalError as failure:
        app.print_stderr(f"The dead-man's switch could not be pinged: {failure}.")
