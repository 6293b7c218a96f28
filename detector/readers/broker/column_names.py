"""Names of columns without case and punctuation: `con_id`, `conId` and `Conid` are one, `Put/Call` is `putcall`."""

from __future__ import annotations

import re
from functools import cache


@cache
def normalize_name(key: str) -> str:
    """Return a name without case and punctuation."""
    return re.sub(r"[^a-z0-9]", "", key.lower())
