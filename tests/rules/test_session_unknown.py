"""Beyond the table of exchange days the session is unknown.

That is told once, and it ends when it is known.
"""

from __future__ import annotations

import pytest

from tests.support.snapshots import evaluated, healthy_at, named, owed, remembered, settings_of

LAST, FIRST = "2036-12-31T15:00:00Z", "2037-01-02T15:00:00Z"


@pytest.mark.parametrize(("moment", "events"), [(LAST, []), (FIRST, ["warning session_unknown"])])
def test_the_last_day_of_the_table_is_known_and_the_next_session_is_not(moment, events):
    assert named(evaluated(healthy_at(moment))) == events


def test_it_is_told_once_and_a_dead_heartbeat_beyond_the_table_is_not_silent():
    memory, told = None, list[str]()
    for minute in range(0, 60, 10):
        dead = {"status_v3": {"heartbeat_at": "2037-01-02T09:00:00Z"}}
        report = evaluated(healthy_at(f"2037-01-02T15:{minute:02}:00Z", dead), memory)
        memory, told = remembered(report), [*told, *owed(report)]
        assert report.decision.action == "notify"
    assert told == ["new session_unknown"]


def test_a_market_that_never_closes_needs_no_table():
    settings = settings_of(profile='[status]\nmode = "mode"\n[market]\nsession = "always"\n')
    assert "session_unknown" not in str(named(evaluated(healthy_at(FIRST), settings=settings)))
