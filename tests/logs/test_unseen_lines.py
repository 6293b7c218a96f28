"""Lines that somebody labelled with events who had not seen the reader: a run reports these and no others."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from detector.domain.run_memory import FIRST_RUN
from detector.domain.snapshot import build_snapshot
from detector.engine.catalog import load_rules
from detector.engine.evaluate import evaluate
from tests.support.log_corpus import BLIND_EVENTS
from tests.support.log_lines import event
from tests.support.snapshots import DEFAULTS

LEAST_PRECISION, LEAST_RECALL, LEAST_LINES, LEAST_PROGRAMS = 0.97, 0.93, 200, 25
LOG_RULES = [rule for rule in load_rules() if rule.declaration.reads_back]


def list_events(row):
    """The types of the events of a run soon after these lines, in logs that cover the time before them."""
    first = datetime.fromisoformat(row["at"])
    times = [
        first + timedelta(seconds=row.get("every_sec", 0) * number) for number in range(len(row["lines"]))
    ]
    now = times[-1] + timedelta(seconds=row.get("after_sec", 29) + 1)
    logs = {
        "events": [event(at, line) for at, line in zip(times, row["lines"], strict=True)],
        "from": (first - timedelta(hours=2)).isoformat(),
        "to": now.isoformat(),
    }
    snapshot = build_snapshot({"taken_at": now.isoformat(), "logs": logs}, now=now, runtime="blind")
    return {found.type for found in evaluate(snapshot, FIRST_RUN, DEFAULTS, rules=LOG_RULES).events}


@pytest.mark.parametrize("path", BLIND_EVENTS, ids=lambda path: path.parent.name)
def test_lines_that_nobody_tuned_for_are_told_as_their_events(path):
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert len(rows) >= LEAST_LINES
    assert len({row["program"] for row in rows}) >= LEAST_PROGRAMS
    right, wrong, missed, faults = 0, 0, 0, []
    for row in rows:
        wanted = {row["expect"]} - {None}
        got = list_events(row) - (set(row.get("also", ())) - wanted)
        right, wrong, missed = (
            right + len(got & wanted),
            wrong + len(got - wanted),
            missed + len(wanted - got),
        )
        if got != wanted:
            faults.append(f"{row['program']}: {wanted} told as {got}: {row['lines'][0]!r}")
    assert right / (right + wrong) >= LEAST_PRECISION, "\n".join(faults)
    assert right / (right + missed) >= LEAST_RECALL, "\n".join(faults)
