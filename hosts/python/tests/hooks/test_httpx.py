"""The httpx transports: real httpx, a mock provider, the real service."""

import asyncio
import json
import os
import time
import unittest

import httpx
import openai

from runtime_signals import Provider, Service
from runtime_signals.httpx import AsyncSignalsTransport, SignalsTransport
from support import MockProvider, RealService, Recorder, Server

KEY = {"authorization": "Bearer SECRET", "cookie": "SECRET"}
UNUSED = "http://127.0.0.1:1"


class Httpx(unittest.TestCase):
    def setUp(self):
        self.provider = Server(self, MockProvider)
        self.path = f"{self.provider.url}/v1/chat/completions?key=SECRET"
        self.providers = [Provider("mine", "openai", f"{self.provider.url}/v1", account="team")]

    def service(self, url, **options):
        service = Service(url, **options)
        self.addCleanup(service.close, 0.0)
        return service

    def client(self, service, **options):
        client = httpx.Client(transport=SignalsTransport(self.providers, service=service, **options), headers=KEY)
        self.addCleanup(client.close)
        return client

    def told(self, work):
        """What a service is told of a call."""
        recorder = Server(self, Recorder)
        service = self.service(recorder.url)
        work(self.client(service))
        self.assertTrue(service.flush(30))
        self.assertNotIn("SECRET", json.dumps(recorder.http.lines))
        return recorder.http.lines

    def post(self, client, model, **options):
        return client.post(self.path, json={"model": model, "messages": []}, **options)

    def test_the_real_service_knows_what_calls_have_shown(self):
        real = RealService(self)
        service = self.service(real.url)
        client = self.client(service)
        self.assertEqual(self.post(client, "fine").json()["choices"][0]["message"]["content"], "hi")
        self.assertTrue(service.flush(30))
        signal = real.signal("mine")
        self.assertEqual((signal["status"], signal["quota_remaining"]), ("available", 59))
        self.assertEqual(signal["limits"][0]["scope"]["account"], "team")
        self.assertGreater(signal["recent_p50_latency_ns"], 0)
        self.assertEqual(self.post(client, "refusing").status_code, 429)
        self.assertTrue(service.flush(30))
        self.assertEqual(real.signal("mine")["status"], "exhausted")
        self.assertEqual((service.counts.accepted, service.counts.dropped), (2, 0))

    def test_a_service_with_a_token_and_one_behind_a_socket_are_reached(self):
        real = RealService(self, token="0123456789abcdef")
        for url in (real.url, f"unix:{real.socket}"):
            service = self.service(url, token=real.token)
            self.post(self.client(service), "fine")
            self.assertTrue(service.flush(30))
            self.assertEqual((service.counts.accepted, service.ask("mine").answer), (1, "go"), url)
        without = self.service(real.url)
        self.post(self.client(without), "fine")
        self.assertTrue(without.flush(30))
        self.assertEqual((without.counts.dropped, without.ask("mine")), (1, None))

    def test_nothing_secret_is_told_and_addresses_of_others_are_not_observed(self):
        def work(client):
            self.post(client, "fine")
            client.post(f"{self.provider.url}/v1-other", json={"model": "fine"})

        (call,) = self.told(work)
        self.assertEqual((call["provider"], call["type"], call["account"]), ("mine", "openai", "team"))
        self.assertEqual((call["status"], call["model"]), (200, "fine"))
        self.assertIn(["x-ratelimit-remaining-requests", "59"], call["headers"])
        self.assertNotIn("body", call)
        self.assertLessEqual(call["ttfb_ms"], call["latency_ms"])

    def test_why_a_provider_refused_is_told_but_not_what_it_repeats(self):
        refused, wrong = self.told(lambda client: [self.post(client, model) for model in ("refusing", "wrong")])
        self.assertEqual(json.loads(refused["body"])["error"]["code"], "rate_limit_exceeded")
        self.assertEqual((wrong["status"], wrong.get("body")), (400, None))

    def test_a_stream_is_told_of_at_its_end(self):
        def work(client):
            body = {"model": "streaming", "messages": []}
            with client.stream("POST", self.path, json=body) as response:
                self.assertEqual(b"".join(response.iter_raw()).count(b"data: "), 4)

        (call,) = self.told(work)
        self.assertEqual((call["status"], call.get("error")), (200, None))
        self.assertIn(["x-ratelimit-remaining-requests", "58"], call["headers"])

    def test_a_response_that_comes_in_one_piece_is_told_of(self):
        recorder = Server(self, Recorder)
        service = self.service(recorder.url)
        whole = httpx.MockTransport(lambda request: httpx.Response(200, content=b"{}"))
        self.assertEqual(self.post(self.client(service, transport=whole), "fine").json(), {})
        self.assertTrue(service.flush(30))
        self.assertEqual(len(recorder.http.lines), 1)

    def test_a_stream_that_the_caller_cancels_is_no_fault_of_the_provider(self):
        def work(client):
            with client.stream("POST", self.path, json={"model": "endless"}) as response:
                next(response.iter_raw())

        (call,) = self.told(work)
        self.assertEqual((call["status"], call.get("error")), (200, None))

    def test_a_stream_that_breaks_off_and_a_time_out_are_failures(self):
        def work(client):
            with self.assertRaises(httpx.RemoteProtocolError):
                self.post(client, "breaking")
            with self.assertRaises(httpx.ReadTimeout):
                self.post(client, "hanging", timeout=0.2)

        broken, late = self.told(work)
        self.assertEqual((broken["status"], broken["error"]), (200, "RemoteProtocolError: 127.0.0.1"))
        self.assertEqual((late.get("status"), late["error"]), (None, "ReadTimeout: 127.0.0.1"))

    def test_asked_to_fail_it_answers_for_an_exhausted_provider(self):
        real = RealService(self)
        service = self.service(real.url)
        self.post(self.client(service), "refusing")
        self.assertTrue(service.flush(30))
        calls = len(self.provider.http.calls)
        answer = self.post(self.client(service, before="fail"), "refusing")
        self.assertEqual((answer.status_code, answer.headers["x-runtime-signals"]), (429, "refused"))
        self.assertIn(int(answer.headers["retry-after"]), range(1, 31))
        self.assertEqual(len(self.provider.http.calls), calls)
        # It cannot pass soon enough, so nobody waits.
        self.assertEqual(self.post(self.client(service, before="wait", max_wait_s=1), "refusing").status_code, 429)
        self.assertEqual(len(self.provider.http.calls), calls)

    def test_asked_to_wait_it_sends_when_the_provider_takes_it_again(self):
        real = RealService(self)
        service = self.service(real.url)
        began = time.monotonic()
        self.assertEqual(self.post(self.client(service), "briefly").status_code, 429)
        self.assertTrue(service.flush(30))
        self.assertEqual(self.post(self.client(service, before="wait"), "briefly").status_code, 200)
        self.assertGreaterEqual(time.monotonic() - began, 1.0)

    def test_without_a_service_calls_are_unharmed_and_drops_are_counted(self):
        service = self.service(UNUSED, queue_bytes=2000)
        client = self.client(service, before="fail")
        for _ in range(20):
            self.assertEqual(self.post(client, "fine").status_code, 200)
        self.assertGreater(service.counts.dropped, 0)
        self.assertEqual(service.counts.unanswered, 20)
        service.close(0.0)
        self.assertEqual((service.counts.dropped, service.counts.accepted), (20, 0))

    def test_what_waited_arrives_when_the_service_comes(self):
        recorder = Server(self, Recorder)
        service = self.service(recorder.url)
        target, service._target = service._target, Service(UNUSED)._target
        self.post(self.client(service), "fine")
        self.assertFalse(service.flush(0.2))
        service._target = target
        self.assertTrue(service.flush(30))
        self.assertEqual((service.counts.accepted, service.counts.dropped), (1, 0))

    def test_a_slow_service_holds_nobody_up(self):
        recorder = Server(self, Recorder)
        recorder.http.held.clear()
        service = self.service(recorder.url, timeout_s=0.2, ask_timeout_s=0.1)
        client = self.client(service, before="wait")
        began = time.monotonic()
        for _ in range(5):
            self.assertEqual(self.post(client, "fine").status_code, 200)
        # One question was asked in vain, and none for a second after it.
        self.assertLess(time.monotonic() - began, 5.0)
        self.assertLessEqual(len(recorder.http.asked), 5)
        self.assertEqual(service.counts.unanswered, 5)
        self.assertTrue(service.flush(30))
        self.assertEqual((service.counts.dropped, service.counts.accepted), (5, 0))

    def test_calls_go_in_batches(self):
        recorder = Server(self, Recorder)
        service = self.service(recorder.url)
        for number in range(2500):
            service.observe({"provider": "mine", "number": number})
        self.assertTrue(service.flush(30))
        self.assertEqual(len(recorder.http.lines), 2500)
        self.assertLess(len(recorder.http.posts), 25)

    def test_the_client_of_openai_takes_it(self):
        def work(client):
            base = f"{self.provider.url}/v1"
            api = openai.OpenAI(api_key="SECRET", base_url=base, max_retries=0, http_client=client)
            self.assertEqual(api.chat.completions.create(model="fine", messages=[]).choices[0].message.content, "hi")
            self.assertEqual(len(list(api.chat.completions.create(model="streaming", messages=[], stream=True))), 3)

        self.assertEqual([call["model"] for call in self.told(work)], ["fine", "streaming"])

    def test_a_child_after_a_fork_sends_by_itself(self):
        recorder = Server(self, Recorder)
        service = self.service(recorder.url)
        service.observe({"provider": "parent"})
        self.assertTrue(service.flush(30))
        child = os.fork()
        if child == 0:
            service.observe({"provider": "child"})
            os._exit(0 if service.flush(30) and service.counts.accepted == 1 else 1)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.assertEqual([line["provider"] for line in recorder.http.lines], ["parent", "child"])

    def test_asynchronous_calls_are_the_same(self):
        real = RealService(self)
        service = self.service(real.url)

        async def work():
            transport = AsyncSignalsTransport(self.providers, service=service)
            async with httpx.AsyncClient(transport=transport) as client:
                self.assertEqual((await self.post(client, "fine")).status_code, 200)
                body = {"model": "streaming", "messages": []}
                async with client.stream("POST", self.path, json=body) as response:
                    self.assertEqual(len([line async for line in response.aiter_lines() if line]), 4)
                async with client.stream("POST", self.path, json={"model": "endless"}) as response:
                    await anext(response.aiter_raw())
                with self.assertRaises(httpx.ReadTimeout):
                    await self.post(client, "hanging", timeout=0.2)
                task = asyncio.create_task(self.post(client, "hanging-cancelled"))
                while len(self.provider.http.calls) < 5:
                    await asyncio.sleep(0.01)
                task.cancel()
                with self.assertRaises(asyncio.CancelledError):
                    await task
                await self.post(client, "refusing")
            self.assertTrue(service.flush(30))
            # The call that was cancelled before its response tells nothing of the provider.
            self.assertEqual(service.counts.accepted, 5)
            transport = AsyncSignalsTransport(self.providers, service=service, before="fail")
            async with httpx.AsyncClient(transport=transport) as client:
                answer = await self.post(client, "refusing")
            self.assertEqual((answer.status_code, answer.headers["x-runtime-signals"]), (429, "refused"))

        asyncio.run(work())
        self.assertEqual(real.signal("mine")["status"], "exhausted")
