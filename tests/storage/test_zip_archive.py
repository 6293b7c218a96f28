"""An artifact's zip: one named member under caps, and nothing of it ever becomes a path."""

from __future__ import annotations

import io
import stat
import warnings
import zipfile

import pytest

from detector.formats.errors import InputError
from detector.storage.zip_archive import MOST_COMPRESSED, MOST_RATIO, MOST_UNPACKED, extract_member
from tests.support.github_memory import zipped

NAME = "pt-health.json"


def archive(*members: tuple[str, bytes], how: int = zipfile.ZIP_DEFLATED, mode: int = 0) -> bytes:
    made = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(made, "w", how) as out:
        warnings.simplefilter("ignore")  # two members of one name
        for name, content in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = how
            info.external_attr = mode << 16
            out.writestr(info, content)
    return made.getvalue()


def lying(data: bytes, size: int) -> bytes:
    """The same archive, its directory and its member saying another unpacked size."""
    info = zipfile.ZipFile(io.BytesIO(data)).infolist()[0]
    true, false = info.file_size.to_bytes(4, "little"), size.to_bytes(4, "little")
    assert data.count(true) >= 2
    return data.replace(true, false)


def test_the_one_member_is_read():
    assert extract_member(zipped('{"a": 1}'), NAME) == b'{"a": 1}'


def test_a_stored_member_is_read_too():
    assert extract_member(archive((NAME, b"{}"), how=zipfile.ZIP_STORED), NAME) == b"{}"


NOISE = bytes(range(256)) * 4
REFUSED = {
    "nothing": (b"", "cannot be read"),
    "no archive": (b"{}", "cannot be read"),
    "cut off": (zipped("{}" * 500)[:-30], "cannot be read"),
    "no member": (archive(), "0 members"),
    "another name": (archive(("other.json", b"{}")), "not called"),
    "a path upwards": (archive(("../../pt-health.json", b"{}")), "not called"),
    "an absolute path": (archive(("/tmp/pt-health.json", b"{}")), "not called"),
    "a folder of that name": (archive(("pt-health.json/", b"")), "not called"),
    "two of one name": (archive((NAME, b"{}"), (NAME, b"[]")), "2 members"),
    "one more beside it": (archive((NAME, b"{}"), ("x", b"")), "2 members"),
    "ten thousand": (archive(*((f"{number}", b"") for number in range(10_000))), "10000 members"),
    "a link": (archive((NAME, b"/etc/passwd"), mode=stat.S_IFLNK | 0o777), "not a plain file"),
    "packed with bzip2": (archive((NAME, b"{}"), how=zipfile.ZIP_BZIP2), "packed in a way"),
    "packed with lzma": (archive((NAME, b"{}"), how=zipfile.ZIP_LZMA), "packed in a way"),
    "a bomb by ratio": (archive((NAME, b"0" * 1_000_000)), f"more than {MOST_RATIO} times"),
    "a bomb by size": (archive((NAME, NOISE * 17_000)), f"more than {MOST_UNPACKED} bytes"),
    "a size that lies low": (lying(archive((NAME, NOISE * 200)), 1000), "cannot be read"),
    "a size that lies high": (
        lying(archive((NAME, NOISE * 200)), 2_000_000_000),
        f"more than {MOST_UNPACKED}",
    ),
    "an archive in an archive": (archive((f"{NAME}.zip", zipped("{}"))), "not called"),
    "larger than it may travel": (b"0" * (MOST_COMPRESSED + 1), "larger than"),
}


@pytest.mark.parametrize(("data", "why"), REFUSED.values(), ids=REFUSED.keys())
def test_anything_else_is_refused(data, why):
    with pytest.raises(InputError, match=why):
        extract_member(data, NAME)


def test_every_cut_of_an_archive_is_refused_and_none_raises_anything_else():
    whole = zipped('{"a": 1}')
    for length in range(len(whole)):
        with pytest.raises(InputError):
            extract_member(whole[:length], NAME)


def test_every_flipped_byte_is_refused_or_reads_the_same():
    whole = zipped('{"a": 1}')
    for place in range(len(whole)):
        broken = whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :]
        try:
            assert extract_member(broken, NAME) == b'{"a": 1}'
        except InputError:
            continue
