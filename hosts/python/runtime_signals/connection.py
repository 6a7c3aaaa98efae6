"""One request to the service, over TCP, TLS or its Unix socket."""

from __future__ import annotations

import http.client
import socket
from typing import Mapping
from urllib.parse import urlencode, urlsplit

_MOST_BYTES = 64 << 10
"""Longest answer that is read."""


class _SocketConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._socket_path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._socket_path)


class Target:
    """Where the service is, and with which token it is asked."""

    def __init__(self, url: str, token: str | None) -> None:
        parts = urlsplit(url)
        if not (parts.scheme in ("http", "https") and parts.hostname or parts.scheme == "unix" and parts.path):
            raise ValueError("the URL of a runtime-signals service begins with http://, https:// or unix:/")
        self._scheme, self._host, self._port, self._path = parts.scheme, parts.hostname or "", parts.port, parts.path
        self._headers = {"X-Runtime-Signals-Token": token} if token else {}

    def __str__(self) -> str:
        if self._scheme == "unix":
            return f"unix:{self._path}"
        return f"{self._scheme}://{self._host}" + (f":{self._port}" if self._port else "")

    def connect(self, timeout_s: float) -> http.client.HTTPConnection:
        """A connection that is open."""
        connection: http.client.HTTPConnection
        if self._scheme == "unix":
            connection = _SocketConnection(self._path, timeout_s)
        elif self._scheme == "https":
            connection = http.client.HTTPSConnection(self._host, self._port, timeout=timeout_s)
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=timeout_s)
        try:
            connection.connect()
        except OSError:
            connection.close()
            raise
        return connection

    def send(
        self, connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None
    ) -> tuple[int, bytes]:
        """The status and the body of the answer. The connection is closed then."""
        headers = {"Connection": "close", **self._headers}
        if body is not None:
            headers["Content-Type"] = "application/x-ndjson"
        base = "" if self._scheme == "unix" else self._path.rstrip("/")
        try:
            connection.request(method, base + path, body, headers)
            response = connection.getresponse()
            return response.status, response.read(_MOST_BYTES)
        finally:
            connection.close()

    def request(
        self, method: str, path: str, *, query: Mapping[str, object | None], timeout_s: float
    ) -> tuple[int, bytes]:
        """Connects and sends; what is None in the query is left out."""
        given = urlencode({name: value for name, value in query.items() if value is not None})
        return self.send(self.connect(timeout_s), method, f"{path}?{given}")
