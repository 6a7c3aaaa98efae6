"""The engine component in this host's runtime."""

import os
import unittest
from pathlib import Path

import wasmtime
from wasmtime import component

COMPONENTS = Path(os.environ.get("RUNTIME_SIGNALS_COMPONENTS", "../../target/components"))


class Engine(unittest.TestCase):
    def test_it_runs_without_any_import(self):
        engine = wasmtime.Engine()
        store = wasmtime.Store(engine)
        loaded = component.Component.from_file(engine, str(COMPONENTS / "engine.wasm"))
        self.assertEqual(loaded.type.imports(engine), {})
        instance = component.Linker(engine).instantiate(store, loaded)
        interface = instance.get_export_index(store, "runtime-signals:signals/runtime-signals@0.1.0")
        function = instance.get_export_index(store, "decode", interface)
        outcome = instance.get_func(store, function)(store, "openai", b"{}")
        self.assertEqual(outcome.tag, "not-a-signal")
