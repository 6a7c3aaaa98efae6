// Prints what calls of the collector cost: microseconds of processor time, median of 11 runs of 100 calls.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

import { Collector, SignalCache } from "../index.js";

const headers = {
  "content-type": "application/json",
  "x-ratelimit-limit-requests": "60",
  "x-ratelimit-limit-tokens": "150000",
  "x-ratelimit-remaining-requests": "59",
  "x-ratelimit-remaining-tokens": "149984",
  "x-ratelimit-reset-requests": "1s",
  "x-ratelimit-reset-tokens": "6ms",
};

async function cost(call) {
  const runs = [];
  for (let run = 0; run < 11; run += 1) {
    const began = process.cpuUsage();
    for (let number = 0; number < 100; number += 1) await call();
    const { user, system } = process.cpuUsage(began);
    runs.push((user + system) / 100);
  }
  return runs.sort((one, other) => one - other)[5];
}

const root = await mkdtemp(path.join(tmpdir(), "runtime-signals-"));
try {
  const collector = await Collector.load({ cache: new SignalCache(root) });
  const call = { provider: "openai", providerType: "openai", status: 200, headers, latencyMs: 840 };
  for (const [name, work] of Object.entries({
    recordResponse: () => collector.recordResponse(call),
    collect: () => collector.collect("openai", { providerType: "openai" }),
    observeResponse: () => collector.observeResponse(call),
    readCached: () => collector.readCached("openai"),
  })) {
    console.log(`${name.padEnd(20)} ${(await cost(work)).toFixed(0).padStart(8)} us`);
  }
} finally {
  await rm(root, { recursive: true });
}
