"""The walk: every collector, found by looking at the files; nothing is listed twice."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import cast

from detector import collectors
from detector.collectors._source import Collector, Offer, Source
from detector.settings import SECTIONS_FROM, SOURCES_OFF, Settings


@cache
def all_collectors() -> tuple[Collector, ...]:
    """Return every collector's file in the order of their names."""
    names = sorted(
        entry.name for entry in iter_modules(collectors.__path__) if not entry.name.startswith("_")
    )
    return tuple(cast("Collector", import_module(f"{collectors.__name__}.{name}")) for name in names)


def configured(settings: Settings) -> tuple[Source, ...]:
    """Return the sources that the settings switch on, those without that AEGIS_PT_SOURCES_OFF names."""
    off = settings[SOURCES_OFF]
    return tuple(source for source in _all(settings) if source.name not in off)


def _all(settings: Settings) -> Iterator[Source]:
    for collector in all_collectors():
        yield from collector.sources(settings)


def faults(settings: Settings) -> Iterator[str]:
    """Yield a sentence for every two settings that contradict each other."""
    for collector in all_collectors():
        yield from getattr(collector, "faults", lambda _: ())(settings)
    first: dict[str, Source] = {}
    for source in _all(settings):
        other = first.setdefault(source.name, source)
        if other is not source:
            both = " and ".join(dict.fromkeys((other.setting.name, source.setting.name)))
            yield f"{both}: section {source.name} is to be read from two places; leave one out"


def not_configured(settings: Settings) -> tuple[Offer, ...]:
    """Return what would fill a section that no source fills, the collector's own setting before a file."""
    off: tuple[str, ...] = settings[SOURCES_OFF]
    filled = {*(source.name for source in _all(settings)), *off}
    offers: dict[str, Offer] = {}
    for collector in all_collectors():
        for offer in collector.OFFERS:
            if offer.section not in filled:
                known = offers.get(offer.section)
                if known is None or known.settings == (SECTIONS_FROM,):
                    offers[offer.section] = offer
    return tuple(offers.values())
