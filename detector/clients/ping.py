"""The dead-man's switch: one POST after each run, as healthchecks.io takes it; a failure goes to `/fail`.

It is the one piece that notices when every lane is dead, because it is told from outside when nothing comes.
"""

from __future__ import annotations

import httpx

from detector import __version__
from detector.clients.connection import NetworkPolicy
from detector.clients.http_client import send_request
from detector.formats.errors import HTTP_STATUS, ExternalError

_OK = range(200, 300)
_MAX_BYTES = 10_000  # what healthchecks.io keeps of a ping's body


def send_ping(network: NetworkPolicy, url: str, succeeded: bool, message: str) -> None:
    """Tell the switch how the run ended, with a line that it keeps; raises EdgeError."""
    address = httpx.URL(url)
    if not succeeded:
        address = address.copy_with(path=f"{address.path.rstrip('/')}/fail")
    request = httpx.Request(
        "POST",
        address,
        headers={
            "user-agent": f"pt-health-detector/{__version__}",
            "content-type": "text/plain; charset=utf-8",
        },
        content=message.encode()[:_MAX_BYTES],
    )
    page = send_request(network, request, methods=("POST",))
    if page.status not in _OK:
        raise ExternalError(f"it answered {page.status}", reason=HTTP_STATUS)
