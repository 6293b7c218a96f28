"""One number on its way from the bytes of a snapshot to its event.

The modules it passes, the shapes that hold it.

A module counts where one of its functions is given or gives back the number itself, or a finding, condition
or event that holds it, or where it puts the number into a shape that no argument had. A rule that is handed
all facts and asks for others does not count.
"""

from __future__ import annotations

import json
import sys
from types import FrameType
from typing import Any

import pytest
from msgspec import Struct

from detector.domain.run_memory import FIRST_RUN
from detector.domain.snapshot import build_snapshot
from detector.engine.evaluate import evaluate
from detector.formats.redaction import redact
from detector.formats.strict_json import parse_document
from detector.render.document import build_stdout_document
from tests.support.merge_patch import apply_patch
from tests.support.snapshots import DEFAULTS, NOW, evaluated, healthy

MARK = 731_842
MOST_MODULES = 24
SHAPES = ["dict", "Facts", "Finding", "Condition", "Event"]  # the section, three on the way, and the event
OF_THE_FACT = {"the number", "Finding", "Condition", "Event"}


def find_shape(value: Any) -> str | None:
    """What the value is, if it is the number or holds it directly."""
    if type(value) is int:
        return "the number" if value == MARK else None
    if isinstance(value, dict):
        return "dict" if MARK in [item for item in value.values() if type(item) is int] else None
    if isinstance(value, Struct):
        values = (getattr(value, name, None) for name in value.__struct_fields__)
        return type(value).__name__ if any(type(item) is int and item == MARK for item in values) else None
    return None


class Trace:
    """Follows the number through every call between two functions of the program."""

    def __init__(self) -> None:
        self.modules: set[str] = set()
        self.shapes: list[str] = []
        self.given: dict[FrameType, set[str]] = {}

    def __call__(self, frame: FrameType, event: str, result: Any) -> None:
        module = str(frame.f_globals.get("__name__"))
        if not module.startswith("detector.") or event not in ("call", "return"):
            return
        if event == "call":
            names = frame.f_code.co_varnames[: frame.f_code.co_argcount + frame.f_code.co_kwonlyargcount]
            shapes = {shape for name in names if (shape := find_shape(frame.f_locals.get(name)))}
            self.given[frame] = shapes
            self._count(module, shapes & OF_THE_FACT)
        else:
            given = self.given.pop(frame, set())
            shape = find_shape(result)
            if shape:
                self._count(module, {shape} & OF_THE_FACT or {shape} - given)

    def _count(self, module: str, shapes: set[str]) -> None:
        if shapes:
            self.modules.add(module)
            self.shapes += [shape for shape in shapes - {"the number"} if shape not in self.shapes]


def trace(patch: dict[str, Any]) -> Trace:
    # With line ends, so that the reader of the program builds the section, not msgspec.
    data = json.dumps(apply_patch(healthy(), patch), indent=1).encode()
    evaluated(healthy())  # what is loaded and compiled once is no way of this fact
    followed = Trace()
    sys.setprofile(followed)
    try:
        snapshot = build_snapshot(redact(parse_document(data)), now=NOW, runtime="aegis-pt-core")
        document = build_stdout_document(evaluate(snapshot, FIRST_RUN, DEFAULTS))
    finally:
        sys.setprofile(None)
    assert MARK in [event["observed"] for event in document["events"]]
    return followed


@pytest.mark.parametrize(
    "patch",
    [
        pytest.param({"status_v3": {"pending_orders": MARK}}, id="a count of the runtime"),
        pytest.param({"status_v3": {"unknown_fills": MARK}}, id="a flag's count"),
        pytest.param({"gateway": {"port": 4002, "listening": True, "close_wait": MARK}}, id="a count of the machine"),
    ],
)  # fmt: skip
def test_a_fact_passes_few_modules_and_four_shapes_to_its_event(patch):
    followed = trace(patch)
    assert followed.shapes == SHAPES
    assert len(followed.modules) <= MOST_MODULES, sorted(followed.modules)
