"""The built-in profiles: one TOML file for each bot."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any


def load_builtin_profile(name: str) -> dict[str, Any] | None:
    """Return the document of the built-in profile of that name, or None."""
    text = read_builtin_profile(name)
    return None if text is None else tomllib.loads(text)


def read_builtin_profile(name: str) -> str | None:
    """Return the text of the built-in profile of that name, or None."""
    entry = files(__package__).joinpath(f"{name}.toml")
    return entry.read_text(encoding="utf-8") if name.isidentifier() and entry.is_file() else None


def list_builtin_profiles() -> list[str]:
    """Return the names of the built-in profiles."""
    return sorted(
        entry.name.removesuffix(".toml")
        for entry in files(__package__).iterdir()
        if entry.name.endswith(".toml")
    )
