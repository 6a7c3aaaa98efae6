"""Transports for httpx that observe calls to providers, and ask before them where they are told to.

    client = httpx.Client(transport=SignalsTransport([Provider("openai", "openai", "https://api.openai.com")]))
"""

from __future__ import annotations

import json
import time
from typing import AsyncIterator, Callable, Iterable, Iterator

import anyio
import anyio.to_thread
import httpx

from .exchange import Exchange
from .gate import Before, Gate, ProviderBusy
from .provider import Provider, Providers
from .service import Service

_PROVIDERS_FAULT = (httpx.NetworkError, httpx.TimeoutException, httpx.RemoteProtocolError)
_MOST_REQUEST_BYTES = 1 << 20


def model_in_json(request: httpx.Request) -> str | None:
    """The `model` of a JSON body that is in memory already."""
    try:
        content = request.content
        if len(content) > _MOST_REQUEST_BYTES or "json" not in request.headers.get("content-type", ""):
            return None
        model = json.loads(content)["model"]
    except (httpx.RequestNotRead, ValueError, KeyError, TypeError):
        return None
    return model if isinstance(model, str) else None


class _Hook:
    def __init__(
        self,
        providers: Iterable[Provider],
        service: Service | None,
        before: Before,
        max_wait_s: float,
        model_of: Callable[[httpx.Request], str | None],
    ) -> None:
        self.service = service if service is not None else Service()
        """What is observed goes there."""
        self._providers = Providers(providers)
        self._gate = Gate(self.service, before, max_wait_s)
        self._model_of = model_of

    def _begin(self, request: httpx.Request, provider: Provider, model: str | None) -> Exchange:
        return Exchange(self.service, provider, request.url.host, model)


def _refusal(request: httpx.Request, busy: ProviderBusy) -> httpx.Response:
    """What an exhausted provider would answer, so that clients treat it alike. The header tells it from that."""
    headers = {"content-type": "text/plain", "x-runtime-signals": "refused"}
    if busy.retry_after is not None:
        headers["retry-after"] = busy.retry_after
    return httpx.Response(429, headers=headers, text=f"{busy}\n", request=request)


def _is_providers_fault(error: BaseException) -> bool:
    # A pool with no free connection is the caller's own.
    return isinstance(error, _PROVIDERS_FAULT) and not isinstance(error, httpx.PoolTimeout)


class SignalsTransport(_Hook, httpx.BaseTransport):
    """Observes the calls that go to one of `providers`; others pass untouched.

    `before` says what to do ahead of a call: `send` it, `wait` until it can pass (at most `max_wait_s`), or `fail`:
    answer with 429 and Retry-After where it cannot. `transport` sends the requests; `model_of` finds a request's model.
    """

    def __init__(
        self,
        providers: Iterable[Provider],
        *,
        service: Service | None = None,
        transport: httpx.BaseTransport | None = None,
        before: Before = "send",
        max_wait_s: float = 30.0,
        model_of: Callable[[httpx.Request], str | None] = model_in_json,
    ) -> None:
        super().__init__(providers, service, before, max_wait_s, model_of)
        self._transport = transport if transport is not None else httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Sends a request."""
        provider = self._providers.find(str(request.url))
        if provider is None:
            return self._transport.handle_request(request)
        model = self._model_of(request)
        if not self._gate.is_open:
            deadline = self._gate.deadline()
            try:
                while pause := self._gate.pause(provider, model, deadline):
                    time.sleep(pause)
            except ProviderBusy as busy:
                return _refusal(request, busy)
        exchange = self._begin(request, provider, model)
        try:
            response = self._transport.handle_request(request)
        except Exception as error:
            if _is_providers_fault(error):
                exchange.fail(error)
            raise
        exchange.respond(response.status_code, response.headers.multi_items())
        if response.is_closed:
            # It came in one piece, as from a transport that is no network.
            exchange.end()
        else:
            response.stream = _Stream(response.stream, exchange)  # type: ignore[arg-type]
        return response

    def close(self) -> None:
        """Closes the transport. The service stays: others may use it."""
        self._transport.close()


class AsyncSignalsTransport(_Hook, httpx.AsyncBaseTransport):
    """The same for `httpx.AsyncClient`."""

    def __init__(
        self,
        providers: Iterable[Provider],
        *,
        service: Service | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        before: Before = "send",
        max_wait_s: float = 30.0,
        model_of: Callable[[httpx.Request], str | None] = model_in_json,
    ) -> None:
        super().__init__(providers, service, before, max_wait_s, model_of)
        self._transport = transport if transport is not None else httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Sends a request."""
        provider = self._providers.find(str(request.url))
        if provider is None:
            return await self._transport.handle_async_request(request)
        model = self._model_of(request)
        if not self._gate.is_open:
            ask = self._gate.pause
            deadline = self._gate.deadline()
            try:
                while pause := await anyio.to_thread.run_sync(ask, provider, model, deadline):
                    await anyio.sleep(pause)
            except ProviderBusy as busy:
                return _refusal(request, busy)
        exchange = self._begin(request, provider, model)
        try:
            response = await self._transport.handle_async_request(request)
        except Exception as error:
            if _is_providers_fault(error):
                exchange.fail(error)
            raise
        exchange.respond(response.status_code, response.headers.multi_items())
        if response.is_closed:
            # It came in one piece, as from a transport that is no network.
            exchange.end()
        else:
            response.stream = _AsyncStream(response.stream, exchange)  # type: ignore[arg-type]
        return response

    async def aclose(self) -> None:
        """Closes the transport. The service stays: others may use it."""
        await self._transport.aclose()


class _Stream(httpx.SyncByteStream):
    def __init__(self, stream: httpx.SyncByteStream, exchange: Exchange) -> None:
        self._stream, self._exchange = stream, exchange

    def __iter__(self) -> Iterator[bytes]:
        try:
            for part in self._stream:
                self._exchange.receive(part)
                yield part
        except Exception as error:
            if _is_providers_fault(error):
                self._exchange.fail(error)
            raise
        self._exchange.end()

    def close(self) -> None:
        self._exchange.end()
        self._stream.close()


class _AsyncStream(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream, exchange: Exchange) -> None:
        self._stream, self._exchange = stream, exchange

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for part in self._stream:
                self._exchange.receive(part)
                yield part
        except Exception as error:
            if _is_providers_fault(error):
                self._exchange.fail(error)
            raise
        self._exchange.end()

    async def aclose(self) -> None:
        self._exchange.end()
        await self._stream.aclose()
