"""Plugins: the modules of a package, discovered from its files, so that nothing is listed twice."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType


@cache
def load_modules(package: ModuleType, attribute: str | None = None) -> tuple[ModuleType, ...]:
    """Return the package's public modules by name, only those with `attribute` where it is given."""
    loaded = (import_module(f"{package.__name__}.{name}") for name in sorted(_iter_names(package)))
    return tuple(module for module in loaded if attribute is None or hasattr(module, attribute))


@cache
def find_module(package: ModuleType, attribute: str, value: str) -> ModuleType | None:
    """Return the package's public module whose `attribute` lists the value, or None.

    One whose name is part of the value is loaded first, and the others only where it is another.
    """
    for name in sorted(_iter_names(package), key=lambda name: (name not in value, name)):
        module = import_module(f"{package.__name__}.{name}")
        if value in getattr(module, attribute, ()):
            return module
    return None


def _iter_names(package: ModuleType) -> Iterator[str]:
    for folder in package.__path__:
        for path in Path(folder).iterdir():
            is_module = path.suffix == ".py" or (path / "__init__.py").is_file()
            if is_module and not path.name.startswith("_"):
                yield path.stem
