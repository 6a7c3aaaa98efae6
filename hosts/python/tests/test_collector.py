"""The collector on real files and a real loopback server."""

import json
import os
import tempfile
import threading
import unittest
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import wasmtime
from wasmtime import component

import runtime_signals.collector as module
from runtime_signals.collector import CacheError, Collector, Failed, Observation, SignalCache, Unusable, probe

WASM = Path(os.environ["RUNTIME_SIGNALS_COMPONENTS"], "collector.wasm").read_bytes()


class OnDisk(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)

    def collector(self, **parts):
        return Collector(SignalCache(self.root), wasm=WASM, **parts)

    def stored(self, name):
        return json.loads((self.root / "runtime" / f"{name}.json").read_text())

    def test_the_whole_api_on_files_of_its_own(self):
        collector = self.collector()
        left = {"X-RateLimit-Remaining-Requests": "59", "set-cookie": "secret"}
        collector.record_response(Observation("openai", "openai", 200, left, latency_s=0.84))
        self.assertIsNone(collector.read_cached("openai"))
        self.assertEqual(json.loads(collector.collect("openai", "openai"))["quota_remaining"], 59)
        observed = json.loads(collector.observe("openai", "openai", 0.84))
        self.assertEqual((observed["status"], observed["recent_p50_latency_ns"]), ("available", 840_000_000))
        cached = collector.read_cached("openai")
        self.assertTrue(cached.fresh and cached.age_s < 60)
        self.assertEqual(json.loads(cached.signal), self.stored("openai"))
        warm = json.loads(collector.warmup("openai", "openai"))
        self.assertEqual(warm["quota_remaining"], 59)
        self.assertEqual(sorted(path.name for path in (self.root / "runtime").iterdir()), ["openai.json"])

    def test_another_process_goes_on_from_what_is_on_disk(self):
        self.collector().observe("openai", "openai", 1.0, error="connect to https://u:pw@host/v1?key=k refused")
        found = json.loads(self.collector().collect("openai", "openai"))
        self.assertEqual(found["last_error_msg"], "connect to https://host refused")
        self.assertEqual(found["status"], "degraded")

    def test_threads_of_two_collectors_lose_nothing_of_each_other(self):
        collectors = [self.collector(), self.collector()]

        def observe(number):
            headers = {"x-ratelimit-remaining-requests": str(number), "x-ratelimit-limit-requests": "60"}
            call = Observation("openai", "openai", 200, headers, latency_s=0.1, model=f"model-{number}")
            collectors[number % 2].observe_response(call)

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(observe, range(24)))
        models = {limit["scope"]["model"] for limit in self.stored("openai")["limits"]}
        self.assertEqual(models, {f"model-{number}" for number in range(24)})

    def test_a_refresh_that_another_holds_is_waited_for_and_its_result_taken(self):
        asked, began, go = [], threading.Event(), threading.Event()

        def slow(kind, base_url):
            asked.append(base_url)
            began.set()
            go.wait(5)

        first, second = self.collector(probe=slow), self.collector(probe=slow)
        with ThreadPoolExecutor(2) as pool:
            one = pool.submit(first.warmup, "studio", "ollama", "http://127.0.0.1:1")
            self.assertTrue(began.wait(5))
            other = pool.submit(second.warmup, "studio", "ollama", "http://127.0.0.1:1")
            go.set()
            self.assertEqual(json.loads(one.result())["status"], "available")
            self.assertEqual(json.loads(other.result())["status"], "available")

    def test_what_cannot_be_read_is_raised_and_the_collector_goes_on(self):
        collector = self.collector()
        (self.root / "runtime").write_text("no folder")
        with self.assertRaises(CacheError) as raised:
            collector.observe_response(Observation("openai", "openai", 200))
        self.assertEqual(raised.exception.kind, "io")
        (self.root / "runtime").unlink()
        collector.observe_response(Observation("openai", "openai", 200))
        self.assertEqual(self.stored("openai")["status"], "available")

    def test_a_failed_refresh_cools_down(self):
        cache = SignalCache(self.root, failure_cooldown_s=60)
        self.assertTrue(cache.claim_refresh("studio"))
        cache.end_refresh("studio", "no route")
        with self.assertRaises(CacheError) as raised:
            self.collector().warmup("studio", "ollama", "http://127.0.0.1:1")
        self.assertEqual((raised.exception.kind, str(raised.exception)), ("cooling-down", "no route"))

    def test_names_that_are_no_file_names_are_refused_and_nothing_is_written(self):
        collector = self.collector()
        for name in ["../x", ".x", "a/b", "x" * 129, "a\x07"]:
            with self.assertRaises(CacheError) as raised:
                collector.observe_response(Observation(name, "openai", 200))
            self.assertEqual(raised.exception.kind, "invalid-name")
        self.assertFalse((self.root / "runtime").exists())

    def test_what_is_no_signal_is_replaced(self):
        (self.root / "runtime").mkdir()
        (self.root / "runtime" / "openai.json").write_bytes(b"\xff{")
        collector = self.collector()
        self.assertIsNone(collector.read_cached("openai"))
        collector.observe_response(Observation("openai", "openai", 200))
        self.assertEqual(self.stored("openai")["status"], "available")

    def test_an_instance_that_computes_too_long_is_replaced(self):
        collector = self.collector()
        collector.observe_response(Observation("openai", "openai", 200))
        fuel, module.FUEL = module.FUEL, 10
        try:
            with self.assertRaises(wasmtime.WasmtimeError):
                collector.collect("openai", "openai")
        finally:
            module.FUEL = fuel
        self.assertEqual(json.loads(collector.collect("openai", "openai"))["status"], "available")

    def test_an_error_of_the_hosts_own_is_raised_and_the_collector_goes_on(self):
        def broken(kind, base_url):
            raise ZeroDivisionError("in the probe")

        collector = self.collector(probe=broken)
        with self.assertRaises(ZeroDivisionError):
            collector.warmup("studio", "ollama", "http://127.0.0.1:1")
        self.assertEqual(json.loads(collector.collect("openai", "openai"))["status"], "unknown")


class Runtime(unittest.TestCase):
    def test_the_component_imports_its_capabilities_and_nothing_else(self):
        engine = wasmtime.Engine()
        imports = component.Component(engine, WASM).type.imports(engine)
        names = [name.split("/")[1] for name in sorted(imports)]
        self.assertEqual(names, [f"{name}@0.1.0" for name in ["clock", "probe", "quota-harness", "signal-cache", "types"]])

    def test_the_engine_is_not_taken_for_the_collector(self):
        engine = Path(os.environ["RUNTIME_SIGNALS_COMPONENTS"], "engine.wasm").read_bytes()
        with self.assertRaisesRegex(ValueError, "not the collector"):
            Collector(wasm=engine)


class Probe(unittest.TestCase):
    def setUp(self):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200 if self.path == "/v1/models" else 404)
                self.end_headers()

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.base = f"http://127.0.0.1:{server.server_port}"

    def test_a_server_that_answers_is_alive_and_v1_is_not_doubled(self):
        for path in ["", "/", "/v1", "/v1/"]:
            self.assertIsNone(probe("ollama", self.base + path))
        self.assertEqual(probe("ollama", self.base + "/other").kind, "refused")

    def test_no_server_is_unreachable_and_its_path_is_not_told(self):
        outcome = probe("ollama", "http://user:secret@127.0.0.1:9/path?key=secret")
        self.assertIsInstance(outcome, Failed)
        self.assertNotIn("secret", outcome.message)

    def test_what_is_no_address_is_unusable(self):
        for address in ["", "ollama", "ftp://x", "http://", "http://x:99999999"]:
            self.assertIsInstance(probe("ollama", address), Unusable)


if __name__ == "__main__":
    unittest.main()
