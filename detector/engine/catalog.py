"""Loads every rule and every reader from the files of their packages; no list of them exists."""

from __future__ import annotations

from functools import cache
from types import ModuleType

from detector import readers, rules
from detector.domain.rule import Declaration, Rule
from detector.formats.plugins import find_module, load_modules


@cache
def load_rules() -> tuple[Rule, ...]:
    """Return every rule in the order of their names.

    Raises LookupError where a rule declares the findings of a rule that does not exist or that itself
    declares others' findings.
    """
    loaded = tuple(_build_rule(module, index) for index, module in enumerate(load_modules(rules)))
    first_pass = {rule.name for rule in loaded if not rule.declaration.given}
    for rule in loaded:
        unknown = set(rule.declaration.given) - first_pass
        if unknown:
            raise LookupError(
                f"{rule.name} is given {', '.join(sorted(unknown))}, which is no first-pass rule"
            )
    return loaded


def _build_rule(module: ModuleType, index: int) -> Rule:
    name = module.__name__.rpartition(".")[2]
    declaration: Declaration = module.check.declaration
    doc = (module.check.__doc__ or "").strip().partition("\n")[0]
    return Rule(name, declaration, module.check, doc, index)


def find_reader(section: str) -> ModuleType | None:
    """Return the module that reads the section, or None; as a rule no other reader is loaded."""
    return find_module(readers, "SECTIONS", section)


@cache
def load_money_facts() -> frozenset[str]:
    """Return the facts that rules about money need."""
    declarations = (rule.declaration for rule in load_rules() if rule.declaration.money)
    return frozenset(name for declared in declarations for name in (*declared.sees, *declared.any_of))


def find_rule(name: str) -> Rule | None:
    """Return the rule of that name, or None."""
    return next((rule for rule in load_rules() if rule.name == name), None)
