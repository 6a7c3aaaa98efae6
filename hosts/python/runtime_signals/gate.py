"""Before a call: whether it can pass, and how long it has to wait."""

from __future__ import annotations

import math
import time
from typing import Literal

from .provider import Provider
from .service import Service

Before = Literal["send", "wait", "fail"]
"""What to do before a call: send it; wait until it can pass; or answer at once where it cannot."""
_NAP_S = 1.0
"""How long to wait before asking again: others may have found out more."""


class ProviderBusy(Exception):
    """The provider takes no such request now."""

    def __init__(self, provider: str, wait_s: float | None) -> None:
        self.provider, self.wait_s = provider, wait_s
        when = "of this size" if wait_s is None else f"for {math.ceil(wait_s)} s"
        super().__init__(f"the provider {provider} takes no request {when}")

    @property
    def retry_after(self) -> str | None:
        """Whole seconds, as in the header; None where waiting does not help."""
        return None if self.wait_s is None else str(max(1, math.ceil(self.wait_s)))


class Gate:
    """Asks the service before calls. Where it does not answer or knows nothing, calls pass."""

    def __init__(self, service: Service, before: Before, max_wait_s: float) -> None:
        if before not in ("send", "wait", "fail"):
            raise ValueError("before is send, wait or fail")
        self._service, self.is_open = service, before == "send"
        self._max_wait_s = max_wait_s if before == "wait" else 0.0

    def deadline(self) -> float:
        """When a call that comes now has waited long enough."""
        return time.monotonic() + self._max_wait_s

    def pause(self, provider: Provider, model: str | None, deadline: float) -> float:
        """Seconds to wait before asking again; 0 where the call can pass.

        Raises ProviderBusy where it cannot pass before the deadline.
        """
        answer = self._service.ask(provider.name, model=model, account=provider.account)
        if answer is None or answer.answer not in ("wait", "too_large"):
            return 0.0
        if answer.wait_s is None or time.monotonic() + answer.wait_s > deadline:
            raise ProviderBusy(provider.name, answer.wait_s)
        return min(answer.wait_s, _NAP_S)
