"""A golden signal may be named as it is shown."""

from __future__ import annotations

import pytest

from detector.app.profile_document import parse_profile_text
from tests.support.program import answer
from tests.support.snapshots import healthy


@pytest.mark.parametrize("written", ["runtime primary", "runtime_primary", "Runtime primary"])
def test_a_signal_is_switched_off_by_its_name_or_by_its_title(written):
    done = answer(stdin=healthy(), environ={"AEGIS_PT_SIGNALS_OFF": written})
    assert done.err.startswith("decision: observe (10 of 10 signals seen): ")
    assert parse_profile_text(f'[signals]\noff = "{written}"').signals_off == (written,)
