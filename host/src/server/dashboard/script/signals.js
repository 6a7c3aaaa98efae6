// What signals mean: order, shares, sums. Nothing here touches the page.

const STATUSES = ["exhausted", "degraded", "unknown", "available"];

/** The share of a limit that is used, 0 to 1; NaN where nothing tells. */
function shareUsed(limit) {
  if (Number.isFinite(limit.utilization)) return Math.min(Math.max(limit.utilization, 0), 1);
  if (Number.isFinite(limit.remaining) && limit.limit > 0) {
    return Math.min(Math.max(1 - limit.remaining / limit.limit, 0), 1);
  }
  return NaN;
}

/** When the provider can be asked again, in milliseconds since 1970; NaN where nothing tells or nothing is in the way. */
function endsAt(signal) {
  const reset = signal.status === "exhausted" ? moment(signal.quota_reset_at) : NaN;
  return Number.isNaN(reset) ? moment(signal.cooldown_until) : reset;
}

/** What the order goes by: the status, how long nothing can be sent, the smallest share left in whole percents. */
function urgency(signal) {
  const ends = endsAt(signal);
  const isOut = signal.status === "exhausted";
  const shares = (signal.limits ?? []).map(shareUsed).filter((share) => !Number.isNaN(share));
  return [
    STATUSES.indexOf(signal.status),
    isOut ? -(Number.isNaN(ends) ? Number.MAX_VALUE : ends) : 0,
    -Math.round(Math.max(0, ...shares) * 100),
  ];
}

/** Most urgent first, then by name: the order only changes when a signal does. */
function byUrgency(a, b) {
  for (let place = 0; place < a.urgency.length; place += 1) {
    if (a.urgency[place] !== b.urgency[place]) return a.urgency[place] - b.urgency[place];
  }
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

/** Account, model and pool, as far as they are known. */
function scopeOf({ scope, pool }) {
  return [scope?.model, scope?.account && `account ${scope.account}`, pool].filter(Boolean).join(" · ");
}

/** Limits as they are to be listed: the most used first, and after it all others of its scope; what tells no share last. */
function byUse(limits) {
  const use = (limit) => (Number.isNaN(shareUsed(limit)) ? -1 : shareUsed(limit));
  const scopes = Map.groupBy([...limits].sort((a, b) => use(b) - use(a)), scopeOf);
  return [...scopes.values()].flat();
}

/** All that a filter looks into, in small letters. */
function searchText({ signal, about }) {
  const scopes = [...(signal.limits ?? []), ...(signal.cooldowns ?? [])].map(scopeOf);
  const parts = [signal.provider, signal.status, words(signal.reason ?? ""), about?.type, about?.parser?.name, ...scopes];
  return parts.filter(Boolean).join(" ").toLowerCase();
}

/** "1 exhausted · 3 available · next reset in 2 m". */
function summaryOf(records, now) {
  const counts = new Map(STATUSES.map((status) => [status, 0]));
  let next = Infinity;
  for (const { signal } of records) {
    counts.set(signal.status, (counts.get(signal.status) ?? 0) + 1);
    const ends = endsAt(signal);
    if (ends > now) next = Math.min(next, ends);
  }
  const parts = [...counts].filter(([, number]) => number > 0).map(([status, number]) => `${numbers.format(number)} ${status}`);
  if (next < Infinity) parts.push(`next reset in ${wait(next - now)}`);
  return { text: parts.join(" · "), exhausted: counts.get("exhausted") };
}

