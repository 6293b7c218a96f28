"""How a channel fared, as the artifact keeps it: when it first and last took something, and what went wrong."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ChannelError:
    """Why a channel did not take what it was owed: when, a reason of edge.REASONS, and a sentence."""

    at: datetime
    reason: str
    said: str


@dataclass(frozen=True, slots=True)
class ChannelHealth:
    """The health of one channel over all runs: `since` is when it took its first message.

    `failures` counts the deliveries in a row that did not get through whole.
    """

    since: datetime | None = None
    last_success: datetime | None = None
    last_error: ChannelError | None = None
    failures: int = 0
