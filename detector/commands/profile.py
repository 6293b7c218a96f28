"""`profile`: where each fact of a bot is found: print, check or propose such a file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import click

from detector.app.context import AppContext, print_lines, print_text, read_text
from detector.app.input_documents import parse_source, read_source
from detector.commands import env_file_option
from detector.formats.errors import ExternalError, InputError
from detector.formats.numbers import format_count
from detector.profiles import list_builtin_profiles, read_builtin_profile
from detector.settings import STATUS_URL

ACTIONS: Final = ("show", "check", "new")


@click.command(epilog="Example: python -m detector profile show robo_trader")
@click.argument("action", type=click.Choice(ACTIONS))
@click.argument("target", required=False)
@env_file_option
@click.pass_obj
def command(app: AppContext, /, action: str, target: str | None, env_file: str | None) -> int:
    """
    Show, check or propose a profile: where a bot's facts are.

    show NAME prints a built-in one to copy; without a name it lists them. check FILE refuses what cannot be
    meant, each fault with its line, and runs the examples of its rules (exit 2). new URL|FILE (- is stdin)
    reads a status payload and proposes a profile: every value with its path, the likely facts mapped.
    """
    if action == "show":
        return _print_builtin(app, target)
    if target is None:
        raise InputError(f"profile {action} needs {'a file' if action == 'check' else 'a URL or a file'}")
    if action == "check":
        return print_lines(app, _check_file(app, target, env_file))
    return print_lines(app, _build_proposal(app, target, env_file))


def _print_builtin(app: AppContext, name: str | None) -> int:
    if name is None:
        return print_lines(app, list_builtin_profiles())
    text = read_builtin_profile(name)
    if text is None:
        raise InputError(f"no built-in profile {name!r} (there are: {', '.join(list_builtin_profiles())})")
    return print_text(app, text)


def _check_file(app: AppContext, path: str, env_file: str | None) -> Iterator[str]:
    from detector.app.profile_document import find_broken_examples, parse_profile_tables
    from detector.domain.profile import parse_profile

    text = read_text(path, "profile check")
    try:
        tables = parse_profile_tables(text)
    except InputError as error:
        raise InputError(*(f"{path}: {line}" for line in error.lines)) from None
    profile, rules = parse_profile(tables), tables.get("rule", [])
    settings = app.load_settings(env_file, {"AEGIS_PT_PROFILE": path if "/" in path else f"./{path}"})
    faults = list(find_broken_examples(profile.rules, rules, settings))
    if faults:
        raise InputError(*(f"{path}: {fault}" for fault in faults))
    examples = sum(len(rule.get("example", [])) for rule in rules)
    facts = len(profile.paths) + len(profile.constants)
    counts = (
        format_count(facts, "fact"),
        format_count(len(rules), "rule of its own", "rules of its own"),
        format_count(examples, "example"),
    )
    verdict = "good" if facts or rules else "it maps nothing yet, so that nothing would be checked"
    yield f"{path}: {profile.name}: {', '.join(counts)}: {verdict}"


def _build_proposal(app: AppContext, source: str, env_file: str | None) -> Iterator[str]:
    from detector.app.profile_proposal import render_proposal

    payload = (
        _fetch(app, source, env_file)
        if "://" in source
        else parse_source(read_source(app, source).data, source)
    )
    return render_proposal(payload, source, app.clock())


def _fetch(app: AppContext, url: str, env_file: str | None) -> dict[str, Any]:
    """Return the JSON object of an address; any status that carries one is taken."""
    from detector.collectors.collector import SourceContext

    settings = app.load_settings(env_file, {STATUS_URL.name: url})
    try:
        page = SourceContext(settings, app.environ, app.clock).get_page(url, lambda page: True)
    except ExternalError as error:
        raise InputError(f"{url}: {error}") from None
    return parse_source(page.body, url)
