"""Values of Python as values of the component, and back."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from wasmtime.component import Record

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def record(**fields: Any) -> Record:
    """A record whose fields are named with hyphens there and with underscores here."""
    made = Record()
    for name, value in fields.items():
        setattr(made, name.replace("_", "-"), value)
    return made


def instant(at: datetime) -> Record:
    """A point in time. `at` has a time zone."""
    since = at - EPOCH
    seconds = since // timedelta(seconds=1)
    return record(seconds=seconds, nanoseconds=(since - timedelta(seconds=seconds)).microseconds * 1000)


def nanoseconds(seconds: float) -> int:
    """A span of seconds in whole nanoseconds, at least 0."""
    return max(0, round(seconds * 1e9))
