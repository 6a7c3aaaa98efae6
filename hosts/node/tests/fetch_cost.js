// What the wrapper costs a call, in processor time, sending left out: `node tests/fetch_cost.js`.

import { Service, signalsFetch } from "../fetch.js";

const [CALLS, RUNS] = [5_000, 7];
const service = new Service({ url: "http://127.0.0.1:1" });
const names = ["limit-requests", "remaining-requests", "limit-tokens", "remaining-tokens"];
const headers = Object.fromEntries(names.map((name) => [`x-ratelimit-${name}`, "59"]));
const bare = async () => new Response("{}", { headers });
const hooked = signalsFetch([{ name: "mine", type: "openai", baseUrl: "http://127.0.0.1" }], { service, fetch: bare });

const microsecondsACall = async (send) => {
  const began = process.cpuUsage();
  const init = { method: "POST", body: '{"model": "m", "messages": []}' };
  for (let call = 0; call < CALLS; call += 1) await (await send("http://127.0.0.1/v1/chat/completions", init)).text();
  const { user, system } = process.cpuUsage(began);
  return (user + system) / CALLS;
};

await microsecondsACall(hooked);
const added = [];
for (let run = 0; run < RUNS; run += 1) added.push((await microsecondsACall(hooked)) - (await microsecondsACall(bare)));
added.sort((a, b) => a - b);
console.log(`fetch: ${added[RUNS >> 1].toFixed(0)} us a call added, median of ${RUNS}`);
