"""Break each rule on purpose, one small change at a time, and see whether the suite goes red.

`python tools/break_rules.py [NAME ...]` works in a scratch copy, prints what survived, and exits 1 where
something did. A comparison is turned (`>` and `≥`, `==` and `!=`), a number moves by one, a condition is
negated, `and` becomes `or`, a severity changes, a `yield` is dropped, a fact of the declaration is swapped.
"""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
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
TESTS = ["tests/rules", "tests/test_timeline.py"]


def mutants(source: str) -> Iterator[tuple[str, str]]:
    """Yield (what was changed, the changed source) for every small change of a rule."""
    count = sum(1 for _ in ast.walk(ast.parse(source)))
    for index in range(count):
        tree = ast.parse(source)
        node = list(ast.walk(tree))[index]
        for said in _break(node):
            yield f"line {getattr(node, 'lineno', 0)}: {said}", ast.unparse(_with_imports(tree))


def _break(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Compare) and type(node.ops[0]) in TURNED:
        new = TURNED[type(node.ops[0])]()
        said = f"{type(node.ops[0]).__name__} to {type(new).__name__}"
        node.ops[0] = new
        yield said
    elif isinstance(node, ast.BoolOp):
        node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield "and/or"
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        node.operand = ast.UnaryOp(ast.Not(), node.operand)
        yield "not dropped"
    elif isinstance(node, ast.Constant) and type(node.value) is int:
        node.value += 1
        yield f"{node.value - 1} to {node.value}"
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in NAMES:
        old, node.id = node.id, NAMES[node.id]
        yield f"{old} to {node.id}"
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Yield | ast.YieldFrom):
        node.value = ast.Tuple([], ast.Load())
        yield "yield dropped"
    elif isinstance(node, ast.keyword) and node.arg in (
        "money",
        "confirm",
        "escalates",
        "critical_after",
        "listed_after",
        "given",
    ):
        yield from _drop_keyword(node)


def _drop_keyword(node: ast.keyword) -> Iterator[str]:
    empty: ast.expr = ast.Constant(None)
    if node.arg in ("money", "confirm"):
        empty = ast.Constant(False)
    if node.arg == "given":
        return
    node.value = empty
    yield f"{node.arg} dropped"


def _with_imports(tree: ast.AST) -> ast.AST:
    assert isinstance(tree, ast.Module)
    extra = "from detector.domain.rule import ALWAYS, CRITICAL, OCCURRENCE, STATE, WARNING, exceeds, reaches"
    tree.body[2:2] = ast.parse(extra).body
    return ast.fix_missing_locations(tree)


def survivors(copy: Path, name: str) -> list[str]:
    """Return what was changed in one rule without any test going red."""
    path = copy / "detector" / "rules" / f"{name}.py"
    source = path.read_text()
    alive = []
    for said, changed in mutants(source):
        path.write_text(changed)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:randomly", *TESTS],
            cwd=copy,
            capture_output=True,
            check=False,
        )
        if done.returncode == 0:
            alive.append(f"{name} {said}")
    path.write_text(source)
    return alive


def main(names: list[str]) -> int:
    """Break the named rules, or all of them, two at a time, each in a copy of its own."""
    rules = sorted(path.stem for path in (ROOT / "detector" / "rules").glob("[a-z]*.py"))
    chosen = [name for name in rules if not names or name in names]
    with tempfile.TemporaryDirectory() as folder:

        def work(name: str) -> list[str]:
            copy = Path(folder) / name
            for part in ("detector", "docs", "tests", "tools", "pyproject.toml"):
                source = ROOT / part
                if source.is_dir():
                    shutil.copytree(source, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    shutil.copy(source, copy / part)
            found = survivors(copy, name)
            print(f"{name}: {len(found)} survived", *found, sep="\n  ", flush=True)
            shutil.rmtree(copy)
            return found

        with ThreadPoolExecutor(2) as pool:
            alive = [one for found in pool.map(work, chosen) for one in found]
    print(f"{len(chosen)} rules broken, {len(alive)} changes survived")
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
