// The page: takes in what the connection tells, and shows it once a frame.

const byId = (id) => document.getElementById(id);
/** Rows that are shown before somebody asks for more. */
const SOME = 100;
/** Changes of status that are told one by one; of more only how many. */
const FEW_ANNOUNCED = 3;
/** Between two looks at ages, types and parsers, which no event tells, in milliseconds. */
const GLANCE = 30_000;

const connection = new Connection();
/**
 * All providers by name: `signal` and `sparkline`; `newsAt` and `staleAt`, when there was the last news, and until when it is
 * fresh; `about`, its type and parser; `urgency` and `text`, what the order and the filter go by.
 */
const records = new Map();
/** The rows on the page by name. */
const rows = new Map();
const changed = new Set();
let wanted = SOME;
let order = [];
let orderIsOld = false;
let announced = [];
let frame = 0;

function plan() {
  frame ||= requestAnimationFrame(() => {
    frame = 0;
    render();
  });
}

/** Takes in an event of `/v1/events`. */
function take({ signal, fresh, age_ns: age }) {
  const name = signal.provider;
  const record = records.get(name) ?? { name, sparkline: new Sparkline() };
  records.set(name, record);
  // Not what the event says was before: after some were missed, all signals come anew.
  const before = record.signal?.status;
  Object.assign(record, { signal, urgency: urgency(signal) });
  record.sparkline.add(signal, connection.now());
  takeNews(record, fresh, age);
  if (before && before !== signal.status) announce(name, signal);
  if (!record.about) lookSoon();
}

/** Takes in how old the last news of a provider is, and has it shown anew. */
function takeNews(record, fresh, age) {
  const newsAt = age === null ? null : connection.now() - age / 1e6;
  Object.assign(record, { newsAt, staleAt: fresh ? newsAt + ttl : -Infinity, text: searchText(record) });
  changed.add(record.name);
  orderIsOld = true;
  plan();
}

// Ages, types and parsers.

/** How long news is fresh, in milliseconds; not known at first. */
let ttl = Infinity;
let glance;
let isSoon = false;

function lookIn(milliseconds) {
  clearTimeout(glance);
  glance = setTimeout(look, milliseconds);
}

function lookSoon() {
  if (isSoon) return;
  isSoon = true;
  lookIn(500);
}

async function look() {
  isSoon = false;
  lookIn(GLANCE);
  if (connection.state !== "live" || document.hidden) return;
  const before = [...records.keys()];
  try {
    const answer = await ask("/v1/providers");
    takeIn(await answer.json(), before);
  } catch {
    // What is wrong with the service, the stream will tell.
  }
}

/** Takes in the answer of `/v1/providers`. Those that were there before, and that it does not list, are gone. */
function takeIn({ providers: known, ttl_ns: nanoseconds }, before) {
  ttl = nanoseconds / 1e6;
  const names = new Set(known.map(({ provider }) => provider));
  for (const name of before) {
    if (!names.has(name)) records.delete(name);
  }
  for (const about of known) {
    const record = records.get(about.provider);
    if (record) takeNews(Object.assign(record, { about }), about.fresh, about.age_ns);
  }
  orderIsOld = true;
  plan();
}

// What is shown.

function render() {
  const now = connection.now();
  if (orderIsOld) {
    orderIsOld = false;
    const sought = byId("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = [...records.values()].filter(({ text }) => sought.every((word) => text.includes(word)));
    order = found.sort(byUrgency);
    placeRows();
    const isAll = order.length === records.size && order.length <= wanted;
    write(byId("shown"), isAll ? "" : `${plural(Math.min(wanted, order.length), "provider")} shown of ${numbers.format(records.size)}`);
    byId("more").hidden = order.length <= wanted;
    if (order.length > wanted) write(byId("more"), `Show ${numbers.format(Math.min(SOME, order.length - wanted))} more`);
  }
  for (const name of changed) {
    if (records.has(name)) rows.get(name)?.show(records.get(name), now);
  }
  changed.clear();
  const isLive = connection.state === "live";
  byId("providers").hidden = records.size === 0;
  byId("empty").hidden = records.size > 0 || !isLive;
  showSummary(now);
}

/** Puts the rows that are wanted into their order. Only those that are not in their place are moved. */
function placeRows() {
  const list = byId("rows");
  const focused = document.activeElement;
  const shown = order.slice(0, wanted);
  const names = new Set(shown.map(({ name }) => name));
  for (const [name, row] of rows) {
    if (names.has(name)) continue;
    row.element.remove();
    rows.delete(name);
  }
  let place = list.firstElementChild;
  for (const { name } of shown) {
    let row = rows.get(name);
    if (!row) {
      row = new Row(name, () => connection.now());
      rows.set(name, row);
      changed.add(name);
    }
    // One that stands between two that follow each other is to go to another place: it is left behind until then.
    if (place !== null && row.element === place.nextElementSibling) place = row.element;
    if (row.element === place) {
      place = place.nextElementSibling;
    } else {
      list.insertBefore(row.element, place);
    }
  }
  // Who is at a button in a row that was moved stays there.
  if (focused !== document.activeElement && focused?.isConnected) focused.focus({ preventScroll: true });
}

function showSummary(now) {
  const { text, exhausted } = summaryOf(records.values(), now);
  const nothing = connection.state === "live" ? "No provider yet" : "\u00a0";
  write(byId("summary"), text || nothing);
  const title = exhausted > 0 ? `${numbers.format(exhausted)} exhausted · runtime-signals` : "runtime-signals";
  if (document.title !== title) document.title = title;
}

function showConnection() {
  const { state, since, nextTry, problem } = connection;
  const now = connection.now();
  document.body.dataset.connection = state;
  byId("connection").dataset.state = since === null ? state : "disconnected";
  byId("retry").hidden = since === null || state === "locked";
  const lost = () => {
    const next = nextTry === null ? "trying now" : `next try in ${wait(nextTry - now)}`;
    return `Disconnected since ${time(since, now)} (${span(now - since)}), ${next}${problem ? `: ${problem}` : ""}`;
  };
  const text = { connecting: "Connecting…", live: "Live", locked: "Locked" };
  write(byId("connection-text"), since !== null && state !== "locked" ? lost() : text[state]);
  // Links carry no token.
  byId("links").hidden = state === "locked" || sessionStorage.getItem(TOKEN) !== null;
  const form = byId("token-form");
  const isAsked = state === "locked";
  write(byId("token-refused"), isAsked ? problem : "");
  if (form.hidden === isAsked) {
    form.hidden = !isAsked;
    if (isAsked) byId("token").focus();
  }
}

// What screen readers are told: changes of status, and of the connection; not each tick.

function announce(name, signal) {
  const ends = endsAt(signal);
  const until = ends > connection.now() ? `, until ${time(ends, connection.now())}` : "";
  announced.push(`${name} is ${signal.status}${signal.reason ? `, ${words(signal.reason)}` : ""}${until}.`);
}

function tellAnnounced() {
  if (announced.length === 0) return;
  const rest = announced.length - FEW_ANNOUNCED;
  const told = announced.slice(0, FEW_ANNOUNCED);
  if (rest > 0) told.push(`${plural(rest, "more change")} of status.`);
  announced = [];
  byId("announcements").textContent = told.join(" ");
}

let wasLost = false;

function tellConnection() {
  const isLost = connection.since !== null;
  if (isLost !== wasLost) announced.push(isLost ? "Disconnected from the service." : "Connected to the service again.");
  wasLost = isLost;
}

function tick() {
  tellAnnounced();
  if (document.hidden) return;
  const now = connection.now();
  for (const row of rows.values()) row.tick(now);
  showSummary(now);
  showConnection();
}

connection.addEventListener("signal", ({ detail }) => take(detail));
connection.addEventListener("change", () => {
  tellConnection();
  showConnection();
  if (connection.state === "live") lookSoon();
  orderIsOld = true;
  plan();
});
byId("filter").addEventListener("input", () => {
  wanted = SOME;
  orderIsOld = true;
  plan();
});
byId("more").addEventListener("click", () => {
  wanted += SOME;
  orderIsOld = true;
  plan();
});
byId("retry").addEventListener("click", () => connection.hurry());
byId("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const token = byId("token").value.trim();
  byId("token").value = "";
  if (token) connection.unlock(token);
});
addEventListener("online", () => connection.hurry());
addEventListener("pagehide", () => connection.rest());
addEventListener("pageshow", () => connection.hurry());
document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  connection.hurry();
  lookSoon();
  tick();
});
setInterval(tick, 1000);
byId("here").textContent = location.origin;
connection.run();
