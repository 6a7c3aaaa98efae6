// The median latency of a provider as this page has seen it: signals carry percentiles, not their history.

const MOST_POINTS = 120;
const [WIDTH, HEIGHT, MARGIN] = [120, 28, 2];

/** Medians over time, the oldest forgotten first. */
class Sparkline {
  #points = [];

  /** Takes in what a signal says, at this time in milliseconds since 1970. */
  add(signal, at) {
    if (!signal.latency) return;
    this.#points.push([at, signal.recent_p50_latency_ns]);
    if (this.#points.length > MOST_POINTS) this.#points.shift();
  }

  get isEmpty() {
    return this.#points.length === 0;
  }

  /** Since when, in milliseconds since 1970. */
  get since() {
    return this.#points[0][0];
  }

  /** The lowest, the highest and the last median, in nanoseconds. */
  get range() {
    const values = this.#points.map(([, value]) => value);
    return { low: Math.min(...values), high: Math.max(...values), last: values.at(-1) };
  }

  /** The data of a path over the whole width: each median holds until the next one. */
  get trace() {
    const { high } = this.range;
    const [start, end] = [this.since, this.#points.at(-1)[0]];
    const x = (at) => (end > start ? ((at - start) / (end - start)) * WIDTH : 0);
    // From zero, so that a small change does not look like a large one.
    const y = (value) => HEIGHT - MARGIN - (high > 0 ? value / high : 0) * (HEIGHT - 2 * MARGIN);
    const [, first] = this.#points[0];
    const steps = this.#points.slice(1).map(([at, value]) => `H${x(at).toFixed(1)}V${y(value).toFixed(1)}`);
    return `M0 ${y(first).toFixed(1)}${steps.join("")}H${WIDTH}`;
  }

  /** The data of what lies below it. */
  get area() {
    return `${this.trace}V${HEIGHT}H0Z`;
  }
}

