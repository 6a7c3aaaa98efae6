"""The provider `acme` after it has renamed its headers.

`x-acme-calls: 12/60` says that 12 of 60 requests are left, and `x-acme-calls-renew: 30` in how many seconds all of them
are back.
"""

from wit_world import exports
from wit_world.exports import header_parsing, types

from frames import count, values

CALLS, RENEW = 16, 17


class Types(exports.Types):
    """The world exports its types; there is nothing to do for them."""


class HeaderParsing(exports.HeaderParsing):
    def describe(self) -> header_parsing.Description:
        exact = types.NameMatch.EXACT
        return header_parsing.Description(
            name="acme-python",
            version="1.0.0",
            provider_types=["acme"],
            headers=[
                types.WantedHeader(CALLS, exact, "x-acme-calls"),
                types.WantedHeader(RENEW, exact, "x-acme-calls-renew"),
            ],
            wants_body=False,
        )

    def parse(self, response: header_parsing.Response) -> types.Reading:
        found, now = values(response.headers), response.received_at
        left, _, allowed = next(iter(found[CALLS]), "").partition("/")
        remaining, wait = count(left), count(next(iter(found[RENEW]), ""))
        resets_at = None if wait is None else types.Instant(now.seconds + wait, now.nanoseconds)
        requests = types.Limit(
            quantity=types.Quantity.REQUESTS,
            scope=types.Scope(None, None),
            pool="",
            window_s=None,
            limit=count(allowed),
            remaining=remaining,
            utilization=None,
            resets_at=resets_at,
            captured_at=now,
            refill=types.Refill.WINDOW_EDGE,
            effect=types.Effect.REFUSES,
        )
        refused = response.status == 429
        return types.Reading(
            remaining_requests=remaining,
            remaining_tokens=None,
            reset_at=resets_at,
            retry_after_ms=None,
            exhausted=refused or remaining == 0,
            limits=[] if remaining is None else [requests],
            reason=None,
            refusal=types.RefusalClass.RATE if refused else None,
        )
