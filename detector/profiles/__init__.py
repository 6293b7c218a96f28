"""The built-in profiles: one TOML file for each bot, and what it says as JSON, generated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent


def load_builtin_profile(name: str) -> dict[str, Any] | None:
    """Return the document of the built-in profile of that name, or None.

    It is read as JSON, which every start can read already; the reader of TOML is 3 % of one.
    """
    text = _read_file(name, "json")
    return None if text is None else dict(json.loads(text))


def read_builtin_profile(name: str) -> str | None:
    """Return the text of the built-in profile of that name, or None."""
    return _read_file(name, "toml")


def _read_file(name: str, kind: str) -> str | None:
    entry = _FOLDER / f"{name}.{kind}"
    return entry.read_text(encoding="utf-8") if name.isidentifier() and entry.is_file() else None


def is_profile_path(name: str) -> bool:
    """Return whether a profile's name is the path of a file, and not a built-in name."""
    return "/" in name or name.endswith(".toml")


def list_builtin_profiles() -> list[str]:
    """Return the names of the built-in profiles."""
    return sorted(path.stem for path in _FOLDER.glob("*.toml"))
