"""Reads the zip of a workflow's artifact, with exactly one named member, in memory and within limits.

Nothing is extracted to disk: no name from the archive becomes a path.
"""

from __future__ import annotations

import stat
import zipfile
import zlib
from io import BytesIO

from detector.formats.errors import InputError
from detector.formats.strict_json import MAX_BYTES

# Both are well above MOST_STORED, even for a document that cannot be compressed.
MOST_COMPRESSED = 8 * 1024 * 1024  # also the most that is downloaded
MOST_UNPACKED = MAX_BYTES
MOST_RATIO = 200  # a memory of 500 equal conditions compresses 40 to 1; zeros compress 1,000 to 1
_PACKED_BY = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, RuntimeError, OSError)


def extract_member(data: bytes, name: str | None = None) -> bytes:
    """Return the content of the archive's one member, called `name` if given; raises InputError."""
    if len(data) > MOST_COMPRESSED:
        raise InputError(f"the archive is larger than {MOST_COMPRESSED} bytes")
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            member = _get_only_member(archive.infolist(), name)
            _check_member(member)
            with archive.open(member) as file:
                content = file.read(MOST_UNPACKED + 1)
                whole = not file.read(1)
    except InputError:
        raise
    except _BROKEN as error:
        raise InputError(f"the archive cannot be read ({type(error).__name__})") from None
    if len(content) > MOST_UNPACKED or not whole:
        raise InputError(_TOO_LARGE)
    return content


_TOO_LARGE = f"the archive unpacks to more than {MOST_UNPACKED} bytes"


def _get_only_member(members: list[zipfile.ZipInfo], name: str | None) -> zipfile.ZipInfo:
    if len(members) != 1:
        raise InputError(f"the archive has {len(members)} members instead of one")
    if name is not None and members[0].filename != name:
        raise InputError(f"the archive's member is not called {name}")
    return members[0]


def _check_member(member: zipfile.ZipInfo) -> None:
    """Refuse a member that no run of this program can have stored; raises InputError."""
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise InputError("the archive's member is not a plain file")
    if member.flag_bits & _ENCRYPTED or member.compress_type not in _PACKED_BY:
        raise InputError("the archive's member is packed in a way that is not read")
    if member.file_size > MOST_UNPACKED:
        raise InputError(_TOO_LARGE)
    if member.file_size > MOST_RATIO * max(1, member.compress_size):
        raise InputError(f"the archive unpacks to more than {MOST_RATIO} times its size")
