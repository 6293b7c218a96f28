"""Break each rule on purpose, one small change at a time, and see whether the suite goes red.

`python tools/break_rules.py [--all] [NAME ...]` prints what survived, and exits 1 where something did.
A comparison is turned (`>` and `≥`, `==` and `!=`), a number moves by one, a condition is negated,
`and` becomes `or`, a severity changes, a `yield` is dropped, a part of the declaration is dropped or
turned. Nothing is written: the tests are collected once, and each change is put into a fork of that
process, which runs the tests that name the rule until one fails (`--all`: after these all others).
"""

from __future__ import annotations

import argparse
import ast
import gc
import io
import os
import signal
import sys
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest
from _pytest import runner as pytest_runner
from msgspec import Struct
from msgspec.structs import force_setattr

from detector.domain.rule import Declaration, Limit

ROOT = Path(__file__).resolve().parents[1]
LONGEST_SEC = 300  # a change that makes a rule run for ever is seen by its tests
TURNED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Lt: ast.LtE, ast.LtE: ast.Lt,
    ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}  # fmt: skip
NAMES = {
    "reaches": "exceeds", "exceeds": "reaches", "WARNING": "CRITICAL", "CRITICAL": "WARNING",
    "RTH": "ALWAYS", "STATE": "OCCURRENCE", "OCCURRENCE": "STATE", "any": "all", "all": "any",
    "max": "min", "min": "max",
}  # fmt: skip
CachedFunction = type(cache(lambda: None))
EMPTY = {"money": False, "confirm": False, "escalates": None, "critical_after": None, "listed_after": None}
TESTS = ["tests/rules", "tests/test_timeline.py"]
GENERIC = {"test_laws.py", "test_timeline.py"}  # their tests name a rule by their own id
TABLE = "test_the_rules_declare_what_the_table_of_events_shows"


def break_source(source: str) -> Iterator[tuple[str, ast.Module]]:
    """Yield (what was changed, the changed program) for every small change of a rule."""
    count = sum(1 for _ in ast.walk(ast.parse(source)))
    for index in range(count):
        tree = ast.parse(source)
        node = list(ast.walk(tree))[index]
        change = _break_node(node)
        if change:
            yield f"line {getattr(node, 'lineno', 0)}: {change}", _add_imports(tree)


def _break_node(node: ast.AST) -> str:
    """Change the node in place and return what was changed; empty where nothing is."""
    for change in (_turn_word, _turn_operator, _drop_part):
        change_made = change(node)
        if change_made:
            return change_made
    return ""


def _turn_word(node: ast.AST) -> str:
    if isinstance(node, ast.Constant) and type(node.value) is int:
        node.value += 1
        return f"{node.value - 1} to {node.value}"
    if isinstance(node, ast.Constant) and node.value in ("warning", "critical"):
        node.value = "warning" if node.value == "critical" else "critical"
        return f"severity to {node.value}"
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in NAMES:
        old, node.id = node.id, NAMES[node.id]
        return f"{old} to {node.id}"
    return ""


def _turn_operator(node: ast.AST) -> str:
    if isinstance(node, ast.Compare) and type(node.ops[0]) in TURNED:
        old, node.ops[0] = node.ops[0], TURNED[type(node.ops[0])]()
        return f"{type(old).__name__} to {type(node.ops[0]).__name__}"
    if isinstance(node, ast.BoolOp):
        node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        return "and/or"
    return ""


def _drop_part(node: ast.AST) -> str:
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        node.operand = ast.UnaryOp(ast.Not(), node.operand)
        return "not dropped"
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Yield | ast.YieldFrom):
        node.value = ast.Tuple([], ast.Load())
        return "yield dropped"
    if isinstance(node, ast.keyword) and node.arg in EMPTY:
        node.value = ast.Constant(EMPTY[node.arg])
        return f"{node.arg} dropped"
    return ""


def _add_imports(tree: ast.Module) -> ast.Module:
    extra = "from detector.domain.rule import ALWAYS, CRITICAL, OCCURRENCE, STATE, WARNING, exceeds, reaches"
    tree.body[2:2] = ast.parse(extra).body
    return ast.fix_missing_locations(tree)


def apply_change(module: ModuleType, tree: ast.Module) -> None:
    """Put the changed program into the module where it stands; raises what its import raises."""
    changed: dict[str, Any] = {"__name__": module.__name__}
    exec(compile(tree, str(module.__file__), "exec"), changed)  # noqa: S102 - the rule itself, changed
    _change_declaration(module.check.declaration, changed["check"].declaration)
    for name, value in changed.items():
        old = getattr(module, name, None)
        if isinstance(value, FunctionType) and value.__module__ == module.__name__ and old is not None:
            old.__code__, old.__defaults__ = value.__code__, value.__defaults__
        elif not name.startswith("__"):
            setattr(module, name, value)
    for function in gc.get_objects():
        if isinstance(function, CachedFunction) and function.__module__.startswith("detector.engine"):
            function.cache_clear()


def _change_declaration(old: Declaration, new: Declaration) -> None:
    """Change it where it stands: the tests, once collected, hold it and its limits."""
    pairs: list[tuple[Struct, Struct]] = [(old, new)]
    if len(old.limits) == len(new.limits):
        pairs += [
            (limit, other)
            for limit, other in zip(old.limits, new.limits, strict=True)
            if isinstance(limit, Limit) and isinstance(other, Limit)
        ]
    for target, source in pairs:
        for name in target.__struct_fields__:
            if name != "limits" or len(pairs) == 1:
                force_setattr(target, name, getattr(source, name))


class Breaker:
    """Runs, in place of the tests themselves, the tests on each changed rule."""

    def __init__(self, names: list[str], is_whole: bool) -> None:
        self.names = names
        self.is_whole = is_whole
        self.killed = 0
        self.alive: list[str] = []

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Break each rule in turn, instead of running the tests."""
        for name in self.names:
            module = import_module(f"detector.rules.{name}")
            items = self._sort_items(session.items, name)
            survivors = [
                f"{name} {change}"
                for change, tree in break_source(Path(str(module.__file__)).read_text("utf-8"))
                if self._survives(module, tree, items)
            ]
            self.alive += survivors
            print("", f"{name}: {len(survivors)} survived", *survivors, sep="\n  ", flush=True)
        return True

    def _sort_items(self, items: list[pytest.Item], name: str) -> list[pytest.Item]:
        files = {path: path.read_text("utf-8") for path in {item.path for item in items}}

        def names_rule(item: pytest.Item) -> bool:
            return (
                name in item.nodeid
                or item.name == TABLE
                or (item.path.name not in GENERIC and name in files[item.path])
            )

        chosen = [item for item in items if names_rule(item)]
        chosen.sort(key=lambda item: (item.name != TABLE, name not in item.nodeid))
        return [*chosen, *(item for item in items if self.is_whole and not names_rule(item))]

    def _survives(self, module: ModuleType, tree: ast.Module, items: list[pytest.Item]) -> bool:
        child = os.fork()
        if child == 0:
            sys.stdout = sys.stderr = io.StringIO()
            signal.alarm(LONGEST_SEC)
            try:
                apply_change(module, tree)
                os._exit(
                    any(_is_red(item, after) for item, after in zip(items, [*items[1:], None], strict=True))
                )
            finally:
                os._exit(1)
        is_red = os.waitpid(child, 0)[1] != 0
        self.killed += is_red
        return not is_red


def _is_red(item: pytest.Item, after: pytest.Item | None) -> bool:
    reports = pytest_runner.runtestprotocol(item, log=False, nextitem=after)
    return any(report.failed for report in reports)


def main(arguments: list[str]) -> int:
    """Break the named rules, or all of them."""
    rules = sorted(path.stem for path in (ROOT / "detector" / "rules").glob("[a-z]*.py"))
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="a rule, such as heartbeat_stale")
    parser.add_argument(
        "--all", action="store_true", help="run all other tests too where the rule's own pass"
    )
    options = parser.parse_args(arguments)
    if unknown := sorted({*options.names} - {*rules}):
        parser.error(f"no rule is named {', '.join(unknown)}")
    breaker = Breaker([name for name in rules if not options.names or name in options.names], options.all)
    os.chdir(ROOT)
    pytest.main(["-q", "-s", "-p", "no:randomly", "-p", "no:cacheprovider", *TESTS], plugins=[breaker])
    print(f"{len(breaker.names)} rules broken: {breaker.killed} changes seen, {len(breaker.alive)} survived")
    return 1 if breaker.alive else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
