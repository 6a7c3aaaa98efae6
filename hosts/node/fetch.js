// A `fetch` that observes calls to providers for a runtime-signals service, and asks it before them where it is told to.
//
//     const fetch = signalsFetch([{ name: "openai", type: "openai", baseUrl: "https://api.openai.com" }]);

import { setTimeout as sleep } from "node:timers/promises";

import { Exchange } from "./exchange.js";
import { Service } from "./service.js";

export { Service };

/** How long to wait before asking again: others may have found out more. */
const NAP_MS = 1_000;
/** How long the body of an error is read for, while its reader may have left it. */
const ERROR_BODY_MS = 2_000;
const MOST_REQUEST_LENGTH = 1 << 20;

/**
 * A provider as the service knows it.
 * @typedef {object} Provider
 * @property {string} name
 * @property {string} type How its responses are read: `openai`, `anthropic` … (docs/providers.md).
 * @property {string} baseUrl Requests to this address and below are requests to this provider.
 * @property {string} [account] Whose limits they count against, where several accounts share the name.
 */

/**
 * A `fetch` that observes the calls that go to one of `providers`; others pass untouched.
 * @param {Provider[]} providers
 * @param {object} [options]
 * @param {Service} [options.service] Where observations go.
 * @param {typeof fetch} [options.fetch] What sends the requests.
 * @param {"send" | "wait" | "fail"} [options.before] Ahead of a call: send it; wait until it can pass; or answer with 429
 *   and Retry-After where it cannot.
 * @param {number} [options.maxWaitMs] The longest wait; where it would take longer, the answer is 429 at once.
 * @returns {typeof fetch}
 */
export function signalsFetch(
  providers,
  { service = new Service(), fetch: send = globalThis.fetch, before = "send", maxWaitMs = 30_000 } = {},
) {
  if (!["send", "wait", "fail"].includes(before)) throw new TypeError("before is send, wait or fail");
  const find = finder(providers);
  const patienceMs = before === "wait" ? maxWaitMs : 0;
  return async function fetch(input, init) {
    const url = addressOf(input);
    const provider = url && find(url);
    if (!provider) return send(input, init);
    const model = modelIn(init?.body);
    if (before !== "send") {
      const refusal = await pass(service, provider, model, patienceMs, init?.signal ?? input.signal);
      if (refusal) return refusal;
    }
    const exchange = new Exchange(service, provider, url.hostname, model);
    let response;
    try {
      response = await send(input, init);
    } catch (error) {
      if (isProvidersFault(error)) exchange.fail(error);
      throw error;
    }
    exchange.respond(response);
    if (!response.ok) {
      // Many callers look at the status and leave the body.
      void readError(response.clone(), exchange);
      return response;
    }
    return observed(response, exchange);
  };
}

/** Waits until the call can pass. Returns the answer to give where it cannot in time. */
async function pass(service, { name, account }, model, patienceMs, signal) {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const { answer, waitMs } = (await service.ask(name, { model, account })) ?? {};
    signal?.throwIfAborted();
    if (answer !== "too_large" && !(answer === "wait" && waitMs > 0)) return undefined;
    if (waitMs === undefined || performance.now() + waitMs > deadline) return refusal(name, waitMs);
    await sleep(Math.min(waitMs, NAP_MS), undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

/** What an exhausted provider would answer, so that clients treat it alike. One header tells it from that. */
function refusal(name, waitMs) {
  const seconds = waitMs === undefined ? undefined : Math.max(1, Math.ceil(waitMs / 1000));
  const headers = { "content-type": "text/plain", "x-runtime-signals": "refused" };
  if (seconds !== undefined) headers["retry-after"] = String(seconds);
  const when = seconds === undefined ? "of this size" : `for ${seconds} s`;
  return new Response(`the provider ${name} takes no request ${when}\n`, { status: 429, headers });
}

/** The same response, with a body that is watched. */
function observed(response, exchange) {
  if (response.body === null) {
    exchange.end();
    return response;
  }
  const reader = response.body.getReader();
  const body = new ReadableStream({
    type: "bytes",
    async pull(controller) {
      try {
        let read = await reader.read();
        while (!read.done && read.value.length === 0) read = await reader.read();
        if (read.done) {
          exchange.end();
          controller.close();
          controller.byobRequest?.respond(0);
        } else {
          exchange.receive(read.value);
          controller.enqueue(read.value);
        }
      } catch (error) {
        if (isProvidersFault(error)) exchange.fail(error);
        else exchange.end();
        controller.error(error);
      }
    },
    cancel(reason) {
      exchange.end();
      return reader.cancel(reason);
    },
  });
  const copy = new Response(body, response);
  for (const name of ["url", "redirected", "type"]) Object.defineProperty(copy, name, { value: response[name] });
  return copy;
}

/** Reads as much of the body of an error as is of use. */
async function readError(response, exchange) {
  const reader = response.body?.getReader();
  const timer = setTimeout(() => exchange.end(), ERROR_BODY_MS);
  timer.unref();
  try {
    for (let read = await reader?.read(); read && !read.done; read = await reader.read()) {
      if (!exchange.receive(read.value)) break;
    }
  } catch {
    // The status is told all the same.
  }
  clearTimeout(timer);
  exchange.end();
  void reader?.cancel().catch(() => {});
}

/** The caller's own: an abort, or a request that could not be made at all. */
function isProvidersFault(error) {
  return error?.name === "TimeoutError" || (error instanceof TypeError && error.cause !== undefined);
}

function addressOf(input) {
  try {
    return new URL(input instanceof Request ? input.url : input);
  } catch {
    return undefined;
  }
}

/** The `model` of a JSON body. */
function modelIn(body) {
  if (typeof body !== "string" || body.length > MOST_REQUEST_LENGTH) return undefined;
  try {
    const { model } = JSON.parse(body);
    return typeof model === "string" ? model : undefined;
  } catch {
    return undefined;
  }
}

/** Finds the provider of an address; of several, the one with the longest base URL. */
function finder(providers) {
  const below = (url) => `${url.origin}${url.pathname.replace(/\/+$/, "")}/`;
  const bases = providers.map((provider) => [below(new URL(provider.baseUrl)), provider]);
  bases.sort(([a], [b]) => b.length - a.length);
  return (url) => bases.find(([base]) => below(url).startsWith(base))?.[1];
}
