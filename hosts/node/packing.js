// Packed observations: the layout stands in wit/runtime-signals.wit.

const HEADER_BYTES = 64;
const BODY_BYTES = 65_536;
const MOST_FRAME_BYTES = 65_536;
const TEXT_BYTES = 4_096;
const LONGEST_NAME = 128;
const [ERROR, ACCOUNT, MODEL] = [0, 1, 2];

/** Unix milliseconds as the engine's instant. */
export const instant = (milliseconds) => {
  const seconds = Math.floor(milliseconds / 1000);
  return { seconds: BigInt(seconds), nanoseconds: Math.round((milliseconds - seconds * 1000) * 1e6) };
};

export const nanoseconds = (milliseconds) => BigInt(Math.max(0, Math.round(milliseconds * 1e6)));

const frame = (id, ...parts) => {
  const value = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([id, value.length & 0xff, value.length >> 8]), value]);
};

/** The frames of the headers that the profile asks for: of no other, no byte is copied. */
function headerFrames(profile, headers) {
  const frames = [];
  let bytes = 0;
  for (const [given, value] of headers) {
    if (given.length > LONGEST_NAME || bytes + given.length + value.length + 4 > MOST_FRAME_BYTES) continue;
    const name = given.toLowerCase();
    const fits = ({ kind, name: wanted }) =>
      kind === "exact" ? name === wanted : kind === "prefix" ? name.startsWith(wanted) : name.endsWith(wanted);
    const fitting = profile.headers.filter(fits);
    const header = fitting.find(({ kind }) => kind === "exact") ?? fitting[0];
    if (header === undefined) continue;
    const raw = Buffer.from(value, "latin1");
    const made =
      header.kind === "exact"
        ? frame(header.id, raw)
        : frame(header.id, Buffer.from([name.length]), Buffer.from(name, "latin1"), raw);
    frames.push(made);
    bytes += made.length;
  }
  return frames;
}

/** One observation as `store.record` takes it. */
export function pack(provider, profile, observation, now) {
  const { status = 0, latencyMs = 0, ttfbMs, error, account, model, receivedAt = now } = observation;
  const texts = [
    [ERROR, error],
    [ACCOUNT, account],
    [MODEL, model],
  ].filter(([, text]) => text !== undefined);
  const headers = observation.headers ?? [];
  const pairs = typeof headers[Symbol.iterator] === "function" ? headers : Object.entries(headers);
  const frames = Buffer.concat([
    ...texts.map(([id, text]) => frame(id, Buffer.from(text).subarray(0, TEXT_BYTES))),
    ...headerFrames(profile, pairs),
  ]);
  const readsBody = profile.body === "all" || status === 0 || status >= 400;
  const body = Buffer.from((readsBody && observation.body) || "").subarray(0, BODY_BYTES);
  const fixed = Buffer.alloc(HEADER_BYTES);
  fixed.writeUInt32LE(HEADER_BYTES + frames.length + body.length, 0);
  fixed.writeUInt32LE(provider, 4);
  fixed.writeUInt16LE(profile.handle, 8);
  fixed.writeUInt16LE(status, 10);
  fixed.writeUInt32LE(body.length, 12);
  for (const [time, at] of [
    [instant(receivedAt), 16],
    [instant(receivedAt - latencyMs), 32],
  ]) {
    fixed.writeBigInt64LE(time.seconds, at);
    fixed.writeUInt32LE(time.nanoseconds, at + 8);
  }
  fixed.writeUInt32LE(ttfbMs === undefined ? 0 : 1, 28);
  fixed.writeUInt32LE(frames.length, 44);
  fixed.writeBigUInt64LE(nanoseconds(latencyMs), 48);
  fixed.writeBigUInt64LE(nanoseconds(ttfbMs ?? 0), 56);
  return Buffer.concat([fixed, frames, body]);
}
