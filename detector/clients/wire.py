"""The wire: connected sockets with one total deadline, and the fence around addresses that are never read.

Every byte to and from the world passes here: httpx, and through it boto3, is given this module's sockets.
"""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from detector.formats.edge_error import (
    DNS,
    FORBIDDEN,
    REFUSED,
    RESET,
    TIMEOUT,
    TLS,
    UNREACHABLE,
    UNREADABLE,
    EdgeError,
)

Address = IPv4Address | IPv6Address

# Where a cloud hands its machines their credentials: link-local, and what AWS (IPv6), Alibaba, Azure and
# Oracle use beside it.
_NEVER_READ = tuple(
    ip_network(text)
    for text in (
        "169.254.0.0/16",
        "fe80::/10",
        "fd00:ec2::/32",
        "100.100.100.200/32",
        "168.63.129.16/32",
        "192.0.0.192/32",
    )
)
_NAT64 = ip_network("64:ff9b::/96")


def never_read(address: Address) -> bool:
    """Whether the address is link-local or a cloud's metadata service, however it is written."""
    if isinstance(address, IPv6Address):
        inside = address.ipv4_mapped or address.sixtofour
        if inside is None and address in _NAT64:
            inside = IPv4Address(int(address) & 0xFFFFFFFF)
        if inside is not None:
            return never_read(inside)
    return any(address in network for network in _NEVER_READ)


class Deadline:
    """The moment by which everything must be done; it has begun when it is made."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._end = clock() + seconds

    def remaining(self) -> float:
        """Return the seconds that are left, 0 or less where none are."""
        return self._end - self._clock()

    def left(self, doing: str) -> float:
        """Return the seconds that are left; raises EdgeError where none are, with what was being done."""
        left = self.remaining()
        if left <= 0:
            raise self.over(doing)
        return left

    def over(self, doing: str) -> EdgeError:
        """Return the error of a deadline that passed."""
        return EdgeError(f"no complete answer within {self.seconds:g} s (still {doing})", reason=TIMEOUT)


@cache
def trusted(ca_file: str) -> ssl.SSLContext:
    """Return the TLS settings of all clients: verified, 1.2 or newer, the system's authorities and certifi's.

    `ca_file` holds more of them, or is empty. Raises EdgeError where it cannot be read.
    """
    import httpx

    context = httpx.create_ssl_context(trust_env=False)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_default_certs()
    if ca_file:
        try:
            context.load_verify_locations(cafile=ca_file)
        except (OSError, ssl.SSLError):
            raise EdgeError("AEGIS_PT_CA_FILE cannot be read as PEM certificates", reason=TLS) from None
    return context


@dataclass(frozen=True, slots=True)
class Reach:
    """What one source may do at the wire: until when, whom it trusts, through which proxies, and to where not."""

    until: Deadline
    ca_file: str = ""
    proxies: Mapping[str, str] = field(default_factory=dict)
    refuses: Callable[[Address], bool] = never_read
    resolve: Callable[..., list[Any]] = socket.getaddrinfo

    def connect(self, host: str, port: int) -> Wire:
        """Return a connection to the first of the host's addresses that answers; raises EdgeError."""
        place = f"{host}:{port}"
        doing = f"connecting to {place}"
        with _edge(doing, self.until, connecting=True):
            found = self.resolve(host, port, type=socket.SOCK_STREAM)
        failure = EdgeError(f"{host} has no address", reason=DNS)
        for index, (family, kind, protocol, _, address) in enumerate(found):
            share = self.until.left(doing) / (len(found) - index)
            sock = socket.socket(family, kind, protocol)
            try:
                self._check(address[0], place)
                sock.settimeout(share)
                with _edge(doing, self.until, connecting=True):
                    sock.connect(address)
                    peer = sock.getpeername()[0]
                self._check(peer, place)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except EdgeError as error:
                sock.close()
                if error.reason == FORBIDDEN:
                    raise
                failure = error
            else:
                return Wire(sock, self.until)
        raise failure

    def connect_unix(self, path: str) -> Wire:
        """Return a connection to the socket at `path`; raises EdgeError."""
        doing = f"connecting to {path}"
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(self.until.left(doing))
            with _edge(doing, self.until, connecting=True):
                sock.connect(path)
        except EdgeError:
            sock.close()
            raise
        return Wire(sock, self.until)

    def _check(self, address: str, place: str) -> None:
        if self.refuses(ip_address(address.partition("%")[0])):
            raise EdgeError(f"{place} is a link-local or metadata address", reason=FORBIDDEN)


class Wire:
    """One connected socket, plain or TLS; whatever it does ends at the deadline."""

    def __init__(self, sock: socket.socket, until: Deadline) -> None:
        self._sock = sock
        self._until = until

    def read(self, most: int) -> bytes:
        """Return some bytes, none where the other side has ended; raises EdgeError."""
        doing = "waiting for its answer"
        with _edge(doing, self._until):
            self._sock.settimeout(self._until.left(doing))
            return self._sock.recv(most)

    def write(self, data: bytes) -> None:
        """Send all of the bytes; raises EdgeError."""
        doing = "sending the question"
        with _edge(doing, self._until):
            self._sock.settimeout(self._until.left(doing))
            self._sock.sendall(data)

    def secured(self, context: ssl.SSLContext, name: str | None) -> Wire:
        """Return the same connection under TLS, the other side's certificate verified for `name`."""
        doing = "in the TLS handshake"
        if isinstance(self._sock, ssl.SSLSocket):
            raise EdgeError("TLS inside of TLS is not spoken here", reason=TLS)
        try:
            with _edge(doing, self._until):
                self._sock.settimeout(self._until.left(doing))
                return Wire(context.wrap_socket(self._sock, server_hostname=name), self._until)
        except EdgeError:
            self.close()
            raise

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()


@contextmanager
def _edge(doing: str, until: Deadline, *, connecting: bool = False) -> Iterator[None]:
    """Turn what a socket raises into EdgeError; only a failure to connect may be mended by trying again."""
    try:
        yield
    except OSError as error:
        raise _named(error, doing, until, mendable=connecting) from None
    except UnicodeError:  # a host name that IDNA cannot encode
        raise EdgeError(f"the name cannot be looked up ({doing})", reason=DNS) from None


def _named(error: OSError, doing: str, until: Deadline, mendable: bool) -> EdgeError:
    if isinstance(error, TimeoutError):
        return until.over(doing)
    words, reason = next((words, reason) for kind, words, reason in _KINDS if isinstance(error, kind))
    why = getattr(error, "verify_message", None) or error.strerror or type(error).__name__
    final = reason == TLS or (reason == DNS and error.errno != socket.EAI_AGAIN)
    return EdgeError(words.format(why=why, doing=doing), reason=reason, permanent=final or not mendable)


_KINDS: tuple[tuple[type[OSError], str, str], ...] = (
    (socket.gaierror, "the name is not known ({doing})", DNS),
    (ssl.SSLCertVerificationError, "its certificate is not accepted: {why}", TLS),
    (ssl.SSLEOFError, "the connection broke off ({doing})", RESET),
    (ssl.SSLError, "TLS failed: {why}", TLS),
    (ConnectionRefusedError, "the connection was refused ({doing})", REFUSED),
    (ConnectionError, "the connection broke off ({doing})", RESET),
    (FileNotFoundError, "there is no such socket ({doing})", UNREADABLE),
    (PermissionError, "this user may not open it ({doing})", UNREADABLE),
    (OSError, "{why} ({doing})", UNREACHABLE),
)
