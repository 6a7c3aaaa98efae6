// What is told of one call: status, headers, times, and why it failed. No request header, no address, no cookie.

const MOST_HEADERS = 200;
const MOST_HEADER_BYTES = 32 << 10;
const MOST_BODY_BYTES = 8 << 10;
const SECRET = new RegExp(
  "(^|[-_.])(apikey|auth|authentication|authenticate|authorization|bearer|cookie2?|credentials?|csrf|jwt|keys?" +
    "|password|secret|session)([-_.]|$)",
);
const TOKEN = /(^|[-_.])token([-_.]|$)/;
const COUNTED = /(^|[-_.])(limit|quota|ratelimit|remaining|reset|usage)([-_.]|$)/;
const ADDRESSES = new Set(["location", "content-location", "link", "refresh"]);

/**
 * The headers without credentials, cookies and addresses, and without what is too much.
 * @param {Iterable<[string, string]>} headers Names in lower case.
 * @returns {[string, string][]}
 */
export function harmless(headers) {
  const kept = [];
  let room = MOST_HEADER_BYTES;
  for (const [name, value] of headers) {
    const isSecret = SECRET.test(name) || (TOKEN.test(name) && !COUNTED.test(name)) || ADDRESSES.has(name);
    const size = name.length + value.length;
    if (isSecret || size > room) continue;
    room -= size;
    kept.push([name, value]);
    if (kept.length === MOST_HEADERS) break;
  }
  return kept;
}

/**
 * Is the body of such a response needed to know why the provider refused? Those that repeat what was sent are not.
 * @param {number} status
 */
const tellsWhy = (status) => [402, 403, 429].includes(status) || status >= 500;

/** One call under way. It is told of once, at its end. */
export class Exchange {
  #service;
  #provider;
  #host;
  #model;
  #sent = performance.now();
  /** @type {number | undefined} */
  #first;
  /** @type {number | undefined} */
  #status;
  #headers = [];
  #body = Buffer.alloc(0);
  #ended = false;

  /**
   * @param {import("./service.js").Service} service
   * @param {import("./fetch.js").Provider} provider
   * @param {string} host
   * @param {string} [model]
   */
  constructor(service, provider, host, model) {
    [this.#service, this.#provider, this.#host, this.#model] = [service, provider, host, model];
  }

  /** The head of the response is there. @param {Response} response */
  respond(response) {
    this.#status = response.status;
    this.#headers = harmless(response.headers);
  }

  /** A part of the body is there. @param {Uint8Array} part @returns {boolean} Whether more of it is of use. */
  receive(part) {
    this.#first ??= performance.now();
    if (!tellsWhy(this.#status)) return false;
    this.#body = Buffer.concat([this.#body, part]).subarray(0, MOST_BODY_BYTES);
    return this.#body.length < MOST_BODY_BYTES;
  }

  /** It broke off. Of the error, its kind and the host are told, for its text may hold an address. */
  fail(error) {
    this.end(`${error.cause?.code ?? error.name}: ${this.#host}`);
  }

  /** It is over, by itself or by the will of the caller. @param {string} [error] */
  end(error) {
    if (this.#ended) return;
    this.#ended = true;
    const now = performance.now();
    this.#service.observe({
      provider: this.#provider.name,
      type: this.#provider.type,
      account: this.#provider.account,
      status: this.#status,
      headers: this.#headers,
      latency_ms: now - this.#sent,
      ttfb_ms: this.#status === undefined ? undefined : (this.#first ?? now) - this.#sent,
      at: new Date().toISOString(),
      model: this.#model,
      body: this.#body.length > 0 ? this.#body.toString() : undefined,
      error,
    });
  }
}
