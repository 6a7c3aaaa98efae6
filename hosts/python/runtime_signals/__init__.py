"""Can I send this request to this LLM provider now; if not, when; and who can take it instead?

`runtime_signals.httpx` and `runtime_signals.litellm` observe calls for a runtime-signals service and ask it before them.
"""

from .gate import Before, ProviderBusy
from .provider import Provider
from .service import Answer, Counts, Service

__all__ = ["Answer", "Before", "Counts", "Provider", "ProviderBusy", "Service"]
