// Can I send this request to this LLM provider now; if not, when; and who can take it instead?
//
// The engine component plans, this module fetches and reports: a synchronous import could not await. Signals come out
// as JSON texts.

import { readFile } from "node:fs/promises";

import { CacheError, SignalCache, checkName } from "./cache.js";
import { noQuota, probe, quotaStatus, redacted } from "./effects.js";
import { instantiate } from "./engine/engine.js";
import { instant, nanoseconds, pack } from "./packing.js";

export { CacheError, SignalCache, noQuota, probe };

const text = (json) => Buffer.from(json).toString();

/** Memory, evidence and cache of one process. */
export class Collector {
  #api;
  #store;
  #cache;
  #probe;
  #quota;
  #now;
  /** By name: the provider's handle, once what is stored has been taken in. */
  #known = new Map();
  #profiles = new Map();
  /** Refreshes in flight, which callers share. */
  #flights = new Map();

  /**
   * A collector. `probe(providerType, baseUrl)` and `quota(name, live)` replace the liveness check and the quota
   * harness; `now()` gives Unix milliseconds.
   */
  static async load({ cache, probe: check = probe, quota = noQuota, now = Date.now } = {}) {
    const file = (name) => new URL(`./engine/${name}`, import.meta.url);
    const { runtimeSignals } = await instantiate(
      async (name) => WebAssembly.compile(await readFile(file(name))),
      {},
    );
    const collector = new Collector();
    collector.#api = runtimeSignals;
    collector.#store = new runtimeSignals.Store(0);
    collector.#cache = cache ?? new SignalCache(undefined, { now });
    [collector.#probe, collector.#quota, collector.#now] = [check, quota, now];
    return collector;
  }

  /** Records one response in memory. An empty provider name is nobody's. */
  async recordResponse(observation) {
    if (observation.provider === "") return;
    const handle = await this.#know(observation.provider);
    const profile = this.#profile(observation.providerType);
    const packed = pack(handle, profile, { ...observation, error: redacted(observation.error) }, this.#now());
    this.#store.record(packed);
  }

  /** The signal as of now, with a live check where the provider type asks for one. Nothing is written. */
  async collect(provider, { providerType, baseUrl = "" }) {
    const handle = await this.#know(provider);
    return this.#judged(handle, await this.#evidence(providerType, baseUrl, false));
  }

  /** After a call that was recorded: collects from memory and persists. An error of the call is recorded. */
  async observe(provider, providerType, latencyMs, error) {
    if (error !== undefined) await this.recordResponse({ provider, providerType, latencyMs, error });
    if (provider === "") {
      const nobody = this.#store.addProvider("");
      try {
        return this.#judged(nobody, { tag: "none" });
      } finally {
        this.#store.forget(nobody);
      }
    }
    const handle = await this.#know(provider);
    const signal = this.#judged(handle, { tag: "none" });
    await this.#settle(provider, handle, false);
    return signal;
  }

  /** Records, collects from memory and persists. */
  async observeResponse(observation) {
    await this.recordResponse(observation);
    return this.observe(observation.provider, observation.providerType, 0);
  }

  /** Refreshes with a live look at the evidence, and writes durably. At most one refresh is in flight. */
  warmup(provider, { providerType, baseUrl = "" }) {
    const flight =
      this.#flights.get(provider) ??
      this.#refresh(provider, providerType, baseUrl).finally(() => this.#flights.delete(provider));
    this.#flights.set(provider, flight);
    return flight;
  }

  /** What is on disk; undefined where there is none or it is no signal. */
  async readCached(provider) {
    const stored = await this.#cache.read(provider);
    const signal = stored && this.#decoded(provider, stored.json);
    if (signal === undefined) return undefined;
    const now = this.#now();
    const times = [stored.modifiedMs, Date.parse(JSON.parse(signal).recorded_at)];
    const ageMs = Math.max(0, ...times.map((time) => now - time));
    const aheadMs = Math.max(0, ...times.map((time) => time - now));
    return { signal, fresh: ageMs < this.#cache.ttlMs && aheadMs <= this.#cache.refreshDeadlineMs, ageMs };
  }

  /** The provider's handle. What others have stored is taken in the first time. */
  async #know(provider) {
    if (provider !== "") checkName(provider);
    if (!this.#known.has(provider)) {
      const stored = provider === "" ? undefined : await this.#cache.read(provider);
      // Somebody else may have come while the file was read.
      if (!this.#known.has(provider)) {
        const handle = this.#store.addProvider(provider);
        this.#known.set(provider, handle);
        if (stored && this.#decoded(provider, stored.json)) this.#store.adopt(handle, stored.json);
      }
    }
    return this.#known.get(provider);
  }

  #profile(providerType) {
    if (!this.#profiles.has(providerType)) {
      this.#profiles.set(providerType, this.#store.describe(providerType));
    }
    return this.#profiles.get(providerType);
  }

  /** Plan and fetch: what the engine wants to know of a provider of this type. */
  async #evidence(providerType, baseUrl, live) {
    switch (this.#profile(providerType).source) {
      case "probe":
        return { tag: "probe", val: await this.#probe(providerType, baseUrl) };
      case "quota":
        return { tag: "quota", val: quotaStatus(await this.#quota(providerType, live), instant) };
      default:
        return { tag: "none" };
    }
  }

  /** Report: the signal's JSON. */
  #judged(handle, evidence) {
    return text(this.#api.encode(this.#store.collect(handle, evidence, instant(this.#now())).signal));
  }

  /** The signal in a file, as this version writes it; undefined where it is none. */
  #decoded(provider, json) {
    try {
      return text(this.#api.encode(this.#api.decode(provider, json)));
    } catch (error) {
      if (error.tag === "not-a-signal") return undefined;
      throw error;
    }
  }

  /** Writes a provider's present state, merged with what is stored. Returns what is there then. */
  async #settle(provider, handle, durable) {
    const [now, ahead] = [instant(this.#now()), nanoseconds(this.#cache.refreshDeadlineMs)];
    let written = false;
    const there = await this.#cache.commit(provider, durable, (stored) => {
      const outcome = this.#store.settle(handle, stored, now, ahead);
      written = outcome.tag === "write";
      return written ? outcome.val : undefined;
    });
    if (written) this.#store.share(handle);
    return there;
  }

  async #refresh(provider, providerType, baseUrl) {
    const handle = await this.#know(provider);
    if (!(await this.#cache.claimRefresh(provider))) {
      return (await this.readCached(provider))?.signal ?? this.#judged(handle, { tag: "none" });
    }
    let failure;
    try {
      const signal = this.#judged(handle, await this.#evidence(providerType, baseUrl, true));
      const stored = await this.#settle(provider, handle, true);
      return stored === undefined ? signal : this.#decoded(provider, stored);
    } catch (error) {
      failure = redacted(error.message);
      throw error;
    } finally {
      await this.#cache.endRefresh(provider, failure);
    }
  }
}
