import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";

import { Collector, SignalCache, probe } from "../index.js";

const folder = async (context) => {
  const root = await mkdtemp(path.join(tmpdir(), "runtime-signals-"));
  context.after(() => rm(root, { recursive: true }));
  return root;
};
const stored = async (root, name) => JSON.parse(await readFile(path.join(root, "runtime", `${name}.json`), "utf8"));
const ollama = { providerType: "ollama", baseUrl: "http://127.0.0.1:1" };

test("the whole API on files of its own", async (context) => {
  const root = await folder(context);
  const collector = await Collector.load({ cache: new SignalCache(root) });
  const call = { provider: "openai", providerType: "openai", status: 200, latencyMs: 840 };
  await collector.recordResponse({ ...call, headers: { "X-RateLimit-Remaining-Requests": "59", "set-cookie": "no" } });
  assert.equal(await collector.readCached("openai"), undefined);
  assert.equal(JSON.parse(await collector.collect("openai", { providerType: "openai" })).quota_remaining, 59);
  const observed = JSON.parse(await collector.observe("openai", "openai", 840));
  assert.deepEqual([observed.status, observed.recent_p50_latency_ns], ["available", 840_000_000]);
  const cached = await collector.readCached("openai");
  assert.ok(cached.fresh && cached.ageMs < 60_000);
  assert.deepEqual(JSON.parse(cached.signal), await stored(root, "openai"));
  assert.equal(JSON.parse(await collector.warmup("openai", { providerType: "openai" })).quota_remaining, 59);
  assert.deepEqual(await readdir(path.join(root, "runtime")), ["openai.json"]);
});

test("another process goes on from what is on disk, and errors tell no address", async (context) => {
  const root = await folder(context);
  const [one, other] = [
    await Collector.load({ cache: new SignalCache(root) }),
    await Collector.load({ cache: new SignalCache(root) }),
  ];
  await one.observe("openai", "openai", 1000, "connect to https://u:pw@host/v1?key=k refused");
  const found = JSON.parse(await other.collect("openai", { providerType: "openai" }));
  assert.deepEqual([found.status, found.last_error_msg], ["degraded", "connect to https://host refused"]);
});

test("two collectors that write at the same time lose nothing of each other", async (context) => {
  const root = await folder(context);
  const cache = () => new SignalCache(root, { lockTimeoutMs: 5_000 });
  const collectors = [await Collector.load({ cache: cache() }), await Collector.load({ cache: cache() })];
  const models = Array.from({ length: 24 }, (_, number) => `model-${number}`);
  const headers = { "x-ratelimit-remaining-requests": "5", "x-ratelimit-limit-requests": "60" };
  const call = { provider: "openai", providerType: "openai", status: 200, latencyMs: 100, headers };
  await Promise.all(models.map((model, number) => collectors[number % 2].observeResponse({ ...call, model })));
  const { limits } = await stored(root, "openai");
  assert.deepEqual(limits.map(({ scope }) => scope.model).sort(), models.sort());
});

test("refreshes of one provider share one check, in the process and across processes", async (context) => {
  const root = await folder(context);
  let asked = 0;
  const check = async () => {
    asked += 1;
    return { tag: "alive" };
  };
  const load = () => Collector.load({ cache: new SignalCache(root), probe: check });
  const [one, other] = [await load(), await load()];
  const flights = [one, one, other].map((collector) => collector.warmup("studio", ollama));
  const statuses = (await Promise.all(flights)).map((signal) => JSON.parse(signal).status);
  assert.deepEqual(statuses, ["available", "available", "available"]);
  assert.equal(asked, 1);
});

test("a failed refresh cools down, and says why", async (context) => {
  const root = await folder(context);
  const cache = new SignalCache(root, { failureCooldownMs: 60_000 });
  const check = async () => {
    throw new Error("the probe broke");
  };
  const collector = await Collector.load({ cache, probe: check });
  await assert.rejects(collector.warmup("studio", ollama), /the probe broke/);
  await assert.rejects(collector.warmup("studio", ollama), { kind: "cooling-down", message: "the probe broke" });
});

test("names that are no file names are refused and nothing is written", async (context) => {
  const root = await folder(context);
  const collector = await Collector.load({ cache: new SignalCache(root) });
  for (const provider of ["../x", ".x", "a/b", "x".repeat(129), "a\x07"]) {
    const observed = collector.observeResponse({ provider, providerType: "openai", status: 200 });
    await assert.rejects(observed, { kind: "invalid-name" });
  }
  assert.deepEqual(await readdir(root), []);
});

test("what is no signal is replaced", async (context) => {
  const root = await folder(context);
  await mkdir(path.join(root, "runtime"));
  await writeFile(path.join(root, "runtime", "openai.json"), Buffer.from([0xff, 0x7b]));
  const collector = await Collector.load({ cache: new SignalCache(root) });
  assert.equal(await collector.readCached("openai"), undefined);
  await collector.observeResponse({ provider: "openai", providerType: "openai", status: 200 });
  assert.equal((await stored(root, "openai")).status, "available");
});

test("absurd headers are left out and the rest is read", async (context) => {
  const collector = await Collector.load({ cache: new SignalCache(await folder(context)) });
  const huge = "9".repeat(1 << 20);
  const headers = [["retry-after", huge], [huge, "1"], ["", ""], ["x-ratelimit-remaining-requests", "7"]];
  await collector.recordResponse({ provider: "openai", providerType: "openai", status: 200, headers });
  assert.equal(JSON.parse(await collector.collect("openai", { providerType: "openai" })).quota_remaining, 7);
});

test("a probe tells a server that answers, one that is not there, and what is no address", async (context) => {
  const server = createServer(({ url }, answer) => answer.writeHead(url === "/v1/models" ? 200 : 404).end());
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  context.after(() => server.close());
  const base = `http://127.0.0.1:${server.address().port}`;
  for (const suffix of ["", "/", "/v1", "/v1/"]) {
    assert.deepEqual(await probe("ollama", base + suffix), { tag: "alive" });
  }
  assert.equal((await probe("ollama", `${base}/other`)).val.kind, "refused");
  const refused = await probe("ollama", "http://127.0.0.1:9/path?key=secret");
  assert.equal(refused.val.kind, "unreachable");
  assert.ok(!refused.val.message.includes("secret"));
  for (const address of ["", "ollama", "ftp://x", undefined]) {
    assert.equal((await probe("ollama", address)).tag, "unusable");
  }
});
