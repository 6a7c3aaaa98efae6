"""A runtime-signals service as hooks use it: fed in the background, and asked before a call.

Nothing here harms the caller. Observing only appends to a bounded queue; a thread posts what is in it. Asking has a
short time-out, and is left alone for a second after it failed. What could not be delivered is counted.
"""

from __future__ import annotations

import atexit
import http.client
import json
import logging
import os
import threading
import time
import weakref
from collections import deque
from dataclasses import dataclass, replace
from typing import Any

from .connection import Target

DEFAULT_URL = "http://127.0.0.1:7433"
QUEUE_BYTES = 4 << 20
"""What may wait to be sent: some thousand observations."""
_BATCH_LINES = 1000
_BATCH_BYTES = 1 << 20
_LINGER_S = 0.05
"""How long a first observation waits for others to go with it."""
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 5.0
_MUTE_S = 1.0
_log = logging.getLogger("runtime_signals")


@dataclass(frozen=True)
class Counts:
    """What became of observations and questions."""

    accepted: int = 0
    """Observations that the service has recorded."""
    refused: int = 0
    """Observations that the service did not understand."""
    dropped: int = 0
    """Observations that the queue had no room for, or that did not arrive."""
    unanswered: int = 0
    """Questions that the service did not answer in time."""


@dataclass(frozen=True)
class Answer:
    """When a request can pass."""

    answer: str
    """`go`, `wait`, `too_large` or `unknown`."""
    wait_s: float | None = None
    """How long until it can pass; None where waiting does not help or nothing is known."""


class Service:
    """A service at `url`, or at RUNTIME_SIGNALS_URL: `http://…`, `https://…` or `unix:/path/of/its.sock`.

    `token`, or RUNTIME_SIGNALS_TOKEN, is what the service asks for, if it does. `timeout_s` bounds each step of a post,
    `ask_timeout_s` each step of a question. Safe for use by many threads, and in a child after a fork.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        queue_bytes: int = QUEUE_BYTES,
        timeout_s: float = 2.0,
        ask_timeout_s: float = 0.25,
    ) -> None:
        url = url or os.environ.get("RUNTIME_SIGNALS_URL") or DEFAULT_URL
        self._target = Target(url, token or os.environ.get("RUNTIME_SIGNALS_TOKEN"))
        self._queue_bytes, self._timeout_s, self._ask_timeout_s = queue_bytes, timeout_s, ask_timeout_s
        self._muted_until = 0.0
        self._reset()
        atexit.register(self.close)
        me = weakref.ref(self)
        os.register_at_fork(after_in_child=lambda: (service := me()) and service._reset())

    def _reset(self) -> None:
        self._changed = threading.Condition()
        self._lines: deque[bytes] = deque()
        self._waiting_bytes = self._in_flight = 0
        self._urgent = self._closed = False
        self._thread: threading.Thread | None = None
        self._counts = Counts()

    @property
    def counts(self) -> Counts:
        """What became of observations and questions so far."""
        return self._counts

    def observe(self, observation: dict[str, Any]) -> None:
        """Sends one finished call in the background. Neither blocks nor raises; where the queue is full, the oldest goes."""
        try:
            line = json.dumps(observation, separators=(",", ":")).encode() + b"\n"
        except (TypeError, ValueError):
            self._count(dropped=1)
            return
        with self._changed:
            if self._closed or len(line) > self._queue_bytes:
                self._count(dropped=1)
                return
            self._lines.append(line)
            self._waiting_bytes += len(line)
            while self._waiting_bytes > self._queue_bytes:
                self._waiting_bytes -= len(self._lines.popleft())
                self._count(dropped=1)
            if self._thread is None:
                self._thread = threading.Thread(target=self._send_all, name="runtime-signals", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def ask(self, provider: str, *, model: str | None = None, account: str | None = None, tokens: int = 0) -> Answer | None:
        """When a request of this size can pass. None where the service does not answer."""
        if time.monotonic() < self._muted_until:
            self._count(unanswered=1)
            return None
        query = {"provider": provider, "model": model, "account": account, "tokens": tokens or None}
        try:
            status, body = self._target.request("GET", "/v1/wait", query=query, timeout_s=self._ask_timeout_s)
            if status == 404:
                return Answer("unknown")
            if status != 200:
                raise ValueError(f"status {status}")
            found = json.loads(body)
            wait_ms = found.get("wait_ms")
            return Answer(str(found["answer"]), None if wait_ms is None else wait_ms / 1000)
        except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError, AttributeError) as error:
            self._muted_until = time.monotonic() + _MUTE_S
            self._count(unanswered=1)
            _log.debug("%s does not answer: %s", self._target, error)
            return None

    def flush(self, timeout_s: float = 1.0) -> bool:
        """Waits until nothing waits to be sent any more. False where that takes too long."""
        with self._changed:
            self._urgent = True
            self._changed.notify_all()
            done = self._changed.wait_for(lambda: not self._lines and not self._in_flight, timeout_s)
            self._urgent = False
            return done

    def close(self, timeout_s: float = 1.0) -> None:
        """Flushes, and ends the thread. What is still there then counts as dropped."""
        atexit.unregister(self.close)
        self.flush(timeout_s)
        with self._changed:
            self._closed = True
            self._count(dropped=len(self._lines))
            self._lines.clear()
            self._waiting_bytes = 0
            self._changed.notify_all()

    def _count(self, **more: int) -> None:
        counted = {name: getattr(self._counts, name) + number for name, number in more.items()}
        self._counts = replace(self._counts, **counted)

    def _send_all(self) -> None:
        pause_s = 0.0
        while self._sleep(pause_s):
            error = self._send_batch()
            if error is None:
                pause_s = 0.0
                continue
            if pause_s == 0.0:
                _log.warning("observations do not reach %s: %s", self._target, error)
            pause_s = min(max(pause_s * 2, _FIRST_PAUSE_S), _LONGEST_PAUSE_S)

    def _sleep(self, pause_s: float) -> bool:
        """Until there is something to send, and for as long as failures and others to come make it wait."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed, pause_s)
            self._changed.wait_for(lambda: self._closed or self._lines)
            full = lambda: self._closed or self._urgent or len(self._lines) >= _BATCH_LINES  # noqa: E731
            self._changed.wait_for(full, _LINGER_S)
            return not self._closed

    def _send_batch(self) -> str | None:
        """Sends what waits, as much as a batch may have. Returns why not."""
        try:
            connection = self._target.connect(self._timeout_s)
        except OSError as error:
            # Nothing was taken yet: it waits for the service to come back.
            return str(error)
        batch = self._take()
        accepted = refused = 0
        try:
            status, body = self._target.send(connection, "POST", "/v1/observations", body=b"".join(batch))
            tally = json.loads(body)
            accepted, refused = int(tally.get("accepted", 0)), int(tally.get("refused", 0))
            return None if status in (200, 422) else f"status {status}"
        except (OSError, http.client.HTTPException, ValueError, TypeError, AttributeError) as error:
            return str(error) or type(error).__name__
        finally:
            with self._changed:
                # Not sent again: a part of it may have been recorded.
                lost = max(0, len(batch) - accepted - refused)
                self._count(accepted=accepted, refused=refused, dropped=lost)
                self._in_flight = 0
                self._changed.notify_all()

    def _take(self) -> list[bytes]:
        batch: list[bytes] = []
        size = 0
        with self._changed:
            while self._lines and len(batch) < _BATCH_LINES and size < _BATCH_BYTES:
                line = self._lines.popleft()
                size += len(line)
                batch.append(line)
            self._waiting_bytes -= size
            self._in_flight = len(batch)
        return batch
