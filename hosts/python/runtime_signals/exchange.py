"""What is told of one call: status, headers, times, and why it failed. No request header, no address, no cookie."""

from __future__ import annotations

import re
import time
import zlib
from datetime import datetime, timezone
from typing import Any, Iterable

from .provider import Provider
from .service import Service

_MOST_HEADERS = 200
_MOST_HEADER_BYTES = 32 << 10
MOST_BODY_BYTES = 8 << 10
_SECRET = re.compile(
    r"(^|[-_.])(apikey|auth|authentication|authenticate|authorization|bearer|cookie2?|credentials?|csrf|jwt|keys?"
    r"|password|secret|session)([-_.]|$)"
)
_TOKEN = re.compile(r"(^|[-_.])token([-_.]|$)")
_COUNTED = re.compile(r"(^|[-_.])(limit|quota|ratelimit|remaining|reset|usage)([-_.]|$)")
_ADDRESSES = frozenset(("location", "content-location", "link", "refresh"))


def tells_why(status: int) -> bool:
    """Is the body of such a response needed to know why the provider refused? Those that repeat what was sent are not."""
    return status in (402, 403, 429) or status >= 500


def harmless(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The headers without credentials, cookies and addresses, and without what is too much."""
    kept: list[tuple[str, str]] = []
    room = _MOST_HEADER_BYTES
    for name, value in headers:
        name = name.lower()
        secret = _SECRET.search(name) or _TOKEN.search(name) and not _COUNTED.search(name) or name in _ADDRESSES
        size = len(name) + len(value)
        if secret or size > room:
            continue
        room -= size
        kept.append((name, value))
        if len(kept) == _MOST_HEADERS:
            break
    return kept


def observation(provider: Provider, *, latency_s: float, **more: Any) -> dict[str, Any]:
    """One finished call, as `POST /v1/observations` takes it. What is None is left out."""
    given = {
        "provider": provider.name,
        "type": provider.type,
        "account": provider.account,
        "latency_ms": round(max(0.0, latency_s) * 1000, 3),
        "at": datetime.now(timezone.utc).isoformat(),
        **more,
    }
    return {name: value for name, value in given.items() if value is not None}


class Exchange:
    """One call under way. It is told of once, at its end."""

    def __init__(self, service: Service, provider: Provider, host: str, model: str | None) -> None:
        self._service, self._provider, self._host, self._model = service, provider, host, model
        self._sent = time.perf_counter()
        self._status: int | None = None
        self._headers: list[tuple[str, str]] = []
        self._first: float | None = None
        self._body = bytearray()
        self._wants_body = self._ended = False

    def respond(self, status: int, headers: Iterable[tuple[str, str]]) -> None:
        """The head of the response is there."""
        self._status, self._headers = status, harmless(headers)
        self._wants_body = tells_why(status)

    def receive(self, part: bytes) -> None:
        """A part of the body is there, as it was sent."""
        if self._first is None and part:
            self._first = time.perf_counter()
        if self._wants_body and len(self._body) < MOST_BODY_BYTES:
            self._body += part[: MOST_BODY_BYTES - len(self._body)]

    def fail(self, error: BaseException) -> None:
        """It broke off. Of the error, its kind and the host are told, for its text may hold an address."""
        self.end(f"{type(error).__name__}: {self._host}")

    def end(self, error: str | None = None) -> None:
        """It is over, by itself or by the will of the caller."""
        if self._ended:
            return
        self._ended = True
        now = time.perf_counter()
        first = self._first if self._first is not None else now
        self._service.observe(
            observation(
                self._provider,
                latency_s=now - self._sent,
                status=self._status,
                headers=self._headers,
                ttfb_ms=None if self._status is None else round((first - self._sent) * 1000, 3),
                model=self._model,
                body=self._text() or None,
                error=error,
            )
        )

    def _text(self) -> str:
        encoding = next((value for name, value in self._headers if name == "content-encoding"), "identity").lower()
        body = bytes(self._body)
        if encoding in ("gzip", "deflate"):
            try:
                body = zlib.decompressobj(wbits=47).decompress(body, MOST_BODY_BYTES)
            except zlib.error:
                return ""
        elif encoding != "identity":
            return ""
        return body.decode("utf-8", "replace")
