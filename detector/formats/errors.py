"""The two errors: an input that cannot be used, and a failure outside the program with a stable reason.

The memory, the metrics and the doctor use the reason; the sentence beside it is for people.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, Protocol, TypeVar

T = TypeVar("T")

TIMEOUT, REFUSED, UNREACHABLE, DNS, TLS, RESET, PROXY = (
    "timeout", "refused", "unreachable", "dns", "tls", "reset", "proxy"
)  # fmt: skip
FORBIDDEN, REDIRECTED, HTTP_STATUS, THROTTLED, MISSING = (
    "forbidden", "redirected", "http_status", "throttled", "missing"
)  # fmt: skip
EMPTY, HTML, NOT_JSON, NO_FACTS, TOO_LARGE, ENCODING, STALE, UNREADABLE = (
    "empty", "html", "not_json", "no_facts", "too_large", "encoding", "stale", "unreadable"
)  # fmt: skip
CREDENTIALS, PROFILE_MISSING, EXPIRED, DENIED, WRONG_ACCOUNT = (
    "credentials", "profile", "expired", "denied", "wrong_account"
)  # fmt: skip
LOGIN, NOT_ALLOWED, NO_PLACE, RECIPIENT, REJECTED, NO_ANSWER = (
    "login", "not_allowed", "no_place", "recipient", "rejected", "no_answer"
)  # fmt: skip
LOCKED, CORRUPT, UNFINISHED, SCHEMA = "locked", "corrupt", "unfinished", "schema"
NOT_INSTALLED, CLIENT_ID, CLOSE_WAIT, LINK_DOWN = "not_installed", "client_id", "close_wait", "link_down"
MAINTENANCE, NO_SESSION, COMPETING, NOT_READY = "maintenance", "no_session", "competing", "not_ready"
QUERY = "query"

# Every reason with what a person can do about it; `{}` is the name of the setting of that source or channel.
REASONS: Final[Mapping[str, str]] = {
    TIMEOUT: "See what it waits for on its own machine; AEGIS_PT_SOURCE_TIMEOUT_SEC is the time it has.",
    REFUSED: "Nothing listens there: is it running, and is the port in {} right?",
    UNREACHABLE: "There is no way to that address: is the VPN up, and is the address in {} right?",
    DNS: "The name in {} is not known to this machine: is it spelt right, and is the VPN up?",
    TLS: "Give it a certificate for this name; an authority of your own goes into AEGIS_PT_CA_FILE.",
    RESET: "Look for its own errors, and for a proxy that cuts long answers.",
    PROXY: "See HTTPS_PROXY and NO_PROXY of this process.",
    FORBIDDEN: "Link-local and metadata addresses are never read; name another address in {}.",
    REDIRECTED: "Put the address that it leads to into {}; credentials go to no other host.",
    HTTP_STATUS: "Look for its own errors, and whether the path in {} is right.",
    THROTTLED: "Ask less often, or ask for a higher limit.",
    MISSING: "Is the name or the path in {} right, and is it there?",
    EMPTY: "It answered with nothing; look for its own errors.",
    HTML: "That is a page for people: is the path in {} right, and are the credentials set?",
    NOT_JSON: "Look for its own errors; it must answer with one JSON document.",
    NO_FACTS: "Is the path in {} right, and does AEGIS_PT_PROFILE know this payload?",
    TOO_LARGE: "Ask it for less, or let it keep less.",
    ENCODING: "It must answer as it is, or with gzip or deflate.",
    STALE: "Restart what makes it, and switch off what keeps an old copy of it.",
    UNREADABLE: "Is what {} names really of this section's shape?",
    CREDENTIALS: "Set AEGIS_PT_AWS_PROFILE or AEGIS_PT_AWS_AMBIENT=1 for AWS, "
    "AEGIS_PT_STATUS_TOKEN for a dashboard.",
    PROFILE_MISSING: "Name a profile of this machine's AWS configuration in AEGIS_PT_AWS_PROFILE.",
    EXPIRED: "Log in again; nothing is wrong with AWS.",
    DENIED: "Grant the reader what it names; for AWS, policies/iam-read-only.json holds all "
    "that is ever needed.",
    WRONG_ACCOUNT: "Use the credentials of the account in AEGIS_PT_AWS_ACCOUNT.",
    LOGIN: "Make a new token, webhook or password, and put it into {}.",
    NOT_ALLOWED: "Slack: give the app the scope chat:write and install it again; "
    "e-mail: may the sender send through {}?",
    NO_PLACE: "Is the channel in {} there, not archived, and is the app its member?",
    RECIPIENT: "Is the address in {} right, and does its mailbox take mail from this sender?",
    REJECTED: "The alert is sent again until it is accepted: report what was sent (--dry-run shows it), "
    "and watch another channel.",
    NO_ANSWER: "It may have arrived, so look there; AEGIS_PT_CHANNEL_TIMEOUT_SEC is the time that it has.",
    LOCKED: "See which process of the runtime keeps it locked; the next run tries again.",
    CORRUPT: "Is it the right file? Then let its owner check it, on a copy.",
    UNFINISHED: "The runtime itself has to open it once: a reader may not finish what a writer began.",
    NOT_INSTALLED: "Install the extra on this machine: pip install 'pt-health-detector[ibkr]'.",
    CLIENT_ID: "Give AEGIS_PT_TWS_CLIENT_ID a number that no other API client of this gateway uses.",
    CLOSE_WAIT: "The gateway keeps dead API connections and may soon refuse the bot: find who opens and "
    "drops them, and restart the gateway outside of the session.",
    LINK_DOWN: "The gateway runs and has no link to IBKR: see its own window or log.",
    MAINTENANCE: "Nothing is wrong: during IBKR's reset it is left alone, and it is read again after it.",
    NO_SESSION: "Log in to the gateway in {} by hand, or let ibeam do it: this program never logs in.",
    COMPETING: "The same username is logged in elsewhere: give the gateway in {} a second username.",
    NOT_READY: "It has no answer yet: ask again later; AEGIS_PT_SOURCE_TIMEOUT_SEC is the time that it has.",
    QUERY: "Correct the Flex query in Client Portal, or name another one in AEGIS_PT_FLEX_QUERY.",
    SCHEMA: "Name its tables and columns in the profile's [store_tables] and [stores] (AEGIS_PT_PROFILE).",
}


class InputError(ValueError):
    """What somebody wrote or handed over cannot be used: exit 2.

    Each of `lines` names the place (a setting, a file and its line, a key) and the problem.
    """

    def __init__(self, *lines: str) -> None:
        super().__init__("; ".join(lines))
        self.lines = lines


class ExternalError(Exception):
    """A failure outside the program: a sentence without its full stop, and a reason of REASONS.

    `permanent`: a retry cannot help; `wait_sec` is how long the other side asked to wait.
    """

    def __init__(
        self, message: str, *, reason: str, permanent: bool = True, wait_sec: float | None = None
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.permanent = permanent
        self.wait_sec = wait_sec


class TimeLimit(Protocol):
    """A total deadline."""

    def get_remaining(self) -> float:
        """Return the seconds that are left, 0 or less where none are."""


PAUSES_SEC = (0.2, 0.8)


def retry(attempt: Callable[[], T], deadline: TimeLimit, pause: Callable[[float], None]) -> T:
    """Return the result of `attempt`, with retries where they can help and the deadline allows them.

    The only retry of the program. Raises the last ExternalError.
    """
    for own_pause in PAUSES_SEC:
        try:
            return attempt()
        except ExternalError as error:
            wait = own_pause if error.wait_sec is None else error.wait_sec
            if error.permanent or wait >= deadline.get_remaining():
                raise
            pause(wait)
    return attempt()
