"""The walk: every rule and every reader, found by looking at the files; nothing is listed twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

from detector import readers, rules
from detector.domain.rule import Declaration, Rule
from detector.settings import Setting, Settings

Read = Callable[..., None]


def _modules(package: ModuleType) -> Iterator[ModuleType]:
    for entry in iter_modules(package.__path__):
        if not entry.name.startswith("_"):
            yield import_module(f"{package.__name__}.{entry.name}")


@cache
def all_rules() -> tuple[Rule, ...]:
    """Return every rule in the order of their names.

    Raises LookupError where a rule is given the findings of one that does not exist, or that is itself
    given others' findings.
    """
    found = tuple(_rule(module, index) for index, module in enumerate(_modules(rules)))
    first_pass = {one.name for one in found if not one.declaration.given}
    for one in found:
        astray = set(one.declaration.given) - first_pass
        if astray:
            raise LookupError(f"{one.name} is given {', '.join(sorted(astray))}, which is no first-pass rule")
    return found


def _rule(module: ModuleType, index: int) -> Rule:
    name = module.__name__.rpartition(".")[2]
    declaration: Declaration = module.check.declaration
    doc = (module.check.__doc__ or "").strip().partition("\n")[0]
    return Rule(name, declaration, module.check, doc, index)


@cache
def all_readers() -> dict[str, Read]:
    """Return the reader of each section that has one, by section name."""
    found: dict[str, Read] = {}
    for module in _modules(readers):
        for section in getattr(module, "SECTIONS", ()):
            found[section] = module.read
    return found


def rule_named(name: str) -> Rule | None:
    """Return the rule of that name, or None."""
    return next((one for one in all_rules() if one.name == name), None)


def declared(name: str) -> Any:
    """Return the declaration of the rule of that name, or None."""
    one = rule_named(name)
    return one.declaration if one else None


def log_look_back(settings: Settings) -> float:
    """Return how far back, in seconds, the log lines must be seen: the longest that any rule declares."""
    wanted = (one.declaration.reads_back for one in all_rules())
    return max(settings[sec] if isinstance(sec, Setting) else sec for sec in wanted)
