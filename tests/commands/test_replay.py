"""`replay`: histories and comparisons as a user runs them."""

from __future__ import annotations

import errno
import io
import json
from pathlib import Path
from typing import Any

import pytest

from detector.cli import main
from tests.support.merge_patch import apply_patch
from tests.support.snapshots import NOW, healthy, later

COUNTS = [0, 2, 2, 3, 0, 0, 0]


def history(folder: Path, name: str = "history.ndjson") -> Path:
    path = folder / name
    lines = [
        json.dumps(later(apply_patch(healthy(), {"status_v3": {"pending_orders": count}}), 600 * number))
        for number, count in enumerate(COUNTS)
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def replayed(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, list[str], str]:
    code = main(["replay", *map(str, words)], {}, lambda: NOW)
    out, err = capsys.readouterr()
    return code, out.splitlines(), err


def told(lines: list[str]) -> list[tuple[str, str]]:
    found = [json.loads(line) for line in lines]
    return [(entry["at"], entry["told"]) for entry in found if entry.get("told")]


EXPECTED = [
    ("2026-06-02T15:10:00Z", "new"),
    ("2026-06-02T15:30:00Z", "escalated"),
    ("2026-06-02T15:50:00Z", "resolved"),
]


def test_it_tells_what_would_have_been_told(capsys, tmp_path):
    code, lines, _ = replayed(capsys, "--json", history(tmp_path))
    summary = json.loads(lines[-1])
    assert (code, told(lines[:-1])) == (0, EXPECTED)
    assert (summary["snapshots"], summary["conditions"], summary["told"]) == (7, 1, 3)


def test_a_folder_is_read_by_the_names_of_its_files(capsys, tmp_path):
    for number, line in enumerate(history(tmp_path).read_text().splitlines()):
        (tmp_path / f"{number:03}.json").write_text(line)
    (tmp_path / "history.ndjson").unlink()
    (tmp_path / "notes.txt").write_text("not a snapshot")
    assert told(replayed(capsys, "--json", tmp_path)[1][:-1]) == EXPECTED


def test_artifacts_are_replayed_from_the_snapshot_in_them(capsys, tmp_path):
    import io
    import sys

    for number, line in enumerate(history(tmp_path).read_text().splitlines()):
        stdin = io.TextIOWrapper(io.BytesIO(line.encode()))
        keep, sys.stdin = sys.stdin, stdin
        try:
            assert main(["--quiet", "--artifact", str(tmp_path / f"{number}.json")], {}, lambda: NOW) == 0
        finally:
            sys.stdin = keep
    capsys.readouterr()
    (tmp_path / "history.ndjson").unlink()
    assert told(replayed(capsys, "--json", tmp_path)[1][:-1]) == EXPECTED


def test_compare_lists_what_only_one_of_two_settings_reports(capsys, tmp_path):
    words = ("--compare", "--set", "AEGIS_PT_PENDING_ORDER_WARN=3", history(tmp_path))
    code, lines, _ = replayed(capsys, *words)
    assert code == 0
    assert [" ".join(line.split()[:6]) for line in lines[1:4]] == [
        "only now 2026-06-02 15:10:00 UTC new",
        "only now 2026-06-02 15:30:00 UTC escalated",
        "only then 2026-06-02 15:30:00 UTC new",
    ]
    assert next(line for line in lines if line.startswith("alerts")).split() == ["alerts", "3", "2"]


def test_text_for_people_ends_with_a_summary(capsys, tmp_path):
    _, lines, err = replayed(capsys, history(tmp_path))
    assert lines[0].split() == ["time", "alert", "severity", "state", "condition:", "summary"]
    assert lines[1].startswith("2026-06-02 15:10:00 UTC  new ")
    assert lines[0].index("severity") == lines[1].index("warning")
    assert any(line.startswith("blind time in the session") for line in lines)
    assert err == ""


def test_a_history_without_a_snapshot_is_refused(capsys, tmp_path):
    code, lines, err = replayed(capsys, tmp_path)
    assert (code, lines, err) == (2, [], f"detector: {tmp_path}: there is no snapshot to replay\n")


def test_a_gap_is_counted_as_blind_time(capsys, tmp_path):
    path = tmp_path / "gap.ndjson"
    path.write_text("\n".join(json.dumps(later(healthy(), seconds)) for seconds in (0, 3600)))
    assert json.loads(replayed(capsys, "--json", path)[1][-1])["blind_sec"] == 3600


def test_snapshots_out_of_order_are_counted(capsys, tmp_path):
    path = tmp_path / "odd.ndjson"
    path.write_text("\n".join(json.dumps(later(healthy(), seconds)) for seconds in (600, 0, 1200)))
    assert json.loads(replayed(capsys, "--json", path)[1][-1])["out_of_order"] == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            '{"taken_at": "2026-06-02T15:00:00Z"}\n{',
            "h.ndjson line 2: line 1 column 2: expecting property name",
        ),
        ("{}", "h.ndjson line 1: a snapshot without taken_at cannot be replayed"),
        ('{"taken_at": "2026-06-02T15:00:00Z", "ecz": {}}', "h.ndjson line 1: unknown section 'ecz'"),
        ('{"schema_version": 1, "events": []}', "h.ndjson line 1: the artifact holds no snapshot"),
    ],
    ids=["not JSON", "no time", "unknown section", "a ledger"],
)
def test_what_cannot_be_replayed_says_where(capsys, tmp_path, content, message):
    path = tmp_path / "h.ndjson"
    path.write_text(content)
    code, _, err = replayed(capsys, path)
    assert (code, err.startswith(f"detector: {message}")) == (2, True), err


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="Linux only")
def test_a_file_that_cannot_be_read_is_named(capsys):
    """The error of a read names no file, other than that of opening it."""
    assert replayed(capsys, "/proc/self/mem") == (2, [], "detector: /proc/self/mem: Input/output error\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "name a folder"),
        (("--compare", "."), "--compare needs at least one --set"),
        (("--set", "AEGIS_PT_NOTHING=1", "."), "--set AEGIS_PT_NOTHING=1: expected NAME=value"),
        (("--set", "AEGIS_PT_PENDING_ORDER_WARN=x", "."), "AEGIS_PT_PENDING_ORDER_WARN (--set)"),
        (("none.json",), "does not exist"),
    ],
)
def test_wrong_usage_is_refused(capsys, words, message):
    code, _, err = replayed(capsys, *words)
    assert code == 2
    assert message in err


class _ClosedPipe(io.BytesIO):
    """What is left of standard output where its reader took one line and went away."""

    def __init__(self) -> None:
        super().__init__()
        self.taken: list[bytes] = []

    def write(self, data: Any) -> int:
        if self.taken:
            raise BrokenPipeError(errno.EPIPE, "Broken pipe")
        self.taken.append(bytes(data))
        return len(data)


def test_a_reader_that_goes_away_ends_the_replay_with_one_word_about_it(capsys, tmp_path, monkeypatch):
    pipe = _ClosedPipe()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(pipe, write_through=True))
    assert main(["replay", str(history(tmp_path))]) == 3
    assert len(pipe.taken) == 1
    assert capsys.readouterr().err.count("Broken pipe") == 1
