// Drives a collector by steps, one JSON object a line, and prints what each results in: see tests/collector.rs.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";

import { CacheError, Collector, SignalCache } from "../index.js";

let step;
const now = () => Date.parse(step.at);

const observation = ({ provider, type, status, headers, body, latency_ms, ttfb_ms, account, model }) => ({
  provider,
  providerType: type,
  status,
  headers,
  body: body ?? undefined,
  latencyMs: latency_ms,
  ttfbMs: ttfb_ms,
  account,
  model,
});

const outcome = (told) =>
  told === "alive"
    ? { tag: "alive" }
    : told.kind
      ? { tag: "failed", val: told }
      : { tag: "unusable", val: "there is no address" };

const calls = {
  "record-response": (collector) => collector.recordResponse(observation(step)),
  "observe-response": (collector) => collector.observeResponse(observation(step)),
  observe: (collector) => collector.observe(step.provider, step.type, step.latency_ms, step.error),
  collect: (collector) => collector.collect(step.provider, { providerType: step.type, baseUrl: step.base_url }),
  warmup: (collector) => collector.warmup(step.provider, { providerType: step.type, baseUrl: step.base_url }),
  "read-cached": async (collector) => (await collector.readCached(step.provider))?.signal,
};

const root = await mkdtemp(path.join(tmpdir(), "runtime-signals-"));
try {
  const collector = await Collector.load({
    cache: new SignalCache(root, { now }),
    probe: async () => outcome(step.probe),
    quota: async () => step.quota,
    now,
  });
  for await (const line of createInterface({ input: process.stdin })) {
    step = JSON.parse(line);
    let result;
    try {
      result = (await calls[step.call](collector)) ?? null;
    } catch (error) {
      if (!(error instanceof CacheError)) throw error;
      result = { error: error.kind };
    }
    console.log(JSON.stringify({ id: step.id, result }));
  }
} finally {
  await rm(root, { recursive: true });
}
