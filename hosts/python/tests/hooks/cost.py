"""What a hook costs the caller of a call, in processor time of the calling thread: `PYTHONPATH=. python tests/hooks/cost.py`."""

import statistics
import time
import unittest

import httpx

from runtime_signals import Provider, Service
from runtime_signals.httpx import SignalsTransport
from support import Recorder, Server

CALLS, RUNS = 400, 7
HEADERS = {f"x-ratelimit-{name}": "59" for name in ("limit-requests", "remaining-requests", "limit-tokens", "remaining-tokens")}


def client(service):
    bare = httpx.MockTransport(lambda request: httpx.Response(200, headers=HEADERS, stream=httpx.ByteStream(b"{}")))
    providers = [Provider("mine", "openai", "http://127.0.0.1")]
    return httpx.Client(transport=SignalsTransport(providers, service=service, transport=bare) if service else bare)


def us_a_call(client):
    began = time.thread_time()
    for _ in range(CALLS):
        client.post("http://127.0.0.1/v1/chat/completions", json={"model": "m", "messages": []})
    return (time.thread_time() - began) / CALLS * 1e6


class Cost(unittest.TestCase):
    def runTest(self):
        service = Service(Server(self, Recorder).url)
        plain, hooked = client(None), client(service)
        added = [us_a_call(hooked) - us_a_call(plain) for _ in range(RUNS)]
        service.flush(60)
        print(f"httpx: {statistics.median(added):.0f} us a call added, median of {RUNS}; {service.counts}")


if __name__ == "__main__":
    unittest.main()
