// The fetch wrapper: Node's fetch, a mock provider, the real service.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";

import { Service, signalsFetch } from "../fetch.js";

const BINARY = path.resolve(process.env.RUNTIME_SIGNALS_BIN ?? "../../target/debug/runtime-signals");
const PATIENCE = AbortSignal.timeout(120_000);
const NOWHERE = "http://127.0.0.1:1";
const json = { "content-type": "application/json" };

/** What the mock provider does with a request; the model says which. */
const doings = {
  fine(response) {
    const secrets = { "set-cookie": "session=SECRET", "x-api-key": "SECRET", location: "https://u:SECRET@h/?key=SECRET" };
    const left = { "x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "59" };
    response.writeHead(200, { ...json, ...secrets, ...left, "x-ratelimit-reset-requests": "20s" });
    response.end('{"content": "hi"}');
  },
  refusing(response) {
    response.writeHead(429, { ...json, "content-encoding": "gzip", "retry-after": "30" });
    response.end(gzipSync('{"error": {"code": "rate_limit_exceeded"}}'));
  },
  /** Refuses once, for a second. */
  briefly(response, calls) {
    if (calls.filter((model) => model === "briefly").length > 1) return doings.fine(response);
    response.writeHead(429, { ...json, "retry-after": "1" }).end("{}");
  },
  wrong: (response) => response.writeHead(400, json).end('{"error": {"message": "the prompt SECRET is bad"}}'),
  streaming(response) {
    response.writeHead(200, { "content-type": "text/event-stream", "x-ratelimit-remaining-requests": "58" });
    for (const part of ["a", "b", "[DONE]"]) response.write(`data: ${part}\n\n`);
    response.end();
  },
  endless(response) {
    response.writeHead(200, { "content-type": "text/event-stream" });
    const more = () => response.destroyed || (response.write("data: x\n\n"), setTimeout(more, 5));
    more();
  },
  breaking(response) {
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write("data: a\n\n", () => response.destroy());
  },
  hanging() {},
};

/** Waits for what goes on in the background. */
const until = async (condition) => {
  while (!condition()) await sleep(5, undefined, { signal: PATIENCE });
};

/** A server of this process that ends with the test. */
const serve = async (context, listener) => {
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const part of request) body += part;
    listener(request, response, body);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  context.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${server.address().port}`;
};

const mockProvider = async (context) => {
  const calls = [];
  const origin = await serve(context, (_, response, body) => {
    const { model } = JSON.parse(body);
    calls.push(model);
    doings[model](response, calls);
  });
  const providers = [{ name: "mine", type: "openai", baseUrl: `${origin}/v1`, account: "team" }];
  const post = (fetch, model, init = {}, place = "/v1/chat/completions?key=SECRET") =>
    fetch(origin + place, {
      method: "POST",
      headers: { ...json, authorization: "Bearer SECRET", cookie: "SECRET" },
      body: JSON.stringify({ model }),
      ...init,
    });
  return { calls, providers, post };
};

/** In place of the service: writes down what it is sent. */
const recorder = async (context, { answers = true } = {}) => {
  const [lines, posts, asked] = [[], [], []];
  const url = await serve(context, (request, response, body) => {
    (request.method === "GET" ? asked : posts).push(request.url);
    if (!answers) return;
    const sent = body.split("\n").filter(Boolean);
    lines.push(...sent.map((line) => JSON.parse(line)));
    response.end(JSON.stringify({ accepted: sent.length, refused: 0 }));
  });
  return { lines, posts, asked, service: new Service({ url, timeoutMs: 200, askTimeoutMs: 100 }) };
};

/** The real binary; ends with the test. */
const realService = async (context, token) => {
  const folder = await mkdtemp(path.join(tmpdir(), "rs-"));
  const [socket, config] = [path.join(folder, "api.sock"), path.join(folder, "runtime-signals.toml")];
  await writeFile(config, `[service]\nsocket = "${socket}"\n[discovery]\nenabled = false\n`);
  const own = Object.entries(process.env).filter(([name]) => !/^(RUNTIME_SIGNALS|FIZ)/.test(name));
  const env = { ...Object.fromEntries(own), HOME: folder, ...(token && { RUNTIME_SIGNALS_TOKEN: token }) };
  const args = ["serve", "--config", config, "--listen", "127.0.0.1:0", "--cache-dir", folder];
  const child = spawn(BINARY, args, { env, stdio: ["ignore", "pipe", "ignore"] });
  const ended = once(child, "exit");
  context.after(async () => {
    child.kill();
    await ended;
    await rm(folder, { recursive: true });
  });
  const [line] = await once(createInterface(child.stdout), "line");
  const { url } = JSON.parse(line);
  const signal = async (provider) => (await (await fetch(`${url}/v1/signals/${provider}`)).json()).signal;
  return { url, socket: `unix:${socket}`, signal };
};

test("the real service knows what calls have shown", async (context) => {
  const { providers, post } = await mockProvider(context);
  const { url, signal } = await realService(context);
  const service = new Service({ url });
  const fetch = signalsFetch(providers, { service });
  const response = await post(fetch, "fine");
  assert.deepEqual([await response.json(), response.url.endsWith("key=SECRET")], [{ content: "hi" }, true]);
  assert.ok(await service.flush(30_000));
  const known = await signal("mine");
  assert.deepEqual([known.status, known.quota_remaining, known.limits[0].scope.account], ["available", 59, "team"]);
  // The body of a refusal is left by many callers.
  assert.equal((await post(fetch, "refusing")).status, 429);
  await until(() => service.counts.accepted === 2);
  assert.equal((await signal("mine")).status, "exhausted");
  assert.equal(service.counts.dropped, 0);
});

test("a service with a token and one behind a socket are reached", async (context) => {
  const token = "0123456789abcdef";
  const { providers, post } = await mockProvider(context);
  const { url, socket } = await realService(context, token);
  for (const place of [url, socket]) {
    const service = new Service({ url: place, token });
    await (await post(signalsFetch(providers, { service }), "fine")).text();
    assert.ok(await service.flush(30_000));
    assert.deepEqual([service.counts.accepted, (await service.ask("mine"))?.answer], [1, "go"], place);
  }
  const without = new Service({ url });
  await (await post(signalsFetch(providers, { service: without }), "fine")).text();
  assert.ok(await without.flush(30_000));
  assert.deepEqual([without.counts.dropped, await without.ask("mine")], [1, undefined]);
});

test("nothing secret is told, and what is told is right", async (context) => {
  const { providers, post } = await mockProvider(context);
  const { service, lines } = await recorder(context);
  const fetch = signalsFetch(providers, { service });
  await (await post(fetch, "fine")).text();
  await (await post(fetch, "fine", {}, "/v1-other")).text();
  await (await post(fetch, "streaming")).text();
  assert.ok(await service.flush(30_000));
  for (const [told, model] of [[3, "refusing"], [4, "wrong"]]) {
    await post(fetch, model);
    await until(() => lines.length === told);
  }
  assert.ok(!JSON.stringify(lines).includes("SECRET"));
  const [fine, streaming, refusing, wrong] = lines;
  assert.equal(lines.length, 4);
  assert.deepEqual([fine.provider, fine.type, fine.account, fine.model], ["mine", "openai", "team", "fine"]);
  assert.deepEqual([fine.status, fine.body, fine.ttfb_ms <= fine.latency_ms], [200, undefined, true]);
  assert.ok(fine.headers.some(([name, value]) => name === "x-ratelimit-remaining-requests" && value === "59"));
  assert.ok(streaming.headers.some(([name, value]) => name === "x-ratelimit-remaining-requests" && value === "58"));
  assert.equal(JSON.parse(refusing.body).error.code, "rate_limit_exceeded");
  assert.deepEqual([wrong.status, wrong.body], [400, undefined]);
});

test("streams that are cancelled are no fault of the provider, and those that break off are", async (context) => {
  const { providers, post } = await mockProvider(context);
  const { service, lines } = await recorder(context);
  const fetch = signalsFetch(providers, { service });
  const left = await post(fetch, "endless");
  for await (const part of left.body) if (part.length > 0) break;
  const abort = new AbortController();
  const aborted = await post(fetch, "endless", { signal: abort.signal });
  abort.abort();
  await assert.rejects(aborted.text(), { name: "AbortError" });
  await assert.rejects((await post(fetch, "breaking")).text(), TypeError);
  await assert.rejects(post(fetch, "hanging", { signal: AbortSignal.timeout(100) }), { name: "TimeoutError" });
  await assert.rejects(post(fetch, "hanging", { signal: AbortSignal.abort() }), { name: "AbortError" });
  assert.ok(await service.flush(30_000));
  const told = lines.map(({ status, error }) => [status, error]);
  const expected = [[200, undefined], [200, undefined], [200, "UND_ERR_SOCKET: 127.0.0.1"], [undefined, "TimeoutError: 127.0.0.1"]];
  assert.deepEqual(told, expected);
});

test("asked to fail it answers for an exhausted provider, and asked to wait it sends in time", async (context) => {
  const { providers, post, calls } = await mockProvider(context);
  const { url } = await realService(context);
  const service = new Service({ url });
  const plain = signalsFetch(providers, { service });
  const began = performance.now();
  assert.equal((await post(plain, "briefly")).status, 429);
  await until(() => service.counts.accepted === 1);
  const waiting = signalsFetch(providers, { service, before: "wait" });
  const response = await post(waiting, "briefly");
  assert.deepEqual([response.status, performance.now() - began >= 1_000], [200, true]);
  await response.text();
  await post(plain, "refusing");
  await until(() => service.counts.accepted === 3);
  const sent = calls.length;
  for (const options of [{ before: "fail" }, { before: "wait", maxWaitMs: 1_000 }]) {
    const refused = await post(signalsFetch(providers, { service, ...options }), "refusing");
    assert.deepEqual([refused.status, refused.headers.get("x-runtime-signals")], [429, "refused"]);
    const after = Number(refused.headers.get("retry-after"));
    assert.ok(after >= 1 && after <= 30, `${after}`);
  }
  const abort = AbortSignal.timeout(50);
  await assert.rejects(post(waiting, "refusing", { signal: abort }), { name: "TimeoutError" });
  assert.equal(calls.length, sent);
});

test("without a service calls are unharmed and drops are counted", async (context) => {
  const { providers, post } = await mockProvider(context);
  const service = new Service({ url: NOWHERE, queueBytes: 2_000 });
  const fetch = signalsFetch(providers, { service, before: "fail" });
  for (let call = 0; call < 20; call += 1) assert.equal(await (await post(fetch, "fine")).text(), '{"content": "hi"}');
  assert.equal(await service.flush(100), false);
  const { accepted, dropped, unanswered } = service.counts;
  assert.ok(dropped > 10 && dropped < 20, `${dropped}`);
  assert.deepEqual([accepted, unanswered], [0, 20]);
});

test("a slow service holds nobody up", async (context) => {
  const { providers, post } = await mockProvider(context);
  const { service, asked } = await recorder(context, { answers: false });
  const fetch = signalsFetch(providers, { service, before: "wait" });
  const began = performance.now();
  for (let call = 0; call < 5; call += 1) await (await post(fetch, "fine")).text();
  assert.ok(performance.now() - began < 5_000);
  // After one that was not answered none is asked for a second.
  assert.ok(asked.length < 5, `${asked.length}`);
  assert.ok(await service.flush(30_000));
  assert.deepEqual([service.counts.unanswered, service.counts.dropped], [5, 5]);
});

test("calls go in batches", async (context) => {
  const { service, lines, posts } = await recorder(context);
  for (let number = 0; number < 2_500; number += 1) service.observe({ provider: "mine", number });
  assert.ok(await service.flush(30_000));
  assert.deepEqual([lines.length, posts.length], [2_500, 3]);
});

test("a process ends as soon as what it observed is sent", async (context) => {
  const { lines, service } = await recorder(context);
  void service;
  const url = await serve(context, (request, response, body) => {
    lines.push(...body.trim().split("\n"));
    response.end('{"accepted": 1, "refused": 0}');
  });
  for (const [place, arrives] of [[url, 1], [NOWHERE, 0]]) {
    lines.length = 0;
    const program = `import { Service } from "./fetch.js"; new Service({ url: "${place}" }).observe({ provider: "mine" });`;
    const child = spawn(process.execPath, ["--input-type=module", "--eval", program], { cwd: path.resolve(import.meta.dirname, "..") });
    const [status] = await once(child, "exit");
    assert.deepEqual([status, lines.length], [0, arrives]);
  }
});
