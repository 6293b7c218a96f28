"""`init`: write the few files that a new owner needs, and print what only a person can do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import click
from msgspec.structs import replace

from detector.app.context import AppContext, print_lines
from detector.formats.errors import InputError
from detector.formats.strict_json import redact_excerpt
from detector.profiles import is_profile_path, list_builtin_profiles
from detector.render.setup_files import (
    PLACEHOLDER,
    PROGRAM,
    RUNTIME,
    SetupRequest,
    build_box_files,
    build_github_files,
    list_box_steps,
    list_github_notes,
    list_github_steps,
)
from detector.settings.setting import LOOPBACK_HOSTS, find_url_fault

Files = dict[str, str]
PLACES: Final[dict[str, tuple[Callable[[SetupRequest], Files], Callable[[SetupRequest], list[str]]]]] = {
    "github": (build_github_files, list_github_steps),
    "box": (build_box_files, list_box_steps),
}


@click.command(epilog="Example: python -m detector init github --runtime my-bot --dry-run")
@click.argument("place", type=click.Choice(list(PLACES)))
@click.option("--runtime", metavar="NAME", help="What the watched runtime is called, such as my-bot.")
@click.option("--profile", default="", metavar="NAME", help="A built-in profile, or the path of your own.")
@click.option("--status-url", default="", metavar="URL", help="Where the runtime's status is served as JSON.")
@click.option(
    "--program",
    default=PLACEHOLDER,
    metavar="OWNER/REPO@COMMIT",
    help="GitHub: where this program's workflow lies, and the commit to pin, all 40 digits.",
)
@click.option(
    "--folder",
    default=".",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False),
    help="The root of your repository, or a folder of the machine; default: this folder.",
)
@click.option("--dry-run", is_flag=True, help="Print the files, and write nothing.")
@click.pass_obj
def command(
    app: AppContext,
    /,
    place: str,
    runtime: str | None,
    profile: str,
    status_url: str,
    program: str,
    folder: str,
    dry_run: bool,
) -> int:
    """Write the files of a new owner, and print what is left by hand.

    For GitHub, or for a machine of your own (box). What is not given as an option is asked for on a terminal.
    Nothing is overwritten: where one of the files is there already, none is written, exit 2.
    """
    request = _read_answers(app, SetupRequest(runtime or "", profile, status_url, program), place)
    build, list_steps = PLACES[place]
    files = build(request)
    for warning in _list_warnings(request, place, Path(folder)):
        app.print_stderr(f"detector: {warning}")
    if dry_run:
        return print_lines(
            app, (line for path, text in files.items() for line in (f"# --- {path}", *text.splitlines(), ""))
        )
    _write_files(Path(folder), files)
    steps = list_steps(request)
    return print_lines(
        app,
        [
            *(f"written: {path}" for path in files),
            "",
            "By hand, in this order:",
            *(f"{number}. {step}" for number, step in enumerate(steps, 1)),
            *(["", "Only where you need it:", *list_github_notes()] if place == "github" else []),
        ],
    )


def _read_answers(app: AppContext, request: SetupRequest, place: str) -> SetupRequest:
    """Return the request with what a terminal answered; raises InputError for an unusable answer."""
    questions = [
        ("runtime", "Name of the runtime that is watched (such as my-bot)"),
        ("profile", f"Profile: {', '.join(list_builtin_profiles())}, or the path of your own (empty: aegis)"),
        ("status_url", "Address of its status as JSON (empty: later)"),
    ]
    if place == "github":
        questions.append(("program", f"{PLACEHOLDER} of this program (empty: later)"))
    unanswered = SetupRequest("")
    for name, question in questions if app.stdin.isatty() else ():
        if getattr(request, name) == getattr(unanswered, name):
            app.print_stderr(f"{question}:")
            answer = app.stdin.readline().decode("utf-8", "replace").strip()
            request = replace(request, **{name: answer or getattr(request, name)})
    for fault in _find_faults(request):
        raise InputError(fault)
    return request


def _list_warnings(request: SetupRequest, place: str, folder: Path) -> Iterator[str]:
    """Yield what is written and cannot work as it stands."""
    if place == "github" and not (folder / ".git").exists():
        yield f"{folder} is not the root of a git repository: GitHub reads workflows in its root alone"
    if place == "github" and urlsplit(request.status_url).hostname in LOOPBACK_HOSTS:
        yield "--status-url is an address of this machine itself, which no runner of GitHub reaches"
    if is_profile_path(request.profile) and not (folder / request.profile).is_file():
        yield f"--profile: {request.profile} does not exist in {folder} yet: commit it before the first run"


def _find_faults(request: SetupRequest) -> Iterator[str]:
    if not request.runtime:
        yield "name the runtime: --runtime my-bot"
    elif not RUNTIME.fullmatch(request.runtime):
        yield f"--runtime: {redact_excerpt(request.runtime)!r} is not a name of letters, digits and . _ -"
    if request.status_url and (fault := find_url_fault(request.status_url, ("http", "https"))):
        yield f"--status-url: {fault}"
    if any(not text.isprintable() or "#" in text for text in (request.profile, request.status_url)):
        yield "--profile or --status-url has a character that a file of settings cannot carry"
    profiles = list_builtin_profiles()
    if request.profile and not is_profile_path(request.profile) and request.profile not in profiles:
        names = ", ".join(profiles)
        yield f"--profile: {redact_excerpt(request.profile)!r} is neither a path nor one of {names}"
    if request.program.startswith(f"{PLACEHOLDER.partition('@')[0]}@") and request.program != PLACEHOLDER:
        yield "--program: OWNER/REPOSITORY stands for the repository of this program; put in its name"
    if request.program != PLACEHOLDER and not PROGRAM.fullmatch(request.program):
        program = redact_excerpt(request.program)
        yield f"--program: {program!r} is not {PLACEHOLDER}, with all 40 digits"


def _write_files(folder: Path, files: Files) -> None:
    """Write every file, or none: raises InputError where one is there already or cannot be written."""
    present = [path for path in files if (folder / path).exists() or (folder / path).is_symlink()]
    if present:
        raise InputError(f"nothing was written: {', '.join(present)} exists already in {folder}")
    for path, text in files.items():
        try:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            with (folder / path).open("x", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            raise InputError(f"{folder / path}: {error.strerror or type(error).__name__}") from None
