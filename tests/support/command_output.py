"""What a command told, as text, and the example that its help ends with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.program import answer


@dataclass(frozen=True)
class Told:
    """The exit code, standard output and standard error of one command."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as the JSON that it is."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[str]:
        """Standard output by line."""
        return self.out.splitlines()


def told(*words: str, environ: Mapping[str, str] | None = None, stdin: bytes = b"") -> Told:
    """Run one command at a door of its own, with that environment and nothing else of the machine's."""
    ran = answer(*words, environ=environ, stdin=stdin)
    return Told(ran.code, ran.out.decode("utf-8"), ran.err)
