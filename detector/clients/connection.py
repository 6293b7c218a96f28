"""Opens all connections of the program, with one total deadline; refuses metadata and link-local addresses.

Every byte to and from the outside passes here: httpx, boto3, smtplib and Slack's SDK use these sockets.
"""

from __future__ import annotations

import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from msgspec import Struct, field

from detector.formats import errors
from detector.formats.errors import ExternalError
from detector.settings import CA_FILE, Settings

Address = IPv4Address | IPv6Address

# Addresses at which clouds serve credentials: link-local, and those of AWS (IPv6), Alibaba, Azure and Oracle.
_FORBIDDEN_NETWORKS = tuple(
    ip_network(text) for text in (
        "169.254.0.0/16", "fe80::/10", "fd00:ec2::/32", "100.100.100.200/32",
        "168.63.129.16/32", "192.0.0.192/32",
    )
)  # fmt: skip
_CLOSE_SEC = 1.0
_PROXIES = ("https_proxy", "all_proxy", "no_proxy")
_NAT64 = ip_network("64:ff9b::/96")


def is_forbidden_address(address: Address) -> bool:
    """Whether the address is link-local or a cloud's metadata service, in any notation."""
    if isinstance(address, IPv6Address):
        embedded = address.ipv4_mapped or address.sixtofour
        if embedded is None and address in _NAT64:
            embedded = IPv4Address(int(address) & 0xFFFFFFFF)
        if embedded is not None:
            return is_forbidden_address(embedded)
    return any(address in network for network in _FORBIDDEN_NETWORKS)


class Deadline:
    """The time by which everything must be done, counted from the creation of this object."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._end = clock() + seconds

    def get_remaining(self) -> float:
        """Return the seconds that are left, 0 or less where none are."""
        return self._end - self._clock()

    def check_remaining(self, doing: str, *, retryable: bool = False) -> float:
        """Return the seconds that are left; raises ExternalError, which names `doing`, where none are."""
        remaining = self.get_remaining()
        if remaining <= 0:
            raise self.build_timeout_error(doing, retryable=retryable)
        return remaining

    def build_timeout_error(self, doing: str, *, retryable: bool = False) -> ExternalError:
        return ExternalError(
            f"no complete answer within {self.seconds:.3g} s (still {doing})",
            reason=errors.TIMEOUT,
            permanent=not retryable,
        )


@cache
def build_tls_context(ca_file: str) -> ssl.SSLContext:
    """Return the TLS settings of all clients: verified, 1.2 or newer, the system's authorities and certifi's.

    `ca_file` is a PEM file of more authorities, or empty. Raises ExternalError where it cannot be read.
    """
    import httpx

    context = httpx.create_ssl_context(trust_env=False)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_default_certs()
    if ca_file:
        try:
            context.load_verify_locations(cafile=ca_file)
        except (OSError, ssl.SSLError):
            raise ExternalError(
                "AEGIS_PT_CA_FILE cannot be read as PEM certificates", reason=errors.TLS
            ) from None
    return context


class NetworkPolicy(Struct, frozen=True):
    """How one source or channel may connect: its deadline, authorities, proxies and forbidden addresses."""

    deadline: Deadline
    ca_file: str = ""
    proxies: Mapping[str, str] = field(default_factory=dict)
    is_forbidden: Callable[[Address], bool] = is_forbidden_address
    resolve: Callable[..., list[Any]] = socket.getaddrinfo

    def open_connection(self, host: str, port: int) -> Connection:
        """Return a connection to the first address of the host that accepts one; raises ExternalError."""
        return Connection(self.open_socket(host, port), self.deadline)

    def open_socket(self, host: str, port: int) -> socket.socket:
        """Return it as a bare socket, for a library that waits by itself; raises ExternalError."""
        target = f"{host}:{port}"
        doing = f"connecting to {target}"
        with _convert_socket_errors(doing, self.deadline, is_connecting=True):
            addresses = self.resolve(host, port, type=socket.SOCK_STREAM)
        failure = ExternalError(f"{host} has no address", reason=errors.DNS)
        for index, (family, kind, protocol, _, address) in enumerate(addresses):
            share = self.deadline.check_remaining(doing, retryable=True) / (len(addresses) - index)
            sock = socket.socket(family, kind, protocol)
            try:
                self._check_address(address[0], target)
                sock.settimeout(share)
                with _convert_socket_errors(doing, self.deadline, is_connecting=True):
                    sock.connect(address)
                    peer = sock.getpeername()[0]
                self._check_address(peer, target)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except ExternalError as error:
                sock.close()
                if error.reason == errors.FORBIDDEN:
                    raise
                failure = error
            else:
                return sock
        raise failure

    def open_unix_connection(self, path: str) -> Connection:
        """Return a connection to the socket at `path`; raises ExternalError."""
        doing = f"connecting to {path}"
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(self.deadline.check_remaining(doing, retryable=True))
            with _convert_socket_errors(doing, self.deadline, is_connecting=True):
                sock.connect(path)
        except ExternalError:
            sock.close()
            raise
        return Connection(sock, self.deadline)

    def _check_address(self, address: str, target: str) -> None:
        if self.is_forbidden(ip_address(address.partition("%")[0])):
            raise ExternalError(f"{target} is a link-local or metadata address", reason=errors.FORBIDDEN)


def build_network_policy(settings: Settings, environ: Mapping[str, str], deadline: Deadline) -> NetworkPolicy:
    """Return how a source, a channel or a command may connect until the deadline."""
    proxies = {name: text for name, text in environ.items() if name.lower() in _PROXIES}
    return NetworkPolicy(deadline, settings[CA_FILE], proxies)


class Connection:
    """One connected socket, plain or TLS; every operation ends at the deadline."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock = sock
        self._deadline = deadline

    def read(self, max_bytes: int) -> bytes:
        """Return at most `max_bytes`, none at the end of the stream; raises ExternalError."""
        doing = "waiting for its answer"
        with _convert_socket_errors(doing, self._deadline):
            self._sock.settimeout(self._deadline.check_remaining(doing))
            return self._sock.recv(max_bytes)

    def write(self, data: bytes) -> None:
        """Send all of the bytes; raises ExternalError."""
        doing = "sending the question"
        with _convert_socket_errors(doing, self._deadline):
            self._sock.settimeout(self._deadline.check_remaining(doing))
            self._sock.sendall(data)

    def start_tls(self, context: ssl.SSLContext, name: str | None) -> Connection:
        """Return the same connection under TLS, the certificate verified for `name`; raises ExternalError."""
        doing = "in the TLS handshake"
        if isinstance(self._sock, ssl.SSLSocket):
            raise ExternalError("TLS inside of TLS is not spoken here", reason=errors.TLS)
        try:
            with _convert_socket_errors(doing, self._deadline, is_connecting=True):
                self._sock.settimeout(self._deadline.check_remaining(doing, retryable=True))
                return Connection(context.wrap_socket(self._sock, server_hostname=name), self._deadline)
        except ExternalError:
            self.close()
            raise

    def close(self) -> None:
        self._sock.close()

    def close_both_ways(self) -> None:
        """Close so that the peer keeps nothing: wait for its end, and reset it where it does not come.

        A peer that never closes would keep the connection half closed (CLOSE_WAIT) for as long as it runs.
        """
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_WR)
            self._sock.settimeout(_CLOSE_SEC)
            while self._sock.recv(4096):
                pass
            self._sock.close()
            return
        with suppress(OSError):
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()


@contextmanager
def _convert_socket_errors(doing: str, deadline: Deadline, *, is_connecting: bool = False) -> Iterator[None]:
    """Convert the exceptions of a socket to ExternalError; what failed before it was sent may be retried."""
    try:
        yield
    except OSError as error:
        raise _to_external_error(error, doing, deadline, retryable=is_connecting) from None
    except UnicodeError:  # a host name that IDNA cannot encode
        raise ExternalError(f"the name cannot be looked up ({doing})", reason=errors.DNS) from None


def _to_external_error(error: OSError, doing: str, deadline: Deadline, retryable: bool) -> ExternalError:
    if isinstance(error, TimeoutError):
        return deadline.build_timeout_error(doing, retryable=retryable)
    _, template, reason = next(entry for entry in _ERROR_KINDS if isinstance(error, entry[0]))
    why = getattr(error, "verify_message", None) or error.strerror or type(error).__name__
    final = reason == errors.TLS or (reason == errors.DNS and error.errno != socket.EAI_AGAIN)
    message = template.format(why=why, doing=doing)
    return ExternalError(message, reason=reason, permanent=final or not retryable)


_ERROR_KINDS: tuple[tuple[type[OSError], str, str], ...] = (
    (socket.gaierror, "the name is not known ({doing})", errors.DNS),
    (ssl.SSLCertVerificationError, "its certificate is not accepted: {why}", errors.TLS),
    (ssl.SSLEOFError, "the connection broke off ({doing})", errors.RESET),
    (ssl.SSLError, "TLS failed: {why}", errors.TLS),
    (ConnectionRefusedError, "the connection was refused ({doing})", errors.REFUSED),
    (ConnectionError, "the connection broke off ({doing})", errors.RESET),
    (FileNotFoundError, "there is no such socket ({doing})", errors.UNREADABLE),
    (PermissionError, "this user may not open it ({doing})", errors.UNREADABLE),
    (OSError, "{why} ({doing})", errors.UNREACHABLE),
)
