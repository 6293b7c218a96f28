"""Recorded snapshots and artifacts: a folder, NDJSON or single files, one document after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from detector.formats.strict_json import MAX_BYTES, DocumentError, parse_document

_LINE_SUFFIXES = (".ndjson", ".jsonl")


def read_recordings(paths: Sequence[Path]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (place, snapshot) for every document, in the order given; a folder's files by their names.

    An artifact yields the snapshot that is stored in it. Raises DocumentError that names the place, and
    OSError where a file cannot be read.
    """
    for path in paths:
        for file in _list_files(path):
            for location, data in _read_documents(file):
                try:
                    yield location, _get_snapshot(parse_document(data))
                except DocumentError as error:
                    raise DocumentError(f"{location}: {error}") from None


def _list_files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    suffixes = (".json", *_LINE_SUFFIXES)
    return sorted(entry for entry in path.iterdir() if entry.suffix in suffixes and entry.is_file())


def _read_documents(file: Path) -> Iterator[tuple[str, bytes]]:
    with file.open("rb") as lines:
        if file.suffix not in _LINE_SUFFIXES:
            yield file.name, lines.read(MAX_BYTES + 1)
            return
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield f"{file.name} line {number}", line


def _get_snapshot(document: dict[str, Any]) -> dict[str, Any]:
    if "schema_version" not in document:
        return document
    snapshot = document.get("snapshot")
    if not isinstance(snapshot, dict):
        raise DocumentError("the artifact holds no snapshot (AEGIS_PT_ARTIFACT=ledger leaves it out)")
    if "cut" in snapshot:
        raise DocumentError("the artifact's snapshot was cut, so that it cannot be replayed")
    return snapshot
