"""Write `detector/market/_globex_table.py`, the closures and early closes of CME Globex equity index futures.

From the calendar `CMES` of `exchange_calendars`, whose days the table equals; the daily break from 17:00
on, which that calendar leaves out, is in `session_plan`. With `--check` it writes nothing and exits 1 when
the file differs.
"""

from __future__ import annotations

import sys
from pathlib import Path

import exchange_calendars
import pandas as pd

from tools.make_nyse_table import column

TABLE = Path(__file__).resolve().parent.parent / "detector" / "market" / "_globex_table.py"
YEARS = range(2010, 2037)
HEADER = '''\
"""The days without Globex equity index futures, or with an early close. GENERATED: do not edit.

Source: the calendar CMES of the library `exchange_calendars` (tools/make_globex_table.py, `make calendar`).
Weekends are not listed. Per year: "MM-DD MM-DD".
"""

from __future__ import annotations

from datetime import time
from typing import Final

EARLY_CLOSE: Final = time(13, 0)
"""America/New_York; the library says 12:00 in Chicago."""
'''


def render() -> str:
    """The whole text of the table's module."""
    calendar = exchange_calendars.get_calendar("CMES", start=f"{YEARS[0]}-01-01", end=f"{YEARS[-1]}-12-31")
    weekdays = pd.bdate_range(f"{YEARS[0]}-01-01", f"{YEARS[-1]}-12-31")
    closed = [day.date() for day in weekdays.difference(calendar.sessions)]
    early = [day.date() for day in calendar.early_closes]
    return "\n".join(
        [
            HEADER,
            column("CLOSED", "Weekdays without a session.", closed),
            column("EARLY", "Sessions that end at `EARLY_CLOSE`.", early),
        ]
    )


if __name__ == "__main__":
    fresh = render()
    if "--check" in sys.argv:
        sys.exit(TABLE.read_text("utf-8") != fresh)
    TABLE.write_text(fresh, "utf-8")
