"""Which provider a request goes to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Provider:
    """A provider as the service knows it."""

    name: str
    type: str
    """How its responses are read: `openai`, `anthropic` … (docs/providers.md)."""
    base_url: str
    """Requests to this address and below are requests to this provider."""
    account: str | None = None
    """Whose limits they count against, where several accounts share the name."""


class Providers:
    """Finds the provider of an address; of several, the one with the longest base URL."""

    def __init__(self, providers: Iterable[Provider]) -> None:
        bases = [(_normal(provider.base_url), provider) for provider in providers]
        self._bases = sorted(bases, key=lambda base: len(base[0]), reverse=True)

    def find(self, url: str) -> Provider | None:
        """The provider of a request to `url`; None where it is nobody's."""
        try:
            path = _normal(url) + "/"
        except ValueError:
            return None
        return next((provider for base, provider in self._bases if path.startswith(base + "/")), None)


def _normal(url: str) -> str:
    parts = urlsplit(url)
    scheme, host = parts.scheme.lower(), parts.hostname or ""
    if scheme not in ("http", "https") or not host:
        raise ValueError("the base URL of a provider needs http:// or https:// and a host")
    port = parts.port or {"http": 80, "https": 443}[scheme]
    return f"{scheme}://{host}:{port}{parts.path.rstrip('/')}"
