"""Every collector, found by looking at the files, and the sources that the settings switch on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from detector import collectors
from detector.collectors.collector import Collector, ConfiguredSource, SourceOption
from detector.formats.plugins import load_modules
from detector.settings import SECTIONS_FROM, SOURCES_OFF, Settings


def list_collectors() -> tuple[Collector, ...]:
    """Return every collector's file in the order of their names."""
    return cast("tuple[Collector, ...]", load_modules(collectors, "OPTIONS"))


def list_configured_sources(settings: Settings) -> tuple[ConfiguredSource, ...]:
    """Return the sources that the settings switch on, those without that AEGIS_PT_SOURCES_OFF names."""
    off = settings[SOURCES_OFF]
    return tuple(source for source in _iter_sources(settings) if source.name not in off)


def _iter_sources(settings: Settings) -> Iterator[ConfiguredSource]:
    for collector in list_collectors():
        yield from collector.build_sources(settings)


def find_source_conflicts(settings: Settings) -> Iterator[str]:
    """Yield a sentence for every two settings that contradict each other."""
    for collector in list_collectors():
        yield from getattr(collector, "find_conflicts", lambda _: ())(settings)
    first_by_section: dict[str, ConfiguredSource] = {}
    for source in _iter_sources(settings):
        first_source = first_by_section.setdefault(source.name, source)
        if first_source is not source:
            both = " and ".join(dict.fromkeys((first_source.setting.name, source.setting.name)))
            yield f"{both}: section {source.name} is to be read from two places; leave one out"


def list_unused_source_options(settings: Settings) -> tuple[SourceOption, ...]:
    """Return what would fill a section that no source fills, the collector's own setting before a file."""
    off: tuple[str, ...] = settings[SOURCES_OFF]
    filled = {*(source.name for source in _iter_sources(settings)), *off}
    options: dict[str, SourceOption] = {}
    for collector in list_collectors():
        for option in collector.OPTIONS:
            if option.section not in filled:
                earlier = options.get(option.section)
                if earlier is None or earlier.settings == (SECTIONS_FROM,):
                    options[option.section] = option
    return tuple(options.values())
