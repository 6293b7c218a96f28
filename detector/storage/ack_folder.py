"""Acknowledgements that wait in the state folder for the next run: one file each, written atomically."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from msgspec import ValidationError

from detector.domain.acknowledgement import AckDocument
from detector.formats.patterns import build_pattern
from detector.formats.serialize import format_document, from_json, to_json
from detector.storage import artifact_file
from detector.storage.state_dir import encode_runtime

_MOST_FILES = 200
_FILE: Final = build_pattern(r"ack-.+-[0-9a-f-]{8,64}\.json")


def write_ack(folder: Path, document: AckDocument) -> Path:
    """Write one acknowledgement; raises OSError."""
    path = folder / f"ack-{encode_runtime(document.runtime)}-{document.id}.json"
    artifact_file.write_atomically(path, format_document(to_json(document)))
    return path


def read_acks(folder: Path) -> Iterator[tuple[Path, AckDocument | None]]:
    """Yield each waiting file, at most 200, with its acknowledgement, or None where it cannot be one."""
    try:
        paths = sorted(path for path in folder.iterdir() if _FILE.fullmatch(path.name))
    except OSError:
        return
    for path in paths[:_MOST_FILES]:
        try:
            yield path, from_json(AckDocument, artifact_file.read_document(path))
        except ValidationError:
            yield path, None


def remove_acks(paths: Iterable[Path]) -> None:
    """Remove files whose acknowledgements are stored; one that stays is known by its id and does nothing."""
    for path in paths:
        with suppress(OSError):
            path.unlink()
