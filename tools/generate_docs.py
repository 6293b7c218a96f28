"""Write what is generated: `schemas/`, `.env.example`, profiles as JSON, marked parts of RUNBOOK.md, docs/.

`make docs` runs it; with `--check` it writes nothing, names every file that differs and exits 1. A marked
part stands between `<!-- generated: NAME -->` and `<!-- /generated -->`; `looks` takes the names of the
runbook's looks, of which it repeats the commands. What is written depends on the
code alone: not on the terminal, the environment, the machine or the time.
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import click

from detector.cli import commands
from detector.commands.schema import SCHEMAS
from detector.domain.broker_rows import BrokerOrder, BrokerPosition, Execution
from detector.domain.columns import ROWS, get_columns
from detector.domain.facts import STATUS_FACTS
from detector.domain.gate_report import AFTER, BEFORE, OPEN
from detector.domain.instrument import Instrument
from detector.domain.profile import HEARTBEAT_AGE, POSITION_STATE, TRADES
from detector.domain.rule import Rule
from detector.domain.session_report import WORDS
from detector.domain.snapshot import SECTIONS
from detector.domain.task_rows import LocalProcess
from detector.domain.trade_rows import StoredPosition, Trade
from detector.engine.catalog import find_rule, load_rules
from detector.engine.coverage import SIGNALS
from detector.formats.errors import REASONS
from detector.formats.serialize import format_document
from detector.gate.check import GateCheck
from detector.gate.check_list import CHECKS
from detector.profiles import list_builtin_profiles, read_builtin_profile
from detector.render.rules import KINDS, describe_lasts, describe_severity, list_limits
from detector.render.schemas import EVENT_FIELDS
from detector.render.settings import format_default, render_env_example
from detector.settings import DECLARED, resolve_settings
from tools.house import layer_table, picture
from tools.time_to_told import short_table as time_to_told_short
from tools.time_to_told import table as time_to_told

ROOT = Path(__file__).resolve().parent.parent
DOCUMENTS = (
    "README.md",
    "RUNBOOK.md",
    *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md"))),
)
WIDTH = 100
ROWS_OF_LISTS: Mapping[str, type[Any]] = {
    **{f"`{name}`": fact["row"] for name, fact in STATUS_FACTS.items() if fact["kind"] == ROWS},
    "`broker.positions`": BrokerPosition,
    "`broker.open_orders`": BrokerOrder,
    "`broker.executions`": Execution,
    f"`stores.{POSITION_STATE}`": StoredPosition,
    f"`stores.{TRADES}`": Trade,
    "`processes`": LocalProcess,
}
_BLOCK = re.compile(r"(<!-- generated: ([a-z-]+)(?: ([a-z, ]+))? -->\n).*?(<!-- /generated -->)", re.DOTALL)
_LOOK = re.compile(r"^\*\*Look: ([a-z ]+)\.\*\*.*?^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_MARK = re.compile(r"<!-- /?generated\b")
_EXIT = re.compile(r"^ *(\d)  (.*?)(?=^ *\d  |\Z)", re.MULTILINE | re.DOTALL)


class DocumentationError(Exception):
    """A marked part that cannot be written; the message names the file and the part."""


def events() -> Iterator[str]:
    """The table of all events, from the rules."""
    defaults = resolve_settings()
    yield from _table(
        ("event", "kind", "severity", "fires when", "judged", "settings", "escalates"),
        (
            (
                f"[`{one.name}`](RUNBOOK.md#{one.name})",
                KINDS[one.declaration.kind],
                describe_severity(one.declaration),
                one.doc,
                one.declaration.during.name
                + (", notified at the second observation" if one.declaration.confirm else ""),
                _limits(one),
                describe_lasts(one.declaration.escalates, defaults, with_setting=False),
            )
            for one in load_rules()
        ),
    )


def _limits(one: Rule) -> str:
    found = (f"`{setting.name}`{f' {how}' if how else ''}" for setting, how in list_limits(one.declaration))
    return ", ".join(found) or "–"


def settings() -> Iterator[str]:
    """The table of all settings, from their declaration."""
    yield from _table(
        ("setting", "default", "unit", "meaning"),
        (
            (
                f"`{one.name}`",
                f"`{format_default(one)}`",
                one.unit,
                one.help + (" Secret." if one.secret else ""),
            )
            for one in DECLARED.values()
        ),
    )


def signals() -> Iterator[str]:
    """The table of the golden signals, from the coverage."""
    yield from _table(
        ("signal", "healthy condition", "not seen without", "judged by"),
        (
            (
                one.title,
                one.healthy,
                ", ".join(f"`{name}`" for name in one.facts),
                ", ".join(f"[`{name}`](RUNBOOK.md#{name})" for name in one.rules),
            )
            for one in SIGNALS
        ),
    )


def broker_shapes() -> Iterator[str]:
    """The table of the ways of writing ib_async's objects, from reading real ones."""
    from tests.support.broker_shapes import list_shape_rows  # noqa: PLC0415 - it loads ib_async and pandas

    head = ("written by", "`positions`", "`portfolio`", "`openTrades`", "`fills`")
    yield from _table(head, list_shape_rows())


def command_table() -> Iterator[str]:
    """The table of all commands, from the first line of each."""
    yield from _table(
        ("command", "does"),
        ((f"`{name}`", one.get_short_help_str(limit=WIDTH * 2)) for name, one, _ in _commands()),
    )


def help_texts() -> Iterator[str]:
    """The help of every command, as its `--help` prints it."""
    for name, one, context in _commands():
        yield f"#### `{name}`"
        yield ""
        yield "```text"
        yield from (line.rstrip() for line in one.get_help(context).splitlines())
        yield "```"
        yield ""


def _commands() -> Iterator[tuple[str, click.Command, click.Context]]:
    shape = {**commands.context_settings, "terminal_width": WIDTH, "color": False}
    group = click.Context(commands, info_name="detector", **shape)
    for name in commands.list_commands(group):
        one = commands.get_command(group, name)
        if one is not None:
            yield name, one, click.Context(one, parent=group, info_name=name)


def exit_codes() -> Iterator[str]:
    """The table of exit codes, from the help of the program."""
    text = (commands.help or "").partition("Exit codes:\n")[2]
    rows = ((f"`{code}`", " ".join(words.split())) for code, words in _EXIT.findall(text))
    yield from _table(("exit code", "meaning"), rows)


def event_fields() -> Iterator[str]:
    """The table of an event's fields, from the schema's words."""
    yield from _table(("field", "holds"), ((f"`{name}`", words) for name, words in EVENT_FIELDS.items()))


def sections() -> Iterator[str]:
    """The table of a snapshot's sections, from the contract."""
    yield from _table(("section", "holds"), ((f"`{name}`", words) for name, (_, words) in SECTIONS.items()))


def facts() -> Iterator[str]:
    """The table of the facts of a status payload, from their declaration."""
    age = (f"`{HEARTBEAT_AGE}`", "seconds", "age of the last heartbeat, instead of `heartbeat_at`", "older")
    found = [(f"`{name}`", one["kind"], one["doc"], one["worse"]) for name, one in STATUS_FACTS.items()]
    yield from _table(("fact", "reads as", "meaning", "worse is"), [found[0], age, *found[1:]])


def row_columns() -> Iterator[str]:
    """The columns of the rows of each list in a snapshot; those of an instrument are one row of the table."""
    instrument = set(get_columns(Instrument))
    named = [("*an instrument*, in each but `processes`", list(get_columns(Instrument).items()))]
    for title, row in ROWS_OF_LISTS.items():
        named.append((title, [item for item in get_columns(row).items() if item[0] not in instrument]))
    yield from _table(
        ("rows of", "columns (and how each is read)"),
        (
            (title, ", ".join(f"`{name}` ({_describe_column(column)})" for name, column in columns))
            for title, columns in named
        ),
    )


def _describe_column(column: Mapping[str, Any]) -> str:
    return f"{column['kind']}: {column['doc']}" if column["doc"] else str(column["kind"])


def reasons() -> Iterator[str]:
    """The table of what can go wrong at the edge, from the one list of reasons."""
    rows = ((f"`{name}`", advice.format("the setting")) for name, advice in REASONS.items())
    yield from _table(("reason", "what to do"), rows)


def words() -> Iterator[str]:
    """The table of what the words of a report mean, from the one that its page has too."""
    yield from _table(("word", "means"), WORDS.items())


def gate_checks() -> Iterator[str]:
    """The table of the gate's checks, from their declaration."""
    yield from _table(
        ("line", "before", "after", "open", "not proven without", "and without a good verdict of"),
        (
            (
                f"{check.title} (`{check.name}`)",
                *("yes" if stage in check.stages else "–" for stage in (BEFORE, AFTER, OPEN)),
                _gate_needs(check),
                ", ".join(
                    f"[`{name}`](RUNBOOK.md#{name})" if find_rule(name) else f"`{name}`"
                    for name in check.rules
                )
                or "–",
            )
            for check in CHECKS
        ),
    )


def _gate_needs(check: GateCheck) -> str:
    needs = [f"`{name}`" for name in check.sees]
    needs += ["one of " + ", ".join(f"`{name}`" for name in check.any_of)] if check.any_of else []
    needs += [f"`{check.asks}`"] if check.asks else []
    return "; ".join(needs) or "–"


BLOCKS: Mapping[str, Callable[[], Iterable[str]]] = {
    "events": events,
    "settings": settings,
    "signals": signals,
    "commands": command_table,
    "help": help_texts,
    "exit-codes": exit_codes,
    "event-fields": event_fields,
    "sections": sections,
    "facts": facts,
    "row-columns": row_columns,
    "time-to-told": time_to_told,
    "time-to-told-short": time_to_told_short,
    "reasons": reasons,
    "gate-checks": gate_checks,
    "words": words,
    "broker-shapes": broker_shapes,
    "layers": layer_table,
    "picture": picture,
}


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'---|' * len(head)}"
    for row in rows:
        cells = [cell.replace("|", "\\|") for cell in row]
        yield f"| {' | '.join(cells)} |"


def generated(text: str, name: str) -> str:
    """Return a document with its marked parts written anew; `name` is for the error's words."""

    def block(match: re.Match[str]) -> str:
        if match[2] == "looks" and match[3]:
            lines = "\n".join(_list_looks(text, match[3].split(", "), name))
        elif match[2] in BLOCKS and not match[3]:
            lines = _build_block(match[2])
        else:
            raise DocumentationError(f"{name}: nothing generates {match[2]!r}; known are {', '.join(BLOCKS)}")
        if name.startswith("docs/"):
            lines = lines.replace("](RUNBOOK.md", "](../RUNBOOK.md")
        return f"{match[1]}{lines}\n{match[4]}"

    if len(_MARK.findall(text)) != 2 * len(_BLOCK.findall(text)):
        raise DocumentationError(f"{name}: a marked part is not opened, not closed or misspelt")
    return _BLOCK.sub(block, text)


@cache  # nothing but the code decides it, and some are in several documents
def _build_block(name: str) -> str:
    return "\n".join(BLOCKS[name]()).rstrip("\n")


def _list_looks(text: str, looks: Sequence[str], name: str) -> Iterator[str]:
    """Yield a block with the commands of these looks, as the runbook's own section of looks has them."""
    known = dict(_LOOK.findall(text))
    yield "```sh"
    for look in looks:
        if look not in known:
            raise DocumentationError(f"{name}: no look is named {look!r}; known are {', '.join(known)}")
        yield f"# {look}"
        yield known[look].rstrip("\n")
    yield "```"


@cache
def _build_whole_files() -> Mapping[str, str]:
    made = {f"schemas/{name}.schema.json": format_document(schema()) for name, schema in SCHEMAS.items()}
    for name in list_builtin_profiles():
        document = tomllib.loads(read_builtin_profile(name) or "")
        made[f"detector/profiles/{name}.json"] = format_document(document)
    made[".env.example"] = "".join(f"{line}\n" for line in render_env_example())
    return made


def files(root: Path) -> dict[str, str]:
    """Return every generated file's text as it should be, by its path below `root`."""
    made = dict(_build_whole_files())
    for name in DOCUMENTS:
        text = (root / name).read_text(encoding="utf-8")
        if _MARK.search(text):
            made[name] = generated(text, name)
    return made


def differing(root: Path) -> dict[str, str]:
    """Return the text as it should be of each file that is not so, by its path below `root`."""
    return {name: text for name, text in files(root).items() if _text_of(root / name) != text}


def _text_of(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def main(arguments: list[str]) -> int:
    """Write the files, or compare them with `--check`; exit code 1 where `--check` finds a difference."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when a file differs")
    parser.add_argument(
        "--root", type=Path, default=ROOT, help="the folder of README.md (default: the repository)"
    )
    options = parser.parse_args(arguments)
    try:
        stale = differing(options.root)
    except DocumentationError as error:
        print(error, file=sys.stderr)
        return 1
    for name, text in stale.items():
        if options.check:
            print(f"{name} is not as the code makes it; run `make docs`", file=sys.stderr)
        else:
            _write(options.root / name, text)
    return int(bool(stale) and options.check)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
