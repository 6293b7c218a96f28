"""The entry point: argv, environment, clock, streams and exit codes, as arguments for everything below."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import BinaryIO

import click

from detector import __version__
from detector.app.context import AppContext, ExitCode
from detector.formats.errors import InputError
from detector.formats.similar_names import find_nearest_name
from detector.formats.strict_json import redact_excerpt, to_one_line

_LONGEST_LINE = 400
_SUMMARY = 64  # letters beside the longest name, within the 80 columns of a terminal
_GROUP_OPTIONS = ("--help", "-h", "--version")
_UNWRAPPED = "\b\n"  # an example is copied: the help may not break its line
_PATHS = ("FILE", "DIR")
_FOLDER = Path(__file__).parent / "commands"
# In the order of `--help`; a command that stands nowhere here comes last, under "More".
_GROUPS: Mapping[str, Sequence[str]] = {
    "Watch a runtime": ("detect", "run", "watch", "collect", "doctor"),
    "I was woken": ("explain", "can-close", "plan", "ack", "gate", "report"),
    "Set it up": ("init", "settings", "profile", "rules", "test-notify", "notify"),
    "The schedule": ("gaps", "dispatch", "prove", "readiness"),
    "Try and develop": ("replay", "schema"),
}


class Commands(click.Group):
    """The commands, each imported only when it is asked for; without a name it is `detect`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `detect` in front of arguments that name no command."""
        is_completing = ctx.resilient_parsing
        if not is_completing and (not args or (args[0].startswith("-") and args[0] not in _GROUP_OPTIONS)):
            args = ["detect", *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click calls it so
        """Return the names of all commands, from the files."""
        return sorted(path.stem.replace("_", "-") for path in _FOLDER.glob("[a-z]*.py"))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command: click.Command = import_module(f"detector.commands.{cmd_name.replace('-', '_')}").command
        command.name = cmd_name
        command.epilog = _UNWRAPPED + (command.epilog or "").removeprefix(_UNWRAPPED)
        for parameter in command.params:
            if parameter.metavar in _PATHS:
                parameter.callback = _check_path
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the arguments name; raises UsageError with the name that was meant."""
        if args and args[0] not in (names := self.list_commands(ctx)):
            nearest = find_nearest_name(args[0], names)
            hint = f"Did you mean {nearest!r}?" if nearest else "`detector --help` lists them."
            if "." in args[0] or "/" in args[0]:
                hint = "A snapshot is read from standard input: detector < FILE"
            ctx.fail(f"No such command {redact_excerpt(args[0])!r}. {hint}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands in groups, each with the first sentence of its help on one line."""
        left = self.list_commands(ctx)
        groups = {title: [name for name in names if name in left] for title, names in _GROUPS.items()}
        grouped = {name for names in groups.values() for name in names}
        groups["More"] = [name for name in left if name not in grouped]
        width = max(map(len, left))
        for title, names in groups.items():
            commands = [(name.ljust(width), self.get_command(ctx, name)) for name in names]
            rows = [(name, command.get_short_help_str(_SUMMARY)) for name, command in commands if command]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


def _check_path(_context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Raise BadParameter for the empty text of a shell variable that is not set: no folder is meant."""
    if value == "":
        raise click.BadParameter(f"it is empty; name a {parameter.metavar}, or leave the option out")
    return value


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog='Example: echo \'{"status_v3": {"stuck_exits": 1}}\' | python -m detector',
)
@click.version_option(__version__, prog_name="detector")
def commands() -> None:
    """Read-only health detector for an unattended IBKR runtime: a snapshot in, events out.

    Without a command it is `detect`.

    \b
    Exit codes:
      0  done, with events or without
      1  found: an event of detect --fail-on, a source that doctor could not
         read or use, an order that can-close refuses, a difference that plan
         finds, a missing window that gaps finds, a line of gate that is no,
         a departure that schema --check finds, stop and escalate of report
         --fail, or a scheduler that readiness or prove did not prove
      2  bad input, usage or settings
      3  not delivered, not stored, nothing checked, a dispatch or an
         acknowledgement was not taken, notify of report --fail, or can-close,
         plan, gate, gaps or prove cannot tell
      4  the detector itself failed
    """


def main(
    argv: Sequence[str] | None = None,
    environ: Mapping[str, str] | None = None,
    clock: Callable[[], datetime] | None = None,
) -> int:
    """Run one command and return its exit code; `argv`, `environ` and `clock` default to the real ones."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal that cannot show every letter of the help
            stream.reconfigure(errors="replace")
    app = AppContext(
        os.environ if environ is None else environ,
        clock or (lambda: datetime.now(UTC)),
        io.BytesIO() if sys.stdin is None else sys.stdin.buffer,
        _open_unwritable() if sys.stdout is None else sys.stdout.buffer,
        sys.stderr or io.StringIO(),
    )
    code = run(app, sys.argv[1:] if argv is None else argv)
    _write_remaining()
    return code


def run(app: AppContext, args: Sequence[str]) -> int:
    """Run one command in this context and return its exit code; raises nothing."""
    try:
        code = commands.main(args=list(args), prog_name="detector", standalone_mode=False, obj=app)
    except InputError as error:
        return _print_refusal(app, error.lines, args)
    except click.ClickException as error:
        hint = _describe_order(args) or _describe_help(error)
        return _print_refusal(app, [_describe_error(error) + hint], args)
    except (click.Abort, KeyboardInterrupt) as error:
        return _print_interruption(app, error, args)
    except SystemExit:  # click raises it where nobody reads its help any more
        return ExitCode.UNDELIVERED
    except Exception as error:  # noqa: BLE001 - the last line of defence: still a valid document
        return _print_failure(app, error, args)
    return code if isinstance(code, int) else ExitCode.OK


def _describe_order(args: Sequence[str]) -> str:
    """Return a hint where options stand before a command: they are then those of `detect`."""
    names = Commands().list_commands(click.Context(commands))
    name = next((arg for arg in args if arg in names), None)
    if name is None or args[0] == name:
        return ""
    return f" Options go after the command: `detector {name} ...`."


def _describe_error(error: click.ClickException) -> str:
    """Return an error of click in plain words: the option that was meant, and only where one is near."""
    if isinstance(error, click.NoSuchOption):
        parameters = [] if error.ctx is None else error.ctx.command.params
        known = ["--help", *(name for parameter in parameters for name in parameter.opts)]
        nearest = find_nearest_name(error.option_name, known)
        path = "detector" if error.ctx is None else error.ctx.command_path
        hint = f"Did you mean {nearest!r}?" if nearest else f"`{path} --help` lists them."
        return f"No such option {redact_excerpt(error.option_name)!r}. {hint}"
    message = " ".join(error.format_message().split())  # it lists choices in lines of their own
    if isinstance(error, click.MissingParameter) and not message.endswith("."):
        message += "."
    for theirs, plain in (("a valid float", "a number"), ("a valid integer", "a whole number")):
        message = message.replace(f" is not {theirs}.", f" is not {plain}.")
    return message


def _describe_help(error: click.ClickException) -> str:
    """Return where an example is, where a command misses a part."""
    if isinstance(error, click.MissingParameter) and error.ctx is not None:
        return f" `{error.ctx.command_path} --help` shows an example."
    return ""


def _open_unwritable() -> BinaryIO:
    """Return a stream instead of a closed standard output: every write to it raises OSError."""
    return os.fdopen(os.open(os.devnull, os.O_RDONLY), "wb", buffering=0)


def _write_remaining() -> None:
    """Flush for the last time; text that a stream does not take then is dropped.

    Otherwise the interpreter would try once more at its exit, and end with its own exit code.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            devnull = os.open(os.devnull, os.O_WRONLY)
            os.dup2(devnull, stream.fileno())
            os.close(devnull)


def _print_refusal(app: AppContext, lines: Sequence[str], args: Sequence[str]) -> int:
    from detector.formats.redaction import redact_text

    messages = [" ".join(redact_text(line).split())[:_LONGEST_LINE] for line in lines]
    for line in messages:
        app.print_stderr(f"detector: {line}")
    if "--nagios" not in args:
        return ExitCode.BAD_INPUT
    app.print_stdout(_format_unknown(messages[0]))
    return ExitCode.UNDECIDED


def _print_interruption(app: AppContext, error: BaseException, args: Sequence[str]) -> int:
    if isinstance(error.__cause__, EOFError):  # click aborts on it too: a module that a full disk cut
        return _print_failure(app, error.__cause__, args)
    app.print_stderr("detector: interrupted")
    return ExitCode.BROKEN


def _print_failure(app: AppContext, error: Exception, args: Sequence[str]) -> int:
    """Print a valid document that says that the detector itself failed, and where, without any data."""
    from detector.render.document import build_failure_document

    message = f"the detector itself failed: {_find_location(error)}"
    nagios = "--nagios" in args
    if not app.printed:
        app.print_stdout(_format_unknown(message) if nagios else build_failure_document(error, app.clock()))
    app.print_stderr(f"detector: {message}")
    return ExitCode.UNDECIDED if nagios else ExitCode.BROKEN


def _format_unknown(why: str) -> str:
    return f"PT HEALTH UNKNOWN - {to_one_line(why).replace('|', '/')}\n"


def _find_location(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" at {Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace else ""
    return f"{type(error).__name__}{where}"
