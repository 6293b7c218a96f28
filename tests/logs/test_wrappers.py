"""A line means the same in every wrapper and in every pair of wrappers, whatever their keys are called."""

from __future__ import annotations

from functools import cache
from itertools import product
from random import Random

from msgspec import Struct

from detector.logs.parse import scan
from detector.logs.parse.classify import classify_line
from detector.logs.parse.line import is_traceback_part, parse_line
from detector.logs.parse.runtime_matchers import is_traceback_start
from tests.support.log_corpus import BLIND, CORPUS, HELD_OUT, heard_in, labelled
from tests.support.log_wrappers import LAYERS, Layer, log4j, loguru, python_logging, zerolog

LEAST = 20_000
LINES_A_PAIR = 20

RELAYING = frozenset(
    {loguru, python_logging, log4j, zerolog}
)  # a line that such a logger relays has its level


def is_of_a_traceback(text):
    """Whether the line means something by what stands before it."""
    return is_traceback_start(text.lower()) or is_traceback_part(parse_line(text))


LINES = [
    line.text
    for folder in (CORPUS, HELD_OUT, *BLIND)
    for line in labelled(folder)
    if "\n" not in line.text and line.text.strip() and not is_of_a_traceback(line.text)
]


def check(combinations, verdicts):
    wrong = []
    for text, layers, random in combinations:
        wrapped = text
        for layer in layers:
            wrapped = layer(wrapped, random)
        differing = heard_in(wrapped) ^ verdicts[text]
        if differing - ({"severe"} if RELAYING.intersection(layers) else set()):
            names = " in ".join(layer.__name__ for layer in layers)
            wrong.append(
                f"{names}: {sorted(verdicts[text])} read as {sorted(heard_in(wrapped))}: {wrapped!r}"
            )
    assert not wrong, f"{len(wrong)} differ\n" + "\n".join(wrong[:40])


class Message(Struct, frozen=True):
    """What a line is classified by, without its dialect and its time: reading them is an error here."""

    text: str
    body: str
    level: str | None
    is_wrapped: bool


@cache
def classify_message(message):
    return tuple(classify_line(message))


def classify_once(line):
    """Classify a line like `classify_line`, the same message without its wrappers once."""
    return classify_message(Message(line.text, line.body, line.level, line.is_wrapped))


def test_a_line_means_the_same_in_every_layer_and_in_every_pair_of_layers(monkeypatch):
    monkeypatch.setattr(scan, "classify_line", classify_once)
    random = Random(20260602)
    verdicts = {text: heard_in(text) for text in LINES}
    combinations: list[tuple[str, tuple[Layer, ...], Random]] = [
        (text, (layer,), random) for text, layer in product(LINES, LAYERS)
    ]
    for pair in product(LAYERS, LAYERS):
        combinations += [(text, pair, random) for text in random.sample(LINES, LINES_A_PAIR)]
    assert len(combinations) >= LEAST
    check(combinations, verdicts)
