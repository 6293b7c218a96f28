"""Signatures: three parts at most, divided by colons that stand nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detector.domain.condition import build_signature, encode_part


@pytest.mark.parametrize(
    ("subject", "signature"),
    [
        pytest.param(None, "stuck_exits:aegis-pt-core", id="about the runtime itself"),
        pytest.param("SPY", "stuck_exits:aegis-pt-core:SPY", id="about a symbol"),
        pytest.param(
            "SPY 2026-05-06 727C", "stuck_exits:aegis-pt-core:SPY 2026-05-06 727C", id="about an option"
        ),
        pytest.param("", "stuck_exits:aegis-pt-core:", id="about a thing without a name"),
        pytest.param("a:b c", "stuck_exits:aegis-pt-core:a%3Ab c", id="a colon"),
        pytest.param("a\nb\x00", "stuck_exits:aegis-pt-core:a%0Ab%00", id="control characters"),
        pytest.param(
            "a\x7f\x85\x9f", "stuck_exits:aegis-pt-core:a%7F%C2%85%C2%9F", id="and those above ASCII"
        ),
        pytest.param(
            "a\u2028b\u2029", "stuck_exits:aegis-pt-core:a%E2%80%A8b%E2%80%A9", id="line separators"
        ),
        pytest.param("é漢\xa0%/", "stuck_exits:aegis-pt-core:é漢\xa0%/", id="everything else stays"),
    ],
)
def test_a_signature_is_type_runtime_and_subject(subject, signature):
    assert build_signature("stuck_exits", "aegis-pt-core", subject) == signature


def test_a_runtime_is_encoded_like_a_subject():
    assert build_signature("stuck_exits", "my:bot\t1", None) == "stuck_exits:my%3Abot%091"


@pytest.mark.parametrize(
    ("letter", "kept"),
    [("\x1f", False), (" ", True), ("~", True), ("\x7f", False), ("\x9f", False), ("\xa0", True)],
)
def test_the_edges_of_what_is_a_control_character(letter, kept):
    assert (encode_part(letter) == letter) is kept


@given(name=st.from_regex("[a-z_]+", fullmatch=True), runtime=st.text(), subject=st.none() | st.text())
def test_a_signature_can_always_be_taken_apart(name, runtime, subject):
    parts = build_signature(name, runtime, subject).split(":")
    assert len(parts) == (2 if subject is None else 3)
    assert parts[0] == name
    assert not [letter for part in parts for letter in part if letter < " "]


@given(part=st.text())
def test_encoding_twice_changes_nothing_more(part):
    assert encode_part(encode_part(part)) == encode_part(part)
