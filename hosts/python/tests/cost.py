"""Prints what calls of the collector cost: microseconds of processor time, median of 11 runs of 100 calls."""

import statistics
import tempfile
import time
from typing import Callable

from runtime_signals.collector import Collector, Observation, SignalCache

HEADERS = {
    "content-type": "application/json",
    "x-ratelimit-limit-requests": "60",
    "x-ratelimit-limit-tokens": "150000",
    "x-ratelimit-remaining-requests": "59",
    "x-ratelimit-remaining-tokens": "149984",
    "x-ratelimit-reset-requests": "1s",
    "x-ratelimit-reset-tokens": "6ms",
}


def cost(call: Callable[[], object]) -> float:
    def run() -> float:
        began = time.process_time()
        for _ in range(100):
            call()
        return (time.process_time() - began) * 1e6 / 100

    return statistics.median(run() for _ in range(11))


with tempfile.TemporaryDirectory() as root:
    collector = Collector(SignalCache(root))
    call = Observation("openai", "openai", 200, HEADERS, latency_s=0.84)
    for name, work in {
        "record_response": lambda: collector.record_response(call),
        "collect": lambda: collector.collect("openai", "openai"),
        "observe_response": lambda: collector.observe_response(call),
        "read_cached": lambda: collector.read_cached("openai"),
    }.items():
        print(f"{name:<20} {cost(work):8.0f} us")
