// A runtime-signals service as hooks use it: fed in the background, and asked before a call.
//
// Nothing here harms the caller. Observing only appends to a bounded queue; what is in it is posted in batches. Asking
// has a short time-out, and is left alone for a second after it failed. What could not be delivered is counted.

import http from "node:http";
import https from "node:https";

const DEFAULT_URL = "http://127.0.0.1:7433";
const QUEUE_BYTES = 4 << 20;
const BATCH_LINES = 1000;
const BATCH_BYTES = 1 << 20;
/** How long a first observation waits for others to go with it. */
const LINGER_MS = 50;
const [FIRST_PAUSE_MS, LONGEST_PAUSE_MS] = [250, 5_000];
const MUTE_MS = 1_000;
/** Longest answer that is read. */
const ANSWER_BYTES = 64 << 10;

/**
 * What became of observations and questions.
 * @typedef {object} Counts
 * @property {number} accepted Observations that the service has recorded.
 * @property {number} refused Observations that the service did not understand.
 * @property {number} dropped Observations that the queue had no room for, or that did not arrive.
 * @property {number} unanswered Questions that the service did not answer in time.
 */

/**
 * When a request can pass.
 * @typedef {object} Answer
 * @property {"go" | "wait" | "too_large" | "unknown"} answer
 * @property {number} [waitMs] How long until it can pass; undefined where waiting does not help or nothing is known.
 */

/** A service that takes observations and says when a request can pass. */
export class Service {
  #target;
  #headers;
  #queueBytes;
  #timeoutMs;
  #askTimeoutMs;
  /** @type {Buffer[]} */
  #lines = [];
  #waitingBytes = 0;
  #inFlight = 0;
  #pauseMs = 0;
  /** @type {NodeJS.Timeout | undefined} */
  #timer;
  #mutedUntil = 0;
  /** Called when nothing waits any more. */
  #idle = new Set();
  #counts = { accepted: 0, refused: 0, dropped: 0, unanswered: 0 };

  /**
   * @param {object} [options]
   * @param {string} [options.url] `http://…`, `https://…` or `unix:/path/of/its.sock`; RUNTIME_SIGNALS_URL if not given.
   * @param {string} [options.token] What the service asks for, if it does; RUNTIME_SIGNALS_TOKEN if not given.
   * @param {number} [options.queueBytes] What may wait to be sent.
   * @param {number} [options.timeoutMs] Of a post.
   * @param {number} [options.askTimeoutMs] Of a question.
   */
  constructor({ url, token, queueBytes = QUEUE_BYTES, timeoutMs = 2_000, askTimeoutMs = 250 } = {}) {
    const place = new URL(url || process.env.RUNTIME_SIGNALS_URL || DEFAULT_URL);
    if (!["http:", "https:", "unix:"].includes(place.protocol)) {
      throw new TypeError("the URL of a runtime-signals service begins with http://, https:// or unix:/");
    }
    this.#target = place;
    token ||= process.env.RUNTIME_SIGNALS_TOKEN;
    this.#headers = token ? { "x-runtime-signals-token": token } : {};
    [this.#queueBytes, this.#timeoutMs, this.#askTimeoutMs] = [queueBytes, timeoutMs, askTimeoutMs];
  }

  /** @returns {Counts} What became of observations and questions so far. */
  get counts() {
    return { ...this.#counts };
  }

  /**
   * Sends one finished call in the background. Where the queue is full, the oldest goes.
   * @param {object} observation As `POST /v1/observations` takes it.
   */
  observe(observation) {
    const line = Buffer.from(`${JSON.stringify(observation)}\n`);
    this.#lines.push(line);
    this.#waitingBytes += line.length;
    while (this.#waitingBytes > this.#queueBytes) {
      this.#waitingBytes -= this.#lines.shift().length;
      this.#counts.dropped += 1;
    }
    this.#schedule(LINGER_MS);
  }

  /**
   * When a request of this size can pass; undefined where the service does not answer.
   * @param {string} provider
   * @param {{ model?: string, account?: string, tokens?: number }} [request]
   * @returns {Promise<Answer | undefined>}
   */
  async ask(provider, request = {}) {
    if (Date.now() >= this.#mutedUntil) {
      const given = Object.entries({ provider, ...request }).filter(([, value]) => value !== undefined);
      try {
        const path = `/v1/wait?${new URLSearchParams(given)}`;
        const { status, body } = await this.#request("GET", path, this.#askTimeoutMs);
        if (status === 404) return { answer: "unknown" };
        if (status !== 200) throw new Error(`status ${status}`);
        const { answer, wait_ms: waitMs } = JSON.parse(body);
        return { answer, waitMs };
      } catch {
        this.#mutedUntil = Date.now() + MUTE_MS;
      }
    }
    this.#counts.unanswered += 1;
    return undefined;
  }

  /**
   * Waits until nothing waits to be sent any more; false where that takes too long.
   * @param {number} [timeoutMs]
   * @returns {Promise<boolean>}
   */
  flush(timeoutMs = 1_000) {
    if (this.#isIdle) return Promise.resolve(true);
    return new Promise((resolve) => {
      const done = (sent) => {
        clearTimeout(timer);
        this.#idle.delete(done);
        resolve(sent);
      };
      const timer = setTimeout(done, timeoutMs, false);
      this.#idle.add(done);
    });
  }

  get #isIdle() {
    return this.#lines.length === 0 && this.#inFlight === 0;
  }

  #schedule(delayMs) {
    if (this.#timer !== undefined || this.#inFlight > 0) return;
    this.#timer = setTimeout(() => this.#sendBatch(), Math.max(delayMs, this.#pauseMs));
    // A service that is away keeps no process from ending.
    if (this.#pauseMs > 0) this.#timer.unref();
  }

  async #sendBatch() {
    let batch = 0;
    let [accepted, refused] = [0, 0];
    // Nothing is taken before there is a connection: it waits for the service to come back.
    const take = () => {
      const lines = this.#take();
      batch = this.#inFlight = lines.length;
      return Buffer.concat(lines);
    };
    try {
      const { status, body } = await this.#request("POST", "/v1/observations", this.#timeoutMs, take);
      ({ accepted = 0, refused = 0 } = JSON.parse(body));
      this.#pauseMs = status === 200 || status === 422 ? 0 : this.#longerPause();
    } catch {
      this.#pauseMs = this.#longerPause();
    }
    this.#counts.accepted += accepted;
    this.#counts.refused += refused;
    // Not sent again: a part of it may have been recorded.
    this.#counts.dropped += Math.max(0, batch - accepted - refused);
    this.#inFlight = 0;
    this.#timer = undefined;
    if (this.#lines.length > 0) this.#schedule(0);
    else for (const done of this.#idle) done(true);
  }

  #longerPause() {
    return Math.min(Math.max(this.#pauseMs * 2, FIRST_PAUSE_MS), LONGEST_PAUSE_MS);
  }

  #take() {
    let [count, size] = [0, 0];
    while (count < this.#lines.length && count < BATCH_LINES && size < BATCH_BYTES) {
      size += this.#lines[count].length;
      count += 1;
    }
    this.#waitingBytes -= size;
    return this.#lines.splice(0, count);
  }

  /** One request on a connection of its own. `take` gives the body once there is a connection. */
  #request(method, path, timeoutMs, take) {
    const { protocol, hostname, port, pathname } = this.#target;
    const isSocket = protocol === "unix:";
    const place = isSocket
      ? { socketPath: pathname, path }
      : { hostname: hostname.replace(/^\[|\]$/g, ""), port, path: pathname.replace(/\/+$/, "") + path };
    const headers = { host: isSocket ? "localhost" : this.#target.host, connection: "close", ...this.#headers };
    if (take) headers["content-type"] = "application/x-ndjson";
    const { request } = protocol === "https:" ? https : http;
    return new Promise((resolve, reject) => {
      const signal = AbortSignal.timeout(timeoutMs);
      const sending = request({ ...place, method, headers, agent: false, signal }, (response) => {
        const parts = [];
        let size = 0;
        response.on("data", (part) => {
          size += part.length;
          if (size > ANSWER_BYTES) response.destroy(new Error("the answer is too long"));
          parts.push(part);
        });
        response.on("error", reject);
        response.on("end", () => resolve({ status: response.statusCode, body: Buffer.concat(parts).toString() }));
      });
      sending.on("error", reject);
      if (!take) return sending.end();
      const connected = protocol === "https:" ? "secureConnect" : "connect";
      sending.on("socket", (socket) => socket.once(connected, () => sending.end(take())));
    });
  }
}
