"""httpx over this program's connections: with the deadline, the forbidden addresses and verified TLS."""

from __future__ import annotations

import logging
import ssl
import zlib
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_address, ip_network
from typing import Any

import httpcore
import httpx

from detector.clients.connection import Connection, NetworkPolicy, build_tls_context
from detector.formats.errors import ENCODING, PROXY, TOO_LARGE, ExternalError
from detector.formats.strict_json import redact_excerpt

MAX_BYTES = 8 * 1024 * 1024
# Its trace holds the headers of answers, such as the target of a redirect, and those can hold secrets.
logging.getLogger("httpcore").setLevel(logging.CRITICAL + 1)
_HTTPS = 443
_CHUNK_BYTES = 64 * 1024
_GZIP_OR_ZLIB = 47  # zlib's window bits: either header is accepted


class Transport(httpx.BaseTransport):
    """One request over one connection; through the environment's proxy where the target uses TLS.

    A plain-text request never uses a proxy: the proxy could read the credentials, and the address that it
    connects to could not be checked.
    """

    def __init__(self, network: NetworkPolicy, socket_path: str | None = None) -> None:
        self._network = network
        self._socket_path = socket_path
        self._pool: httpcore.ConnectionPool | None = None
        self._backend = _Backend(network)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request and return the response with an unread body; raises ExternalError."""
        url = request.url
        proxy = _choose_proxy(self._network.proxies, url.host, url.port) if url.scheme == "https" else None
        self._pool = self._build_pool(url, proxy)
        try:
            answer = self._pool.handle_request(
                httpcore.Request(
                    method=request.method,
                    url=httpcore.URL(
                        scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
                    ),
                    headers=[*request.headers.raw, (b"connection", b"close")],
                    content=request.stream,
                )
            )
        except (ExternalError, httpcore.ProtocolError) as error:
            if proxy is None or self._backend.is_secure:
                raise
            raise _convert_proxy_error(error) from None
        return httpx.Response(answer.status, headers=answer.headers, stream=_BodyStream(answer.stream))

    def _build_pool(self, url: httpx.URL, proxy: httpcore.Proxy | None) -> httpcore.ConnectionPool:
        return httpcore.ConnectionPool(
            ssl_context=build_tls_context(self._network.ca_file) if url.scheme == "https" else None,
            proxy=proxy,
            uds=self._socket_path,
            network_backend=self._backend,
        )

    def close(self) -> None:
        """Close the connection."""
        if self._pool is not None:
            self._pool.close()


def _convert_proxy_error(error: Exception) -> ExternalError:
    """Return the error of a proxy that led nowhere: nothing was sent to the target."""
    why = str(error) if isinstance(error, ExternalError) else "what it answered is no tunnel"
    permanent = not isinstance(error, ExternalError) or error.permanent
    return ExternalError(f"the proxy of the environment: {why}", reason=PROXY, permanent=permanent)


def _choose_proxy(proxies: Any, host: str, port: int | None) -> httpcore.Proxy | None:
    by_name = {name.lower(): value for name, value in proxies.items()}
    text = (by_name.get("https_proxy") or by_name.get("all_proxy") or "").strip()
    if not text or _is_bypassed(host, port or _HTTPS, by_name.get("no_proxy", "")):
        return None
    try:
        url = httpx.URL(text if "://" in text else f"http://{text}")
    except httpx.InvalidURL:
        raise ExternalError("the proxy of the environment is no address", reason=PROXY) from None
    if url.scheme != "http":
        raise ExternalError("the proxy of the environment is not an http:// one", reason=PROXY)
    auth = (url.username, url.password) if url.username else None
    return httpcore.Proxy(f"http://{url.netloc.decode('ascii')}", auth=auth)


def _is_bypassed(host: str, port: int, no_proxy: str) -> bool:
    """Whether NO_PROXY names the host, a domain above it, its network, or the host with its port."""
    names = [name.strip().lower().lstrip(".") for name in no_proxy.split(",")]
    return any(
        name in ("*", f"{host}:{port}") or f".{host}".endswith(f".{name}") or _is_in_network(host, name)
        for name in names
        if name
    )


def _is_in_network(host: str, name: str) -> bool:
    try:
        return "/" in name and ip_address(host) in ip_network(name, strict=False)
    except ValueError:
        return False


def read_body(response: httpx.Response, headers: Mapping[str, str]) -> bytes:
    """Return the body decompressed, at most MAX_BYTES of it; raises ExternalError."""
    length = headers.get("content-length", "")
    if length.isdigit() and int(length[:12]) > MAX_BYTES:
        raise _build_too_large_error()
    body = bytearray()
    for chunk in _decode_chunks(
        response.iter_raw(_CHUNK_BYTES), headers.get("content-encoding", "").strip().lower()
    ):
        body += chunk
        if len(body) > MAX_BYTES:
            raise _build_too_large_error()
    return bytes(body)


def _decode_chunks(raw: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """Yield the decompressed body in small chunks, so that a decompression bomb is noticed early."""
    if encoding in ("", "identity"):
        yield from raw
        return
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise ExternalError(
            f"its content encoding {redact_excerpt(encoding)!r} was not asked for", reason=ENCODING
        )
    decompressor: Any = zlib.decompressobj(wbits=_GZIP_OR_ZLIB)
    try:
        for chunk in raw:
            rest = chunk
            while rest:
                if decompressor.eof:  # RFC 1952 allows several members, one after the other
                    decompressor = zlib.decompressobj(wbits=_GZIP_OR_ZLIB)
                yield decompressor.decompress(rest, _CHUNK_BYTES)
                rest = decompressor.unconsumed_tail or decompressor.unused_data
        yield decompressor.flush()
    except zlib.error:
        raise ExternalError("its compressed body cannot be unpacked", reason=ENCODING) from None
    if not decompressor.eof:
        raise ExternalError("its compressed body ends too early", reason=ENCODING)


def _build_too_large_error() -> ExternalError:
    return ExternalError(f"its body is over {MAX_BYTES // (1024 * 1024)} MiB", reason=TOO_LARGE)


class _BodyStream(httpx.SyncByteStream):
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        yield from self._stream

    def close(self) -> None:
        self._stream.close()


class _Backend(httpcore.NetworkBackend):
    """This program's connections as httpcore's backend; the deadline replaces every timeout.

    `is_secure` is whether TLS began: through a proxy, that it leads to the target.
    """

    def __init__(self, network: NetworkPolicy) -> None:
        self._network = network
        self.is_secure = False

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        return _Stream(self._network.open_connection(host, port), self)

    def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._network.open_unix_connection(path), self)


class _Stream(httpcore.NetworkStream):
    def __init__(self, connection: Connection, backend: _Backend) -> None:
        self._connection = connection
        self._backend = backend

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._connection.read(max_bytes)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._connection.write(buffer)

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        self._backend.is_secure = True
        return _Stream(self._connection.start_tls(ssl_context, server_hostname), self._backend)

    def close(self) -> None:
        self._connection.close()

    def get_extra_info(self, info: str) -> Any:
        return None
