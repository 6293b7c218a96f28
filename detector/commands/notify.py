"""`notify`: delivers an artifact's due notices, and writes the receipts into it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import click
from msgspec.structs import replace

from detector import ledger
from detector.app.context import AppContext, ExitCode, get_clock, print_lines
from detector.app.delivery import (
    Delivery,
    RunSource,
    deliver,
    load_required_channels,
    render_previews,
)
from detector.app.input_documents import add_receipts, load_report
from detector.app.job import get_rungs
from detector.channels.channel import Channel
from detector.commands import env_file_option, now_option
from detector.formats.serialize import format_document
from detector.settings import MUTES
from detector.storage import artifact_file


@click.command(
    epilog='Example: echo \'{"status_v3": {"stuck_exits": 1}}\' | python -m detector --artifact last.json &&'
    " AEGIS_PT_NTFY_TOPIC=my-topic python -m detector notify --artifact last.json --dry-run"
)
@click.option(
    "--artifact", metavar="FILE", required=True, help="The artifact; the receipts are written into it."
)
@click.option("--link", metavar="URL", help="The address of the run, for the messages.")
@click.option("--dry-run", is_flag=True, help="Print what would be sent, exactly, and change nothing.")
@now_option
@env_file_option
@click.pass_obj
def command(
    app: AppContext, /, artifact: str, link: str | None, dry_run: bool, now: str | None, env_file: str | None
) -> int:
    """Deliver what an artifact holds undelivered to the channels.

    Receipts are written into it. Mutes and causes are respected, and nothing is sent twice. Exit 3
    when something was not delivered, or the receipts could not be written.
    """
    app = replace(app, clock=get_clock(app, now))
    settings = app.load_settings(env_file)
    channels = load_required_channels(app, settings)
    path = Path(artifact)
    raw, report = load_report(path, app.clock())
    rungs = get_rungs(channels)
    run = ledger.RunContext(
        max(app.clock(), report.taken_at), settings, generation=report.generation, rungs=rungs
    )
    due = ledger.list_due_notices(report.conditions, run, tuple(rungs), settings.files.get(MUTES.name, ()))
    delivery = deliver(app, settings, replace(report, owed=due), RunSource(link), dry_run)
    if dry_run:
        return print_lines(app, render_previews(channels, delivery.previews))
    stored = _store_artifact(app, path, format_document(add_receipts(raw, delivery.report)))
    printed = print_lines(app, render_results(channels, delivery))
    return ExitCode.UNDELIVERED if delivery.undelivered or not stored else printed


def render_results(channels: Sequence[Channel], delivery: Delivery) -> Iterator[str]:
    """Yield the result of each channel, with advice for a failure."""
    for channel in channels:
        error = delivery.failed.get(channel.name)
        if error is not None:
            yield f"{channel.name}: NOT DELIVERED, will be sent again: {error} ({error.reason})"
            yield f"  {channel.get_advice(error.reason)}"
        elif channel.name in delivery.due:
            yield f"{channel.name}: delivered ({channel.display_name})"
        else:
            yield f"{channel.name}: everything is delivered"
    yield from delivery.notes


def _store_artifact(app: AppContext, path: Path, text: str) -> bool:
    try:
        artifact_file.write_atomically(path, text)
    except OSError as error:
        app.print_stderr(
            f"detector: the artifact {path} could not be written ({error.strerror or error}); "
            "what was delivered is delivered again next time"
        )
        return False
    return True
