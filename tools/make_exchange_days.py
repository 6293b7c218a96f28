"""Write `detector/market/_exchange_days.py`: the closures and early closes of the NYSE and of Globex.

`make calendar` runs it; with `--check` it writes nothing and exits 1 when the file differs, which is how CI
notices that an exchange announced a day or that someone edited the tables by hand. The NYSE's days are those
of `holidays`, those of CME Globex equity index futures those of the calendar `CMES` of `exchange_calendars`;
its daily break from 17:00 on, which that calendar leaves out, is in `session_plan`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from datetime import date
from functools import cache
from pathlib import Path

import exchange_calendars
import pandas as pd
from holidays import financial_holidays

TABLE = Path(__file__).resolve().parent.parent / "detector" / "market" / "_exchange_days.py"
YEARS = range(2010, 2037)
FIRST_DAY, LAST_DAY = f"{YEARS[0]}-01-01", f"{YEARS[-1]}-12-31"
EARLY_LABEL = "1:00pm"
"""What `holidays` says of every half day; another hour would need another column in the table."""

HEADER = '''\
"""The days on which the NYSE and Globex are closed or close early. GENERATED: do not edit.

Source: tools/make_exchange_days.py (`make calendar`). NYSE: the `holidays` library,
financial_holidays("NYSE"), for full closures without categories and for early closes with
categories=("half_day",). Equity index futures on CME Globex: the calendar CMES of `exchange_calendars`.
Weekends are not listed. Per year: "MM-DD MM-DD".
A day announced later (a mourning day, a storm) is the owner's override until then: `session_plan.Closures`.
"""

from __future__ import annotations

from datetime import time
from typing import Final

EARLY_CLOSE: Final = time(13, 0)
"""America/New_York, of both; the calendar of Globex says 12:00 in Chicago."""
'''


def full_closures() -> list[date]:
    """The weekdays of `YEARS` without a session; the library lists no weekends for the exchange."""
    return sorted(financial_holidays("NYSE", years=YEARS))


def early_closes() -> list[date]:
    """The weekdays of `YEARS` that end at 13:00 ET; raises ValueError on a half day of another hour."""
    days = financial_holidays("NYSE", years=YEARS, categories=("half_day",))
    strange = {day: label for day, label in days.items() if EARLY_LABEL not in label}
    if strange:
        raise ValueError(f"half days that do not close at {EARLY_LABEL}: {strange}")
    return sorted(days)


def column(name: str, comment: str, days: Iterable[date]) -> str:
    """One dictionary of the table: year to its days as "MM-DD MM-DD"; an empty text for none."""
    rows: dict[int, list[str]] = {year: [] for year in YEARS}
    for day in days:
        rows[day.year].append(f"{day:%m-%d}")
    lines = [f'    {year}: "{" ".join(row)}",' for year, row in rows.items()]
    return "\n".join([f"{name}: Final[dict[int, str]] = {{", *lines, "}", f'"""{comment}"""', ""])


@cache
def render() -> str:
    """The whole text of the tables' module; the same data of the libraries give the same bytes."""
    globex = exchange_calendars.get_calendar("CMES", start=FIRST_DAY, end=LAST_DAY)
    without_session = pd.bdate_range(FIRST_DAY, LAST_DAY).difference(globex.sessions)
    closed, early = "Weekdays without a session.", "Sessions that end at `EARLY_CLOSE`."
    return "\n".join(
        [
            HEADER,
            column("NYSE_CLOSED", closed, full_closures()),
            column("NYSE_EARLY", early, early_closes()),
            column("GLOBEX_CLOSED", closed, [day.date() for day in without_session]),
            column("GLOBEX_EARLY", early, [day.date() for day in globex.early_closes]),
        ]
    )


def main(arguments: list[str]) -> int:
    """Write the tables, or with `--check` compare them; the exit code is 1 when they differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the tables differ")
    parser.add_argument(
        "--table", type=Path, default=TABLE, help="the file to write or check (default: %(default)s)"
    )
    options = parser.parse_args(arguments)
    fresh = render()
    if not options.check:
        options.table.write_text(fresh, encoding="utf-8")
        return 0
    if options.table.is_file() and options.table.read_text(encoding="utf-8") == fresh:
        return 0
    print(f"{options.table} differs from what the libraries say now; run `make calendar`", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
