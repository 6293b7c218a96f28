"""`watch`: `run` again and again on the machine itself, in one process."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import click
from msgspec import Struct

from detector.app.context import AppContext
from detector.app.job import Job
from detector.app.print_output import print_text
from detector.app.run_result import RunResult
from detector.app.state_backend import StateBackend
from detector.app.watch_loop import Requests, WatchClocks, WatchLoop, lock_instance
from detector.commands.run import RunOptions, build_job, run_job
from detector.formats.errors import InputError
from detector.render.watch import CLEAR, format_tick, render_screen, render_unit
from detector.settings import DISPLAY_ZONES

_SHORTEST_SEC, _LONGEST_SEC = 5, 3600
_NO_COLOR = "NO_COLOR"


class _Watch(Struct):
    """One process of `watch`: its options, and the job of the settings in force."""

    app: AppContext
    options: RunOptions
    job: Job
    backend: StateBackend

    def update_settings(self) -> None:
        """Read the settings and their files again; raises InputError, and the old ones stay."""
        self.job, self.backend = build_job(self.app, self.options)

    def run_tick(self) -> None:
        """Run the job once; what fails is reported and pinged, and the next tick tries again."""
        try:
            run_job(self.job, self.backend, self._format_output, None)
        except InputError as error:
            for line in error.lines:
                self.app.print_stderr(f"detector: {line}")
        except Exception as error:  # noqa: BLE001 - one broken tick must not end the watch; its ping failed
            self.app.print_stderr(f"detector: the tick broke off ({type(error).__name__})")

    def _format_output(self, result: RunResult) -> str:
        zones = self.job.settings[DISPLAY_ZONES]
        if not self.app.stdout.isatty():
            return format_tick(result.report, zones) + "\n"
        colour = not self.app.environ.get(_NO_COLOR)
        return CLEAR + "".join(f"{line}\n" for line in render_screen(result.report, zones, colour))


@click.command(epilog="Example: python -m detector watch --unit systemd --state /var/lib/pt-health")
@click.option("--every", default=60.0, show_default=True, metavar="SECONDS", help="Time between two ticks.")
@click.option("--state", required=True, metavar="DIR", help="Remember in this folder; one instance for each.")
@click.option("--env-file", metavar="FILE", help="A file of settings; SIGHUP reads it again.")
@click.option("--ticks", type=click.IntRange(1), metavar="N", help="End after so many ticks.")
@click.option(
    "--unit", type=click.Choice(["systemd", "launchd"]), help="Print a unit for it, and install nothing."
)
@click.pass_obj
def command(app: AppContext, /, **options: Any) -> int:
    """Do the job of `run` again and again on the machine itself.

    A terminal shows one live screen, a pipe gets a line a tick. SIGTERM ends after the tick under way; SIGHUP
    reads the settings, profile and mutes again, and keeps the old ones where the new ones cannot be used.
    """
    every, state, env_file = options["every"], options["state"], options["env_file"]
    if not _SHORTEST_SEC <= every <= _LONGEST_SEC:
        raise InputError(f"--every must be from {_SHORTEST_SEC} to {_LONGEST_SEC} seconds")
    if options["unit"]:
        return print_text(
            app, render_unit(options["unit"], _list_arguments(options), str(Path(state).absolute()))
        )
    run_options = RunOptions(state, None, None, None, False, False, True, None, env_file)
    with ExitStack() as stack:
        job, backend = build_job(app, run_options)
        stack.enter_context(lock_instance(Path(state)))
        watch = _Watch(app, run_options, job, backend)
        signals_received = Requests()
        stack.enter_context(_open_signal_handlers(signals_received))
        loop = WatchLoop(
            watch.run_tick,
            watch.update_settings,
            app.print_stderr,
            WatchClocks(app.clock),
            every,
            options["ticks"],
            signals_received,
        )
        loop.run()
    return 0


def _list_arguments(options: dict[str, Any]) -> list[str]:
    arguments = [sys.executable, "-m", "detector", "watch", "--every", f"{options['every']:g}"]
    arguments += ["--state", str(Path(options["state"]).absolute())]
    return arguments + (
        ["--env-file", str(Path(options["env_file"]).absolute())] if options["env_file"] else []
    )


@contextmanager
def _open_signal_handlers(signals_received: Requests) -> Iterator[None]:
    """Note signals for the loop; the handlers before it are restored at the end."""

    def mark_end(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - as signal calls it
        signals_received.ends = True

    def mark_reload(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - as signal calls it
        signals_received.reloads = True

    handlers = {signal.SIGTERM: mark_end, signal.SIGINT: mark_end, signal.SIGHUP: mark_reload}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
