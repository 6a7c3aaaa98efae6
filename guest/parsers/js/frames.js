// Headers as the host sends them: frames of id, length and value, one behind the other (wit/header-parser.wit).

const text = (bytes) => {
  let result = '';
  for (const byte of bytes) result += String.fromCharCode(byte);
  return result;
};

// The values of the headers by their ids, in the order in which they were sent: {16: ['12/60'], ...}.
export function values(frames) {
  const found = {};
  for (let at = 0; at + 3 <= frames.length; ) {
    const start = at + 3;
    const end = start + frames[at + 1] + 256 * frames[at + 2];
    (found[frames[at]] ??= []).push(text(frames.subarray(start, end)));
    at = end;
  }
  return found;
}

// A count of decimal digits, as the WIT type u64 wants it; undefined for anything else.
export const count = (text) => (/^[0-9]{1,18}$/.test(text) ? BigInt(text) : undefined);

// Seconds after a point in time.
export const after = ({ seconds, nanoseconds }, wait) => ({ seconds: seconds + wait, nanoseconds });
