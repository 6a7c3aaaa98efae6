// What a collect may ask of the network and of quota files.

const TIMEOUT_MS = 3_000;

/**
 * `GET <baseUrl>/v1/models`, as the engine's `probe-outcome`. Follows no redirect and reads no body.
 */
export async function probe(providerType, baseUrl) {
  let url;
  try {
    url = new URL(baseUrl);
  } catch {
    return { tag: "unusable", val: "the base URL is none" };
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    return { tag: "unusable", val: "the base URL needs http:// or https://" };
  }
  const failed = (kind, message) => ({ tag: "failed", val: { kind, message } });
  const target = new URL(url.origin);
  target.pathname = `${url.pathname.replace(/\/+$/, "").replace(/\/v1$/, "")}/v1/models`;
  try {
    const answer = await fetch(target, { redirect: "manual", signal: AbortSignal.timeout(TIMEOUT_MS) });
    await answer.body?.cancel();
    return answer.ok ? { tag: "alive" } : failed("refused", `HTTP ${answer.status} from ${url.origin}`);
  } catch (error) {
    return error.name === "TimeoutError"
      ? failed("timeout", `no answer from ${url.origin} within ${TIMEOUT_MS} ms`)
      : failed("unreachable", `no connection to ${url.origin}: ${error.cause?.code ?? error.name}`);
  }
}

/** A quota harness that knows nothing, so that what was recorded serves. */
export const noQuota = async (name) => ({
  source: name,
  state: "unavailable",
  reason: "no quota harness was given",
});

/** A status in the form of `runtime-signals`' quota files as the engine's `quota-status`. */
export function quotaStatus(status, instant) {
  const at = (time) => (time === undefined ? undefined : instant(Date.parse(time)));
  return {
    source: status.source,
    capturedAt: at(status.captured_at),
    fresh: status.fresh ?? false,
    ageNs: status.age_ns === undefined ? undefined : BigInt(status.age_ns),
    state: status.state,
    windows: (status.windows ?? []).map((window) => ({
      name: window.name,
      limitId: window.limit_id ?? "",
      windowMinutes: window.window_minutes === undefined ? undefined : BigInt(window.window_minutes),
      usedPercent: window.used_percent,
      resetsAt: at(window.resets_at),
      state: window.state,
    })),
    account: status.account,
    reason: status.reason,
  };
}

/** An error without what addresses and credentials give away. */
export const redacted = (error) =>
  error
    ?.replace(/(\w+:\/\/)(?:[^\s/@]*@)?([^\s/?#\\"'(),;]*)[^\s"'(),;]*/g, "$1$2")
    .replace(/\b(bearer|basic|(?:x-)?api[-_]?key\s*[:=]|(?:token|secret|password)\s*[:=])\s*\S+/gi, "$1 [removed]");
