"""What exists is found by its files, so that nothing is listed: rules, readers, channels, collectors."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

from detector import readers, rules
from detector.domain.rule import Declaration, Rule


@cache
def load_modules(package: ModuleType, attribute: str | None = None) -> tuple[ModuleType, ...]:
    """Return the package's public modules by name, only those with `attribute` where it is given."""
    loaded = (import_module(f"{package.__name__}.{name}") for name in sorted(_iter_names(package)))
    return tuple(module for module in loaded if attribute is None or hasattr(module, attribute))


def _iter_names(package: ModuleType) -> Iterator[str]:
    for folder in package.__path__:
        for path in Path(folder).iterdir():
            is_module = path.suffix == ".py" or (path / "__init__.py").is_file()
            if is_module and not path.name.startswith("_"):
                yield path.stem


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


@cache
def find_reader(section: str) -> ModuleType | None:
    """Return the module that reads the section, or None.

    One whose name is part of the section's is loaded first, and the others only where it is another.
    """
    for name in sorted(_iter_names(readers), key=lambda name: (name not in section, name)):
        module = import_module(f"{readers.__name__}.{name}")
        if section in getattr(module, "SECTIONS", ()):
            return module
    return None


@cache
def load_money_facts() -> frozenset[str]:
    """Return the facts that rules about money need."""
    declarations = (rule.declaration for rule in load_rules() if rule.declaration.money)
    return frozenset(name for declared in declarations for name in (*declared.sees, *declared.any_of))


def find_rule(name: str) -> Rule | None:
    """Return the rule of that name, or None."""
    return next((rule for rule in load_rules() if rule.name == name), None)
