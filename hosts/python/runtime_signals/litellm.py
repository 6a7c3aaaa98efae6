"""A callback for LiteLLM that observes calls to providers, and asks before them where it is told to.

    litellm.callbacks = [SignalsLogger()]
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timezone
from typing import Any, Iterable, Mapping
from urllib.parse import urlsplit

import litellm
from litellm.integrations.custom_logger import CustomLogger

from .exchange import MOST_BODY_BYTES, harmless, observation, tells_why
from .gate import Before, Gate, ProviderBusy
from .provider import Provider, Providers
from .service import Service

_PROVIDERS_FAULT = (
    litellm.APIConnectionError,
    litellm.Timeout,
    litellm.InternalServerError,
    litellm.ServiceUnavailableError,
    litellm.BadGatewayError,
    litellm.exceptions.MidStreamFallbackError,
)


class SignalsLogger(CustomLogger):
    """Observes every call that LiteLLM makes.

    A call whose API base is that of one of `providers` is that provider's; any other goes by LiteLLM's own name of the
    provider (`openai`, `anthropic` …), which is its type as well.

    `before` says what to do ahead of a call: `send` it, `wait` until it can pass (at most `max_wait_s`), or `fail`: raise
    `litellm.RateLimitError` where it cannot. It holds for `acompletion` and the other asynchronous calls, and for
    routers; ahead of a synchronous call LiteLLM lets no callback say no, so that one asks by `check`.
    """

    def __init__(
        self,
        providers: Iterable[Provider] = (),
        *,
        service: Service | None = None,
        before: Before = "send",
        max_wait_s: float = 30.0,
    ) -> None:
        super().__init__()
        self.service = service if service is not None else Service()
        self._providers = Providers(providers)
        self._gate = Gate(self.service, before, max_wait_s)
        self._at_once = Gate(self.service, "fail", 0.0)

    def check(self, model: str, *, api_base: str | None = None) -> None:
        """Raises `litellm.RateLimitError` where a call to the model cannot pass now, so far as is known."""
        provider, model = self._find(model, api_base, None)
        try:
            self._at_once.pause(provider, model, self._at_once.deadline())
        except ProviderBusy as busy:
            raise _refusal(busy, provider, model) from None

    async def async_pre_call_deployment_hook(self, kwargs: dict[str, Any], call_type: Any) -> dict[str, Any] | None:
        """Before an asynchronous call."""
        if self._gate.is_open or not isinstance(kwargs.get("model"), str):
            return None
        provider, model = self._find(kwargs["model"], kwargs.get("api_base"), kwargs.get("custom_llm_provider"))
        deadline = self._gate.deadline()
        try:
            while pause := await asyncio.to_thread(self._gate.pause, provider, model, deadline):
                await asyncio.sleep(pause)
        except ProviderBusy as busy:
            raise _refusal(busy, provider, model) from None
        return None

    async def async_filter_deployments(
        self,
        model: str,
        healthy_deployments: list[Any],
        messages: Any,
        request_kwargs: dict[str, Any] | None = None,
        parent_otel_span: Any = None,
    ) -> list[Any]:
        """Leaves a router those deployments that can take the call now; all of them where none can."""
        if self._gate.is_open or len(healthy_deployments) < 2:
            return healthy_deployments
        asked = [asyncio.to_thread(self._can_take, deployment) for deployment in healthy_deployments]
        can = await asyncio.gather(*asked)
        able = [deployment for deployment, takes in zip(healthy_deployments, can) if takes]
        return able or healthy_deployments

    def log_success_event(self, kwargs: dict[str, Any], response_obj: Any, start_time: datetime, end_time: datetime) -> None:
        """After a call that was answered."""
        # Nobody was called for what comes from a cache.
        if not kwargs.get("cache_hit"):
            self._observe(kwargs, end_time, status=200, headers=_pairs(kwargs.get("response_headers")))

    async def async_log_success_event(
        self, kwargs: dict[str, Any], response_obj: Any, start_time: datetime, end_time: datetime
    ) -> None:
        """The same for an asynchronous call."""
        self.log_success_event(kwargs, response_obj, start_time, end_time)

    def log_failure_event(self, kwargs: dict[str, Any], response_obj: Any, start_time: datetime, end_time: datetime) -> None:
        """After a call that failed."""
        error = kwargs.get("exception")
        response = getattr(error, "response", None)
        headers = _pairs(getattr(error, "litellm_response_headers", None) or getattr(response, "headers", None))
        status = getattr(error, "status_code", None)
        if headers and isinstance(status, int):
            # LiteLLM gives errors without a response a status too, but no headers.
            body = _body(response) if tells_why(status) else None
            self._observe(kwargs, end_time, status=status, headers=headers, body=body)
        elif isinstance(error, _PROVIDERS_FAULT):
            host = urlsplit(_api_base(kwargs) or "").hostname
            self._observe(kwargs, end_time, error=f"{type(error).__name__}: {host or kwargs.get('custom_llm_provider')}")

    async def async_log_failure_event(
        self, kwargs: dict[str, Any], response_obj: Any, start_time: datetime, end_time: datetime
    ) -> None:
        """The same for an asynchronous call."""
        self.log_failure_event(kwargs, response_obj, start_time, end_time)

    def _observe(self, kwargs: dict[str, Any], end: datetime, **found: Any) -> None:
        sent = kwargs.get("current_attempt_api_call_start_time") or kwargs.get("api_call_start_time")
        if sent is None:
            # It did not come as far as the provider.
            return
        first = kwargs.get("completion_start_time") if kwargs.get("stream") else None
        provider, model = self._find(kwargs["model"], _api_base(kwargs), kwargs.get("custom_llm_provider"))
        self.service.observe(
            observation(
                provider,
                latency_s=(end - sent).total_seconds(),
                at=end.astimezone(timezone.utc).isoformat(),
                ttfb_ms=None if first is None else max(0.0, (first - sent).total_seconds() * 1000),
                model=model,
                **found,
            )
        )

    def _find(self, model: str, api_base: str | None, name: str | None) -> tuple[Provider, str]:
        """The provider, and the model as the provider calls it."""
        provider = self._providers.find(api_base) if api_base else None
        if provider is not None and model.startswith(f"{provider.type}/"):
            return provider, model.removeprefix(f"{provider.type}/")
        try:
            model, name, _, _ = litellm.get_llm_provider(model, name, api_base)
        except litellm.exceptions.BadRequestError:
            name = name or "unknown"
        return provider or Provider(name, name, ""), model

    def _can_take(self, deployment: Mapping[str, Any]) -> bool:
        parameters = deployment.get("litellm_params") or {}
        model, base = parameters.get("model"), parameters.get("api_base")
        if not isinstance(model, str):
            return True
        provider, model = self._find(model, base, parameters.get("custom_llm_provider"))
        try:
            return not self._gate.pause(provider, model, self._at_once.deadline())
        except ProviderBusy:
            return False


def _refusal(busy: ProviderBusy, provider: Provider, model: str) -> litellm.RateLimitError:
    return litellm.RateLimitError(str(busy), provider.type, model)


def _api_base(kwargs: Mapping[str, Any]) -> str | None:
    base = (kwargs.get("litellm_params") or {}).get("api_base")
    return base if isinstance(base, str) and base else None


def _pairs(headers: Any) -> list[tuple[str, str]]:
    if headers is None or not hasattr(headers, "items"):
        return []
    return harmless((str(name), str(value)) for name, value in headers.items())


def _body(response: Any) -> str | None:
    try:
        return response.text[:MOST_BODY_BYTES] or None
    except Exception:  # A stream that was not read, or that is closed.
        return None
