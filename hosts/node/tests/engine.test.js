import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { instantiate } from "../engine/engine.js";

const compile = async (file) => WebAssembly.compile(await readFile(new URL(`../engine/${file}`, import.meta.url)));

test("the engine runs without any import and says what it wants of a response", async () => {
  const { runtimeSignals } = await instantiate(compile, {});
  const store = new runtimeSignals.Store(0);
  const wanted = store.describe("openai").headers.map(({ name }) => name);
  assert.ok(wanted.includes("retry-after"));
  assert.ok(!wanted.includes("authorization"));
});
