"""Every channel, found by looking at the files, and what the settings make of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from detector import channels
from detector.channels.channel import Channel, ChannelEnvironment, ChannelModule, ChannelOption
from detector.formats.plugins import load_modules
from detector.settings import Settings


def load_channel_modules() -> tuple[ChannelModule, ...]:
    """Return every channel's file in the order of their names."""
    return cast("tuple[ChannelModule, ...]", load_modules(channels, "KIND"))


def build_configured_channels(settings: Settings, environment: ChannelEnvironment) -> tuple[Channel, ...]:
    """Return the channels that the settings switch on."""
    return tuple(
        channel
        for module in load_channel_modules()
        for channel in module.build_channels(settings, environment)
    )


def find_channel_conflicts(settings: Settings) -> Iterator[str]:
    """Yield a sentence for every two settings that contradict each other."""
    for module in load_channel_modules():
        yield from module.find_conflicts(settings)


def list_unused_options(settings: Settings, environment: ChannelEnvironment) -> tuple[ChannelOption, ...]:
    """Return what would add a channel of a kind that there is none of."""
    return tuple(
        module.OPTION
        for module in load_channel_modules()
        if not any(module.build_channels(settings, environment))
    )
