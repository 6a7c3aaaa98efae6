"""Drives a collector by steps, one JSON object a line, and prints what each results in: see tests/collector.rs."""

import json
import sys
import tempfile
from datetime import datetime

from runtime_signals.collector import CacheError, Collector, Failed, Observation, SignalCache, Unusable


def result(collector: Collector, step: dict) -> object:
    name, kind, base_url = step["provider"], step["type"] if "type" in step else "", step.get("base_url", "")
    match step["call"]:
        case "record-response":
            return collector.record_response(observation(step))
        case "observe-response":
            return collector.observe_response(observation(step))
        case "observe":
            return collector.observe(name, kind, step["latency_ms"] / 1000, step.get("error"))
        case "collect":
            return collector.collect(name, kind, base_url)
        case "warmup":
            return collector.warmup(name, kind, base_url)
        case "read-cached":
            cached = collector.read_cached(name)
            return cached and cached.signal
        case other:
            raise ValueError(f"{other} is no call")


def observation(step: dict) -> Observation:
    return Observation(
        provider=step["provider"],
        provider_type=step["type"],
        status=step["status"],
        headers=step["headers"],
        body=None if step.get("body") is None else step["body"].encode(),
        latency_s=step["latency_ms"] / 1000,
        ttfb_s=None if step.get("ttfb_ms") is None else step["ttfb_ms"] / 1000,
        account=step.get("account"),
        model=step.get("model"),
    )


def outcome(told: object) -> None | Failed | Unusable:
    match told:
        case "alive":
            return None
        case {"kind": kind, "message": message}:
            return Failed(kind, message)
        case _:
            return Unusable("there is no address")


def main() -> None:
    step: dict = {}

    def now() -> datetime:
        return datetime.fromisoformat(step["at"].replace("Z", "+00:00").replace(".25+", ".250+").replace(".5+", ".500+"))

    with tempfile.TemporaryDirectory() as root:
        collector = Collector(
            SignalCache(root, now=now),
            probe=lambda kind, base_url: outcome(step["probe"]),
            quota=lambda name, live: step["quota"],
            now=now,
        )
        for line in sys.stdin:
            step = json.loads(line)
            try:
                found = result(collector, step)
            except CacheError as error:
                found = {"error": error.kind}
            print(json.dumps({"id": step["id"], "result": found}))


if __name__ == "__main__":
    main()
