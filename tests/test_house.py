"""The house: what a module, a class, a function and a line may be called, and where it may stand.

Each ceiling only falls.
"""

from __future__ import annotations

import ast
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.support.snapshots import ROOT

PACKAGE = ROOT / "detector"
VERBS = frozenset((ROOT / "tests" / "support" / "verbs.txt").read_text("utf-8").split())
# What a module of such a room has, by which the program finds it.
MARKS = {
    "rules": "check",
    "commands": "command",
    "channels": "KIND",
    "collectors": "OPTIONS",
    "readers": "SECTIONS",
}
MOST_MODULES = 249  # falls only
# The language in which a rule, a setting and a fact are declared reads as sentences do.
DECLARATIONS = frozenset({"rule", "lasts", "reaches", "exceeds", "falls_below", "known", "age_of"})
# A method that a library or an interface calls by this name, and no other.
HOOKS = frozenset(
    [
        "check",
        "notify",
        "main",
        "stream",
        "makefile",
        "connectAsync",
        "onError",
        "onSocketHasData",
        "connection_lost",
        "data_received",
        "disconnect",
        "interpret",
        "readable",
        "readinto",
        "sendall",
        "wrap_socket",
        "connect_tcp",
        "connect_unix_socket",
        "handle_request",
        "perform_http_request_internal",
        "perform_urllib_http_request_internal",
    ]
)
SPEECH = re.compile(
    r"(^|_)(say|says|said|saying|sayings|tell|tells|told|telling|hear|heard|hears|hearing|speak|speaks|speech|speaker"
    r"|word|words|look|looks|looking|believe|believed|belief|door|waist|wire|thing|things|whose|asked|recalled|made"
    r"|hush|errand|offer|world|odd|oddity|shown|shows)($|_)"
)
VAGUE = frozenset({"one", "found", "made"})
WIDTH = 110


@cache
def modules() -> dict[str, ast.Module]:
    """Every module of the program by its path below `detector/`."""
    return {
        path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text("utf-8"))
        for path in sorted(PACKAGE.rglob("*.py"))
    }


@cache
def list_nodes(tree: ast.Module) -> tuple[ast.AST, ...]:
    """Return every node of a module, which most tests here walk over."""
    return tuple(ast.walk(tree))


def functions() -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for path, tree in modules().items():
        yield from (
            (path, node)
            for node in list_nodes(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        )


def doubled(names: Iterator[str]) -> set[str]:
    return {name for name, count in Counter(names).items() if count > 1}


def stems() -> Iterator[str]:
    """The stem of each module; a command and what it prints or is about, a collector and its reader, share
    theirs.
    """
    pairs = {"render": "commands", "domain": "commands", "readers": "collectors"}
    for path in modules():
        room, stem = Path(path).parts[0], Path(path).stem
        partner = f"{pairs.get(room)}/{stem}"
        named = f"{partner}.py" in modules() or f"{partner}.py".replace("-", "_") in modules()
        if stem not in {"__init__", "__main__"} and not named:
            yield stem


def is_module(*parts: str) -> bool:
    return (PACKAGE / Path(*parts)).with_suffix(".py").exists()


def private_crossings() -> Iterator[str]:
    """Each import of a module `_x` by another package than its own."""
    for path, tree in modules().items():
        package = ("detector", *Path(path).parts[:-1])
        for node in list_nodes(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                for full in [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]:
                    parts = full.split(".")
                    owner = next(
                        (parts[:at] for at, part in enumerate(parts) if re.match(r"_[a-z]", part)), None
                    )
                    is_foreign = owner and owner[0] == "detector" and tuple(owner) != package[: len(owner)]
                    if is_foreign and is_module(*parts[1 : len(owner or ()) + 1]):
                        yield f"{path}: {full}"


def is_exempt(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    decorators = " ".join(ast.unparse(decorator) for decorator in node.decorator_list)
    return (
        node.name.startswith("__")
        or node.name.lstrip("_") in DECLARATIONS | HOOKS
        or bool(re.search(r"property|command|group|overload|validator|setter", decorators))
    )


def without_a_verb() -> set[str]:
    return {
        f"{path}: {node.name}"
        for path, node in functions()
        if not is_exempt(node) and node.name.lstrip("_").split("_")[0] not in VERBS
    }


def names_of_speech() -> set[str]:
    classes = {
        f"{path}: {node.name}"
        for path, tree in modules().items()
        for node in list_nodes(tree)
        if isinstance(node, ast.ClassDef)
        and SPEECH.search(re.sub(r"(?<!^)(?=[A-Z])", "_", node.name).lower())
    }
    return classes | {f"{path}: {node.name}" for path, node in functions() if SPEECH.search(node.name)}


def vague_names() -> list[str]:
    return [
        f"{path}:{node.lineno}"
        for path, tree in modules().items()
        for node in list_nodes(tree)
        if (isinstance(node, ast.Name) and node.id in VAGUE)
        or (isinstance(node, ast.arg) and node.arg in VAGUE)
    ]


def wide_lines() -> list[str]:
    files = [path for room in ("detector", "tools", "benchmarks") for path in (ROOT / room).rglob("*.py")]
    return [
        f"{path.relative_to(ROOT)}:{number}"
        for path in files
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if len(line) > WIDTH
    ]


def iter_own_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Every node below this one, but for those of functions and classes within it."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            yield child
            yield from iter_own_nodes(child)


def list_raised(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    raised = (child.exc for child in iter_own_nodes(node) if isinstance(child, ast.Raise) and child.exc)
    names = (ast.unparse(error.func if isinstance(error, ast.Call) else error) for error in raised)
    return [name for text in names if (name := text.rpartition(".")[2])[0].isupper()]


def wide_texts_of_tests() -> list[str]:
    """Comments and docstrings; a row of data may be as wide as it is."""
    return [
        f"{path.relative_to(ROOT)}:{number}"
        for path in (ROOT / "tests").rglob("*.py")
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if len(line) > WIDTH and line.strip().startswith(("#", '"""'))
    ]


def unnamed_errors() -> list[str]:
    """Each error that a public function raises itself and its docstring does not name.

    A command's is its exit code.
    """
    bodies = [(path, tree.body) for path, tree in modules().items()]
    bodies += [
        (path, entry.body)
        for path, body in bodies
        for entry in body
        if isinstance(entry, ast.ClassDef) and not entry.name.startswith("_")
    ]
    public = (
        (path, node)
        for path, body in bodies
        for node in body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and not (node.name.startswith("_") or (path.startswith("commands/") and node.name == "command"))
    )
    return [
        f"{path}: {node.name} raises {name}"
        for path, node in public
        for name in list_raised(node)
        if name not in (ast.get_docstring(node) or "")
    ]


def bare_exemptions() -> list[str]:
    """Each `noqa` that does not say why."""
    files = [
        path for room in ("detector", "tools", "benchmarks", "tests") for path in (ROOT / room).rglob("*.py")
    ]
    return [
        f"{path.relative_to(ROOT)}:{number}"
        for path in files
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if re.search(r"# noqa(: [A-Z]+[0-9]+(, [A-Z]+[0-9]+)*)?\s*$", line)
    ]


@cache
def find_by_files() -> dict[str, str]:
    """The room of each module that the program finds by its file: who adds one lists it nowhere."""
    return {
        path: room
        for path, tree in modules().items()
        for room, mark in MARKS.items()
        if path.startswith(f"{room}/") and mark in names_of_the_module(tree)
    }


def names_of_the_module(tree: ast.Module) -> set[str]:
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    return functions | {
        ast.unparse(target) for node in tree.body if isinstance(node, ast.Assign) for target in node.targets
    }


def list_closed_rooms() -> list[str]:
    """Each list of a test that names everything in a room of such modules."""
    rooms = {
        room: {Path(path).stem for path, found in find_by_files().items() if found == room} for room in MARKS
    }
    return [
        f"{path.relative_to(ROOT)}:{node.lineno} lists {room}/"
        for path in (ROOT / "tests").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.List | ast.Set | ast.Tuple | ast.Dict)
        for texts in [{child.value for child in ast.walk(node) if isinstance(child, ast.Constant)}]
        for room, names in rooms.items()
        if names <= texts
    ]


def test_the_list_of_verbs_stays_short():
    assert len(VERBS) <= 80


LAWS = [
    (
        "stems that two modules share",
        "rename one",
        lambda: doubled(stems()),
    ),
    (
        "public classes of one name",
        "rename one",
        lambda: doubled(
            node.name
            for tree in modules().values()
            for node in tree.body
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
        ),
    ),
    (
        "private modules that another package imports",
        "leave out the underscore of its name, or import what is public",
        private_crossings,
    ),
    (
        "functions that begin with no verb",
        "begin the name with a verb of tests/support/verbs.txt",
        without_a_verb,
    ),
    ("names of speech or metaphor", "name it after what it is or does", names_of_speech),
    ("uses of one, found and made", "name the variable after what it holds", vague_names),
    (
        "lines over 110 columns",
        "`make format` breaks code; break texts by hand",
        wide_lines,
    ),
    (
        "comments and docstrings of tests over 110 columns",
        "break them by hand",
        wide_texts_of_tests,
    ),
    (
        "exemptions from a check without their reason",
        "write `# noqa: CODE - reason`",
        bare_exemptions,
    ),
    (
        "errors that a public function raises and does not name",
        "write `Raises NAME where ...` into its docstring",
        unnamed_errors,
    ),
    (
        "functions over 45 lines",
        "give a part of it a name",
        lambda: [
            f"{path}: {node.name}" for path, node in functions() if (node.end_lineno or 0) - node.lineno >= 45
        ],
    ),
    (
        "tests that list what is found by its files",
        "ask for what the test is about, so that a new file does not break it",
        list_closed_rooms,
    ),
]


@pytest.mark.parametrize(
    ("title", "advice", "list_offenders"), LAWS, ids=[title.replace(" ", "-") for title, _, _ in LAWS]
)
def test_no_module_departs_from_the_house(title, advice, list_offenders):
    offenders = sorted(list_offenders())
    assert not offenders, "\n".join([f"{title}; {advice}:", *offenders])


def test_there_are_not_too_many_modules():
    """Beside those that are found by their files, of which there may be as many as there are things to do."""
    rest = [path for path in modules() if path not in find_by_files()]
    assert len(rest) <= MOST_MODULES, (
        "put what is new into the module of its idea, or join two that share one"
    )


def names_that_are_read() -> set[str]:
    """Every attribute, name and text of the program: what a field, a setting or a package may be read by.

    The text in which a setting is declared reads nothing.
    """
    read: set[str] = set()
    for path, tree in modules().items():
        for node in list_nodes(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                read.add(node.attr)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                read.add(node.id)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                read |= set() if path.startswith("settings/") else {node.value}
            elif isinstance(node, ast.alias) and node.asname:
                read.add(node.name)
    return read


def names_of_the_top(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            decorators = {ast.unparse(decorator).partition("(")[0] for decorator in node.decorator_list}
            yield from [node.name] if decorators <= {"cache", "lru_cache", "contextmanager"} else []
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (target.id for target in targets if isinstance(target, ast.Name))


def test_every_name_of_a_module_is_read():
    read = names_that_are_read() | HOOKS
    unread = [
        f"{path}: {name}"
        for path, tree in modules().items()
        for name in names_of_the_top(tree)
        if name not in read and not name.startswith("__") and not path.startswith("settings/")
    ]
    assert not unread, f"nothing uses these: take them out, or call them: {unread}"


def is_record(node: ast.ClassDef) -> bool:
    is_struct = any(ast.unparse(base) == "Struct" for base in node.bases)
    return is_struct or any(keyword.arg == "frozen" for keyword in node.keywords)


def test_every_record_is_a_struct():
    # Making a dataclass costs a start 1.2 ms, a Struct twenty times less; there is one kind of record.
    offenders = [
        path
        for path, tree in modules().items()
        for node in list_nodes(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "dataclasses"
    ]
    assert offenders == []


# Written into the artifact or into standard output as a whole, field by field.
SERIALISED = frozenset({"Condition", "SessionDay", "Gap", "WebhookBody", "WebhookEvent"})


def test_every_field_of_a_record_is_read():
    read = names_that_are_read()
    records = [
        (path, node)
        for path, tree in modules().items()
        for node in list_nodes(tree)
        if isinstance(node, ast.ClassDef) and is_record(node) and node.name not in SERIALISED
    ]
    assert len(records) > 50
    unread = [
        f"{path}: {node.name}.{field.target.id}"
        for path, node in records
        for field in node.body
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and field.target.id not in read
    ]
    assert unread == []


def test_every_setting_is_read():
    read = names_that_are_read()
    declared = [
        target.id
        for path, tree in modules().items()
        if path.startswith("settings/")
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Call)
        and ast.unparse(node.value.func).startswith("add_")
        for target in node.targets
        if isinstance(target, ast.Name) and target.id.isupper()
    ]
    assert len(declared) > 110
    unread = [name for name in declared if name not in read]
    assert not unread, f"settings that nothing reads; read them, or take them out: {unread}"


# A package is imported by another name than its own, or is the data that a library finds.
IMPORTED_AS = {"pyyaml": "yaml", "slack-sdk": "slack_sdk", "tzdata": "zoneinfo"}


def test_every_package_that_is_asked_for_is_imported():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    packages = {re.split(r"[<>=!~;\[ ]", text)[0].lower() for text in project["dependencies"]}
    imported = {
        name.split(".")[0]
        for tree in modules().values()
        for node in list_nodes(tree)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    unused = sorted(name for name in packages if IMPORTED_AS.get(name, name) not in imported)
    assert not unused, f"take these out of pyproject.toml, then run `make lock`: {unused}"
