// One provider on the page. Texts of providers only ever become text, never markup.

/** Limits that are shown before somebody asks for the rest. */
const FEW = 4;
/** Shares from which on a bar looks different. */
const [HIGH, FULL] = [0.8, 1];

function clone(id) {
  return document.getElementById(id).content.firstElementChild.cloneNode(true);
}

/** Sets a text where it is another one: what stays as it is costs nothing, and selections survive. */
function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** The elements for a list of items, reused as far as there are any. */
function fill(list, items, make, show) {
  while (list.children.length > items.length) list.lastElementChild.remove();
  items.forEach((item, place) => {
    if (place === list.children.length) list.append(make());
    show(list.children[place], item);
  });
}

class Row {
  element = clone("row");
  #parts = {};
  /** What changes with the clock: functions of the time. */
  #ticking = [];
  #isExpanded = false;
  #record;

  /** `now` gives the service's time, in milliseconds since 1970. */
  constructor(name, now) {
    for (const part of ["name", "word", "why", "until", "stale", "age", "parser", "limit-list", "cooldown-list", "toggle",
      "spark", "spark-label", "error", "latency"]) {
      this.#parts[part] = this.element.querySelector(`.${part}`);
    }
    this.#parts.use = this.element.querySelector("use");
    this.#parts.figures = this.element.querySelector("dl");
    this.#parts.name.textContent = name;
    this.#parts.toggle.addEventListener("click", () => {
      this.#isExpanded = !this.#isExpanded;
      this.show(this.#record, now());
    });
  }

  /** Shows what is known of the provider. */
  show(record, now) {
    const { signal, about } = record;
    this.#record = record;
    this.#ticking = [];
    this.element.dataset.status = signal.status;
    this.#parts.use.setAttribute("href", `#${signal.status}`);
    write(this.#parts.word, signal.status);
    write(this.#parts.why, signal.reason ? words(signal.reason) : "");
    write(this.#parts.parser, parserText(about));
    this.#showUntil(signal);
    this.#tick(this.#parts.age, (at) => (record.newsAt === null ? "no news yet" : `news ${span(at - record.newsAt)} ago`));
    this.#showLimits(signal, now);
    this.#showLatency(record, now);
    this.#showError(signal);
    this.tick(now);
  }

  /** Lets its clocks go on. */
  tick(now) {
    for (const { node, text } of this.#ticking) write(node, text(now));
    const { newsAt, staleAt } = this.#record;
    this.#parts.stale.hidden = newsAt === null || now < staleAt;
  }

  #tick(node, text) {
    this.#ticking.push({ node, text });
  }

  #showUntil(signal) {
    const ends = endsAt(signal);
    if (Number.isNaN(ends)) {
      write(this.#parts.until, signal.status === "exhausted" ? "until further notice" : "");
      return;
    }
    const verb = signal.status === "exhausted" ? "resets" : "cools down";
    this.#tick(this.#parts.until, (now) => (ends > now ? `${verb} in ${wait(ends - now)}` : "over any moment"));
  }

  #showLimits({ limits = [], cooldowns = [] }, now) {
    const shown = this.#isExpanded ? limits.length : FEW;
    let above = "";
    fill(this.#parts["limit-list"], byUse(limits).slice(0, shown), () => clone("limit"), (node, limit) => {
      this.#showLimit(node, limit, above, now);
      above = scopeOf(limit);
    });
    // What holds for the provider as a whole stands beside its status.
    const ofScopes = cooldowns.filter((cooldown) => scopeOf(cooldown) || cooldowns.length > 1);
    fill(this.#parts["cooldown-list"], ofScopes, () => document.createElement("li"), (node, cooldown) => {
      const [scope, ends] = [scopeOf(cooldown), moment(cooldown.until)];
      const what = `refused: ${words(cooldown.class)}${scope && ` · ${scope}`}`;
      this.#tick(node, (at) => (ends > at ? `${what} · ends in ${wait(ends - at)}` : `${what} · over`));
    });
    const { toggle } = this.#parts;
    toggle.hidden = limits.length <= FEW;
    toggle.setAttribute("aria-expanded", this.#isExpanded);
    if (!toggle.hidden) write(toggle, this.#isExpanded ? "Fewer limits" : plural(limits.length - FEW, "more limit"));
  }

  /** `above` is the scope of the limit above, which is not said again. */
  #showLimit(node, limit, above, now) {
    const part = (name) => node.querySelector(`.${name}`);
    const [share, resets] = [shareUsed(limit), moment(limit.resets_at)];
    const window = limit.window_s ? ` / ${span(limit.window_s * 1000)}` : "";
    const hint = { informs: " (for information)", refuses_some: " (for some requests)" }[limit.effect] ?? "";
    const [what, scope] = [words(limit.quantity) + window + hint, scopeOf(limit)];
    write(part("scope"), scope === above ? "" : scope);
    write(part("what"), what);
    const isKnown = !Number.isNaN(share);
    write(part("share"), isKnown ? `${percent(share)} used` : "");
    const left = [limit.remaining, limit.limit].map((value) => (Number.isFinite(value) ? count(value) : null));
    const leftText = left[0] !== null && left[1] !== null ? `${left[0]} / ${left[1]} left`
      : left[0] !== null ? `${left[0]} left` : left[1] !== null ? `of ${left[1]}` : "";
    write(part("left"), leftText);
    if (Number.isNaN(resets)) {
      write(part("reset"), "");
    } else {
      this.#tick(part("reset"), (at) => (resets > at ? `resets in ${wait(resets - at)}` : "resets now"));
    }
    const meter = part("meter");
    meter.hidden = !isKnown;
    // The meter says the same.
    for (const name of ["share", "left"]) part(name).ariaHidden = isKnown;
    if (isKnown) {
      node.dataset.level = share >= FULL ? "full" : share >= HIGH ? "high" : "low";
      const reset = Number.isNaN(resets) ? "" : `resets at ${time(resets, now)}`;
      meter.setAttribute("aria-label", [what, scope].filter(Boolean).join(" · "));
      meter.setAttribute("aria-valuenow", Math.round(share * 100));
      meter.setAttribute("aria-valuetext", [`${percent(share)} used`, leftText, reset].filter(Boolean).join(", "));
      part("fill").style.setProperty("inline-size", `${share * 100}%`);
    }
  }

  #showLatency({ signal, sparkline }, now) {
    const { spark, "spark-label": label, figures, latency: box } = this.#parts;
    box.hidden = sparkline.isEmpty;
    if (sparkline.isEmpty) return;
    const { low, high, last } = sparkline.range;
    const since = time(sparkline.since, now);
    for (const path of ["trace", "area"]) spark.querySelector(`.${path}`).setAttribute("d", sparkline[path]);
    spark.setAttribute("aria-label",
      `Median latency as this page has seen it since ${since}: ${latency(low)} to ${latency(high)}, now ${latency(last)}`);
    write(label, `p50 seen since ${since}`);
    const known = signal.latency ?? {};
    const pairs = [["p50", signal.recent_p50_latency_ns], ["p90", known.p90_ns], ["first byte", known.ttfb_p50_ns]];
    const make = () => {
      const pair = document.createElement("div");
      pair.append(document.createElement("dt"), document.createElement("dd"));
      return pair;
    };
    fill(figures, pairs.filter(([, value]) => Number.isFinite(value)), make, (pair, [name, value]) => {
      write(pair.firstElementChild, name);
      write(pair.lastElementChild, latency(value));
    });
  }

  #showError({ last_error_msg: message, last_error_at: text }) {
    const { error } = this.#parts;
    const at = moment(text);
    error.hidden = Number.isNaN(at);
    if (Number.isNaN(at)) return;
    this.#tick(error, (now) => `Last error ${span(now - at)} ago${message ? `: ${message}` : ""}`);
  }
}

/** Which parser reads the provider's responses. */
function parserText(about) {
  if (!about) return "";
  if (!about.type) return "type not known here";
  const { kind, name, version } = about.parser ?? {};
  const parser = { component: `parser ${name} ${version}`, profile: `your profile ${name}` }[kind] ?? "built-in parser";
  return `${about.type} · ${parser}`;
}

