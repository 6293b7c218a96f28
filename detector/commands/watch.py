"""`watch`: `run` again and again on the machine itself, in one process."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import click
from msgspec import Struct

from detector.app.context import AppContext, ExitCode, print_text
from detector.app.job import Job, RunResult
from detector.app.run_publication import send_refusal_ping
from detector.app.state_backend import StateBackend
from detector.app.watch_loop import (
    Requests,
    TickLines,
    WatchClocks,
    WatchContext,
    WatchLoop,
    get_user_folder,
    lock_instance,
)
from detector.commands.run import RunOptions, build_job, run_job
from detector.formats.errors import InputError
from detector.render.watch import CLEAR, format_tick, render_screen, render_unit
from detector.settings import DISPLAY_ZONES, RUNTIME

_SHORTEST_SEC, _LONGEST_SEC = 5, 3600
_NO_COLOR, _NO_CURSOR = "NO_COLOR", "dumb"  # the latter is a TERM that cannot move its cursor


class _Watch(Struct):
    """One process of `watch`: its options, the job of the settings in force, and the lock of its runtime."""

    app: AppContext
    options: RunOptions
    lines: TickLines
    is_screen: bool
    job: Job
    backend: StateBackend
    lock: ExitStack
    stored: dict[str, str]
    exit_code: int = 0
    outdated: str = ""

    def update_settings(self) -> None:
        """Read the settings and their files again; raises InputError, and the old ones stay."""
        self.outdated = "detector: the settings in force are older than their files, which cannot be used"
        job, backend = build_job(self.app, self.options, self.stored)
        if job.settings[RUNTIME] != self.job.settings[RUNTIME]:
            lock = _lock_runtime(self.app, self.options, job)
            self.lock.close()
            self.lock = lock
        self.job, self.backend, self.outdated = job, backend, ""

    def run_tick(self) -> None:
        """Run the job once; what fails is reported and pinged, and the next tick tries again."""
        before = self.exit_code
        try:
            self.exit_code = run_job(self.job, self.backend, self._format_output, None)
        except InputError as error:
            self.exit_code = ExitCode.BAD_INPUT
            for line in error.lines:
                self.app.print_stderr(f"detector: {line}")
        except Exception as error:  # noqa: BLE001 - one broken tick must not end the watch; its ping failed
            self.exit_code = ExitCode.BROKEN
            self.app.print_stderr(f"detector: the tick broke off ({type(error).__name__})")
        if self.outdated:
            self.app.print_stderr(self.outdated)
        if before and not self.exit_code:
            self.lines.print_line("detector: the ticks are without a fault again")
        self.lines.close_tick()

    def _format_output(self, result: RunResult) -> str:
        zones = self.job.settings[DISPLAY_ZONES]
        if not self.is_screen:
            return format_tick(result.report, zones) + "\n"
        colour = not self.app.environ.get(_NO_COLOR)
        screen = render_screen(result.report, zones, colour, _find_size(self.app, self.lines.before))
        return CLEAR + "".join(f"{line}\n" for line in screen)


@click.command(epilog="Example: python -m detector watch --unit systemd --state /var/lib/pt-health")
@click.option(
    "--every",
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help=f"Time between two ticks, from {_SHORTEST_SEC} to {_LONGEST_SEC}.",
)
@click.option("--state", required=True, metavar="DIR", help="Remember in this folder.")
@click.option("--env-file", metavar="FILE", help="A file of settings; SIGHUP reads it again.")
@click.option("--ticks", type=click.IntRange(1), metavar="N", help="End after so many ticks.")
@click.option(
    "--unit", type=click.Choice(["systemd", "launchd"]), help="Print a unit for it, and install nothing."
)
@click.pass_obj
def command(app: AppContext, /, **options: Any) -> int:
    """Do the job of `run` again and again on the machine itself.

    A terminal shows one live screen, a pipe gets a line a tick. SIGTERM ends after the tick under way, with
    exit 0; SIGHUP reads the settings, profile and mutes again, and keeps the old ones where the new ones
    cannot be used. One instance watches a runtime: a second one is refused with exit 2. After `--ticks` the
    exit code is that of the last tick.
    """
    every, state, env_file = options["every"], options["state"], options["env_file"]
    if not _SHORTEST_SEC <= every <= _LONGEST_SEC:
        raise InputError(f"--every must be from {_SHORTEST_SEC} to {_LONGEST_SEC} seconds")
    if options["unit"]:
        return print_text(
            app, render_unit(options["unit"], _list_arguments(options), str(Path(state).absolute()))
        )
    run_options = RunOptions(state, None, None, None, False, False, True, None, env_file)
    asked = Requests()
    with _start_watch(app, run_options) as watch, _open_signal_handlers(asked):
        WatchLoop(
            watch.run_tick,
            watch.update_settings,
            watch.lines.print_line,
            WatchClocks(app.clock),
            every,
            options["ticks"],
            asked,
        ).run()
    return ExitCode.OK if asked.ends else watch.exit_code


@contextmanager
def _start_watch(app: AppContext, options: RunOptions) -> Iterator[_Watch]:
    """Load the settings and lock their runtime; raises InputError, which the dead-man's switch gets too."""
    is_screen = app.stdout.isatty() and app.environ.get("TERM") != _NO_CURSOR
    lines = TickLines(app, is_screen and app.stderr.isatty())
    fields = {name: getattr(app, name) for name in AppContext.__struct_fields__}
    context = WatchContext(**fields, tick_lines=lines)
    try:
        stored: dict[str, str] = {}
        job, backend = build_job(context, options, stored)
    except InputError:
        send_refusal_ping(app, options.env_file)
        raise
    lock = _lock_runtime(context, options, job)
    watch = _Watch(context, options, lines, is_screen, job, backend, lock, stored)
    try:
        yield watch
    finally:
        watch.lock.close()


def _lock_runtime(app: AppContext, options: RunOptions, job: Job) -> ExitStack:
    """Lock the runtime of the job; raises InputError where another instance watches it."""
    runtime, state, now = job.settings[RUNTIME], Path(options.state or ""), app.clock()
    user_folder = get_user_folder(app.environ, state)
    with ExitStack() as locks:
        fault = locks.enter_context(lock_instance(runtime, state, now))
        if user_folder is not None:  # best effort: a service often has no home that it may write
            locks.enter_context(lock_instance(runtime, user_folder, now))
        if fault:
            app.print_stderr(f"detector: {fault}")
        return locks.pop_all()


def _find_size(app: AppContext, below: Iterable[str]) -> tuple[int, int] | None:
    """Return the columns of the terminal and its lines but for those below; None where they are not known."""
    with suppress(OSError, ValueError):
        columns, lines = os.get_terminal_size(app.stdout.fileno())
        if columns and lines:
            return columns, lines - sum(1 + len(line) // columns for line in below)
    return None


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
        if signals_received.ends and number == signal.SIGINT:
            raise KeyboardInterrupt  # a person who types Ctrl-C again will not wait for the tick
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
