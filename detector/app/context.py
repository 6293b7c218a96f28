"""What every command gets from the command line: environment, clock, streams, settings; and how it prints."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from enum import IntEnum
from itertools import chain
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct, field
from msgspec.structs import replace

from detector.clients.local_file import read_file
from detector.domain.acknowledgement import Mute
from detector.domain.facts import FACT_NAMES
from detector.domain.profile import Profile, parse_profile
from detector.domain.snapshot import PARTS, SECTIONS
from detector.engine.catalog import load_rules
from detector.engine.coverage import SIGNALS, get_signal_name, is_signal
from detector.formats.errors import InputError
from detector.formats.redaction import redact_text
from detector.formats.serialize import format_document
from detector.formats.strict_json import (
    MAX_BYTES,
    redact_excerpt,
    replace_hidden,
    replace_surrogates,
    to_one_line,
)
from detector.formats.times import parse_run_time
from detector.market.session_plan import NO_CLOSURES, Closures
from detector.profiles import is_profile_path, list_builtin_profiles, load_builtin_profile
from detector.render.github_output import escape_commands
from detector.settings import (
    DISPLAY_ZONES,
    ENV_FILE,
    MARKET_CLOSURES,
    MUTES,
    PROFILE,
    REQUIRED,
    SCHEDULE,
    SECTIONS_FROM,
    SIGNALS_OFF,
    SOURCES_OFF,
    Settings,
    add_settings,
    find_doubts,
    find_idle,
    find_senseless,
    find_unknown,
    normalize_name,
    parse_env_file,
    resolve_settings,
)

if TYPE_CHECKING:
    from detector.domain.run_windows import Timetable

T = TypeVar("T")
_PROGRESS_WIDTH = 78
Clock = Callable[[], datetime]


class ExitCode(IntEnum):
    """The exit codes of every command; `--help` of the program has the same list.

    FINDING is what a command was asked to look for (a severe event, a refused order, a difference).
    UNDELIVERED is also "cannot tell" of the commands that answer a question, and a plugin's UNKNOWN.
    """

    OK = 0
    FINDING = 1
    BAD_INPUT = 2
    UNDELIVERED = 3
    UNDECIDED = 3
    BROKEN = 4


class AppContext(Struct, frozen=True):
    """The environment, the clock and the streams; no module below reads them from anywhere else."""

    environ: Mapping[str, str]
    clock: Clock
    stdin: BinaryIO
    stdout: BinaryIO
    stderr: TextIO
    printed: list[bool] = field(default_factory=list)

    def print_stderr(self, line: str) -> None:
        """Print one line on stderr, redacted, with workflow commands escaped.

        A stream that takes nothing is no failure.
        """
        with suppress(OSError, ValueError):
            self.stderr.write(escape_commands(to_one_line(redact_text(line))) + "\n")
            self.stderr.flush()

    def print_stdout(self, text: str) -> bool:
        """Print text on stdout without hidden characters; return whether stdout took it.

        Stderr has the reason where it did not.

        `printed` records it: two documents on one stdout would be no document.
        """
        self.printed[:] = [True]
        try:
            left = memoryview(self.remove_hidden(text).encode("utf-8", "replace"))
            while left:  # an unbuffered stream may take only a part
                left = left[self.stdout.write(left) :]
            self.stdout.flush()
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or type(error).__name__
            self.print_stderr(f"detector: standard output could not be written ({why})")
            return False
        return True

    def print_progress(self, text: str = "") -> None:
        """Write the text over the last line of a terminal's stderr; without any that line is clear again."""
        if self.stderr.isatty():
            self.stderr.write(f"\r{text[:_PROGRESS_WIDTH]:<{_PROGRESS_WIDTH}}" + ("" if text else "\r"))
            self.stderr.flush()

    def remove_hidden(self, text: str) -> str:
        """Return a text for stdout: its lines, without characters that move the cursor or hide."""
        return replace_hidden(text)

    def load_settings(
        self, env_file: str | None = None, changes: Mapping[str, str] | None = None
    ) -> Settings:
        """Return the settings in force with their files; raises InputError with every fault at once.

        The environment wins over the file, and `changes` (of `--set`) over both.
        """
        # Bytes in the environment that are not UTF-8 arrive as lone surrogates, which no output can carry.
        # A name that is near enough to be meant as a setting is read too, so that it can be refused.
        plain = {name: normalize_name(name) for name in self.environ}
        names = [name for name, text in plain.items() if text.startswith("AEGIS") or "_PT_" in text]
        texts = {name: replace_surrogates(self.environ[name]) for name in names}
        layers = [("environment", texts)]
        faults: list[str] = []
        written: dict[str, str] = {}
        path = env_file or texts.get(ENV_FILE.name) or ""
        if path:
            try:
                written = parse_env_file(read_text(path, "--env-file"), path)
                layers.insert(0, (path, written))
            except InputError as error:
                faults += error.lines
        try:
            settings = resolve_settings(*layers, ("--set", changes or {}))
        except InputError as error:
            raise InputError(*faults, *find_unknown(path, written), *error.lines) from None
        if faults:
            raise InputError(*faults)
        settings = replace(settings, files=_load_files(settings))
        own = [limit for rule in settings.files[PROFILE.name].rules for limit in rule.limits.values()]
        settings = add_settings(settings, own, *layers, ("--set", changes or {}))
        unknown = list(find_unknown(path, written, settings.values))
        if unknown:
            raise InputError(*unknown)
        others = [name for name in texts if name not in settings.values]
        own_doubts = (find_senseless(settings), find_idle(settings), _find_unwatched(settings))
        return replace(settings, doubts=(*find_doubts(others), *chain(*own_doubts)))


def get_clock(app: AppContext, text: str | None) -> Clock:
    """Return the real clock, or one that stands still at the time of `--now`; raises InputError."""
    if text is None:
        return app.clock
    now = parse_time_option(text, "--now")
    return lambda: now


def print_wait_hint(app: AppContext, what: str) -> None:
    """Print what is awaited where standard input is a terminal: silence looks like a hanging program."""
    if app.stdin.isatty():
        app.print_stderr(f"Reading {what} from standard input; end it with Ctrl-D.")


def parse_time_option(text: str, option: str) -> datetime:
    """Return the time of an option, RFC 3339 with an offset; raises InputError."""
    try:
        return parse_run_time(text)
    except InputError as error:
        raise InputError(
            f"{option}: {redact_excerpt(text)!r} {error}; a time is such as 2026-06-02T15:00:00Z"
        ) from None


def _load_files(settings: Settings) -> dict[str, Any]:
    """Return by setting the parsed file that it names; raises InputError with all their faults."""
    closures, mutes = settings[MARKET_CLOSURES], settings[MUTES]
    files: dict[str, Any] = {}
    loaders: dict[str, Callable[[], Any]] = {
        PROFILE.name: lambda: _load_profile(settings[PROFILE]),
        MARKET_CLOSURES.name: lambda: (
            parse_file(closures, MARKET_CLOSURES.name, _parse_closures) if closures else NO_CLOSURES
        ),
        MUTES.name: lambda: (
            parse_file(mutes, MUTES.name, lambda text: _parse_mutes(text, files.get(PROFILE.name)))
            if mutes
            else ()
        ),
    }
    if settings[SCHEDULE]:
        loaders[SCHEDULE.name] = lambda: _load_timetable(settings[SCHEDULE])
    faults = [*_find_unknown_names(settings), *_find_unknown_zones(settings)]
    for name, load in loaders.items():
        try:
            files[name] = load()
        except InputError as error:
            faults += error.lines
    if faults:
        raise InputError(*faults)
    return files


def _find_unknown_names(settings: Settings) -> Iterator[str]:
    """Yield a fault for each fact, signal and section that a setting names and nobody knows."""
    for name in settings[REQUIRED]:
        if name not in FACT_NAMES:
            yield f"{REQUIRED.name}: no fact is named {name!r}"
    for name in settings[SIGNALS_OFF]:
        if not is_signal(name):
            known = ", ".join(signal.name for signal in SIGNALS)
            yield f"{SIGNALS_OFF.name}: no signal is named {name!r} (there are: {known})"
    collected = {name for name in (*SECTIONS, *PARTS) if name not in ("sources", "previous")}
    named = ((SECTIONS_FROM, entry.partition("=")[0].strip()) for entry in settings[SECTIONS_FROM])
    for setting, name in (*named, *((SOURCES_OFF, name) for name in settings[SOURCES_OFF])):
        if name not in collected:
            yield f"{setting.name}: no section is named {name!r} (there are: {', '.join(sorted(collected))})"


def _find_unknown_zones(settings: Settings) -> Iterator[str]:
    for name in settings[DISPLAY_ZONES] if settings.origins[DISPLAY_ZONES.name] != "default" else ():
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a folder of zones
            yield f"{DISPLAY_ZONES.name}: {name!r} is not a known time zone"


def _find_unwatched(settings: Settings) -> Iterator[str]:
    """Yield a warning where the owner, or the profile, switched every golden signal off."""
    off = {*settings[SIGNALS_OFF], *settings.files[PROFILE.name].signals_off}
    if {get_signal_name(name) for name in off} >= {signal.name for signal in SIGNALS}:
        yield f"No golden signal is watched: {SIGNALS_OFF.name}, or the profile, switches all of them off."


def _load_profile(name: str) -> Profile:
    document = load_builtin_profile(name)
    if document is not None:
        return parse_profile(document)
    if name and not is_profile_path(name):
        raise InputError(
            f"{PROFILE.name}: no built-in profile {name!r}"
            f" (there are: {', '.join(list_builtin_profiles())}) and no path"
        )
    return parse_file(name, PROFILE.name, _parse_profile) if name else parse_profile({})


def _parse_profile(text: str) -> Profile:
    from detector.app.profile_document import parse_profile_text  # only a file of the user's needs pydantic

    return parse_profile_text(text)


def _parse_mutes(text: str, profile: Profile | None) -> tuple[Mute, ...]:
    from detector.app.mutes_and_closures import parse_mutes

    rules = load_rules()
    own = [] if profile is None else [rule.name for rule in profile.rules]
    money = [rule.name for rule in rules if rule.declaration.money]
    return parse_mutes(text, money, [*(rule.name for rule in rules), *own])


def _parse_closures(text: str) -> Closures:
    from detector.app.mutes_and_closures import parse_closures

    return parse_closures(text)


def _load_timetable(path: str) -> Timetable:
    from detector.schedule.expected import LaneTimetable
    from detector.schedule.schedule_files import parse_workflow_lanes, parse_yaml

    lanes = parse_file(path, SCHEDULE.name, lambda text: parse_workflow_lanes(parse_yaml(text)))
    return LaneTimetable(lanes)


def read_text(path: str, named_by: str) -> str:
    """Return the text of a file; raises InputError, which begins with what named it."""
    try:
        return read_file(path, MAX_BYTES).data.decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{named_by}: {path}: {error.strerror or type(error).__name__}") from None
    except UnicodeDecodeError:
        raise InputError(f"{named_by}: {path}: is not UTF-8 text") from None


def parse_file(path: str, named_by: str, parse: Callable[[str], T]) -> T:
    """Return what a file holds; raises InputError, each line of which begins with what named it."""
    text = read_text(path, named_by)
    try:
        return parse(text)
    except InputError as error:
        raise InputError(*(f"{named_by}: {path}: {line}" for line in error.lines)) from None


def print_text(app: AppContext, text: str) -> int:
    """Print the text; return 0, or 3 where standard output did not take it (stderr names the reason)."""
    return ExitCode.OK if app.print_stdout(text) else ExitCode.UNDELIVERED


def print_lines(app: AppContext, lines: Iterable[str]) -> int:
    """Print each line with a newline; return the exit code of `print_text`."""
    return print_text(app, "".join(f"{line}\n" for line in lines))


def print_stream(app: AppContext, lines: Iterable[str]) -> int:
    """Print each line as `print_lines` does, as it comes, until one is not taken; return the same code."""
    taken = all(app.print_stdout(f"{line}\n") for line in lines)
    return ExitCode.OK if taken else ExitCode.UNDELIVERED


def print_json(app: AppContext, value: Any) -> int:
    """Print the value as JSON; return the exit code of `print_text`."""
    return print_text(app, format_document(value))
