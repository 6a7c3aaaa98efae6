//! Headers of responses, as providers send them.

/// What every response carries beside its limits.
pub const COMMON: [(&str, &str); 14] = [
    ("date", "Thu, 15 Jan 2026 12:00:00 GMT"),
    ("content-type", "application/json"),
    ("content-length", "2048"),
    ("connection", "keep-alive"),
    ("server", "cloudflare"),
    ("cf-ray", "8f0a1b2c3d4e5f60-FRA"),
    ("cf-cache-status", "DYNAMIC"),
    ("x-request-id", "req_0123456789abcdef0123456789abcdef"),
    ("access-control-expose-headers", "X-Request-ID"),
    ("strict-transport-security", "max-age=31536000; includeSubDomains; preload"),
    ("x-content-type-options", "nosniff"),
    ("alt-svc", "h3=\":443\"; ma=86400"),
    ("vary", "Accept-Encoding"),
    ("via", "1.1 google"),
];

/// What OpenAI tells of its limits.
pub const OPENAI: [(&str, &str); 6] = [
    ("x-ratelimit-limit-requests", "10000"),
    ("x-ratelimit-remaining-requests", "9999"),
    ("x-ratelimit-reset-requests", "8.64s"),
    ("x-ratelimit-limit-tokens", "200000"),
    ("x-ratelimit-remaining-tokens", "199938"),
    ("x-ratelimit-reset-tokens", "18ms"),
];

/// What Anthropic tells of its limits.
pub const ANTHROPIC: [(&str, &str); 12] = [
    ("anthropic-ratelimit-requests-limit", "1000"),
    ("anthropic-ratelimit-requests-remaining", "999"),
    ("anthropic-ratelimit-requests-reset", "2026-01-15T12:00:01Z"),
    ("anthropic-ratelimit-tokens-limit", "96000"),
    ("anthropic-ratelimit-tokens-remaining", "95000"),
    ("anthropic-ratelimit-tokens-reset", "2026-01-15T12:00:02Z"),
    ("anthropic-ratelimit-input-tokens-limit", "80000"),
    ("anthropic-ratelimit-input-tokens-remaining", "79000"),
    ("anthropic-ratelimit-input-tokens-reset", "2026-01-15T12:00:02Z"),
    ("anthropic-ratelimit-output-tokens-limit", "16000"),
    ("anthropic-ratelimit-output-tokens-remaining", "16000"),
    ("anthropic-ratelimit-output-tokens-reset", "2026-01-15T12:00:00Z"),
];

/// What the provider of the example parser sends: twenty headers; the parser asks for five names and is sent six.
pub const ACME: [(&str, &str); 20] = [
    ("date", "Thu, 15 Jan 2026 12:00:00 GMT"),
    ("content-type", "application/json"),
    ("content-length", "1234"),
    ("connection", "keep-alive"),
    ("server", "acme"),
    ("x-request-id", "0123456789abcdef"),
    ("x-acme-calls", "12/60"),
    ("x-acme-calls-renew", "30s"),
    ("x-acme-tokens", "90000/100000"),
    ("x-acme-tokens-renew", "2026-01-15T12:00:06Z"),
    ("x-acme-come-back", "0"),
    ("x-acme-come-back", "1"),
    ("strict-transport-security", "max-age=31536000"),
    ("x-content-type-options", "nosniff"),
    ("cf-cache-status", "DYNAMIC"),
    ("cf-ray", "0123456789abcdef-FRA"),
    ("alt-svc", "h3=\":443\""),
    ("vary", "accept-encoding"),
    ("access-control-allow-origin", "*"),
    ("x-processing-ms", "812"),
];
