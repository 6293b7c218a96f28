"""When an operator would have been told, against when people found out: the incidents along real run times.

    python -m tools.time_to_told            # the table, from the figures that are committed
    python -m tools.time_to_told --write    # replay everything and write the figures anew
    python -m tools.time_to_told --check    # replay everything; exit 1 when the figures differ

A lane is a way in which runs come about. Each is laid over an incident at many shifts, evenly spread and
the same every time; of each shift the minutes are kept from when there was something to see to the first
run that told it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from math import ceil
from pathlib import Path

from tools.incidents import Incident, Looked, documented_times, incident, incidents, looked
from tools.run_lanes import SHIFTS, WAYS, Times, Way

ROOT = Path(__file__).resolve().parents[1]
FIGURES = ROOT / "tools" / "time_to_told.json"
LEAD = timedelta(minutes=90)
"""How long before an incident's first event the runs begin, so that there is a memory."""
_ENDINGS = ("resolved", "retired")
Minutes = float | None
Figures = dict[str, dict[str, dict[str, list[Minutes]]]]


_DOCUMENTED = "documented"


def _documented(one: Incident) -> Times:
    """Return a run at every minute that the founding document names, whatever the shift."""
    return lambda _, start, end: (at for at in documented_times(one) if start <= at < end)


def replayed(one: Incident, way: Way, shift: int) -> dict[str, Minutes]:
    """Return for each event the minutes until it was told at that shift, None where it never was."""
    found: dict[str, Minutes] = dict.fromkeys(one.began)
    for run in looked(one, one.lane(way.looks_from), way.times(shift, _start(one), one.ends)):
        for named in _told(run):
            began = one.began.get(named)
            if began is not None and run.at >= began and found[named] is None:
                found[named] = round((run.at - began).total_seconds() / 60, 1)
        if None not in found.values():
            break
    return found


def _start(one: Incident) -> datetime:
    return max(one.moments[0].at, min(one.began.values(), default=one.moments[0].at) - LEAD)


def _told(run: Looked) -> Iterator[str]:
    """Yield what a run told, as `type[:subject]`, but for what it told to have ended."""
    for event in (*run.report.new_events, *run.report.resolved_events):
        if event.reason not in _ENDINGS:
            yield event.type if event.subject is None else f"{event.type}:{event.subject}"


def measured(shifts: Sequence[int] = range(SHIFTS), only: str | None = None) -> Figures:
    """Return the minutes by incident, event and lane, one a shift; of a quiet incident what was told."""
    figures: Figures = {}
    for name in incidents() if only is None else [only]:
        one = incident(name)
        here = {lane.name for lane in one.lanes}
        for key, way in WAYS.items():
            for shift in shifts if way.looks_from in here else ():
                for event, minutes in (replayed if one.began else _anything)(one, way, shift).items():
                    kept = figures.setdefault(name, {}).setdefault(event, {}).setdefault(key, [])
                    kept += [None] * (shift - shifts[0] - len(kept))
                    kept.append(minutes)
        if one.began:
            written = Way("", "remote", _documented(one))
            for event, minutes in replayed(one, written, 0).items():
                figures[name][event][_DOCUMENTED] = [minutes]
    return figures


def _anything(one: Incident, way: Way, shift: int) -> dict[str, Minutes]:
    """Return everything that was told of a quiet incident, with the minutes after its begin."""
    found: dict[str, Minutes] = {}
    for run in looked(one, one.lane(way.looks_from), way.times(shift, _start(one), one.ends)):
        for named in _told(run):
            found.setdefault(named, round((run.at - one.moments[0].at).total_seconds() / 60, 1))
    return found


def percentile(minutes: Sequence[Minutes], share: float) -> Minutes:
    """Return the value below which that share of the shifts lies; never told is later than everything."""
    ordered = sorted(minutes, key=lambda one: (one is None, one or 0))
    return ordered[min(len(ordered) - 1, ceil(share * len(ordered)) - 1)]


def table(figures: Figures | None = None) -> Iterator[str]:
    """Yield the Markdown tables: when people knew, when each lane told it, and a quiet session."""
    figures = json.loads(FIGURES.read_text(encoding="utf-8")) if figures is None else figures
    loud = {name: events for name, events in figures.items() if incident(name).began}
    heads = ["what there was to report", "people knew after", *(way.title for way in WAYS.values())]
    yield from _headed(["incident", *heads, "a run at every documented minute"])
    for name, events in loud.items():
        one = incident(name)
        for event, ways in events.items():
            known = one.found_out.get(event)
            people = "–" if known is None else _words((known - one.began[event]).total_seconds() / 60)
            cells = [people, *(_cell(ways.get(key)) for key in WAYS), _words(ways[_DOCUMENTED][0])]
            yield f"| {name} | `{event}` | {' | '.join(cells)} |"
    for name, events in figures.items():
        if name not in loud:
            yield ""
            yield from _headed(["incident", "what was reported", *(way.title for way in WAYS.values())])
            for event, ways in events.items():
                cells = [_share(ways.get(key, []), name, key) for key in WAYS]
                yield f"| {name} | `{event}` | {' | '.join(cells)} |"


_SHORT_WAYS = ("github", "external", "watch_remote")


def short_table() -> Iterator[str]:
    """Yield the README's part of the table: when people knew, and three lanes of a machine elsewhere."""
    figures = json.loads(FIGURES.read_text(encoding="utf-8"))
    titles = (WAYS[key].title for key in _SHORT_WAYS)
    yield from _headed(["incident", "what there was to report", "people knew after", *titles])
    for name in (name for name in figures if incident(name).began):
        one = incident(name)
        for event, ways in figures[name].items():
            known = one.found_out.get(event)
            people = "–" if known is None else _words((known - one.began[event]).total_seconds() / 60)
            cells = [people, *(_cell(ways.get(key)) for key in _SHORT_WAYS)]
            yield f"| {name} | `{event}` | {' | '.join(cells)} |"


def _headed(heads: Sequence[str]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield "|---" * len(heads) + "|"


def _share(minutes: Sequence[Minutes], name: str, key: str) -> str:
    if WAYS[key].looks_from not in {lane.name for lane in incident(name).lanes}:
        return "–"
    return f"{round(100 * sum(one is not None for one in minutes) / SHIFTS)} %"


def _cell(minutes: Sequence[Minutes] | None) -> str:
    if not minutes:
        return "–"
    told = sum(one is not None for one in minutes)
    if not told:
        return "never"
    if told == len(minutes):
        return " / ".join(_words(percentile(minutes, share)) for share in (0.5, 0.9, 1.0))
    half = percentile(minutes, 0.5)
    share = f"in {round(100 * told / len(minutes))} % of the shifts, else never"
    return share if half is None else f"{share}; half within {_words(half)}"


def _words(minutes: Minutes) -> str:
    if minutes is None:
        return "never"
    hours, rest = divmod(round(minutes), 60)
    return f"{hours} h {rest:02} min" if hours else f"{rest} min"


def main(arguments: list[str] | None = None) -> int:
    """Print the table, or write or compare the figures."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--write", action="store_true", help="replay everything and write the figures anew")
    parser.add_argument(
        "--check", action="store_true", help="replay everything; exit 1 when the figures differ"
    )
    options = parser.parse_args(arguments)
    if not (options.write or options.check):
        for line in table():
            print(line)
        return 0
    text = _text(measured())
    if options.write:
        FIGURES.write_text(text, encoding="utf-8")
        return 0
    return int(FIGURES.read_text(encoding="utf-8") != text)


def _text(figures: Figures) -> str:
    """Return the figures as they are kept: one line for each lane of an event."""
    return (
        json.dumps(figures, indent=1, ensure_ascii=False).replace("\n    ", " ").replace("\n   ]", "]") + "\n"
    )


if __name__ == "__main__":
    sys.exit(main())
