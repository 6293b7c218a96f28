"""The house as the code is: its layers out of pyproject.toml, and a picture of which room imports which."""

from __future__ import annotations

import ast
import re
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "detector"


def layers() -> list[list[str]]:
    """Return the rooms of each layer, top to bottom, as import-linter enforces them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contract = next(item for item in project["tool"]["importlinter"]["contracts"] if item["id"] == "floors")
    return [re.findall(r"\w+", line) for line in contract["layers"]]


def describe_room(room: str) -> str:
    """Return the first sentence of a room's docstring."""
    path = PACKAGE / room / "__init__.py"
    text = (path if path.is_file() else PACKAGE / f"{room}.py").read_text("utf-8")
    return (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]


def imports() -> dict[str, set[str]]:
    """Return which rooms each room imports, also where the import is late."""
    graph: dict[str, set[str]] = defaultdict(set)
    for path in PACKAGE.rglob("*.py"):
        room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for node in _iter_statements(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "detector":
                below = (node.module or "").split(".")[1:] or [alias.name for alias in node.names]
                graph[room] |= {below[0]} - {room, "__init__"}
    return dict(graph)


def _iter_statements(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield every statement, however deep, without the expressions: an import is a statement."""
    nodes: list[ast.AST] = [tree]
    while nodes:
        yield (node := nodes.pop())
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            nodes += getattr(node, name, ())


def direct_imports() -> Iterator[tuple[str, str]]:
    """Yield the imports that no longer path explains: not A to C where A imports B and B leads to C."""
    graph = imports()

    def reach(room: str, seen: frozenset[str] = frozenset()) -> set[str]:
        return {room}.union(*(reach(below, seen | {room}) for below in graph.get(room, set()) - seen))

    for room in (name for layer in layers() for name in layer):
        below = graph.get(room, set())
        for target in sorted(below):
            if not any(target in reach(other) for other in below - {target}):
                yield room, target


def layer_table() -> Iterator[str]:
    """Yield the table of the layers, top to bottom."""
    yield "| room | what it holds |"
    yield "|---|---|"
    for layer in layers():
        for room in layer:
            name = f"{room}/" if (PACKAGE / room).is_dir() else f"{room}.py"
            yield f"| `{name}` | {describe_room(room)} |"


def picture() -> Iterator[str]:
    """Yield the picture of the rooms: a layer a row, and the imports that no longer path explains."""
    yield "```mermaid"
    yield "flowchart TD"
    for number, layer in enumerate(layers()):
        yield f'  subgraph L{number}[" "]'
        yield "    direction LR"
        yield from (f"    {room}" for room in layer)
        yield "  end"
    yield from (f"  {room} --> {target}" for room, target in direct_imports())
    yield "```"
