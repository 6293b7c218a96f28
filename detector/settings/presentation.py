"""What people see, and where settings come from."""

from __future__ import annotations

from detector.settings.kinds import names, optional
from detector.settings.setting import Setting, declare

ENV_FILE = declare("ENV_FILE", "", "path", "A file of settings; the environment wins over it.", optional)
DISPLAY_ZONES: Setting[tuple[str, ...]] = declare(
    "DISPLAY_ZONES",
    ("UTC", "America/New_York", "Asia/Tokyo"),
    "zones",
    "Zones in which times are shown to people.",
    names,
)
