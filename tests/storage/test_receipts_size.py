"""The receipts of three channels, with the places of Slack's messages, keep the artifact within its limit."""

from __future__ import annotations

import json
import random
from datetime import timedelta

from msgspec.structs import replace

from detector import ledger
from detector.domain.condition import MessageRef
from detector.domain.run_memory import FIRST_RUN, build_next_memory
from detector.domain.snapshot import Snapshot
from detector.engine.evaluate import evaluate
from detector.render.document import build_artifact_document
from detector.settings import Rung
from tests.storage.test_artifact_size import LIMIT, churn
from tests.support.snapshots import DEFAULTS, NOW

CHANNELS = dict.fromkeys(("slack", "email:12345678", "email:87654321"), Rung("warning"))


def test_a_restless_day_with_three_channels_stays_under_the_limit(capsys):
    """The flood of ended conditions is full after a day, so that a year is no larger."""
    chance, memory, sizes = random.Random(3), FIRST_RUN, []
    for number in range(144 + 36):
        at = NOW + timedelta(minutes=10 * number)
        snapshot = Snapshot(at, "aegis-pt-core", {"status_v3": churn(chance, number)})
        report = evaluate(snapshot, memory, DEFAULTS, CHANNELS)
        held = report.conditions
        for name in CHANNELS:
            place = MessageRef("C0123456789", f"{1_700_000_000 + number}.000100") if name == "slack" else None
            held = ledger.add_receipts(held, report.owed[name], name, at, place)
        report = replace(report, conditions=held)
        memory = build_next_memory(report, held)
        if number % 36 == 35:
            sizes.append(len(json.dumps(build_artifact_document(report, with_snapshot=False))))
    with capsys.disabled():
        shown = ", ".join(f"{size // 1024} KiB" for size in sizes)
        print(f"\nartifact with three channels, every six hours: {shown}")
    assert max(sizes) < LIMIT
