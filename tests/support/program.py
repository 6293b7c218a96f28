"""A whole run of the program in process: words and bytes in; exit code, bytes and lines out."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from detector.app.context import AppContext
from detector.cli import run
from tests.support.snapshots import NOW


@dataclass(frozen=True)
class Answer:
    """What one run answered: its exit code, the bytes on stdout, the text on stderr."""

    code: int
    out: bytes
    err: str

    @property
    def document(self) -> Any:
        """Stdout, read as strictly as JSON is written: UTF-8, no constant that JSON does not know."""
        return json.loads(self.out.decode("utf-8"), parse_constant=_no_constant)

    @property
    def types(self) -> list[str]:
        """The types of the events, in their order."""
        return [event["type"] for event in self.document["events"]]


def _no_constant(name: str) -> None:
    raise AssertionError(f"{name} is no JSON")


def answer(
    *words: str,
    stdin: bytes | str | BinaryIO | dict[str, Any] = b"{}",
    environ: Mapping[str, str] | None = None,
    stdout: BinaryIO | None = None,
) -> Answer:
    """Run one command at a door of its own: no environment but `environ`, no clock but NOW.

    A `run` that is handed a snapshot runs when that was taken; `--now` is for another time.
    """
    if isinstance(stdin, dict):
        stdin = json.dumps(stdin)
    if isinstance(stdin, str):
        stdin = stdin.encode()
    taken = io.BytesIO()
    said = io.StringIO()
    given = io.BytesIO(stdin) if isinstance(stdin, bytes) else stdin
    with redirect_stdout(io.StringIO()) as helped:  # click prints its help by itself
        now = _find_snapshot_time(words, stdin)
        code = run(AppContext(environ or {}, lambda: now, given, stdout or taken, said), list(words))
    return Answer(code, taken.getvalue() + helped.getvalue().encode(), said.getvalue())


def _find_snapshot_time(words: tuple[str, ...], stdin: object) -> datetime:
    if words[:1] != ("run",) or "--snapshot" not in words:
        return NOW
    name = words[words.index("--snapshot") + 1]
    if name != "-" and not Path(name).is_file():
        return NOW
    with suppress(OSError, ValueError, KeyError, TypeError):
        text = stdin if name == "-" else Path(name).read_bytes()
        return datetime.fromisoformat(json.loads(text)["taken_at"])  # type: ignore[arg-type]
    return NOW
