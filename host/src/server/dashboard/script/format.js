// Figures and times for people.

const THIN = "\u202f";
const UNITS = [["d", 86400], ["h", 3600], ["m", 60], ["s", 1]];
const numbers = new Intl.NumberFormat("en");
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const clockTimes = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const dayTimes = new Intl.DateTimeFormat("en-GB", {
  weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit",
});

/** The two largest units of a span in milliseconds, rounded down: "3 d 4 h", "4 m 12 s", "0 s". */
function span(milliseconds) {
  let rest = Math.max(0, Math.floor(milliseconds / 1000));
  const first = UNITS.findIndex(([, seconds]) => rest >= seconds);
  if (first < 0) return `0${THIN}s`;
  const parts = [];
  for (const [unit, seconds] of UNITS.slice(first, first + 2)) {
    const count = Math.floor(rest / seconds);
    if (count > 0) parts.push(`${count}${THIN}${unit}`);
    rest -= count * seconds;
  }
  return parts.join(" ");
}

/** A span that is still to come: rounded up, so that what is not over is never "0 s". */
function wait(milliseconds) {
  return span(milliseconds + 999);
}

/** A latency in nanoseconds: "840 ms", "1.2 s", "4 m 12 s". */
function latency(nanoseconds) {
  const milliseconds = nanoseconds / 1e6;
  if (milliseconds < 1) return `${Math.round(milliseconds * 1000)}${THIN}µs`;
  if (milliseconds < 1000) return `${Math.floor(milliseconds)}${THIN}ms`;
  if (milliseconds < 10000) return `${(Math.floor(milliseconds / 100) / 10).toFixed(1)}${THIN}s`;
  return span(milliseconds);
}

/** A count: whole below a million, short beyond. */
function count(value) {
  return Math.abs(value) < 1e6 ? numbers.format(value) : compact.format(value);
}

/** A share from 0 to 1: what is not used up is never "100 %". */
function percent(share) {
  const whole = Math.round(share * 100);
  return `${share < 1 ? Math.min(whole, 99) : whole}${THIN}%`;
}

/** A time of day, with the day where it is not within a day of `now`. Both in milliseconds since 1970. */
function time(at, now) {
  return (Math.abs(at - now) < 86400e3 ? clockTimes : dayTimes).format(at);
}

/** "1 provider", "2 providers". */
function plural(number, noun) {
  return `${numbers.format(number)} ${noun}${number === 1 ? "" : "s"}`;
}

/** A word of the API for people: "rate_limited" is "rate limited". */
function words(word) {
  return word.replaceAll("_", " ");
}

/** The moment of a time as the service writes it, in milliseconds since 1970; NaN for none. */
function moment(text) {
  return typeof text === "string" ? Date.parse(text) : NaN;
}

