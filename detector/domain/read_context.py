"""What a reader may know besides its section."""

from __future__ import annotations

from dataclasses import dataclass

from detector.domain.previous_run import PreviousRun
from detector.domain.profile import Profile
from detector.settings import Settings


@dataclass(frozen=True, slots=True)
class ReadContext:
    """The settings, the profile and the previous run, the same for every reader of one evaluation."""

    settings: Settings
    profile: Profile
    previous_run: PreviousRun
