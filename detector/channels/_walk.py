"""The walk: every channel, found by looking at the files; nothing is listed twice."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import cast

from detector import channels
from detector.channels._channel import Channel, ChannelFile, Offer, World
from detector.settings import Settings


@cache
def all_channels() -> tuple[ChannelFile, ...]:
    """Return every channel's file in the order of their names."""
    names = sorted(entry.name for entry in iter_modules(channels.__path__) if not entry.name.startswith("_"))
    return tuple(cast("ChannelFile", import_module(f"{channels.__name__}.{name}")) for name in names)


def configured(settings: Settings, world: World) -> tuple[Channel, ...]:
    """Return the channels that the settings switch on."""
    return tuple(channel for file in all_channels() for channel in file.channels(settings, world))


def faults(settings: Settings) -> Iterator[str]:
    """Yield a sentence for every two settings that contradict each other."""
    for file in all_channels():
        yield from file.faults(settings)


def not_configured(settings: Settings, world: World) -> tuple[Offer, ...]:
    """Return what would add a channel of a kind that there is none of."""
    return tuple(file.OFFER for file in all_channels() if not any(file.channels(settings, world)))
