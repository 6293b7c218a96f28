"""What a command that asks the world itself may do at the wire: a deadline, the proxies of its environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from detector.app.context import AppContext
from detector.settings import CA_FILE, Settings

if TYPE_CHECKING:
    from detector.clients.connection import NetworkPolicy

_PROXIES = ("https_proxy", "all_proxy", "no_proxy")


def build_network_policy(app: AppContext, settings: Settings, seconds: float) -> NetworkPolicy:
    """Return the reach of one errand; its deadline begins now."""
    from detector.clients.connection import Deadline, NetworkPolicy

    proxies = {name: text for name, text in app.environ.items() if name.lower() in _PROXIES}
    return NetworkPolicy(Deadline(seconds), settings[CA_FILE], proxies)
