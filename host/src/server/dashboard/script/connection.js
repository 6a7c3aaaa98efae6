// The connection to the service: events by a stream that is read by `fetch`, since `EventSource` can carry no token.

const TOKEN = "runtime-signals-token";
/** The service gives a sign of life every 15 seconds. */
const SILENCE = 40_000;
const SHORTEST_PAUSE = 1_000;
const LONGEST_PAUSE = 15_000;
/** No line of the service is anywhere near as long, in characters. */
const MOST_WAITING = 8 << 20;
/** The clocks agree, as far as `Date` with its whole seconds can tell, in milliseconds. */
const AGREEMENT = 1_500;

/** The service refuses the token that was sent, or there was none. */
class Locked extends Error {}

/** Asks the service. Throws where it does not answer, or refuses. */
async function ask(path, options = {}) {
  const token = sessionStorage.getItem(TOKEN);
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  const answer = await fetch(path, { ...options, headers, cache: "no-store", credentials: "omit" });
  if (answer.status === 401) throw new Locked();
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({}));
    throw new Error(typeof problem.detail === "string" ? problem.detail : `the service answers ${answer.status}`);
  }
  return answer;
}

/** By how much the service's clock is ahead of this one, in milliseconds. */
function clockOffset(answer) {
  // Half a second later on average: the header has whole seconds.
  const offset = moment(answer.headers.get("date")) + 500 - Date.now();
  return Math.abs(offset) > AGREEMENT ? offset : 0;
}

/** The events of a stream (`text/event-stream`), one after the other. */
async function* events(stream) {
  let waiting = "";
  let name = "message";
  let data = [];
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (waiting + text).split("\n");
    waiting = lines.pop();
    if (waiting.length > MOST_WAITING) throw new Error("the service sends no events");
    for (const line of lines) {
      const [, field, value] = /^([^:]*):? ?(.*?)\r?$/.exec(line);
      if (field === "event") name = value;
      if (field === "data") data.push(value);
      if (field === "" && value === "") {
        if (data.length > 0) yield { name, data: data.join("\n") };
        [name, data] = ["message", []];
      }
    }
  }
}

/** Keeps one stream open for as long as the page lasts, and tells what becomes of it. */
class Connection extends EventTarget {
  /** `connecting`, `live`, `disconnected` or `locked`. */
  state = "connecting";
  /** Since when it has been without a stream, in milliseconds since 1970; `null` while there is one. */
  since = null;
  /** When it tries again. */
  nextTry = null;
  problem = "";
  offset = 0;
  #failures = 0;
  #wake = () => {};
  #broken = new AbortController();

  /** The service's time, in milliseconds since 1970. */
  now() {
    return Date.now() + this.offset;
  }

  /** Tries again at once, where it waits. */
  hurry() {
    if (this.state === "disconnected") this.#wake();
  }

  /** Gives the stream back: a page that the browser only keeps to return to needs none. */
  rest() {
    this.#broken.abort(new Error("the page was left"));
  }

  /** Sends this token from now on. */
  unlock(token) {
    sessionStorage.setItem(TOKEN, token);
    this.#wake();
  }

  async run() {
    for (;;) {
      try {
        await this.#listen();
        throw new Error("the service has ended the stream");
      } catch (error) {
        this.#lost(error);
      }
      await this.#pause();
      this.nextTry = null;
      this.#become("connecting");
    }
  }

  async #listen() {
    const broken = new AbortController();
    this.#broken = broken;
    let watchdog;
    const alive = () => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => broken.abort(new Error("nothing comes from the service any more")), SILENCE);
    };
    try {
      alive();
      const answer = await ask("/v1/events", { signal: broken.signal });
      this.offset = clockOffset(answer);
      this.#failures = 0;
      [this.since, this.problem] = [null, ""];
      this.#become("live");
      const watched = answer.body.pipeThrough(new TransformStream({
        transform(bytes, to) {
          alive();
          to.enqueue(bytes);
        },
      }));
      for await (const { name, data } of events(watched)) {
        if (name === "signal") this.dispatchEvent(new CustomEvent("signal", { detail: JSON.parse(data) }));
      }
    } finally {
      clearTimeout(watchdog);
      broken.abort();
    }
  }

  #lost(error) {
    if (error instanceof Locked) {
      this.problem = sessionStorage.getItem(TOKEN) ? "The service refuses this token." : "";
      sessionStorage.removeItem(TOKEN);
      [this.since, this.nextTry] = [null, null];
      this.#become("locked");
      return;
    }
    this.since ??= this.now();
    // What the browser says of a connection that cannot be made helps nobody.
    this.problem = error instanceof TypeError ? "" : error.message;
    const pause = Math.min(SHORTEST_PAUSE * 2 ** this.#failures, LONGEST_PAUSE) * (0.8 + 0.4 * Math.random());
    this.#failures += 1;
    this.nextTry = this.now() + pause;
    this.#become("disconnected");
  }

  /** Waits until it is time to try again; for a token as long as it takes. */
  #pause() {
    return new Promise((done) => {
      const timer = this.state === "locked" ? undefined : setTimeout(done, this.nextTry - this.now());
      this.#wake = () => {
        clearTimeout(timer);
        done();
      };
    });
  }

  #become(state) {
    this.state = state;
    this.dispatchEvent(new Event("change"));
  }
}

