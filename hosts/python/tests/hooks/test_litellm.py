"""The callback for LiteLLM: real litellm, a mock provider, the real service."""

import asyncio
import json
import os
import unittest

# No list of prices is fetched.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

import litellm

from runtime_signals import Provider, Service
from runtime_signals.litellm import SignalsLogger
from support import PATIENCE_S, MockProvider, RealService, Recorder, Server, until

# LiteLLM hands some of what it tells to the loop that it saw first.
RUNNER = asyncio.Runner()
unittest.addModuleCleanup(RUNNER.close)


async def soon(condition):
    """Waits for what LiteLLM does behind the caller's back."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.01)


class LiteLLM(unittest.TestCase):
    def setUp(self):
        self.provider = Server(self, MockProvider)
        litellm.suppress_debug_info = True
        self.call = {
            "messages": [{"role": "user", "content": "PROMPT"}],
            "api_base": f"{self.provider.url}/v1",
            "api_key": "SECRET",
            "max_retries": 0,
            "timeout": 30,
        }

    def logger(self, url, providers=(), **options):
        service = Service(url)
        self.addCleanup(service.close, 0.0)
        logger = SignalsLogger(providers, service=service, **options)
        litellm.callbacks = [logger]
        # It keeps a callback of each class where it has got to.
        self.addCleanup(litellm.logging_callback_manager._reset_all_callbacks)
        return logger

    def mine(self):
        return [Provider("mine", "openai", f"{self.provider.url}/v1")]

    def accepted(self, logger, number):
        """LiteLLM tells its callbacks behind the caller's back."""
        until(lambda: logger.service.counts.accepted >= number)
        self.assertEqual(logger.service.counts.accepted, number)

    def test_the_real_service_knows_what_calls_have_shown(self):
        real = RealService(self)
        logger = self.logger(real.url, self.mine())
        litellm.completion(model="openai/fine", **self.call)
        self.accepted(logger, 1)
        signal = real.signal("mine")
        self.assertEqual((signal["status"], signal["quota_remaining"]), ("available", 59))
        with self.assertRaises(litellm.RateLimitError):
            litellm.completion(model="openai/refusing", **self.call)
        self.accepted(logger, 2)
        self.assertEqual(real.signal("mine")["status"], "exhausted")
        logger.check("openai/fine-tuned-of-somebody-else")
        with self.assertRaises(litellm.RateLimitError):
            logger.check("openai/refusing", api_base=self.call["api_base"])

    def test_each_kind_of_call_is_told_of_once_and_nothing_secret_is(self):
        recorder = Server(self, Recorder)
        logger = self.logger(recorder.url)
        litellm.completion(model="openai/fine", **self.call)
        self.accepted(logger, 1)
        list(litellm.completion(model="openai/streaming", stream=True, **self.call))
        self.accepted(logger, 2)

        async def work():
            await litellm.acompletion(model="openai/fine", **self.call)
            async for _ in await litellm.acompletion(model="openai/streaming", stream=True, **self.call):
                pass
            with self.assertRaises(litellm.RateLimitError):
                await litellm.acompletion(model="openai/refusing", **self.call)
            with self.assertRaises(litellm.BadRequestError):
                await litellm.acompletion(model="openai/wrong", **self.call)
            with self.assertRaises(litellm.Timeout):
                await litellm.acompletion(model="openai/hanging", **{**self.call, "timeout": 0.3})
            await soon(lambda: logger.service.counts.accepted >= 7)

        RUNNER.run(work())
        self.accepted(logger, 7)
        calls = recorder.http.lines
        self.assertNotIn("SECRET", json.dumps(calls))
        self.assertNotIn("PROMPT", json.dumps(calls))
        by_model = {}
        for call in calls:
            by_model.setdefault(call["model"], []).append(call)
            self.assertEqual((call["provider"], call["type"]), ("openai", "openai"))
        self.assertEqual({model: len(told) for model, told in by_model.items()}, {
            "fine": 2, "streaming": 2, "refusing": 1, "wrong": 1, "hanging": 1,
        })
        for call in by_model["streaming"]:
            self.assertIn(["x-ratelimit-remaining-requests", "58"], call["headers"])
            self.assertLessEqual(call["ttfb_ms"], call["latency_ms"])
        (refused,), (late,), (wrong,) = by_model["refusing"], by_model["hanging"], by_model["wrong"]
        self.assertIn(["retry-after", "30"], refused["headers"])
        self.assertEqual(json.loads(refused["body"])["error"]["code"], "rate_limit_exceeded")
        self.assertEqual((late.get("status"), late["error"]), (None, "Timeout: 127.0.0.1"))
        self.assertEqual((wrong["status"], wrong.get("body")), (400, None))

    def test_asked_to_fail_it_raises_what_a_refusal_raises_and_calls_nobody(self):
        real = RealService(self)
        logger = self.logger(real.url, self.mine(), before="fail")
        for calls in (1, 1):
            with self.assertRaises(litellm.RateLimitError):
                RUNNER.run(self.refused(logger))
            self.assertEqual(len(self.provider.http.calls), calls)
        self.accepted(logger, 1)

    async def refused(self, logger):
        try:
            await litellm.acompletion(model="openai/refusing", **self.call)
        finally:
            await soon(lambda: logger.service.counts.accepted)

    def test_a_router_is_left_the_deployments_that_can_take_the_call(self):
        real = RealService(self)
        other = Server(self, MockProvider)
        providers = [*self.mine(), Provider("other", "openai", f"{other.url}/v1")]
        logger = self.logger(real.url, providers, before="fail")
        deployments = [
            {"model_name": "any", "litellm_params": {"model": f"openai/{model}", "api_base": f"{url}/v1", "api_key": "k"}}
            for model, url in (("refusing", self.provider.url), ("fine", other.url))
        ]

        async def work():
            with self.assertRaises(litellm.RateLimitError):
                await self.refused(logger)
            router = litellm.Router(model_list=deployments, num_retries=0)
            for _ in range(10):
                await router.acompletion(model="any", messages=self.call["messages"])
            await soon(lambda: logger.service.counts.accepted >= 11)

        RUNNER.run(work())
        self.assertEqual((len(self.provider.http.calls), len(other.http.calls)), (1, 10))

    def test_without_a_service_calls_are_unharmed_and_drops_are_counted(self):
        logger = self.logger("http://127.0.0.1:1", before="wait")
        logger.check("openai/fine", api_base=self.call["api_base"])

        async def work():
            await litellm.acompletion(model="openai/fine", **self.call)
            await soon(lambda: logger.service._lines)

        RUNNER.run(work())
        logger.service.close(0.0)
        self.assertEqual((logger.service.counts.dropped, logger.service.counts.unanswered), (1, 2))
