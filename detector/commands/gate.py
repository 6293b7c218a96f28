"""`gate`: the runbook's gate before and after a deployment, and go or no-go before the open."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, get_args

import click

from detector.app.context import AppContext, ExitCode, get_clock, print_json, print_lines
from detector.app.gate_run import run_gate
from detector.app.input_documents import build_expected_memory, load_previous, parse_snapshot
from detector.app.job import InputDocument, Job, PipelinePlan
from detector.app.pipeline import collect, read
from detector.commands import collect_option, env_file_option, now_option
from detector.domain.gate_report import AFTER, BEFORE, FAILED, PASSED, GateReport, GateVerdict, Stage
from detector.domain.run_memory import Memory
from detector.formats.errors import InputError
from detector.formats.redaction import redact_text
from detector.formats.serialize import format_document
from detector.formats.strict_json import to_one_line
from detector.gate.check import GateAnswers
from detector.render.gate import build_gate_document, render_gate
from detector.settings import DISPLAY_ZONES, list_secrets
from detector.storage import artifact_file

_CODES: Final[Mapping[GateVerdict, ExitCode]] = {PASSED: ExitCode.OK, FAILED: ExitCode.FINDING}
_STAGE_OF: Final = {
    "approved_by": (BEFORE, "--approved-by"),
    "quiet_window": (BEFORE, "--quiet-window"),
    "before": (AFTER, "--before"),
    "scan_cycles": (AFTER, "--scan-cycles"),
    "explain": (AFTER, "--explain"),
}


@click.command(
    epilog="Example: python -m detector gate before --approved-by 'the owner' --artifact before.json"
)
@click.argument("stage", type=click.Choice(get_args(Stage)))
@click.option("--approved-by", metavar="TEXT", help="before: who approved this deployment, and when.")
@click.option("--quiet-window", metavar="TEXT", help="before: why an open market is quiet enough, as agreed.")
@click.option("--accept-entry", metavar="TEXT", help="Why one pending entry order of normal age may stay.")
@click.option("--before", metavar="FILE", help="after: the artifact that `gate before` wrote.")
@click.option(
    "--scan-cycles",
    type=click.IntRange(0, 1000),
    metavar="NUMBER",
    help="after: how many scan cycles were watched since the deployment.",
)
@click.option(
    "--explain",
    multiple=True,
    metavar="CHANGE=REASON",
    help="after: what explains a change that the gate lists; once for each.",
)
@click.option("--artifact", metavar="FILE", help="Write the report here, as JSON, atomically.")
@click.option("--previous", metavar="FILE", help="The detector's previous artifact: what it remembers.")
@collect_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object (schema gate).")
@now_option
@env_file_option
@click.pass_obj
def command(app: AppContext, /, stage: Stage, **options: Any) -> int:
    """Answer the deployment's gate, or go / no-go before the bell.

    Each line is yes, no or not proven, with its evidence and age: `before` a deployment, where it pins what
    is held; `after` it, where any unexplained change fails; and `open`, go or no-go before the bell. What was
    not seen does not pass, and a pass is no approval. Exit 0 pass, 1 a line is no, 3 a line is not proven.
    """
    for name, (own_stage, option) in _STAGE_OF.items():
        if options[name] not in (None, ()) and stage != own_stage:
            raise InputError(f"{option} belongs to `gate {own_stage}`, not to `gate {stage}`")
    settings = app.load_settings(options["env_file"])
    plan = PipelinePlan(collect=options["collect"], quiet=True)
    job = Job(app, settings, get_clock(app, options["now"]), plan)
    source = read(job)
    memory = _load_memory(job, source, options["previous"])
    answers = _build_answers(job, options)
    report = run_gate(job, collect(job, source), memory, stage, answers, options["before"])
    output_code = (
        print_json(app, build_gate_document(report))
        if options["as_json"]
        else print_lines(app, render_gate(report, settings[DISPLAY_ZONES]))
    )
    stored = _store_report(app, report, options["artifact"])
    return stored or output_code or _CODES.get(report.verdict, ExitCode.UNDECIDED)


def _build_answers(job: Job, options: Mapping[str, Any]) -> GateAnswers:
    def normalize(text: str | None) -> str | None:
        return to_one_line(redact_text(text, list_secrets(job.settings))).strip() or None if text else None

    explained: dict[str, str] = {}
    for entry in options["explain"]:
        change, _, reason = (normalize(entry) or "").partition("=")
        if not change.strip() or not reason.strip():
            raise InputError("--explain needs CHANGE=REASON, such as 'counter pending_exits=the exit filled'")
        explained[change.strip()] = reason.strip()
    return GateAnswers(
        normalize(options["approved_by"]),
        normalize(options["quiet_window"]),
        normalize(options["accept_entry"]),
        options["scan_cycles"],
        explained,
    )


def _load_memory(job: Job, source: InputDocument, path: str | None) -> Memory:
    previous = load_previous(path, source.previous)
    snapshot = parse_snapshot(source.document, job.clock(), job.settings).snapshot
    expected = build_expected_memory(snapshot.runtime, snapshot.taken_at)
    unused = previous.explain_unused(expected)
    if unused is not None:
        job.app.print_stderr(f"gate: {unused}")
    return previous.read(expected)


def _store_report(app: AppContext, report: GateReport, path: str | None) -> int:
    if path is None:
        return ExitCode.OK
    try:
        artifact_file.write_atomically(Path(path), format_document(build_gate_document(report)))
    except OSError as error:
        app.print_stderr(f"gate: {path} could not be written ({error.strerror or type(error).__name__})")
        return ExitCode.UNDECIDED
    return ExitCode.OK
