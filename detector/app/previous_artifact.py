"""The previous artifact of a command: a named file or the `previous` section, loaded once and read once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec import Struct

from detector.domain.run_memory import FIRST_RUN, Memory, build_lost_memory
from detector.formats.errors import InputError
from detector.readers.previous import ExpectedMemory, read_previous
from detector.storage import artifact_file


class PreviousArtifact(Struct, frozen=True):
    """A previous artifact as it was loaded: any JSON value, ABSENT, or the InputError of its file.

    `path` is None for a section.
    """

    document: Any
    path: Path | None = None

    @property
    def is_absent(self) -> bool:
        """Whether the named file does not exist, which is a first run."""
        return self.document is artifact_file.ABSENT

    def read(self, expected: ExpectedMemory) -> Memory:
        """Return the memory: FIRST_RUN where there is none, lost with its reason where it is unusable."""
        if self.is_absent:
            return FIRST_RUN
        if isinstance(self.document, InputError):
            return build_lost_memory(f"the previous artifact: {self.document}")
        return read_previous(self.document, expected)


def load_previous(path: str | None, section: Any = None) -> PreviousArtifact:
    """Return the artifact of the file, else of the section; raises InputError where both are given."""
    if path is None:
        return PreviousArtifact(section)
    if section is not None:
        raise InputError("--previous and a `previous` section are given together; leave one out")
    return PreviousArtifact(artifact_file.read_document(Path(path)), Path(path))
