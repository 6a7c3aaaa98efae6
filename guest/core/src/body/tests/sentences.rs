//! Waits, resets and limits in texts for people.

use super::*;

#[test]
fn waits_are_read_from_sentences() {
    for (text, expected) in [
        ("Please try again in 634ms.", Some(634)),
        ("Please try again in 5.289s. Visit https://x.com/account/rate-limits to learn more.", Some(5289)),
        ("Please try again in 2s", Some(2000)),
        ("Please try again in 6m0s.", Some(360_000)),
        ("Please try again in 1h16m0.667s.", Some(4_560_667)),
        ("Please try again in 2m59.56s", Some(179_560)),
        ("TRY AGAIN IN 17 S", Some(17_000)),
        ("Please retry after 45 seconds.", Some(45_000)),
        ("Please retry your requests after 26 seconds", Some(26_000)),
        ("Please retry after 86400 seconds.", Some(86_400_000)),
        ("Please retry after 86,400 seconds.", Some(86_400_000)),
        ("please try again after 1 seconds", Some(1000)),
        ("Request was throttled. Your rate limit resets in ~30s.", Some(30_000)),
        ("Your quota will reset after 1h16m0.667s.", Some(4_560_667)),
        ("Please retry in 20.04466179s.", Some(20_045)),
        ("Please wait 0 seconds before retrying.", Some(0)),
        ("Please wait for at least 30 seconds", Some(30_000)),
        ("wait another 2 minutes", Some(120_000)),
        ("Try again in about 1 hour 3 minutes", Some(3_780_000)),
        ("Try again in approximately 2 hours, 5 minutes and 1 second.", Some(7_501_000)),
        ("Try again in 3 days", Some(259_200_000)),
        ("Retry-After: 30", Some(30_000)),
        ("retry after 1.5.", Some(1500)),
        ("It will be available in 12 min", Some(720_000)),
        ("please wait before trying again", None),
        ("Please try again later.", None),
        ("You can send 5 in 10 seconds", None),
        ("Try again in 3 of 5 regions", None),
        ("try again in -5s", None),
        ("try again in 99999999999999999999 days", None),
        ("try again in 18446744073709551615 seconds", None),
        ("try again in NaN s", None),
        ("reduce your message size and try again. In 5s nothing happens", None),
    ] {
        assert_eq!(wait_ms(&message(text)), expected, "{text}");
        assert_eq!(wait_ms(&body(text)), expected, "as plain text: {text}");
    }
}

#[test]
fn a_time_at_which_a_limit_resets_is_read() {
    for text in [
        "Your limit will reset at 2026-01-15T15:00:00Z.",
        "Usage limit reached. Resets at 2026-01-15 15:00:00Z",
        "Quota exhausted until 2026-01-15T16:00:00+01:00",
    ] {
        assert_eq!(message(text).resets_at, in_s(3 * 3600), "{text}");
    }
    for text in [
        "Your limit will reset at 2026-01-15 15:00:00",
        "resets at midnight",
        "reset at 2026-01-14T15:00:00Z",
        "reset at",
    ] {
        assert_eq!(message(text).resets_at, None, "{text}");
        assert!(message(text).limits.is_empty(), "{text}");
    }
}

#[test]
fn limits_are_read_from_sentences() {
    for (text, expected) in [
        (
            "Rate limit reached for gpt-4o-mini in organization org-x on tokens per min (TPM): Limit 200000, Used 199821, Requested 2295. Please try again in 634ms.",
            "tokens/60 @gpt-4o-mini limit 200000 used 199821 left 179 asked 2295 up",
        ),
        (
            "Rate limit reached for model `Llama-3.3-70B` in organization `org_01` service tier `on_demand` on tokens per day (TPD): Limit 100,000, Used 99,500, Requested 1,200. Please try again in 10m4.8s. Need more tokens? Upgrade to Dev Tier today at https://x.com/billing",
            "tokens/86400 @Llama-3.3-70B limit 100000 used 99500 left 500 asked 1200 up",
        ),
        (
            "Rate limit reached for default-gpt-3.5-turbo in organization org-x on requests per min. Limit: 3 / min. Please try again in 20s.",
            "requests/60 @default-gpt-3.5-turbo limit 3 up",
        ),
        (
            "Rate limit reached for model in organization org_x on requests per minute (RPM): Limit 30, Used 30, Requested 1. Please try again in 2s.",
            "requests/60 limit 30 used 30 left 0 asked 1 up",
        ),
        (
            "Rate limit reached on requests per day (RPD): Limit 14400, Used 14400, Requested 1.",
            "requests/86400 limit 14400 used 14400 left 0 asked 1 up",
        ),
        (
            "Request too large for model in organization org_x on tokens per minute (TPM): Limit 8000, Requested 11088, please reduce your message size and try again.",
            "tokens/60 limit 8000 asked 11088",
        ),
        (
            "Your account org-x<ak-x> request reached organization max RPM: 3, please try again after 1 seconds",
            "requests/60 limit 3 up",
        ),
        (
            "Your account org-x<ak-x> request reached max organization concurrency: 1, please try again after 1 seconds",
            "other concurrency limit 1 up",
        ),
        (
            "Your request reached organization TPD rate limit, current: 1526210, limit: 1500000",
            "tokens/86400 limit 1500000 used 1526210 left 0 up",
        ),
        (
            "Your request reached project TPM rate limit, current: 1410, limit: 100",
            "tokens/60 limit 100 used 1410 left 0 up",
        ),
        (
            "Quota exceeded for metric: generativelanguage.googleapis.com/generate_content_free_tier_requests, limit: 0, model: gemini-2.5-pro\nPlease retry in 20.04466179s.",
            "requests @gemini-2.5-pro limit 0 up",
        ),
        (
            "Quota exceeded for metric: generativelanguage.googleapis.com/generate_content_free_tier_input_token_count, limit: 250000, model: gemini-2.5-flash",
            "input_tokens @gemini-2.5-flash limit 250000 up",
        ),
        (
            "You are using a Trial key, which is limited to 20 API calls / minute. You can continue to use the Trial key for free or upgrade.",
            "requests/60 limit 20 up",
        ),
        (
            "This request would exceed the rate limit for your organization of 100,000 input tokens per minute.",
            "input_tokens/60 limit 100000 up",
        ),
        (
            "This request would exceed the rate limit for your organization (1b2c3d4e-aa11-4b4b-9c9c-0123456789ab) of 8,000 output tokens per minute. For details, refer to: https://docs.x.com",
            "output_tokens/60 limit 8000 up",
        ),
        (
            "This request would exceed your organization's rate limit of 50 requests per minute (model: claude-sonnet-4-5).",
            "requests/60 @claude-sonnet-4-5 limit 50 up",
        ),
        (
            "Rate limit of 5 per 0s exceeded for UserConcurrentRequests. Please wait 0 seconds before retrying.",
            "other concurrency limit 5 up",
        ),
        (
            "Rate limit of 10 per 60s exceeded for UserByMinute. Please wait 55 seconds before retrying.",
            "requests/60 limit 10 up",
        ),
        (
            "Rate limit of 50 per 86400s exceeded for UserByDay. Please wait 4000 seconds before retrying.",
            "requests/86400 limit 50 up",
        ),
        ("you have used up your daily free allocation of 10,000 neurons", "other/86400 limit 10000 up"),
        ("exceeded the limit of 100 requests every 5 hours", "requests/18000 limit 100 up"),
        ("Concurrency limit reached: maximum of 25 concurrent requests", "other concurrency limit 25 up"),
    ] {
        assert_eq!(lines(&message(text)), [expected], "{text}");
        assert!(message(text).limits[0].from_sentence);
    }
}

#[test]
fn each_of_several_limits_in_a_text_is_read() {
    let text = "You exceeded your current quota, please check your plan.\n\
        * Quota exceeded for metric: x.com/generate_content_free_tier_requests, limit: 20, model: gemini-2.5-flash\n\
        * Quota exceeded for metric: x.com/generate_content_free_tier_input_token_count, limit: 250000, model: gemini-2.5-pro\n\
        Please retry in 7.967587226s.";
    let read = message(text);
    assert_eq!(
        lines(&read),
        ["requests @gemini-2.5-flash limit 20 up", "input_tokens @gemini-2.5-pro limit 250000 up",]
    );
    assert_eq!(wait_ms(&read), Some(7968));
}

#[test]
fn numbers_that_are_no_limits_are_passed_over() {
    for text in [
        "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests per day",
        "Rate limit exceeded (429)",
        "Error code 429: rate limit exceeded",
        "Usage limit reached for 5 hour. Your limit will reset at 2026-01-15 14:00:00",
        "Sorry, you've exceeded your 5 hour session limits.",
        "This model's maximum context length is 8192 tokens. However, you requested 10000 tokens.",
        "max_tokens: 100000 is too large for requests",
        "To increase your limit to 500 requests, visit https://x.com/5/per/day",
        "This request requires more credits, or fewer max_tokens. You requested up to 64000 tokens, but can only afford 2666.",
        "Monthly limit of $100 reached",
        "limit: 1,00 requests exceeded",
        "limit: 18446744073709551616 requests exceeded",
        "limit: 50% of requests exceeded",
        "limit -5 requests exceeded",
        "Array too long: expected maximum length 128, got 200",
        "Concurrency limit reached for requests",
        "Too many tokens, please wait before trying again.",
    ] {
        assert_eq!(lines(&message(text)), Vec::<String>::new(), "{text}");
        assert_eq!(message(text).wait, None, "{text}");
    }
}

#[test]
fn what_a_cut_may_have_shortened_is_not_trusted() {
    for text in [
        r#"{"error":{"message":"try again in 6m"#,
        r#"{"error":{"message":"try again in 63"#,
        r#"{"error":{"message":"retry after 4"#,
        r#"{"error":{"message":"tokens per min (TPM): Limit 2000"#,
        r#"{"error":{"retry_after":1"#,
        r#"{"error":{"retryDelay":"34.07s"#,
        r#"{"error":{"resets_at":17040690"#,
        r#"{"error":{"message":"reset at 2026-01-15T15:00:00.1Z"#,
    ] {
        let read = body(text);
        assert_eq!((read.wait, read.resets_at, read.limits), (None, None, Vec::new()), "{text}");
        assert!(read.is_error, "{text}");
    }
    let read = body(r#"{"error":{"message":"Requests per day: Limit 30, Used 30, Reque"#);
    assert_eq!(lines(&read), ["requests/86400 limit 30 used 30 left 0 up"]);
    assert_eq!(wait_ms(&body(r#"{"error":{"message":"Please retry after 45 seconds. If"#)), Some(45_000));
}

#[test]
fn texts_are_kept_in_lower_case_and_within_bounds() {
    let read = body(r#"{"error":{"message":"Too MANY\nRequests"},"detail":["Räte",{"msg":"again"}]}"#);
    assert_eq!(read.text, "too many requests\nräte\nagain");
    let long = "Quota é ".repeat(1000);
    assert!(message(&long).text.len() <= TEXT_BYTES);
    let many = alloc::format!("[{}]", r#"{"message":"quota exceeded"},"#.repeat(1000));
    assert!(body(&many).text.len() <= TEXT_BYTES);
    assert!(body(&many).text.len() > TEXT_BYTES - 32);
}
