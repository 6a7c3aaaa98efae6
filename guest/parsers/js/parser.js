// The provider `acme` after it has renamed its headers: `x-acme-calls: 12/60` says that 12 of 60 requests are left, and
// `x-acme-calls-renew: 30` in how many seconds all of them are back.
import { after, count, values } from './frames.js';

const CALLS = 16;
const RENEW = 17;

export const headerParsing = {
  describe: () => ({
    name: 'acme-js',
    version: '1.0.0',
    providerTypes: ['acme'],
    headers: [
      { id: CALLS, kind: 'exact', name: 'x-acme-calls' },
      { id: RENEW, kind: 'exact', name: 'x-acme-calls-renew' },
    ],
    wantsBody: false,
  }),

  parse({ status, headers, receivedAt }) {
    const found = values(headers);
    const [remaining, limit] = (found[CALLS]?.[0] ?? '').split('/').map(count);
    const wait = count(found[RENEW]?.[0]);
    const resetsAt = wait === undefined ? undefined : after(receivedAt, wait);
    const requests = {
      quantity: 'requests',
      scope: {},
      pool: '',
      limit,
      remaining,
      resetsAt,
      capturedAt: receivedAt,
      refill: 'window-edge',
      effect: 'refuses',
    };
    return {
      remainingRequests: remaining,
      resetAt: resetsAt,
      exhausted: status === 429 || remaining === 0n,
      limits: remaining === undefined ? [] : [requests],
      refusal: status === 429 ? 'rate' : undefined,
    };
  },
};
