//! The bodies of the vectors, and what they say.

use super::*;

struct Case {
    id: &'static str,
    now: &'static str,
    body: &'static str,
    wait_ms: Option<u128>,
    /// Seconds from then on.
    resets_in: Option<i64>,
    limits: &'static [&'static str],
    words: &'static [&'static str],
    is_error: bool,
}

const CASES: &[Case] = &[
    Case {
        id: "anthropic-429-fast-not-enabled",
        now: "2026-01-15T12:00:00Z",
        body: r#"{"type":"error","error":{"type":"rate_limit_error","message":"fast mode is not available"}}"#,
        wait_ms: None,
        resets_in: None,
        limits: &[],
        words: &["error", "rate_limit_error"],
        is_error: true,
    },
    Case {
        id: "anthropic-429-input",
        now: "2025-04-30T13:31:10Z",
        body: r#"{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed the rate limit for your organization of 100,000 input tokens per minute."}}"#,
        wait_ms: None,
        resets_in: None,
        limits: &["input_tokens/60 limit 100000 up"],
        words: &["error", "rate_limit_error"],
        is_error: true,
    },
    Case {
        id: "anthropic-429-spend-limit",
        now: "2026-01-15T12:00:00Z",
        body: r#"{"type":"error","error":{"type":"rate_limit_error","message":"enforced_spend_limit_reached"}}"#,
        wait_ms: None,
        resets_in: None,
        limits: &[],
        words: &["error", "rate_limit_error"],
        is_error: true,
    },
    Case {
        id: "anthropic-529",
        now: "2026-01-15T12:00:00Z",
        body: r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#,
        wait_ms: None,
        resets_in: None,
        limits: &[],
        words: &["error", "overloaded_error"],
        is_error: true,
    },
    Case {
        id: "unified-usage-endpoint-200",
        now: "2026-06-27T10:00:00Z",
        body: r#"{"five_hour":{"utilization":62.0,"resets_at":"2026-06-27T12:09:59.797540+00:00"},"seven_day_opus":null}"#,
        wait_ms: None,
        resets_in: None,
        limits: &["other/18000 share 0.62 until 2026-06-27T12:09:59.79754Z"],
        words: &[],
        is_error: false,
    },
    Case {
        id: "azure-body-45s",
        now: "2026-01-15T12:00:00Z",
        body: r#"{"error":{"code":"429","message":"Requests to the ChatCompletions_Create Operation have exceeded token rate limit of your current OpenAI S0 pricing tier. Please retry after 45 seconds."}}"#,
        wait_ms: Some(45000),
        resets_in: None,
        limits: &[],
        words: &["429"],
        is_error: true,
    },
    Case {
        id: "bedrock-429-tokens",
        now: "2025-06-09T06:46:29Z",
        body: r#"{"message":"Too many tokens, please wait before trying again."}"#,
        wait_ms: None,
        resets_in: None,
        limits: &[],
        words: &[],
        is_error: false,
    },
    Case {
        id: "cerebras-429-queue",
        now: "2026-01-15T12:00:00Z",
        body: r#"{"param":"queue","code":"queue_exceeded"}"#,
        wait_ms: None,
        resets_in: None,
        limits: &[],
        words: &["queue", "queue_exceeded"],
        is_error: false,
    },
    Case {
        id: "cerebras-429-quota",
        now: "2026-01-15T12:00:00Z",
        body: r#"{"param":"quota","code":"request_quota_exceeded"}"#,
        wait_ms: None,
        resets_in: None,
        limits: &[],
        words: &["quota", "request_quota_exceeded"],
        is_error: false,
    },
    Case {
        id: "codex-429-usage-limit",
        now: "2024-01-01T00:29:00Z",
        body: r#"{"error":{"type":"usage_limit_reached","plan_type":"plus","resets_at":1704069000,"resets_in_seconds":60}}"#,
        wait_ms: Some(60000),
        resets_in: Some(60),
        limits: &[],
        words: &["usage_limit_reached", "plus"],
        is_error: true,
    },
    Case {
        id: "codex-503-overloaded",
        now: "2026-01-15T12:00:00Z",
        body: r#"{"error":{"code":"server_is_overloaded"}}"#,
        wait_ms: None,
        resets_in: None,
        limits: &[],
        words: &["server_is_overloaded"],
        is_error: true,
    },
    Case {
        id: "codex-wham-usage",
        now: "2026-05-04T14:44:03Z",
        body: r#"{"rate_limit":{"allowed":true,"limit_reached":false,"primary_window":{"used_percent":10,"limit_window_seconds":18000,"reset_at":1777923843},"secondary_window":{"used_percent":76,"limit_window_seconds":604800,"reset_after_seconds":355033,"reset_at":1778260876}}}"#,
        wait_ms: None,
        resets_in: None,
        limits: &[
            "other/18000 share 0.1 until 2026-05-04T19:44:03Z",
            "other/604800 share 0.76 until 2026-05-08T17:21:16Z",
        ],
        words: &[],
        is_error: false,
    },
    Case {
        id: "workersai-429-3036",
        now: "2026-01-15T12:00:00Z",
        body: r#"{"success":false,"errors":[{"code":3036,"message":"you have used up your daily free allocation of 10,000 neurons"}]}"#,
        wait_ms: None,
        resets_in: None,
        limits: &["other/86400 limit 10000 up"],
        words: &["3036"],
        is_error: true,
    },
    Case {
        id: "cohere-trial-429",
        now: "2026-01-15T12:00:00Z",
        body: r#"{"message":"You are using a Trial key, which is limited to 20 API calls / minute."}"#,
        wait_ms: None,
        resets_in: None,
        limits: &["requests/60 limit 20 up"],
        words: &[],
        is_error: false,
    },
    Case {
        id: "deepseek-402",
        now: "2026-01-15T12:00:00Z",
        body: r#"{"error":{"message":"Insufficient Balance"}}"#,
        wait_ms: None,
        resets_in: None,
        limits: &[],
        words: &[],
        is_error: true,
    },
    Case {
        id: "digitalocean-429-epoch-past",
        now: "2026-09-16T18:14:22.46Z",
        body: r#"{"error":{"code":"too_many_requests"}}"#,
        wait_ms: None,
        resets_in: None,
        limits: &[],
        words: &["too_many_requests"],
        is_error: true,
    },
    Case {
        id: "gemini-429-day",
        now: "2026-01-15T12:00:00Z",
        body: r#"{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaMetric":"generativelanguage.googleapis.com/generate_content_free_tier_requests","quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier","quotaDimensions":{"location":"global","model":"gemini-2.5-flash"},"quotaValue":"20"}]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"38s"}]}}"#,
        wait_ms: Some(38000),
        resets_in: None,
        limits: &["requests/86400 @gemini-2.5-flash limit 20 up"],
        words: &["429", "resource_exhausted"],
        is_error: true,
    },
    Case {
        id: "gemini-429-day-and-minute",
        now: "2026-01-15T12:00:00Z",
        body: r#"{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaMetric":"generativelanguage.googleapis.com/generate_content_free_tier_requests","quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier","quotaDimensions":{"location":"global","model":"gemini-2.5-flash"},"quotaValue":"20"},{"quotaMetric":"generativelanguage.googleapis.com/generate_content_free_tier_requests","quotaId":"GenerateRequestsPerMinutePerProjectPerModel-FreeTier","quotaDimensions":{"location":"global","model":"gemini-2.5-pro"},"quotaValue":"5"}]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"57.238747106s"}]}}"#,
        wait_ms: Some(57239),
        resets_in: None,
        limits: &["requests/86400 @gemini-2.5-flash limit 20 up", "requests/60 @gemini-2.5-pro limit 5 up"],
        words: &["429", "resource_exhausted"],
        is_error: true,
    },
    Case {
        id: "gemini-429-message-only",
        now: "2026-01-15T12:00:00Z",
        body: r#"{"error":{"code":429,"message":"Quota exceeded for metric: generativelanguage.googleapis.com/generate_content_free_tier_requests, limit: 0, model: gemini-2.5-pro\nPlease retry in 20.04466179s.","status":"RESOURCE_EXHAUSTED"}}"#,
        wait_ms: Some(20045),
        resets_in: None,
        limits: &["requests @gemini-2.5-pro limit 0 up"],
        words: &["429", "resource_exhausted"],
        is_error: true,
    },
    Case {
        id: "gemini-429-minute",
        now: "2026-01-15T12:00:00Z",
        body: r#"{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaMetric":"generativelanguage.googleapis.com/generate_content_free_tier_requests","quotaId":"GenerateRequestsPerMinutePerProjectPerModel-FreeTier","quotaDimensions":{"location":"global","model":"gemini-2.5-pro"},"quotaValue":"5"}]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.074824224s"}]}}"#,
        wait_ms: Some(34075),
        resets_in: None,
        limits: &["requests/60 @gemini-2.5-pro limit 5 up"],
        words: &["429", "resource_exhausted"],
        is_error: true,
    },
    Case {
        id: "gemini-429-ms",
        now: "2026-01-15T12:00:00Z",
        body: r#"{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details.","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaMetric":"generativelanguage.googleapis.com/generate_content_free_tier_requests","quotaId":"GenerateRequestsPerMinutePerProjectPerModel-FreeTier","quotaDimensions":{"location":"global","model":"gemini-2.5-pro"},"quotaValue":"5"}]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"900ms"}]}}"#,
        wait_ms: Some(900),
        resets_in: None,
        limits: &["requests/60 @gemini-2.5-pro limit 5 up"],
        words: &["429", "resource_exhausted"],
        is_error: true,
    },
    Case {
        id: "copilot-429-5h",
        now: "2026-01-15T12:00:00Z",
        body: "Sorry, you've exceeded your 5 hour session limits.",
        wait_ms: None,
        resets_in: None,
        limits: &[],
        words: &[],
        is_error: false,
    },
    Case {
        id: "copilot-429-month",
        now: "2026-07-27T21:58:12Z",
        body: "quota exceeded\n",
        wait_ms: None,
        resets_in: None,
        limits: &[],
        words: &[],
        is_error: false,
    },
    Case {
        id: "github-models-429-concurrent",
        now: "2026-01-15T12:00:00Z",
        body: r#"{"error":{"code":"RateLimitReached","message":"Rate limit of 5 per 0s exceeded for UserConcurrentRequests. Please wait 0 seconds before retrying."}}"#,
        wait_ms: Some(0),
        resets_in: None,
        limits: &["other concurrency limit 5 up"],
        words: &["ratelimitreached"],
        is_error: true,
    },
    Case {
        id: "codeassist-429-quota",
        now: "2026-01-15T12:00:00Z",
        body: r#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"QUOTA_EXHAUSTED","domain":"cloudcode-pa.googleapis.com","metadata":{"quotaResetDelay":"1h16m0.667s"}}]}}"#,
        wait_ms: Some(4560667),
        resets_in: None,
        limits: &[],
        words: &["429", "resource_exhausted", "quota_exhausted", "cloudcode-pa.googleapis.com"],
        is_error: true,
    },
    Case {
        id: "groq-413-oversize",
        now: "2026-01-15T12:00:00Z",
        body: r#"{"error":{"message":"Request too large for model in organization org_x on tokens per minute (TPM): Limit 8000, Requested 11088, please reduce your message size and try again.","type":"tokens","code":"rate_limit_exceeded"}}"#,
        wait_ms: None,
        resets_in: None,
        limits: &["tokens/60 limit 8000 asked 11088"],
        words: &["tokens", "rate_limit_exceeded"],
        is_error: true,
    },
    Case {
        id: "groq-429-bucket",
        now: "2026-01-15T12:00:00Z",
        body: r#"{"error":{"message":"Rate limit reached for model in organization org_x on tokens per minute (TPM): Limit 8000, Used 2591, Requested 5863. Please try again in 3.405s.","type":"tokens","code":"rate_limit_exceeded"}}"#,
        wait_ms: Some(3405),
        resets_in: None,
        limits: &["tokens/60 limit 8000 used 2591 left 5409 asked 5863 up"],
        words: &["tokens", "rate_limit_exceeded"],
        is_error: true,
    },
    Case {
        id: "groq-429-rpm",
        now: "2026-01-15T12:00:00Z",
        body: r#"{"error":{"message":"Rate limit reached for model in organization org_x on requests per minute (RPM): Limit 30, Used 30, Requested 1. Please try again in 2s.","type":"requests","code":"rate_limit_exceeded"}}"#,
        wait_ms: Some(2000),
        resets_in: None,
        limits: &["requests/60 limit 30 used 30 left 0 asked 1 up"],
        words: &["requests", "rate_limit_exceeded"],
        is_error: true,
    },
    Case {
        id: "llama-server-503-loading",
        now: "2026-01-15T12:00:00Z",
        body: r#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#,
        wait_ms: None,
        resets_in: None,
        limits: &[],
        words: &["503", "unavailable_error"],
        is_error: true,
    },
    Case {
        id: "llm7-429",
        now: "2026-01-15T12:00:00Z",
        body: r#"{"error":{"message":"Rate limit exceeded","retry_after":1}}"#,
        wait_ms: Some(1000),
        resets_in: None,
        limits: &[],
        words: &[],
        is_error: true,
    },
    Case {
        id: "mistral-429-limit-zero",
        now: "2026-01-15T12:00:00Z",
        body: r#"{"object":"error","message":"Rate limit exceeded","type":"rate_limited","param":null,"code":"1300","raw_status_code":429}"#,
        wait_ms: None,
        resets_in: None,
        limits: &[],
        words: &["error", "rate_limited", "1300"],
        is_error: true,
    },
    Case {
        id: "moonshot-403-quota",
        now: "2026-01-15T12:00:00Z",
        body: r#"{"error":{"message":"You exceeded your current token quota","type":"exceeded_current_quota_error"}}"#,
        wait_ms: None,
        resets_in: None,
        limits: &[],
        words: &["exceeded_current_quota_error"],
        is_error: true,
    },
    Case {
        id: "moonshot-429-concurrency",
        now: "2026-01-15T12:00:00Z",
        body: r#"{"error":{"message":"Your account org-x request reached max organization concurrency: 1, please try again after 1 seconds","type":"rate_limit_reached_error"}}"#,
        wait_ms: Some(1000),
        resets_in: None,
        limits: &["other concurrency limit 1 up"],
        words: &["rate_limit_reached_error"],
        is_error: true,
    },
    Case {
        id: "moonshot-429-rpm",
        now: "2026-01-15T12:00:00Z",
        body: r#"{"error":{"message":"Your account org-x<ak-x> request reached organization max RPM: 3, please try again after 1 seconds","type":"rate_limit_reached_error"}}"#,
        wait_ms: Some(1000),
        resets_in: None,
        limits: &["requests/60 limit 3 up"],
        words: &["rate_limit_reached_error"],
        is_error: true,
    },
    Case {
        id: "moonshot-429-tpm-oversize",
        now: "2026-01-15T12:00:00Z",
        body: r#"{"error":{"message":"Your request reached project TPM rate limit, current: 1410, limit: 100","type":"rate_limit_reached_error"}}"#,
        wait_ms: None,
        resets_in: None,
        limits: &["tokens/60 limit 100 used 1410 left 0 up"],
        words: &["rate_limit_reached_error"],
        is_error: true,
    },
    Case {
        id: "nvidia-429",
        now: "2026-01-15T12:00:00Z",
        body: r#"{"status":429,"title":"Too Many Requests"}"#,
        wait_ms: None,
        resets_in: None,
        limits: &[],
        words: &["429", "too many requests"],
        is_error: true,
    },
    Case {
        id: "openai-429-insufficient-quota",
        now: "2026-01-15T12:00:00Z",
        body: r#"{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
        wait_ms: None,
        resets_in: None,
        limits: &[],
        words: &["insufficient_quota"],
        is_error: true,
    },
    Case {
        id: "openai-429-message-634ms",
        now: "2026-01-15T12:00:00Z",
        body: r#"{"error":{"message":"Rate limit reached for gpt-4o-mini in organization org-x on tokens per min (TPM): Limit 200000, Used 199821, Requested 2295. Please try again in 634ms.","type":"tokens","code":"rate_limit_exceeded"}}"#,
        wait_ms: Some(634),
        resets_in: None,
        limits: &["tokens/60 @gpt-4o-mini limit 200000 used 199821 left 179 asked 2295 up"],
        words: &["tokens", "rate_limit_exceeded"],
        is_error: true,
    },
    Case {
        id: "openai-429-no-headers",
        now: "2026-01-15T12:00:00Z",
        body: r#"{"error":{"message":"Rate limit reached","type":"requests","param":null,"code":"rate_limit_exceeded"}}"#,
        wait_ms: None,
        resets_in: None,
        limits: &[],
        words: &["requests", "rate_limit_exceeded"],
        is_error: true,
    },
    Case {
        id: "openai-429-project-tokens",
        now: "2026-01-15T12:00:00Z",
        body: r#"{"error":{"message":"Rate limit reached. Please try again in 250ms.","type":"tokens","code":"rate_limit_exceeded"}}"#,
        wait_ms: Some(250),
        resets_in: None,
        limits: &[],
        words: &["tokens", "rate_limit_exceeded"],
        is_error: true,
    },
    Case {
        id: "openai-429-tpm-remaining-nonzero",
        now: "2025-07-15T19:04:11Z",
        body: r#"{"error":{"message":"Rate limit reached for gpt-4o in organization org-x on tokens per min (TPM): Limit 30000, Used 29446, Requested 821. Please try again in 534ms.","type":"tokens","code":"rate_limit_exceeded"}}"#,
        wait_ms: Some(534),
        resets_in: None,
        limits: &["tokens/60 @gpt-4o limit 30000 used 29446 left 554 asked 821 up"],
        words: &["tokens", "rate_limit_exceeded"],
        is_error: true,
    },
    Case {
        id: "openrouter-429-body-ms",
        now: "2026-08-31T20:00:00Z",
        body: r#"{"error":{"message":"Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests per day","code":429,"metadata":{"headers":{"X-RateLimit-Limit":"50","X-RateLimit-Remaining":"0","X-RateLimit-Reset":"1788220800000"}}}}"#,
        wait_ms: None,
        resets_in: None,
        limits: &[],
        words: &["429"],
        is_error: true,
    },
    Case {
        id: "openrouter-429-string-code",
        now: "2026-01-15T12:00:00Z",
        body: r#"{"error":{"message":"Rate limit exceeded: free-models-per-day-high-balance.","code":"429"}}"#,
        wait_ms: None,
        resets_in: None,
        limits: &[],
        words: &["429"],
        is_error: true,
    },
    Case {
        id: "openrouter-429-upstream",
        now: "2026-01-15T12:00:00Z",
        body: r#"{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"meta-llama/llama-3.3-70b-instruct:free is temporarily rate-limited upstream","provider_name":"Venice","is_byok":false,"retry_after_seconds":17,"retry_after_seconds_raw":16.007,"headers":{"Retry-After":"17"}}}}"#,
        wait_ms: Some(17000),
        resets_in: None,
        limits: &[],
        words: &["429"],
        is_error: true,
    },
    Case {
        id: "replicate-429",
        now: "2026-01-15T12:00:00Z",
        body: r#"{"detail":"Request was throttled. Your rate limit resets in ~30s."}"#,
        wait_ms: Some(30000),
        resets_in: None,
        limits: &[],
        words: &[],
        is_error: false,
    },
    Case {
        id: "together-429-dynamic",
        now: "2026-01-15T12:00:00Z",
        body: r#"{"error":{"message":"Rate limit exceeded","type":"dynamic_request_limited","error_type":"dynamic_request_limited"}}"#,
        wait_ms: None,
        resets_in: None,
        limits: &[],
        words: &["dynamic_request_limited"],
        is_error: true,
    },
    Case {
        id: "together-503-capacity",
        now: "2026-01-15T12:00:00Z",
        body: r#"{"error":{"message":"Service unavailable","type":"service_unavailable"}}"#,
        wait_ms: None,
        resets_in: None,
        limits: &[],
        words: &["service_unavailable"],
        is_error: true,
    },
    Case {
        id: "vertex-429-array",
        now: "2026-01-15T12:00:00Z",
        body: r#"[{"error":{"code":429,"message":"Resource exhausted. Please try again later.","status":"RESOURCE_EXHAUSTED"}}]"#,
        wait_ms: None,
        resets_in: None,
        limits: &[],
        words: &["429", "resource_exhausted"],
        is_error: true,
    },
    Case {
        id: "wandb-402",
        now: "2026-01-15T12:00:00Z",
        body: r#"{"error":{"message":"You exceeded your current quota, please check your plan and billing details"}}"#,
        wait_ms: None,
        resets_in: None,
        limits: &[],
        words: &[],
        is_error: true,
    },
    Case {
        id: "wandb-429-concurrency",
        now: "2026-01-15T12:00:00Z",
        body: r#"{"error":{"message":"Concurrency limit reached for requests"}}"#,
        wait_ms: None,
        resets_in: None,
        limits: &[],
        words: &[],
        is_error: true,
    },
    Case {
        id: "zai-429-1113",
        now: "2026-01-15T12:00:00Z",
        body: r#"{"error":{"code":"1113","message":"Insufficient balance or no resource package. Please recharge."}}"#,
        wait_ms: None,
        resets_in: None,
        limits: &[],
        words: &["1113"],
        is_error: true,
    },
    Case {
        id: "zai-429-1302",
        now: "2026-01-15T12:00:00Z",
        body: r#"{"error":{"code":"1302","message":"Rate limit reached for requests"}}"#,
        wait_ms: None,
        resets_in: None,
        limits: &[],
        words: &["1302"],
        is_error: true,
    },
    Case {
        id: "zai-quota-endpoint",
        now: "2026-08-19T01:00:00Z",
        body: r#"{"code":200,"data":{"limits":[{"type":"TOKENS_LIMIT","unit":3,"number":5,"percentage":12,"nextResetTime":1787112345678},{"type":"TIME_LIMIT","unit":5,"number":1,"usage":4000,"currentValue":0,"remaining":4000,"percentage":0}]},"success":true}"#,
        wait_ms: None,
        resets_in: None,
        limits: &[
            "other/18000 share 0.12 until 2026-08-19T04:05:45.678Z",
            "other/2592000 time limit 4000 used 0 left 4000 share 0",
        ],
        words: &["200", "tokens_limit", "time_limit"],
        is_error: false,
    },
];

impl Case {
    fn now(&self) -> Time {
        Time::parse_rfc3339(self.now.as_bytes()).unwrap()
    }

    fn read(&self) -> Body {
        read(self.body.as_bytes(), self.now())
    }
}

#[test]
fn the_bodies_of_the_vectors_say_what_they_say() {
    for case in CASES {
        let (read, id) = (case.read(), case.id);
        assert_eq!(wait_ms(&read), case.wait_ms, "{id}");
        assert_eq!(read.resets_at.map(|time| time.seconds() - case.now().seconds()), case.resets_in, "{id}");
        assert_eq!(lines(&read), case.limits, "{id}");
        assert_eq!(read.words, case.words, "{id}");
        assert_eq!(read.is_error, case.is_error, "{id}");
        assert_eq!(read.upstream.is_some(), id == "openrouter-429-upstream");
        let headers = match id {
            "openrouter-429-body-ms" => 3,
            "openrouter-429-upstream" => 1,
            _ => 0,
        };
        assert_eq!(read.headers.len(), headers, "{id}");
        for key in ["message\":\"", "detail\":\"", "title\":\"", "raw\":\""] {
            let said = case.body.split(key).nth(1).and_then(|rest| rest.split(['"', '\\']).next());
            assert!(read.text.contains(&said.unwrap_or_default().to_ascii_lowercase()), "{id}: {read:?}");
        }
        if !case.body.contains('{') {
            assert_eq!(read.text, case.body.trim().to_ascii_lowercase(), "{id}");
        }
    }
}

/// No cut changes a figure; at most it hides what is said better behind it.
#[test]
fn the_bodies_of_the_vectors_can_be_cut_anywhere() {
    for case in CASES {
        let (whole, id) = (case.read(), case.id);
        for end in 0..case.body.len() {
            let cut = read(&case.body.as_bytes()[..end], case.now());
            assert!(cut.words.iter().all(|word| whole.words.contains(word)), "{id} at {end}: {cut:?}");
            assert!(whole.text.starts_with(&cut.text), "{id} at {end}");
            assert!(cut.is_error <= whole.is_error, "{id} at {end}");
            assert!(cut.wait.is_none() || cut.wait == whole.wait, "{id} at {end}: {:?}", cut.wait);
            assert!(cut.resets_at.is_none() || cut.resets_at == whole.resets_at, "{id} at {end}");
            assert!(cut.headers.iter().all(|header| whole.headers.contains(header)), "{id} at {end}");
            assert!(cut.limits.len() <= whole.limits.len(), "{id} at {end}");
            for limit in &cut.limits {
                let known = |whole: &StatedLimit| says_no_more(limit, whole);
                assert!(whole.limits.iter().any(known), "{id} at {end}: {}", line(limit));
            }
        }
    }
}

fn says_no_more(cut: &StatedLimit, whole: &StatedLimit) -> bool {
    let figures = |limit: &StatedLimit| {
        [limit.window_s, limit.limit, limit.used, limit.requested, limit.remaining]
            .map(|figure| figure.map(|figure| figure.to_string()))
            .into_iter()
            .chain([limit.utilization.map(|share| share.to_string())])
            .chain([limit.resets_at.map(|time| time.to_string()), limit.model.clone()])
            .collect::<Vec<_>>()
    };
    figures(cut).iter().zip(figures(whole)).all(|(cut, whole)| cut.is_none() || *cut == whole)
}
