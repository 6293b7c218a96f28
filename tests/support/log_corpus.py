"""The labelled log lines: what each says, read out of files that a person can read, and how the reader
scores.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from detector.logs import events
from detector.logs.parse.line_times import LogLines
from detector.logs.parse.scan import scan_lines
from tests.support.snapshots import ROOT

CORPUS = ROOT / "tests" / "fixtures" / "logs"
HELD_OUT = CORPUS / "held_out"
# Made by somebody who had not seen the reader: labelled with what a line says, or with the events of lines.
BLIND = tuple(sorted(path.parent for path in CORPUS.glob("blind_*/*.txt")))
BLIND_EVENTS = tuple(sorted(CORPUS.glob("blind_*/*.ndjson")))
ADVERSARIAL = "!"
PROGRAM = "## "  # a heading that names the program of the lines after it
NAMES = {
    events.LINK_LOST: "lost",
    events.LINK_RESTORED: "back",
    events.FARM_DOWN: "farm-down",
    events.STREAM_DEAD: "stream",
    events.SESSION_CONFLICT: "conflict",
    events.SEVERE: "severe",
    events.GATEWAY_FAILED: "gateway",
    events.CONNECT_FAILED: "unreached",
    events.CONNECTED: "connected",
    events.LOGGED_IN: "logged-in",
    events.MARGIN: "margin",
    events.OUTCOME_UNKNOWN: "outcome",
    events.UNKNOWN_FILL: "fill",
    events.RECONCILED: "proof",
    events.MISMATCH: "differs",
    events.PROOF_DUE: "owes",
    events.TRADING_BLOCKED: "blocked",
    events.NOT_ENTITLED: "entitle",
    events.LOGIN_DUE: "login",
    events.UNSUPPORTED: "unsupported",
    events.THROTTLED: "throttled",
    events.HOST_EXHAUSTED: "exhausted",
    events.ORDER_REJECTED: "rejected",
}
"""What a label may say, by kind; farms that are well and the like are context and have no label."""

KEYED = (events.FARM_DOWN, events.OUTCOME_UNKNOWN, events.UNKNOWN_FILL)
QUIET = ("connected", "logged-in", "proof", "owes")
"""Labels that are no alarm."""


@dataclass(frozen=True)
class Labelled:
    """One line, the file it stands in, and what it says."""

    dialect: str
    text: str
    says: frozenset[str]
    adversarial: bool = False


def labelled(folder: Path) -> list[Labelled]:
    """Return every line of the folder: a label, a tab, the line with its line breaks written as \\n."""
    found = []
    for path in sorted(folder.glob("*.txt")):
        dialect = path.stem
        for row in path.read_text(encoding="utf-8").splitlines():
            if row.startswith(PROGRAM):
                dialect = row.removeprefix(PROGRAM)
            elif row and not row.startswith("#"):
                label, _, text = row.partition("\t")
                line = text.replace("\\n", "\n").replace("\\x1b", "\x1b")
                says = frozenset(_words(label)) if label not in ("-", ADVERSARIAL) else frozenset()
                found.append(Labelled(dialect, line, says, label == ADVERSARIAL))
    return found


def score_alarms(rows: Iterable[Labelled]) -> tuple[Score, list[str]]:
    """Return the score of the alarms and every wrong line; a label without a key accepts any key."""
    score, wrong = Score(), []
    for row in rows:
        alarms = {word for word in heard_in(row.text) if word.partition(":")[0] not in QUIET}
        got = {word if word in row.says else word.partition(":")[0] for word in alarms}
        score.lines += 1
        score.right += len(got & row.says)
        score.wrong += len(got - row.says)
        score.missed += len(row.says - got)
        if got != row.says:
            wrong.append(f"{row.dialect}: {sorted(row.says)} read as {sorted(got)}: {row.text[:150]!r}")
    return score, wrong


def _words(label: str) -> Iterable[str]:
    for word in label.split():
        kind, _, keys = word.partition(":")
        yield from ((f"{kind}:{key}" for key in keys.split(",")) if keys else (kind,))


def heard_in(text: str) -> frozenset[str]:
    """Return what the reader hears in one message, in the words of the labels.

    A recovery owes a proof anyway.
    """
    lines = LogLines()
    lines.add(text, 0)
    said = [thing for _, thing in scan_lines(lines, introduced=False)]
    words = {
        f"{NAMES[thing.kind]}:{thing.key}" if thing.kind in KEYED else NAMES[thing.kind]
        for thing in said
        if thing.kind in NAMES
    }
    return frozenset(words - {"owes"} if "back" in words else words)


@dataclass
class Score:
    """Right, wrong and missed alarms of one dialect."""

    lines: int = 0
    right: int = 0
    wrong: int = 0
    missed: int = 0

    @property
    def precision(self) -> float:
        return self.right / (self.right + self.wrong) if self.right + self.wrong else 1.0

    @property
    def recall(self) -> float:
        return self.right / (self.right + self.missed) if self.right + self.missed else 1.0


def scored(rows: Iterable[Labelled]) -> dict[str, Score]:
    """Return the scores by dialect, and over all under `all`."""
    scores: dict[str, Score] = {}
    for row in rows:
        got, wanted = heard_in(row.text), row.says
        for name in (row.dialect, "all"):
            score = scores.setdefault(name, Score())
            score.lines += 1
            score.right += len(got & wanted)
            score.wrong += len(got - wanted)
            score.missed += len(wanted - got)
    return scores


def faults(rows: Iterable[Labelled]) -> list[str]:
    """Return every line that is misheard, for a person."""
    found = []
    for row in rows:
        got = heard_in(row.text)
        if got != row.says:
            found.append(f"{row.dialect}: {sorted(row.says)} heard as {sorted(got)}: {row.text[:150]!r}")
    return found


def table(scores: dict[str, Score]) -> str:
    """Return the scores as a table."""
    rows = [f"{'dialect':<14} lines right wrong missed precision recall"]
    for name, score in scores.items():
        rows.append(
            f"{name:<14} {score.lines:>5} {score.right:>5} {score.wrong:>5} {score.missed:>6} "
            f"{score.precision:>9.3f} {score.recall:>6.3f}"
        )
    return "\n".join(rows)


def kinds_heard(rows: Iterable[Labelled]) -> Counter[str]:
    """Return how often each label stands in the corpus."""
    return Counter(word.partition(":")[0] for row in rows for word in row.says)
