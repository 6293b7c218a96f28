"""What people see, and where settings come from."""

from __future__ import annotations

from detector.settings.parsers import parse_names, parse_optional
from detector.settings.setting import Setting, add_setting

ENV_FILE = add_setting(
    "ENV_FILE", "", "path", "A file of settings; the environment wins over it.", parse_optional
)
DISPLAY_ZONES: Setting[tuple[str, ...]] = add_setting(
    "DISPLAY_ZONES",
    ("UTC", "America/New_York", "Asia/Tokyo"),
    "zones",
    "Zones in which times are shown to people.",
    parse_names,
)
