"""What the component asks of the network and of quota files."""

from __future__ import annotations

import http.client
import socket
import ssl
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from wasmtime.component import Record

from .values import instant, record

TIMEOUT_S = 3.0
"""How long a liveness check may wait for one answer of the network."""


@dataclass(frozen=True)
class Failed:
    """A liveness check that failed."""

    kind: str
    """`unreachable`, `timeout`, `loading`, `busy` or `refused`."""
    message: str
    """Why, with no more of the address than scheme, host and port."""


@dataclass(frozen=True)
class Unusable:
    """There was no usable address to ask."""

    reason: str


def probe(provider_type: str, base_url: str) -> None | Failed | Unusable:
    """`GET <base_url>/v1/models`: None if it answers with 2xx. Follows no redirect and reads no body."""
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return Unusable("the base URL needs http:// or https:// and a host")
    try:
        port = parts.port
    except ValueError:
        return Unusable("the base URL has a port that is no number up to 65535")
    host = f"{parts.scheme}://{parts.hostname}" + (f":{port}" if port else "")
    path = parts.path.rstrip("/").removesuffix("/v1") + "/v1/models"
    of = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = of(parts.hostname, port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path, headers={"accept": "application/json", "connection": "close"})
        status = connection.getresponse().status
    except (socket.timeout, TimeoutError):
        return Failed("timeout", f"no answer from {host} within {TIMEOUT_S:g} s")
    except (OSError, ssl.SSLError, http.client.HTTPException) as error:
        return Failed("unreachable", f"no connection to {host}: {type(error).__name__}")
    finally:
        connection.close()
    return None if 200 <= status < 300 else Failed("refused", f"HTTP {status} from {host}")


def no_quota(name: str, live: bool) -> dict[str, Any]:
    """A quota harness that knows nothing, so that what was recorded serves."""
    return {"source": name, "state": "unavailable", "reason": "no quota harness was given"}


def probe_outcome(outcome: None | Failed | Unusable) -> None | str | Record:
    match outcome:
        case Failed(kind, message):
            return record(kind=kind, message=message[:512])
        case Unusable(reason):
            return reason
        case _:
            return None


def quota_status(status: dict[str, Any]) -> Record:
    """The status in the form of `runtime-signals`' quota files, absent keys left out."""

    def at(of: dict[str, Any], key: str) -> Record | None:
        return instant(datetime.fromisoformat(of[key].replace("Z", "+00:00"))) if of.get(key) else None

    windows = [
        record(
            name=window["name"],
            limit_id=window.get("limit_id", ""),
            window_minutes=window.get("window_minutes"),
            used_percent=None if window.get("used_percent") is None else float(window["used_percent"]),
            resets_at=at(window, "resets_at"),
            state=window["state"],
        )
        for window in status.get("windows", [])
    ]
    return record(
        source=status["source"],
        captured_at=at(status, "captured_at"),
        fresh=status.get("fresh", False),
        age_ns=status.get("age_ns"),
        state=status["state"],
        windows=windows,
        account=status.get("account"),
        reason=status.get("reason"),
    )
