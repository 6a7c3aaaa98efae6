"""The collector component, and what it imports: what responses say of limits is read in a sandbox, and kept in files that
all processes of the machine share. It needs the wasmtime wheel."""

from __future__ import annotations

import os
import re
import threading
from dataclasses import dataclass, field
from datetime import datetime, timezone
from importlib import resources
from pathlib import Path
from typing import Any, Callable, Mapping, Sequence

import wasmtime
from wasmtime import component
from wasmtime.component import Record, Variant

from . import effects
from .cache import CacheError, SignalCache, check_name, default_root
from .effects import Failed, Unusable, no_quota, probe
from .values import instant, nanoseconds, record

__all__ = [
    "CacheError",
    "Cached",
    "Collector",
    "Failed",
    "Observation",
    "SignalCache",
    "Unusable",
    "default_root",
    "no_quota",
    "probe",
]

PACKAGE = "runtime-signals:signals"
VERSION = "0.1.0"
MEMORY_BYTES = 64 << 20
"""What the component may use of memory."""
STACK_BYTES = 256 << 10
FUEL = 2_000_000_000
"""What one call may compute: about a second."""

Headers = Mapping[str, str | bytes] | Sequence[tuple[str, str | bytes]]


@dataclass
class Observation:
    """One finished call to a provider."""

    provider: str
    provider_type: str
    status: int = 0
    """HTTP status; 0 when there was no response."""
    headers: Headers = field(default_factory=list)
    body: bytes | None = None
    """The start of the body; of errors, mostly."""
    latency_s: float = 0.0
    ttfb_s: float | None = None
    account: str | None = None
    model: str | None = None
    error: str | None = None
    """Why there is no response."""
    received_at: datetime | None = None
    """With a time zone; None means now."""


@dataclass(frozen=True)
class Cached:
    """What is on disk of a provider."""

    signal: str
    """JSON."""
    fresh: bool
    age_s: float


def _component_bytes() -> bytes:
    if folder := os.environ.get("RUNTIME_SIGNALS_COMPONENTS"):
        return Path(folder, "collector.wasm").read_bytes()
    return resources.files(__package__).joinpath("collector.wasm").read_bytes()


class Collector:
    """Hosts the collector component. Safe for use by many threads: calls take turns.

    `probe` and `quota` replace the liveness check and the quota harness; `now` is the clock.
    """

    def __init__(
        self,
        cache: SignalCache | None = None,
        *,
        probe: Callable[[str, str], None | Failed | Unusable] = effects.probe,
        quota: Callable[[str, bool], dict[str, Any]] = effects.no_quota,
        now: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
        wasm: bytes | None = None,
    ) -> None:
        self.cache = cache if cache is not None else SignalCache(now=now)
        self._probe, self._quota, self._now = probe, quota, now
        self._lock = threading.Lock()
        self._wanted: dict[str, tuple[list[Record], bool]] = {}
        self._claims: set[str] = set()
        config = wasmtime.Config()
        config.consume_fuel = True
        config.max_wasm_stack = STACK_BYTES
        self._engine = wasmtime.Engine(config)
        self._component = component.Component(self._engine, wasm if wasm is not None else _component_bytes())
        self._linker = component.Linker(self._engine)
        self._link()
        self._start()

    def record_response(self, observation: Observation) -> None:
        """Records one response in memory."""
        self._call("record-response", self._packed(observation))

    def collect(self, provider: str, provider_type: str, base_url: str = "") -> str:
        """The signal's JSON as of now, with a live check where the type asks for one. Nothing is written."""
        return self._ask("collect", provider, record(provider_type=provider_type, base_url=base_url))

    def observe(self, provider: str, provider_type: str, latency_s: float, error: str | None = None) -> str:
        """After a call that was recorded: collects from memory and persists. An error of the call is recorded."""
        return self._ask("observe", provider, provider_type, nanoseconds(latency_s), redacted(error))

    def observe_response(self, observation: Observation) -> str:
        """Records, collects from memory and persists."""
        return self._call("observe-response", self._packed(observation))

    def warmup(self, provider: str, provider_type: str, base_url: str = "") -> str:
        """Refreshes with a live look at the evidence, and writes durably."""
        return self._ask("warmup", provider, record(provider_type=provider_type, base_url=base_url))

    def read_cached(self, provider: str) -> Cached | None:
        """What is on disk; None where there is none or it is no signal."""
        cached = self._ask("read-cached", provider)
        if cached is None:
            return None
        return Cached(cached.signal, cached.fresh, getattr(cached, "age-ns") / 1e9)

    def _start(self) -> None:
        self._store = wasmtime.Store(self._engine)
        self._store.set_limits(memory_size=MEMORY_BYTES)
        self._store.set_fuel(FUEL)
        self._instance = self._linker.instantiate(self._store, self._component)
        interface = self._instance.get_export_index(self._store, f"{PACKAGE}/collection@{VERSION}")
        if interface is None:
            raise ValueError(f"the component does not export collection@{VERSION}: it is not the collector")
        self._exports = interface

    def _ask(self, name: str, provider: str, *arguments: Any) -> Any:
        """Calls a function whose first argument is a provider's name."""
        if provider:
            check_name(provider)
        return self._call(name, provider, *arguments)

    def _call(self, name: str, *arguments: Any) -> Any:
        with self._lock:
            if self._instance is None:
                self._start()
            index = self._instance.get_export_index(self._store, name, self._exports)
            function = self._instance.get_func(self._store, index)
            self._store.set_fuel(FUEL)
            try:
                answer = function(self._store, *arguments)
            except Exception:
                # An instance that has trapped is not used again; what is on disk is taken in anew.
                for claimed in self._claims:
                    self.cache.end_refresh(claimed, "the component failed")
                self._claims.clear()
                self._instance = None
                raise
        if isinstance(answer, Variant):
            raise CacheError(answer.tag, answer.payload)
        return answer

    def _packed(self, observation: Observation) -> Record:
        """The observation without the headers and the body that nobody reads: no cookie gets in."""
        if observation.provider:
            check_name(observation.provider)
        wanted, all_bodies = self._wants(observation.provider_type)
        headers = observation.headers
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        body = observation.body if all_bodies or not 0 < observation.status < 400 else None
        return record(
            provider=observation.provider,
            provider_type=observation.provider_type,
            scope=record(account=observation.account, model=observation.model),
            status=observation.status,
            headers=[
                (name, value if isinstance(value, bytes) else value.encode("latin-1", "replace"))
                for name, value in pairs
                if any(_is_wanted(name.lower(), header) for header in wanted)
            ],
            body_excerpt=None if body is None else body[:65536],
            latency_ns=nanoseconds(observation.latency_s),
            ttfb_ns=None if observation.ttfb_s is None else nanoseconds(observation.ttfb_s),
            error=redacted(observation.error),
            received_at=None if observation.received_at is None else instant(observation.received_at),
        )

    def _wants(self, provider_type: str) -> tuple[list[Record], bool]:
        if provider_type not in self._wanted:
            wanted = self._call("describe", provider_type)
            self._wanted[provider_type] = (wanted.headers, getattr(wanted, "all-bodies"))
        return self._wanted[provider_type]

    def _link(self) -> None:
        """Offers the component its four capabilities."""
        capabilities: dict[str, dict[str, Callable[..., Any]]] = {
            "clock": {"now": lambda _: instant(self._now())},
            "probe": {
                "check-alive": lambda _, kind, base: effects.probe_outcome(self._probe(kind, base)),
            },
            "quota-harness": {
                "quota-status": lambda _, name: effects.quota_status(self._quota(name, False)),
                "refresh-quota": lambda _, name: effects.quota_status(self._quota(name, True)),
            },
            "signal-cache": {
                "get-settings": lambda _: record(
                    ttl_ns=nanoseconds(self.cache.ttl_s),
                    refresh_deadline_ns=nanoseconds(self.cache.refresh_deadline_s),
                ),
                "read": lambda _, name: self._entry(name),
                "replace": lambda _, *arguments: _tagged(lambda: self._replaced(*arguments)),
                "claim-refresh": lambda _, name: _or_error(lambda: self._claimed(name)),
                "end-refresh": lambda _, name, failure: _or_error(lambda: self._ended(name, failure)),
            },
        }
        with self._linker.root() as root:
            for interface, functions in capabilities.items():
                with root.add_instance(f"{PACKAGE}/{interface}@{VERSION}") as instance:
                    for name, function in functions.items():
                        instance.add_func(name, function)

    def _entry(self, name: str) -> Record | None:
        # The wheel cannot pass an error where success is an option: it takes every value for that of the option. So
        # names are checked beforehand, and a file that cannot be read ends the call and is raised from there.
        stored = self.cache.read(name)
        return None if stored is None else record(json=stored[0], modified=instant(stored[1]))

    def _replaced(self, name: str, seen: str | None, text: str, durability: str) -> Variant:
        done, stored = self.cache.replace(name, seen, text, durability == "durable")
        return Variant("written") if done else Variant("changed", stored)

    def _claimed(self, name: str) -> str:
        if not self.cache.claim_refresh(name):
            return "joined"
        self._claims.add(name)
        return "claimed"

    def _ended(self, name: str, failure: str | None) -> None:
        self._claims.discard(name)
        self.cache.end_refresh(name, failure)


def redacted(error: str | None) -> str | None:
    """An error without what addresses and credentials give away."""
    if error is None:
        return None
    error = re.sub(r"(\w+://)(?:[^\s/@]*@)?([^\s/?#\\\"'(),;]*)[^\s\"'(),;]*", r"\1\2", error)
    return re.sub(r"(?i)\b(bearer|basic|(?:x-)?api[-_]?key\s*[:=]|(?:token|secret|password)\s*[:=])\s*\S+", r"\1 [removed]", error)


def _is_wanted(name: str, wanted: Record) -> bool:
    match wanted.kind:
        case "exact":
            return name == wanted.name
        case "prefix":
            return name.startswith(wanted.name)
        case _:
            return name.endswith(wanted.name)


def _or_error(work: Callable[[], Any]) -> Any:
    try:
        return work()
    except CacheError as failure:
        return Variant(failure.kind, str(failure))
    except OSError as error:
        return Variant("io", f"cannot use {error.filename}: {error.strerror}")


def _tagged(work: Callable[[], Variant]) -> Variant:
    """For a result whose two sides are both variants."""
    answer = _or_error(work)
    return Variant("ok" if answer.tag in ("written", "changed") else "err", answer)
